//! The harness itself: a helper that can't fail would prove nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::*;

/// What `work` panics with.
fn panic_of(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it panics");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).expect("a panic with a text")
}

#[test]
fn nothing_of_the_outside_gets_in() {
    let sandbox = Sandbox::new();
    let env = sandbox.run(sandbox.path(""), "env", [""; 0]).ok().stdout;
    let root = sandbox.root().to_str().expect("a temporary directory has a plain name");
    for line in env.lines() {
        let (name, value) = line.split_once('=').expect("env prints name=value");
        let known = ["GIT_", "XDG_", "HOME", "PATH", "TMPDIR", "TZ", "LC_ALL", "TERM", "PWD"];
        assert!(known.iter().any(|k| name.starts_with(k)), "{line}");
        if ["HOME", "TMPDIR"].contains(&name) || name.starts_with("XDG_") {
            assert!(value.starts_with(root), "{line}");
        }
    }
    sandbox.git(sandbox.path(""), ["config", "--get", "user.name"]).fails(1).prints("");
    sandbox.git(sandbox.path(""), ["rev-parse", "--git-dir"]).fails(128);
}

#[test]
fn the_chosen_git_finds_the_commands_just_built() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["git-task", "git-pool", "git-integrate"] {
        let found = sandbox.sh(&dir, &format!("command -v {name}")).ok().path();
        assert_eq!(found, sandbox.root().join("bin").join(name));
        assert!(found.exists());
    }
    let trace = Run::of(sandbox.git_command(&dir, ["task", "-h"]).env("GIT_TRACE", "1"), b"");
    trace.says("git-task -h");
    let version = sandbox.sh(&dir, "git version").ok().stdout;
    assert!(version.starts_with(&format!(
        "git version {}.{}",
        git_under_test().version.0,
        git_under_test().version.1
    )));
}

#[test]
fn repositories_are_the_same_each_time() {
    let ids = || {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.commit(&dir, "sub dir/a", "a\n", "Add a")
    };
    assert_eq!(ids(), ids());
}

#[test]
fn a_large_repository_is_clean() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init_large("large", 1234);
    assert_eq!(sandbox.git(&dir, ["ls-files"]).ok().stdout.lines().count(), 1234);
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn others_push_to_a_remote() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let remote = sandbox.publish(&dir);
    let main = remote.commit("main", "theirs", "1\n", "Theirs");
    let topic = remote.commit("topic", "topic", "1\n", "Topic");
    sandbox.git(&dir, ["fetch", "--quiet"]).ok();
    assert_eq!(sandbox.commit_id(&dir, "origin/main"), main);
    assert_eq!(sandbox.commit_id(&dir, "origin/topic~1"), main);
    assert_eq!(sandbox.commit_id(&dir, "origin/topic"), topic);
}

#[test]
fn a_failed_expectation_shows_everything() {
    let sandbox = Sandbox::new();
    let run = || sandbox.sh(sandbox.path(""), "echo out; echo err >&2; exit 3");
    let text = panic_of(|| drop(run().ok()));
    for part in ["expected exit code 0", "sh -c", "exit code 3", "out\n", "err\n"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    panic_of(|| drop(run().fails(4)));
    panic_of(|| drop(run().says("out")));
    panic_of(|| drop(run().prints("out")));
    panic_of(|| drop(run().does_not_say("err")));
    run().fails(3).prints("out\n").says("err").does_not_say("out");
    let killed = sandbox.sh(sandbox.path(""), "kill -9 $$");
    assert_eq!(killed.code, 137);
}

#[test]
fn leftovers_are_found() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    assert_sound(&sandbox, &dir);
    for left in [".git/config.lock", ".git/refs/heads/x.lock", ".git/git-parallel/trust.tmp1"] {
        sandbox.write(&dir, left, "");
        let text = panic_of(|| assert_sound(&sandbox, &dir));
        assert!(text.contains("left behind") && text.contains(left), "{text}");
        std::fs::remove_file(dir.join(left)).unwrap();
    }
    assert_sound(&sandbox, &dir);
    let object = sandbox.git(&dir, ["rev-parse", "HEAD^{tree}"]).ok().line().to_owned();
    std::fs::remove_file(dir.join(".git/objects").join(&object[..2]).join(&object[2..])).unwrap();
    assert!(panic_of(|| assert_sound(&sandbox, &dir)).contains("missing"));
}

#[test]
fn work_at_once_overlaps() {
    let barrier = std::sync::Barrier::new(8);
    let done = at_once(8, |i| {
        // Each waits for all: this ends only if all run at the same time.
        barrier.wait();
        i
    });
    assert_eq!(done, Vec::from_iter(0..8));
    panic_of(|| drop(at_once(2, |i| assert_eq!(i, 0))));
}

#[test]
fn a_foreign_writer_writes_and_stops() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let writer = ForeignConfigWriter::start(&sandbox, &dir);
    while writer.written() < 3 {
        std::thread::yield_now();
    }
    drop(writer);
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_full_disk_is_full() {
    let sandbox = Sandbox::new();
    let Some(disk) = FullDisk::mount(&sandbox, "small", "256k") else { return };
    disk.fill_up(8192);
    std::fs::write(disk.path.join("fits"), [0; 4096]).unwrap();
    let error = std::fs::write(disk.path.join("does not"), [0; 65536]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let path = disk.path.clone();
    drop(disk);
    assert!(!path.join("fits").exists(), "it is unmounted");
}

#[test]
fn a_missing_tool_is_a_skip_or_a_failure() {
    assert!(need("sh"));
    assert!(need_git(2, 39));
    assert_eq!(missing("sh", true), None);
    let tool = "no-such-tool-of-ours";
    assert_eq!(missing(tool, false).as_deref(), Some("no-such-tool-of-ours is not installed"));
    let text = panic_of(|| assert!(missing(tool, true).is_none()));
    assert!(text.contains("no-such-tool-of-ours is not installed, and"), "{text}");
}

#[test]
fn a_terminal_asks_and_is_answered() {
    let sandbox = Sandbox::new();
    let script = "test -t 0 && test -t 1 && test -t 2 || exit 9
        printf '\\033[1mGo on?\\033[0m [y/n] '; read answer </dev/tty; echo \"got $answer\"; exit 4";
    let mut pty = Pty::spawn(&sandbox, sandbox.path(""), ["sh", "-c", script]);
    assert_eq!(pty.expect("Go on? [y/n]").send("y\r").expect("got y\n").wait(), 4);

    let mut pty = Pty::spawn(&sandbox, sandbox.path(""), ["sh", "-c", "echo ready; read x"]);
    assert_eq!(pty.expect("ready").send("\x03").wait(), 130);

    let mut pty = Pty::spawn(&sandbox, sandbox.path(""), ["sh", "-c", "echo something else"]);
    let text = panic_of(|| {
        pty.expect("nothing");
    });
    assert!(text.contains("never showed \"nothing\"") && text.contains("something else"), "{text}");
}

#[test]
fn points_are_spread_over_the_whole() {
    assert_eq!(Points::All.choose(3), [1, 2, 3]);
    assert_eq!(Points::AtMost(5).choose(3), [1, 2, 3]);
    assert_eq!(Points::AtMost(3).choose(9), [1, 5, 9]);
    assert_eq!(Points::AtMost(1).choose(9), [1]);
    assert_eq!(Points::AtMost(0).choose(0), [0; 0]);
}

/// The changes to the file system that kills and refusals are counted by.
#[cfg(target_os = "linux")]
mod faults {
    use super::*;

    /// Files written by the shell, and changes by other programs.
    const SCRIPT: &str = "echo 1 >a; mkdir b; mv a b/a; echo 2 >c";

    #[test]
    fn a_kill_comes_before_each_change() {
        let sandbox = Sandbox::new();
        sandbox.write(sandbox.path(""), "there", "");
        let mut states = Vec::new();
        let command = || {
            let mut command = sandbox.command(sandbox.path(""), "sh");
            command.args(["-c", SCRIPT]);
            command
        };
        killed_at_every(&sandbox, Victim::All, Points::All, command, |faulted| {
            assert_eq!(faulted.run.code, 137, "{}", faulted.run);
            let found = sandbox.sh(sandbox.path(""), "find . -type f -size +0 -o -type d | sort").ok();
            states.push(found.stdout.replace("./", "").replace('\n', " "));
        });
        assert_eq!(
            states,
            // Before: the open, the write, mkdir, rename, the open, the write.
            [".", ".", ". a", ". a b", ". b b/a", ". b b/a"].map(|s| format!("{s} ")),
        );
    }

    #[test]
    fn only_the_caller_dies_and_its_parent_goes_on() {
        let sandbox = Sandbox::new();
        // Undisturbed, y isn't made.
        let command = || {
            let mut command = sandbox.command(sandbox.path(""), "sh");
            command.args(["-c", "mkdir x || mkdir y"]);
            command
        };
        let mut points = Vec::new();
        killed_at_every(&sandbox, Victim::Caller, Points::All, command, |faulted| {
            assert_eq!(faulted.run.code, 0, "{}", faulted.run);
            points.push(faulted.point.clone());
            let has = |name: &str| sandbox.path(name).exists();
            assert!(!has("x") && has("y"));
        });
        assert_eq!(points.len(), 1);
        let expected = format!("mkdir {} by mkdir", sandbox.path("x").display());
        assert!(points[0].ends_with(&expected), "{points:?}");
    }

    #[test]
    fn a_git_killed_anywhere_in_a_commit_keeps_the_repository_whole() {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.write(&dir, "README", "changed\n");
        let command = || sandbox.git_command(&dir, ["commit", "--quiet", "--all", "--message", "Change"]);
        let mut kills = 0;
        killed_at_every(&sandbox, Victim::All, Points::AtMost(12), command, |faulted| {
            // The last changes are those of git's maintenance, after the commit itself has ended.
            kills += usize::from(faulted.run.code == 137);
            sandbox.git(&dir, ["fsck", "--no-dangling", "--no-progress"]).ok();
        });
        assert!(kills >= 8, "{kills}");
    }

    #[test]
    fn a_disk_that_fills_up_refuses_every_later_file() {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.write(&dir, "README", "changed\n");
        let before = sandbox.commit_id(&dir, "HEAD");
        let command = || sandbox.git_command(&dir, ["commit", "--quiet", "--all", "--message", "Change"]);
        let mut refused = 0;
        disk_full_from_every(&sandbox, Points::AtMost(8), command, |faulted| {
            if faulted.run.code != 0 {
                refused += 1;
                assert!(!faulted.run.stderr.is_empty(), "{}", faulted.run);
                assert_eq!(sandbox.commit_id(&dir, "HEAD"), before);
            }
            sandbox.git(&dir, ["fsck", "--no-dangling", "--no-progress"]).ok();
        });
        assert!(refused > 0 || !cfg!(target_arch = "x86_64"));
    }

    #[test]
    fn a_refused_call_says_why() {
        let sandbox = Sandbox::new();
        sandbox.write(sandbox.path(""), "there", "");
        let command = || {
            let mut command = sandbox.command(sandbox.path(""), "sh");
            // What is already there can be opened on a full disk, and a rename needs no room.
            command.args(["-c", "mkdir a; ln -s a link; mv there b; : >>b"]);
            command
        };
        let mut seen = Vec::new();
        disk_full_from_every(&sandbox, Points::All, command, |faulted| {
            assert_eq!(faulted.run.code, 0, "{}", faulted.run);
            seen.push((
                faulted.run.stderr.matches("No space left on device").count(),
                faulted.run.stderr.clone(),
            ));
            assert_eq!(std::fs::read(sandbox.path("b")).unwrap(), b"");
        });
        let refusals: Vec<_> = seen.iter().map(|(count, _)| *count).collect();
        assert!(refusals == [2, 1] || !cfg!(target_arch = "x86_64"), "{seen:?}");
    }

    #[test]
    fn a_failed_check_is_not_lost() {
        let sandbox = Sandbox::new();
        let command = || {
            let mut command = sandbox.command(sandbox.path(""), "mkdir");
            command.arg("new");
            command
        };
        let check = |faulted: &Faulted| panic!("at {}", faulted.point);
        let text = panic_of(|| killed_at_every(&sandbox, Victim::All, Points::All, command, check));
        assert!(text.starts_with("at change 1 of 1: mkdir "), "{text}");
        let text = panic_of(|| {
            killed_at_every(&sandbox, Victim::Ours, Points::All, command, |_| unreachable!());
        });
        assert!(text.contains("it changes nothing"), "mkdir is none of ours: {text}");
    }
}
