//! `git task lock` and `unlock`: with an intent, so that nobody removes or moves the worktree meanwhile. What takes
//! but a moment has the state lock for that.

use std::path::Path;

use super::{Desk, Slug, Task, place, settle, taken};
use crate::error::{Failure, Result};
use crate::store::record::{Found, Intent, Record, intents};

/// Locks the worktree at `path`.
///
/// # Errors
/// If another process is at the task, or in git's words.
pub fn lock(desk: &Desk<'_>, task: &Task, path: &Path, reason: Option<&str>) -> Result<()> {
    alone(desk, task, path, "lock", || {
        let args: Vec<&str> =
            ["lock"].into_iter().chain(reason.into_iter().flat_map(|r| ["--reason", r])).collect();
        desk.worktree(&args, path)
    })
}

/// Unlocks it.
///
/// # Errors
/// As [`lock`].
pub fn unlock(desk: &Desk<'_>, task: &Task, path: &Path) -> Result<()> {
    alone(desk, task, path, "unlock", || desk.worktree(&["unlock"], path))
}

/// Does what takes but a moment and waits for nobody, while nobody takes a task's worktree away or elsewhere. Waits
/// for whoever does.
///
/// # Errors
/// If that takes longer than `task.lockTimeout`; or what `work` says.
pub fn in_place<T>(desk: &Desk<'_>, slug: &Slug, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let is_leaving = |i: &&Found| i.name == slug.as_str() && taken::LEAVING.contains(&i.record.kind.as_str());
    let settle = || settle::settle_all(desk, false).map(drop);
    desk.patiently(settle, || {
        let held = desk.lock()?;
        match intents(&desk.repo.state_dir(), &held)?.iter().find(is_leaving) {
            Some(other) => Err(taken::by_process(slug.as_str(), &other.record)),
            None => work(),
        }
    })
}

fn alone(
    desk: &Desk<'_>,
    task: &Task,
    path: &Path,
    kind: &str,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let intent = take(desk, task, path, kind)?;
    let done = intent.during(work);
    intent.done()?;
    done
}

/// The intent to do something with a task in its worktree at `path`: nobody else takes that away or elsewhere. One that
/// is cut off leaves nothing to be done.
///
/// # Errors
/// If another process is at the task, or the worktree is not its any more.
pub fn take(desk: &Desk<'_>, task: &Task, path: &Path, kind: &str) -> Result<Intent> {
    let dir = desk.repo.state_dir();
    let held = desk.lock()?;
    let name = task.slug.as_str();
    taken::refuse_busy(&intents(&dir, &held)?, name, |_| false)?;
    // Since we looked, another may have given its slot back, and that is nobody's now.
    if place::path_of(desk.repo, task, &desk.repo.worktrees()?)?.as_deref() != Some(path) {
        return Err(Failure::fatal(format!("task '{name}' was changed by another process")).passing());
    }
    Intent::write(&dir, &held, name, &Record::new(kind))
}
