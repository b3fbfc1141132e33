//! The commands of `git task` that change tasks.

use std::path::{Path, PathBuf};

use super::{Case, sweeps};
use crate::support::*;

sweeps! {
    add add_from_a_plan ready block reopen note sync sync_that_conflicts rm_of_what_is_elsewhere_too rm_of_uncommitted_work restore prune
    r#move rename lock unlock repair
}

/// A task `x` with a commit of its own and a note.
#[track_caller]
pub fn with_task(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--goal", "Get it done"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    dir
}

/// The same with all kinds of uncommitted work.
#[track_caller]
pub fn with_dirty_task(sandbox: &Sandbox) -> PathBuf {
    let dir = with_task(sandbox);
    let path = sandbox.path("repo-worktrees/x");
    sandbox.write(&path, "README", "changed\n");
    sandbox.write(&path, "staged", "staged\n");
    sandbox.git(&path, ["add", "staged"]).ok();
    sandbox.write(&path, "untracked", "untracked\n");
    dir
}

/// The same removed. `prune` goes on with what is being deleted in the background, and is there at its end.
#[track_caller]
pub fn removed(sandbox: &Sandbox) -> PathBuf {
    let dir = with_dirty_task(sandbox);
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["prune"]).ok();
    dir
}

const DIRTY: &str = " M README\nA  staged\n?? untracked\n";

/// All of [`with_dirty_task`] is in the worktree of this task.
#[track_caller]
fn is_whole(sandbox: &Sandbox, dir: &Path, name: &str) {
    let path = sandbox.task(dir, ["path", name]).ok().path();
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints(DIRTY);
    sandbox.git(&path, ["log", "-n1", "--format=%s", "HEAD"]).ok().prints("Mine\n");
    assert_eq!(std::fs::read_to_string(path.join("untracked")).unwrap(), "untracked\n");
    assert!(sandbox.task(dir, ["note", name]).ok().stdout.contains("Get it done"));
}

#[track_caller]
fn are_listed(sandbox: &Sandbox, dir: &Path, tasks: &str) {
    sandbox.task(dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints(tasks);
}

fn exists(sandbox: &Sandbox, name: &str) -> bool {
    sandbox.path(format!("repo-worktrees/{name}")).exists()
}

fn add() -> Case {
    let case = Case::new(Sandbox::init, &["git-task", "add", "x"], |sandbox, dir| {
        let path = sandbox.task(dir, ["path", "x"]).ok().path();
        assert_eq!(path, sandbox.path("repo-worktrees/x"));
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
        assert!(path.join("notes/x/status.md").exists() && dir.join("notes/x/status.md").exists());
        are_listed(sandbox, dir, "x open\n");
    });
    Case { again: the_same_and_furnished, ..case.done(&["already exists"]) }
}

/// What could not be furnished is kept and blocked; the hint says what to do then.
#[track_caller]
pub fn the_same_and_furnished(sandbox: &Sandbox, dir: &Path, case: &Case) {
    super::the_same(sandbox, dir, case);
    sandbox.task(dir, ["repair"]).ok();
    let listed = sandbox.task(dir, ["list", "--format=%(task) %(state)"]).ok().stdout;
    for task in listed.lines().filter_map(|line| line.strip_suffix(" blocked")) {
        sandbox.task(dir, ["reopen", task]).ok();
    }
}

fn add_from_a_plan() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = sandbox.init();
        let plan = "[[task]]\nname = \"a\"\n[[task]]\nname = \"b\"\nafter = [\"a\"]\n";
        sandbox.write(sandbox.path(""), "plan.toml", plan);
        dir
    };
    let case = Case::new(prepare, &["git-task", "add", "--from", "../plan.toml"], |sandbox, dir| {
        are_listed(sandbox, dir, "a open\nb open\n");
        assert!(exists(sandbox, "a") && exists(sandbox, "b"));
    });
    Case { again: the_same_and_furnished, ..case.done(&["already exists"]) }
}

fn ready() -> Case {
    Case::new(with_task, &["git-task", "ready", "x"], |sandbox, dir| are_listed(sandbox, dir, "x ready\n"))
}

fn block() -> Case {
    Case::new(with_task, &["git-task", "block", "x", "-m", "Waiting"], |sandbox, dir| {
        are_listed(sandbox, dir, "x blocked\n");
        let shown = sandbox.task(dir, ["list", "--porcelain"]).ok();
        assert!(shown.stdout.contains("Waiting"), "{shown}");
    })
}

fn reopen() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.task(&dir, ["block", "x", "-m", "Waiting"]).ok();
        dir
    };
    Case::new(prepare, &["git-task", "reopen", "x"], |sandbox, dir| are_listed(sandbox, dir, "x open\n"))
        .done(&["is already open"])
}

fn note() -> Case {
    Case::new(with_dirty_task, &["git-task", "note", "x", "--next", "More"], |sandbox, dir| {
        assert!(sandbox.task(dir, ["note", "x"]).ok().stdout.contains("More"));
        is_whole(sandbox, dir, "x");
    })
}

fn sync() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.commit(&dir, "base", "base\n", "Base");
        sandbox.commit(&dir, "README", "base\n", "Base");
        dir
    };
    Case {
        again: take_back_and_sync,
        ..Case::new(prepare, &["git-task", "sync", "x"], |sandbox, dir| {
            let path = sandbox.task(dir, ["path", "x"]).ok().path();
            sandbox.git(&path, ["merge-base", "--is-ancestor", "main", "x"]).ok();
            sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        })
    }
}

/// It is the user's own worktree. What was cut off there is taken back as git says it.
fn take_back_and_sync(sandbox: &Sandbox, dir: &Path, case: &Case) {
    let path = sandbox.task(dir, ["path", "x"]).ok().path();
    sandbox.sh(&path, "git merge --abort 2>/dev/null || git reset -q --hard; git clean -fdq").ok();
    super::the_same(sandbox, dir, case);
}

fn sync_that_conflicts() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.commit(&dir, "mine", "base\n", "Base");
        sandbox.commit(&dir, "base", "base\n", "Base");
        dir
    };
    Case {
        code: 1,
        again: take_back_and_sync,
        ..Case::new(prepare, &["git-task", "sync", "x"], |sandbox, dir| {
            let path = sandbox.task(dir, ["path", "x"]).ok().path();
            sandbox.git(&path, ["status", "--porcelain"]).ok().prints("A  base\nAA mine\n");
            let both = [sandbox.commit_id(&path, "MERGE_HEAD"), sandbox.commit_id(dir, "main")];
            assert_eq!(both[0], both[1]);
        })
    }
}

fn rm_of_what_is_elsewhere_too() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.git(&dir, ["merge", "-q", "--ff-only", "x"]).ok();
        dir
    };
    Case::new(prepare, &["git-task", "rm", "x"], |sandbox, dir| {
        sandbox.git(dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
        are_listed(sandbox, dir, "x integrated\n");
        assert!(!exists(sandbox, "x"));
    })
    .done(&["is integrated already"])
}

fn rm_of_uncommitted_work() -> Case {
    Case {
        again: |sandbox, dir, case| {
            super::the_same(sandbox, dir, case);
            // What was removed comes back whole, also when only the trash has it.
            sandbox.git(dir, ["reflog", "expire", "--expire=now", "--all"]).ok();
            sandbox.git(dir, ["gc", "--quiet", "--prune=now"]).ok();
            sandbox.task(dir, ["restore", "x"]).ok();
            is_whole(sandbox, dir, "x");
            super::the_same(sandbox, dir, case);
        },
        ..Case::new(with_dirty_task, &["git-task", "rm", "-f", "x"], |sandbox, dir| {
            sandbox.git(dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
            are_listed(sandbox, dir, "x dropped\n");
            assert!(!exists(sandbox, "x"));
        })
        .done(&["is dropped already"])
    }
}

fn restore() -> Case {
    Case::new(removed, &["git-task", "restore", "x"], |sandbox, dir| {
        is_whole(sandbox, dir, "x");
        are_listed(sandbox, dir, "x open\n");
    })
    .done(&["has a worktree already", "is open already", "not removed"])
}

fn prune() -> Case {
    let case = Case::new(removed, &["git-task", "prune", "--expire=now"], |sandbox, dir| {
        assert!(!sandbox.refs(dir).contains("task-trash"));
        sandbox.task(dir, ["add", "x"]).fails(128).says("was used before");
    });
    Case { gives_up: "refs/task-trash/*", ..case }
}

fn r#move() -> Case {
    Case::new(with_dirty_task, &["git-task", "move", "x", "../elsewhere"], |sandbox, dir| {
        sandbox.task(dir, ["path", "x"]).ok().prints(&format!("{}\n", sandbox.path("elsewhere").display()));
        is_whole(sandbox, dir, "x");
        assert!(!exists(sandbox, "x"));
    })
    .done(&["already"])
}

fn rename() -> Case {
    Case::new(with_dirty_task, &["git-task", "rename", "x", "y"], |sandbox, dir| {
        is_whole(sandbox, dir, "y");
        sandbox.task(dir, ["list", "--format=%(task) %(branch)"]).ok().prints("y refs/heads/y\n");
        assert!(dir.join("notes/y/status.md").exists());
        assert!(dir.join("notes/x").symlink_metadata().is_err());
    })
    .done(&["no task 'x'", "no such task"])
}

fn lock() -> Case {
    Case::new(with_task, &["git-task", "lock", "x"], |sandbox, dir| {
        let listed = sandbox.git(dir, ["worktree", "list", "--porcelain"]).ok();
        assert!(listed.stdout.contains("\nlocked"), "{listed}");
    })
    .done(&["already locked"])
}

fn unlock() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = with_task(sandbox);
        sandbox.task(&dir, ["lock", "x"]).ok();
        dir
    };
    Case::new(prepare, &["git-task", "unlock", "x"], |sandbox, dir| {
        let listed = sandbox.git(dir, ["worktree", "list", "--porcelain"]).ok();
        assert!(!listed.stdout.contains("\nlocked"), "{listed}");
    })
    .done(&["not locked"])
}

fn repair() -> Case {
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
    Case::new(prepare, &["git-task", "repair"], |sandbox, dir| {
        is_whole(sandbox, dir, "x");
        sandbox.git(dir, ["log", "-n1", "--format=%s", "gone"]).ok().prints("gone\n");
        let listed = sandbox.task(dir, ["list", "--format=%(branch)", "named"]).ok();
        listed.prints("refs/heads/other\n");
        sandbox.git(dir, ["config", "core.hooksPath"]).fails(1);
    })
}
