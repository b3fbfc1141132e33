//! The picture of the layers, enforced: what each part of `src` may use, and what only some may do.
//!
//! If the code shows that a boundary is wrong, change the boundary: here, in `src/lib.rs` and in
//! `CONTRIBUTING.md`.

mod scan;

use std::path::Path;

use scan::{File, Finding, scan};

/// What everybody may use. They may use each other, but not in a circle.
const LEAVES: &[&str] =
    &["bounded", "context", "duration", "error", "interrupt", "paths", "text", "toml_file"];

/// Each layer with the layers that it may use, the leaves apart. From left to right in the picture:
/// `bin -> cli -> commands -> {schedule, integrate} -> {task, pool} -> desk -> config -> {store, git}`.
/// Those within one pair of braces don't know each other, but `store` may use `git`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("bin", &["cli"]),
    ("cli", &["commands", "ui", "schedule", "integrate", "task", "pool", "desk", "config", "store", "git"]),
    ("commands", &["ui", "schedule", "integrate", "task", "pool", "desk", "config", "store", "git"]),
    ("schedule", &["task", "pool", "desk", "config", "store", "git"]),
    ("integrate", &["task", "pool", "desk", "config", "store", "git"]),
    ("task", &["desk", "config", "store", "git"]),
    ("pool", &["desk", "config", "store", "git"]),
    ("desk", &["config", "store", "git"]),
    ("config", &["store", "git"]),
    ("store", &["git"]),
    ("git", &[]),
    // It is told what to show and how; it asks nobody.
    ("ui", &[]),
];

/// Where processes are started.
const MAY_SPAWN: &[&str] = &["src/git/process.rs", "src/schedule/"];

/// Where the environment and the arguments are read.
const MAY_READ_ENV: &[&str] = &["src/config", "src/context.rs", "src/cli/"];

/// Where the standard streams are written to: `ui`, the last resort of `cli`, a child whose output is shown, and
/// the processes of a session, which have no user but whoever started them.
const MAY_PRINT: &[&str] = &["src/ui", "src/cli/", "src/git/process.rs", "src/schedule/"];

/// Where `unsafe` is allowed, and why. A file that needs it no longer must go from here.
const MAY_BE_UNSAFE: &[(&str, &str)] = &[
    ("src/cli/mod.rs", "restores SIGPIPE, which the standard library can't"),
    ("src/schedule/load.rs", "asks for the load of the machine, which the standard library can't"),
    ("src/schedule/terminal.rs", "ignores SIGTTOU, as who takes a terminal back must"),
];

/// A longer file is two files.
const MAX_LINES: usize = 500;

#[test]
fn the_source_keeps_to_its_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut dirs = vec![root.join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push(File::new(name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    for known in ["src/lib.rs", "src/error.rs", "src/bin/git-task.rs"] {
        assert!(files.iter().any(|f| f.path == known), "{known} was not read");
    }
    let findings = scan(&files, MAY_BE_UNSAFE);
    let text: String = findings.iter().map(|f| format!("{f}\n")).collect();
    assert!(findings.is_empty(), "\n{text}");
}

/// The findings in files given as path and text, as `path:line: rule`.
fn findings(files: &[(&str, &str)]) -> Vec<String> {
    findings_with(files, &[])
}

fn findings_with(files: &[(&str, &str)], unsafe_files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(path, text)| File::new(*path, *text)).collect();
    let brief = |f: &Finding| format!("{}:{}: {}", f.path, f.line, f.rule);
    scan(&files, unsafe_files).iter().map(brief).collect()
}

/// Files of which every layer has one, so that paths into it lead somewhere.
const EMPTY: &[(&str, &str)] = &[
    ("src/cli/mod.rs", ""),
    ("src/commands/mod.rs", ""),
    ("src/config.rs", ""),
    ("src/error.rs", ""),
    ("src/git/mod.rs", ""),
    ("src/integrate/mod.rs", ""),
    ("src/pool/mod.rs", ""),
    ("src/schedule/mod.rs", ""),
    ("src/store/mod.rs", ""),
    ("src/task/mod.rs", ""),
    ("src/ui/mod.rs", ""),
];

/// The findings in one file among [`EMPTY`] ones.
fn findings_in(path: &str, text: &str) -> Vec<String> {
    findings(&[EMPTY, &[(path, text)]].concat())
}

#[test]
fn arrows_along_the_picture_are_fine() {
    for (path, text) in [
        ("src/bin/git-task.rs", "fn main() { git_parallel::cli::run(); }"),
        ("src/cli/run.rs", "use crate::commands::task; use crate::ui;"),
        ("src/commands/add.rs", "use crate::{task, pool, ui, integrate::order, error::Result};"),
        ("src/integrate/train.rs", "use crate::pool::slot; fn f() { crate::git::merge() }"),
        ("src/store/trash.rs", "use crate::git;"),
        ("src/git/refs.rs", "use crate::error::{Failure, Result};"),
        ("src/git/refs.rs", "pub(crate) fn f() {} pub(super) fn g() {}"),
        ("src/git/refs.rs", "// use crate::ui\n/// crate::ui::x\nconst S: &str = \"crate::ui\";"),
        ("src/git/refs.rs", "#[cfg(test)] mod tests { use crate::task; fn f() { x.unwrap() } }"),
        ("src/git/refs.rs", "#[cfg(all(test, unix))] use crate::task;"),
        ("src/git/refs.rs", "#[test] #[ignore] fn f() { crate::task::g().unwrap(); }"),
    ] {
        assert_eq!(findings_in(path, text), [""; 0], "{text}");
    }
}

#[test]
fn arrows_against_the_picture_are_found() {
    for (path, text, line) in [
        ("src/git/refs.rs", "use crate::store::lock;", 1),
        ("src/git/refs.rs", "\n\nfn f() {\n    crate::task::slug::parse()\n}", 4),
        ("src/git/refs.rs", "use crate::{\n    error::Result,\n    config::{self as c},\n};", 3),
        ("src/task/add.rs", "use crate::pool;", 1),
        ("src/pool/claim.rs", "use crate::task::slug::Slug;", 1),
        ("src/pool/claim.rs", "use super::super::task;", 1),
        ("src/task/add.rs", "mod inner { use super::super::super::pool; }", 1),
        ("src/task/add.rs", "fn f() -> String { format!(\"{}\", crate::ui::table()) }", 1),
        ("src/integrate/train.rs", "use crate::schedule;", 1),
        ("src/config.rs", "use crate::task;", 1),
        ("src/store/lock.rs", "use crate::config;", 1),
        ("src/ui/mod.rs", "use crate::git;", 1),
        ("src/error.rs", "use crate::git;", 1),
        ("src/cli/run.rs", "use crate::bin;", 1),
        ("src/bin/git-task.rs", "use git_parallel::commands;", 1),
        ("src/git/refs.rs", "#[cfg(not(test))] use crate::ui;", 1),
        ("src/git/refs.rs", "#[cfg(any(test, unix))] use crate::ui;", 1),
        ("src/git/refs.rs", "#[cfg(test)] mod tests { }\nuse crate::ui;", 2),
    ] {
        let found = findings_in(path, text);
        let expected = format!("{path}:{line}: ");
        assert!(found.iter().any(|f| f.starts_with(&expected)), "{text}: {found:?}");
    }
    assert_eq!(findings_in("src/git/a.rs", "use crate::ui;"), ["src/git/a.rs:1: layer"]);
    assert_eq!(findings_in("src/git/a.rs", "use crate::Result;"), ["src/git/a.rs:1: crate root"]);
    assert_eq!(findings(&[("src/misc/a.rs", "")]), ["src/misc/a.rs:1: not in the picture"]);
}

#[test]
fn cycles_are_found_at_every_level() {
    let siblings = [("src/git/a.rs", "use super::b::X;"), ("src/git/b.rs", "use crate::git::a;")];
    assert_eq!(findings(&siblings), ["src/git/a.rs:1: cycle"]);
    let through_a_third = [
        ("src/git/a.rs", "use super::b;"),
        ("src/git/b.rs", "use super::c::d;"),
        ("src/git/c/mod.rs", ""),
        ("src/git/c/d.rs", "use crate::git::a;"),
    ];
    assert_eq!(findings(&through_a_third), ["src/git/a.rs:1: cycle"]);
    let leaves = [("src/text.rs", "use crate::error;"), ("src/error.rs", "\nuse crate::text;")];
    assert_eq!(findings(&leaves), ["src/error.rs:2: cycle"]);
    // A module and its own parts are one thing.
    let parent = [("src/git/a.rs", "mod b; use b::X;"), ("src/git/a/b.rs", "use super::Y;")];
    assert_eq!(findings(&parent), [""; 0]);
    let in_tests = [("src/git/a.rs", "use super::b;"), ("src/git/b.rs", "#[cfg(test)] use super::a;")];
    assert_eq!(findings(&in_tests), [""; 0]);
}

#[test]
fn what_only_some_may_do_is_found_elsewhere() {
    for (rule, allowed, snippets) in [
        (
            "starts a process",
            "src/git/process.rs",
            &[
                "fn f() { std::process::Command::new(\"git\"); }",
                "use std::process::Command; fn f() { Command::new(\"sh\"); }",
                "use std::process; fn f() { process::Command\n::new(\"sh\"); }",
            ][..],
        ),
        (
            "reads the environment",
            "src/context.rs",
            &[
                "fn f() { std::env::var(\"X\"); }",
                "use std::env; fn f() { env::vars_os(); }",
                "use std::env::{args_os};",
                "use std::env::{self, var};",
            ],
        ),
        (
            "prints",
            "src/ui/mod.rs",
            &[
                "fn f() { println!(); }",
                "fn f() { eprint!(\"x\") }",
                "fn f() { dbg!(1); }",
                "fn f() { std::io::stdout(); }",
                "use std::io; fn f() { io::stderr().lock(); }",
                "use std::io::{stdout, Write};",
            ],
        ),
    ] {
        for snippet in snippets {
            assert_eq!(
                findings_in("src/task/x.rs", snippet),
                [format!("src/task/x.rs:1: {rule}")],
                "{snippet}"
            );
            assert_eq!(findings_in(allowed, snippet), [""; 0], "{snippet}");
            let in_test = format!("#[cfg(test)]\nmod tests {{ {snippet} }}");
            assert_eq!(findings_in("src/task/x.rs", &in_test), [""; 0], "{snippet}");
        }
    }
    for fine in [
        "fn f() { clap::Command::new(\"x\"); }",
        "fn f(c: C) { c.stdout(Stdio::piped()); ui.stdout(); }",
        "fn stdout() {} fn var() {} fn f() { Self::stdout(); self.args(); args(); }",
        "const X: &str = env!(\"CARGO_PKG_VERSION\");",
        "fn f() { std::env::current_dir(); }",
        "use std::fmt::Write; fn f() { write!(s, \"println!\"); }",
    ] {
        assert_eq!(findings_in("src/task/x.rs", fine), [""; 0], "{fine}");
    }
}

#[test]
fn unwraps_unsafe_and_long_files_are_found() {
    let x = "src/task/x.rs";
    assert_eq!(findings_in(x, "fn f() {\n x\n.unwrap();\n}"), ["src/task/x.rs:3: unwrap"]);
    assert_eq!(findings_in(x, "fn f() { x.unwrap_or(1); x.expect(\"why\"); }"), [""; 0]);
    assert_eq!(findings_in(x, "fn f() { unsafe { g() } }"), ["src/task/x.rs:1: unsafe"]);
    assert_eq!(findings_with(&[(x, "unsafe fn f() {}")], &[(x, "why")]), [""; 0]);
    assert_eq!(findings_with(&[(x, "fn f() {}")], &[(x, "why")]), ["src/task/x.rs:1: unsafe is gone"]);
    assert_eq!(findings_with(&[], &[(x, "why")]), ["src/task/x.rs:1: unsafe is gone"]);
    assert_eq!(findings_in(x, &"// x\n".repeat(500)), [""; 0]);
    assert_eq!(findings_in(x, &"// x\n".repeat(501)), ["src/task/x.rs:501: too long"]);
    assert_eq!(findings_in(x, "fn f( {"), ["src/task/x.rs:1: not Rust"]);
}

#[test]
fn files_of_tests_are_left_out() {
    let tests = "use super::*; fn f() { x.unwrap(); crate::ui::g(); }";
    for declaration in ["#[cfg(test)]\nmod tests;", "#[cfg(test)] pub(crate) mod tests;"] {
        assert_eq!(findings(&[("src/task/x.rs", declaration), ("src/task/x/tests.rs", tests)]), [""; 0]);
        assert_eq!(findings(&[("src/task/mod.rs", declaration), ("src/task/tests.rs", tests)]), [""; 0]);
    }
    let declared = [("src/task/x.rs", "mod tests;"), ("src/task/x/tests.rs", tests)];
    assert!(!findings(&declared).is_empty());
}
