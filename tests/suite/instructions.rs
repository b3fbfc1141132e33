//! What the hot paths cost, in instructions and not in seconds: those are the same on a busy machine.
//!
//! `benches/instructions.txt` holds what they cost when somebody last looked. Children are not counted. A debug
//! build is measured, as the other tests run one; how a cost grows is the same in both.
//! `SNAPSHOTS=overwrite` takes on what is measured now.

use std::collections::BTreeMap;
use std::path::Path;

use crate::generated::root;
use crate::support::*;

const KEPT: &str = "benches/instructions.txt";

/// More or less than this is a change that somebody has to look at. What differs between machines and from run
/// to run (the C library's copying, the seeds of hash tables) is below it.
const TOLERANCE: f64 = 0.15;

/// How many instructions a program of ours executes.
#[track_caller]
fn instructions(sandbox: &Sandbox, dir: &Path, env: &[(&str, &str)], line: &[&str]) -> u64 {
    let program = sandbox.root().join("bin").join(line[0]);
    let mut command = sandbox.command(dir, "valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args(&line[1..]);
    command.envs(env.iter().copied());
    let run = Run::of(&mut command, b"").ok();
    let count = run.stderr.lines().find_map(|line| line.split_once("Collected : "));
    count.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count\n{run}"))
}

/// A repository with so many tasks, which have branches and no worktrees.
fn repository(sandbox: &Sandbox, tasks: usize) -> std::path::PathBuf {
    let dir = sandbox.init_with(&format!("with-{tasks}"), &[]);
    let head = sandbox.commit_id(&dir, "HEAD");
    let mut sections = String::new();
    for task in 0..tasks {
        sandbox.git(&dir, ["update-ref", &format!("refs/heads/t{task}"), "HEAD"]).ok();
        sections += &format!("[task \"t{task}\"]\n\tbranch = t{task}\n\tbase = main\n\tstart = {head}\n");
    }
    let config = dir.join(".git/config");
    let before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, before + &sections).unwrap();
    dir
}

#[test]
fn the_hot_paths_cost_what_they_did() {
    if !need("valgrind") {
        return;
    }
    let sandbox = Sandbox::new();
    let (few, many) = (repository(&sandbox, 10), repository(&sandbox, 100));
    let complete: &[(&str, &str)] = &[("_GIT_PARALLEL_COMPLETE", "bash")];
    let mut now: BTreeMap<&str, u64> = BTreeMap::new();
    let mut measure = |what, dir: &Path, env, line: &[&str]| {
        now.insert(what, instructions(&sandbox, dir, env, line));
    };
    measure("start", &few, &[], &["git-task", "--version"]);
    measure("list, 10 tasks", &few, &[], &["git-task", "list", "--porcelain"]);
    measure("list, 100 tasks", &many, &[], &["git-task", "list", "--porcelain"]);
    measure("completion, 100 tasks", &many, complete, &["git-task", "--", "git-task", "show", "t9"]);
    measure("add", &few, &[], &["git-task", "add", "-q", "new"]);
    sandbox.pool(&few, ["init", "-q", "1"]).ok();
    measure("claim", &few, &[], &["git-pool", "claim", "-q", "--no-refill"]);

    let growth = now["list, 100 tasks"] as f64 / now["list, 10 tasks"] as f64;
    assert!(growth < 10.0, "ten times as many tasks cost {growth:.1} times as much: {now:?}");
    let lines: String = now.iter().map(|(what, count)| format!("{count:>12} {what}\n")).collect();
    if std::env::var_os("SNAPSHOTS").is_some_and(|v| v == "overwrite") {
        std::fs::write(root(KEPT), &lines).unwrap();
    }
    let kept = std::fs::read_to_string(root(KEPT)).unwrap_or_default();
    let kept: BTreeMap<&str, u64> = kept
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(count, what)| (what, count.parse().unwrap()))
        .collect();
    let is_near = |(what, count): (&&str, &u64)| {
        kept.get(what).is_some_and(|kept| (*count as f64 / *kept as f64 - 1.0).abs() < TOLERANCE)
    };
    assert!(now.iter().all(is_near), "{KEPT} holds\n{kept:#?}\nand now it is\n{lines}");
}
