//! Which tasks `git integrate` takes, and into which branch.

use serde_json::Value;

use crate::integrate_plan::{lines, ready, refuses, work};
use crate::support::*;

#[test]
fn what_moved_since_it_was_ready_is_not_ready() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = ready(&sandbox, &dir, "x", &[]);
    ready(&sandbox, &dir, "gone", &[]);
    ready(&sandbox, &dir, "y", &[]);
    sandbox.commit(&path, "more", "more\n", "More");
    sandbox.git(&dir, ["worktree", "remove", "--force", "../repo-worktrees/gone"]).ok();
    sandbox.git(&dir, ["branch", "-qD", "gone"]).ok();
    assert_eq!(
        lines(&sandbox, &dir, &[]),
        ["merged y", "skipped gone has lost its branch", "skipped x has moved since it became ready"]
    );
    refuses(&sandbox, &dir, &["x"], 128, "fatal: task 'x' has moved since it became ready\n")
        .says("git task ready x")
        .says("advice.integrateReady");
    refuses(&sandbox, &dir, &["gone"], 128, "the branch of task 'gone' is gone: 'refs/heads/gone'");
    refuses(&sandbox, &dir, &["y", "gone", "x"], 128, "is gone: 'refs/heads/gone'; task 'x' has moved since");
    sandbox.task(&dir, ["ready", "x"]).ok();
    assert_eq!(lines(&sandbox, &dir, &["x"]), ["merged x"]);
}

#[test]
fn names_that_are_not_ready_are_refused_with_the_reason() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["open", "blocked", "dropped", "landed"] {
        work(&sandbox, &dir, name, &[]);
    }
    sandbox.task(&dir, ["add", "-q", "review", "--track", "main"]).ok();
    sandbox.task(&dir, ["block", "blocked", "-m", "x"]).ok();
    // Said in config: `rm` goes on deleting in the background, and here nothing may change meanwhile.
    sandbox.git(&dir, ["config", "task.dropped.state", "dropped"]).ok();
    sandbox.git(&dir, ["config", "task.landed.state", "integrated"]).ok();
    for (name, message) in [
        ("open", "task 'open' is not ready"),
        ("blocked", "task 'blocked' is blocked"),
        ("dropped", "task 'dropped' was dropped"),
        ("landed", "task 'landed' is already integrated"),
        ("review", "follows another branch and has none to integrate"),
        ("nobody", "no such task: 'nobody'"),
        ("\u{1b}[2J", "no such task: '\\x1b[2J'"),
    ] {
        refuses(&sandbox, &dir, &[name], 128, message);
    }
    sandbox.integrate(&dir, ["continue"]).fails(128).says("hint: Did you mean 'git integrate --continue'?");
    // Nothing is ready: no failure, and one line that says so.
    for (args, name) in [(&[][..], ""), (&["--into", "main"], " for 'main'")] {
        let run = sandbox.integrate(&dir, ["-n"].iter().chain(args)).ok().prints("");
        run.says(&format!("Nothing to integrate: no task is ready{name}.\n"));
    }
    sandbox.integrate(&dir, ["-n", "-q"]).ok().prints("").does_not_say("N");
    sandbox.integrate(&dir, ["-n", "--json"]).ok().prints("{\n  \"tasks\": []\n}\n");
}

#[test]
fn the_target_is_a_branch() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "x", &[]);
    sandbox.git(&dir, ["tag", "v1"]).ok();
    sandbox.git(&dir, ["tag", "-m", "annotated", "v2"]).ok();
    sandbox.git(&dir, ["update-ref", "refs/remotes/origin/topic", "HEAD"]).ok();
    let id = sandbox.commit_id(&dir, "HEAD");
    for (name, message) in [
        ("v1", "a branch is expected, got tag 'v1'"),
        ("refs/tags/v2", "a branch is expected, got tag 'refs/tags/v2'"),
        ("origin/topic", "a branch is expected, got remote branch 'origin/topic'"),
        ("HEAD~0", "a branch is expected, got commit 'HEAD~0'"),
        (id.as_str(), "a branch is expected, got commit"),
        ("nothing", "invalid reference: nothing"),
        ("-x", "invalid reference: -x"),
        ("", "invalid reference:"),
        ("x", "'x' is the branch of task 'x'"),
    ] {
        refuses(&sandbox, &dir, &[&format!("--into={name}"), "x"], 128, message);
    }
    sandbox.git(&dir, ["config", "integrate.into", "v1"]).ok();
    refuses(&sandbox, &dir, &[], 128, "got tag 'v1'");
    sandbox.git(&dir, ["config", "integrate.into", "other"]).ok();
    sandbox.git(&dir, ["branch", "other"]).ok();
    let into = |args: &[&str]| {
        let run = sandbox.integrate(&dir, ["-n", "--json"].iter().chain(args)).ok();
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        (json["target"].as_str().unwrap_or_default().to_owned(), json["tasks"].as_array().unwrap().len())
    };
    assert_eq!(into(&[]), ("refs/heads/other".to_owned(), 1));
    assert_eq!(into(&["--into", "main"]), ("refs/heads/main".to_owned(), 1));
    assert_eq!(into(&["--into", "refs/heads/main", "x"]), ("refs/heads/main".to_owned(), 1));
}

#[test]
fn several_bases_need_a_choice() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["branch", "dev"]).ok();
    ready(&sandbox, &dir, "x", &["--base", "main"]);
    ready(&sandbox, &dir, "y", &["--base", "dev"]);
    let run = refuses(&sandbox, &dir, &[], 128, "the tasks go to several branches: 'dev', 'main'");
    run.says("--into <branch>").says("advice.integrateInto");
    refuses(&sandbox, &dir, &["x", "y"], 128, "the tasks go to several branches");
    assert_eq!(lines(&sandbox, &dir, &["--into", "dev"]), ["merged y"]);
    assert_eq!(lines(&sandbox, &dir, &["x"]), ["merged x"]);
    assert_eq!(lines(&sandbox, &dir, &["--into", "dev", "x", "y"]), ["merged x", "merged y"]);
    sandbox.git(&dir, ["config", "task.y.after", "x"]).ok();
    assert_eq!(
        lines(&sandbox, &dir, &["--into", "dev"]),
        ["skipped y comes after 'x', which goes to another branch"]
    );
    sandbox.git(&dir, ["branch", "-qm", "dev", "elsewhere"]).ok();
    refuses(&sandbox, &dir, &["y"], 128, "the base of task 'y' is gone: 'dev'").says("--into");
}
