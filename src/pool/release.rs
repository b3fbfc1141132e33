//! A slot that no task has is given back: to the base, detached, clean.

use std::path::Path;

use gix::ObjectId;

use super::back::back_to;
use super::{Pool, Slot, keep};
use crate::desk::busy::{busy, require_head};
use crate::desk::slot::{SECTION, base, intent_name, is_about, require_unlocked, take_back, unlock};
use crate::desk::{Desk, clean, mark};
use crate::error::{Failure, Result};
use crate::git::process::retry;
use crate::git::switch::worktree_at;
use crate::git::worktree::Worktree;
use crate::paths::path_bytes;
use crate::store::record::{Intent, Record, intents};

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

/// # Errors
/// With 1 if the slot is not held by the lease that was asked for.
pub fn require_lease(slot: &Slot, lease: Option<&str>) -> Result<()> {
    let Some(wanted) = lease else { return Ok(()) };
    if slot.lease.as_ref().is_some_and(|l| l.id == wanted) {
        return Ok(());
    }
    let name = &slot.name;
    Err(Failure::negative(format!("lease '{wanted}' of slot {name} does not hold any more"))
        .hint("poolLease", "See 'git pool list' for who holds it."))
}

/// Gives it back. Gives the name under which work in it can be restored, if there was some.
///
/// # Errors
/// If something would be taken out of place and it was not forced; if the lease doesn't hold, or another process
/// is at it: nothing has been changed then.
pub fn release(desk: &Desk<'_>, slot: &Slot, options: Options<'_>) -> Result<Option<String>> {
    require_lease(slot, options.lease)?;
    let name = slot.name.as_str();
    let worktree = worktree_at(desk.repo, &slot.path)
        .map_err(|failure| failure.hint("poolRepair", "See 'git pool repair -n'."))?;
    require_unlocked(&worktree, options.locked)?;
    if !options.force {
        let known = mark::read(&worktree.git_dir).map(|m| m.head);
        retry(desk.settings.lock_timeout, || clean::require(desk, &worktree, known)).map_err(|failure| {
            let advice = "gives it back all the same, and says how the work comes back.";
            failure.hint("poolForce", format!("'git pool release -f {name}' {advice}"))
        })?;
    }
    let to = base(desk)?.commit;
    let held = desk.lock()?;
    let pool = Pool::read(desk.repo)?;
    let now = pool.require(name)?;
    if now.lease != slot.lease || now.task != slot.task {
        return Err(Failure::negative(format!("slot {name} was given to somebody else meanwhile")));
    }
    let state_dir = desk.repo.state_dir();
    if let Some(other) = intents(&state_dir, &held)?.iter().find(|i| is_about(i, name)) {
        return Err(busy(format_args!("slot {name}"), &other.record));
    }
    if let Some(now) = desk.repo.worktree_of_admin(&worktree.git_dir)? {
        require_head(&worktree, &now)?;
    }
    let word = |yes: bool| if yes { "true" } else { "false" };
    let record = Record::new("release")
        .with("slot", name)
        .with("path", path_bytes(&slot.path))
        .with("to", to.to_string())
        .with("force", word(options.force));
    let intent = Intent::write(&state_dir, &held, &intent_name(name), &record)?;
    drop(held);
    let step = desk.observer.step(&format!("Giving back slot {name}"));
    // Before anything is taken away, its holder has it as before.
    let mut begun = false;
    let done = intent.during(|| empty(desk, name, &worktree, to, options, &mut begun));
    drop(step);
    match done {
        Err(failure) if begun => Err(failure),
        done => {
            intent.done()?;
            done
        }
    }
}

/// Gives the name by which what was kept can be restored, if there was something.
fn empty(
    desk: &Desk<'_>,
    name: &str,
    worktree: &Worktree,
    to: ObjectId,
    options: Options<'_>,
    begun: &mut bool,
) -> Result<Option<String>> {
    let known = mark::read(&worktree.git_dir).map(|m| m.head);
    // With nothing in it there is nothing to keep, forced or not.
    let has_work = options.force && clean::require(desk, worktree, known).is_err();
    let cleaning = clean::Options { scrub: options.scrub, ..clean::Options::default() };
    let kept = match has_work || !clean::worth_keeping(desk, worktree, None)?.is_empty() {
        true => Some(leave(desk, name, worktree, to, (has_work, cleaning), begun)?),
        false => {
            crate::interrupt::check()?;
            *begun = true;
            clean::clean(desk, worktree, to, cleaning)?;
            None
        }
    };
    unlock(desk, worktree)?;
    mark::put(worktree, name, to, desk.context.now())?;
    let held = desk.lock()?;
    desk.edit(&held, |file| take_back(file, name))?;
    Ok(kept)
}

fn leave(
    desk: &Desk<'_>,
    name: &str,
    worktree: &Worktree,
    to: ObjectId,
    (has_work, cleaning): (bool, clean::Options<'_>),
    begun: &mut bool,
) -> Result<String> {
    for attempt in 1.. {
        let kept = keep::keep(desk, name, worktree)?;
        crate::interrupt::check()?;
        *begun = true;
        let held = clean::Held { snapshot: kept.commit, all: has_work };
        match clean::leave(desk, worktree, to, held, cleaning, || Ok(()))? {
            None => return Ok(kept.name),
            Some(written) => {
                *begun = false;
                if attempt == clean::ATTEMPTS {
                    return Err(clean::busy(worktree, &written));
                }
            }
        }
    }
    unreachable!("it returns at the last attempt")
}

/// Settles a release that was cut off: what is in the slot is kept if it isn't ours, and the slot is given back,
/// unless nothing had been asked to go. False if it is too early.
///
/// # Errors
/// If the metadata can't be written.
pub fn settle(desk: &Desk<'_>, slot: &str, path: &Path, to: ObjectId, record: &Record) -> Result<bool> {
    let pool = Pool::read(desk.repo)?;
    let Some(found) = pool.find(slot) else { return Ok(true) };
    if found.lease.is_none() && found.broken.is_none() {
        return Ok(true);
    }
    let Ok(worktree) = worktree_at(desk.repo, path) else { return Ok(true) };
    if !clean::remove_locks(&worktree)? {
        return Ok(false);
    }
    let known = mark::read(&worktree.git_dir).map(|m| m.head);
    let forced = record.text("force").as_deref() == Some("true");
    let through = clean::worth_keeping(desk, &worktree, None)?.is_empty()
        && worktree.operation().is_none()
        && (clean::require(desk, &worktree, known).is_ok() || clean::is_only_checkout(desk, &worktree, to)?);
    if !forced && !through {
        // Its holder has it as before.
        return Ok(true);
    }
    let from = clean::head_of(desk, &worktree)?.unwrap_or(to);
    if !back_to(desk, slot, path, from, to)? {
        return Ok(false);
    }
    // One that could not be cleaned is set aside, and whose it was doesn't matter any more.
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let broken = file.find(SECTION, slot).and_then(|s| s.get("broken").map(ToOwned::to_owned));
        let was = found.broken.as_deref().map(str::as_bytes);
        take_back(file, slot)?;
        match broken.filter(|why| Some(why.as_slice()) != was) {
            Some(why) => file.set(SECTION, slot, "broken", &[why]),
            None => Ok(()),
        }
    })?;
    Ok(true)
}
