//! A pool command killed at any change that it makes: no slot is lost, no work is, and the next command settles it.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::crash::{SAMPLE, VICTIMS, as_git_advises, settled, usable};
use crate::pool::{claim, states, with_pool};
use crate::support::*;

thread_local! {
    static SWEPT: Cell<usize> = const { Cell::new(0) };
}

fn command(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Command {
    let mut command = sandbox.command(dir, args[0]);
    command.args(&args[1..]);
    command
}

/// Kills at many points, from what `prepare` makes. Afterwards `check` finds that all is settled.
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
                sandbox.pool(&dir, ["list"]).ok();
                check(&sandbox, &dir);
                settled(&sandbox, &dir);
                sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
                let listed = states(&sandbox, &dir);
                assert!(!listed.contains("broken") && !listed.contains("preparing"), "{listed}");
            },
        );
    }
    say(&format!("{}: killed at {} points", args.join(" "), SWEPT.get()));
}

/// Every slot is where it should be, and can be claimed and given back.
#[track_caller]
fn all_work(sandbox: &Sandbox, dir: &Path) {
    sandbox.pool(dir, ["repair"]).ok().does_not_say("warning");
    let idle = states(sandbox, dir).matches("idle").count();
    let paths: Vec<_> = (0..idle).map(|_| claim(sandbox, dir, &[])).collect();
    for path in paths {
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        sandbox.pool(&path, ["release"]).ok();
    }
    sandbox.git(dir, ["for-each-ref", "refs/task-trash/slot-*"]).ok().prints("");
}

/// The base has moved, so that a claim writes, removes and changes files.
#[track_caller]
fn behind(sandbox: &Sandbox) -> PathBuf {
    let dir = with_pool(sandbox, 2);
    for n in 0..5 {
        sandbox.write(&dir, format!("new/{n}"), "x\n".repeat(3000));
    }
    sandbox.git(&dir, ["add", "."]).ok();
    sandbox.git(&dir, ["rm", "-q", "src/deep/file"]).ok();
    sandbox.commit(&dir, "README", "changed\n", "Change");
    sandbox.git(&dir, ["commit", "-q", "-a", "-m", "Rest"]).ok();
    dir
}

fn with_task(sandbox: &Sandbox) -> PathBuf {
    let dir = with_pool(sandbox, 2);
    let path = claim(sandbox, &dir, &["x"]);
    sandbox.task(&path, ["note", "--goal", "Get it done"]).ok();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    dir
}

fn with_dirty_task(sandbox: &Sandbox) -> PathBuf {
    let dir = with_task(sandbox);
    let path = sandbox.path("repo-worktrees/pool-1");
    sandbox.write(&path, "README", "changed\n");
    sandbox.write(&path, "untracked", "untracked\n");
    dir
}

/// What [`with_dirty_task`] made is in its slot, or comes back.
#[track_caller]
fn work_is_there(sandbox: &Sandbox, dir: &Path) {
    let path = sandbox.task(dir, ["path", "x"]);
    let path = if path.code == 0 { path.path() } else { sandbox.task(dir, ["restore", "x"]).ok().path() };
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints(" M README\n?? untracked\n");
    sandbox.git(&path, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
    assert!(sandbox.task(&path, ["note"]).ok().stdout.contains("Get it done"));
}

#[test]
fn init() {
    sweep(Sandbox::init, &["git-pool", "init", "2"], |sandbox, dir| {
        sandbox.pool(dir, ["init", "2"]).ok();
        assert_eq!(states(sandbox, dir), "1 idle\n2 idle\n");
        all_work(sandbox, dir);
    });
}

#[test]
fn fill() {
    sweep(behind, &["git-pool", "fill", "3"], |sandbox, dir| {
        sandbox.pool(dir, ["fill", "3"]).ok().does_not_say("broken");
        assert_eq!(states(sandbox, dir), "1 idle\n2 idle\n3 idle\n");
        all_work(sandbox, dir);
    });
}

#[test]
fn claim_without_a_task() {
    sweep(behind, &["git-pool", "claim", "--no-refill"], |sandbox, dir| {
        all_work(sandbox, dir);
        let listed = states(sandbox, dir);
        assert!(["1 idle\n2 idle\n", "1 claimed\n2 idle\n"].contains(&listed.as_str()), "{listed}");
    });
}

#[test]
fn claim_with_a_task() {
    sweep(behind, &["git-pool", "claim", "x", "--no-refill"], |sandbox, dir| {
        let again = sandbox.pool(dir, ["claim", "x", "--no-refill"]);
        assert!(again.code == 0 || again.stderr.contains("has a worktree already"), "{again}");
        all_work(sandbox, dir);
        let path = sandbox.task(dir, ["path", "x"]).ok().path();
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
        sandbox.task(dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    });
}

#[test]
fn claim_with_a_task_then_repair() {
    sweep(behind, &["git-pool", "claim", "x", "--no-refill"], |sandbox, dir| {
        sandbox.pool(dir, ["repair"]).ok();
        let there = sandbox.task(dir, ["path", "x"]).code == 0;
        assert_eq!(states(sandbox, dir).contains("claimed"), there);
        assert_eq!(sandbox.git(dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).code == 0, there);
        assert_eq!(dir.join("notes/x/status.md").exists(), there);
        all_work(sandbox, dir);
    });
}

#[test]
fn add_into_a_slot() {
    let prepare = |sandbox: &Sandbox| {
        let dir = behind(sandbox);
        // A refill would go on after the kill.
        sandbox.git(&dir, ["config", "pool.size", "0"]).ok();
        dir
    };
    sweep(prepare, &["git-task", "add", "x"], |sandbox, dir| {
        let again = sandbox.task(dir, ["add", "x"]);
        assert!(again.code == 0 || again.stderr.contains("already exists"), "{again}");
        assert!(sandbox.task(dir, ["path", "x"]).ok().path().starts_with(sandbox.path("repo-worktrees")));
        all_work(sandbox, dir);
    });
}

#[test]
fn claim_of_a_parked_task() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.pool(&dir, ["release", "x"]).ok();
        dir
    };
    sweep(prepare, &["git-pool", "claim", "x", "--no-refill"], |sandbox, dir| {
        sandbox.pool(dir, ["repair"]).ok();
        if sandbox.task(dir, ["path", "x"]).code != 0 {
            assert_eq!(states(sandbox, dir), "1 idle\n2 idle\n");
            claim(sandbox, dir, &["x"]);
        }
        let path = sandbox.task(dir, ["path", "x"]).ok().path();
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        sandbox.git(&path, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
        assert!(sandbox.task(&path, ["note"]).ok().stdout.contains("Get it done"));
        all_work(sandbox, dir);
    });
}

#[test]
fn release() {
    sweep(with_task, &["git-pool", "release", "x"], |sandbox, dir| {
        sandbox.pool(dir, ["repair"]).ok();
        if states(sandbox, dir) == "1 claimed\n2 idle\n" {
            let path = sandbox.task(dir, ["path", "x"]).ok().path();
            assert!(sandbox.task(&path, ["note"]).ok().stdout.contains("Get it done"));
            sandbox.pool(dir, ["release", "x"]).ok();
        }
        assert_eq!(states(sandbox, dir), "1 idle\n2 idle\n");
        let note = std::fs::read_to_string(dir.join("notes/x/status.md")).unwrap();
        assert!(note.contains("Get it done"), "{note}");
        sandbox.git(dir, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
        all_work(sandbox, dir);
    });
}

#[test]
fn release_with_work() {
    sweep(with_dirty_task, &["git-pool", "release", "-f", "x"], |sandbox, dir| {
        sandbox.pool(dir, ["repair"]).ok();
        sandbox.task(dir, ["list"]).ok();
        work_is_there(sandbox, dir);
        all_work(sandbox, dir);
    });
}

#[test]
fn release_without_a_task() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_pool(sandbox, 1);
        let path = claim(sandbox, &dir, &[]);
        sandbox.commit(&path, "mine", "mine\n", "Mine");
        sandbox.write(&path, "untracked", "untracked\n");
        dir
    };
    sweep(prepare, &["git-pool", "release", "-f", "1"], |sandbox, dir| {
        sandbox.pool(dir, ["repair"]).ok();
        if states(sandbox, dir) == "1 claimed\n" {
            sandbox.pool(dir, ["release", "-f", "1"]).ok();
        }
        assert_eq!(states(sandbox, dir), "1 idle\n");
        let back = sandbox.task(dir, ["restore", "slot-1"]).ok().path();
        sandbox.git(&back, ["log", "-n1", "--format=%s"]).ok().prints("Mine\n");
        sandbox.git(&back, ["status", "--porcelain"]).ok().prints("?? untracked\n");
    });
}

#[test]
fn rm_of_a_task_in_a_slot() {
    sweep(with_dirty_task, &["git-task", "rm", "-f", "x"], |sandbox, dir| {
        sandbox.task(dir, ["repair"]).ok();
        work_is_there(sandbox, dir);
        all_work(sandbox, dir);
    });
}

#[test]
fn renew() {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_pool(sandbox, 1);
        claim(sandbox, &dir, &["--ttl", "60"]);
        dir
    };
    sweep(prepare, &["git-pool", "renew", "1", "--ttl", "120"], |sandbox, dir| {
        sandbox.pool(dir, ["renew", "1", "--ttl", "120"]).ok();
        assert_eq!(crate::pool::key(sandbox, dir, "1", "expires"), (NOW + 120).to_string());
    });
}

#[test]
fn drain() {
    let prepare = |sandbox: &Sandbox| with_pool(sandbox, 2);
    sweep(prepare, &["git-pool", "drain"], |sandbox, dir| {
        sandbox.pool(dir, ["repair"]).ok();
        all_work(sandbox, dir);
        sandbox.pool(dir, ["drain"]).ok();
        assert_eq!(states(sandbox, dir), "");
        assert!(!sandbox.path("repo-worktrees/pool-1").exists());
        assert_eq!(sandbox.git(dir, ["worktree", "list"]).ok().stdout.lines().count(), 1);
    });
}

#[test]
fn a_full_disk_takes_nothing() {
    type Prepare = fn(&Sandbox) -> PathBuf;
    let cases: [(&[&str], Prepare); 4] = [
        (&["git-pool", "init", "2"], Sandbox::init),
        (&["git-pool", "claim", "y", "--no-refill"], behind),
        (&["git-pool", "release", "x"], with_task),
        (&["git-pool", "release", "-f", "x"], with_dirty_task),
    ];
    for (args, prepare) in cases {
        let sandbox = Sandbox::new();
        let dir = prepare(&sandbox);
        disk_full_from_every(
            &sandbox,
            SAMPLE,
            || command(&sandbox, &dir, args),
            |_| {
                usable(&sandbox, &dir);
                sandbox.pool(&dir, ["repair"]).ok();
                if args.contains(&"-f") {
                    work_is_there(&sandbox, &dir);
                }
                all_work(&sandbox, &dir);
                settled(&sandbox, &dir);
            },
        );
    }
}
