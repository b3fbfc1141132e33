//! What must hold when all is quiet again.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::worker::{Ground, Written};
use crate::support::*;

/// Looks at everything; a line for each thing that is wrong.
pub fn look(ground: &Ground<'_>, written: &[Written]) -> Vec<String> {
    let (sandbox, dir) = (ground.sandbox, ground.dir.as_path());
    let mut wrong = Vec::new();
    let mut must = |run: Run, silent: bool| {
        let well = run.code == 0 && !run.stderr.contains("warning:") && (!silent || run.stdout.is_empty());
        if !well {
            wrong.push(format!("{run}"));
        }
    };
    if sandbox.integrate(dir, ["--status"]).code != 0 {
        must(sandbox.integrate(dir, ["--abort"]), false);
    }
    must(sandbox.task(dir, ["repair"]), false);
    let run = sandbox.pool(dir, ["repair"]);
    // It warns of slots that stay as they are.
    let warnings: String = run.stderr.lines().filter(|line| !line.contains(" set aside")).collect();
    must(Run { stderr: warnings, ..run }, false);
    // What lies in a slot that nobody had is for a person to look at, and then to give back.
    let states = sandbox.pool(dir, ["list", "--format=%(slot) %(state)"]).ok().stdout;
    for slot in states.lines().filter_map(|line| line.strip_suffix(" broken")) {
        must(sandbox.pool(dir, ["release", "-f", slot]), false);
    }
    must(sandbox.task(dir, ["repair", "-n"]), true);
    must(sandbox.pool(dir, ["repair", "-n"]), true);
    must(sandbox.task(dir, ["list", "--all"]), false);
    must(sandbox.pool(dir, ["list"]), false);
    must(sandbox.integrate(dir, ["--status"]), false);
    must(sandbox.git(dir, ["worktree", "prune", "-n"]), true);
    let fsck = ["fsck", "--full", "--strict", "--no-dangling", "--no-progress"];
    must(sandbox.git(dir, fsck), true);
    wrong.extend(leftovers(ground).into_iter().map(|path| format!("left behind: {}", path.display())));
    wrong.extend(lost(ground, written));
    wrong
}

/// Locks, intents, temporary files, and directories that are no worktrees.
fn leftovers(ground: &Ground<'_>) -> Vec<PathBuf> {
    let git_dir = ground.dir.join(".git");
    let mut found = crate::support::leftovers(&git_dir);
    for name in ["git-parallel/intents", "git-parallel/sweep", "git-parallel/pool-queue"] {
        found.extend(entries(&git_dir.join(name)));
    }
    let known: BTreeSet<PathBuf> = worktrees(ground).into_iter().collect();
    let beside = entries(&ground.sandbox.path("repo-worktrees"));
    found.extend(beside.into_iter().filter(|path| !known.contains(path)));
    found
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect()
}

fn worktrees(ground: &Ground<'_>) -> Vec<PathBuf> {
    let listed = ground.sandbox.git(&ground.dir, ["worktree", "list", "--porcelain"]).ok().stdout;
    listed.lines().filter_map(|l| l.strip_prefix("worktree ")).map(PathBuf::from).collect()
}

/// What was written and is nowhere: not in a commit that something refers to, and, unless it was committed, not
/// in a worktree either.
fn lost(ground: &Ground<'_>, written: &[Written]) -> Vec<String> {
    let (sandbox, dir) = (ground.sandbox, ground.dir.as_path());
    let places = worktrees(ground);
    let mut list = vec!["rev-list".to_owned(), "--objects".to_owned(), "--all".to_owned()];
    let heads = places.iter().map(|p| sandbox.git(p, ["rev-parse", "HEAD"]).stdout.trim().to_owned());
    list.extend(heads.filter(|head| !head.is_empty()));
    let reachable = sandbox.git(dir, &list).ok().stdout;
    let reachable: HashSet<&str> = reachable.lines().filter_map(|l| l.split(' ').next()).collect();
    let mut wrong = Vec::new();
    for one in written {
        let mut hash = sandbox.git_command(dir, ["hash-object", "--stdin"]);
        let id = Run::of(&mut hash, one.content.as_bytes()).ok().line().to_owned();
        let there =
            |place: &PathBuf| std::fs::read_to_string(place.join(&one.name)).is_ok_and(|c| c == one.content);
        if !reachable.contains(id.as_str()) && (one.committed || !places.iter().any(there)) {
            wrong.push(format!("lost: {one:?} ({id})"));
        }
    }
    wrong
}
