//! `git integrate` at a terminal: its progress, and Ctrl-C while something hangs.

use std::path::{Path, PathBuf};

use crate::integrate_run::{over, ready};
use crate::support::*;

/// What the bar begins with once a task is done.
const BAR: &str = "[===";

fn integrate(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Pty {
    Pty::spawn(sandbox, dir, ["git", "integrate"].iter().chain(args))
}

fn script(sandbox: &Sandbox, path: &Path, text: &str) {
    sandbox.write(sandbox.path(""), path, format!("#!/bin/sh\n{text}\n"));
    sandbox.run(sandbox.path(""), "chmod", [Path::new("+x"), path]).ok();
}

#[test]
fn a_bar_and_what_is_done_now() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    let gate = sandbox.path("gate");
    sandbox.run(sandbox.path(""), "mkfifo", [&gate]).ok();
    let check = format!("read x <'{}'", gate.display());
    let mut pty = integrate(&sandbox, &dir, &["--check", &check]);
    pty.expect("Checking 'a': read x").expect("] 0/2");
    std::fs::write(&gate, "\n").unwrap();
    pty.expect("Checking 'b': read x").expect("] 1/2");
    std::fs::write(&gate, "\n").unwrap();
    pty.expect("TASK").expect("landed").expect("'main' went from");
    assert_eq!(pty.wait(), 0, "{}", pty.text());
    let (_, table) = pty.text().split_once("TASK").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(!table.contains("/2"), "nothing is drawn after the end: {table}");

    ready(&sandbox, &dir, "c", "c", "1\n");
    let mut pty = integrate(&sandbox, &dir, &["-q"]);
    assert_eq!(pty.wait(), 0, "{}", pty.text());
    assert!(!pty.text().contains("0/1") && !pty.text().contains("Merging"), "{}", pty.text());
}

#[test]
fn nothing_is_drawn_while_somebody_is_asked() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "README", "a\n");
    ready(&sandbox, &dir, "b", "README", "b\n");
    let mut pty = integrate(&sandbox, &dir, &[]);
    pty.expect("1/1 README").send("what\r").expect("is not one of");
    pty.expect("1/1 README").send("d\r").expect("1/1 README").send("2\r").expect("Go on?");
    let asked = pty.text();
    let (_, asked) = asked.split_once("README").unwrap();
    assert!(!asked.contains(BAR), "{asked}");
    pty.send("y\r").expect("landed");
    assert_eq!(pty.wait(), 0, "{}", pty.text());
    over(&sandbox, &dir);
}

/// A task that is ready, in a repository where `hangs` is a program that never ends.
fn hanging(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    ready(sandbox, &dir, "a", "a", "1\n");
    let hangs = sandbox.path("hangs");
    script(sandbox, &hangs, "echo it hangs >/dev/tty\nexec tail -f /dev/null");
    (dir, hangs)
}

#[test]
fn a_check_or_a_hook_that_hangs_ends_by_ctrl_c_and_the_state_is_kept() {
    for what in ["check", "pre-merge-commit", "commit-msg", "reference-transaction"] {
        let sandbox = Sandbox::new();
        let (dir, hangs) = hanging(&sandbox);
        let before = sandbox.commit_id(&dir, "main");
        let shown = hangs.display().to_string();
        let args: &[&str] = match what {
            "check" => &["--check", &shown],
            "reference-transaction" => {
                let hook = format!("case \"$1 $(cat)\" in *prepared*heads/main*) exec '{shown}' ;; esac");
                script(&sandbox, &dir.join(".git/hooks").join(what), &hook);
                &[]
            }
            hook => {
                script(&sandbox, &dir.join(".git/hooks").join(hook), &format!("exec '{shown}'"));
                &[]
            }
        };
        let mut pty = integrate(&sandbox, &dir, args);
        pty.expect("it hangs").send("\x03");
        assert_eq!(pty.wait(), 130, "{what}: {}", pty.text());
        assert_eq!(sandbox.commit_id(&dir, "main"), before, "{what}");
        assert!(!dir.join(".git/index.lock").exists(), "{what}");
        let _ = std::fs::remove_file(dir.join(".git/hooks").join(what));
        sandbox.integrate(&dir, ["--status"]).fails(1);
        if what == "check" {
            sandbox.integrate(&dir, ["--abort"]).ok();
        } else {
            sandbox.integrate(&dir, ["--continue"]).ok();
            assert!(dir.join("a").exists(), "{what}");
        }
        over(&sandbox, &dir);
    }
}

#[test]
fn a_signer_that_hangs_ends_by_ctrl_c_and_nothing_is_touched() {
    let sandbox = Sandbox::new();
    let (dir, hangs) = hanging(&sandbox);
    sandbox.git(&dir, ["config", "gpg.program", &hangs.display().to_string()]).ok();
    let before = sandbox.refs(&dir);
    let mut pty = integrate(&sandbox, &dir, &["-S"]);
    pty.expect("it hangs").send("\x03");
    assert_eq!(pty.wait(), 130, "{}", pty.text());
    assert_eq!(sandbox.refs(&dir), before);
    sandbox.integrate(&dir, ["--status"]).ok().prints("No integration is in progress.\n");
}

#[test]
fn ctrl_c_at_the_last_question_keeps_what_was_answered() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "README", "a\n");
    ready(&sandbox, &dir, "b", "README", "b\n");
    let mut pty = integrate(&sandbox, &dir, &[]);
    pty.expect("1/1 README").send("2\r").expect("Go on?").send("\x03");
    assert_eq!(pty.wait(), 130, "{}", pty.text());
    assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "A repository for tests.\n");
    sandbox.integrate(&dir, ["--status"]).fails(1);
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "b\n");
    over(&sandbox, &dir);
}
