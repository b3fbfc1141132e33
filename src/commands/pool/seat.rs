//! Getting a slot for somebody, whoever it is for: an idle one, a new one, one whose lease has ended, or waiting.

use std::time::Instant;

use crate::commands::{Cx, trust};
use crate::desk::Desk;
use crate::desk::alive;
use crate::desk::slot::{Seat, base};
use crate::error::{Failure, Kind, Result};
use crate::interrupt;
use crate::pool::choose::Occupied;
use crate::pool::{self, Pool, State, check, choose, make, queue, refill};
use crate::task::{self, create, reseat};

/// A slot that was taken, for whom it was taken.
pub enum Taken {
    /// A new task.
    New(create::Reserved),
    /// A task that had none.
    Parked(Box<reseat::Promised>),
    /// Nobody's task.
    Slot(Box<pool::claim::Reserved>),
}

impl Taken {
    /// The slots.
    fn seats(&self) -> Vec<Seat> {
        match self {
            Taken::New(reserved) => reserved.seats().cloned().collect(),
            Taken::Parked(promised) => vec![promised.seat.clone()],
            Taken::Slot(reserved) => vec![reserved.seat.clone()],
        }
    }

    fn give_up(self) -> Result<()> {
        match self {
            Taken::New(reserved) => reserved.give_up(),
            Taken::Parked(promised) => promised.give_up(),
            Taken::Slot(reserved) => reserved.give_up(),
        }
    }
}

/// Takes the slots that `reserve` gives, if all of them may be handed out. Those that may not are set aside, and
/// it is asked again.
///
/// # Errors
/// What `reserve` says.
pub fn take_clean(
    desk: &Desk<'_>,
    mut reserve: impl FnMut() -> Result<Option<Taken>>,
) -> Result<Option<Taken>> {
    loop {
        interrupt::check()?;
        let Some(taken) = reserve()? else { return Ok(None) };
        let mut rejected = None;
        for seat in taken.seats() {
            if let Err(why) = choose::slot_of(desk, &seat).and_then(|slot| check::require(desk, &slot)) {
                rejected = Some((seat.slot, why));
                break;
            }
        }
        let Some((slot, why)) = rejected else { return Ok(Some(taken)) };
        // Set aside before anybody else can have it.
        let rejected = check::reject(desk, &slot, why);
        taken.give_up()?;
        rejected?;
    }
}

/// Takes a slot; where none is idle, makes one, takes one over, or waits until `end`.
///
/// # Errors
/// With 1 if there is none to be had; or why one could not be made.
pub fn obtain(
    cx: &Cx,
    desk: &Desk<'_>,
    end: Option<Instant>,
    mut reserve: impl FnMut(usize, Occupied) -> Result<Option<Taken>>,
) -> Result<Taken> {
    let mut ticket = None;
    loop {
        let before = queue::before(desk, ticket.as_ref());
        let seen = queue::look(desk);
        if let Some(taken) = take_clean(desk, || reserve(before, Occupied::Avoid))? {
            return Ok(taken);
        }
        if before == 0 && (make_one(cx, desk)? || take_over_one(cx, desk)?) {
            continue;
        }
        if let Some(taken) = take_clean(desk, || reserve(before, Occupied::Accept))? {
            warn_of_others(cx, &taken);
            return Ok(taken);
        }
        let Some(end) = end else {
            let max = cx.settings.pool.max;
            return Err(Failure::negative(format!("no slot is idle, and pool.max ({max}) is reached")).hint(
                "poolFull",
                "See 'git pool list' for who holds them. Wait for one with --wait, or raise pool.max.",
            ));
        };
        match &ticket {
            None => {
                ticket = Some(queue::draw(desk)?);
                cx.ui.note("Waiting for a slot");
            }
            Some(_) => queue::wait(desk, seen, end)?,
        }
    }
}

/// Says who is in a slot that was taken all the same.
fn warn_of_others(cx: &Cx, taken: &Taken) {
    for seat in taken.seats() {
        // Only to say it: it has the slot in any case.
        if let Some(pid) = alive::others_in(&seat.path).unwrap_or_default().first() {
            cx.ui
                .warning(&format!("process {pid} is still in slot {}, and no other slot is idle", seat.slot));
        }
    }
}

/// Makes one more slot, if `pool.max` allows it.
fn make_one(cx: &Cx, desk: &Desk<'_>) -> Result<bool> {
    let pool = Pool::read(desk.repo)?;
    if pool.slots.len() + pool.bad.len() >= desk.settings.pool.max {
        return Ok(false);
    }
    require_trust(cx)?;
    let base = base(desk)?;
    let reserved = make::reserve(desk, base.commit, |_| 1)?;
    if reserved.is_empty() {
        return Ok(false);
    }
    match reserved.make(desk).into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(true),
    }
}

/// The setup runs when a slot is made.
///
/// # Errors
/// If it is not trusted and the user can't, or doesn't, say yes.
pub fn require_trust(cx: &Cx) -> Result<()> {
    trust::require(cx, !cx.settings.setup_run().is_empty(), None)
}

/// Takes one back whose lease has ended, if nobody is at work in it. What is in it is kept.
fn take_over_one(cx: &Cx, desk: &Desk<'_>) -> Result<bool> {
    let now = desk.context.now();
    let pool = Pool::read(desk.repo)?;
    for slot in pool.slots.iter().filter(|s| s.state(now) == State::Expired) {
        let there = alive::processes_in(&slot.path)?;
        if let Some(pid) = there.first() {
            cx.ui.note(&format!("The lease of slot {} has ended, but process {pid} is in it", slot.name));
            continue;
        }
        let lease = slot.lease.as_ref().map(|l| l.id.as_str());
        match give_back(desk, slot, Options { force: true, lease, ..Options::default() }) {
            Ok(kept) => {
                let holder = slot.lease.as_ref().map(|l| l.holder.clone()).unwrap_or_default();
                cx.ui.note_always(&format!("Took slot {} over: the lease of {holder} has ended", slot.name));
                tell(cx, kept.as_deref());
                return Ok(true);
            }
            Err(failure) if failure.kind == Kind::Interrupted => return Err(failure),
            Err(failure) => cx.ui.warning(&format!("slot {} could not be taken over: {failure}", slot.name)),
        }
    }
    Ok(false)
}

/// How a slot is given back.
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

/// Gives a slot back, be it a task's or not. Gives the name under which work of it can be restored, if there was
/// any.
///
/// # Errors
/// If it is refused, or fails.
pub fn give_back(desk: &Desk<'_>, slot: &pool::Slot, options: Options<'_>) -> Result<Option<String>> {
    let Options { force, locked, scrub, lease } = options;
    pool::release::require_lease(slot, lease)?;
    let tasks = task::record::Tasks::read(desk.repo)?;
    let task = slot.task.as_deref().and_then(|name| tasks.find(name));
    match task.filter(|t| t.slot.as_deref() == Some(slot.name.as_str())) {
        Some(task) => {
            let options = task::vacate::Options { force, locked, scrub, lease };
            let name = task.slug.as_str();
            let kept = task::vacate::vacate(desk, name, &desk.repo.worktrees()?, options)?;
            Ok(kept.then(|| name.to_owned()))
        }
        None => {
            let options = pool::release::Options { force, locked, scrub, lease };
            pool::release::release(desk, slot, options)
        }
    }
}

/// Says how work comes back that was taken out of place.
pub fn tell(cx: &Cx, kept: Option<&str>) {
    if let Some(name) = kept {
        cx.ui.note_always(&format!(
            "What was not committed is kept: 'git task restore {name}' brings it back"
        ));
    }
}

/// Starts a refill in the background where there are too few idle slots.
pub fn refill_later(cx: &Cx, desk: &Desk<'_>) {
    if let Err(failure) = refill::is_needed(desk).and_then(|needed| match needed {
        true => refill::start(desk),
        false => Ok(()),
    }) {
        cx.ui.warning(&format!("the pool is not refilled: {failure}"));
    }
}
