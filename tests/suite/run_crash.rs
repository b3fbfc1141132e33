//! `git task run` killed at any change that is made: what succeeded is not done again, and the rest is done.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::path::{Path, PathBuf};

use crate::run::{session, team};
use crate::support::*;
use crate::sweep::model::{as_git_advises, settled, usable};

/// Two tasks, of which the second needs the work of the first, in two stages with a gate between them. Each
/// stage counts how often it has come to its end.
#[track_caller]
fn prepare(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a"]).ok();
    sandbox.task(&dir, ["add", "-q", "b", "--after", "a"]).ok();
    sandbox.commit(&dir, "later", "later\n", "The base goes on");
    sandbox.git(&dir, ["config", "session.check.command", "echo x >>../check-{task}"]).ok();
    let work =
        "echo {task} >{task} && git add {task} && { git diff --cached --quiet || git commit -qm {task}; }";
    session(sandbox, &dir, &format!("{work} && echo x >>../build-{{task}}"));
    let stages =
        "[[stage]]\nname = 'build'\ngate = 'test -f {task}'\n[[stage]]\nname = 'check'\nsession = 'check'\n";
    team(sandbox, &dir, stages);
    dir
}

/// How often each stage of each task has come to its end.
fn counts(sandbox: &Sandbox) -> Vec<usize> {
    let count = |name: &&str| {
        let text = std::fs::read_to_string(sandbox.path("repo-worktrees").join(name));
        text.map_or(0, |text| text.lines().count())
    };
    ["build-a", "check-a", "build-b", "check-b"].iter().map(count).collect()
}

/// Which stages of which tasks the record says have succeeded, in the order of [`counts`].
fn recorded(dir: &Path) -> Vec<bool> {
    let text = std::fs::read_to_string(dir.join(".git/git-parallel/run/record")).unwrap_or_default();
    let all: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let has = |(stage, task): &(&str, &str)| {
        all.iter().any(|e| {
            e["event"] == "exited"
                && e["task"] == *task
                && e["stage"] == *stage
                && e["ok"] == true
                && e["gate"] != true
        })
    };
    [("build", "a"), ("check", "a"), ("build", "b"), ("check", "b")].iter().map(has).collect()
}

#[track_caller]
fn sweep(victim: Victim) {
    let sandbox = Sandbox::new();
    let dir = prepare(&sandbox);
    let command = || {
        let mut command = sandbox.command(&dir, "git-task");
        command.args(["run", "-j2", "-q"]);
        command
    };
    let swept = Cell::new(0);
    killed_at_every(&sandbox, victim, Points::AtMost(14), command, |_| {
        swept.set(swept.get() + 1);
        // A git that is killed itself leaves its locks, also those of the session's own.
        if !matches!(victim, Victim::Ours) {
            as_git_advises(&sandbox, &dir);
        }
        usable(&sandbox, &dir);
        let (done, before) = (recorded(&dir), counts(&sandbox));
        let mut last = sandbox.task(&dir, ["run", "--resume"]);
        if last.stderr.contains("there is no run to resume") {
            assert_eq!(before, [0; 4], "nothing ran that is not on record\n{last}");
            last = sandbox.task(&dir, ["run"]);
        }
        last.ok();
        for (i, (before, after)) in before.iter().zip(counts(&sandbox)).enumerate() {
            assert!(after >= 1, "stage {i} was done");
            // What had come to its end when everything stopped, and was not on record yet, may be done again.
            assert!(after <= before + usize::from(!done[i]), "stage {i}: {before} before, {after} after");
        }
        assert!(
            sandbox.path("repo-worktrees/b/a").exists() && sandbox.path("repo-worktrees/b/later").exists()
        );
        sandbox.task(&dir, ["run", "--resume"]).ok().says("nothing to resume");
        assert_eq!(
            sandbox.task(&dir, ["list", "--format=%(state) %(running)"]).ok().stdout,
            "open \nopen \n"
        );
        settled(&sandbox, &dir);
    });
    say(&format!("run: killed at {} points ({victim:?})", swept.get()));
}

#[test]
fn the_run_or_who_watches_over_a_session_dies() {
    sweep(Victim::Ours);
}

#[test]
fn whoever_makes_a_change_dies() {
    sweep(Victim::Caller);
}

#[test]
fn everything_dies() {
    sweep(Victim::All);
}
