//! A task gives its slot back to the pool. Its branch, state and note stay, and it can get a slot again.
//!
//! The order: refuse, write the intent, preserve, archive the note, make the worktree new again, write the
//! metadata.

use std::path::Path;

use gix::ObjectId;

use super::occupy::{self, empty, empty_again, home_of};
use super::record::Tasks;
use super::{Desk, Slug, Task, notes, place, taken};
use crate::desk::busy::require_head;
use crate::desk::clean::{self, is_only_checkout, remove_locks};
use crate::desk::slot;
use crate::desk::{mark, session};
use crate::error::{Failure, Kind, Result};
use crate::git::parse_id;
use crate::git::process::retry;
use crate::git::snapshot;
use crate::git::switch::worktree_at;
use crate::git::worktree::Worktree;
use crate::paths::path_bytes;
use crate::store::config;
use crate::store::record::{Found, Intent, Record, intents};
use crate::store::trash;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// What is not committed goes, and can be restored.
    pub force: bool,
    /// Also if it is locked.
    pub locked: bool,
    /// Ignored files go.
    pub scrub: bool,
    /// Only if this lease still holds.
    pub lease: Option<&'a str>,
}

/// Gives the slot of a task back. True if something of it went into the trash.
///
/// # Errors
/// If something would be taken out of place and it was not forced: nothing has been changed then. If the slot
/// can't be cleaned: then it is set aside.
pub fn vacate(desk: &Desk<'_>, name: &str, worktrees: &[Worktree], options: Options<'_>) -> Result<bool> {
    let task = Tasks::read(desk.repo)?.require(name)?.clone();
    let Some(slot) = task.slot.clone() else {
        return Err(Failure::fatal(format!("task '{name}' has no slot of the pool")));
    };
    let Some(worktree) = place::worktree_of(&task, worktrees).filter(|w| !w.missing) else {
        return Err(Failure::fatal(format!("the worktree of task '{name}' is gone"))
            .hint("taskRepair", "See 'git task repair -n' and 'git pool repair -n'."));
    };
    session::refuse_running(&desk.repo.state_dir(), name, "release")?;
    slot::require_unlocked(worktree, options.locked)?;
    if !options.force {
        let known = mark::read(&worktree.git_dir).map(|m| m.head);
        retry(desk.settings.lock_timeout, || clean::require(desk, worktree, known)).map_err(|failure| {
            failure.hint(
                "poolForce",
                format!(
                    "'git pool release -f {name}' gives it back all the same; 'git task restore {name}' then brings the work back."
                ),
            )
        })?;
    }
    let to = home_of(desk, worktree)?;
    let held = desk.lock()?;
    let file = config::load(desk.repo)?;
    if !slot::is_of_task(&file, &slot, name)
        || Tasks::of(&file).find(name).is_none_or(|t| t.slot != task.slot)
    {
        return Err(Failure::negative(format!("task '{name}' has lost slot {slot} meanwhile")));
    }
    if let Some(wanted) = options.lease {
        let now = file.find(slot::SECTION, &slot).and_then(|s| s.get("lease").map(ToString::to_string));
        if now.as_deref() != Some(wanted) {
            return Err(Failure::negative(format!("lease '{wanted}' of slot {slot} does not hold any more")));
        }
    }
    let under_way = intents(&desk.repo.state_dir(), &held)?;
    taken::refuse_busy(&under_way, name, |i| slot::is_about(i, &slot))?;
    drop(under_way);
    if let Some(now) = desk.repo.worktree_of_admin(&worktree.git_dir)? {
        slot::require_unlocked(&now, options.locked)?;
        require_head(worktree, &now)?;
    }
    let last = trash::latest(desk.repo, name)?.map_or(0, |entry| entry.number);
    let word = |yes: bool| if yes { "true" } else { "false" };
    let record = Record::new("release")
        .with("last", last.to_string())
        .with("path", path_bytes(&worktree.path))
        .with("slot", slot.as_str())
        .with("to", to.to_string())
        .with("force", word(options.force))
        .with("scrub", word(options.scrub));
    let intent = Intent::write(&desk.repo.state_dir(), &held, name, &record)?;
    drop(held);
    let mut begun = true;
    let done = intent.during(|| carry_out(desk, &task, worktree, &slot, to, options, &mut begun));
    // What was cut off by the user, or failed, is settled as if we had been killed.
    if done.is_ok() || !begun {
        intent.done()?;
    }
    done
}

fn carry_out(
    desk: &Desk<'_>,
    task: &Task,
    worktree: &Worktree,
    slot: &str,
    to: ObjectId,
    options: Options<'_>,
    begun: &mut bool,
) -> Result<bool> {
    let step = desk.observer.step(&format!("Giving back slot {slot}"));
    let slug = &task.slug;
    // With nothing in it there is nothing to keep, forced or not.
    let has_work = options.force && has_work(desk, worktree)?;
    let cleaning = clean::Options { seen: None, scrub: options.scrub, task: Some(slug.as_str()) };
    let note = notes::last(&worktree.path, slug)?;
    let has_more = has_work || !clean::worth_keeping(desk, worktree, Some(slug.as_str()))?.is_empty();
    let homeless = note.is_some() && !notes::can_archive(desk, slug);
    if has_more || homeless {
        let archive = |note: Option<&[u8]>| notes::archive(desk, slug, note);
        let left = occupy::leave(desk, task, worktree, (slot, to), (has_work, cleaning), archive, begun)?;
        if left.parked {
            drop(step);
            forget(desk, slug, slot, true)?;
            return Ok(true);
        }
    } else {
        crate::interrupt::check()?;
        notes::archive(desk, slug, note.as_deref())?;
        clean::clean(desk, worktree, to, cleaning)?;
        occupy::hand_back(desk, worktree, slot, to)?;
    }
    drop(step);
    forget(desk, slug, slot, false)?;
    // The note alone comes back by itself when the task has a worktree again.
    Ok(has_more)
}

/// Whether it would be refused without force.
fn has_work(desk: &Desk<'_>, worktree: &Worktree) -> Result<bool> {
    let known = mark::read(&worktree.git_dir).map(|m| m.head);
    match retry(desk.settings.lock_timeout, || clean::require(desk, worktree, known)) {
        Err(failure) if failure.kind == Kind::Interrupted => Err(failure),
        required => Ok(required.is_err()),
    }
}

/// The task has no slot any more, and the slot no task. `gone`: there is no such slot any more.
fn forget(desk: &Desk<'_>, slug: &Slug, slot: &str, gone: bool) -> Result<()> {
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        if let Some(task) = Tasks::of(file).find(slug.as_str()) {
            let mut task = task.clone();
            task.slot = None;
            task.write_to(file)?;
        }
        match gone {
            true => file.remove(slot::SECTION, slot),
            false => slot::take_back(file, slot)?,
        }
        Ok(())
    })
}

/// Settles this where it was cut off: the slot is given back, or the task has it as before. False if it is too
/// early.
///
/// # Errors
/// If git or the file system refuses.
pub fn settle(desk: &Desk<'_>, intent: &Found) -> Result<bool> {
    let record = &intent.record;
    let slug = Slug::try_from(intent.name.as_str())?;
    let slot = record.text("slot").unwrap_or_default();
    let path = record.path("path").unwrap_or_default();
    let to = parse_id(record.get("to").unwrap_or_default())?;
    let file = config::load(desk.repo)?;
    if !slot::is_of_task(&file, &slot, slug.as_str()) {
        return Ok(true);
    }
    let last = record.text("last").and_then(|n| n.parse().ok()).unwrap_or(u64::MAX);
    let preserved = trash::latest(desk.repo, slug.as_str())?.filter(|entry| entry.number > last);
    let Ok(worktree) = worktree_at(desk.repo, &path) else {
        // It was moved aside, with all that is in it.
        return if preserved.is_some() { forget(desk, &slug, &slot, true).map(|()| true) } else { Ok(true) };
    };
    if !remove_locks(&worktree)? {
        return Ok(false);
    }
    let seen = snapshot::files(desk.repo, &worktree)?;
    match preserved.filter(|_| record.text("force").as_deref() == Some("true")) {
        Some(entry) => {
            if !empty_again(desk, &slug, &worktree, &slot, to, entry.commit)? {
                return Ok(false);
            }
        }
        None if is_through(desk, &worktree, to)? => {
            let note = notes::last(&path, &slug)?;
            if note.is_some() {
                notes::archive(desk, &slug, note.as_deref())?;
            }
            empty(desk, &slug, &worktree, &slot, to, seen)?;
        }
        None => return keep_claimed(desk, &slug, &worktree).map(|()| true),
    }
    forget(desk, &slug, &slot, false)?;
    Ok(true)
}

/// Nothing in the worktree would be lost: it is clean, or all that differs is of our own checkout.
fn is_through(desk: &Desk<'_>, worktree: &Worktree, to: ObjectId) -> Result<bool> {
    let known = mark::read(&worktree.git_dir).map(|m| m.head);
    if !clean::worth_keeping(desk, worktree, worktree.task.as_deref())?.is_empty() {
        return Ok(false);
    }
    if clean::require(desk, worktree, known).is_ok() {
        return Ok(true);
    }
    Ok(worktree.operation().is_none() && is_only_checkout(desk, worktree, to)?)
}

/// The task has its slot as before.
fn keep_claimed(desk: &Desk<'_>, slug: &Slug, worktree: &Worktree) -> Result<()> {
    let Some(task) = Tasks::read(desk.repo)?.find(slug.as_str()).cloned() else { return Ok(()) };
    worktree.mark(slug.as_str())?;
    bring_note_back(desk, slug, &worktree.path)?;
    notes::create(desk, &worktree.path, slug, task.title.as_deref(), None)?;
    notes::link_in_main(desk, &worktree.path, slug)
}

fn bring_note_back(desk: &Desk<'_>, slug: &Slug, path: &Path) -> Result<()> {
    let here = notes::checked_path(path, slug)?;
    if here.exists() {
        return Ok(());
    }
    match super::reseat::archived_note(desk, slug)? {
        Some(text) => crate::store::atomic::write(&here, &text),
        None => Ok(()),
    }
}
