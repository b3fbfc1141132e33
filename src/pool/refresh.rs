//! Idle slots that are brought up to the base, so that a claim finds them there.

use gix::ObjectId;

use super::back::back_to;
use super::claim::{bring, describe, worktree_of};
use super::{Pool, State, check};
use crate::desk::slot::{Lease, Seat, intent_name, is_about};
use crate::desk::{Desk, mark};
use crate::error::{Failure, Result};
use crate::git::switch::worktree_at;
use crate::git::worktree::Head;
use crate::store::record::{Intent, intents};

/// Brings every idle slot to `to`. Gives why it failed for some.
///
/// # Errors
/// If the pool can't be read.
pub fn refresh(desk: &Desk<'_>, to: ObjectId) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    let now = desk.context.now();
    let names: Vec<String> = Pool::read(desk.repo)?
        .slots
        .into_iter()
        .filter(|s| s.state(now) == State::Idle)
        // One that can't be read is tried, and said to be not brought up.
        .filter(|s| s.path.exists())
        .filter(|s| !worktree_at(desk.repo, &s.path).is_ok_and(|w| w.head == Head::Detached(to)))
        .map(|s| s.name)
        .collect();
    for name in names {
        crate::interrupt::check()?;
        if let Err(failure) = refresh_one(desk, &name, to) {
            failures.push(failure.context(format!("slot {name} was not brought up to the base")));
        }
    }
    Ok(failures)
}

fn refresh_one(desk: &Desk<'_>, name: &str, to: ObjectId) -> Result<()> {
    let Some((seat, intent)) = reserve(desk, name, to)? else { return Ok(()) };
    let pool = Pool::read(desk.repo)?;
    if let Err(why) = check::require(desk, pool.require(name)?) {
        check::reject(desk, name, why)?;
        return intent.done();
    }
    let step = desk.observer.step(&format!("Bringing slot {name} up to the base"));
    let worktree = worktree_of(&seat);
    let done = intent
        .during(|| bring(desk, &worktree, seat.head, to))
        .and_then(|()| mark::put(&worktree, name, to, desk.context.now()));
    drop(step);
    if let Err(failure) = done {
        if intent.during(|| back_to(desk, name, &seat.path, seat.head, to))? {
            intent.done()?;
        }
        return Err(failure);
    }
    intent.done()?;
    desk.observer.note(&format!("Brought slot {name} up to the base"));
    Ok(())
}

/// Takes the slot, if it is idle still.
fn reserve(desk: &Desk<'_>, name: &str, to: ObjectId) -> Result<Option<(Seat, Intent)>> {
    let state_dir = desk.repo.state_dir();
    let held = desk.lock()?;
    let pool = Pool::read(desk.repo)?;
    let now = desk.context.now();
    let Some(slot) = pool.find(name).filter(|s| s.state(now) == State::Idle) else { return Ok(None) };
    if intents(&state_dir, &held)?.iter().any(|i| is_about(i, name)) {
        return Ok(None);
    }
    let worktree = worktree_at(desk.repo, &slot.path)?;
    let head = match worktree.head {
        Head::Detached(id) => id,
        _ => to,
    };
    let lease = Lease { id: String::new(), holder: String::new(), since: now, expires: None, ttl: None };
    let seat = Seat { slot: name.to_owned(), lease, path: worktree.path, git_dir: worktree.git_dir, head };
    let intent = Intent::write(&state_dir, &held, &intent_name(name), &describe("update", &seat, to))?;
    Ok(Some((seat, intent)))
}
