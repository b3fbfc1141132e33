//! `git task lock` and `unlock`: with an intent, so that nobody removes or moves the worktree meanwhile. What takes
//! but a moment has the state lock for that.

use std::path::Path;

use super::record::Tasks;
use super::{Desk, Slug, Task, place, settle, taken};
use crate::error::{Failure, Result};
use crate::git::worktree::Worktree;
use crate::store::record::{Found, Intent, Record, intents, peek_at};

/// What takes a task's files away or elsewhere.
const LEAVING: [&str; 4] = ["move", "rename", "rm", "release"];

/// Locks the worktree at `path`.
///
/// # Errors
/// If another process is at the task, or in git's words.
pub fn lock(desk: &Desk<'_>, task: &Task, path: &Path, reason: Option<&str>) -> Result<()> {
    alone(desk, task, "lock", || {
        let cmd = desk.repo.at_home().cmd(["worktree", "lock"]);
        let cmd = if let Some(reason) = reason { cmd.arg("--reason").arg(reason) } else { cmd };
        cmd.arg(path).run().map(drop)
    })
}

/// Unlocks it.
///
/// # Errors
/// As [`lock`].
pub fn unlock(desk: &Desk<'_>, task: &Task, path: &Path) -> Result<()> {
    alone(desk, task, "unlock", || desk.repo.at_home().cmd(["worktree", "unlock"]).arg(path).run().map(drop))
}

/// Does what takes but a moment and waits for nobody, while nobody takes a task's worktree away or elsewhere. Waits
/// for whoever does.
///
/// # Errors
/// If that takes longer than `task.lockTimeout`; or what `work` says.
pub fn in_place<T>(desk: &Desk<'_>, slug: &Slug, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let is_leaving = |i: &&Found| i.name == slug.as_str() && LEAVING.contains(&i.record.kind.as_str());
    let settle = || settle::settle_all(desk, false).map(drop);
    desk.patiently(settle, || {
        let held = desk.lock()?;
        match intents(&desk.repo.state_dir(), &held)?.iter().find(is_leaving) {
            Some(other) => Err(taken::by_process(slug.as_str(), &other.record)),
            None => work(),
        }
    })
}

/// Why a look at a task's files failed, which was done without holding them: if another process is taking them
/// away or bringing them, or has done so since they were found, that is [passing](Failure::passing), and `why` may
/// not be so.
///
/// # Errors
/// If that can't be told.
pub fn unless_taken(
    desk: &Desk<'_>,
    looked_at: &Task,
    worktrees: &[Worktree],
    why: Failure,
) -> Result<Failure> {
    const COMING: [&str; 2] = ["occupy", "restore"];
    let slug = looked_at.slug.as_str();
    // First: who is done by now has written down what has become of it.
    let under_way = peek_at(&desk.repo.state_dir(), slug)?
        .filter(|i| LEAVING.contains(&i.record.kind.as_str()) || COMING.contains(&i.record.kind.as_str()));
    if let Some(other) = under_way {
        let failure = taken::by_process(slug, &other.record);
        return Ok(if failure.passing { failure } else { why });
    }
    let tasks = Tasks::read(desk.repo)?;
    let Some(now) = tasks.find(slug) else { return Ok(why.passing()) };
    let path = |task: &Task, all: &[Worktree]| place::path_of(desk.repo, task, all);
    let is_as_before = now == looked_at && path(now, &desk.repo.worktrees()?)? == path(looked_at, worktrees)?;
    Ok(if is_as_before { why } else { why.passing() })
}

fn alone(desk: &Desk<'_>, task: &Task, kind: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let dir = desk.repo.state_dir();
    let held = desk.lock()?;
    let name = task.slug.as_str();
    taken::refuse_busy(&intents(&dir, &held)?, name, |_| false)?;
    let intent = Intent::write(&dir, &held, name, &Record::new(kind))?;
    drop(held);
    let done = intent.during(work);
    intent.done()?;
    done
}
