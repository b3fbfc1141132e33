//! A slot for somebody who has no task: detached, at the commit he asks for.

use std::path::PathBuf;

use gix::ObjectId;

use super::back::back_to;
use super::choose::{Chooser, Occupied};
use crate::desk::slot::{self, Seat, hand_out, intent_name};
use crate::desk::{Desk, alive, copy, mark};
use crate::error::Result;
use crate::git::process::retry;
use crate::git::worktree::{Head, Worktree};
use crate::paths::path_bytes;
use crate::store::record::{Intent, Record, intents};

/// A slot that nobody else gets.
#[derive(Debug)]
pub struct Reserved {
    /// It.
    pub seat: Seat,
    intent: Intent,
    to: ObjectId,
}

/// Takes a slot under the lock; none if none is to be had.
///
/// # Errors
/// If the pool can't be read, or the intent can't be written.
pub fn reserve(
    desk: &Desk<'_>,
    chooser: &Chooser,
    to: ObjectId,
    before: usize,
    occupied: Occupied,
) -> Result<Option<Reserved>> {
    let taken = take("claim", desk, chooser, to, before, occupied)?;
    Ok(taken.map(|(seat, intent)| Reserved { seat, intent, to }))
}

/// Takes a slot under the lock, with an intent of this kind; none if none is to be had.
///
/// # Errors
/// As [`reserve`].
pub(super) fn take(
    kind: &str,
    desk: &Desk<'_>,
    chooser: &Chooser,
    to: ObjectId,
    before: usize,
    occupied: Occupied,
) -> Result<Option<(Seat, Intent)>> {
    let held = desk.lock()?;
    let state_dir = desk.repo.state_dir();
    let under_way = intents(&state_dir, &held)?;
    let Some(seat) = chooser.seat(desk, &under_way, &[], before, occupied)? else { return Ok(None) };
    let record = describe(kind, &seat, to).with("lease", seat.lease.id.as_str());
    let intent = Intent::write(&state_dir, &held, &intent_name(&seat.slot), &record)?;
    Ok(Some((seat, intent)))
}

/// What an intent about a slot says: which, from where to where, and who is at it.
pub fn describe(kind: &str, seat: &Seat, to: ObjectId) -> Record {
    Record::new(kind)
        .with("slot", seat.slot.as_str())
        .with("path", path_bytes(&seat.path))
        .with("from", seat.head.to_string())
        .with("to", to.to_string())
        .with("pid", std::process::id().to_string())
        .with("began", alive::began(std::process::id()).unwrap_or(0).to_string())
}

/// A seat's worktree, as it was when it was chosen.
pub fn worktree_of(seat: &Seat) -> Worktree {
    Worktree {
        path: seat.path.clone(),
        git_dir: seat.git_dir.clone(),
        head: Head::Detached(seat.head),
        locked: None,
        missing: false,
        replaced: false,
        is_main: false,
        task: None,
    }
}

/// Brings a worktree from one commit to another, detached. Nothing is written if they are the same.
///
/// # Errors
/// In git's words.
pub fn bring(desk: &Desk<'_>, worktree: &Worktree, from: ObjectId, to: ObjectId) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let limit = desk.settings.lock_timeout;
    retry(limit, || desk.repo.update_files(worktree, from, to))?;
    retry(limit, || desk.repo.move_head(worktree, from, &Head::Detached(to), to))
}

impl Reserved {
    /// Gives the slot back; nothing was done.
    ///
    /// # Errors
    /// If the intent can't be removed.
    pub fn give_up(self) -> Result<()> {
        self.intent.done()
    }

    /// Brings the slot to the commit and hands it out.
    ///
    /// # Errors
    /// If that fails; the slot is then as it was.
    pub fn carry_out(self, desk: &Desk<'_>) -> Result<PathBuf> {
        let worktree = worktree_of(&self.seat);
        let step = desk.observer.step(&format!("Bringing up '{}'", self.seat.path.display()));
        let done = self.intent.during(|| self.build(desk, &worktree));
        drop(step);
        if let Err(failure) = done {
            let seat = &self.seat;
            if self.intent.during(|| back_to(desk, &seat.slot, &seat.path, seat.head, self.to))? {
                self.intent.done()?;
            }
            return Err(failure);
        }
        self.intent.done()?;
        Ok(self.seat.path)
    }

    fn build(&self, desk: &Desk<'_>, worktree: &Worktree) -> Result<()> {
        let seat = &self.seat;
        bring(desk, worktree, seat.head, self.to)?;
        if !desk.repo.run_post_checkout(&seat.path, self.to)? {
            desk.observer.warn(&format!("the post-checkout hook failed in '{}'", seat.path.display()));
        }
        copy::copy_into(desk, &seat.path)?;
        // Only for which commit it was handed out at: that is no work of the holder's.
        mark::put(worktree, &seat.slot, self.to, desk.context.now())?;
        let held = desk.lock()?;
        desk.edit(&held, |file| hand_out(file, &seat.slot, &seat.lease, None))
    }
}

/// The lease of a slot, as it would be now: an id, a holder, from now on.
pub fn new_lease(desk: &Desk<'_>, holder: String, ttl: Option<std::time::Duration>) -> slot::Lease {
    let now = desk.context.now();
    slot::Lease {
        id: desk.context.token(),
        holder,
        since: now,
        expires: ttl.map(|ttl| now.saturating_add_unsigned(ttl.as_secs())),
        ttl: ttl.map(|ttl| ttl.as_secs()),
    }
}
