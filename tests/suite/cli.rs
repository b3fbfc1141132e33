//! The command line itself: help, options, exit codes, streams and hints.

use crate::support::*;

const SUBCOMMANDS: &[&str] = &[
    "add", "list", "show", "path", "shell", "note", "ready", "block", "reopen", "sync", "rm", "restore",
    "prune", "repair", "move", "rename", "lock", "unlock", "diff", "patch", "trust",
];

#[test]
fn help_goes_to_stdout_with_git_s_exit_codes() {
    let sandbox = Sandbox::new();
    // Help needs no repository.
    let dir = sandbox.path("");
    let usage = sandbox.task(&dir, ["-h"]).fails(129);
    assert!(usage.stdout.starts_with("usage: git task") && usage.stderr.is_empty(), "{usage}");
    for sub in SUBCOMMANDS {
        assert!(usage.stdout.lines().any(|l| l.trim_start().starts_with(sub)), "{sub} is not in\n{usage}");
        let short = sandbox.task(&dir, [*sub, "-h"]).fails(129);
        assert!(
            short.stdout.starts_with(&format!("usage: git task {sub}")) && short.stderr.is_empty(),
            "{short}"
        );
        let long = sandbox.task(&dir, [*sub, "--help"]).ok();
        assert!(long.stdout.contains(&format!("git task {sub}")) && long.stderr.is_empty(), "{long}");
        let behind = sandbox.task(&dir, [*sub, "--", "--help"]);
        assert!(!behind.stdout.contains("usage:"), "-- ends the options: {behind}");
    }
    let version = sandbox.task(&dir, ["--version"]).ok();
    assert!(version.line().contains(env!("CARGO_PKG_VERSION")), "{version}");
    for program in ["git-pool", "git-integrate"] {
        let usage = sandbox.run(&dir, program, ["-h"]).fails(129);
        assert!(usage.stdout.starts_with("usage: ") && usage.stderr.is_empty(), "{usage}");
    }
}

#[test]
fn what_makes_no_sense_is_129() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for args in [
        &["nonsense"][..],
        &["lis"],
        &["--nonsense"],
        &["list", "--nonsense"],
        &["list", "--format"],
        &["add"],
        &["add", "x", "--priority", "high"],
        &["add", "x", "--track", "main", "-b", "y"],
        &["list", "-z"],
        &["list", "--json", "--porcelain"],
        &["rm"],
        &["path", "a", "b"],
        &["ready", "--p"],
    ] {
        let run = sandbox.refuses(&dir, args, 129, "error: ");
        assert!(run.stderr.starts_with("error: "), "{run}");
    }
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff");
    sandbox.refuses(&dir, [std::ffi::OsStr::new("add"), odd], 129, "error: ");
}

#[test]
fn long_options_may_be_cut_short_and_taken_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x", "--tit", "Title", "--prio=3", "--dry"]).ok();
    sandbox.refuses(&dir, ["add", "x", "--s", "y"], 129, "error: ");
    sandbox
        .task(&dir, ["add", "x", "--dry-run", "--no-dry-run", "--lock", "--no-lock", "--no-setup", "--setup"])
        .ok();
    sandbox.task(&dir, ["list", "--format=%(task)[%(locked)]"]).ok().prints("x[]\n");
    sandbox.task(&dir, ["list", "--all", "--no-all", "--porc"]).ok();
    sandbox.task(&dir, ["-q", "add", "y"]).ok().does_not_say("Preparing");
    sandbox.task(&dir, ["add", "-v", "--", "z"]).ok();
    // The last one counts, and a title may look like an option.
    sandbox.task(&dir, ["add", "w", "--title=--help"]).ok();
    sandbox.task(&dir, ["list", "w", "--format=%(title)"]).ok().prints("--help\n");
}

#[test]
fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    if need("bash") {
        for command in [
            "git task list",
            "git task -h",
            "git task add --help",
            "git task list --porcelain",
            "git task show x",
        ] {
            // The reader has gone before anything is written.
            let script = format!("exec 3> >(:); wait $!; {command} >&3");
            let run = sandbox.run(&dir, "bash", ["-c", &script]);
            assert!(run.stderr.is_empty() && [141, 129].contains(&run.code), "{command}: {run}");
        }
    }
    if std::path::Path::new("/dev/full").exists() {
        for command in ["list", "list --json", "show x", "path x", "note x", "add y", "list --markdown"] {
            let run = sandbox.sh(&dir, &format!("git task {command} >/dev/full")).fails(128);
            run.says("could not write to standard output").assert_one_error();
        }
        for command in ["add --help", "--version"] {
            let run = sandbox.sh(&dir, &format!("git task {command} >/dev/full"));
            assert!(run.code == 128 && run.stderr.contains("could not write"), "{command}: {run}");
        }
        assert!(sandbox.path("repo-worktrees/y").exists());
    }
    sandbox.sh(&dir, "git task list >&- 2>&-");
    sandbox.sh(&dir, "git task add closed 2>&- </dev/null").ok();
}

#[test]
fn hints_name_their_key_and_are_silent_without_it() {
    let mut sandbox = Sandbox::new();
    let dir = sandbox.init();
    let run = sandbox.refuses(&dir, ["show", "nobody"], 128, "no such task");
    let key = "advice.taskUnknown";
    assert!(run.stderr.lines().last().unwrap().contains(&format!("\"git config {key} false\"")), "{run}");
    for value in ["false", "no", "off", "0"] {
        let setting = format!("{key}={value}");
        sandbox.git(&dir, ["-c", &setting, "task", "show", "nobody"]).fails(128).does_not_say("hint:");
    }
    sandbox
        .git(&dir, ["-c", "ADVICE.TASKUNKNOWN=false", "task", "show", "nobody"])
        .fails(128)
        .does_not_say("hint:");
    sandbox.git(&dir, ["-c", "advice.taskOther=false", "task", "show", "nobody"]).fails(128).says("hint:");
    sandbox.git(&dir, ["config", key, "false"]).ok();
    sandbox.task(&dir, ["show", "nobody"]).fails(128).does_not_say("hint:");
    sandbox.git(&dir, ["config", "--unset", key]).ok();
    sandbox.set("GIT_ADVICE", "0");
    sandbox.task(&dir, ["show", "nobody"]).fails(128).does_not_say("hint:");
}

#[test]
fn in_a_worktree_the_name_may_be_left_out_and_elsewhere_not() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.write(&path, "sub/file", "x\n");
    for command in ["show", "path", "note", "diff"] {
        let named = sandbox.task(&dir, [command, "x"]).ok().stdout;
        sandbox.task(path.join("sub"), [command]).ok().prints(&named);
        sandbox.refuses(&dir, [command], 129, "which task? This is not the worktree of one");
    }
    // Also on a detached HEAD, and after the worktree was moved.
    sandbox.git(&path, ["switch", "-q", "--detach"]).ok();
    let moved = sandbox.path("elsewhere");
    sandbox.git(&dir, ["worktree", "move", path.to_str().unwrap(), moved.to_str().unwrap()]).ok();
    assert_eq!(sandbox.task(&moved, ["path"]).ok().path(), moved);
    let shell = sandbox.sh(&moved, "SHELL=/usr/bin/env git task shell").ok();
    assert!(shell.stdout.contains("GIT_TASK=x\n") && shell.stdout.contains("GIT_TASK_NOTE="), "{shell}");
    sandbox.sh(&moved, "SHELL=/bin/false git task shell").fails(1);
}

#[test]
fn bad_settings_are_named_with_their_key() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for (key, value) in [
        ("task.limit", "many"),
        ("task.trackNotes", "perhaps"),
        ("task.sync", "cherry"),
        ("task.lockTimeout", "soon"),
        ("task.trashExpire", "-1x"),
    ] {
        let setting = format!("{key}={value}");
        let run = sandbox.git(&dir, ["-c", &setting, "task", "list"]).fails(128).prints("").says(key);
        run.assert_one_error();
    }
}
