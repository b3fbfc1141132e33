//! `git task prune`: what was removed is forgotten in time, and not before.

use std::path::PathBuf;

use crate::support::*;

const DAY: u64 = 24 * 60 * 60;

/// A task `x` with uncommitted work, removed at [`NOW`].
#[track_caller]
fn removed(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.write(&path, "untracked", "1\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    dir
}

#[test]
fn thirty_days_unless_configured() {
    let mut sandbox = Sandbox::new();
    let dir = removed(&sandbox);
    sandbox.task(&dir, ["prune"]).ok().prints("");
    sandbox.set_now(NOW + 30 * DAY);
    sandbox.task(&dir, ["prune"]).ok().prints("");
    sandbox.set_now(NOW + 30 * DAY + 1);
    let run = sandbox.task(&dir, ["prune", "-n"]).ok();
    assert!(run.stdout.contains("refs/task-trash/x/1"), "{run}");
    assert!(sandbox.refs(&dir).contains("refs/task-trash/x/1"));
    sandbox.git(&dir, ["config", "task.trashExpire", "40d"]).ok();
    sandbox.task(&dir, ["prune"]).ok().prints("");
    sandbox.git(&dir, ["config", "task.trashExpire", "2d"]).ok();
    sandbox.task(&dir, ["prune"]).ok();
    assert!(!sandbox.refs(&dir).contains("task-trash"));
    sandbox.task(&dir, ["restore", "x"]).fails(128);
    assert_sound(&sandbox, &dir);
}

#[test]
fn other_times() {
    for (expire, goes) in [
        ("now", true),
        ("never", false),
        ("1h", false),
        ("2024-12-31", false),
        ("2025-01-02", true),
        ("2.days.ago", false),
    ] {
        let sandbox = Sandbox::new();
        let dir = removed(&sandbox);
        sandbox.task(&dir, ["prune", "--expire", expire]).ok();
        assert_eq!(!sandbox.refs(&dir).contains("task-trash"), goes, "--expire {expire}");
    }
    let sandbox = Sandbox::new();
    let dir = removed(&sandbox);
    sandbox.task(&dir, ["prune", "--expire", "soonish"]).fails(128);
    assert!(sandbox.refs(&dir).contains("task-trash"));
}

#[test]
fn the_name_stays_used_and_metadata_goes() {
    let sandbox = Sandbox::new();
    let dir = removed(&sandbox);
    sandbox.task(&dir, ["prune", "--expire=now"]).ok();
    sandbox.git(&dir, ["config", "--get-regexp", "^task\\."]).fails(1);
    sandbox.task(&dir, ["add", "x"]).fails(128).says("used before");
    sandbox.task(&dir, ["add", "X"]).fails(128).says("used before");
    sandbox.task(&dir, ["add", "x", "--reuse"]).ok();
}

#[test]
fn a_live_task_keeps_its_metadata() {
    let sandbox = Sandbox::new();
    let dir = removed(&sandbox);
    let path = sandbox.task(&dir, ["restore", "x"]).ok().path();
    sandbox.task(&dir, ["prune", "--expire=now"]).ok();
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    assert!(path.join("untracked").exists());
}

#[test]
fn kept_directories_go_with_what_says_where_they_are() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let inner = sandbox.init_with("repo-worktrees/x/inner", &[]);
    sandbox.commit(&inner, "f", "1\n", "Only here");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    let kept = sandbox.path("repo-worktrees/.x.kept-1");
    assert!(!path.exists() && kept.exists());
    sandbox.task(&dir, ["prune"]).ok();
    assert!(kept.exists());
    let run = sandbox.task(&dir, ["prune", "-n", "--expire=now"]).ok();
    assert!(run.stdout.contains(".x.kept-1") && kept.exists(), "{run}");
    sandbox.task(&dir, ["prune", "--expire=now"]).ok();
    assert!(!kept.exists());
    assert_eq!(sandbox.git(&dir, ["worktree", "list"]).ok().stdout.lines().count(), 1);
    assert_sound(&sandbox, &dir);
}
