//! `git pool repair`: slots that were moved, deleted or otherwise changed by hand.

use crate::pool::{claim, key, states, with_pool};
use crate::support::*;

#[test]
fn a_slot_that_was_moved_is_found_again() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let at = |name: &str| sandbox.path(format!("repo-worktrees/{name}"));
    sandbox
        .git(&dir, ["worktree", "move", at("pool-1").to_str().unwrap(), at("by-git").to_str().unwrap()])
        .ok();
    std::fs::rename(at("pool-2"), at("by-hand")).unwrap();
    assert_eq!(states(&sandbox, &dir), "1 broken\n2 broken\n");
    let found = sandbox.pool(&dir, ["repair", "-n"]).fails(1).stdout;
    assert_eq!(found.lines().count(), 2, "{found}");
    sandbox.pool(&dir, ["repair"]).ok();
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n");
    assert_eq!(key(&sandbox, &dir, "2", "worktree"), at("by-hand").display().to_string());
    claim(&sandbox, &dir, &["x"]);
    claim(&sandbox, &dir, &["y"]);
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
}

#[test]
fn a_slot_that_is_gone_is_forgotten_and_a_task_keeps_its_branch() {
    for by_git in [false, true] {
        let sandbox = Sandbox::new();
        let dir = with_pool(&sandbox, 3);
        let first = claim(&sandbox, &dir, &["x"]);
        sandbox.commit(&first, "mine", "mine\n", "Mine");
        let second = claim(&sandbox, &dir, &[]);
        sandbox.commit(&second, "alone", "alone\n", "Alone");
        let third = sandbox.path("repo-worktrees/pool-3");
        for path in [&first, &second, &third] {
            if by_git {
                sandbox.git(&dir, ["worktree", "remove", path.to_str().unwrap()]).ok();
            } else {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
        sandbox.pool(&dir, ["list"]).ok();
        // Nothing of them is handed out; a new one is made.
        let new = claim(&sandbox, &dir, &["--holder", "me"]);
        assert!(new.ends_with("pool-4"), "{new:?}");
        sandbox.pool(&dir, ["release", "x"]).fails(128).says("gone");
        sandbox.pool(&dir, ["repair", "-n"]).fails(1);
        sandbox.task(&dir, ["repair"]).ok();
        sandbox.pool(&dir, ["repair"]).ok();
        sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
        assert_eq!(states(&sandbox, &dir), "4 claimed\n");
        sandbox.task(&dir, ["list", "--format=%(task) %(state) %(slot)"]).ok().prints("x open \n");
        sandbox.git(&dir, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
        if !by_git {
            let back = sandbox.task(&dir, ["restore", "slot-2"]).ok().path();
            sandbox.git(&back, ["log", "-n1", "--format=%s"]).ok().prints("Alone\n");
        }
        assert!(!claim(&sandbox, &dir, &["x"]).join("alone").exists());
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn sections_that_make_no_sense_are_said() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    sandbox.git(&dir, ["config", "pool.1.since", "yesterday"]).ok();
    sandbox.pool(&dir, ["list"]).ok().says("bad config value 'yesterday' for 'pool.1.since'");
    sandbox.pool(&dir, ["release", "1"]).fails(128).says("yesterday");
    assert_eq!(claim(&sandbox, &dir, &[]), sandbox.path("repo-worktrees/pool-2"));
    // One of another's is none of ours.
    sandbox.git(&dir, ["config", "pool.x.colour", "red"]).ok();
    assert_eq!(states(&sandbox, &dir), "2 claimed\n");
}

#[test]
fn a_slot_of_a_task_that_is_gone_is_free_again() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let path = claim(&sandbox, &dir, &["x"]);
    sandbox.git(&dir, ["config", "--remove-section", "task.x"]).ok();
    sandbox.sh(&path, "rm -rf notes \"$(git rev-parse --git-dir)/git-task\"; git checkout -q --detach").ok();
    sandbox.pool(&dir, ["repair"]).ok().prints("mended: slot 1: task 'x' has it no more\n");
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n");
}
