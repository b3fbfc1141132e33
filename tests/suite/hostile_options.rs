//! Names that look like options: of branches, tasks, paths, pathspecs and remotes. None of them is one, and none
//! writes or runs anything.

use std::path::Path;

use crate::support::*;

/// What git would take for an order if it stood where options do.
const NAMES: [&str; 4] =
    ["-x", "--output=pwned", "--exec=touch${IFS}pwned", "--upload-pack=touch${IFS}pwned"];

#[track_caller]
fn nothing_ran(sandbox: &Sandbox, name: &str) {
    let found = sandbox.sh(sandbox.path(""), "find . -name pwned").ok();
    assert!(found.stdout.is_empty(), "{name}: {found}");
}

/// A repository whose branch has such a name.
fn on_branch(sandbox: &Sandbox, name: &str) -> std::path::PathBuf {
    let dir = sandbox.init();
    let full = format!("refs/heads/{name}");
    sandbox.git(&dir, ["update-ref", &full, "HEAD"]).ok();
    sandbox.git(&dir, ["symbolic-ref", "HEAD", &full]).ok();
    dir
}

fn run(sandbox: &Sandbox, at: &Path, program: &str, args: &[&str]) -> Run {
    let run = Run::of(sandbox.git_command(at, [program]).args(args), b"");
    assert!(!run.stderr.contains("usage: git ") && !run.stderr.contains("panicked"), "{run}");
    run
}

#[test]
fn a_base_that_looks_like_an_option_is_a_branch() {
    for name in NAMES {
        let sandbox = Sandbox::new();
        let dir = on_branch(&sandbox, name);
        let task = |args: &[&str]| run(&sandbox, &dir, "task", args);
        let pool = |args: &[&str]| run(&sandbox, &dir, "pool", args);
        let integrate = |args: &[&str]| run(&sandbox, &dir, "integrate", args);
        task(&["add", "a"]).ok();
        task(&["add", "b", &format!("--base={name}"), "--clone"]).ok();
        task(&["add", "c", &format!("--track={name}")]).ok();
        task(&["add", "d", &format!("--branch={name}")]).fails(128).prints("");
        task(&["add", "d", &format!("--branch=new/{name}"), &format!("--scope={name}")]).ok();
        pool(&["init", "1", &format!("--base={name}")]).ok();
        for task_name in ["a", "b", "d"] {
            let path = task(&["path", task_name]).ok().path();
            sandbox.commit(&path, format!("{task_name}/{name}"), task_name, name);
        }
        sandbox.commit(&dir, "main", "main\n", "Main");
        for args in [
            &["list"][..],
            &["show", "a"],
            &["sync", "a", "b", "c", "d"],
            &["sync", "d", "--rebase"],
            &["overlap", "--scope"],
            &["diff", "a", "--", "--stat"],
            &["patch", "a", "-o", "mails"],
            &["prompt", "d"],
            &["repair", "-n"],
            &["ready", "a", "b", "d"],
        ] {
            task(args).ok();
        }
        pool(&["claim", "e", &format!("--base={name}"), &format!("--holder={name}"), "--no-refill"]).ok();
        pool(&["list"]).ok();
        pool(&["release", "e"]).ok();
        integrate(&["-n"]).ok();
        integrate(&["-n", &format!("--into={name}")]).ok();
        integrate(&["--no-check", "--message=--output=pwned"]).ok();
        integrate(&["--status"]).ok();
        integrate(&["--undo"]).ok();
        task(&["rm", "-f", "a", "b", "c", "d"]).ok();
        task(&["restore", "a", "b", "c", "d"]).ok();
        task(&["prune", "-n"]).ok();
        pool(&["drain"]).ok();
        sandbox.git(&dir, ["rev-parse", "--verify", &format!("refs/heads/{name}")]).ok();
        nothing_ran(&sandbox, name);
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_configured_like_an_option_is_none() {
    for name in &NAMES[1..3] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let remote = sandbox.publish(&dir);
        let path = sandbox
            .task(&dir, ["add", "x", &format!("--title={name}"), &format!("--session={name}")])
            .ok()
            .path();
        sandbox.commit(&path, name, "x\n", name);
        sandbox.task(&dir, ["ready", "x"]).ok();
        sandbox.write(&dir, ".env", "secret\n");
        let team = format!("[setup]\ncopy = ['{name}', '.env']\n");
        sandbox.write(&dir, ".config/git-parallel.toml", &team);
        sandbox.write(&dir, ".worktreeinclude", format!("{name}\n"));
        for key in [
            "branch.main.remote",
            "branch.main.pushRemote",
            "branch.main.merge",
            "remote.pushDefault",
            "task.odd.branch",
            "task.odd2.track",
            "task.odd.base",
            "task.odd.scope",
            "task.odd.after",
            "task.x.scope",
            "task.base",
            "pool.base",
            "integrate.into",
            "integrate.message",
            "task.sync",
        ] {
            sandbox.git(&dir, ["config", key, name]).ok();
            for (program, args) in [
                ("task", &["list"][..]),
                ("task", &["show", "x"]),
                ("task", &["sync", "x"]),
                ("task", &["sync", "odd"]),
                ("task", &["sync", "odd2"]),
                ("task", &["overlap", "--scope"]),
                ("task", &["add", "y"]),
                ("task", &["rm", "-f", "y"]),
                ("task", &["add", "y", "--reuse", "--track=origin/main"]),
                ("task", &["rm", "-f", "y"]),
                ("task", &["repair", "-n"]),
                ("pool", &["claim", "--no-refill"]),
                ("integrate", &["-n"]),
                ("integrate", &["x", "--push", "--keep"]),
                ("integrate", &["--undo"]),
            ] {
                let ran = run(&sandbox, &dir, program, args);
                assert!([0, 1, 2, 128].contains(&ran.code), "{key}: {ran}");
            }
            nothing_ran(&sandbox, &format!("{key} = {name}"));
            if !key.starts_with("task.odd") {
                sandbox.git(&dir, ["config", "--unset", key]).ok();
            }
            sandbox.task(&dir, ["ready", "x"]);
        }
        assert!(remote.bare.exists());
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn a_remote_that_looks_like_an_option_is_a_remote() {
    let mut sandbox = Sandbox::new();
    let ran = sandbox.path("ssh-ran");
    sandbox.set("GIT_SSH_COMMAND", format!("touch '{}'; false", ran.display()));
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "x", "x\n", "X");
    sandbox.task(&path, ["ready"]).ok();
    sandbox.git(&dir, ["config", "branch.main.remote", "--exec=touch pwned"]).ok();
    sandbox.integrate(&dir, ["x", "--push"]).fails(1).says("was not pushed");
    assert!(!ran.exists());
}

#[test]
fn a_word_that_looks_like_an_option_is_no_task() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in NAMES {
        for command in ["show", "path", "rm", "ready", "sync", "prompt", "log", "restore", "lock", "diff"] {
            sandbox.task(&dir, [command, name]).fails(129);
            if command != "diff" {
                sandbox.refuses(&dir, [command, "--", name], 128, "");
            }
        }
        sandbox.pool(&dir, ["release", "--", name]).fails(128);
        sandbox.integrate(&dir, ["--", name]).fails(128);
        nothing_ran(&sandbox, name);
    }
}
