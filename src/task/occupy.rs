//! A task in a slot of the pool: how it gets there, and how that is taken back.

use gix::ObjectId;

use super::keep::{self, Put};
use super::{Desk, Slug, Task, notes};
use crate::desk::clean::{self, is_only_checkout, is_referred_to, remove_locks};
use crate::desk::slot::{self, Seat};
use crate::desk::{copy, mark};
use crate::error::{Kind, Result};
use crate::git::process::retry;
use crate::git::refs::short_name;
use crate::git::snapshot;
use crate::git::switch::worktree_at;
use crate::git::worktree::{Head, Worktree};
use crate::store::trash;

/// Puts the slot's worktree on the task's branch, or detached where it has none. Where it stands there already
/// no file is touched.
///
/// # Errors
/// In git's words.
pub fn sit(desk: &Desk<'_>, seat: &Seat, slug: &Slug, branch: Option<&str>, at: ObjectId) -> Result<()> {
    let limit = desk.settings.lock_timeout;
    let worktree = worktree_of(seat);
    worktree.mark(slug.as_str())?;
    if seat.head != at {
        retry(limit, || desk.repo.update_files(&worktree, seat.head, at))?;
    }
    let head = branch.map_or(Head::Detached(at), |full| Head::Branch(full.to_owned()));
    retry(limit, || desk.repo.move_head(&worktree, seat.head, &head, at))?;
    if !desk.repo.run_post_checkout(&seat.path, at)? {
        desk.observer.warn(&format!("the post-checkout hook failed in '{}'", seat.path.display()));
    }
    Ok(())
}

fn worktree_of(seat: &Seat) -> Worktree {
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

/// What is known of a task's coming into a slot that was cut off.
#[derive(Clone, Debug)]
pub struct HalfSeated {
    /// The slot.
    pub slot: String,
    /// What it stood at.
    pub from: ObjectId,
    /// What it was brought to.
    pub to: ObjectId,
}

/// Gives the slot back as it was. What somebody has put there meanwhile is kept. False if somebody is at work
/// in there: then it is too early.
///
/// # Errors
/// If git or the file system refuses.
pub fn rise(desk: &Desk<'_>, slug: &Slug, path: &std::path::Path, half: &HalfSeated) -> Result<bool> {
    // One that is gone is the pool's to notice.
    let Ok(worktree) = worktree_at(desk.repo, path) else { return Ok(true) };
    if worktree.task.as_deref().is_some_and(|task| task != slug.as_str()) {
        return Ok(true);
    }
    if !remove_locks(&worktree)? {
        return Ok(false);
    }
    let seen = snapshot::files(desk.repo, &worktree)?;
    let notes = notes::relative_path(slug);
    let notes = notes.parent().expect("a note is in a directory");
    let elsewhere = matches!(worktree.head, Head::Detached(id) if id != half.from && id != half.to)
        || worktree.operation().is_some();
    let touched = elsewhere
        || !is_only_checkout(desk, &worktree, half.to)?
            && snapshot::differs_from(desk.repo, &worktree, half.to, notes)?;
    if !touched {
        return empty(desk, slug, &worktree, &half.slot, half.from, seen).map(|()| true);
    }
    let kept = keep::keep_what_is_left(desk, slug, &worktree)?;
    let shown = worktree.path.display();
    desk.observer.warn(&format!("files found in '{shown}' are kept: 'git task restore {slug}'"));
    empty_held(desk, slug, &worktree, (&half.slot, half.from), &kept)
}

/// Makes a slot's worktree new again, all that was `seen` in it being kept elsewhere.
///
/// # Errors
/// If git or the file system refuses; or if somebody has written there since.
pub fn empty(
    desk: &Desk<'_>,
    slug: &Slug,
    worktree: &Worktree,
    slot: &str,
    to: ObjectId,
    seen: ObjectId,
) -> Result<()> {
    let options = clean::Options { seen: Some(seen), scrub: false, task: Some(slug.as_str()) };
    clean::clean(desk, worktree, to, options)?;
    hand_back(desk, worktree, slot, to)
}

/// The slot is new again and nobody's.
///
/// # Errors
/// If git or the file system refuses.
pub fn hand_back(desk: &Desk<'_>, worktree: &Worktree, slot: &str, to: ObjectId) -> Result<()> {
    slot::unlock(desk, worktree)?;
    worktree.unmark()?;
    mark::put(worktree, slot, to, desk.context.now())
}

/// How a task has left its slot.
#[derive(Debug)]
pub struct Left {
    /// Its directory was moved aside as it is, and is no slot any more.
    pub parked: bool,
    /// The note that it had.
    pub note: Option<Vec<u8>>,
}

/// Puts what is in the slot of a task into the trash and makes its worktree new again; without work in it only what
/// is ignored. Before the note goes it is given to `archive`. `begun` says afterwards whether anything was taken away.
///
/// # Errors
/// If something can't be kept, or somebody keeps writing there. If git or the file system refuses.
pub fn leave(
    desk: &Desk<'_>,
    task: &Task,
    worktree: &Worktree,
    (slot, to): (&str, ObjectId),
    (has_work, cleaning): (bool, clean::Options<'_>),
    archive: impl Fn(Option<&[u8]>) -> Result<()>,
    begun: &mut bool,
) -> Result<Left> {
    for attempt in 1.. {
        *begun = true;
        let note = notes::last(&worktree.path, &task.slug)?;
        let mut kept = clean::worth_keeping(desk, worktree, Some(task.slug.as_str()))?;
        if has_work {
            kept.extend(copy::matching(desk, &worktree.path, true)?);
            kept.sort();
            kept.dedup();
        }
        let keep = || keep::keep(desk, task, Some(worktree), &kept, note.as_deref());
        let Put::Objects { held, .. } = retry(desk.settings.lock_timeout, keep)? else {
            archive(note.as_deref())?;
            return Ok(Left { parked: true, note });
        };
        crate::interrupt::check()?;
        let held = clean::Held { snapshot: held, all: has_work };
        match clean::leave(desk, worktree, to, held, cleaning, || archive(note.as_deref()))? {
            None => {
                hand_back(desk, worktree, slot, to)?;
                return Ok(Left { parked: false, note });
            }
            Some(name) => {
                *begun = false;
                if attempt == clean::ATTEMPTS {
                    return Err(clean::busy(worktree, &name));
                }
            }
        }
    }
    unreachable!("it returns at the last attempt")
}

/// Empties a slot all of which was kept just now. False if somebody has written there since.
fn empty_held(
    desk: &Desk<'_>,
    slug: &Slug,
    worktree: &Worktree,
    (slot, to): (&str, ObjectId),
    put: &Put,
) -> Result<bool> {
    // Otherwise it was moved aside as it is.
    let Put::Objects { held, .. } = *put else { return Ok(true) };
    let held = clean::Held { snapshot: held, all: true };
    let options = clean::Options { task: Some(slug.as_str()), ..clean::Options::default() };
    if clean::leave(desk, worktree, to, held, options, || Ok(()))?.is_some() {
        return Ok(false);
    }
    hand_back(desk, worktree, slot, to)?;
    Ok(true)
}

/// The same after it was cut off itself: what is not in `kept` is kept too, and `kept` stays what is restored
/// first. False if somebody is at work in there.
///
/// # Errors
/// If git or the file system refuses.
pub fn empty_again(
    desk: &Desk<'_>,
    slug: &Slug,
    worktree: &Worktree,
    slot: &str,
    to: ObjectId,
    kept: ObjectId,
) -> Result<bool> {
    if !remove_locks(worktree)? {
        return Ok(false);
    }
    let seen = snapshot::files(desk.repo, worktree)?;
    let notes = notes::relative_path(slug);
    let notes = notes.parent().expect("a note is in a directory");
    let is_more = !is_referred_to(desk, worktree)?
        || !is_only_checkout(desk, worktree, to)?
            && snapshot::differs_from(desk.repo, worktree, kept, notes)?;
    if is_more {
        let now = keep::keep_what_is_left(desk, slug, worktree)?;
        trash::file_again(desk.repo, slug.as_str(), kept)?;
        return empty_held(desk, slug, worktree, (slot, to), &now);
    }
    match empty(desk, slug, worktree, slot, to, seen) {
        Err(failure) if failure.kind == Kind::Interrupted => Err(failure),
        // Somebody is at work in there, and the next one looks again.
        Err(_) if snapshot::files(desk.repo, worktree).is_ok_and(|now| now != seen) => Ok(false),
        done => done.map(|()| true),
    }
}

/// What slots stand at; where that can't be said, what this one stands at.
///
/// # Errors
/// If it stands at nothing either.
pub fn home_of(desk: &Desk<'_>, worktree: &Worktree) -> Result<ObjectId> {
    match crate::desk::slot::base(desk) {
        Ok(base) => Ok(base.commit),
        Err(failure) => clean::head_of(desk, worktree)?.ok_or(failure),
    }
}

/// "branch 'x'", or what it follows.
pub fn what(branch: Option<&str>) -> String {
    branch.map_or_else(|| "a detached HEAD".to_owned(), |full| format!("branch '{}'", short_name(full)))
}
