//! What somebody else makes at the very place where a slot is made, or was, before git or we come to it: it is his.

use std::path::{Path, PathBuf};

use crate::integrate_run::{ready, workshop};
use crate::meanwhile::ours;
use crate::pool::{claim, states, with_pool};
use crate::support::*;

/// What others make at a place, with files and commits of their own.
const OTHERS: [&str; 3] = [
    "\"$git\" worktree add -q --detach \"$place\" main",
    "\"$git\" worktree add -q -b his \"$place\" main",
    "\"$git\" clone -q . \"$place\"",
];

/// Kills the one who runs git.
const KILL: &str = "kill -9 \"$PPID\"; exit 1";

/// Runs `line` by its own name; `make` is done at `place` in the instant before git does `what`, and what is written
/// there then is somebody's work.
fn run_with(sandbox: &Sandbox, dir: &Path, (what, place): (&str, &Path), make: &str, line: &str) -> Run {
    let shown = place.display();
    let script = format!(
        "(unset GIT_DIR; cd '{}' && place='{shown}' && {make} && echo mine >\"$place/mine\")",
        dir.display()
    );
    let script = if make.contains(KILL) { make.to_owned() } else { script };
    sandbox.before_git(&format!("case \"$*\" in *'{what}'*) ;; *) false ;; esac"), &script);
    let mut words = line.split(' ');
    let program = words.next().unwrap();
    let run = sandbox.run(dir, program, words);
    assert!(sandbox.root().join("tmp/once").exists(), "nothing came in between: {run}");
    std::fs::remove_dir(sandbox.root().join("tmp/once")).unwrap();
    std::fs::remove_file(sandbox.root().join("bin/git")).unwrap();
    run
}

fn make_at(sandbox: &Sandbox, dir: &Path, place: &Path, make: &str) {
    let git = git_under_test().program.display();
    sandbox
        .sh(dir, &format!("git='{git}' place='{}'; {make} && echo mine >\"$place/mine\"", place.display()))
        .ok();
}

/// It is there as somebody made it, and no slot.
#[track_caller]
fn is_his(sandbox: &Sandbox, dir: &Path, place: &Path, make: &str) {
    assert_eq!(std::fs::read_to_string(place.join("mine")).unwrap_or_default(), "mine\n", "{make}");
    sandbox.git(place, ["status", "--porcelain"]).ok().prints("?? mine\n");
    let paths = sandbox.pool(dir, ["list", "--format=%(worktree)"]).ok().stdout;
    assert!(!paths.lines().any(|path| Path::new(path) == place), "{make}: {paths}");
    let admin = sandbox.git(place, ["rev-parse", "--absolute-git-dir"]).ok().path();
    assert!(!admin.join("git-pool").exists(), "{make}: it is marked as a slot");
    assert!(!admin.join("git-task").exists(), "{make}: it is marked as a task's");
}

fn with_place(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    (with_pool(sandbox, 0), sandbox.path("repo-worktrees/pool-1"))
}

#[test]
fn what_somebody_makes_where_a_slot_is_made_is_his() {
    for make in OTHERS {
        let sandbox = Sandbox::new();
        let (dir, place) = with_place(&sandbox);
        let run = run_with(&sandbox, &dir, ("worktree add", &place), make, "git-pool fill 1");
        run.says("already exists").does_not_say("hook");
        is_his(&sandbox, &dir, &place, make);
        sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
        sandbox.pool(&dir, ["fill", "1"]).ok();
        assert_eq!(states(&sandbox, &dir), "2 idle\n");
        is_his(&sandbox, &dir, &place, make);
    }
}

#[test]
fn what_somebody_makes_where_a_slot_was_to_be_made_is_his() {
    for make in OTHERS {
        let sandbox = Sandbox::new();
        let (dir, place) = with_place(&sandbox);
        run_with(&sandbox, &dir, ("worktree add", &place), KILL, "git-pool fill 1");
        make_at(&sandbox, &dir, &place, make);
        sandbox.pool(&dir, ["repair"]).ok().prints("mended: slot 1: 'make' was cut off\n");
        is_his(&sandbox, &dir, &place, make);
        sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    }
}

#[test]
fn no_slot_is_made_where_a_task_is_moved_to() {
    let sandbox = Sandbox::new();
    let (dir, place) = with_place(&sandbox);
    sandbox.task(&dir, ["add", "x"]).ok();
    let here = dir.display();
    sandbox.before_git(
        "case \"$*\" in *'worktree move'*) ;; *) false ;; esac",
        &format!("env -u GIT_DIR git -C '{here}' pool fill -q 1"),
    );
    ours(&sandbox, &dir, "git-task move x ../repo-worktrees/pool-1").ok();
    let path = sandbox.task(&dir, ["path", "x"]).ok().path();
    assert_eq!(path, place);
    assert_eq!(states(&sandbox, &dir), "2 idle\n");
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
}

#[test]
fn what_another_repository_has_where_a_slot_was_half_made_stays() {
    let sandbox = Sandbox::new();
    let (dir, place) = with_place(&sandbox);
    let kill = format!("\"$git\" \"$@\"; {KILL}");
    run_with(&sandbox, &dir, ("worktree add", &place), &kill, "git-pool fill 1");
    std::fs::remove_dir_all(&place).unwrap();
    sandbox.sh(&dir, "git init -q ../other && cd ../other && git commit -q --allow-empty -m Other").ok();
    make_at(&sandbox, &sandbox.path("other"), &place, "\"$git\" worktree add -q \"$place\"");
    sandbox.pool(&dir, ["repair"]).ok().prints("mended: slot 1: 'make' was cut off\n");
    is_his(&sandbox, &dir, &place, "of another repository");
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_somebody_makes_where_a_slot_was_drained_is_his() {
    for (make, keeps) in OTHERS.into_iter().flat_map(|make| [(make, true), (make, false)]) {
        let sandbox = Sandbox::new();
        let dir = with_pool(&sandbox, 1);
        let place = sandbox.path("repo-worktrees/pool-1");
        // As when a drain is killed after it has taken the worktree away.
        let intent = format!(
            "[drain]\n\tslot = 1\n\tpath = \"{0}\"\n\taside = \"{0}.drained\"\n\tadmin = \"{1}/.git/worktrees/pool-1\"\n\thead = {2}\n",
            place.display(),
            dir.display(),
            sandbox.commit_id(&dir, "main")
        );
        if make == OTHERS[2] && keeps {
            // Or before git has forgotten it.
            std::fs::rename(&place, place.with_extension("drained")).unwrap();
        } else {
            sandbox.git(&dir, ["worktree", "remove", "--force", "../repo-worktrees/pool-1"]).ok();
        }
        sandbox.write(&dir, ".git/git-parallel/intents/pool:1", intent);
        make_at(&sandbox, &dir, &place, make);
        if !keeps {
            std::fs::remove_file(place.join("mine")).unwrap();
        }
        sandbox.pool(&dir, ["repair"]).ok().prints("mended: slot 1: 'drain' was cut off\n");
        assert!(place.join("README").exists(), "{make}");
        sandbox.write(&place, "mine", "mine\n");
        is_his(&sandbox, &dir, &place, make);
        assert_eq!(states(&sandbox, &dir), "");
        sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    }
}

/// The ways to add a task, and what git does first at its place.
const ADDS: [(&str, &str); 3] = [
    ("git-task add x", "worktree add"),
    ("git-task add x --track main", "worktree add"),
    ("git-task add x --clone", "clone --quiet"),
];

#[test]
fn what_somebody_makes_where_a_task_was_to_be_made_is_his() {
    for (line, what) in ADDS {
        for make in OTHERS {
            let sandbox = Sandbox::new();
            let (dir, place) = (sandbox.init(), sandbox.path("repo-worktrees/x"));
            run_with(&sandbox, &dir, (what, &place), KILL, line);
            make_at(&sandbox, &dir, &place, make);
            sandbox.git(&place, ["commit", "-q", "--allow-empty", "-m", "His"]).ok();
            sandbox.task(&dir, ["repair"]).ok().prints("mended: task 'x': 'add' was cut off\n");
            is_his(&sandbox, &dir, &place, &format!("{line}: {make}"));
            sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
        }
    }
}

#[test]
fn what_git_just_makes_for_somebody_where_something_of_ours_was_to_be_made_is_his() {
    for line in ["git-task add x", "git-integrate x"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let mut place = sandbox.path("repo-worktrees/x");
        if line == "git-integrate x" {
            ready(&sandbox, &dir, "x", "x", "1\n");
            // A hook has it merge there.
            sandbox
                .sh(&dir, "printf '#!/bin/sh\\n' >.git/hooks/commit-msg; chmod +x .git/hooks/commit-msg")
                .ok();
            place = workshop(&sandbox);
        }
        run_with(&sandbox, &dir, ("worktree add", &place), KILL, line);
        // As it is before git has written the HEAD.
        let add = "\"$git\" worktree add -q --detach --no-checkout \"$place\"";
        make_at(&sandbox, &dir, &place, add);
        std::fs::remove_file(place.join("mine")).unwrap();
        let admin = sandbox.git(&place, ["rev-parse", "--absolute-git-dir"]).ok().path();
        std::fs::write(admin.join("HEAD"), format!("{}\n", "0".repeat(40))).unwrap();
        std::fs::write(admin.join("locked"), "initializing\n").unwrap();
        sandbox.task(&dir, ["repair"]);
        assert!(admin.join("gitdir").exists() && place.join(".git").exists(), "{line}");
    }
}

#[test]
fn what_somebody_makes_where_a_task_was_to_be_restored_is_his() {
    for (line, what) in ADDS {
        for make in OTHERS {
            let sandbox = Sandbox::new();
            let dir = sandbox.init();
            let place = sandbox.run(&dir, "git-task", line.split(' ').skip(1)).ok().path();
            sandbox.write(&place, "work", "work\n");
            sandbox.task(&dir, ["rm", "-f", "x"]).ok();
            run_with(&sandbox, &dir, (what, &place), KILL, "git-task restore x");
            make_at(&sandbox, &dir, &place, make);
            sandbox.task(&dir, ["repair"]).ok().prints("mended: task 'x': 'restore' was cut off\n");
            is_his(&sandbox, &dir, &place, &format!("{line}: {make}"));
            std::fs::rename(&place, sandbox.path("his")).unwrap();
            sandbox.git(&dir, ["worktree", "prune"]).ok();
            let path = sandbox.task(&dir, ["restore", "x"]).ok().path();
            assert!(path.join("work").exists());
        }
    }
}

#[test]
fn a_worktree_that_is_moved_into_a_directory_that_somebody_made_is_known_to_be_there() {
    for (make, kill) in [("mkdir -p \"$place\"", ""), (OTHERS[1], ""), (OTHERS[1], KILL)] {
        let sandbox = Sandbox::new();
        let dir = with_pool(&sandbox, 1);
        let from = claim(&sandbox, &dir, &["x"]);
        let to = sandbox.path("there");
        let script = format!(
            "(unset GIT_DIR; cd '{}' && place='{}' && {make})\n\"$git\" \"$@\" || exit\n{kill}\nexit 0",
            dir.display(),
            to.display()
        );
        sandbox.before_git("case \"$*\" in *'worktree move'*) ;; *) false ;; esac", &script);
        let run = sandbox.run(&dir, "git-task", ["move", "x", "../there"]);
        assert!(kill == KILL || run.code == 0, "{run}");
        if kill == KILL {
            sandbox.task(&dir, ["repair"]).ok().prints("mended: task 'x': 'move' was cut off\n");
        }
        let now = to.join(from.file_name().unwrap());
        assert_eq!(sandbox.task(&dir, ["path", "x"]).ok().path(), now);
        let slots = sandbox.pool(&dir, ["list", "--format=%(state) %(worktree)"]).ok();
        slots.prints(&format!("claimed {}\n", now.display()));
        assert!(dir.join("notes/x/status.md").exists());
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
        sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    }
}

#[test]
fn a_branch_that_somebody_makes_after_a_rename_was_cut_off_is_his() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let place = sandbox.task(&dir, ["add", "x"]).ok().path();
    run_with(&sandbox, &dir, ("branch -m", &place), KILL, "git-task rename x y");
    sandbox.git(&dir, ["branch", "y", "main"]).ok();
    sandbox.task(&dir, ["repair"]).ok();
    sandbox.git(&place, ["symbolic-ref", "--short", "HEAD"]).ok().prints("x\n");
    sandbox.task(&dir, ["list", "--format=%(task) %(branch)"]).ok().prints("x refs/heads/x\n");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.task(&dir, ["lock", "x"]).ok();
}

#[test]
fn what_somebody_makes_where_a_kept_directory_goes_back_is_his() {
    for make in OTHERS {
        for kill in ["", KILL] {
            let sandbox = Sandbox::new();
            let dir = sandbox.init();
            let place = sandbox.task(&dir, ["add", "x"]).ok().path();
            sandbox.sh(&place, "git init -q inner && cd inner && git commit -q --allow-empty -m Inner").ok();
            sandbox.task(&dir, ["rm", "-f", "x"]).ok();
            if kill == KILL {
                run_with(&sandbox, &dir, ("update-ref", &place), KILL, "git-task restore x");
                make_at(&sandbox, &dir, &place, make);
                sandbox.task(&dir, ["repair"]).ok();
            } else {
                run_with(&sandbox, &dir, ("update-ref", &place), make, "git-task restore x").fails(128);
            }
            is_his(&sandbox, &dir, &place, make);
            sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
            std::fs::rename(&place, sandbox.path("his")).unwrap();
            sandbox.git(&dir, ["worktree", "prune"]).ok();
            let path = sandbox.task(&dir, ["restore", "x"]).ok().path();
            assert!(path.join("inner/.git").exists());
        }
    }
}

#[test]
fn what_somebody_makes_where_the_private_worktree_goes_is_his() {
    for make in OTHERS {
        for kill in ["", KILL] {
            let sandbox = Sandbox::new();
            let dir = sandbox.init();
            ready(&sandbox, &dir, "x", "x", "1\n");
            // A hook has it merge there.
            sandbox
                .sh(&dir, "printf '#!/bin/sh\\n' >.git/hooks/commit-msg; chmod +x .git/hooks/commit-msg")
                .ok();
            let place = workshop(&sandbox);
            if kill == KILL {
                run_with(&sandbox, &dir, ("worktree add", &place), KILL, "git-integrate x");
                make_at(&sandbox, &dir, &place, make);
                sandbox.task(&dir, ["repair"]).ok();
            } else {
                run_with(&sandbox, &dir, ("worktree add", &place), make, "git-integrate x").ok();
            }
            is_his(&sandbox, &dir, &place, make);
            if kill == KILL {
                sandbox.integrate(&dir, ["--abort"]).ok();
                sandbox.integrate(&dir, ["x"]).ok();
                is_his(&sandbox, &dir, &place, make);
            }
            assert_eq!(sandbox.commit_id(&dir, "main^2^"), sandbox.commit_id(&dir, "main^"));
        }
    }
}
