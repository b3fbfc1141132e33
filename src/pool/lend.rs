//! A slot that is lent to a command for as long as it runs, for work of which nothing is needed afterwards.
//!
//! Nobody has a lease: that the slot is in use is an intent, whose lock the kernel frees with the process. So one whose
//! borrower was killed is taken back by whoever sees it next, when what that one has started there has ended too.

use std::path::Path;

use gix::ObjectId;

use super::back::keep_and_leave;
use super::choose::{Chooser, Occupied, slot_of};
use super::claim::{new_lease, take};
use super::{Pool, check, queue};
use crate::desk::{Desk, clean, mark};
use crate::error::Result;
use crate::git::snapshot;
use crate::git::switch::worktree_at;
use crate::git::worktree::{Head, Worktree};
use crate::interrupt;
use crate::store::record::Intent;

/// The kind of the intent.
pub const KIND: &str = "lend";

/// A slot that is lent. Dropped without [`Lent::give_back`] it is taken back by the next who sees it.
#[derive(Debug)]
pub struct Lent {
    /// Its worktree, as it was when it was lent: clean, and detached.
    pub worktree: Worktree,
    /// Its name.
    pub slot: String,
    home: ObjectId,
    intent: Intent,
}

/// Borrows idle slots, `most` of them, those first that are nearest to `wanted`. None is made for it, and who waits
/// for one is served before.
///
/// # Errors
/// Interrupted; or if the pool can't be read or written. What was lent is given back then.
pub fn borrow(desk: &Desk<'_>, wanted: ObjectId, most: usize) -> Result<Vec<Lent>> {
    let mut all = Vec::new();
    if most == 0 || Pool::read(desk.repo)?.slots.is_empty() {
        return Ok(all);
    }
    let chooser = Chooser::new(desk, wanted, new_lease(desk, desk.context.who(), None))?;
    while all.len() < most {
        match borrow_one(desk, &chooser, wanted) {
            Ok(Some(lent)) => all.push(lent),
            Ok(None) => break,
            Err(failure) => {
                give_back(desk, all);
                return Err(failure);
            }
        }
    }
    Ok(all)
}

fn borrow_one(desk: &Desk<'_>, chooser: &Chooser, wanted: ObjectId) -> Result<Option<Lent>> {
    loop {
        interrupt::check()?;
        let before = queue::before(desk, None);
        let Some((seat, intent)) = take(KIND, desk, chooser, wanted, before, Occupied::Avoid)? else {
            return Ok(None);
        };
        match slot_of(desk, &seat).and_then(|slot| check::require(desk, &slot)) {
            Ok(worktree) => return Ok(Some(Lent { worktree, slot: seat.slot, home: seat.head, intent })),
            Err(why) => {
                // Set aside before anybody else can have it.
                let rejected = check::reject(desk, &seat.slot, why);
                intent.done()?;
                rejected?;
            }
        }
    }
}

/// Gives all of them back. What keeps one from it is said, and whoever sees it next takes that one back.
pub fn give_back(desk: &Desk<'_>, all: Vec<Lent>) {
    for lent in all {
        let slot = lent.slot.clone();
        if let Err(failure) = lent.give_back(desk) {
            desk.observer.warn(&format!("slot {slot} is not given back yet: {failure}"));
        }
    }
}

impl Lent {
    /// Does a part of the work in it. If we are killed, the slot is taken back only when the git commands have ended
    /// too that were started meanwhile.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.intent.during(work)
    }

    /// Checks `commit` out in it, detached and clean. What is found there is kept; ignored files stay.
    ///
    /// # Errors
    /// As [`Lent::give_back`].
    pub fn check_out(&self, desk: &Desk<'_>, commit: ObjectId) -> Result<()> {
        self.intent.during(|| bring(desk, &self.slot, &self.worktree.path, commit))
    }

    /// Gives it back: where it stood, clean. What is found there is kept; ignored files stay.
    ///
    /// # Errors
    /// If it can't be cleaned. Whoever sees it next tries again, as if we had been killed.
    pub fn give_back(self, desk: &Desk<'_>) -> Result<()> {
        let Lent { worktree, slot, home, intent } = self;
        intent.during(|| {
            // A git that was ended there may have left them; whoever is still there is not ours to wait for.
            clean::remove_locks(&worktree).and_then(|_| bring(desk, &slot, &worktree.path, home))
        })?;
        intent.done()
    }
}

/// Brings it to a commit. A check may leave something there, and so may somebody who thinks that the slot is still his:
/// nobody can tell which, so all of it is kept.
fn bring(desk: &Desk<'_>, slot: &str, path: &Path, to: ObjectId) -> Result<()> {
    let worktree = worktree_at(desk.repo, path)?;
    // A slot has none; they were checked out for a check.
    clean::leave_submodules(&worktree, true)?;
    let now = desk.context.now();
    let known = mark::read(&worktree.git_dir).map_or(to, |mark| mark.head);
    let has_ignored_work = !clean::worth_keeping(desk, &worktree, None)?.is_empty();
    let is_clean = !has_ignored_work
        && worktree.head == Head::Detached(known)
        && clean::require(desk, &worktree, Some(known)).is_ok();
    if is_clean {
        // What is found there if this is cut off is on its way to it.
        mark::put(&worktree, slot, to, now)?;
        clean::clean(desk, &worktree, to, clean::Options::default())?;
    } else {
        let seen = Some(snapshot::files(desk.repo, &worktree)?);
        let is_nobodys = !has_ignored_work
            && worktree.operation().is_none()
            && clean::is_only_checkout(desk, &worktree, known)?;
        match is_nobodys {
            true => clean::clean(desk, &worktree, to, clean::Options { seen, ..clean::Options::default() })?,
            false => keep_and_leave(desk, slot, &worktree, to)?,
        }
    }
    mark::put(&worktree_at(desk.repo, path)?, slot, to, now)
}

/// Takes a slot back whose borrower is dead. False if somebody is at work in it still: then it is too early.
///
/// # Errors
/// If the metadata can't be written.
pub fn settle(desk: &Desk<'_>, slot: &str, path: &Path, home: ObjectId) -> Result<bool> {
    // One that is gone is for `repair`.
    let Ok(worktree) = worktree_at(desk.repo, path) else { return Ok(true) };
    if !clean::remove_locks(&worktree)? {
        return Ok(false);
    }
    if let Err(failure) = bring(desk, slot, path, home) {
        check::reject(desk, slot, failure)?;
    }
    Ok(true)
}
