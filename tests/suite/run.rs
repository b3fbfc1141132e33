//! `git task run`: the order, what fails and what that holds up, stages and gates.

use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// The events that `--json` printed.
#[track_caller]
pub fn events(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is a JSON object")).collect()
}

/// "kind task" for each event that is about a task, in order.
fn told(run: &Run) -> Vec<String> {
    let all = events(run);
    let about = all.iter().filter(|e| e["task"].is_string());
    about.map(|e| format!("{} {}", e["event"].as_str().unwrap(), e["task"].as_str().unwrap())).collect()
}

/// How it ended for each task, by name.
pub fn outcomes(run: &Run) -> Vec<String> {
    let all = events(run);
    let ended = all.iter().filter(|e| e["event"] == "ended");
    let mut found: Vec<String> = ended
        .map(|e| format!("{} {}", e["task"].as_str().unwrap(), e["outcome"].as_str().unwrap()))
        .collect();
    found.sort();
    found
}

/// How many sessions were under way at once, at most.
fn most_at_once(run: &Run) -> usize {
    let (mut now, mut most) = (0usize, 0);
    for event in events(run) {
        match event["event"].as_str().unwrap() {
            "started" => now += 1,
            "exited" => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

pub fn session(sandbox: &Sandbox, dir: &Path, command: &str) {
    sandbox.git(dir, ["config", "session.default.command", command]).ok();
}

pub fn team(sandbox: &Sandbox, dir: &Path, text: &str) {
    sandbox.write(dir, ".config/git-parallel.toml", text);
    sandbox.task(dir, ["trust", "--yes"]).ok();
}

#[test]
fn each_starts_when_those_before_it_are_done_and_has_their_work() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b"]).ok();
    sandbox.task(&dir, ["add", "-q", "c", "--after", "a", "--after", "b"]).ok();
    sandbox.task(&dir, ["add", "-q", "d", "--after", "c", "--session", "last"]).ok();
    sandbox.commit(&dir, "later", "later\n", "The base goes on");
    let work = "echo {task} >{task} && git add {task} && git commit -qm 'Work on '{task}";
    session(&sandbox, &dir, work);
    sandbox
        .git(&dir, ["config", "session.last.command", "ls >seen; test -f a && test -f b && test -f c"])
        .ok();
    let run = sandbox.task(&dir, ["run", "--json", "-j", "2"]).ok();
    assert_eq!(outcomes(&run), ["a succeeded", "b succeeded", "c succeeded", "d succeeded"]);
    let told = told(&run);
    let at = |what: &str| told.iter().position(|t| t == what).unwrap_or_else(|| panic!("{what}: {told:?}"));
    assert!(at("started c") > at("ended a") && at("started c") > at("ended b"));
    assert!(at("started d") > at("ended c"));
    let path = sandbox.path("repo-worktrees/d");
    for file in ["a", "b", "c", "later"] {
        assert!(path.join(file).exists(), "{file} is in d");
    }
    // What came in is not the task's own work.
    let diff = sandbox.task(&dir, ["diff", "c", "--", "--name-only"]).ok().stdout;
    assert_eq!(diff, "c\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_failure_holds_up_those_after_it_and_nothing_else() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "bad", "good"]).ok();
    sandbox.task(&dir, ["add", "-q", "behind", "--after", "bad"]).ok();
    sandbox.task(&dir, ["add", "-q", "far", "--after", "behind"]).ok();
    sandbox.task(&dir, ["add", "-q", "fine", "--after", "good"]).ok();
    team(&sandbox, &dir, "[[on]]\nevent = 'failed'\nrun = 'echo $GIT_TASK >>failed-events'\n");
    let run = sandbox.task(&dir, ["run", "--", "sh", "-c", "test $GIT_TASK != bad"]).fails(1);
    let rows: Vec<Vec<&str>> = run.stdout.lines().map(|l| l.split_whitespace().take(2).collect()).collect();
    let expected = [
        ["TASK", "RESULT"],
        ["bad", "failed"],
        ["behind", "blocked"],
        ["far", "blocked"],
        ["fine", "succeeded"],
        ["good", "succeeded"],
        ["2", "succeeded,"],
    ];
    assert_eq!(rows, expected, "{run}");
    for why in ["ended with exit code 1", "it comes after 'bad', which failed", "1 failed, 2 blocked in "] {
        assert!(run.stdout.contains(why), "{run}");
    }
    // Whoever reads the lines sees when it was.
    run.says("2025-01-01T12:00:00Z bad: failed after ").says(": ended with exit code 1");
    assert_eq!(std::fs::read_to_string(dir.join("failed-events")).unwrap(), "bad\n");
    // Nothing is said about the tasks themselves: they are as open as before.
    sandbox.task(&dir, ["list", "--format=%(state)"]).ok().prints(&"open\n".repeat(5));
    let quiet = sandbox.task(&dir, ["run", "-q", "--", "true"]).ok();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn no_more_than_allowed_run_at_once_and_the_limits_say_so() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b", "c", "d", "e"]).ok();
    let run = sandbox.task(&dir, ["run", "--json", "--", "true"]).ok();
    assert_eq!(most_at_once(&run), 3, "task.maxSessions is 3 unless set\n{run}");
    sandbox.git(&dir, ["config", "task.maxSessions", "2"]).ok();
    let run = sandbox.task(&dir, ["run", "--json", "--", "true"]).ok();
    assert_eq!(most_at_once(&run), 2);
    let held = events(&run).into_iter().find(|e| e["event"] == "held").expect("some wait");
    assert_eq!((held["by"].as_str(), held["waiting"].as_u64()), (Some("jobs"), Some(3)));
    sandbox.task(&dir, ["run", "-j5", "--", "true"]).ok().does_not_say("held back");
    sandbox.task(&dir, ["run", "-j4", "--", "true"]).ok().says("-j held back up to 1 task.");
    // Each one that is started counts before the average sees it.
    let run = sandbox.task(&dir, ["run", "--json", "-j5", "--max-load", "0.5", "--", "true"]).ok();
    assert_eq!(most_at_once(&run), 1, "{run}");
    assert!(events(&run).iter().any(|e| e["by"] == "load" && e["load"].as_u64() >= Some(50)), "{run}");
}

#[test]
fn the_highest_priority_goes_first() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "low", "--priority", "-1"]).ok();
    sandbox.task(&dir, ["add", "-q", "mid"]).ok();
    sandbox.task(&dir, ["add", "-q", "high", "--priority", "5"]).ok();
    sandbox.task(&dir, ["add", "-q", "tail", "--after", "mid"]).ok();
    sandbox.task(&dir, ["add", "-q", "also-mid"]).ok();
    let run = sandbox.task(&dir, ["run", "--json", "-j1", "--", "true"]).ok();
    let started: Vec<_> = told(&run).into_iter().filter(|t| t.starts_with("started")).collect();
    // Of two with the same priority the one that others wait for.
    assert_eq!(started, ["high", "mid", "also-mid", "tail", "low"].map(|t| format!("started {t}")));
}

#[test]
fn a_cycle_made_by_hand_is_told_before_anything_starts() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "other"]).ok();
    sandbox.task(&dir, ["add", "-q", "b", "--after", "a"]).ok();
    sandbox.git(&dir, ["config", "task.a.after", "b"]).ok();
    sandbox.refuses(&dir, ["run", "--", "touch", "ran"], 128, "tasks come after each other: a -> b -> a");
    assert!(!sandbox.path("repo-worktrees/other/ran").exists());
    sandbox.task(&dir, ["run", "other", "--", "true"]).ok();
    sandbox.git(&dir, ["config", "task.a.phase", "2"]).ok();
    sandbox.git(&dir, ["config", "task.b.phase", "1"]).ok();
    sandbox.git(&dir, ["config", "--unset", "task.a.after"]).ok();
    sandbox.refuses(&dir, ["run", "--", "true"], 128, "a phase comes after every lower one");
}

#[test]
fn a_phase_starts_when_all_of_the_lower_one_is_done() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let plan = "[[task]]\nname = 'a'\nphase = 1\n[[task]]\nname = 'bad'\nphase = 1\n\
                [[task]]\nname = 'c'\nphase = 2\n[[task]]\nname = 'd'\nphase = 2\nafter = ['bad']\n\
                [[task]]\nname = 'free'\n";
    sandbox.write(&dir, "plan.toml", plan);
    sandbox.task(&dir, ["add", "-q", "--from", "plan.toml"]).ok();
    session(
        &sandbox,
        &dir,
        "test {task} != bad && echo {task} >{task} && git add . && git commit -qm {task}",
    );
    let run = sandbox.task(&dir, ["run", "--json"]).fails(1);
    assert_eq!(outcomes(&run), ["a succeeded", "bad failed", "c blocked", "d blocked", "free succeeded"]);
    let run = sandbox.task(&dir, ["run", "--json", "--resume", "--keep-going"]).fails(1);
    assert_eq!(outcomes(&run), ["bad failed", "c succeeded", "d blocked"], "a is not done again");
    assert!(sandbox.path("repo-worktrees/c/a").exists(), "the work of the lower phase is there");
    assert!(!sandbox.path("repo-worktrees/free/a").exists());
}

#[test]
fn a_conflict_blocks_the_task_and_says_where() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b", "free"]).ok();
    let path = sandbox.task(&dir, ["add", "-q", "c", "--after", "a", "--after", "b"]).ok().path();
    team(&sandbox, &dir, "[[on]]\nevent = 'blocked'\nrun = 'echo $GIT_TASK >>blocked-events'\n");
    session(&sandbox, &dir, "echo {task} >same && git add same && git commit -qm {task}");
    let run = sandbox.task(&dir, ["run"]).fails(1);
    assert!(run.stdout.contains("stopped with conflicts in same"), "{run}");
    sandbox.task(&dir, ["list", "c", "--format=%(state) %(operation)"]).ok().prints("blocked merge\n");
    assert_eq!(std::fs::read_to_string(dir.join("blocked-events")).unwrap(), "c\n");
    // Somebody resolves it, and the run goes on from there.
    sandbox.write(&path, "same", "both\n");
    sandbox.sh(&path, "git add same && git commit -q --no-edit").ok();
    let run = sandbox.task(&dir, ["run", "--resume", "--json"]).ok();
    assert_eq!(outcomes(&run), ["c succeeded"]);
    sandbox.task(&dir, ["list", "c", "--format=%(state)"]).ok().prints("open\n");
}

const STAGES: &str = "[session.default]\ncommand = 'echo built >>built'\n\
                      [session.checker]\ncommand = 'test -f built && echo checked >>checked'\n\
                      [[stage]]\nname = 'build'\ngate = 'test -f ../APPROVED-{task}'\n\
                      [[stage]]\nname = 'check'\nsession = 'checker'\n";

#[test]
fn a_gate_lets_each_task_pass_or_blocks_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b"]).ok();
    sandbox.write(&dir, ".config/git-parallel.toml", STAGES);
    sandbox.refuses(&dir, ["run"], 128, "are not trusted").says("git task trust");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    sandbox.write(sandbox.path("repo-worktrees"), "APPROVED-a", "");
    let run = sandbox.task(&dir, ["run"]).fails(1).says("a: stage 'check' succeeded");
    let reason = "the gate of stage 'build' ended with exit code 1";
    assert!(run.stdout.contains(reason), "{run}");
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("a open\nb blocked\n");
    sandbox.git(&dir, ["config", "task.b.reason"]).ok().prints(&format!("{reason}\n"));
    // The gate is asked again, and the session before it is not run again.
    let again = sandbox.task(&dir, ["run", "--resume", "--json"]).fails(1);
    assert_eq!(outcomes(&again), ["b blocked"]);
    sandbox.write(sandbox.path("repo-worktrees"), "APPROVED-b", "");
    let last = sandbox.task(&dir, ["run", "--resume", "--json"]).ok();
    assert_eq!(told(&last).iter().filter(|t| t.starts_with("started")).count(), 2, "the gate and 'check'");
    for task in ["a", "b"] {
        for (file, text) in [("built", "built\n"), ("checked", "checked\n")] {
            let path = sandbox.path(format!("repo-worktrees/{task}/{file}"));
            assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        }
    }
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("a open\nb open\n");
    sandbox.task(&dir, ["run", "--resume"]).ok().says("nothing to resume");
}

#[test]
fn only_some_stages() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "-q", "a"]).ok().path();
    team(&sandbox, &dir, STAGES);
    sandbox.refuses(&dir, ["run", "--stages", "check,no"], 128, "no such stage: 'no'").says("build, check");
    sandbox.task(&dir, ["run", "--stages", "check"]).fails(1);
    assert!(!path.join("built").exists());
    sandbox.write(&path, "built", "");
    sandbox.task(&dir, ["run", "--stages=check"]).ok();
    assert!(path.join("checked").exists());
}

#[test]
fn a_worker_that_says_it_is_blocked_is_believed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "a", "b"]).ok();
    sandbox.task(&dir, ["add", "-q", "c", "--after", "a"]).ok();
    session(&sandbox, &dir, "test {task} != a || git task block -m 'which database?'");
    let run = sandbox.task(&dir, ["run"]).fails(1);
    assert!(run.stdout.contains("which database?"), "{run}");
    assert!(run.stdout.contains("it comes after 'a', which is blocked"), "{run}");
    // It isn't for the run to say that it may go on.
    let run = sandbox.task(&dir, ["run", "--resume", "--json"]).fails(1);
    assert_eq!(outcomes(&run), ["a blocked", "c blocked"]);
    sandbox.task(&dir, ["reopen", "a"]).ok();
    let run = sandbox.task(&dir, ["run", "--resume", "--json"]).ok();
    assert_eq!(outcomes(&run), ["a succeeded", "c succeeded"]);
}

#[test]
fn what_is_ready_is_not_worked_on_again() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "-q", "a"]).ok().path();
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.task(&path, ["ready"]).ok();
    let later = sandbox.task(&dir, ["add", "-q", "b", "--after", "a"]).ok().path();
    session(&sandbox, &dir, "touch ran");
    let run = sandbox.task(&dir, ["run"]).ok();
    assert!(run.stdout.contains("was ready"), "{run}");
    assert!(!path.join("ran").exists() && later.join("ran").exists() && later.join("a").exists());
    // A command is run in every worktree, and moves nothing that stands for itself.
    let main = sandbox.commit(&dir, "m", "m\n", "Main");
    sandbox.task(&dir, ["run", "--", "touch", "visited"]).ok();
    assert!(path.join("visited").exists() && later.join("visited").exists());
    assert!(sandbox.git(&path, ["merge-base", "--is-ancestor", &main, "HEAD"]).code == 1);
}

#[test]
fn nothing_to_run_and_what_makes_no_sense() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["run"]).ok().prints("").says("no live task");
    sandbox.refuses(&dir, ["run", "--resume"], 128, "there is no run to resume");
    sandbox.task(&dir, ["add", "-q", "a"]).ok();
    sandbox.refuses(&dir, ["run", "nobody", "--", "true"], 128, "no such task: 'nobody'");
    sandbox.refuses(&dir, ["run"], 128, "no such session: 'default'").says("session.default.command");
    sandbox.refuses(&dir, ["run", "--session", "x"], 128, "no such session: 'x'");
    sandbox.refuses(&dir, ["run", "-j0", "--", "true"], 129, "number above 0");
    for load in ["0", "much", "-1", "inf"] {
        let args = ["run", &format!("--max-load={load}"), "--", "true"];
        sandbox.refuses(&dir, args, 129, "`max-load' expects a number");
    }
    sandbox.refuses(&dir, ["run", "--timeout", "soon", "--", "true"], 128, "not a valid time");
    sandbox.refuses(&dir, ["run", "--timeout", "0", "--", "true"], 129, "`timeout'");
    sandbox.refuses(&dir, ["run", "--resume", "a"], 129, "cannot be used together");
    sandbox.task(&dir, ["rm", "a"]).ok();
    sandbox.task(&dir, ["run", "a", "--", "true"]).fails(128).says("task 'a' is dropped");
}

#[test]
fn it_works_from_anywhere_in_odd_repositories() {
    for options in [&["--bare"][..], &["--object-format=sha256"]] {
        let sandbox = Sandbox::new();
        let from = sandbox.init();
        let dir = sandbox.init_empty("odd", options);
        if options == ["--bare"] {
            sandbox.git(&from, ["push", "-q", "../odd", "main"]).ok();
        } else {
            sandbox.commit(&dir, "README", "odd\n", "Begin");
        }
        sandbox.task(&dir, ["add", "-q", "a"]).ok();
        let path = sandbox
            .task(&dir, ["add", "-q", "b c".replace(' ', "-").as_str(), "--after", "a", "--path", "../w t\n"])
            .ok()
            .path();
        session(
            &sandbox,
            &dir,
            "echo {task} >{task} && git add . && git commit -qm x && pwd >../where-{task}",
        );
        sandbox.task(&path, ["run"]).ok();
        assert!(path.join("a").exists(), "{options:?}");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn each_phase_is_integrated_and_the_next_starts_from_there() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let plan = "[[task]]\nname = 'a'\nphase = 1\n[[task]]\nname = 'b'\nphase = 1\nafter = ['a']\n\
                [[task]]\nname = 'c'\nphase = 2\n[[task]]\nname = 'free'\n";
    sandbox.write(&dir, "plan.toml", plan);
    sandbox.task(&dir, ["add", "-q", "--from", "plan.toml"]).ok();
    let work = "echo {task} >{task} && git add {task} && git commit -qm {task} && git task ready";
    session(&sandbox, &dir, &format!("{work}; git ls-files >../saw-{{task}}"));
    let run = sandbox.task(&dir, ["run", "--integrate", "--json"]).ok();
    let landed: Vec<Value> = events(&run).into_iter().filter(|e| e["event"] == "integrated").collect();
    assert_eq!(landed.len(), 2, "{run}");
    assert_eq!(landed[0]["tasks"], serde_json::json!(["a", "b"]));
    let saw = std::fs::read_to_string(sandbox.path("repo-worktrees/saw-c")).unwrap();
    assert_eq!(saw, "README\na\nb\nc\n", "what was integrated before is there");
    for file in ["a", "b", "c", "free"] {
        assert!(dir.join(file).exists(), "{file} has landed");
    }
    sandbox.task(&dir, ["list", "--all", "--format=%(state)"]).ok().prints(&"integrated\n".repeat(4));
    sandbox.task(&dir, ["run", "--resume"]).ok().says("nothing to resume");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_phase_of_which_not_all_is_ready_is_not_integrated() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let plan = "[[task]]\nname = 'a'\nphase = 1\n[[task]]\nname = 'lazy'\nphase = 1\n\
                [[task]]\nname = 'c'\nphase = 2\n";
    sandbox.write(&dir, "plan.toml", plan);
    sandbox.task(&dir, ["add", "-q", "--from", "plan.toml"]).ok();
    let work = "echo {task} >{task} && git add {task} && git commit -qm {task}";
    session(&sandbox, &dir, &format!("{work} && {{ test {{task}} = lazy || git task ready; }}"));
    let main = sandbox.commit_id(&dir, "main");
    let run = sandbox.task(&dir, ["run", "--integrate"]).fails(1).says("not integrated: 'lazy' is not ready");
    assert!(run.stdout.contains("the phase before it was not integrated"), "{run}");
    assert_eq!(sandbox.commit_id(&dir, "main"), main);
    sandbox.task(sandbox.path("repo-worktrees/lazy"), ["ready"]).ok();
    let run = sandbox.task(&dir, ["run", "--resume", "--json"]).ok();
    assert_eq!(outcomes(&run), ["c succeeded"]);
    assert!(dir.join("lazy").exists() && dir.join("c").exists());
    // With --keep-going the rest lands without it.
    sandbox.task(&dir, ["add", "-q", "d", "lazier"]).ok();
    session(&sandbox, &dir, &format!("{work} && {{ test {{task}} = lazier || git task ready; }}"));
    let run = sandbox.task(&dir, ["run", "--integrate", "--keep-going", "--json"]).fails(1);
    assert_eq!(outcomes(&run).last().map(String::as_str), Some("lazier succeeded"));
    assert!(outcomes(&run).contains(&"lazier blocked".to_owned()), "{run}");
    assert!(dir.join("d").exists() && !dir.join("lazier").exists());
}

#[test]
fn a_phase_of_which_nothing_lands_is_not_said_to_be_integrated() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, "plan.toml", "[[task]]\nname = 'a'\nphase = 1\n[[task]]\nname = 'b'\nphase = 2\n");
    sandbox.task(&dir, ["add", "-q", "--from", "plan.toml"]).ok();
    session(&sandbox, &dir, "test {task} = a || { git commit -q --allow-empty -m x && git task ready; }");
    let run = sandbox.task(&dir, ["run", "--integrate", "--keep-going"]).fails(1);
    run.clone().says("a: blocked").says("it is not ready");
    assert!(!run.stderr.contains("integrated:"), "{run}");
}

#[test]
fn a_conflict_between_tasks_of_a_phase_stops_it_until_somebody_decides() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let plan = "[[task]]\nname = 'a'\nphase = 1\n[[task]]\nname = 'b'\nphase = 1\n\
                [[task]]\nname = 'c'\nphase = 2\n";
    sandbox.write(&dir, "plan.toml", plan);
    sandbox.task(&dir, ["add", "-q", "--from", "plan.toml"]).ok();
    session(&sandbox, &dir, "echo {task} >same && git add same && git commit -qm {task} && git task ready");
    let main = sandbox.commit_id(&dir, "main");
    sandbox.task(&dir, ["run", "--integrate"]).fails(1).says("'b': it conflicts in same");
    assert_eq!(sandbox.commit_id(&dir, "main"), main);
    sandbox.integrate(&dir, ["--skip"]);
    assert_ne!(sandbox.commit_id(&dir, "main"), main);
    let run = sandbox.task(&dir, ["run", "--resume", "--keep-going", "--json"]);
    assert!(outcomes(&run).contains(&"c succeeded".to_owned()), "{run}");
}
