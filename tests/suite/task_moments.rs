//! What another process does to a task while a command looks at it or changes it.

use crate::meanwhile::ours;
use crate::pool::{claim, states, with_pool};
use crate::support::*;

/// Holds when git is about to run this.
fn runs(words: &str) -> String {
    format!("case \"$*\" in '{words}'*) ;; *) false ;; esac")
}

#[test]
fn a_task_is_not_reopened_that_somebody_makes_again() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    sandbox.task(&dir, ["rm", "x"]).ok();
    sandbox.git(&dir, ["config", "task.x.state", "integrated"]).ok();
    let said = sandbox.path("said");
    let reopen = format!("env -u GIT_DIR git task reopen x 2>'{}'", said.display());
    sandbox.before_git(&runs("worktree add"), &reopen);
    ours(&sandbox, &dir, "git-task add x --reuse").ok();
    let said = std::fs::read_to_string(said).unwrap();
    assert!(said.starts_with("fatal: task 'x' is being changed by another process"), "{said}");
    sandbox.task(&dir, ["reopen", "x"]).fails(128).says("task 'x' is already open\n");
}

#[test]
fn who_says_that_a_task_is_ready_is_answered_what_has_become_of_it() {
    let remove = |sandbox: &Sandbox, dir: &std::path::Path, command: &str| {
        let line = format!("env -u GIT_DIR git -C '{}' {command}", dir.display());
        sandbox.before_git(&runs("status"), &format!("{line} >/dev/null 2>&1"));
    };
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "x", "1\n", "Work");
    remove(&sandbox, &dir, "task rm -f x");
    ours(&sandbox, &dir, "git-task ready x").fails(128).says("fatal: task 'x' was dropped\n");

    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let slot = claim(&sandbox, &dir, &["x"]);
    sandbox.commit(&slot, "x", "1\n", "Work");
    sandbox.write(&slot, "mine", "mine\n");
    // What is not committed is not in the way any more.
    remove(&sandbox, &dir, "pool release -f x");
    ours(&sandbox, &dir, "git-task ready x").ok();
    sandbox.task(&dir, ["list", "--format=%(state)"]).ok().prints("ready\n");

    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "x", "1\n", "Work");
    remove(&sandbox, &dir, "task move x ../elsewhere");
    ours(&sandbox, &dir, "git-task ready x").ok();
}

#[test]
fn a_branch_that_somebody_renames_first_is_gone_and_nothing_else_has_changed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.before_git(&runs("branch -m"), "\"$git\" branch -m x his");
    let gone = "fatal: the branch of task 'x' is gone: 'refs/heads/x'\n";
    ours(&sandbox, &dir, "git-task rename x y").fails(128).says(gone);
    sandbox.git(&path, ["symbolic-ref", "--short", "HEAD"]).ok().prints("his\n");
    sandbox.git(&dir, ["branch", "--list", "y"]).ok().prints("");
    sandbox.task(&dir, ["repair"]).ok().prints("mended: task 'x': its branch was renamed to 'his'\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_branch_that_somebody_renames_while_its_worktree_is_made_is_gone() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    // What git has of it then: a HEAD that leads nowhere, and an index without entries.
    let add = "\"$git\" \"$@\" --no-checkout && \"$git\" branch -m x his\n\
         cd ../repo-worktrees/x && unset GIT_DIR && \"$git\" read-tree --empty && \"$git\" symbolic-ref HEAD refs/heads/x\n\
         exit 0";
    sandbox.before_git(&runs("worktree add"), add);
    let run = ours(&sandbox, &dir, "git-task add x").fails(128);
    run.says("fatal: the branch of task 'x' is gone: 'refs/heads/x'\n").does_not_say("are kept");
    sandbox.task(&dir, ["list", "--all", "--format=%(task)"]).ok().prints("");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_branch_that_somebody_renames_while_its_task_is_restored_is_gone() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.write(&path, "mine", "mine\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    let rename = "\"$git\" \"$@\" && \"$git\" branch -m x his && echo 'fatal: Not a valid object name HEAD' >&2; exit 128";
    sandbox.before_git(&runs("worktree add"), rename);
    let gone = "fatal: the branch of task 'x' is gone: 'refs/heads/x'\n";
    ours(&sandbox, &dir, "git-task restore x").fails(128).says(gone);
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(std::fs::read_to_string(path.join("mine")).unwrap(), "mine\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_worktree_that_goes_while_git_looks_at_all_is_in_nobodys_way() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    // What git says then; the next one looks again.
    let going =
        "echo \"fatal: Invalid path '$PWD/.git/worktrees/y': No such file or directory\" >&2; exit 128";
    for command in ["lock", "unlock"] {
        sandbox.before_git(&runs(&format!("worktree {command}")), going);
        ours(&sandbox, &dir, &format!("git-task {command} x")).ok();
        std::fs::remove_dir(sandbox.root().join("tmp/once")).unwrap();
    }
}

#[test]
fn a_commit_that_is_made_while_the_branch_is_renamed_is_not_lost() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "x", "1\n", "Work");
    // As git does it, when the commit comes between its two looks at the branch.
    let commit = format!(
        "export GIT_DIR='{}/.git'; cd '{0}'; was=$(\"$git\" rev-parse HEAD)\n\
         \"$git\" commit -q --allow-empty -m meanwhile && now=$(\"$git\" rev-parse HEAD)\n\
         \"$git\" update-ref refs/heads/x $was\n\
         echo \"error: cannot lock ref 'refs/heads/x': is at $now but expected $was\" >&2\n\
         echo 'error: unable to delete old refs/heads/x' >&2\n\
         echo 'fatal: Branch rename failed' >&2; exit 128",
        path.display()
    );
    sandbox.before_git(&runs("branch -m"), &commit);
    ours(&sandbox, &dir, "git-task rename x y").ok();
    sandbox.git(&path, ["log", "--format=%s", "-1", "y"]).ok().prints("meanwhile\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_task_and_a_slot_that_are_made_at_once_get_a_place_each() {
    let begin = || {
        let sandbox = Sandbox::new();
        let dir = with_pool(&sandbox, 1);
        let path = sandbox.task(&dir, ["add", "x"]).ok().path();
        assert!(path.ends_with("pool-1"));
        sandbox.commit(&path, "mine", "mine\n", "Work");
        sandbox.task(&dir, ["rm", "-f", "x"]).ok();
        sandbox.pool(&dir, ["drain"]).ok();
        // Only from here on: the pool is seen to in the background, and one waits for that.
        sandbox.git(&dir, ["config", "task.lockTimeout", "0"]).ok();
        (sandbox, dir)
    };
    let meanwhile = |sandbox: &Sandbox, dir: &std::path::Path, git: &str, command: &str| {
        let (here, said) = (dir.display(), sandbox.path("said"));
        let line = format!("env -u GIT_DIR git -C '{here}' {command} >'{}' 2>&1", said.display());
        sandbox.before_git(&runs(git), &line);
        said
    };
    let (sandbox, dir) = begin();
    let said = meanwhile(&sandbox, &dir, "worktree add", "task restore x");
    ours(&sandbox, &dir, "git-pool fill 1").ok();
    let said = std::fs::read_to_string(said).unwrap();
    assert!(said.contains("pool-1' is being changed by another process"), "{said}");
    let path = sandbox.task(&dir, ["restore", "x"]).ok().path();
    assert!(path.join("mine").exists() && !path.ends_with("pool-1"));
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
    assert_sound(&sandbox, &dir);

    let (sandbox, dir) = begin();
    meanwhile(&sandbox, &dir, "worktree add", "pool fill 1");
    let path = ours(&sandbox, &dir, "git-task restore x").ok().path();
    assert!(path.join("mine").exists() && path.ends_with("pool-1"));
    assert_eq!(states(&sandbox, &dir), "2 idle\n");
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_directory_that_somebody_else_has_filled_meanwhile_is_not_taken_over() {
    let refused = |sandbox: &Sandbox, dir: &std::path::Path, line: &str| {
        let place = sandbox.path("repo-worktrees/x");
        let run = ours(sandbox, dir, line).fails(128);
        run.says(&format!("fatal: '{}' already exists\n", place.display())).does_not_say("hook");
        let there = sandbox.git(&place, ["rev-parse", "--abbrev-ref", "HEAD"]).ok();
        assert!(!there.line().starts_with('x'), "{there}");
        sandbox.git(dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
        sandbox.task(dir, ["repair", "-n"]).ok().prints("");
        place
    };
    for line in ["git-task add x", "git-task add x --track main"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.before_git(&runs("worktree add"), "\"$git\" worktree add -q --detach ../repo-worktrees/x");
        let place = refused(&sandbox, &dir, line);
        sandbox.task(&dir, ["list", "--all"]).ok().prints("");
        sandbox.git(&dir, ["worktree", "remove", place.to_str().unwrap()]).ok();
    }
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for options in [&["--no-pool"][..], &["--clone"]] {
        sandbox.task(&dir, ["add", "--reuse", "x"].iter().chain(options)).ok();
        sandbox.task(&dir, ["rm", "x"]).ok();
        std::fs::remove_dir_all(sandbox.root().join("tmp/once")).unwrap_or_default();
        let (what, make) = match options {
            ["--clone"] => ("clone ", "\"$git\" clone -q . ../repo-worktrees/x"),
            _ => ("worktree add", "\"$git\" worktree add -q --detach ../repo-worktrees/x"),
        };
        sandbox.before_git(&format!("case \"$*\" in *'{what}'*) ;; *) false ;; esac"), make);
        let run = ours(&sandbox, &dir, "git-task restore x").fails(128);
        let place = sandbox.path("repo-worktrees/x");
        run.says(&format!("'{}' already exists", place.display()));
        sandbox.git(&place, ["status", "--porcelain"]).ok().prints("");
        sandbox.git(&dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
        std::fs::remove_dir_all(&place).unwrap();
        sandbox.git(&dir, ["worktree", "prune"]).ok();
    }
}

#[test]
fn a_branch_that_somebody_brings_back_first_needs_no_mending() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "x", "1\n", "Work");
    sandbox.git(&dir, ["branch", "-m", "x", "elsewhere"]).ok();
    sandbox.git(&path, ["checkout", "-q", "--detach"]).ok();
    sandbox.before_git(&runs("update-ref"), "\"$git\" branch -m elsewhere x");
    ours(&sandbox, &dir, "git-task repair").ok().prints("");
    sandbox.git(&dir, ["log", "-1", "--format=%s", "x"]).ok().prints("Work\n");
}

#[test]
fn each_of_several_tasks_is_looked_at_where_it_is_when_its_turn_comes() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    for name in ["a", "x", "y", "z"] {
        let path = sandbox.task(&dir, ["add", name]).ok().path();
        sandbox.commit(&path, name, "1\n", "Work");
    }
    let here = dir.display();
    let slot = sandbox.task(&dir, ["path", "a"]).ok().path();
    assert!(slot.ends_with("pool-1"));
    sandbox.pool(&dir, ["release", "a"]).ok();
    // Moved, removed, and brought into a slot, each with something that is not committed.
    let script = format!(
        "(unset GIT_DIR; cd '{here}' && git task move x ../elsewhere && echo 1 >../elsewhere/dirty\n\
         git task rm y -f; git pool claim a && echo 1 >'{}/dirty') >/dev/null 2>&1",
        slot.display()
    );
    sandbox.before_git(&runs("symbolic-ref"), &script);
    let run = ours(&sandbox, &dir, "git-task ready z x y a").fails(1);
    run.says("error: task 'x' has uncommitted changes or untracked files (1)")
        .says("error: task 'y' was dropped")
        .says("error: task 'a' has uncommitted changes or untracked files (1)");
    let states = sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().stdout;
    let mut states: Vec<_> = states.lines().collect();
    states.sort_unstable();
    assert_eq!(states, ["a open", "x open", "y dropped", "z ready"]);
}

#[test]
fn a_worktree_that_git_could_not_see_when_it_renamed_the_branch_is_on_it_too() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    // As where it can't read the directory: then there are no worktrees to it.
    let unseen = "mv .git/worktrees .git/unseen; \"$git\" \"$@\"; mv .git/unseen .git/worktrees; exit 0";
    sandbox.before_git(&runs("branch -m"), unseen);
    ours(&sandbox, &dir, "git-task rename x y").ok();
    sandbox.git(&path, ["symbolic-ref", "--short", "HEAD"]).ok().prints("y\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_task_is_renamed_with_its_branch_also_where_git_cannot_write_the_configuration() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.git(&path, ["config", "branch.x.description", "mine"]).ok();
    // Somebody else is writing it just when git gets there.
    let lock = dir.join(".git/config.lock").display().to_string();
    let late = format!(">'{lock}'; \"$git\" \"$@\"; code=$?; rm '{lock}'; exit $code");
    sandbox.before_git("case \" $* \" in *' branch -m x y '*) ;; *) false ;; esac", &late);
    ours(&sandbox, &dir, "git-task rename x y").ok();
    sandbox.task(&dir, ["list", "--format=%(task) %(branch)"]).ok().prints("y refs/heads/y\n");
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/y\n");
    sandbox.git(&path, ["config", "branch.y.description"]).ok().prints("mine\n");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
}
