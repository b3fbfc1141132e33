//! `git task ready`, `block` and `reopen`.

use crate::support::*;

fn begin(sandbox: &Sandbox) -> (std::path::PathBuf, std::path::PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    (dir, path)
}

#[test]
fn ready_needs_a_commit_and_a_clean_worktree() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.refuses(&path, ["ready"], 128, "task 'x' has no commit of its own");
    sandbox.commit(&dir, "m", "m\n", "Main goes on");
    sandbox.refuses(&path, ["ready"], 128, "task 'x' has no commit of its own");
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.write(&path, "new", "x\n");
    sandbox.refuses(&path, ["ready"], 128, "uncommitted changes or untracked files (1)");
    std::fs::remove_file(path.join("new")).unwrap();
    sandbox.write(&path, "a", "changed\n");
    sandbox.refuses(&dir, ["ready", "x"], 128, "uncommitted changes");
    sandbox.git(&path, ["add", "a"]).ok();
    sandbox.refuses(&path, ["ready"], 128, "uncommitted changes");
    sandbox.git(&path, ["commit", "-qm", "Change"]).ok();
    let tip = sandbox.commit_id(&path, "HEAD");
    sandbox.task(&path, ["ready"]).ok().prints("");
    sandbox.git(&dir, ["config", "task.x.readyTip"]).ok().prints(&format!("{tip}\n"));
    sandbox.git(&dir, ["config", "task.x.ready"]).ok().prints(&format!("{NOW}\n"));
    sandbox.refuses(&dir, ["ready"], 129, "which task?");
}

#[test]
fn ready_refuses_what_is_under_way() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&path, "README", "theirs\n", "Work");
    sandbox.commit(&dir, "README", "ours\n", "Main");
    sandbox.git(&path, ["merge", "-q", "main"]).fails(1);
    sandbox.refuses(&path, ["ready"], 128, "merge").says("git merge --continue");
    sandbox.git(&path, ["merge", "--abort"]).ok();
    sandbox.git(&path, ["rebase", "-q", "-x", "false", "HEAD~1"]).fails(1);
    sandbox.refuses(&path, ["ready"], 128, "a rebase is in progress").says("git rebase --continue");
    sandbox.git(&path, ["rebase", "--abort"]).ok();
    sandbox.task(&path, ["ready"]).ok();
}

#[test]
fn ready_means_the_branch_that_is_checked_out() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.git(&path, ["switch", "-qc", "aside"]).ok();
    sandbox.commit(&path, "b", "b\n", "Work on another branch");
    sandbox.refuses(&dir, ["ready", "x"], 128, "'aside'");
    sandbox.git(&path, ["switch", "-q", "--detach"]).ok();
    sandbox.refuses(&dir, ["ready", "x"], 128, "detached");
    sandbox.git(&path, ["switch", "-q", "x"]).ok();
    sandbox.task(&dir, ["ready", "x"]).ok();
}

#[test]
fn what_the_base_has_already_is_no_work() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.git(&dir, ["merge", "-q", "x"]).ok();
    sandbox.refuses(&path, ["ready"], 128, "no commit of its own");
}

#[test]
fn blocked_says_why_until_it_is_not() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let keys = ["list", "--format=%(state)[%(reason)]"];
    sandbox.task(&path, ["block", "-m", "Needs a key\nfrom Ann"]).ok();
    sandbox.task(&dir, keys).ok().prints("blocked[Needs a key\nfrom Ann]\n");
    assert!(sandbox.task(&dir, ["list"]).ok().stdout.contains("blocked: Needs a key\n"));
    sandbox.task(&dir, ["block", "x"]).ok();
    sandbox.task(&dir, keys).ok().prints("blocked[]\n");
    sandbox.task(&dir, ["reopen", "x", "-m", "Got it"]).ok();
    sandbox.task(&dir, keys).ok().prints("open[Got it]\n");
    sandbox.refuses(&dir, ["reopen", "x"], 128, "is already open");
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.task(&dir, ["block", "x", "-m", "Later"]).ok();
    sandbox.task(&dir, ["ready", "x"]).ok();
    sandbox.task(&dir, keys).ok().prints("ready[]\n");
    sandbox.task(&dir, ["reopen", "x"]).ok();
    sandbox.task(&dir, keys).ok().prints("open[]\n");
    sandbox.git(&dir, ["config", "--get-regexp", "task.x.ready"]).fails(1);
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    for command in ["ready", "block", "reopen"] {
        let run = sandbox.task(&dir, [command, "x"]).fails(128).says("was dropped").says("restore x");
        run.assert_one_error();
    }
    sandbox.task(&dir, [""; 0]).ok().prints("");
}

#[test]
fn several_are_refused_one_by_one() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "a", "b", "c"]).ok();
    for task in ["a", "c"] {
        sandbox.commit(sandbox.path(format!("repo-worktrees/{task}")), "f", task, "Work");
    }
    let run = sandbox.task(&dir, ["ready", "a", "b", "nobody", "c"]).fails(1);
    run.clone().says("error: task 'b' has no commit of its own").says("error: no such task: 'nobody'");
    assert!(!run.stderr.contains("fatal"), "{run}");
    let list = ["list", "--format=%(task) %(state)"];
    sandbox.task(&dir, list).ok().prints("a ready\nb open\nc ready\n");
    sandbox.refuses(&dir, ["ready", "nobody"], 128, "fatal: no such task: 'nobody'");
}

#[test]
fn two_who_change_a_task_at_once_both_get_their_turn() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let tasks: Vec<_> = (0..12).map(|i| format!("t{i}")).collect();
    sandbox.task(&dir, ["add"].into_iter().chain(tasks.iter().map(String::as_str))).ok();
    let writer = ForeignConfigWriter::start(&sandbox, &dir);
    at_once(12, |i| sandbox.task(&dir, ["block", &tasks[i], "-m", "why"]).ok());
    drop(writer);
    let listed = sandbox.task(&dir, ["list", "--format=%(state) %(reason)"]).ok().stdout;
    assert_eq!(listed, "blocked why\n".repeat(12));
    assert_sound(&sandbox, &dir);
}
