//! Whether a slot may be handed out: at a glance if its mark holds, else looked at as closely as at release.

use crate::desk::slot::set_aside;
use crate::desk::{Desk, clean, mark};
use crate::error::{Failure, Kind, Result};
use crate::git::refs::short_name;
use crate::git::switch::worktree_at;
use crate::git::worktree::{Head, Worktree};

use super::Slot;

/// The slot's worktree, clean.
///
/// # Errors
/// Why it may not be handed out.
pub fn require(desk: &Desk<'_>, slot: &Slot) -> Result<Worktree> {
    let worktree = worktree_at(desk.repo, &slot.path)?;
    let marked = mark::read(&worktree.git_dir).filter(|mark| mark.slot == slot.name);
    let Head::Detached(head) = worktree.head else {
        let what = match &worktree.head {
            Head::Branch(full) => format!("branch '{}' is checked out", short_name(full)),
            _ => "its HEAD can't be read".to_owned(),
        };
        return Err(Failure::fatal(format!("{what} in '{}'", slot.path.display())));
    };
    if let Some(task) = &worktree.task {
        return Err(Failure::fatal(format!("'{}' is the worktree of task '{task}'", slot.path.display())));
    }
    if marked.as_ref().is_some_and(|mark| mark.head == head && mark.holds(&worktree)) {
        return Ok(worktree);
    }
    clean::require(desk, &worktree, marked.map(|m| m.head))?;
    mark::put(&worktree, &slot.name, head, desk.context.now())?;
    Ok(worktree)
}

/// Whether somebody was there since the slot was left, as far as can be seen at a glance.
pub fn is_touched(slot: &Slot, worktree: &Worktree) -> bool {
    let marked = mark::read(&worktree.git_dir).filter(|mark| mark.slot == slot.name);
    !marked.is_some_and(|mark| worktree.head == Head::Detached(mark.head) && mark.holds(worktree))
}

/// Sets a slot aside, and says so. Being interrupted is no reason.
///
/// # Errors
/// If the metadata can't be written; or `why`, if that is an interruption.
pub fn reject(desk: &Desk<'_>, slot: &str, why: Failure) -> Result<()> {
    if why.kind == Kind::Interrupted {
        return Err(why);
    }
    desk.observer.warn(&format!("slot {slot} is set aside as broken: {why}"));
    let held = desk.lock()?;
    desk.edit(&held, |file| set_aside(file, slot, &why.message()))
}
