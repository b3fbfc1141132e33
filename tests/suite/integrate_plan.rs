//! What `git integrate -n` forecasts, and in which order.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;

/// Makes a task with one commit in a file of its own.
pub fn work(sandbox: &Sandbox, dir: &Path, name: &str, options: &[&str]) -> PathBuf {
    let path = sandbox.task(dir, ["add", "-q", name].iter().chain(options)).ok().path();
    sandbox.commit(&path, format!("{name}.txt"), "work\n", &format!("Work on {name}"));
    path
}

pub fn ready(sandbox: &Sandbox, dir: &Path, name: &str, options: &[&str]) -> PathBuf {
    let path = work(sandbox, dir, name, options);
    sandbox.task(dir, ["ready", name]).ok();
    path
}

pub fn lines(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Vec<String> {
    let run = sandbox.integrate(dir, ["-n", "--porcelain"].iter().chain(args));
    assert!(run.code <= 1, "{run}");
    run.stdout.lines().map(str::to_owned).collect()
}

/// Exit code, one error that says this, nothing printed, nothing changed.
#[track_caller]
pub fn refuses(sandbox: &Sandbox, dir: &Path, args: &[&str], code: i32, message: &str) -> Run {
    let before = Frozen::of(sandbox);
    let run = sandbox.integrate(dir, ["-n"].iter().chain(args)).fails(code).prints("").says(message);
    run.assert_one_error();
    before.assert_unchanged(sandbox, &run);
    run
}

#[test]
fn ready_tasks_come_in_order_and_nothing_is_changed() {
    let mut sandbox = Sandbox::new();
    let dir = sandbox.init();
    for (name, options) in [
        ("late", &["--after", "early", "--base", "main"][..]),
        ("low", &["--priority", "-1"]),
        ("old", &[]),
        ("early", &[]),
        ("high", &["--priority", "7", "--title", "feat: the first"]),
    ] {
        // A predecessor has to be there first.
        if name == "late" {
            sandbox.task(&dir, ["add", "-q", "early"]).ok();
        }
        if name == "early" {
            sandbox.commit(dir.parent().unwrap().join("repo-worktrees/early"), "e", "e\n", "Early");
        } else {
            work(&sandbox, &dir, name, options);
        }
    }
    work(&sandbox, &dir, "open", &[]);
    for (at, name) in ["old", "late", "early", "low", "high"].iter().enumerate() {
        sandbox.set_now(NOW + 60 * at as u64);
        sandbox.task(&dir, ["ready", name]).ok();
    }
    let before = Frozen::of(&sandbox);
    let run = sandbox.integrate(&dir, ["-n"]).ok();
    let tip = &sandbox.commit_id(&dir, "main")[..7];
    assert_eq!(
        run.stdout,
        format!(
            "Into main ({tip}):\nTASK   RESULT  ABOUT\nhigh   merges  feat: the first\n\
             old    merges  Merge task 'old'\nearly  merges  Merge task 'early'\n\
             late   merges  Merge task 'late'\nlow    merges  Merge task 'low'\n"
        )
    );
    before.assert_unchanged(&sandbox, &run);
    assert_eq!(run.stderr, "");
    // With names only those, wherever one asks.
    let inside = dir.join("sub");
    std::fs::create_dir(&inside).unwrap();
    for from in [&dir, &inside, &dir.parent().unwrap().join("repo-worktrees/low")] {
        assert_eq!(lines(&sandbox, from, &["low", "high"]), ["merged high", "merged low"]);
    }
    assert_eq!(
        lines(&sandbox, &dir, &["late"]),
        ["skipped late comes after 'early', which is not among the tasks named"]
    );
    let run = sandbox.integrate(&dir, ["-n", "--porcelain", "-z", "low", "high"]).ok();
    assert_eq!(run.stdout, "merged high\0merged low\0");
    let json: Value =
        serde_json::from_str(&sandbox.integrate(&dir, ["-n", "--json", "low"]).ok().stdout).unwrap();
    assert_eq!(json["target"], "refs/heads/main");
    assert_eq!(json["old"], sandbox.commit_id(&dir, "main").as_str());
    assert_eq!(json["tasks"][0]["tip"], sandbox.commit_id(&dir, "low").as_str());
}

#[test]
fn what_is_missing_is_named_and_goes_with_those_that_wait_for_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for (name, after) in [("a", ""), ("b", "a"), ("c", "b"), ("d", "nobody"), ("e", "gone"), ("f", "done")] {
        ready(&sandbox, &dir, name, &[]);
        if !after.is_empty() {
            sandbox.git(&dir, ["config", &format!("task.{name}.after"), after]).ok();
        }
    }
    work(&sandbox, &dir, "gone", &[]);
    work(&sandbox, &dir, "done", &[]);
    sandbox.task(&dir, ["rm", "-f", "gone"]).ok();
    // Landed by hand, squashed, and open all the same.
    sandbox.sh(&dir, "git merge -q --squash done && git commit -qm squashed").ok();
    sandbox.task(&dir, ["block", "a", "-m", "x"]).ok();
    assert_eq!(
        lines(&sandbox, &dir, &[]),
        [
            "merged f",
            "skipped b comes after 'a', which is blocked",
            "skipped c comes after 'b', which is left out",
            "skipped d comes after 'nobody', which does not exist",
            "skipped e comes after 'gone', which was dropped",
        ]
    );
    // A conflict takes with it who comes after.
    sandbox.task(&dir, ["ready", "a"]).ok();
    sandbox.commit(&dir, "a.txt", "mine\n", "In the way");
    let all = lines(&sandbox, &dir, &[]);
    assert_eq!(all[0], "conflict a add/add a.txt");
    assert!(all.contains(&"skipped c comes after 'b', which is not merged".to_owned()), "{all:?}");
}

#[test]
fn phases_are_sync_points() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(
        sandbox.path(""),
        "plan.toml",
        "base = \"main\"\n[[task]]\nname = \"one\"\nphase = 1\n[[task]]\nname = \"uno\"\nphase = 1\n\
         [[task]]\nname = \"two\"\nphase = 2\npriority = 9\n[[task]]\nname = \"free\"\n",
    );
    let paths = sandbox.task(&dir, ["add", "-q", "--from", "../plan.toml"]).ok();
    for path in paths.stdout.lines() {
        sandbox.commit(path, "f", "same\n", "Work");
    }
    for name in ["one", "two", "free"] {
        sandbox.task(&dir, ["ready", name]).ok();
    }
    let all = lines(&sandbox, &dir, &[]);
    assert_eq!(
        all,
        ["merged free", "contained one", "skipped two comes after 'uno' of phase 1, which is not ready"]
    );
    sandbox.task(&dir, ["ready", "uno"]).ok();
    assert_eq!(lines(&sandbox, &dir, &[]).last().unwrap(), "contained two");
    // Who was dropped holds up nobody.
    sandbox.task(&dir, ["rm", "-f", "uno"]).ok();
    assert_eq!(lines(&sandbox, &dir, &[]).last().unwrap(), "contained two");
}

#[test]
fn contained_and_empty_are_no_merges() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["merged", "squashed", "moved", "picked", "history"] {
        ready(&sandbox, &dir, name, &[]);
    }
    let empty = sandbox.task(&dir, ["add", "-q", "empty"]).ok().path();
    let tip = sandbox.commit_id(&empty, "HEAD");
    sandbox.git(&dir, ["config", "task.empty.state", "ready"]).ok();
    sandbox.git(&dir, ["config", "task.empty.readyTip", &tip]).ok();
    // The work taken back again is a history without a change: a merge records it.
    let history = dir.parent().unwrap().join("repo-worktrees/history");
    sandbox.git(&history, ["revert", "--no-edit", "HEAD"]).ok();
    sandbox.task(&dir, ["ready", "history"]).ok();
    sandbox.git(&dir, ["merge", "-q", "--no-edit", "--no-ff", "merged"]).ok();
    sandbox.sh(&dir, "git merge -q --squash squashed && git commit -qm s").ok();
    sandbox
        .sh(
            &dir,
            "git merge -q --squash moved && git commit -qm m && echo more >moved.txt && git commit -qam n",
        )
        .ok();
    sandbox.git(&dir, ["cherry-pick", "picked"]).ok();
    let all = lines(&sandbox, &dir, &[]);
    let expected = [
        "contained merged",
        "contained moved",
        "contained picked",
        "contained squashed",
        "empty empty",
        "merged history",
    ];
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    // Nothing to land is no failure.
    sandbox.integrate(&dir, ["-n", "merged", "empty"]).ok();
    assert_eq!(lines(&sandbox, &dir, &["--squash", "history"]), ["contained history"]);
}

#[test]
fn a_circle_made_by_hand_is_named() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for (name, after) in [("a", "c"), ("b", "a"), ("c", "b"), ("d", "a")] {
        ready(&sandbox, &dir, name, &[]);
        sandbox.git(&dir, ["config", &format!("task.{name}.after"), after]).ok();
    }
    ready(&sandbox, &dir, "free", &[]);
    refuses(&sandbox, &dir, &[], 128, "the tasks come after each other in a circle: a -> c -> b -> a\n")
        .says("git config --get-all task.a.after");
    assert_eq!(lines(&sandbox, &dir, &["free"]), ["merged free"]);
}

#[test]
fn a_scope_is_warned_about_refused_or_ignored() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = work(&sandbox, &dir, "x", &["--scope", "src/**", "--scope", ":(glob)docs/*.md"]);
    for name in ["src/a/b", "docs/x.md", "docs/deep/x.md", "docs/new\nline"] {
        sandbox.commit(&path, name, "x\n", "More");
    }
    // What the target did meanwhile is not the task's doing.
    sandbox.commit(&dir, "elsewhere", "x\n", "Main");
    sandbox.git(&path, ["merge", "-q", "--no-edit", "main"]).ok();
    sandbox.task(&dir, ["ready", "x"]).ok();
    let warning =
        "warning: task 'x' changes files outside of its scope: docs/deep/x.md, docs/new\\nline, x.txt\n";
    let run = sandbox.integrate(&dir, ["-n", "--json"]).ok().says(warning);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["tasks"][0]["outside"].as_array().unwrap().len(), 3);
    sandbox.git(&dir, ["config", "integrate.scope", "refuse"]).ok();
    assert_eq!(lines(&sandbox, &dir, &[]), ["skipped x changes files outside of its scope"]);
    sandbox.git(&dir, ["config", "integrate.scope", "ignore"]).ok();
    let run = sandbox.integrate(&dir, ["-n", "--porcelain"]).ok().prints("merged x\n");
    assert_eq!(run.stderr, "");
    // A scope that means nothing to git hinders nobody.
    sandbox.git(&dir, ["config", "integrate.scope", "warn"]).ok();
    sandbox.git(&dir, ["config", "--replace-all", "task.x.scope", ":(nonsense)x"]).ok();
    sandbox.integrate(&dir, ["-n", "--porcelain"]).ok().prints("merged x\n").says("bad scope of task 'x'");
}

#[test]
fn messages_come_from_the_template() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "x", &["--title", "feat: {task}", "--type", "fix"]);
    ready(&sandbox, &dir, "y", &[]);
    let messages = |args: &[&str]| -> Vec<String> {
        let run = sandbox.integrate(&dir, ["-n", "--json"].iter().chain(args)).ok();
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        let tasks = json["tasks"].as_array().unwrap();
        tasks.iter().map(|t| t["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(messages(&[]), ["feat: {task}", "Merge task 'y'"]);
    sandbox.git(&dir, ["config", "integrate.message", "{type}({task}): {title}"]).ok();
    assert_eq!(messages(&[]), ["fix(x): feat: {task}", "task(y): Merge task 'y'"]);
    assert_eq!(messages(&["-m", "into {base}"]), ["into main", "into main"]);
    refuses(&sandbox, &dir, &["-m", "{nonsense}"], 128, "unknown placeholder '{nonsense}'");
}

#[test]
fn histories_that_have_nothing_in_common_are_left_out() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = ready(&sandbox, &dir, "x", &[]);
    sandbox
        .sh(&path, "git checkout -q --orphan other && git commit -qm orphan && git branch -qM other x")
        .ok();
    sandbox.task(&dir, ["ready", "x"]).ok();
    ready(&sandbox, &dir, "y", &[]);
    let expected = ["skipped x has no history in common with 'main'", "merged y"];
    let mut all = lines(&sandbox, &dir, &[]);
    all.sort_by_key(|line| line.starts_with("merged"));
    assert_eq!(all, expected);
}

#[test]
fn odd_repositories_are_forecast_as_any_other() {
    let sandbox = Sandbox::new();
    let mut kinds = vec![vec!["--object-format=sha256"]];
    if sandbox.git("/", ["init", "-h"]).stdout.contains("--ref-format") {
        kinds.push(vec!["--ref-format=reftable", "--object-format=sha256"]);
    }
    for (at, kind) in kinds.iter().enumerate() {
        let dir = sandbox.init_with(&format!("a repo:{at}"), kind);
        for name in ["x", "y", "z"] {
            ready(&sandbox, &dir, name, &[]);
        }
        assert_eq!(lines(&sandbox, &dir, &[]), ["merged x", "merged y", "merged z"]);
    }
    // A bare one with worktrees; a shallow one; one that is unborn.
    let dir = sandbox.init();
    ready(&sandbox, &dir, "x", &[]);
    sandbox.git(&dir, ["clone", "-q", "--bare", ".", "../bare.git"]).ok();
    let bare = sandbox.path("bare.git");
    ready(&sandbox, &bare, "y", &["--base", "main"]);
    assert_eq!(lines(&sandbox, &bare, &[]), ["merged y"]);
    for n in 0..3 {
        sandbox.commit(&dir, "more", format!("{n}\n"), "More");
    }
    let url = format!("file://{}", dir.display());
    sandbox.git(sandbox.path(""), ["clone", "-q", "--depth=1", &url, "shallow"]).ok();
    let shallow = sandbox.path("shallow");
    ready(&sandbox, &shallow, "z", &[]);
    sandbox.git(&shallow, ["fetch", "-q", "--depth=1", "origin", "x:old"]).ok();
    sandbox.task(&shallow, ["add", "-q", "cut", "-b", "old", "--base", "main"]);
    assert_eq!(lines(&sandbox, &shallow, &["z"]), ["merged z"]);
    let unborn = sandbox.init_empty("unborn", &[]);
    sandbox.integrate(&unborn, ["-n"]).ok().prints("").says("no task is ready");
    refuses(&sandbox, &unborn, &["--into", "main"], 128, "invalid reference: main");
    sandbox.integrate(sandbox.path(""), ["-n"]).fails(128).says("not a git repository");
}

#[test]
fn a_hundred_tasks_are_forecast_together() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let tip = sandbox.commit_id(&dir, "HEAD");
    let mut stream = String::new();
    for n in 0..100 {
        let text = if n % 10 == 9 { "same\n".len() + 3 } else { 3 };
        let file = if n % 10 == 9 { "same".to_owned() } else { format!("f{n}") };
        let body = format!("{n:02}\n{}", if n % 10 == 9 { "same\n" } else { "" });
        stream += &format!(
            "commit refs/heads/t{n:02}\ncommitter U <u@x> {} +0000\ndata 1\nx\nfrom {tip}\nM 100644 inline {file}\ndata {text}\n{body}\n",
            1_700_000_000 + n
        );
    }
    let mut import = sandbox.git_command(&dir, ["fast-import", "--quiet"]);
    Run::of(&mut import, stream.as_bytes()).ok();
    let mut config = std::fs::read_to_string(dir.join(".git/config")).unwrap();
    for n in 0..100 {
        let id = sandbox.commit_id(&dir, &format!("t{n:02}"));
        config += &format!(
            "[task \"t{n:02}\"]\n\tbranch = t{n:02}\n\tbase = main\n\tstart = {tip}\n\tstate = ready\n\tready = {}\n\treadyTip = {id}\n",
            1000 - n
        );
    }
    std::fs::write(dir.join(".git/config"), config).unwrap();
    let all = lines(&sandbox, &dir, &[]);
    assert_eq!(all.len(), 100);
    assert_eq!(all[0], "merged t99");
    assert_eq!(all[10], "conflict t89 add/add same");
    assert_eq!(all.iter().filter(|line| line.starts_with("conflict")).count(), 9);
}

#[test]
fn the_command_line_is_checked() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for args in [
        &["--continue", "--abort"][..],
        &["--continue", "x"],
        &["--status", "-n"],
        &["--on-conflict", "perhaps"],
        &["-z"],
        &["--json", "--porcelain"],
        &["--nonsense"],
        &["--into"],
    ] {
        sandbox.integrate(&dir, args).fails(129).prints("").says("error: ");
    }
    sandbox.integrate(&dir, ["-n", "--porcelain=v7"]).fails(128).says("unsupported porcelain version 'v7'");
    sandbox.integrate(&dir, ["-n", "--no-ff", "--squash", "--no-check", "--no-keep-going", "--no-keep"]).ok();
}
