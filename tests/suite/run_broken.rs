//! `git task run`: commands that go wrong, runs that are cut off.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use super::run::{events, outcomes, session, team};
use crate::support::*;

/// A named pipe through which a session says that it has come to some point, or waits for us.
struct Fifo(PathBuf);

impl Fifo {
    fn new(sandbox: &Sandbox, name: &str) -> Self {
        let path = sandbox.path(name);
        sandbox.run(sandbox.root(), "mkfifo", [&path]).ok();
        Fifo(path)
    }

    /// Waits until somebody has written a line and closed it.
    #[track_caller]
    fn wait(&self) -> String {
        let path = self.0.clone();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
            let _ = send.send(text);
        });
        receive.recv_timeout(std::time::Duration::from_secs(60)).expect("the session comes to this point")
    }

    /// Lets one that reads from it go on.
    #[track_caller]
    fn release(&self) {
        std::fs::write(&self.0, "go\n").expect("somebody reads");
    }
}

/// Starts a run that goes on while we do something else.
fn in_background(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Child {
    // The program itself and not git, so that a signal reaches it.
    let mut command = sandbox.command(dir, "git-task");
    command.arg("run").args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it can be started")
}

#[test]
fn commands_that_go_wrong() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a"]).ok();
    for (command, why) in [
        (&["./no-such-command"][..], "exit code 127"),
        (&["sh", "-c", "exit 127"], "exit code 127"),
        (&["sh", "-c", "kill -9 $$"], "was killed by signal 9"),
        (&["/"], "exit code 126"),
        (&["sh", "-c", "exit 3"], "exit code 3"),
    ] {
        let run = Run::of(sandbox.git_command(&dir, ["task", "run", "--"]).args(command), b"").fails(1);
        assert!(run.stdout.contains(why), "{why}\n{run}");
    }
}

#[test]
fn what_hangs_is_ended() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "-q", "a"]).ok().path();
    let hang = "trap 'echo asked >>asked; exit 0' TERM; tail -f /dev/null & wait";
    let run = sandbox.task(&dir, ["run", "--timeout", "1s", "--", "sh", "-c", hang]).fails(1);
    assert!(run.stdout.contains("took longer than 1s"), "{run}");
    assert_eq!(std::fs::read_to_string(path.join("asked")).unwrap(), "asked\n");
    team(
        &sandbox,
        &dir,
        "[session.default]\ncommand = 'true'\n[[stage]]\nname = 's'\ngate = 'tail -f {path}/README'\n",
    );
    let run = sandbox.task(&dir, ["run", "--timeout", "1s"]).fails(1);
    assert!(run.stdout.contains("the gate of stage 's' took longer than 1s"), "{run}");
    sandbox.task(&dir, ["list", "--format=%(state)"]).ok().prints("blocked\n");
    // Nothing is left of it.
    let left = sandbox.run(&dir, "ps", ["-eo", "args"]).ok().stdout;
    let ours = format!("tail -f {}", path.display());
    assert!(!left.lines().any(|args| args.starts_with(&ours)), "{left}");
}

#[test]
fn a_daemon_does_not_hold_the_run() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "-q", "a"]).ok().path();
    sandbox.task(&dir, ["run", "--", "sh", "-c", "tail -f /dev/null & echo $! >pid; echo done"]).ok();
    sandbox.sh(&path, "kill $(cat pid)");
}

#[test]
fn a_session_that_fails_is_tried_again() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "-q", "a"]).ok().path();
    let third = "echo x >>tries; test $(wc -l <tries) = 3";
    sandbox.task(&dir, ["run", "--retry", "1", "--", "sh", "-c", third]).fails(1).says("is tried again");
    assert_eq!(std::fs::read_to_string(path.join("tries")).unwrap(), "x\nx\n");
    let run = sandbox.task(&dir, ["run", "--json", "--retry", "5", "--", "sh", "-c", third]).ok();
    assert_eq!(events(&run).iter().filter(|e| e["event"] == "started").count(), 1);
    // One that isn't there will not be there the next time.
    let run = sandbox.task(&dir, ["run", "--json", "--retry", "5", "--", "./no-such"]).fails(1);
    assert_eq!(events(&run).iter().filter(|e| e["event"] == "started").count(), 1);
}

#[test]
fn a_run_goes_on_when_an_update_has_replaced_the_program() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b"]).ok();
    let program = sandbox.home().join("git-task");
    std::fs::copy(env!("CARGO_BIN_EXE_git-task"), &program).unwrap();
    let mut run = sandbox.command(&dir, program.to_str().unwrap());
    run.args(["run", "--json", "-j1", "--", "rm", "-f"]).arg(&program);
    let run = Run::of(&mut run, b"").ok();
    assert!(!program.exists());
    assert_eq!(outcomes(&run), ["a succeeded", "b succeeded"]);
}

#[test]
fn there_is_one_run_at_a_time() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a"]).ok();
    let (begun, go) = (Fifo::new(&sandbox, "begun"), Fifo::new(&sandbox, "go"));
    let script = "echo x >../../begun; read x <../../go";
    let mut first = in_background(&sandbox, &dir, &["--", "sh", "-c", script]);
    begun.wait();
    let named = format!("another 'git task run' is under way: process {}", first.id());
    sandbox.refuses(&dir, ["run", "--", "true"], 128, &named);
    sandbox.refuses(&dir, ["run", "--resume"], 128, &named);
    go.release();
    assert!(first.wait().unwrap().success());
    sandbox.task(&dir, ["run", "--", "true"]).ok();
}

/// Four tasks, of which `a` succeeds and `b` and `c` wait for us; `d` comes after `b`.
fn half_way(sandbox: &Sandbox, dir: &Path) {
    sandbox.task(dir, ["add", "-q", "a", "b", "c"]).ok();
    sandbox.task(dir, ["add", "-q", "d", "--after", "b"]).ok();
    let script = "echo x >>../count-{task}; case {task} in b|c) echo x >../../begun-{task}; \
                  read x <../../go-{task} ;; esac; echo {task} >{task}; git add {task}; git commit -qm {task}";
    session(sandbox, dir, script);
}

fn counts(sandbox: &Sandbox) -> String {
    sandbox
        .sh(sandbox.path("repo-worktrees"), "cat count-* | wc -l; ls count-*")
        .ok()
        .stdout
        .replace('\n', " ")
}

#[test]
fn a_run_that_is_killed_goes_on_and_nothing_is_done_twice() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    half_way(&sandbox, &dir);
    let begun = ["b", "c"].map(|t| Fifo::new(&sandbox, &format!("begun-{t}")));
    let go = ["b", "c"].map(|t| Fifo::new(&sandbox, &format!("go-{t}")));
    let mut first = in_background(&sandbox, &dir, &["-j", "2"]);
    begun.iter().for_each(|fifo| drop(fifo.wait()));
    first.kill().unwrap();
    first.wait().unwrap();
    // One ends while nobody looks, the other when the second run has found it.
    go[0].release();
    let mut second = in_background(&sandbox, &dir, &["--resume"]);
    go[1].release();
    assert!(second.wait().unwrap().success());
    assert_eq!(counts(&sandbox), "4 count-a count-b count-c count-d ");
    assert!(sandbox.path("repo-worktrees/d/b").exists());
    sandbox.task(&dir, ["run", "--resume"]).ok().says("nothing to resume");
    assert_sound(&sandbox, &dir);
}

#[test]
fn ctrl_c_ends_the_sessions_politely_and_the_run_can_be_resumed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b"]).ok();
    let script = "echo x >>../count-{task}; test {task} = a || { trap 'echo bye >../bye; exit 1' TERM; \
                  echo waiting for you; tail -f /dev/null & wait; }";
    session(&sandbox, &dir, script);
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "run"]);
    pty.expect("waiting for you").send("\x03");
    assert_eq!(pty.wait(), 130, "{}", pty.text());
    assert!(pty.text().contains("not run") && pty.text().contains("git task run --resume"), "{}", pty.text());
    assert_eq!(std::fs::read_to_string(sandbox.path("repo-worktrees/bye")).unwrap(), "bye\n");
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(raw.rfind("\x1b[?25h") >= raw.rfind("\x1b[?25l"), "the cursor is shown again: {raw:?}");
    session(&sandbox, &dir, "echo x >>../count-{task}");
    let run = sandbox.task(&dir, ["run", "--resume", "--json"]).ok();
    assert_eq!(outcomes(&run), ["b succeeded"]);
    assert_eq!(counts(&sandbox), "3 count-a count-b ");
}

#[test]
fn a_terminal_shows_what_is_under_way() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b"]).ok();
    let go = Fifo::new(&sandbox, "go");
    session(
        &sandbox,
        &dir,
        "echo 'step one'; printf 'step \\033[2Jtwo\\n'; test {task} = b || read x <../../go",
    );
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "run"]);
    // Neither carried out nor spelled out.
    pty.expect("step two").expect("1/2");
    go.release();
    assert_eq!(pty.wait(), 0, "{}", pty.text());
    assert!(pty.text().contains("2 succeeded in "), "{}", pty.text());
}

#[test]
fn a_session_of_somebody_else_is_not_doubled() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "-q", "a"]).ok().path();
    let (begun, go) = (Fifo::new(&sandbox, "begun"), Fifo::new(&sandbox, "go"));
    let script = "echo x >../../begun; read x <../../go";
    sandbox.task(&dir, ["start", "a", "--background", "--", "sh", "-c", script]).ok();
    begun.wait();
    let run = sandbox.task(&dir, ["run", "--", "touch", "ran"]).fails(1);
    assert!(run.stdout.contains("already has a session"), "{run}");
    assert!(!path.join("ran").exists());
    go.release();
}

#[test]
fn a_full_disk_ends_the_run_which_can_be_resumed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    // So many that the record needs another page of the disk soon.
    let names: Vec<String> = (0..16).map(|n| format!("t{n:02}")).collect();
    sandbox.task(&dir, ["add", "-q"].into_iter().chain(names.iter().map(String::as_str))).ok();
    let Some(disk) = FullDisk::mount(&sandbox, "repo/.git/git-parallel/run", "64k") else { return };
    let (begun, go) = (Fifo::new(&sandbox, "begun"), Fifo::new(&sandbox, "go"));
    let wait = "test {task} != t01 || { echo x >../../begun; read x <../../go; }";
    session(&sandbox, &dir, &format!("echo x >>../count-{{task}}; {wait}"));
    let mut first = sandbox.command(&dir, "git-task");
    first.args(["run", "-j1"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let first = first.spawn().expect("it can be started");
    begun.wait();
    disk.fill_up(0);
    go.release();
    let output = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(128), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    std::fs::remove_file(disk.path.join("ballast")).unwrap();
    session(&sandbox, &dir, "echo x >>../count-{task}");
    sandbox.task(&dir, ["run", "--resume"]).ok();
    let counted = counts(&sandbox);
    assert!(names.iter().all(|name| counted.contains(&format!("count-{name} "))), "{counted}");
    // At most the one whose end could not be recorded is done again.
    assert!(counted.starts_with("16 ") || counted.starts_with("17 "), "{counted}");
}

/// Eight tasks in three phases with commands that edit, build, test and commit; one fails and one conflicts.
#[test]
fn eight_tasks_in_three_phases() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, "build.sh", "cat src/* >app 2>/dev/null; test -s app\n", "Build");
    sandbox.commit(&dir, "test.sh", "! grep -q BUG src/*\n", "Test");
    sandbox.commit(&dir, "shared", "line\n", "Shared");
    let mut plan = String::new();
    for (name, phase, after) in [
        ("schema", 1, ""),
        ("model", 1, "'schema'"),
        ("buggy", 1, ""),
        ("left", 2, ""),
        ("right", 2, ""),
        ("both", 2, "'left', 'right'"),
        ("docs", 3, ""),
        ("after-bug", 3, "'buggy'"),
    ] {
        plan.push_str(&format!("[[task]]\nname = '{name}'\nphase = {phase}\nafter = [{after}]\n"));
    }
    sandbox.write(&dir, "plan.toml", plan);
    sandbox.task(&dir, ["add", "-q", "--from", "plan.toml"]).ok();
    let work = "mkdir -p src && case {task} in buggy) echo BUG ;; *) echo {task} ;; esac >src/{task} && \
                case {task} in left|right) echo {task} >shared ;; esac && \
                sh build.sh && sh test.sh && git add src shared && git commit -qm {task} && \
                echo x >>../count-{task} && { test {task} != model || kill -9 $(cat ../run-pid) ; }";
    session(&sandbox, &dir, work);
    let mut run: Command = sandbox.command(&dir, "sh");
    run.args(["-c", "echo $$ >../repo-worktrees/run-pid; exec git-task run --keep-going -j2"]);
    Run::of(&mut run, b"").fails(137);
    // Nobody is there to be killed the second time.
    std::fs::remove_file(sandbox.path("repo-worktrees/run-pid")).unwrap();
    let run = sandbox.task(&dir, ["run", "--resume", "--json"]).fails(1);
    let mut all = outcomes(&run);
    all.retain(|o| !o.starts_with("schema"));
    let expected = [
        "after-bug blocked",
        "both blocked",
        "buggy failed",
        "docs blocked",
        "left succeeded",
        "model succeeded",
        "right succeeded",
    ];
    assert_eq!(all, expected, "{run}");
    // Nobody was there twice, neither before nor after the kill.
    assert_eq!(counts(&sandbox), "4 count-left count-model count-right count-schema ");
    // What comes after the two that don't go together needs them together.
    let docs = events(&run).into_iter().find(|e| e["task"] == "docs" && e["event"] == "ended").unwrap();
    assert!(docs["reason"].as_str().unwrap().contains("conflicts in shared"), "{run}");
    sandbox.write(sandbox.path("repo-worktrees/docs"), "shared", "both\n");
    sandbox.sh(sandbox.path("repo-worktrees/docs"), "git add shared && git commit -q --no-edit").ok();
    let run = sandbox.task(&dir, ["run", "--resume", "--json"]).fails(1);
    assert_eq!(outcomes(&run), ["after-bug blocked", "both blocked", "buggy failed", "docs succeeded"]);
    assert!(sandbox.path("repo-worktrees/docs/src/model").exists());
    sandbox.task(&dir, ["list", "both", "--format=%(state) %(operation)"]).ok().prints("blocked merge\n");
    assert_sound(&sandbox, &dir);
}
