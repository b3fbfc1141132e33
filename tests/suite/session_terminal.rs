//! Sessions in the foreground: the terminal, its keys and its signals.

use crate::support::*;

/// A repository with a task `x`.
fn ground() -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    (sandbox, dir)
}

#[test]
fn the_terminal_is_the_session_s() {
    let (sandbox, dir) = ground();
    let script =
        "test -t 0 && test -t 1 && test -t 2 && printf 'name? ' && read name && echo \"hello $name\"; exit 4";
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "start", "x", "--", "sh", "-c", script]);
    pty.expect("name? ").send("me\r").expect("hello me");
    assert_eq!(pty.wait(), 4, "{}", pty.text());
}

#[test]
fn ctrl_c_is_the_session_s_to_answer() {
    let (sandbox, dir) = ground();
    let script = "trap 'echo caught' INT; echo up; read a; echo \"got $a\"; exit 5";
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "start", "x", "--", "bash", "-c", script]);
    if !need("bash") {
        return;
    }
    pty.expect("up").send("\x03").expect("caught");
    pty.send("on\r").expect("got");
    assert_eq!(pty.wait(), 5, "{}", pty.text());
    let mut pty =
        Pty::spawn(&sandbox, &dir, ["git", "task", "start", "x", "--", "sh", "-c", "echo up; read a"]);
    pty.expect("up").send("\x03");
    assert_eq!(pty.wait(), 130, "{}", pty.text());
    sandbox.task(&dir, ["list", "--format=%(running)"]).ok().prints("\n");
}

#[test]
fn ctrl_z_leads_back_to_the_shell_and_fg_to_the_session() {
    if !need("bash") {
        return;
    }
    let (sandbox, dir) = ground();
    for pipe in ["", " | cat"] {
        let mut bash = Pty::spawn_with(&sandbox, &dir, ["bash", "--norc", "--noprofile", "-i"], |c| {
            c.env("PS1", "ready> ").env("HISTFILE", "/dev/null");
        });
        let start =
            format!("git task start x -- sh -c 'echo u\"\"p; read a; echo \"got $a\"; exit 6'{pipe}\r");
        bash.expect("ready> ").send(&start).expect("up");
        bash.send("\x1a").expect("Stopped").expect("ready> ");
        bash.send("git task list --format='%(task)=%(running)' x\r").expect("x=17").expect("ready> ");
        bash.send("fg\r").expect("git task start").send("word\r").expect("got word").expect("ready> ");
        bash.send("echo code=$? ${PIPESTATUS[0]}\r").expect(if pipe.is_empty() {
            "code=6"
        } else {
            "code=0"
        });
        bash.expect("ready> ").send("exit\r");
        bash.wait();
    }
}

#[test]
fn in_the_background_of_a_shell_a_session_stops_when_it_wants_the_terminal() {
    if !need("bash") {
        return;
    }
    let (sandbox, dir) = ground();
    let mut bash = Pty::spawn_with(&sandbox, &dir, ["bash", "--norc", "--noprofile", "-i"], |c| {
        c.env("PS1", "ready> ").env("HISTFILE", "/dev/null");
    });
    let start = "git task start x -- sh -c 'read a; echo \"got $a\"; exit 6' &\r";
    bash.expect("ready> ").send(start).expect("ready> ");
    // Bash says so before its next prompt; wait returns when the job is stopped.
    bash.send("wait %1; jobs\r").expect("Stopped").expect("ready> ");
    bash.send("fg\r").expect("git task start").send("word\r").expect("got word").expect("ready> ");
    bash.send("echo code=$?\r").expect("code=6").expect("ready> ").send("exit\r");
    bash.wait();
}

#[test]
fn signals_that_we_get_are_passed_on() {
    let (sandbox, dir) = ground();
    let script = "trap 'echo TERM; exit 9' TERM; echo up; while :; do sleep 0.1; done";
    let run = format!(
        "mkfifo p; git-task start x -- sh -c \"{script}\" >p & pid=$!; read up <p; exec 3<p; kill -TERM $pid; wait $pid; echo $?"
    );
    let run = sandbox.sh(&dir, &run.replace("read up <p; exec 3<p;", "exec 3<p; read up <&3;")).ok();
    assert_eq!(run.stdout, "9\n", "{run}");
}

#[test]
fn a_log_moves_no_cursor_on_a_terminal_and_is_whole_in_a_pipe() {
    let (sandbox, dir) = ground();
    let raw = "\x1b[32mgreen\x1b[m\x1b[2J\x1b]0;title\x07\r\n";
    let print = ["start", "x", "--background", "--", "printf", "%s", raw];
    sandbox.task(&dir, print).ok();
    sandbox.task(&dir, ["log", "x", "-f"]).ok().prints(raw);
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "--no-pager", "task", "log", "x"]);
    assert_eq!(pty.wait(), 0);
    let shown = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(shown.contains("\x1b[32mgreen\x1b[m\\x1b[2J\\x1b]0;title\\x07\r\n"), "{shown:?}");
}

#[test]
fn the_board_shows_each_task_in_a_line_of_its_own() {
    let (sandbox, dir) = ground();
    sandbox.task(&dir, ["add", "longer-name"]).ok();
    let fifo = sandbox.path("go");
    sandbox.run(&dir, "mkfifo", [&fifo]).ok();
    let script = format!(
        "printf '\\033[31mred %s\\033[m\\n' $GIT_TASK; test $GIT_TASK = x && read a <'{}'; true",
        fifo.display()
    );
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "run", "--", "sh", "-c", &script]);
    // Under each other, the colour of the session left out.
    pty.expect("x            ").expect("red x").expect("] 1/2");
    std::fs::write(&fifo, "go\n").unwrap();
    assert_eq!(pty.wait(), 0, "{}", pty.text());
    assert!(pty.text().contains("2 succeeded in"), "{}", pty.text());
    assert!(!pty.text().contains("x1b"), "{}", pty.text());
}
