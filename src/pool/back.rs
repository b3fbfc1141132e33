//! An idle slot goes back to where it was, when bringing it elsewhere failed or was cut off.

use std::path::Path;

use gix::ObjectId;

use super::{check, keep};
use crate::desk::{Desk, clean, mark};
use crate::error::Result;
use crate::git::snapshot;
use crate::git::switch::worktree_at;
use crate::git::worktree::{Head, Worktree};

/// Brings an idle slot back to where it was when somebody began to bring it elsewhere. What is found there that
/// no checkout of ours wrote is kept. False if somebody is at work in it: then it is too early.
///
/// # Errors
/// If the metadata can't be written.
pub fn back_to(desk: &Desk<'_>, slot: &str, path: &Path, from: ObjectId, to: ObjectId) -> Result<bool> {
    // One that is gone is for `repair`.
    let Ok(worktree) = worktree_at(desk.repo, path) else { return Ok(true) };
    if !clean::remove_locks(&worktree)? {
        return Ok(false);
    }
    if let Err(failure) = renew(desk, slot, &worktree, from, to) {
        check::reject(desk, slot, failure)?;
    }
    Ok(true)
}

fn renew(desk: &Desk<'_>, slot: &str, worktree: &Worktree, from: ObjectId, to: ObjectId) -> Result<()> {
    let seen = snapshot::files(desk.repo, worktree)?;
    let stands = [from, to].map(Head::Detached).contains(&worktree.head);
    let is_ours = stands && worktree.operation().is_none() && clean::is_only_checkout(desk, worktree, to)?;
    let has_work = || -> Result<bool> {
        Ok(!clean::is_referred_to(desk, worktree)? || clean::require(desk, worktree, Some(from)).is_err())
    };
    if is_ours || !has_work()? {
        let options = clean::Options { seen: Some(seen), ..clean::Options::default() };
        clean::clean(desk, worktree, from, options)?;
    } else {
        keep_and_leave(desk, slot, worktree, from)?;
    }
    mark::put(worktree, slot, from, desk.context.now())
}

/// Brings a slot to a commit, detached and clean. All that is in it is kept first, and said.
///
/// # Errors
/// If it can't be kept, or somebody keeps writing there: nothing is taken away then. Or if git or the file system
/// refuses.
pub fn keep_and_leave(desk: &Desk<'_>, slot: &str, worktree: &Worktree, to: ObjectId) -> Result<()> {
    let kept = keep::keep(desk, slot, worktree)?;
    let shown = worktree.path.display();
    desk.observer.warn(&format!("files found in '{shown}' are kept: 'git task restore {}'", kept.name));
    let held = clean::Held { snapshot: kept.commit, all: true };
    match clean::leave(desk, worktree, to, held, clean::Options::default(), || Ok(()))? {
        None => Ok(()),
        Some(written) => Err(clean::busy(worktree, &written)),
    }
}
