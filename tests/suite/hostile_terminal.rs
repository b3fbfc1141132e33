//! Names and texts made to move a terminal's cursor, in all places that take one, and every command that prints: on a
//! terminal there is nothing but what can be seen, and a script gets what is there.

mod stage;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use git_parallel::cli::Program;
use git_parallel::text::is_hidden;

use self::stage::{EVIL, NAME, Stage, WIDE, plain, stage, toml};
use crate::support::*;

const FORMATS: [&[&str]; 4] = [&["--porcelain"], &["--porcelain", "-z"], &["--json"], &[]];

/// `show` and the like in all their formats.
#[track_caller]
fn all_formats(stage: &Stage, args: &[&str], format: Option<&str>) {
    for more in FORMATS {
        // A NUL is what -z asks for.
        if more.contains(&"-z") {
            let all = [args, more].concat();
            stage.note(&all);
            let quietly = |command: &mut std::process::Command| {
                command.env("GIT_TERMINAL_PROMPT", "0");
            };
            let mut pty = Pty::spawn_with(&stage.sandbox, &stage.dir, WIDE.iter().chain(&all), quietly);
            pty.wait();
            let raw: Vec<u8> = pty.raw().iter().copied().filter(|b| *b != 0).collect();
            if let Err(why) = plain(&raw) {
                stage.is_wrong(&all, &why);
            }
            assert!(pty.raw().contains(&0), "{all:?}");
        } else {
            stage.shows(&[args, more].concat());
        }
    }
    if let Some(format) = format {
        stage.shows(&[args, &[format]].concat());
    }
}

#[test]
fn nothing_reaches_a_terminal_but_what_is_seen() {
    let stage = stage();
    let (sandbox, dir) = (&stage.sandbox, &stage.dir);
    stage.shows(&["task", "trust", "--yes"]);
    stage.shows(&["task", "add", "a", "--title", EVIL, "--goal", EVIL, "--scope", EVIL]);
    stage.see(&["task", "add", "b", "--after", "a", "--title", EVIL]);
    stage.shows(&["task", "add", "n", "-n", "--title", EVIL]);
    stage.shows(&["task", "add", "n", "-n", "--json", "--title", EVIL]);
    for (task, content) in [("a", "ours\n"), ("b", "theirs\n")] {
        sandbox.commit(stage.task_path(task), EVIL, content, EVIL);
    }
    sandbox.write(stage.task_path("a"), format!("new {EVIL}"), "new\n");
    let file = sandbox.path("plan.toml");
    std::fs::write(&file, format!("[[task]]\nname = 'p'\n{} = 1\n", toml(EVIL))).unwrap();
    stage.shows(&["task", "add", "--from", file.to_str().unwrap()]);
    stage.see(&["task", "block", "b", "-m", EVIL]);
    stage.see(&["task", "note", "b", "--blocker", EVIL, "--next", EVIL]);
    stage.shows(&["task", "note", "b"]);
    stage.see_in(dir, &["task", "note", "b", "--edit"], |c| {
        c.env("GIT_EDITOR", "true");
    });
    stage.see(&["task", "lock", "b", "--reason", EVIL]);
    stage.see(&["task", "rm", "-f", "b"]);
    all_formats(&stage, &["task", "show", "b"], Some("--format=%(goal) %(blocker) %(reason)"));
    all_formats(&stage, &["task", "list", "-v"], Some("--format=%(worktree) %(title)"));
    stage.shows(&["task", "list", "--all", "--markdown"]);
    stage.talks(&["task", "list", "--watch=60"], |pty| {
        pty.expect("TASK").expect("blocked").send("\x03");
    });
    stage.see(&["task", "unlock", "b"]);
    stage.shows(&["task", "path", "a"]);
    stage.see_in(dir, &["task", "shell", "a"], |c| {
        c.env("SHELL", "true");
    });
    stage.shows(&["task", "prompt", "a"]);
    stage.see_in(dir, &["task", "diff", "a", "--", "--stat"], |c| {
        c.env("GIT_PAGER", "cat");
    });
    stage.shows(&["task", "patch", "a", "-o", EVIL]);
    stage.see(&["task", "ready", "a"]);
    std::fs::remove_file(stage.task_path("a").join(format!("new {EVIL}"))).unwrap();
    stage.see(&["task", "reopen", "b"]);
    all_formats(&stage, &["task", "overlap", "--scope"], Some("--format=%(files) %(conflicts)"));
    stage.see(&["task", "start", "a", "--background", "--", "printf", EVIL]);
    let text = stage.see(&["task", "log", "-f", "a"]);
    stage.see(&["task", "stop", "a"]);
    if !text.contains("dlrow\nThe session") {
        stage.is_wrong(&["task", "log"], &text);
    }
    stage.see(&["task", "run", "a", "--session", EVIL]);
    stage.see(&["task", "run", "a"]);
    stage.see(&["task", "run", "a", "--json"]);
    let says = "printf %s \"$0\"; read x; exit 3";
    stage.talks(&["task", "run", "a", "--", "sh", "-c", says, EVIL], |_| ());
    sandbox.task(dir, ["ready", "a", "b"]).ok();
    sandbox.git(dir, ["config", "integrate.check", &format!("printf %s '{EVIL}'; exit 1")]).ok();
    stage.talks(&["task", "watch"], |pty| {
        pty.expect("Watching").expect("fails when merged into").send("\x03");
    });
    sandbox.git(dir, ["config", "--unset", "integrate.check"]).ok();
    // What fails is blocked.
    sandbox.task(dir, ["ready", "a", "b"]).ok();
    all_formats_of_integrate(&stage);
    stage.see(&["task", "sync", "b"]);
    sandbox.git(stage.task_path("b"), ["merge", "--abort"]);
    stage.see(&["task", "rename", "b", "bb"]);
    let elsewhere = sandbox.path(format!("else{EVIL}"));
    stage.see(&["task", "move", "bb", elsewhere.to_str().unwrap()]);
    std::fs::rename(&elsewhere, sandbox.path(format!("gone{EVIL}"))).unwrap();
    std::fs::write(&elsewhere, "").unwrap();
    sandbox.task(dir, ["add", "m"]).ok();
    stage.shows(&["task", "move", "m", elsewhere.to_str().unwrap()]);
    stage.shows(&["task", "repair", "-n"]);
    stage.shows(&["task", "repair"]);
    stage.see(&["task", "rm", "-f", "bb"]);
    stage.shows(&["task", "restore", "bb"]);
    stage.see(&["task", "rm", "-f", "bb"]);
    stage.see(&["task", "prune", "-n", "--expire=now"]);
    stage.see(&["task", "prune", "--expire=now"]);
    the_pool(&stage);
    stage.see(&["task", "completion", "bash"]);
    stage.shows(&["task", "install-man", &format!("man{EVIL}")]);
    let home = sandbox.path(format!("home{EVIL}"));
    std::fs::create_dir(&home).unwrap();
    let at_home = |c: &mut std::process::Command| {
        c.env("HOME", &home).env_remove("XDG_DATA_HOME");
    };
    stage.see_in(dir, &["task", "install-completions"], at_home);
    every_command_was_seen(&stage);
    what_is_wrong(&stage);
    let wrong = stage.wrong.take();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn all_formats_of_integrate(stage: &Stage) {
    let (sandbox, dir) = (&stage.sandbox, &stage.dir);
    for more in FORMATS {
        if more.contains(&"-z") {
            continue;
        }
        stage.shows(&[&["integrate", "-n"], more].concat());
        stage.shows(&[&["integrate", "--on-conflict=stop"], more].concat());
        stage.shows(&[&["integrate", "--status"], more].concat());
        stage.shows(&[&["integrate", "--continue"], more].concat());
        stage.see(&[&["integrate", "--skip"], more].concat());
        stage.see(&[&["integrate", "--undo"], more].concat());
        sandbox.task(dir, ["ready", "a", "b"]);
        stage.see(&["integrate", "--abort"]);
    }
    stage.talks(&["integrate", "--on-conflict=ask"], |pty| {
        pty.expect("1 conflict");
        for key in ["d", "?", "x", "q"] {
            pty.expect("[1,2,3,").send(&format!("{key}\r"));
        }
    });
    stage.see(&["integrate", "--quit"]);
    let check = format!("printf %s '{EVIL}'; exit 1");
    stage.see(&["integrate", "a", "--check", "true", "-m", EVIL, "--keep", "--no-check"]);
    stage.shows(&["integrate", "b", "--check", &check, "--on-conflict=ours"]);
    stage.see(&["integrate", "--abort"]);
    let path = sandbox.task(dir, ["add", "h"]).ok().path();
    sandbox.commit(&path, "h", "h\n", EVIL);
    sandbox.task(&path, ["ready"]).ok();
    let program = |file: &Path| {
        let text = format!("#!/bin/sh\nprintf '%s\\n' '{EVIL}' >&2\nexit 1\n");
        std::fs::write(file, text).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let hook = dir.join(".git/hooks/pre-merge-commit");
    program(&hook);
    stage.shows(&["integrate", "h"]);
    stage.shows(&["integrate", "--status"]);
    stage.shows(&["integrate", "--abort"]);
    std::fs::remove_file(hook).unwrap();
    let remote = sandbox.publish(dir);
    program(&remote.bare.join("hooks/pre-receive"));
    sandbox.git(dir, ["remote", "rename", "origin", NAME]).ok();
    sandbox.git(dir, ["branch", "-u", &format!("{NAME}/{NAME}")]).ok();
    let text = stage.shows(&["integrate", "h", "--push"]);
    if !text.contains("remote: e\\x1b]0;own") {
        stage.is_wrong(&["integrate", "--push"], &text);
    }
}

fn the_pool(stage: &Stage) {
    stage.see(&["pool", "init", "2"]);
    stage.shows(&["pool", "claim", "--holder", EVIL, "--no-refill"]);
    stage.shows(&["pool", "claim", "--holder", EVIL, "--no-refill", "--json"]);
    all_formats(stage, &["pool", "list", "--disk"], Some("--format=%(holder) %(worktree)"));
    let list = stage.sandbox.pool(&stage.dir, ["list", "--format=%(slot) %(worktree)"]).ok().stdout;
    let path = list.lines().next().unwrap().split_once(' ').unwrap().1.to_owned();
    std::fs::write(Path::new(&path).join(EVIL.replace('e', "x")), "").unwrap();
    stage.shows(&["pool", "release", &path]);
    stage.shows(&["pool", "renew", EVIL]);
    stage.see(&["pool", "fill", "1"]);
    stage.see(&["pool", "drain"]);
    stage.see(&["pool", "repair", "-n"]);
}

/// Every command with a hostile name, option and value: what is wrong with them is said.
fn what_is_wrong(stage: &Stage) {
    let option = format!("--{EVIL}");
    for program in [Program::Task, Program::Pool, Program::Integrate].map(Program::command) {
        let name = program.get_name().strip_prefix("git-").unwrap().to_owned();
        stage.shows(&[&name, EVIL]);
        stage.shows(&[&name, &option]);
        for sub in program.get_subcommands() {
            // What an editor, a shell or a session prints is theirs.
            stage.shows(&[&name, sub.get_name(), &option]);
            stage.see(&[&name, sub.get_name(), EVIL]);
            for arg in sub.get_arguments().filter(|arg| arg.get_action().takes_values() && !arg.is_hide_set())
            {
                let Some(long) = arg.get_long().filter(|long| *long != "color") else { continue };
                stage.see(&[&name, sub.get_name(), &format!("--{long}={EVIL}"), EVIL]);
            }
        }
    }
}

/// A new command, or a new way of one to print, is to be looked at above.
fn every_command_was_seen(stage: &Stage) {
    const WAYS: [&str; 10] = [
        "porcelain",
        "json",
        "format",
        "markdown",
        "watch",
        "dry-run",
        "status",
        "continue",
        "skip",
        "abort",
    ];
    let seen = stage.seen.borrow();
    for program in [Program::Task, Program::Pool, Program::Integrate].map(Program::command) {
        let name = program.get_name().strip_prefix("git-").unwrap().to_owned();
        let subs: Vec<_> = program.get_subcommands().cloned().collect();
        let all = subs.iter().map(|sub| (format!("{name} {}", sub.get_name()), sub));
        for (name, command) in all.chain(subs.is_empty().then_some((name.clone(), &program))) {
            assert!(seen.contains(&name), "git {name} was not looked at");
            let ways = command.get_arguments().filter_map(|arg| arg.get_long());
            for way in ways.filter(|way| WAYS.contains(way)) {
                assert!(seen.contains(&format!("{name} --{way}")), "git {name} --{way} was not looked at");
            }
        }
    }
}

#[test]
fn a_script_gets_what_is_there() {
    let stage = stage();
    let (sandbox, dir) = (&stage.sandbox, &stage.dir);
    sandbox.task(dir, ["trust", "--yes"]).ok();
    sandbox.task(dir, ["add", "a", "--title", EVIL, "--scope", EVIL]).ok();
    sandbox.task(dir, ["block", "a", "-m", EVIL]).ok();
    let path = stage.task_path("a");
    assert!(path.exists(), "{path:?}");
    let (path, base) = (path.to_str().unwrap(), format!("refs/heads/{NAME}"));
    for command in ["list", "show"] {
        let args = |more| [command, "a", more];
        let text = sandbox.task(dir, args("--format=%(title)|%(scope)|%(base)|%(worktree)")).ok().stdout;
        assert_eq!(text, format!("{EVIL}|{EVIL}|{base}|{path}\n"));
        let text = sandbox.task(dir, [command, "a", "--porcelain", "-z"]).ok().stdout;
        for line in [format!("title {EVIL}"), format!("base {base}"), format!("worktree {path}")] {
            assert!(text.split('\0').any(|have| have == line), "{line:?} in {text:?}");
        }
        let text = sandbox.task(dir, args("--json")).ok().stdout;
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json[0]["title"], &json[0]["base"]), (&EVIL.into(), &base.as_str().into()));
        assert_eq!(json[0]["worktree"], path);
    }
    assert!(
        sandbox.task(dir, ["prompt", "a"]).ok().raw_stdout.windows(EVIL.len()).any(|w| w == EVIL.as_bytes())
    );
}
