//! Worktrees whose `.git` leads nowhere: their repository was moved, or another tool wrote it.

use std::fs;

use crate::integrate_run::{ready, workshop};
use crate::pool::{claim, states, with_pool};
use crate::support::*;

#[test]
fn a_repository_that_was_moved_finds_its_tasks_and_slots_again() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    let claimed = claim(&sandbox, &dir, &[]);
    sandbox.write(&claimed, "mine", "mine\n");
    sandbox.git(&dir, ["config", "task.pool", "false"]).ok();
    let paths = ["x", "y"].map(|name| sandbox.task(&dir, ["add", name]).ok().path());
    sandbox.commit(&paths[0], "work", "work\n", "Work");
    sandbox.write(&paths[0], "README", "changed\n");
    let moved = sandbox.path("moved");
    fs::rename(&dir, &moved).unwrap();
    // git's own words, and what helps.
    let run = sandbox.task(&moved, ["rm", "x"]).fails(128);
    run.says("not a git repository: ").says("hint: If the repository was moved, 'git task repair'");
    let found = sandbox.task(&moved, ["repair", "-n"]).fails(1).stdout;
    assert_eq!(found.matches("leads nowhere").count(), 2, "{found}");
    let found = sandbox.pool(&moved, ["repair", "-n"]).fails(1).stdout;
    assert_eq!(found.matches("leads nowhere").count(), 2, "{found}");
    sandbox.pool(&moved, ["repair"]).ok();
    sandbox.task(&moved, ["repair"]).ok();
    for command in ["task", "pool"] {
        sandbox.git(&moved, [command, "repair", "-n"]).ok().prints("");
    }
    sandbox.git(&paths[0], ["status", "--porcelain"]).ok().prints(" M README\n");
    sandbox.git(&paths[0], ["log", "-1", "--format=%s"]).ok().prints("Work\n");
    sandbox.git(&claimed, ["status", "--porcelain"]).ok().prints("?? mine\n");
    assert_eq!(states(&sandbox, &moved), "1 claimed\n2 idle\n");
    sandbox.task(&moved, ["rm", "y"]).ok();
    assert_sound(&sandbox, &moved);
}

#[test]
fn an_integration_goes_on_where_its_repository_was_moved() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.integrate(&dir, ["--check", "true"]).ok();
    ready(&sandbox, &dir, "b", "b", "1\n");
    let moved = sandbox.path("moved");
    fs::rename(&dir, &moved).unwrap();
    sandbox.task(&moved, ["repair"]).ok();
    fs::write(workshop(&sandbox).join(".git"), "gitdir: /nowhere\n").unwrap();
    sandbox.integrate(&moved, ["--check", "true"]).ok();
    assert!(moved.join("b").exists());
}

#[test]
fn one_that_leads_to_another_repository_is_left_alone() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let other = sandbox.init_with("other", &[]);
    let text = format!("gitdir: {}\n", other.join(".git").display());
    fs::write(path.join(".git"), &text).unwrap();
    sandbox.task(&dir, ["repair"]).ok().does_not_say("leads nowhere");
    assert_eq!(fs::read_to_string(path.join(".git")).unwrap(), text);
}
