//! `git pool init`, `fill`, `list`, `drain` and `renew`.

use std::path::Path;

use crate::support::*;

/// A repository with `n` idle slots.
#[track_caller]
pub fn with_pool(sandbox: &Sandbox, n: usize) -> std::path::PathBuf {
    let dir = sandbox.init();
    sandbox.write(&dir, ".gitignore", "/target/\n*.local\n");
    sandbox.git(&dir, ["add", "."]).ok();
    sandbox.commit(&dir, "src/deep/file", "1\n", "File");
    sandbox.git(&dir, ["commit", "-q", "-m", "Ignore"]).ok();
    sandbox.pool(&dir, ["init", "-q", &n.to_string()]).ok().prints("");
    dir
}

/// `<slot> <state>` of each, on a line.
#[track_caller]
pub fn states(sandbox: &Sandbox, dir: &Path) -> String {
    sandbox.pool(dir, ["list", "--format=%(slot) %(state)"]).ok().stdout
}

/// Claims without a refill; gives the path.
#[track_caller]
pub fn claim(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> std::path::PathBuf {
    sandbox.pool(dir, ["claim", "--no-refill"].iter().chain(args)).ok().path()
}

/// A key of a slot.
#[track_caller]
pub fn key(sandbox: &Sandbox, dir: &Path, slot: &str, key: &str) -> String {
    let lines = sandbox.pool(dir, ["list", &format!("--format=%(slot) %({key})")]).ok().stdout;
    let line = lines.lines().find_map(|l| l.strip_prefix(&format!("{slot} "))).unwrap_or_default();
    line.to_owned()
}

#[test]
fn init_makes_slots_at_the_base_and_remembers_how_many() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let made = sandbox.pool(&dir, ["init", "3"]).ok().prints("");
    for n in 1..=3 {
        made.clone().says(&format!("Prepared slot {n} in '"));
        let path = sandbox.path(format!("repo-worktrees/pool-{n}"));
        sandbox.git(&path, ["symbolic-ref", "-q", "HEAD"]).fails(1);
        assert_eq!(sandbox.commit_id(&path, "HEAD"), sandbox.commit_id(&dir, "main"));
        sandbox.git(&path, ["status", "--porcelain", "--ignored"]).ok().prints("");
    }
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n3 idle\n");
    sandbox.git(&dir, ["config", "pool.size"]).ok().prints("3\n");
    sandbox.git(&dir, ["config", "pool.base"]).fails(1);
    // What is there counts.
    sandbox.pool(&dir, ["init", "4", "--base", "main"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n3 idle\n4 idle\n");
    sandbox.git(&dir, ["config", "pool.base"]).ok().prints("main\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn init_refuses_what_cannot_be() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.pool(&dir, ["init", "17"]).fails(128).says("more than pool.max (16)");
    sandbox.pool(&dir, ["init", "1", "--base", "nowhere"]).fails(128).says("not a valid object name");
    sandbox.pool(&dir, ["init", "x"]).fails(129);
    sandbox.pool(&dir, ["fill"]).fails(128).says("pool.size is not set");
    sandbox.git(&dir, ["config", "pool.worktreeFormat", "../slot"]).ok();
    sandbox.pool(&dir, ["init", "1"]).fails(128).says("holds no {n}");
    let empty = sandbox.init_empty("empty", &[]);
    sandbox.pool(&empty, ["init", "1"]).fails(128).says("does not have any commits yet");
    assert_eq!(states(&sandbox, &dir), "");
}

#[test]
fn a_directory_of_somebody_else_is_passed_over() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(sandbox.path("repo-worktrees/pool-1"), "mine", "mine\n");
    sandbox.pool(&dir, ["init", "1"]).ok();
    assert_eq!(states(&sandbox, &dir), "2 idle\n");
    assert!(sandbox.path("repo-worktrees/pool-1/mine").exists());
}

#[test]
fn setup_runs_once_for_each_slot_and_needs_trust() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, ".gitignore", "/built\n.env\n");
    sandbox.write(
        &dir,
        ".config/git-parallel.toml",
        "[setup]\ncopy = [\".env\"]\nrun = [\"cat .env >> built; echo set up in $GIT_TASK_PATH >&2\"]\n",
    );
    sandbox.git(&dir, ["add", "."]).ok();
    sandbox.git(&dir, ["commit", "-q", "-m", "Team"]).ok();
    sandbox.write(&dir, ".env", "one\n");
    sandbox.pool(&dir, ["init", "1"]).fails(128).says("not trusted");
    assert_eq!(states(&sandbox, &dir), "");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    sandbox.pool(&dir, ["init", "1"]).ok().says("repo-worktrees/pool-1");
    let path = sandbox.path("repo-worktrees/pool-1");
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
    assert_eq!((read("built"), read(".env")), ("one\n".into(), String::new()));
    // At each claim the file as it is then.
    sandbox.write(&dir, ".env", "two\n");
    assert_eq!(claim(&sandbox, &dir, &["x"]), path);
    assert_eq!((read("built"), read(".env")), ("one\n".into(), "two\n".into()));
    sandbox.pool(&dir, ["release", "x"]).ok().does_not_say("restore");
    assert_eq!((read("built"), read(".env")), ("one\n".into(), String::new()));
}

#[test]
fn a_setup_that_fails_leaves_the_others() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(
        &dir,
        ".config/git-parallel.toml",
        "[setup]\nrun = [\"case $GIT_TASK_PATH in *-2) exit 3;; esac\"]\n",
    );
    sandbox.git(&dir, ["add", "."]).ok();
    sandbox.git(&dir, ["commit", "-q", "-m", "Team"]).ok();
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    let run = sandbox.pool(&dir, ["init", "3"]).fails(1);
    run.assert_one_error();
    assert!(run.stderr.contains("error: slot 2 was not made"), "{run}");
    assert_eq!(states(&sandbox, &dir), "1 idle\n3 idle\n");
    assert!(!sandbox.path("repo-worktrees/pool-2").exists());
    assert_sound(&sandbox, &dir);
}

#[test]
fn fill_brings_idle_slots_up_to_the_base_and_makes_what_lacks() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let held = claim(&sandbox, &dir, &["x"]);
    let old = sandbox.commit_id(&held, "HEAD");
    let new = sandbox.commit(&dir, "more", "more\n", "More");
    assert_eq!(key(&sandbox, &dir, "2", "behind"), "1");
    sandbox.pool(&dir, ["fill"]).ok().prints("");
    assert_eq!(states(&sandbox, &dir), "1 claimed\n2 idle\n3 idle\n");
    assert_eq!(sandbox.commit_id(&held, "HEAD"), old, "what is held stays as it is");
    for n in [2, 3] {
        let path = sandbox.path(format!("repo-worktrees/pool-{n}"));
        assert_eq!(sandbox.commit_id(&path, "HEAD"), new);
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        assert!(path.join("more").exists());
    }
    assert_eq!(key(&sandbox, &dir, "2", "behind"), "0");
    sandbox.pool(&dir, ["fill", "4"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 claimed\n2 idle\n3 idle\n4 idle\n5 idle\n");
}

#[test]
fn the_list_says_who_has_what() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 3);
    claim(&sandbox, &dir, &["x"]);
    let second = claim(&sandbox, &dir, &["--holder", "ci \u{1b}[31m", "--ttl", "1h"]);
    sandbox.write(&second, "new", "new\n");
    let table = sandbox.pool(&dir, [""; 0]).ok().stdout;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].contains("SLOT  STATE"), "{table}");
    assert!(lines[1].contains("claimed  task x"), "{table}");
    assert!(lines[2].contains("ci \\x1b[31m") && lines[2].contains("in 60 minutes"), "{table}");
    assert!(lines[3].contains("idle"), "{table}");
    let listed = sandbox.pool(&dir, ["list", "--porcelain", "-z"]).ok();
    let records: Vec<_> = listed.stdout.split("\0\0").collect();
    let expires = format!("expires {}", NOW + 3600);
    for field in
        ["slot 2", "state claimed", "holder ci \u{1b}[31m", &expires, "base refs/heads/main", "dirty 1"]
    {
        assert!(records[1].split('\0').any(|f| f == field), "{field} in {:?}", records[1]);
    }
    assert!(records[0].contains("\0task x\0"), "{records:?}");
    let json = sandbox.pool(&dir, ["list", "--json", "--disk"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["since"], NOW);
    assert!(json[2]["disk"].as_i64().unwrap() > 0 && json[2]["lease"].is_null(), "{json}");
    sandbox.pool(&dir, ["list", "--format=%(nope)"]).fails(128).says("unknown field name: nope");
    // From within, and the mark of where one is.
    let here = sandbox.pool(second.join("src/deep"), ["list"]).ok().stdout;
    assert!(here.lines().any(|l| l.starts_with("*  2 ")), "{here}");
    let task = sandbox.task(&dir, ["list", "--format=%(task) %(slot)"]).ok();
    task.prints("x 1\n");
}

#[test]
fn drain_removes_what_is_idle_and_says_what_stays() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 4);
    let first = claim(&sandbox, &dir, &["--holder", "me"]);
    sandbox.pool(&dir, ["drain", "1"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 claimed\n2 idle\n3 idle\n");
    assert!(!sandbox.path("repo-worktrees/pool-4").exists());
    // Work in an idle slot is not drained away.
    sandbox.write(sandbox.path("repo-worktrees/pool-2"), "src/deep/work", "work\n");
    sandbox.write(sandbox.path("repo-worktrees/pool-2"), "work", "work\n");
    let run = sandbox.pool(&dir, ["drain"]).fails(1);
    assert!(run.stderr.contains("slot 2 stays"), "{run}");
    assert!(run.stderr.contains("slot 1 stays: it is claimed by me"), "{run}");
    assert!(sandbox.path("repo-worktrees/pool-2/work").exists() && first.exists());
    sandbox.sh(sandbox.path("repo-worktrees/pool-2"), "rm work src/deep/work").ok();
    sandbox.pool(&dir, ["release", "1"]).ok();
    sandbox.pool(&dir, ["drain"]).ok();
    assert_eq!(states(&sandbox, &dir), "");
    sandbox.git(&dir, ["config", "--get-regexp", r"^pool\.[0-9]"]).fails(1);
    assert_eq!(sandbox.git(&dir, ["worktree", "list"]).ok().stdout.lines().count(), 1);
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_lease_is_renewed_only_by_who_has_it() {
    let mut sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &["--ttl", "60"]);
    let lease = key(&sandbox, &dir, "1", "lease");
    assert_eq!(lease.len(), 16);
    sandbox.set_now(NOW + 50);
    sandbox.pool(&path, ["renew", "--lease", "other"]).fails(1).says("does not hold");
    sandbox.pool(&path, ["renew", "--lease", &lease]).ok();
    assert_eq!(key(&sandbox, &dir, "1", "expires"), (NOW + 110).to_string());
    sandbox.pool(&dir, ["renew", "1", "--ttl", "2h"]).ok();
    assert_eq!(key(&sandbox, &dir, "1", "expires"), (NOW + 50 + 7200).to_string());
    sandbox.pool(&dir, ["renew"]).fails(129).says("which slot?");
    sandbox.pool(&dir, ["release", "1"]).ok();
    sandbox.pool(&dir, ["renew", "1"]).fails(1).says("nobody holds it");
    sandbox.pool(&dir, ["renew", "1", "--lease", &lease]).fails(1);
    sandbox.pool(&dir, ["renew", "nope"]).fails(128).says("is not a slot");
    // Who claims it next has another lease.
    claim(&sandbox, &dir, &[]);
    assert_ne!(key(&sandbox, &dir, "1", "lease"), lease);
}

#[test]
fn odd_repositories_have_pools_too() {
    for options in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        if options[0].contains("reftable") && git_under_test().version < (2, 45) {
            continue;
        }
        let sandbox = Sandbox::new();
        let dir = sandbox.init_with("re po\n", options);
        sandbox.pool(&dir, ["init", "2"]).ok();
        let path = claim(&sandbox, &dir, &["x"]);
        sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
        sandbox.commit(&path, "x", "x\n", "X");
        sandbox.commit(&dir, "base", "base\n", "Base");
        sandbox.pool(&path, ["release"]).ok();
        sandbox.git(&path, ["symbolic-ref", "-q", "HEAD"]).fails(1);
        assert_eq!(sandbox.commit_id(&path, "HEAD"), sandbox.commit_id(&dir, "main"));
        // The other one is nearer now.
        let path = claim(&sandbox, &dir, &["x"]);
        assert!(path.ends_with("pool-2"));
        sandbox.git(&path, ["log", "-n1", "--format=%s"]).ok().prints("X\n");
        let other = claim(&sandbox, &dir, &[]);
        sandbox.pool(&other, ["release"]).ok();
        assert_eq!(states(&sandbox, &dir), "1 idle\n2 claimed\n");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn a_bare_repository_has_a_pool_too() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let bare = sandbox.publish(&dir).bare;
    sandbox.pool(&bare, ["init", "1"]).ok();
    let path = claim(&sandbox, &bare, &["x", "--base", "main"]);
    sandbox.sh(&path, "echo later >> notes/x/status.md").ok();
    sandbox.pool(&path, ["release"]).ok();
    assert!(!path.join("notes").exists());
    // Nowhere else is a place for the note.
    assert_eq!(claim(&sandbox, &path, &["x"]), path);
    let note = std::fs::read_to_string(path.join("notes/x/status.md")).unwrap();
    assert!(note.ends_with("later\n"), "{note}");
}

#[test]
fn a_slot_that_somebody_is_still_in_is_not_drained() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 3);
    let paths = [1, 2, 3].map(|n| sandbox.path(format!("repo-worktrees/pool-{n}")));
    sandbox.pool(&dir, ["claim", "--no-refill", "x"]).ok();
    let mut inside = sandbox.command(paths[1].join("src/deep"), "sleep").arg("600").spawn().unwrap();
    let still = format!("process {} is still in it", inside.id());
    assert_eq!(key(&sandbox, &dir, "2", "reason"), still);
    assert_eq!(key(&sandbox, &dir, "2", "state"), "idle");
    let run = sandbox.pool(paths[2].join("src"), ["drain"]).fails(1);
    assert!(run.stderr.contains(&format!("slot 2 stays: process {} is in it", inside.id())), "{run}");
    assert!(run.stderr.contains("slot 3 stays: you are in it"), "{run}");
    assert!(run.stderr.contains("slot 1 stays: it is claimed by task x"), "{run}");
    assert!(paths.iter().all(|path| path.join("src/deep").exists()));
    // Another one goes first.
    sandbox.pool(&dir, ["drain", "1"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 claimed\n2 idle\n");
    inside.kill().unwrap();
    inside.wait().unwrap();
    sandbox.pool(&dir, ["drain", "1"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 claimed\n");
    assert_sound(&sandbox, &dir);
}
