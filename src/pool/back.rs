//! An idle slot goes back to where it was, when bringing it elsewhere failed or was cut off.

use std::path::Path;

use gix::ObjectId;

use super::{check, keep};
use crate::desk::{Desk, clean, mark};
use crate::error::Result;
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
    let stands = [from, to].map(Head::Detached).contains(&worktree.head);
    let is_ours = stands && worktree.operation().is_none() && clean::is_only_checkout(desk, worktree, to)?;
    if !is_ours && clean::require(desk, worktree, Some(from)).is_err() {
        let name = keep::keep(desk, slot, worktree)?;
        let shown = worktree.path.display();
        desk.observer.warn(&format!("files found in '{shown}' are kept: 'git task restore {name}'"));
    }
    let options = clean::Options { force: true, ..clean::Options::default() };
    clean::clean(desk, worktree, from, options)?;
    mark::put(worktree, slot, from, desk.context.now())
}
