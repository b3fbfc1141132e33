//! `git integrate` on a terminal: it asks about conflicts, and does what was answered.

use std::path::{Path, PathBuf};

use crate::integrate_conflicts::{BASE, OURS, THEIRS};
use crate::support::*;

/// A repository with a task that is ready and conflicts with `main`, each side made by a script.
fn ready(sandbox: &Sandbox, base: &str, ours: &str, theirs: &str) -> PathBuf {
    let dir = sandbox.init();
    let commit = "git add -A && git commit -q --allow-empty -m change";
    sandbox.sh(&dir, &format!("set -e; {base}\n{commit}")).ok();
    let task = sandbox.task(&dir, ["add", "bug-login"]).ok().path();
    sandbox.sh(&task, &format!("set -e; {theirs}\n{commit}")).ok();
    sandbox.sh(&dir, &format!("set -e; {ours}\n{commit}")).ok();
    sandbox.task(&dir, ["ready", "bug-login"]).ok();
    dir
}

fn integrate(sandbox: &Sandbox, dir: &Path, command: &str, editor: &str) -> Pty {
    let words = ["sh".to_owned(), "-c".to_owned(), format!("exec {command}")];
    Pty::spawn_with(sandbox, dir, words, |command| {
        command.env("GIT_EDITOR", editor);
    })
}

#[test]
fn an_integration_asks_and_lands_what_was_answered() {
    for (how, parents) in [("", 3), ("--squash", 2), ("--rebase", 2)] {
        let sandbox = Sandbox::new();
        let dir = ready(&sandbox, BASE, OURS, THEIRS);
        let main = sandbox.commit_id(&dir, "main");
        let mut pty = integrate(&sandbox, &dir, &format!("git integrate {how}"), "false");
        pty.expect("3 conflicts in task 'bug-login', between main and bug-login");
        pty.expect("1/3 gone").send("2\r").expect("2/3 b.png").send("u\r").expect("Undone: gone");
        pty.expect("1/3 gone").send("main\r").expect("2/3 b.png").send("bug\r");
        pty.expect("<<<<<<< main\n  five\n=======\n  FIVE\n>>>>>>> bug-login\n").expect("3/3 f").send("3\r");
        pty.expect("Go on?").send("y\r");
        assert_eq!(pty.wait(), 0, "{how}: {}", pty.text());
        let ids = sandbox.git(&dir, ["rev-list", "--parents", "-n1", "main"]).ok().stdout;
        assert_eq!(ids.split_whitespace().count(), parents, "{how}");
        sandbox.git(&dir, ["merge-base", "--is-ancestor", &main, "main"]).ok();
        let f = std::fs::read_to_string(dir.join("f")).unwrap();
        assert_eq!(f, "1\n2\n3\n4\nfive\nFIVE\n6\n7\n8\n9\n", "{how}");
        assert_eq!(std::fs::read(dir.join("b.png")).unwrap(), b"\0c");
        assert!(dir.join("gone").exists());
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn ctrl_c_keeps_the_state_and_continue_asks_for_the_rest() {
    let sandbox = Sandbox::new();
    let dir = ready(&sandbox, BASE, OURS, THEIRS);
    let main = sandbox.commit_id(&dir, "main");
    // Without `git` in front, which may lose the race for our exit code when both get the signal.
    let mut pty = integrate(&sandbox, &dir, "git-integrate", "false");
    pty.expect("1/3 gone").send("1\r").expect("2/3 b.png").send("\x03");
    assert_eq!(pty.wait(), 130, "{}", pty.text());
    assert_eq!(sandbox.commit_id(&dir, "main"), main);
    sandbox.integrate(&dir, ["--status"]).fails(1);
    let mut pty = integrate(&sandbox, &dir, "git integrate --continue", "false");
    pty.expect("2 conflicts in task").expect("1/2 b.png").send("q\r");
    assert_eq!(pty.wait(), 1, "{}", pty.text());
    let mut pty = integrate(&sandbox, &dir, "git integrate --continue", "false");
    pty.expect("1/2 b.png").send("1\r").expect("2/2 f").send("1\r").expect("Go on?").send("y\r");
    assert_eq!(pty.wait(), 0, "{}", pty.text());
    sandbox.integrate(&dir, ["--status"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_is_left_out_or_given_up_is_gone() {
    for key in ["s", "a"] {
        let sandbox = Sandbox::new();
        let dir = ready(&sandbox, BASE, OURS, THEIRS);
        let main = sandbox.commit_id(&dir, "main");
        let mut pty = integrate(&sandbox, &dir, "git integrate", "false");
        pty.expect("1/3 gone").send("1\r").expect("2/3 b.png").send(&format!("{key}\r"));
        assert_eq!(pty.wait(), 1, "{}", pty.text());
        assert_eq!(sandbox.commit_id(&dir, "main"), main);
        sandbox.integrate(&dir, ["--status"]).ok();
        sandbox.git(&dir, ["rev-parse", "--verify", "bug-login"]).ok();
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn ctrl_c_in_the_editor_is_the_editors() {
    let sandbox = Sandbox::new();
    let dir = ready(&sandbox, "seq 1 9 > f", "sed -i s/5/five/ f", "sed -i s/5/FIVE/ f");
    let editor = sandbox.path("editor");
    let script =
        "#!/bin/sh\ntrap 'echo both > \"$1\"; echo caught >&2; exit 0' INT\necho editing >&2\nread line\n";
    std::fs::write(&editor, script).unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let command = editor.display().to_string();
    // Without `git` in front, which after a Ctrl-C only waits for us and then ends with 130 whatever we say.
    // One that dies of it takes us along, as it does git.
    let mut pty = integrate(&sandbox, &dir, "git-integrate", "echo editing >&2; read line; :");
    pty.expect("1/1 f").send("e\r").expect("editing").send("\x03");
    assert_eq!(pty.wait(), 130);
    // One that lives goes on, and the next Ctrl-C is ours again.
    let mut pty = integrate(&sandbox, &dir, "git-integrate --continue", &command);
    pty.expect("1/1 f").send("e\r").expect("editing").send("\x03").expect("caught").expect("Go on?");
    pty.send("u\r").expect("1/1 f").send("\x03");
    assert_eq!(pty.wait(), 130);
    let mut pty = integrate(&sandbox, &dir, "git-integrate --continue", &command);
    pty.expect("1/1 f")
        .send("e\r")
        .expect("editing")
        .send("\x03")
        .expect("caught")
        .expect("Go on?")
        .send("y\r");
    assert_eq!(pty.wait(), 0, "{}", pty.text());
    assert_eq!(std::fs::read_to_string(dir.join("f")).unwrap(), "both\n");
}
