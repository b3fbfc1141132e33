//! Many claimants at once: each slot goes to exactly one.

use std::collections::BTreeSet;

use crate::meanwhile::ours;
use crate::pool::{claim, states, with_pool};
use crate::support::*;

const MANY: usize = 50;

#[test]
fn fifty_claims_at_once_get_fifty_slots() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "pool.max", "50"]).ok();
    sandbox.pool(&dir, ["init", "-q", "50"]).ok();
    let names: Vec<_> = (0..MANY).map(|i| format!("t{i:02}")).collect();
    let runs = at_once(MANY, |i| match i % 2 {
        0 => sandbox.pool(&dir, ["claim", &names[i], "--no-refill"]),
        _ => sandbox.pool(&dir, ["claim", "--no-refill"]),
    });
    let paths: BTreeSet<_> = runs.into_iter().map(|run| run.ok().path()).collect();
    assert_eq!(paths.len(), MANY);
    assert_eq!(states(&sandbox, &dir).matches("claimed").count(), MANY);
    let runs = at_once(MANY, |i| sandbox.pool(&dir, ["release", &(i + 1).to_string()]));
    runs.into_iter().for_each(|run| drop(run.ok()));
    assert_eq!(states(&sandbox, &dir).matches("idle").count(), MANY);
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn of_many_exactly_as_many_get_one_as_there_are() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 4);
    sandbox.git(&dir, ["config", "pool.max", "4"]).ok();
    let runs = at_once(16, |i| sandbox.pool(&dir, ["claim", "--no-refill", &format!("t{i}")]));
    let (won, lost): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.code == 0);
    let paths: BTreeSet<_> = won.iter().map(Run::path).collect();
    assert_eq!((won.len(), paths.len()), (4, 4));
    for run in lost {
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run}");
        run.assert_one_error();
    }
    assert_eq!(sandbox.task(&dir, ["list", "--format=x"]).ok().stdout.len(), 8);
    assert_sound(&sandbox, &dir);
}

#[test]
fn who_waits_gets_one_and_all_get_their_turn() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    sandbox.git(&dir, ["config", "pool.max", "2"]).ok();
    at_once(12, |i| {
        let holder = format!("h{i}");
        let run = sandbox.pool(&dir, ["claim", "--no-refill", "--wait=100s", "--holder", &holder, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&run.ok().stdout).unwrap();
        let (slot, lease) = (json[0]["slot"].as_str().unwrap(), json[0]["lease"].as_str().unwrap());
        // While it is held nobody else has it.
        let file = std::path::Path::new(json[0]["worktree"].as_str().unwrap()).join("target");
        std::fs::create_dir(&file).unwrap();
        std::fs::remove_dir(&file).unwrap();
        sandbox.pool(&dir, ["release", slot, "--lease", lease]).ok();
    });
    assert_eq!(states(&sandbox, &dir), "1 idle\n2 idle\n");
    assert_eq!(std::fs::read_dir(dir.join(".git/git-parallel/pool-queue")).unwrap().count(), 0);
}

#[test]
fn add_and_rm_and_claim_and_release_and_fill_do_not_disturb_each_other() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 4);
    for i in 0..4 {
        sandbox.task(&dir, ["add", "--no-pool", &format!("old{i}")]).ok();
    }
    let held = claim(&sandbox, &dir, &["held"]);
    at_once(20, |i| match i % 5 {
        0 => drop(sandbox.task(&dir, ["add", &format!("new{i}")]).ok()),
        1 => drop(sandbox.pool(&dir, ["claim", &format!("c{i}"), "--no-refill"]).ok()),
        2 => drop(sandbox.task(&dir, ["rm", &format!("old{}", i / 5)]).ok()),
        3 => drop(sandbox.pool(&dir, ["fill", "-q", "1"]).ok()),
        _ => drop(sandbox.pool(&dir, ["list", "--porcelain"]).ok().does_not_say("warning")),
    });
    sandbox.pool(&held, ["release"]).ok();
    let tasks = sandbox.task(&dir, ["list", "--format=%(task) %(worktree)"]).ok().stdout;
    let places: BTreeSet<_> = tasks.lines().filter_map(|l| l.split_once(' ')).map(|(_, p)| p).collect();
    assert_eq!(places.len(), 9, "{tasks}");
    sandbox.pool(&dir, ["fill", "1"]).ok();
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_task_that_gets_a_slot_while_it_is_looked_at_is_not_removed() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &["x"]);
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.git(&dir, ["branch", "other", "x"]).ok();
    sandbox.pool(&dir, ["release", "x"]).ok();
    // Asked in which other branches its commits are, git lets somebody else have a slot for it first.
    let (git, said) = (git_under_test().program.display(), sandbox.path("said"));
    let wrapper = sandbox.root().join("bin/git");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'for-each-ref --contains'*)\n  [ -e '{said}' ] || (\n\
         unset $('{git}' rev-parse --local-env-vars)\ncd '{}' && git-pool claim --no-refill x) >'{said}' 2>&1 ;;\n\
         esac\nexec '{git}' \"$@\"\n",
        dir.display(),
        said = said.display(),
    );
    std::fs::write(&wrapper, script).unwrap();
    sandbox.sh(&dir, &format!("chmod +x '{}'", wrapper.display())).ok();
    // Through git it would be that in git's own directory.
    let run = sandbox.run(&dir, "git-task", ["rm", "x"]);
    run.fails(128).says("task 'x' was changed by another process");
    std::fs::remove_file(wrapper).unwrap();
    assert!(std::fs::read_to_string(said).unwrap().contains("repo-worktrees"));
    assert_eq!(states(&sandbox, &dir), "1 claimed\n");
    sandbox.task(&dir, ["list", "--format=%(task) %(slot)"]).ok().prints("x 1\n");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_slot_that_is_given_back_is_not_locked_for_who_had_it() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 8);
    let names: Vec<_> = (0..8).map(|i| format!("x{i}")).collect();
    names.iter().for_each(|name| drop(claim(&sandbox, &dir, &[name.as_str()])));
    at_once(16, |i| match i % 2 {
        0 => sandbox.pool(&dir, ["release", "-f", &names[i / 2]]),
        _ => sandbox.task(&dir, ["lock", &names[i / 2]]),
    });
    let listed = sandbox.pool(&dir, ["list", "--format=%(state) %(worktree)"]).ok().stdout;
    for path in listed.lines().filter_map(|line| line.strip_prefix("idle ")) {
        sandbox.git(&dir, ["worktree", "unlock", path]).fails(128).says("is not locked");
    }
    sandbox.pool(&dir, ["drain"]);
    assert_eq!(sandbox.pool(&dir, ["list", "--format=%(state)"]).ok().stdout.matches("idle").count(), 0);
}

#[test]
fn a_task_is_not_brought_up_to_date_in_a_slot_that_it_has_no_more() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let slot = claim(&sandbox, &dir, &["x"]);
    sandbox.commit(&slot, "x", "1\n", "Work");
    sandbox.commit(&dir, "main", "1\n", "Main");
    // It waits until the other is through.
    sandbox.git(&dir, ["config", "task.lockTimeout", "2"]).ok();
    let said = sandbox.path("said");
    let release =
        format!("env -u GIT_DIR git -C '{}' pool release -f x 2>'{}'", dir.display(), said.display());
    sandbox.before_git("case \" $* \" in *' merge --quiet --ff-only'*) ;; *) false ;; esac", &release);
    ours(&sandbox, &dir, "git-task sync x").ok();
    let said = std::fs::read_to_string(said).unwrap();
    assert!(said.starts_with("fatal: task 'x' is being changed by another process"), "{said}");
    sandbox.git(&dir, ["merge-base", "--is-ancestor", "main", "x"]).ok();
    sandbox.pool(&dir, ["release", "x"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
}
