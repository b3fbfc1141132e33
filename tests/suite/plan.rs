//! `git task add --from <plan>`.

use crate::support::*;

const PLAN: &str = r#"base = "main"
[[task]]
name = "api"
after = ["data"]
title = "feat: the interface"
goal = "Routes"
type = "feature"
scope = ["src/api/**"]
priority = 10
session = "builder"
[[task]]
name = "data"
[[task]]
name = "ui"
after = ["data", "api"]
[[task]]
name = "late"
phase = 2
[[task]]
name = "early"
phase = 1
"#;

#[test]
fn all_tasks_of_a_plan_are_made_in_its_order() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, "sub/plan.toml", PLAN);
    let run = sandbox.task(dir.join("sub"), ["add", "--from", "plan.toml"]).ok();
    let made: Vec<_> = run.stdout.lines().map(|l| l.rsplit('/').next().unwrap().to_owned()).collect();
    let at = |name: &str| made.iter().position(|m| m == name).unwrap();
    assert!(
        made.len() == 5 && at("data") < at("api") && at("api") < at("ui") && at("early") < at("late"),
        "{made:?}"
    );
    let keys = "list --format=%(task)|%(branch)|%(base)|%(after)|%(phase)|%(priority)|%(title)|%(goal)|%(scope)|%(session)";
    let listed = sandbox.task(&dir, keys.split(' ')).ok().stdout;
    for line in [
        "api|refs/heads/feature/api|refs/heads/main|data||10|feat: the interface|Routes|src/api/**|builder",
        "ui|refs/heads/ui|refs/heads/main|data api||0||||",
        "late|refs/heads/late|refs/heads/main||2|0||||",
    ] {
        assert!(listed.lines().any(|l| l == line), "{line} is not in\n{listed}");
    }
    assert_sound(&sandbox, &dir);
}

#[test]
fn one_bad_entry_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["branch", "taken"]).ok();
    sandbox.write(sandbox.path("repo-worktrees"), "occupied/file", "x");
    let plan = |text: &str| sandbox.write(sandbox.path(""), "plan.toml", text);
    let refused = |text: &str, message: &str| {
        plan(text);
        sandbox.refuses(&dir, ["add", "--from", "../plan.toml"], 128, message);
    };
    let first = "[[task]]\nname = 'good'\n[[task]]\n";
    refused(&format!("{first}name = 'taken'\n"), "a branch named 'taken' already exists");
    refused(&format!("{first}name = 'occupied'\n"), "already exists");
    refused(&format!("{first}name = 'good'\n"), "plan.toml:4");
    refused(&format!("{first}name = 'a/b'\n"), "plan.toml:4");
    refused(&format!("{first}name = 'x'\nafter = ['nobody']\n"), "plan.toml:5");
    refused(&format!("{first}name = 'x'\ncolour = 'red'\n"), "plan.toml:5");
    refused(&format!("{first}name = 'x'\npriority = 'high'\n"), "plan.toml:5");
    refused(&format!("{first}name = 'x'\nafter = ['x']\n"), "plan.toml:");
    refused("[[task]]\nname = 'a'\nafter = ['b']\n[[task]]\nname = 'b'\nafter = ['a']\n", "plan.toml:3");
    refused("base = 'nowhere'\n[[task]]\nname = 'a'\n", "nowhere");
    refused("[[task\n", "plan.toml:1");
    refused("[[task]]\nname = 'bad\u{1b}'\n", "plan.toml:2");
    sandbox.refuses(&dir, ["add", "--from", "nowhere.toml"], 128, "could not open 'nowhere.toml'");
    sandbox.refuses(&dir, ["add", "--from", "."], 128, "could not open '.'");
    sandbox.refuses(&dir, ["add", "x", "--from", "../plan.toml"], 129, "--from");
    sandbox.refuses(&dir, ["add"], 129, "task");
}

#[test]
fn what_fails_while_it_is_made_takes_all_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    // git refuses a branch below another only when it is made.
    sandbox.git(&dir, ["branch", "fix"]).ok();
    sandbox.write(
        &dir,
        "plan.toml",
        "[[task]]\nname='one'\n[[task]]\nname='two'\ntype='fix'\n[[task]]\nname='three'\n",
    );
    let refs = sandbox.refs(&dir);
    let config = std::fs::read(dir.join(".git/config")).unwrap();
    let run = sandbox.task(&dir, ["add", "--from", "plan.toml"]).fails(128).prints("");
    run.assert_one_error();
    assert_eq!(sandbox.refs(&dir), refs);
    assert_eq!(std::fs::read(dir.join(".git/config")).unwrap(), config);
    assert!(!dir.join("notes").exists() && !dir.join(".git/worktrees").exists());
    assert_eq!(std::fs::read_dir(sandbox.path("repo-worktrees")).unwrap().count(), 0);
    sandbox.git(&dir, ["branch", "-qD", "fix"]).ok();
    sandbox.task(&dir, ["add", "--from", "plan.toml"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_plan_goes_on_from_what_is_there() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let old = sandbox.task(&dir, ["add", "old"]).ok().path();
    let tip = sandbox.commit(&old, "a", "a\n", "Work");
    sandbox.git(&dir, ["branch", "dev"]).ok();
    sandbox.write(
        &dir,
        "plan.toml",
        "base = 'dev'\n[[task]]\nname='new'\nafter=['old']\n[[task]]\nname='far'\nafter=['new']\n",
    );
    sandbox.task(&dir, ["add", "--from", "plan.toml"]).ok();
    for task in ["new", "far"] {
        assert_eq!(sandbox.commit_id(&dir, task), tip, "{task} starts where its predecessor stands");
        sandbox.git(&dir, ["config", &format!("task.{task}.base")]).ok().prints("dev\n");
    }
    sandbox.write(&dir, "plan.toml", "[[task]]\nname='x'\n");
    sandbox.task(&dir, ["add", "--from", "plan.toml", "--base", "dev", "-n"]).ok();
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("far\nnew\nold\n");
}
