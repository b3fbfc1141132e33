//! Merges of `git integrate` that need no files: what comes of them, and when they are not made so.

use std::path::{Path, PathBuf};

use crate::integrate_run::{over, ready, subjects, workshop};
use crate::support::*;

/// Integrates, and says whether merges were made without the files. How many there are is looked at too: none is
/// made again.
#[track_caller]
fn was_thin(sandbox: &Sandbox, dir: &Path, args: &[&str], merges: usize) -> bool {
    let trace = sandbox.path("trace");
    let mut command = sandbox.command(dir, "git-integrate");
    command.args(args).env("GIT_TRACE_SETUP", &trace).env("GIT_TRACE", &trace);
    Run::of(&mut command, b"").ok();
    let trace = std::fs::read_to_string(&trace).unwrap();
    std::fs::remove_file(sandbox.path("trace")).unwrap();
    let made = trace.lines().filter(|line| line.contains("built-in: git merge --quiet")).count();
    assert_eq!(made, merges, "{trace}");
    trace.lines().any(|line| line.contains("worktree: ") && line.contains("integrate-thin"))
}

fn begin(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    let files = "mkdir d e; for f in d/x d/y e/x text gone; do (echo $f; seq 9) >$f; done; echo 'text merge=union' >.gitattributes";
    sandbox.sh(&dir, &format!("{files}; git add -A && git commit -qm files")).ok();
    dir
}

fn task(sandbox: &Sandbox, dir: &Path, name: &str, script: &str) {
    let path = sandbox.task(dir, ["add", "-q", "--base", "main", name]).ok().path();
    sandbox.sh(&path, &format!("set -e\n{script}\ngit add -A && git commit -qm 'Work on {name}'")).ok();
    sandbox.task(&path, ["ready"]).ok();
}

#[test]
fn what_is_merged_without_files_is_what_git_merges_with_them() {
    let sandbox = Sandbox::new();
    let dir = begin(&sandbox);
    for (name, script) in [
        ("a", "echo top >>text"),
        // By the attributes both are kept; without them that is a conflict.
        ("b", "echo bottom >>text"),
        ("c", "git rm -q gone; mkdir gone; echo 1 >gone/x; chmod +x d/y; ln -s text link"),
        ("d", "git mv d moved"),
        ("e", "sed -i 's/^1$/one/' d/x"),
        ("f", "echo 'e/x merge=union' >>.gitattributes"),
        ("g", "echo g >>e/x"),
        ("h", "echo h >>e/x"),
    ] {
        task(&sandbox, &dir, name, script);
    }
    let real = sandbox.path("real");
    sandbox.git(&dir, ["worktree", "add", "-q", "--detach", real.to_str().unwrap(), "main"]).ok();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let message = format!("Merge task '{name}'");
        sandbox.git(&real, ["merge", "-q", "--no-ff", "-m", &message, name]).ok();
    }
    let wanted = sandbox.git(&real, ["log", "--format=%T %P %B", "HEAD"]).ok().stdout;
    assert!(was_thin(&sandbox, &dir, &["-q"], 8));
    let log = ["log", "--format=%T %P %B", "main"];
    // The commits may differ by their dates alone, which are fixed here.
    assert_eq!(sandbox.git(&dir, log).ok().stdout, wanted);
    let shop = workshop(&sandbox);
    sandbox.git(&shop, ["status", "--porcelain", "--ignored"]).ok().prints("");
    assert!(shop.join("moved/x").exists() && shop.join("gone/x").exists());
    let marked = sandbox.git(&shop, ["ls-files", "-v"]).ok().stdout;
    assert!(marked.lines().all(|line| line.starts_with("H ")), "{marked}");
    over(&sandbox, &dir);
}

#[test]
fn whoever_needs_the_files_has_them() {
    let cases: [(&str, &[&str], &str); 7] = [
        (
            "hook",
            &[],
            "printf '#!/bin/sh\\ntest -e text\\n' >.git/hooks/pre-merge-commit; chmod +x .git/hooks/*",
        ),
        ("hooks elsewhere", &[], "git config core.hooksPath hooks"),
        ("driver", &[], "git config merge.mine.driver true"),
        ("filter", &[], "git config filter.lfs.clean cat"),
        ("check", &["--check", "test -e text && test -e a"], ""),
        ("another way", &["--squash"], ""),
        ("sparse", &[], "git config core.sparseCheckout true"),
    ];
    for (what, args, script) in cases {
        let sandbox = Sandbox::new();
        let dir = begin(&sandbox);
        ready(&sandbox, &dir, "a", "a", "1\n");
        sandbox.sh(&dir, script).ok();
        assert!(!was_thin(&sandbox, &dir, args, 1), "{what}");
        assert!(subjects(&sandbox, &dir, "main").starts_with("Merge task 'a'\n"), "{what}");
    }
}

#[test]
fn a_conflict_is_left_where_the_files_are() {
    let sandbox = Sandbox::new();
    let dir = begin(&sandbox);
    for name in ["a", "b", "c"] {
        task(&sandbox, &dir, name, &format!("echo {name} >{}", if name == "a" { "a" } else { "e/x" }));
    }
    sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
    let shop = workshop(&sandbox);
    sandbox.git(&shop, ["status", "--porcelain"]).ok().prints("UU e/x\n");
    assert!(shop.join("a").exists() && shop.join("text").exists());
    assert!(std::fs::read_to_string(shop.join("e/x")).unwrap().contains("<<<<<<< HEAD\nb\n"));
    sandbox.sh(&shop, "echo both >e/x && git add e/x").ok();
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(std::fs::read_to_string(dir.join("e/x")).unwrap(), "both\n");
    over(&sandbox, &dir);
}

/// Attributes of any directory, and those that a task brings: what they forbid is not merged.
#[test]
fn attributes_count_without_files() {
    for (base, first) in [("e/.gitattributes", "other"), ("other", "e/.gitattributes")] {
        let sandbox = Sandbox::new();
        let dir = begin(&sandbox);
        sandbox.sh(&dir, &format!("echo 'x -merge' >{base}; git add -A && git commit -qm more")).ok();
        task(&sandbox, &dir, "a", &format!("echo 'x -merge' >{first}"));
        task(&sandbox, &dir, "b", "sed -i 's/^1$/b/' e/x");
        task(&sandbox, &dir, "c", "sed -i 's/^9$/c/' e/x");
        sandbox.integrate(&dir, ["--porcelain"]).fails(1).says("merging 'c' into 'main' has conflicts");
        sandbox.git(workshop(&sandbox), ["status", "--porcelain"]).ok().prints("UU e/x\n");
    }
}
