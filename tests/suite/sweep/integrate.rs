//! `git integrate`, begun, gone on with, skipped, aborted, undone.

use std::path::{Path, PathBuf};

use super::{Case, sweeps};
use crate::integrate_run::{ready, subjects, workshop};
use crate::support::*;

sweeps! { start start_without_files start_with_checks_at_once start_with_one_that_fails abort_of_a_start continuing skipping aborting undoing }

/// Two tasks whose merges run a driver and a hook.
pub fn two_tasks(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "driven merge=mine\n", "Attributes");
    sandbox.commit(&dir, "driven", "0\n", "Driven");
    // Nothing of its own is left in a worktree when it is cut off.
    let driver = "cat %B >>%A && sort -u -o %A %A";
    sandbox.git(&dir, ["config", "merge.mine.driver", driver]).ok();
    sandbox.write(&dir, ".git/hooks/pre-merge-commit", "#!/bin/sh\necho x >hooked && rm hooked\n");
    sandbox.sh(&dir, "chmod +x .git/hooks/pre-merge-commit").ok();
    for name in ["a", "b"] {
        let path = sandbox.task(&dir, ["add", name]).ok().path();
        sandbox.commit(&path, "driven", format!("{name}\n"), name);
        sandbox.commit(&path, name, "1\n", &format!("Work on {name}"));
        sandbox.task(&dir, ["ready", name]).ok();
    }
    dir
}

/// As [`two_tasks`], with a third and a fourth that conflict.
fn stopped(sandbox: &Sandbox) -> PathBuf {
    let dir = two_tasks(sandbox);
    ready(sandbox, &dir, "c", "README", "c\n");
    ready(sandbox, &dir, "d", "README", "d\n");
    sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
    dir
}

/// The same, resolved, but not yet gone on with.
fn resolved(sandbox: &Sandbox) -> PathBuf {
    let dir = stopped(sandbox);
    let shop = workshop(sandbox);
    sandbox.write(&shop, "README", "both\n");
    sandbox.git(&shop, ["add", "README"]).ok();
    dir
}

pub const LANDED: &str = "Merge task 'b'\nMerge task 'a'\nDriven\nAttributes\nBegin\n";
const BEGUN: &str = "Driven\nAttributes\nBegin\n";

#[track_caller]
fn are_listed(sandbox: &Sandbox, dir: &Path, tasks: &str) {
    sandbox.task(dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints(tasks);
}

/// Nothing is under way, and nothing of it is left.
#[track_caller]
fn over(sandbox: &Sandbox, dir: &Path) {
    sandbox.integrate(dir, ["--status"]).ok();
    let refs = sandbox.refs(dir);
    assert!(refs.lines().all(|l| !l.contains("refs/integrate/") || l.contains("/undone ")), "{refs}");
    sandbox.git(dir, ["status", "--porcelain"]).ok().prints("");
}

/// If `--status` says that there is something to go on with, then `option` must work.
#[track_caller]
fn go_on(sandbox: &Sandbox, dir: &Path, option: &str, code: i32) {
    let status = sandbox.integrate(dir, ["--status"]);
    match status.code {
        0 => {}
        1 => drop(sandbox.integrate(dir, [option]).fails(code)),
        _ => panic!("{status}"),
    }
}

/// Goes on if there is something to go on with, else begins: it was killed before it began, or when all was done.
#[track_caller]
fn go_on_or_begin(sandbox: &Sandbox, dir: &Path, _: &Case) {
    go_on(sandbox, dir, "--continue", 0);
    sandbox.integrate(dir, [] as [&str; 0]).ok();
}

fn start() -> Case {
    Case {
        again: go_on_or_begin,
        ..Case::new(two_tasks, &["git-integrate"], |sandbox, dir| {
            assert_eq!(subjects(sandbox, dir, "main"), LANDED);
            assert_eq!(std::fs::read_to_string(dir.join("driven")).unwrap(), "a\nb\n");
            are_listed(sandbox, dir, "a integrated\nb integrated\n");
            over(sandbox, dir);
        })
    }
}

/// Where no hook and no driver looks, the merges are made without the files.
fn start_without_files() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = sandbox.init();
        for name in ["a", "b", "c"] {
            ready(sandbox, &dir, name, name, "1\n");
        }
        dir
    };
    Case {
        again: go_on_or_begin,
        ..Case::new(prepare, &["git-integrate"], |sandbox, dir| {
            let landed = "Merge task 'c'\nMerge task 'b'\nMerge task 'a'\nBegin\n";
            assert_eq!(subjects(sandbox, dir, "main"), landed);
            are_listed(sandbox, dir, "a integrated\nb integrated\nc integrated\n");
            over(sandbox, dir);
            let shop = workshop(sandbox);
            if shop.exists() {
                sandbox.git(&shop, ["status", "--porcelain"]).ok().prints("");
            }
        })
    }
}

/// The checks run in a slot and in the private worktree.
fn start_with_checks_at_once() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = two_tasks(sandbox);
        sandbox.pool(&dir, ["init", "-q", "1"]).ok();
        dir
    };
    let args = &["git-integrate", "-j2", "--check", "echo x >stray && test -f $GIT_TASK"];
    Case { again: go_on_or_begin, ..Case::new(prepare, args, start().intended) }
}

/// The first of three fails the check: it stops there, and what was merged after it is not merged any more.
fn start_with_one_that_fails() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = sandbox.init();
        for name in ["a", "b", "c"] {
            ready(sandbox, &dir, name, name, "1\n");
        }
        sandbox.pool(&dir, ["init", "-q", "1"]).ok();
        dir
    };
    Case {
        code: 1,
        again: |sandbox, dir, case| match sandbox.integrate(dir, ["--status", "--porcelain"]).code {
            0 => drop(Run::of(&mut case.command(sandbox, dir), b"").fails(1)),
            _ => drop(sandbox.integrate(dir, ["--continue"]).fails(1)),
        },
        ..Case::new(prepare, &["git-integrate", "-j2", "--check", "test ! -f a"], |sandbox, dir| {
            assert_eq!(subjects(sandbox, dir, "main"), "Begin\n");
            let status = sandbox.integrate(dir, ["--status", "--porcelain"]).fails(1).stdout;
            assert!(status.contains("state stopped\ntask a\n"), "{status}");
            let shop = workshop(sandbox);
            assert!(!shop.join("b").exists() && !shop.join("c").exists());
            // A merge whose git was killed is left as it is.
            if status.contains("waits check\n") {
                sandbox.git(&shop, ["status", "--porcelain"]).ok().prints("");
            }
        })
    }
}

/// What was begun and cut off can be aborted, unless it is through.
fn abort_of_a_start() -> Case {
    Case {
        again: |sandbox, dir, case| {
            let landed = subjects(sandbox, dir, "main") == LANDED;
            go_on(sandbox, dir, "--abort", 0);
            if !landed {
                assert_eq!(subjects(sandbox, dir, "main"), BEGUN);
                are_listed(sandbox, dir, "a ready\nb ready\n");
            }
            go_on_or_begin(sandbox, dir, case);
        },
        ..start()
    }
}

fn continuing() -> Case {
    Case {
        again: |sandbox, dir, _| go_on(sandbox, dir, "--continue", 0),
        ..Case::new(resolved, &["git-integrate", "--continue"], |sandbox, dir| {
            let expected = format!("Merge task 'd'\nMerge task 'c'\n{LANDED}");
            assert_eq!(subjects(sandbox, dir, "main"), expected);
            assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "both\n");
            over(sandbox, dir);
        })
    }
}

fn skipping() -> Case {
    Case {
        code: 2,
        gives_up: "refs/integrate/*",
        again: |sandbox, dir, _| {
            let status = sandbox.integrate(dir, ["--status", "--porcelain"]);
            // Not yet skipped, or skipped and cut off.
            let option = if status.stdout.contains("task d\n") { "--skip" } else { "--continue" };
            go_on(sandbox, dir, option, 2);
        },
        ..Case::new(stopped, &["git-integrate", "--skip"], |sandbox, dir| {
            assert_eq!(subjects(sandbox, dir, "main"), format!("Merge task 'c'\n{LANDED}"));
            over(sandbox, dir);
        })
    }
}

fn aborting() -> Case {
    Case {
        gives_up: "refs/integrate/*",
        again: |sandbox, dir, _| go_on(sandbox, dir, "--abort", 0),
        ..Case::new(stopped, &["git-integrate", "--abort"], |sandbox, dir| {
            assert_eq!(subjects(sandbox, dir, "main"), BEGUN);
            are_listed(sandbox, dir, "a ready\nb ready\nc ready\nd ready\n");
            over(sandbox, dir);
        })
    }
}

fn undoing() -> Case {
    let prepare = |sandbox: &Sandbox| {
        let dir = two_tasks(sandbox);
        sandbox.integrate(&dir, ["--keep"]).ok();
        dir
    };
    Case::new(prepare, &["git-integrate", "--undo"], |sandbox, dir| {
        assert_eq!(subjects(sandbox, dir, "main"), BEGUN);
        assert!(!dir.join("a").exists());
        are_listed(sandbox, dir, "a ready\nb ready\n");
        over(sandbox, dir);
    })
    .done(&["to undo"])
}
