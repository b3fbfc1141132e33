//! Facts about the project that nobody should have to remember.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::skip;

/// What may lie at the top level.
const TOP_LEVEL: &[&str] = &[
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "completions",
    "man",
    "rustfmt.toml",
    "src",
    "tests",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every tracked file, as bytes that are read as text; none if this is no checkout (a published
/// package isn't), which is said.
fn tracked_files() -> Option<Vec<(PathBuf, String)>> {
    let git = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git runs");
    let names = String::from_utf8(git.stdout).expect("our file names are plain");
    let is_top = root().join(".git").exists();
    if !git.status.success() || names.is_empty() || !is_top {
        skip("this is no checkout of git-parallel, so nothing is tracked");
        return None;
    }
    let file = |name: &str| {
        // A file that is only just being deleted is tracked and not there.
        let bytes = std::fs::read(root().join(name)).ok()?;
        Some((PathBuf::from(name), String::from_utf8_lossy(&bytes).into_owned()))
    };
    Some(names.split_terminator('\0').filter_map(file).collect())
}

#[test]
fn the_top_level_holds_what_is_expected() {
    let Some(files) = tracked_files() else { return };
    for (path, _) in &files {
        let top = path.iter().next().and_then(|top| top.to_str()).expect("a plain name");
        assert!(TOP_LEVEL.contains(&top), "{} has no place at the top level", path.display());
    }
    for name in ["Cargo.lock", "LICENSE-MIT", "LICENSE-APACHE", "README.md", "CHANGELOG.md", ".ci/run"] {
        assert!(files.iter().any(|(path, _)| path == Path::new(name)), "{name} is missing");
    }
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let Some(files) = tracked_files() else { return };
    let home = std::env::var("HOME").unwrap_or_default();
    for (path, text) in &files {
        let found = machine_paths(text, root(), &home);
        assert!(found.is_empty(), "{} names a path of a machine: {found:?}", path.display());
        let found = registry_hosts(text);
        assert!(found.is_empty(), "{} names a registry: {found:?}", path.display());
    }
}

/// Lines with an absolute path that exists on somebody's machine only.
fn machine_paths<'t>(text: &'t str, checkout: &Path, home: &str) -> Vec<&'t str> {
    const EVERYWHERE: &[&str] =
        &["bin", "dev", "etc", "lib", "mnt", "opt", "proc", "run", "tmp", "usr", "var"];
    let mut prefixes: Vec<String> = ["home", "Users", "root"].map(|dir| format!("/{dir}/")).into();
    prefixes.push(checkout.display().to_string());
    let first = checkout.iter().nth(1).and_then(|dir| dir.to_str()).unwrap_or_default();
    if !first.is_empty() && !EVERYWHERE.contains(&first) {
        prefixes.push(format!("/{first}/"));
    }
    if home.len() > 1 {
        prefixes.push(format!("{home}/"));
    }
    let names_one = |line: &&str| {
        prefixes.iter().any(|prefix| {
            let is_absolute = |(at, _): (usize, &str)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "._-~})>$*".contains(c))
            };
            line.match_indices(prefix.as_str()).any(is_absolute)
        })
    };
    text.lines().filter(names_one).collect()
}

/// Lines that send cargo, or a reader, to a registry of somebody's own. The names are put together
/// here, so that this file passes its own check.
fn registry_hosts(text: &str) -> Vec<&str> {
    const DEFAULT: &str = concat!("source = \"registry", "+https://github.com/rust-lang/crates.io-index\"");
    let signs = [
        concat!("arti", "factory"),
        concat!("index.", "crates.io"),
        concat!("registry", "+http"),
        concat!("sparse", "+http"),
        concat!("[regis", "tries"),
        concat!("replace", "-with"),
    ];
    let names_one = |line: &&str| *line != DEFAULT && signs.iter().any(|sign| line.contains(sign));
    text.lines().filter(names_one).collect()
}

#[test]
fn paths_and_registries_are_recognised() {
    let checkout = Path::new("/data/src/x");
    let paths = |text: &str| machine_paths(text, checkout, "/srv/me").len();
    for bad in [
        "see /data/y",
        "\"/data/src/x/a\"",
        "cd /srv/me/a",
        concat!("path=/ho", "me/me"),
        concat!("(/Us", "ers/me)"),
        concat!("in /ro", "ot/x"),
    ] {
        assert_eq!(paths(bad), 1, "{bad}");
    }
    for fine in ["/usr/bin/git", "a/data/b", "{root}/data/b", "the data/ directory", "~/home/x", "/dev/null"]
    {
        assert_eq!(paths(fine), 0, "{fine}");
    }
    assert_eq!(machine_paths("/usr/bin/env", Path::new("/usr/src/x"), "/").len(), 0);
    for bad in [
        concat!("source = \"registry", "+https://example.com/index\""),
        concat!("https://example.com/arti", "factory/x"),
        concat!("[regis", "tries.mine]"),
    ] {
        assert_eq!(registry_hosts(bad).len(), 1, "{bad}");
    }
    assert_eq!(registry_hosts("the crate is on crates.io").len(), 0);
}

#[test]
fn the_manifest_says_what_the_files_say() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("it is TOML");
    let package = manifest["package"].as_table().expect("a package");
    let value = |key: &str| package.get(key).and_then(toml::Value::as_str).unwrap_or_default();
    assert_eq!(value("license"), "MIT OR Apache-2.0");
    assert_eq!(value("readme"), "README.md");
    assert_eq!(value("version"), env!("CARGO_PKG_VERSION"));
    for key in ["description", "rust-version"] {
        assert!(!value(key).is_empty(), "{key} is missing");
    }
    assert!(
        read("README.md").contains(&format!("Rust {}", value("rust-version"))),
        "README names the Rust it takes"
    );
    assert!(read("LICENSE-MIT").contains("git-parallel contributors"));
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted, free of charge"));
    let apache = read("LICENSE-APACHE");
    assert!(apache.contains("Apache License") && apache.contains("END OF TERMS AND CONDITIONS"));
}

#[test]
fn the_readme_says_how_to_begin() {
    let readme = read("README.md");
    for part in ["cargo install --locked --path .", "git task add ", "cargo test"] {
        assert!(readme.contains(part), "{part} is missing");
    }
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = read(name);
        for target in link_targets(&text) {
            assert!(root().join(target).exists(), "{name} links to {target}, which isn't there");
        }
    }
}

/// Where a Markdown text links to in this project.
fn link_targets(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let here = targets.map(|target| target.split('#').next().unwrap_or_default());
    here.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

#[test]
fn links_are_recognised() {
    let text = "[a](b.md) [c](https://example.com/) [d](#e) [f](g/h.md#i) (j)";
    assert_eq!(link_targets(text), ["b.md", "g/h.md"]);
}

#[test]
fn the_changelog_has_its_form() {
    let changelog = read("CHANGELOG.md");
    let versions: Vec<_> = changelog.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(versions.first(), Some(&"[Unreleased]"), "what is not released comes first");
    for section in changelog.lines().filter_map(|line| line.strip_prefix("### ")) {
        let known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
        assert!(known.contains(&section), "{section} is no section of Keep a Changelog");
    }
}
