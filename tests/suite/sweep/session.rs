//! Sessions, begun and ended, and the run of many.

use std::path::{Path, PathBuf};

use super::{Case, sweeps};
use crate::support::*;

sweeps! { start stop run }

fn with_task(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    dir
}

/// Nothing runs, and what ran is on record.
#[track_caller]
fn is_over(sandbox: &Sandbox, dir: &Path) {
    sandbox.task(dir, ["log", "x", "-f"]);
    assert_eq!(sandbox.task(dir, ["list", "--format=%(running)"]).ok().stdout, "\n");
}

fn start() -> Case {
    let args = &["git-task", "start", "x", "--background", "--", "touch", "ran"];
    Case {
        again: |sandbox, dir, case| {
            super::the_same(sandbox, dir, case);
            sandbox.task(dir, ["log", "x", "-f"]).ok().says("succeeded");
            assert!(sandbox.path("repo-worktrees/x/ran").exists());
        },
        // It has begun, so it is on record, also how it ended if anybody was left to see it.
        ..Case::new(with_task, args, |sandbox, dir| {
            let log = sandbox.task(dir, ["log", "x", "-f"]).ok();
            let ran = sandbox.path("repo-worktrees/x/ran").exists();
            assert!(ran || !log.stderr.contains("succeeded"), "{log}");
            is_over(sandbox, dir);
        })
    }
}

/// The session waits at a pipe without a writer: only a signal ends it, or, should none come, the script.
fn stop() -> Case {
    let script = "rm -f ../pipe; mkfifo ../pipe; \
                  git-task start x --background -- sh -c 'trap \"exit 1\" TERM; echo begun; read go <../../pipe' || exit 128; \
                  git-task stop x; status=$?; test $status = 0 || timeout 5 sh -c 'echo go >../pipe'; exit $status";
    Case {
        args: Box::leak(Box::new(["sh", "-c", script])),
        ..Case::new(with_task, &[], |sandbox, dir| {
            sandbox.task(dir, ["log", "x"]).ok();
            is_over(sandbox, dir);
        })
    }
}

/// Two tasks, of which the second needs the work of the first.
fn run() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = sandbox.init();
        sandbox.task(&dir, ["add", "-q", "a"]).ok();
        sandbox.task(&dir, ["add", "-q", "b", "--after", "a"]).ok();
        let work = "echo {task} >{task} && git add {task} && { git diff --cached --quiet || git commit -qm {task}; }";
        crate::run::session(sandbox, &dir, work);
        dir
    };
    Case {
        again: |sandbox, dir, _| {
            let mut last = sandbox.task(dir, ["run", "--resume"]);
            if last.stdout.contains("would be overwritten") {
                // git was cut off in the middle of a file: that is taken back as git says it, as in `sync`.
                let path = sandbox.path("repo-worktrees/b");
                sandbox.sh(&path, "git reset -q --hard; git clean -fdq").ok();
                last = sandbox.task(dir, ["run", "--resume"]);
            }
            if last.stderr.contains("there is no run to resume") {
                sandbox.task(dir, ["run"]).ok();
            } else {
                last.ok();
            }
        },
        ..Case::new(prepare, &["git-task", "run", "-j2", "-q"], |sandbox, dir| {
            let path = sandbox.task(dir, ["path", "b"]).ok().path();
            sandbox.git(&path, ["ls-tree", "--name-only", "HEAD", "a", "b"]).ok().prints("a\nb\n");
            let states = sandbox.task(dir, ["list", "--format=%(state) %(running)"]).ok();
            states.prints("open \nopen \n");
        })
    }
}
