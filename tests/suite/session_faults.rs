//! Sessions when something is killed, when the disk is full, when the terminal closes.

use std::path::Path;

use super::session::{let_go, start_waiting};
use crate::support::*;

/// Whatever runs, or ran, is on record; the next one starts.
fn usable(sandbox: &Sandbox, dir: &Path) {
    let ran = dir.join("../repo-worktrees/x/ran").exists();
    let last = sandbox.task(dir, ["log", "x"]);
    assert!(!ran || last.code == 0, "it ran, and nobody knows of it\n{last}");
    sandbox.task(dir, ["stop", "x"]);
    sandbox.task(dir, ["start", "x", "--background", "--", "echo", "again"]).ok();
    sandbox.task(dir, ["log", "x", "-f"]).ok().prints("again\n").says("succeeded");
    assert_eq!(sandbox.task(dir, ["list", "--format=%(running)"]).ok().stdout, "\n");
    assert_sound(sandbox, dir);
}

#[test]
#[cfg(target_os = "linux")]
fn a_start_that_is_cut_off_leaves_nothing_running_that_is_not_on_record() {
    for victim in [Victim::Ours, Victim::Caller, Victim::All] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.task(&dir, ["add", "x"]).ok();
        let command = || {
            let mut command = sandbox.command(&dir, "git-task");
            command.args(["start", "x", "--background", "--", "touch", "ran"]);
            command
        };
        killed_at_every(&sandbox, victim, Points::AtMost(12), command, |_| usable(&sandbox, &dir));
    }
}

#[test]
fn a_log_on_a_full_disk_loses_output_and_not_the_session() {
    let sandbox = Sandbox::new();
    let Some(disk) = FullDisk::mount(&sandbox, "disk", "4m") else { return };
    let dir = disk.path.join("repo");
    sandbox.git(&disk.path, ["init", "-q", "-b", "main", "repo"]).ok();
    sandbox.git(&dir, ["commit", "-q", "--allow-empty", "-m", "Begin"]).ok();
    sandbox.task(&dir, ["add", "x"]).ok();
    start_waiting(&sandbox, &dir, "x", "seq 100000; echo end >&2; exit 5").ok();
    disk.fill_up(64 << 10);
    let_go(&sandbox, "x");
    let log = sandbox.task(&dir, ["log", "x", "-f"]).ok();
    log.says("could not be written to the log").says("ended with exit code 5");
}

#[test]
fn a_session_goes_on_when_the_terminal_closes() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let script =
        "mkfifo p && exec git task start x --background -- sh -c 'read go <../../repo/p; echo alive; tty'";
    let mut pty = Pty::spawn(&sandbox, &dir, ["sh", "-c", script]);
    pty.expect("in the background");
    assert_eq!(pty.wait(), 0, "the terminal is not held\n{}", pty.text());
    drop(pty);
    sandbox.sh(&dir, "echo go >p").ok();
    sandbox.task(&dir, ["log", "x", "-f"]).ok().prints("alive\nnot a tty\n");
}
