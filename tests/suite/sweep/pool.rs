//! The commands of `git pool`, and those of `git task` that work in a slot.

use std::path::{Path, PathBuf};

use super::{Case, sweeps};
use crate::pool::{claim, key, states, with_pool};
use crate::support::*;

sweeps! {
    init fill claim_without_a_task claim_with_a_task add_into_a_slot claim_of_a_parked_task release release_with_work
    release_without_a_task rm_of_a_task_in_a_slot renew drain repair
}

/// Every idle slot can be claimed and given back.
#[track_caller]
fn all_work(sandbox: &Sandbox, dir: &Path) {
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

/// The task is at work in a slot, clean.
#[track_caller]
fn is_seated(sandbox: &Sandbox, dir: &Path) {
    let path = sandbox.task(dir, ["path", "x"]).ok().path();
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
    sandbox.task(dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    assert!(path.join("notes/x/status.md").exists());
}

#[track_caller]
fn has_note(dir: &Path) {
    let note = std::fs::read_to_string(dir.join("notes/x/status.md")).unwrap();
    assert!(note.contains("Get it done"), "{note}");
}

/// Brings the work of [`with_dirty_task`] back, and sees that it is whole; then says the same again.
#[track_caller]
fn bring_back(sandbox: &Sandbox, dir: &Path, case: &Case) {
    super::the_same(sandbox, dir, case);
    let path = sandbox.task(dir, ["restore", "x"]).ok().path();
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints(" M README\n?? untracked\n");
    sandbox.git(&path, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
    assert!(sandbox.task(&path, ["note"]).ok().stdout.contains("Get it done"));
    sandbox.task(dir, ["rm", "-f", "x"]).ok();
    sandbox.task(dir, ["prune"]).ok();
}

fn init() -> Case {
    Case::new(Sandbox::init, &["git-pool", "init", "2"], |sandbox, dir| {
        // A number whose place can't be looked at is passed over.
        let listed = states(sandbox, dir);
        assert!(
            listed.lines().count() == 2 && listed.lines().all(|line| line.ends_with(" idle")),
            "{listed}"
        );
        all_work(sandbox, dir);
    })
}

fn fill() -> Case {
    Case::new(behind, &["git-pool", "fill", "3"], |sandbox, dir| {
        // What a fault made of one is set aside until repair, and another made instead.
        let behind = sandbox.pool(dir, ["list", "--format=%(state) %(behind)"]).ok();
        let current = behind.stdout.lines().filter(|line| ["idle ", "idle 0"].contains(line));
        assert!(current.count() >= 3, "{behind}");
        all_work(sandbox, dir);
    })
}

fn claim_without_a_task() -> Case {
    Case::new(behind, &["git-pool", "claim", "--no-refill"], |sandbox, dir| {
        let listed = states(sandbox, dir);
        // What a fault made of one is set aside until repair, and another made instead.
        assert!(listed.contains("claimed") && [2, 3].contains(&listed.lines().count()), "{listed}");
        all_work(sandbox, dir);
    })
}

fn claim_with_a_task() -> Case {
    let case = Case::new(behind, &["git-pool", "claim", "x", "--no-refill"], |sandbox, dir| {
        is_seated(sandbox, dir);
        assert_eq!(states(sandbox, dir).matches("claimed").count(), 1);
        all_work(sandbox, dir);
    });
    Case { again: super::task::the_same_and_furnished, ..case.done(&["has a worktree already"]) }
}

fn add_into_a_slot() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = behind(sandbox);
        // A refill would go on after the fault.
        sandbox.git(&dir, ["config", "pool.size", "0"]).ok();
        dir
    };
    let case = Case::new(prepare, &["git-task", "add", "x"], |sandbox, dir| {
        is_seated(sandbox, dir);
        all_work(sandbox, dir);
    });
    Case { again: super::task::the_same_and_furnished, ..case.done(&["already exists"]) }
}

fn claim_of_a_parked_task() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.pool(&dir, ["release", "x"]).ok();
        dir
    };
    Case::new(prepare, &["git-pool", "claim", "x", "--no-refill"], |sandbox, dir| {
        is_seated(sandbox, dir);
        has_note(dir);
        sandbox.git(dir, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
        all_work(sandbox, dir);
    })
    .done(&["has a worktree already"])
}

fn release() -> Case {
    Case::new(with_task, &["git-pool", "release", "x"], |sandbox, dir| {
        assert_eq!(states(sandbox, dir), "1 idle\n2 idle\n");
        has_note(dir);
        sandbox.git(dir, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
        all_work(sandbox, dir);
    })
    .done(&["is not a slot"])
}

fn release_with_work() -> Case {
    Case {
        again: bring_back,
        ..Case::new(with_dirty_task, &["git-pool", "release", "-f", "x"], |sandbox, dir| {
            assert_eq!(states(sandbox, dir), "1 idle\n2 idle\n");
            all_work(sandbox, dir);
        })
        .done(&["is not a slot"])
    }
}

fn release_without_a_task() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_pool(sandbox, 1);
        let path = claim(sandbox, &dir, &[]);
        sandbox.commit(&path, "mine", "mine\n", "Mine");
        sandbox.write(&path, "untracked", "untracked\n");
        dir
    };
    Case::new(prepare, &["git-pool", "release", "-f", "1"], |sandbox, dir| {
        assert_eq!(states(sandbox, dir), "1 idle\n");
        let refs = sandbox.git(dir, ["for-each-ref", "--format=%(refname)", "refs/task-trash"]).ok();
        assert!(refs.stdout.contains("refs/task-trash/slot-1/"), "{refs}");
    })
    .done(&["nobody holds it"])
}

fn rm_of_a_task_in_a_slot() -> Case {
    Case {
        again: bring_back,
        ..Case::new(with_dirty_task, &["git-task", "rm", "-f", "x"], |sandbox, dir| {
            assert_eq!(states(sandbox, dir), "1 idle\n2 idle\n");
            all_work(sandbox, dir);
        })
        .done(&["is dropped already"])
    }
}

fn renew() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_pool(sandbox, 1);
        claim(sandbox, &dir, &["--ttl", "60"]);
        dir
    };
    Case::new(prepare, &["git-pool", "renew", "1", "--ttl", "120"], |sandbox, dir| {
        assert_eq!(key(sandbox, dir, "1", "expires"), (NOW + 120).to_string());
    })
}

fn drain() -> Case {
    Case::new(
        |sandbox| with_pool(sandbox, 2),
        &["git-pool", "drain"],
        |sandbox, dir| {
            assert_eq!(states(sandbox, dir), "");
            assert!(!sandbox.path("repo-worktrees/pool-1").exists());
            assert_eq!(sandbox.git(dir, ["worktree", "list"]).ok().stdout.lines().count(), 1);
        },
    )
}

fn repair() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_pool(sandbox, 3);
        std::fs::remove_dir_all(sandbox.path("repo-worktrees/pool-1")).unwrap();
        std::fs::rename(sandbox.path("repo-worktrees/pool-2"), sandbox.path("repo-worktrees/moved")).unwrap();
        dir
    };
    Case::new(prepare, &["git-pool", "repair"], |sandbox, dir| {
        assert!(!states(sandbox, dir).contains("broken"));
        all_work(sandbox, dir);
    })
}
