//! The steps of a removal, in their order: each can be cut off, and gone on with.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::Removed;
use crate::desk::aside::unseen_of;
use crate::desk::{clean, copy, half, mark, slot};
use crate::error::{OrFatal, Result};
use crate::git::process::retry;
use crate::git::refs::Old;
use crate::git::snapshot::Look;
use crate::git::worktree::Worktree;
use crate::paths::is_there;
use crate::task::keep::Put;
use crate::task::record::Tasks;
use crate::task::{Desk, Slug, State, Task, keep, notes, occupy, place};

/// Whether a worktree was taken out of its place. Something else may be there by now: who is still at work in
/// it makes its directories anew.
pub fn has_moved(path: Option<&Path>, aside: Option<&Path>) -> bool {
    // What can't be looked at is settled later.
    let is_there = |path: &Path, unknown| path.try_exists().unwrap_or(unknown);
    aside.is_some_and(|a| is_there(a, true) || is_there(&unseen_of(a), true))
        || path.is_some_and(|p| !is_there(p, false))
}

/// Where the directory goes.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// Out of the way, to be deleted.
    pub aside: Option<&'a Path>,
    /// Back to the pool, at this commit.
    pub slot: Option<(&'a str, ObjectId)>,
}

pub fn carry_out(
    desk: &Desk<'_>,
    task: &Task,
    worktree: Option<&Worktree>,
    to: Destination<'_>,
    deletes: Option<ObjectId>,
    becomes: State,
    begun: &mut bool,
) -> Result<Removed> {
    let path = worktree.map(|w| w.path.clone()).or_else(|| task.clone.clone());
    // What took its place is somebody else's.
    let replaced = match worktree {
        Some(worktree) => worktree.replaced,
        None => place::clone_of(desk.repo, task)?.is_none(),
    };
    let present = match path.as_deref() {
        Some(path) if !replaced && is_there(path)? => Some(path),
        _ => None,
    };
    let note = match present {
        Some(path) => notes::last(path, &task.slug)?,
        None => None,
    };
    let step = desk.observer.step(&format!("Removing task '{}'", task.slug));
    let kept = match present {
        Some(path) => copy::matching(desk, path, true)?,
        None => Vec::new(),
    };
    let seated = worktree.zip(to.slot).filter(|_| present.is_some());
    let lost = match present {
        // The ignored files of a slot stay.
        Some(_) if seated.is_some() => Vec::new(),
        Some(path) => {
            copy::ignored(path)?.into_iter().filter(|name| !covered(name, &kept, &task.slug)).collect()
        }
        None => Vec::new(),
    };
    let mut note = note;
    let (parked, look) = match seated {
        Some((worktree, home)) => {
            let cleaning = clean::Options { task: Some(task.slug.as_str()), ..clean::Options::default() };
            let left = occupy::leave(desk, task, worktree, home, (true, cleaning), |_| Ok(()), begun)?;
            note = left.note;
            (left.parked, None)
        }
        None => {
            let keep = || keep::keep(desk, task, worktree, &kept, note.as_deref());
            match retry(desk.settings.lock_timeout, keep)? {
                Put::Directory => (true, None),
                Put::Objects { look, .. } => (false, look),
            }
        }
    };
    drop(step);
    crate::interrupt::check()?;
    if let (Some(path), Some(aside), false) = (present, to.aside, parked) {
        let unseen = unseen_of(aside);
        worktree.map_or(Ok(()), Worktree::hold)?;
        if let Err(e) = fs::rename(path, &unseen) {
            worktree.map_or(Ok(()), Worktree::let_go)?;
            return Err(e).or_fatal(|| format!("could not move '{}' aside", path.display()));
        }
        look_again(desk, task, worktree, path, (aside, look.as_ref()))?;
    }
    let task = forget(
        desk,
        task,
        worktree.filter(|_| !parked && seated.is_none()).map(|w| w.path.as_path()),
        deletes,
        becomes,
        note.as_deref(),
    )?;
    Ok(Removed { task, lost, path, head: None })
}

/// What somebody wrote while the worktree was being preserved is preserved too, or all of it goes back.
pub fn look_again(
    desk: &Desk<'_>,
    task: &Task,
    worktree: Option<&Worktree>,
    path: &Path,
    (aside, first): (&Path, Option<&Look>),
) -> Result<()> {
    let unseen = unseen_of(aside);
    let again = || {
        let note = notes::last(&unseen, &task.slug)?;
        let kept = copy::matching(desk, &unseen, true)?;
        keep::keep_changes(desk, task, worktree, (&unseen, first), &kept, note.as_deref())
    };
    // A submodule's own configuration names the place where it was, and git finds nothing elsewhere.
    let has_submodules = worktree.is_some_and(|w| w.git_dir.join("modules").exists());
    let looked = if has_submodules { Ok(()) } else { retry(desk.settings.lock_timeout, again) };
    let to = if looked.is_ok() { aside } else { path };
    fs::rename(&unseen, to).or_fatal(|| format!("could not move '{}'", unseen.display()))?;
    if looked.is_err() {
        worktree.map_or(Ok(()), Worktree::let_go)?;
    }
    looked
}

/// Whether a name of the list of ignored files is preserved, or is our note.
fn covered(name: &str, kept: &[PathBuf], slug: &Slug) -> bool {
    let notes = format!("notes/{slug}/");
    kept.iter().any(|k| k.as_os_str() == name)
        || name == notes
        || (name.starts_with("notes/") && notes.starts_with(name))
        || name.starts_with(&notes)
}

/// The steps after the directory is out of the way; each can be done again.
pub fn forget(
    desk: &Desk<'_>,
    task: &Task,
    path: Option<&Path>,
    deletes: Option<ObjectId>,
    becomes: State,
    note: Option<&[u8]>,
) -> Result<Task> {
    if let Some(path) = path
        && let Some(worktree) = desk.repo.worktrees()?.iter().find(|w| w.path == path && !w.is_main)
    {
        half::forget_moved(desk, worktree)?;
    }
    notes::archive(desk, &task.slug, note)?;
    let worktrees = desk.repo.worktrees()?;
    let mut slots = Vec::new();
    for worktree in worktrees.iter().filter(|w| !w.missing && w.task.is_none()) {
        slots.extend(mark::look(&worktree.git_dir)?.map(|mark| mark.slot));
    }
    let mut branch_went = false;
    if let (Some(full), Some(tip)) = (task.branch_ref(), deletes) {
        // One that moved meanwhile holds new work: it stays.
        if desk.repo.find_ref(&full)? == Some(tip) {
            let change = [(full, None, Old::Is(tip))];
            match retry(desk.settings.lock_timeout, || desk.repo.update_refs("git task rm", &change)) {
                Err(failure) if desk.repo.find_ref(&task.branch_ref().unwrap_or_default())? == Some(tip) => {
                    return Err(failure);
                }
                // It has gone from there since.
                done => branch_went = done.is_ok(),
            }
        }
    }
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let mut task = Tasks::of(file).require(task.slug.as_str())?.clone();
        // It may have landed meanwhile, and what landed stays landed.
        task.state = if task.state == State::Integrated { State::Integrated } else { becomes };
        task.clone = None;
        if let Some(slot) = task.slot.take().filter(|slot| slot::is_of_task(file, slot, task.slug.as_str())) {
            match slots.contains(&slot) {
                true => slot::take_back(file, &slot)?,
                // It was kept as it is, or is gone: then it is no slot any more.
                false => file.remove(slot::SECTION, &slot),
            }
        }
        task.write_to(file)?;
        if let (true, Some(branch)) = (branch_went, task.own_branch()) {
            // As `git branch -D`.
            file.remove("branch", branch);
        }
        Ok(task)
    })
}
