//! What is a task's own: everything since its start, but not what was brought in since.

use gix::ObjectId;

use super::record::Tasks;
use super::{Desk, Task, place};
use crate::error::{Failure, Result};
use crate::git::parse_id;
use crate::git::process::Git;

/// The commits up to which everything in the task's HEAD is somebody else's: its start, and as far as they
/// were brought in since, its base and the tasks that it comes after. None of them contains another.
///
/// # Errors
/// If it is not known where the task started, or git fails.
pub fn beginnings(desk: &Desk<'_>, task: &Task, git: &Git) -> Result<Vec<ObjectId>> {
    let start = task
        .start
        .ok_or_else(|| Failure::fatal(format!("it is not known where task '{}' started", task.slug)))?;
    let head = parse_id(git.cmd(["rev-parse", "--verify", "HEAD"]).poll().line()?.as_bytes())?;
    let mut all = vec![start];
    for tip in others(desk, task)? {
        let output = git.cmd(["merge-base", &head.to_string(), &tip.to_string()]).poll().output()?;
        match output.code() {
            0 => {
                let met = parse_id(output.stdout.trim_ascii_end())?;
                // Where all of it landed, it is still the task's own.
                if met != head {
                    all.push(met);
                }
            }
            1 => {}
            _ => return Err(output.into_failure()),
        }
    }
    if all.len() == 1 {
        return Ok(all);
    }
    // A start that HEAD has left behind, by a reset or a rebase by hand, says nothing any more.
    let is_old = git.cmd(["merge-base", "--is-ancestor", &start.to_string(), &head.to_string()]);
    if is_old.poll().output()?.code() == 1 {
        all.remove(0);
    }
    let names = all.iter().map(ObjectId::to_string);
    let out = git.cmd(["merge-base", "--independent"]).args(names).poll().run()?;
    out.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(parse_id).collect()
}

/// The tips of the base and of the living tasks it comes after.
fn others(desk: &Desk<'_>, task: &Task) -> Result<Vec<ObjectId>> {
    let base = task.base.as_deref().map(|b| desk.repo.find_branch(b)).transpose()?.flatten();
    let mut tips: Vec<_> = base.map(|(_, tip)| tip).into_iter().collect();
    if !task.after.is_empty() {
        let (tasks, worktrees) = (Tasks::read(desk.repo)?, desk.repo.worktrees()?);
        for before in task.after.iter().filter_map(|name| tasks.find(name)).filter(|t| t.state.is_live()) {
            tips.extend(place::head_of(desk.repo, before, &worktrees)?);
        }
    }
    Ok(tips)
}

/// What a difference to the task's own work is taken from: one commit, or the tree of several merged. Where
/// they don't merge by themselves, the first of them.
///
/// # Errors
/// If git fails.
pub fn tree_before(git: &Git, beginnings: &[ObjectId]) -> Result<ObjectId> {
    let (first, rest) = beginnings.split_first().expect("a task has a start");
    let (mut merged, mut result) = (*first, *first);
    for other in rest {
        let (ours, theirs) = (merged.to_string(), other.to_string());
        let output = git.cmd(["merge-tree", "--write-tree", &ours, &theirs]).poll().output()?;
        if output.code() != 0 {
            return Ok(*first);
        }
        result = parse_id(output.stdout.trim_ascii_end())?;
        let identity = ["-c", "user.name=git-parallel", "-c", "user.email=git-parallel@localhost"];
        let commit = ["commit-tree", "-p", &ours, "-p", &theirs, "-m", "Merge", &result.to_string()];
        merged = parse_id(git.cmd(identity).args(commit).line()?.as_bytes())?;
    }
    Ok(result)
}
