//! `git task move`: a task's worktree at another place.
//!
//! With an intent, so that nobody else makes, restores or removes the worktree meanwhile.

use std::path::Path;

use super::record::Tasks;
use super::{Desk, Slug, Task, notes, place, taken};
use crate::desk::{session, slot};
use crate::error::Result;
use crate::git::process::retry;
use crate::paths::path_bytes;
use crate::store::record::{Found, Intent, Record, intents};

/// Moves the worktree at `from` to `to`, locked or not as `git worktree move` has it for so many `--force`.
///
/// # Errors
/// If another process is at the task, or in git's words; nothing has been changed then.
pub fn relocate(desk: &Desk<'_>, task: &Task, from: &Path, to: &Path, force: u8) -> Result<()> {
    let slug = &task.slug;
    let held = desk.lock()?;
    let state_dir = desk.repo.state_dir();
    let under_way = intents(&state_dir, &held)?;
    let same_place = |i: &Found| i.record.get("path").is_some_and(|p| *p == *path_bytes(from));
    taken::refuse_busy(&under_way, slug.as_str(), same_place)?;
    taken::refuse_busy_place(&under_way, to)?;
    session::refuse_running(&state_dir, slug.as_str(), "move")?;
    let record = Record::new("move").with("path", path_bytes(from)).with("to", path_bytes(to));
    // While it is at neither place the pool must not take it for gone.
    let record = match slot::slot_at(&crate::store::config::load(desk.repo)?, from) {
        Some(slot) => record.with("slot", slot),
        None => record,
    };
    let intent = Intent::write(&state_dir, &held, slug.as_str(), &record)?;
    drop(held);
    drop(under_way);
    let moved = intent.during(|| {
        // One that was cut off after git had done its part leaves the rest to be done.
        if from == to {
            return Ok(());
        }
        retry(desk.settings.lock_timeout, || {
            let mut cmd = desk.repo.at_home().cmd(["worktree", "move"]);
            for _ in 0..force {
                cmd = cmd.arg("--force");
            }
            cmd.arg(from).arg(to).run().map(drop)
        })
    });
    if moved.is_ok() {
        // Into a directory that somebody has made there meanwhile, as if it had been there before.
        let now = place::worktree_of(task, &desk.repo.worktrees()?).map(|w| w.path.clone());
        follow(desk, slug, from, now.as_deref().unwrap_or(to))?;
    }
    intent.done()?;
    moved
}

/// What names the place: the slot, if it is one, and the link in the main worktree.
fn follow(desk: &Desk<'_>, slug: &Slug, from: &Path, to: &Path) -> Result<()> {
    let held = desk.lock()?;
    desk.edit(&held, |file| match slot::slot_at(file, from) {
        Some(slot) => file.set(slot::SECTION, &slot, "path", &[path_bytes(to).into()]),
        None => Ok(()),
    })?;
    drop(held);
    notes::link_in_main(desk, to, slug)
}

/// Settles a move that was cut off: what names the place follows, if the worktree has gone there.
///
/// # Errors
/// If the metadata can't be written.
pub fn settle(desk: &Desk<'_>, intent: &Found) -> Result<()> {
    let slug = Slug::try_from(intent.name.as_str())?;
    let from = intent.record.path("path").unwrap_or_default();
    let tasks = Tasks::read(desk.repo)?;
    let Some(task) = tasks.find(slug.as_str()) else { return Ok(()) };
    // What is where it was to go may be somebody else's.
    match place::worktree_of(task, &desk.repo.worktrees()?) {
        Some(worktree) if !worktree.missing && worktree.path != from => {
            follow(desk, &slug, &from, &worktree.path)
        }
        _ => Ok(()),
    }
}
