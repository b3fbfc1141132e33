//! `git integrate` killed at any change that it, or git, a driver or a hook makes.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::integrate_run::{ready, subjects, workshop};
use crate::support::*;

const SAMPLE: Points = Points::AtMost(5);

thread_local! {
    static SWEPT: Cell<usize> = const { Cell::new(0) };
}

/// Kills `git integrate` with `args` at many points, alone, with whoever makes the change, and with all.
#[track_caller]
fn sweep(prepare: impl Fn(&Sandbox) -> PathBuf, args: &[&str], check: impl Fn(&Sandbox, &Path, &Run)) {
    SWEPT.set(0);
    for victim in [Victim::Ours, Victim::Caller, Victim::All] {
        let sandbox = Sandbox::new();
        let dir = prepare(&sandbox);
        killed_at_every(
            &sandbox,
            victim,
            SAMPLE,
            || command(&sandbox, &dir, args),
            |faulted| {
                SWEPT.set(SWEPT.get() + 1);
                if !matches!(victim, Victim::Ours) {
                    locks_of_git(&sandbox, &dir);
                }
                let fsck = sandbox.git(&dir, ["fsck", "--no-dangling", "--no-progress"]);
                // A worktree that git was making or removing; the next command sees to it.
                let half =
                    |line: &str| line.starts_with("error: worktrees/") && line.ends_with("points at nothing");
                assert!(fsck.stderr.lines().all(half), "{fsck}");
                sandbox.task(&dir, ["list", "--all"]).ok();
                check(&sandbox, &dir, &faulted.run);
                settled(&sandbox, &dir);
            },
        );
    }
    say(&format!("integrate {}: killed at {} points", args.join(" "), SWEPT.get()));
}

fn command(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Command {
    let mut command = sandbox.command(dir, "git-integrate");
    command.args(args);
    command
}

/// git that is killed leaves its locks, and says that a person has to remove them. In the private worktree
/// nobody has to.
#[track_caller]
fn locks_of_git(sandbox: &Sandbox, dir: &Path) {
    let mine = [".git", "-path", "*/worktrees/*integrate*", "-prune", "-o", "-name", "*.lock", "-links", "1"];
    sandbox.run(dir, "find", mine.iter().chain(&["-exec", "rm", "{}", "+"])).ok();
}

#[track_caller]
fn settled(sandbox: &Sandbox, dir: &Path) {
    sandbox.integrate(dir, ["--status"]).ok();
    sandbox.task(dir, ["repair"]).ok();
    sandbox.task(dir, ["prune"]).ok();
    assert_sound(sandbox, dir);
    let refs = sandbox.refs(dir);
    assert!(refs.lines().all(|l| !l.contains("refs/integrate/") || l.contains("/undone ")), "{refs}");
    sandbox.git(dir, ["status", "--porcelain"]).ok().prints("");
}

/// Two tasks whose merges run a driver and a hook.
fn two_tasks(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "driven merge=mine\n", "Attributes");
    sandbox.commit(&dir, "driven", "0\n", "Driven");
    let driver = "cp %A drv && cat %B >>drv && sort -u drv >%A && rm drv";
    sandbox.git(&dir, ["config", "merge.mine.driver", driver]).ok();
    sandbox.write(&dir, ".git/hooks/pre-merge-commit", "#!/bin/sh\necho x >hooked && rm hooked\n");
    sandbox.sh(&dir, "chmod +x .git/hooks/pre-merge-commit").ok();
    for name in ["a", "b"] {
        let path = sandbox.task(&dir, ["add", name]).ok().path();
        sandbox.commit(&path, "driven", format!("{name}\n"), name);
        sandbox.commit(&path, name, "1\n", &format!("Work on {name}"));
        sandbox.task(&dir, ["ready", name]).ok();
    }
    dir
}

/// As [`two_tasks`], with a third in the middle that conflicts and is resolved, but not yet gone on with.
fn resolved(sandbox: &Sandbox) -> PathBuf {
    let dir = stopped(sandbox);
    let shop = workshop(sandbox);
    sandbox.write(&shop, "README", "both\n");
    sandbox.git(&shop, ["add", "README"]).ok();
    dir
}

fn stopped(sandbox: &Sandbox) -> PathBuf {
    let dir = two_tasks(sandbox);
    ready(sandbox, &dir, "c", "README", "c\n");
    ready(sandbox, &dir, "d", "README", "d\n");
    sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
    dir
}

const LANDED: &str = "Merge task 'b'\nMerge task 'a'\nDriven\nAttributes\nBegin\n";

#[track_caller]
fn has_landed(sandbox: &Sandbox, dir: &Path, run: &Run) {
    assert_eq!(subjects(sandbox, dir, "main"), LANDED);
    assert_eq!(std::fs::read_to_string(dir.join("driven")).unwrap(), "a\nb\n");
    let list = sandbox.task(dir, ["list", "--all", "--format=%(task) %(state)"]).ok();
    list.prints("a integrated\nb integrated\n");
    // Where only a git was killed, ours has said what it could not tidy up.
    if !run.stderr.contains("kept worktree and branch") {
        sandbox.git(dir, ["for-each-ref", "--format=%(refname:short)", "refs/heads"]).ok().prints("main\n");
    }
}

/// `--status` says whether there is something to go on with; then `option` must work.
#[track_caller]
fn go_on(sandbox: &Sandbox, dir: &Path, option: &str) {
    let status = sandbox.integrate(dir, ["--status"]);
    match status.code {
        0 => {}
        1 => drop(sandbox.integrate(dir, [option]).ok()),
        _ => panic!("{status}"),
    }
}

#[test]
fn start_and_continue() {
    sweep(two_tasks, &[], |sandbox, dir, run| {
        go_on(sandbox, dir, "--continue");
        // Killed before it began, or when all was done.
        sandbox.integrate(dir, [] as [&str; 0]).ok();
        has_landed(sandbox, dir, run);
    });
}

/// Where no hook and no driver looks, the merges are made without the files.
#[test]
fn start_and_continue_without_files() {
    let plain = |sandbox: &Sandbox| {
        let dir = sandbox.init();
        for name in ["a", "b", "c"] {
            ready(sandbox, &dir, name, name, "1\n");
        }
        dir
    };
    sweep(plain, &[], |sandbox, dir, _| {
        go_on(sandbox, dir, "--continue");
        sandbox.integrate(dir, [] as [&str; 0]).ok();
        let landed = "Merge task 'c'\nMerge task 'b'\nMerge task 'a'\nBegin\n";
        assert_eq!(subjects(sandbox, dir, "main"), landed);
        let shop = workshop(sandbox);
        if shop.exists() {
            sandbox.git(&shop, ["status", "--porcelain"]).ok().prints("");
        }
    });
}

#[test]
fn start_and_abort() {
    sweep(two_tasks, &[], |sandbox, dir, run| {
        let before = sandbox.commit_id(dir, "main");
        let landed = subjects(sandbox, dir, "main") == LANDED;
        go_on(sandbox, dir, "--abort");
        if landed {
            has_landed(sandbox, dir, run);
        } else {
            assert_eq!(sandbox.commit_id(dir, "main"), before);
            let list = sandbox.task(dir, ["list", "--all", "--format=%(task) %(state)"]).ok();
            list.prints("a ready\nb ready\n");
        }
    });
}

#[test]
fn continuing() {
    sweep(resolved, &["--continue"], |sandbox, dir, _| {
        go_on(sandbox, dir, "--continue");
        let expected = format!("Merge task 'd'\nMerge task 'c'\n{LANDED}");
        assert_eq!(subjects(sandbox, dir, "main"), expected);
        assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "both\n");
    });
}

#[test]
fn aborting() {
    let prepare = |sandbox: &Sandbox| stopped(sandbox);
    sweep(prepare, &["--abort"], |sandbox, dir, _| {
        go_on(sandbox, dir, "--abort");
        assert_eq!(subjects(sandbox, dir, "main"), "Driven\nAttributes\nBegin\n");
        sandbox.task(dir, ["list", "--format=%(state)"]).ok().prints("ready\nready\nready\nready\n");
    });
}

#[test]
fn undoing() {
    let prepare = |sandbox: &Sandbox| {
        let dir = two_tasks(sandbox);
        sandbox.integrate(&dir, ["--keep"]).ok();
        dir
    };
    sweep(prepare, &["--undo"], |sandbox, dir, _| {
        let again = sandbox.integrate(dir, ["--undo"]);
        assert!(again.code == 0 || again.stderr.contains("to undo"), "{again}");
        assert_eq!(subjects(sandbox, dir, "main"), "Driven\nAttributes\nBegin\n");
        assert!(!dir.join("a").exists());
        sandbox.task(dir, ["list", "--format=%(task) %(state)"]).ok().prints("a ready\nb ready\n");
    });
}

#[test]
fn skipping() {
    // What it is skipped with is killed, so that the exit code of an undisturbed run is 0.
    let prepare = |sandbox: &Sandbox| stopped(sandbox);
    let sandbox = Sandbox::new();
    let dir = prepare(&sandbox);
    sandbox.integrate(&dir, ["--skip"]).fails(2);
    let prepare_wrapped = |sandbox: &Sandbox| {
        let dir = stopped(sandbox);
        sandbox.write(sandbox.path(""), "skip", "#!/bin/sh\ngit integrate --skip; test $? = 2\n");
        sandbox.sh(sandbox.path(""), "chmod +x skip").ok();
        dir
    };
    for victim in [Victim::Caller, Victim::All] {
        let sandbox = Sandbox::new();
        let dir = prepare_wrapped(&sandbox);
        killed_at_every(
            &sandbox,
            victim,
            SAMPLE,
            || {
                let mut command = sandbox.command(&dir, "sh");
                command.arg(sandbox.path("skip"));
                command
            },
            |_| {
                locks_of_git(&sandbox, &dir);
                let status = sandbox.integrate(&dir, ["--status", "--porcelain"]);
                match status.code {
                    0 => {}
                    // Not yet skipped, or skipped and cut off.
                    _ if status.stdout.contains("task d\n") => {
                        drop(sandbox.integrate(&dir, ["--skip"]).fails(2));
                    }
                    _ => drop(sandbox.integrate(&dir, ["--continue"]).fails(2)),
                }
                assert_eq!(subjects(&sandbox, &dir, "main"), format!("Merge task 'c'\n{LANDED}"));
                settled(&sandbox, &dir);
            },
        );
    }
}

/// A hook of git's that runs `script` once, when main has just moved.
fn when_main_moves(sandbox: &Sandbox, dir: &Path, script: &str) {
    when(sandbox, dir, "committed refs/heads/main", script);
}

/// The same for another reference, or another moment.
fn when(sandbox: &Sandbox, dir: &Path, moment: &str, script: &str) {
    let hook = format!(
        "#!/bin/sh\nread -r _ _ name\ncase \"$1 $name\" in '{moment}') ;; *) exit ;; esac\n\
         mkdir '{}' || exit 0\n{script}\n",
        sandbox.path("once").display()
    );
    sandbox.write(dir, ".git/hooks/reference-transaction", hook);
    sandbox.sh(dir, "chmod +x .git/hooks/reference-transaction").ok();
}

#[test]
fn a_commit_made_while_the_worktree_follows_takes_nothing_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.write(&dir, "mine", "1\n");
    sandbox.git(&dir, ["add", "mine"]).ok();
    let commit = format!(
        "unset $(git rev-parse --local-env-vars)\ngit -C '{}' commit -qm mine 2>>'{}'",
        dir.display(),
        sandbox.path("said").display()
    );
    when_main_moves(&sandbox, &dir, &commit);
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    let said = std::fs::read_to_string(sandbox.path("said")).unwrap();
    assert!(said.contains("index.lock"), "{said}");
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("A  mine\n");
    sandbox.git(&dir, ["commit", "-qm", "mine"]).ok();
    sandbox.git(&dir, ["ls-tree", "--name-only", "main", "a", "mine"]).ok().prints("a\nmine\n");
}

const KILL: &str = "kill -9 \"$(cut -d' ' -f4 \"/proc/$PPID/stat\")\"";

#[test]
fn repair_frees_what_a_killed_integration_held_and_tells_of_the_rest() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    when_main_moves(&sandbox, &dir, KILL);
    sandbox.integrate(&dir, [] as [&str; 0]).fails(137);
    let lock = dir.join(".git/index.lock");
    let found = format!("'{}' was left by an integration into 'main' that was killed\n", lock.display());
    let run = sandbox.task(&dir, ["repair", "-n"]).fails(1);
    assert!(lock.exists() && run.stdout.contains(&found), "{run}");
    let run = sandbox.task(&dir, ["repair"]).ok().says("see 'git integrate --status'");
    assert!(!lock.exists() && run.stdout.contains(&format!("mended: {found}")), "{run}");
    sandbox.integrate(&dir, ["--status"]).fails(1);
    sandbox.integrate(&dir, ["--continue"]).ok();
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    settled(&sandbox, &dir);
}

#[test]
fn an_event_is_not_raised_again_after_a_kill() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let log = sandbox.path("raised");
    let team = format!("[[on]]\nevent = \"integrated\"\nrun = \"echo $GIT_TASK >>{}\"\n", log.display());
    sandbox.commit(&dir, ".config/git-parallel.toml", team, "Team");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    when(&sandbox, &dir, "committed refs/heads/a", KILL);
    sandbox.integrate(&dir, [] as [&str; 0]).fails(137);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "a\n");
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "a\nb\n");
    settled(&sandbox, &dir);
}

#[test]
fn a_worktree_that_goes_over_to_the_target_at_the_last_moment_follows() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.git(&dir, ["switch", "-q", "-c", "elsewhere"]).ok();
    let other = sandbox.path("other");
    sandbox.git(&dir, ["worktree", "add", "-q", "--detach", other.to_str().unwrap(), "main"]).ok();
    let go_over = format!(
        "unset $(git rev-parse --local-env-vars)\ngit -C '{}' switch -q main 2>>'{}'",
        other.display(),
        sandbox.path("said").display()
    );
    when(&sandbox, &dir, "prepared refs/heads/main", &go_over);
    sandbox.integrate(&dir, ["--into", "main"]).ok();
    sandbox.git(&other, ["symbolic-ref", "--short", "HEAD"]).ok().prints("main\n");
    sandbox.git(&other, ["status", "--porcelain"]).ok().prints("");
    assert!(other.join("a").exists());
    settled(&sandbox, &dir);
}

#[test]
fn on_a_full_disk_nothing_is_lost() {
    let sandbox = Sandbox::new();
    let dir = two_tasks(&sandbox);
    let command = || command(&sandbox, &dir, &[]);
    disk_full_from_every(&sandbox, SAMPLE, command, |faulted| {
        locks_of_git(&sandbox, &dir);
        let half = subjects(&sandbox, &dir, "main");
        assert!(half == LANDED || half == "Driven\nAttributes\nBegin\n", "{half}");
        go_on(&sandbox, &dir, "--continue");
        sandbox.integrate(&dir, [] as [&str; 0]).ok();
        has_landed(&sandbox, &dir, &faulted.run);
        settled(&sandbox, &dir);
    });
}

#[test]
fn a_lock_that_a_killed_integration_held_is_freed() {
    for option in ["--status", "--continue", "--abort"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        ready(&sandbox, &dir, "a", "a", "1\n");
        when_main_moves(&sandbox, &dir, "kill -9 \"$(cut -d' ' -f4 \"/proc/$PPID/stat\")\"");
        let run = sandbox.integrate(&dir, [] as [&str; 0]);
        assert_eq!(run.code, 137, "{run}");
        assert!(dir.join(".git/index.lock").exists(), "{option}");
        sandbox.integrate(&dir, [option]);
        assert!(!dir.join(".git/index.lock").exists(), "{option}");
        if option == "--status" {
            sandbox.integrate(&dir, ["--continue"]).ok();
        }
        sandbox.git(&dir, ["ls-tree", "--name-only", "main", "a"]).ok().prints("a\n");
        settled(&sandbox, &dir);
        // One of somebody else's is left alone.
        ready(&sandbox, &dir, "b", "b", "1\n");
        sandbox.write(&dir, ".git/index.lock", "");
        sandbox.git(&dir, ["config", "task.lockTimeout", "0"]).ok();
        sandbox.integrate(&dir, ["--porcelain"]).fails(1);
        sandbox.integrate(&dir, ["--status"]).fails(1);
        assert!(dir.join(".git/index.lock").exists());
    }
}
