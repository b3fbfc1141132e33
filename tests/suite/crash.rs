//! A command killed at any change that it makes: nothing is lost, and the next command settles it.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

/// How many points a run without `GIT_PARALLEL_ALL_POINTS` tries for each command and victim.
pub const SAMPLE: Points = Points::AtMost(7);

/// Both ways to die: the command alone, or with all that it has started.
pub const VICTIMS: [Victim; 2] = [Victim::Ours, Victim::All];

thread_local! {
    static SWEPT: Cell<usize> = const { Cell::new(0) };
}

/// Kills `args` at many points, with both victims, from what `prepare` makes.
#[track_caller]
fn sweep(prepare: impl Fn(&Sandbox) -> PathBuf, args: &[&str], check: impl Fn(&Sandbox, &Path)) {
    SWEPT.set(0);
    for victim in VICTIMS {
        let sandbox = Sandbox::new();
        let dir = prepare(&sandbox);
        killed_at_every(
            &sandbox,
            victim,
            SAMPLE,
            || command(&sandbox, &dir, args),
            |_| {
                SWEPT.set(SWEPT.get() + 1);
                if matches!(victim, Victim::All) {
                    as_git_advises(&sandbox, &dir);
                }
                usable(&sandbox, &dir);
                check(&sandbox, &dir);
                settled(&sandbox, &dir);
            },
        );
    }
    say(&format!("{}: killed at {} points", args.join(" "), SWEPT.get()));
}

fn command(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Command {
    let mut command = sandbox.command(dir, "git-task");
    command.args(args);
    command
}

/// git that is killed itself leaves its locks, and says that a person has to remove them. The one of the
/// configuration may be ours, and then it is ours to remove.
#[track_caller]
pub fn as_git_advises(sandbox: &Sandbox, dir: &Path) {
    sandbox.run(dir, "find", [".git", "-name", "*.lock", "-links", "1", "-delete"]).ok();
}

/// Right after the kill: what only looks works.
#[track_caller]
pub fn usable(sandbox: &Sandbox, dir: &Path) {
    let fsck = sandbox.git(dir, ["fsck", "--full", "--no-dangling", "--no-progress"]);
    // A `git worktree add` that was killed leaves a HEAD of zeroes; `repair` takes all of it away.
    let half_made =
        |line: &&str| line.starts_with("error: worktrees/") && line.ends_with("points at nothing");
    // So does a `git branch -m`, until `rename` is resumed.
    let turning = |line: &&str| line.starts_with("notice: ") && line.contains("points to an unborn branch");
    let unread = |line: &&str| line.starts_with("fatal: failed to read") && line.contains("/commondir: ");
    let known = |line: &&str| half_made(line) || turning(line) || unread(line);
    let bad: Vec<_> = fsck.stderr.lines().filter(|line| !known(line)).collect();
    assert!(bad.is_empty() && (fsck.code == 0 || !fsck.stderr.is_empty()), "{fsck}");
    sandbox.task(dir, ["list", "--all"]).ok();
    sandbox.git(dir, ["config", "--list"]).ok();
}

/// After `repair` nothing is half done, and a second one finds nothing.
#[track_caller]
pub fn settled(sandbox: &Sandbox, dir: &Path) {
    sandbox.task(dir, ["repair"]).ok();
    sandbox.task(dir, ["repair", "-n"]).ok().prints("");
    sandbox.task(dir, ["prune"]).ok();
    assert_sound(sandbox, dir);
    let intents = dir.join(".git/git-parallel/intents");
    let left: Vec<_> = std::fs::read_dir(intents).into_iter().flatten().flatten().map(|e| e.path()).collect();
    assert!(left.is_empty(), "intents: {left:?}");
    for line in sandbox.git(dir, ["worktree", "list", "--porcelain"]).ok().stdout.lines() {
        assert!(!line.starts_with("prunable"), "a worktree that is gone is still known: {line}");
        if let Some(path) = line.strip_prefix("worktree ") {
            sandbox.git(path, ["status", "--porcelain"]).ok();
        }
    }
    let hidden = [
        "-path",
        "*/.git",
        "-prune",
        "-o",
        "(",
        "-name",
        ".*.tmp*",
        "-o",
        "-name",
        ".*.removed-*",
        ")",
        "-print",
    ];
    sandbox.run(sandbox.path(""), "find", ["."].iter().chain(&hidden)).ok().prints("");
}

/// A task `x` with a commit and all kinds of uncommitted work.
#[track_caller]
fn with_dirty_task(sandbox: &Sandbox) -> PathBuf {
    let dir = with_task(sandbox);
    let path = sandbox.path("repo-worktrees/x");
    sandbox.write(&path, "README", "changed\n");
    sandbox.write(&path, "staged", "staged\n");
    sandbox.git(&path, ["add", "staged"]).ok();
    sandbox.write(&path, "untracked", "untracked\n");
    dir
}

/// A task `x` with a commit of its own and a note.
#[track_caller]
fn with_task(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--goal", "Get it done"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    dir
}

/// Removes `x`. `prune` goes on with what is being deleted in the background, and is there at its end.
#[track_caller]
fn remove(sandbox: &Sandbox, dir: &Path) {
    sandbox.task(dir, ["rm", "-f", "x"]).ok();
    sandbox.task(dir, ["prune"]).ok();
}

const DIRTY: &str = " M README\nA  staged\n?? untracked\n";

/// The task's work is in its place, or can be brought there.
#[track_caller]
fn work_is_there(sandbox: &Sandbox, dir: &Path, name: &str) {
    let path = sandbox.path(format!("repo-worktrees/{name}"));
    sandbox.task(dir, ["repair"]).ok();
    if !path.exists() {
        sandbox.task(dir, ["restore", name]).ok();
    }
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints(DIRTY);
    sandbox.git(&path, ["log", "-n1", "--format=%s", name]).ok().prints("Mine\n");
    assert_eq!(std::fs::read_to_string(path.join("untracked")).unwrap(), "untracked\n");
    let note = std::fs::read_to_string(path.join(format!("notes/{name}/status.md"))).unwrap();
    assert!(note.contains("Get it done"), "{note}");
}

fn exists(sandbox: &Sandbox, name: &str) -> bool {
    sandbox.path(format!("repo-worktrees/{name}")).exists()
}

#[test]
fn add() {
    sweep(Sandbox::init, &["add", "x"], |sandbox, dir| {
        let again = sandbox.task(dir, ["add", "x"]);
        assert!(again.code == 0 || again.stderr.contains("already exists"), "{again}");
        assert!(exists(sandbox, "x"));
        sandbox.task(dir, ["path", "x"]).ok();
        sandbox.git(sandbox.path("repo-worktrees/x"), ["status", "--porcelain"]).ok().prints("");
        sandbox.task(dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    });
}

#[test]
fn add_then_repair() {
    sweep(Sandbox::init, &["add", "x"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        let there = sandbox.task(dir, ["path", "x"]).code == 0;
        assert_eq!(exists(sandbox, "x"), there);
        assert_eq!(sandbox.git(dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).code == 0, there);
        assert_eq!(dir.join("notes/x/status.md").exists(), there);
    });
}

#[test]
fn add_from_a_plan() {
    let prepare = |sandbox: &Sandbox| {
        let dir = sandbox.init();
        sandbox.write(
            sandbox.path(""),
            "plan.toml",
            "[[task]]\nname = \"a\"\n[[task]]\nname = \"b\"\nafter = [\"a\"]\n",
        );
        dir
    };
    sweep(prepare, &["add", "--from", "../plan.toml"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        let listed = sandbox.task(dir, ["list", "--format=%(task)"]).ok().stdout;
        assert!(listed.is_empty() || listed == "a\nb\n", "all or none: {listed}");
        assert_eq!(exists(sandbox, "a"), exists(sandbox, "b"));
        if listed.is_empty() {
            assert!(!exists(sandbox, "a"));
            sandbox.task(dir, ["add", "--from", "../plan.toml"]).ok();
        }
    });
}

#[test]
fn ready() {
    sweep(with_task, &["ready", "x"], |sandbox, dir| {
        sandbox.task(dir, ["ready", "x"]).ok();
        sandbox.task(dir, ["list", "--format=%(state)"]).ok().prints("ready\n");
    });
}

#[test]
fn rm_of_what_is_elsewhere_too() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.git(&dir, ["merge", "-q", "--ff-only", "x"]).ok();
        dir
    };
    sweep(prepare, &["rm", "x"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        if exists(sandbox, "x") {
            sandbox.task(dir, ["rm", "x"]).ok();
        }
        sandbox.git(dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
        sandbox.task(dir, ["list", "--all", "--format=%(state)"]).ok().prints("integrated\n");
    });
}

#[test]
fn rm_of_uncommitted_work() {
    sweep(with_dirty_task, &["rm", "-f", "x"], |sandbox, dir| {
        work_is_there(sandbox, dir, "x");
    });
}

#[test]
fn rm_of_uncommitted_work_then_repair() {
    sweep(with_dirty_task, &["rm", "-f", "x"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        if exists(sandbox, "x") {
            sandbox.task(dir, ["rm", "-f", "x"]).ok();
        }
        sandbox.git(dir, ["reflog", "expire", "--expire=now", "--all"]).ok();
        sandbox.git(dir, ["gc", "--quiet", "--prune=now"]).ok();
        sandbox.task(dir, ["restore", "x"]).ok();
        work_is_there(sandbox, dir, "x");
    });
}

#[test]
fn restore() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_dirty_task(sandbox);
        remove(sandbox, &dir);
        dir
    };
    sweep(prepare, &["restore", "x"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        work_is_there(sandbox, dir, "x");
        sandbox.task(dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    });
}

#[test]
fn rename() {
    sweep(with_dirty_task, &["rename", "x", "y"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        let listed = sandbox.task(dir, ["list", "--format=%(task) %(branch)"]).ok().stdout;
        assert!(["x refs/heads/x\n", "y refs/heads/y\n"].contains(&listed.as_str()), "{listed}");
        let name = &listed[..1];
        let path = sandbox.task(dir, ["path", name]).ok().path();
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints(DIRTY);
        sandbox.task(&path, ["note"]).ok();
        if name == "x" {
            sandbox.task(dir, ["rename", "x", "y"]).ok();
        }
        let note = sandbox.task(dir, ["note", "y"]).ok().stdout;
        assert!(note.contains("Get it done"), "{note}");
        assert!(dir.join("notes/y/status.md").exists());
        assert!(dir.join("notes/x").symlink_metadata().is_err());
    });
}

#[test]
fn prune() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_dirty_task(sandbox);
        remove(sandbox, &dir);
        dir
    };
    sweep(prepare, &["prune", "--expire=now"], |sandbox, dir| {
        sandbox.task(dir, ["prune", "--expire=now"]).ok();
        assert!(!sandbox.refs(dir).contains("task-trash"));
        sandbox.task(dir, ["add", "x"]).fails(128).says("was used before");
    });
}

#[test]
fn repair() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_dirty_task(sandbox);
        for (name, branch) in [("gone", "gone"), ("named", "other")] {
            let path = sandbox.task(&dir, ["add", name]).ok().path();
            sandbox.commit(&path, name, "1\n", name);
            sandbox.git(&path, ["branch", "-m", branch]).ok();
        }
        std::fs::remove_dir_all(sandbox.path("repo-worktrees/gone")).unwrap();
        std::fs::rename(sandbox.path("repo-worktrees/x"), sandbox.path("repo-worktrees/moved")).unwrap();
        sandbox.git(&dir, ["config", "core.hooksPath", "/nonexistent/hooks"]).ok();
        dir
    };
    sweep(prepare, &["repair"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        let path = sandbox.task(dir, ["path", "x"]).ok().path();
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints(DIRTY);
        sandbox.git(dir, ["log", "-n1", "--format=%s", "gone"]).ok().prints("gone\n");
        let listed = sandbox.task(dir, ["list", "--format=%(branch)", "named"]).ok();
        listed.prints("refs/heads/other\n");
        sandbox.git(dir, ["config", "core.hooksPath"]).fails(1);
    });
}

#[test]
fn sync() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.commit(&dir, "base", "base\n", "Base");
        dir
    };
    sweep(prepare, &["sync", "x"], |sandbox, dir| {
        let path = sandbox.path("repo-worktrees/x");
        // git itself, killed in the middle of a merge, leaves locks that only a person may remove.
        sandbox.sh(dir, "find .git -name '*.lock' -delete").ok();
        sandbox.git(&path, ["log", "--format=%s", "x"]).ok();
        assert!(sandbox.git(&path, ["log", "--format=%s", "x"]).ok().stdout.contains("Mine\n"));
        sandbox.sh(&path, "git merge --abort 2>/dev/null || git reset -q --hard").ok();
        sandbox.sh(&path, "git clean -fdq").ok();
        sandbox.task(dir, ["sync", "x"]).ok();
        sandbox.git(&path, ["merge-base", "--is-ancestor", "main", "x"]).ok();
    });
}

#[test]
fn a_full_disk_takes_nothing() {
    type Prepare = fn(&Sandbox) -> PathBuf;
    let cases: [(&[&str], Prepare); 4] = [
        (&["add", "y"], with_dirty_task),
        (&["ready", "x"], |sandbox| {
            let dir = with_task(sandbox);
            sandbox.write(sandbox.path("repo-worktrees/x"), ".git-unrelated", "");
            std::fs::remove_file(sandbox.path("repo-worktrees/x/.git-unrelated")).unwrap();
            dir
        }),
        (&["rm", "-f", "x"], with_dirty_task),
        (&["restore", "x"], |sandbox| {
            let dir = with_dirty_task(sandbox);
            remove(sandbox, &dir);
            dir
        }),
    ];
    for (args, prepare) in cases {
        let sandbox = Sandbox::new();
        let dir = prepare(&sandbox);
        let dirty = args[0] != "ready";
        disk_full_from_every(
            &sandbox,
            SAMPLE,
            || command(&sandbox, &dir, args),
            |_| {
                usable(&sandbox, &dir);
                if dirty {
                    work_is_there(&sandbox, &dir, "x");
                }
                settled(&sandbox, &dir);
            },
        );
    }
}
