//! Where every slot stands, for `git pool list`.

use std::collections::HashMap;

use gix::ObjectId;

use super::{Pool, Slot, State, check};
use crate::desk::alive::Occupants;
use crate::desk::slot::base;
use crate::desk::{Desk, clean};
use crate::error::{Failure, Result};
use crate::git::switch::worktree_at;
use crate::git::worktree::Worktree;
use crate::store::record::{Seen, peek};

/// A slot and where it stands. What could not be found out, or was not wanted, is absent.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The slot.
    pub slot: Slot,
    /// Its state.
    pub state: State,
    /// Why it is broken, or what is being done with it and by whom.
    pub reason: Option<String>,
    /// The base's full name.
    pub base: Option<String>,
    /// The commit it stands at.
    pub head: Option<ObjectId>,
    /// Commits that the base has and it has not.
    pub behind: Option<usize>,
    /// Changed and untracked files.
    pub dirty: Option<usize>,
    /// Bytes on disk, repository apart.
    pub disk: Option<u64>,
}

/// Finds it out for all slots at once; `disk` too if that is wanted.
///
/// # Errors
/// If the pool can't be read.
pub fn survey(desk: &Desk<'_>, disk: bool) -> Result<Vec<Standing>> {
    let pool = Pool::read(desk.repo)?;
    for (_, failure) in &pool.bad {
        desk.observer.warn(&failure.message());
    }
    let now = desk.context.now();
    let under_way = peek(&desk.repo.state_dir());
    let base = base(desk).ok();
    let occupants = Occupants::look()?;
    let mut standings = Vec::new();
    let mut worktrees: Vec<Option<Worktree>> = Vec::new();
    for mut slot in pool.slots {
        let about = |all: &[Seen], name: &str| {
            all.iter().find(|i| i.record.text("slot").as_deref() == Some(name)).cloned()
        };
        let mut found = worktree_at(desk.repo, &slot.path);
        let mut at_work = about(&under_way, &slot.name);
        // Somebody may have begun since to drain or to move it, and be done already: then that is written down.
        if found.is_err() && at_work.is_none() {
            at_work = about(&peek(&desk.repo.state_dir()), &slot.name);
            let Some(now) = Pool::read(desk.repo)?.find(&slot.name).cloned() else { continue };
            found = worktree_at(desk.repo, &now.path);
            slot = now;
        }
        let (state, reason) = match (&slot.broken, &at_work, &found) {
            (_, Some(i), _) if i.abandoned => {
                let why = format!("'{}' was cut off; the next command settles it", i.record.kind);
                (State::Preparing, Some(why))
            }
            (_, Some(i), _) => (State::Preparing, Some(doing(&i.record.kind, i.record.text("pid")))),
            (Some(why), None, _) => (State::Broken, Some(why.clone())),
            (None, None, Err(failure)) => (State::Broken, Some(failure.message())),
            (None, None, Ok(worktree)) => {
                let state = slot.state(now);
                let left = (state == State::Idle).then(|| occupants.in_dir(&worktree.path)).flatten();
                (state, left.map(|pid| format!("process {pid} is still in it")))
            }
        };
        let head = match &found {
            Ok(worktree) => clean::head_of(desk, worktree)?,
            Err(_) => None,
        };
        let disk = disk.then(|| clean::size_of(&slot.path)).filter(|_| found.is_ok());
        let base = base.as_ref().and_then(|b| b.branch.clone());
        worktrees.push(found.ok());
        standings.push(Standing { slot, state, reason, base, head, behind: None, dirty: None, disk });
    }
    // Slots that are not there yet.
    for intent in under_way.iter().filter(|i| i.record.kind == "make") {
        let name = intent.record.text("slot").unwrap_or_default();
        if standings.iter().any(|s| s.slot.name == name) {
            continue;
        }
        let path = intent.record.path("path").unwrap_or_default();
        let slot = Slot { name, path, lease: None, task: None, broken: None };
        let reason = Some(doing("make", intent.record.text("pid")));
        let base = base.as_ref().and_then(|b| b.branch.clone());
        worktrees.push(None);
        standings.push(Standing {
            slot,
            state: State::Preparing,
            reason,
            base,
            head: None,
            behind: None,
            dirty: None,
            disk: None,
        });
    }
    if let Some(base) = &base {
        count(desk, &mut standings, base.commit);
    }
    find_changes(desk, &mut standings, &worktrees);
    Ok(standings)
}

/// "being made by process 12"
fn doing(kind: &str, pid: Option<String>) -> String {
    let what = match kind {
        "make" => "being made",
        "claim" | "add" | "occupy" => "being claimed",
        "lend" => "lent to checks",
        "release" | "rm" => "being given back",
        "update" => "being brought up to the base",
        "drain" => "being removed",
        _ => "being changed",
    };
    pid.map_or_else(|| what.to_owned(), |pid| format!("{what} by process {pid}"))
}

/// Slots share few heads: each is counted once.
fn count(desk: &Desk<'_>, standings: &mut [Standing], base: ObjectId) {
    let mut heads: Vec<ObjectId> = standings.iter().filter_map(|s| s.head).collect();
    heads.sort_unstable();
    heads.dedup();
    let pairs: Vec<_> = heads.iter().map(|head| (*head, base)).collect();
    let counted: HashMap<ObjectId, usize> = heads
        .into_iter()
        .zip(desk.repo.ahead_behind(&pairs))
        .filter_map(|(head, counted)| Some((head, counted.ok()?.behind)))
        .collect();
    for standing in standings {
        standing.behind = standing.head.and_then(|head| counted.get(&head).copied());
    }
}

/// Those that somebody has, and of the idle ones those where somebody was.
fn find_changes(desk: &Desk<'_>, standings: &mut [Standing], worktrees: &[Option<Worktree>]) {
    let wanted = |standing: &Standing, worktree: &Worktree| match standing.state {
        State::Idle => check::is_touched(&standing.slot, worktree),
        State::Preparing => false,
        _ => true,
    };
    let found: Vec<(usize, &Worktree)> = standings
        .iter()
        .zip(worktrees)
        .enumerate()
        .filter_map(|(i, (s, w))| Some((i, w.as_ref().filter(|w| wanted(s, w))?)))
        .collect();
    let only: Vec<&Worktree> = found.iter().map(|(_, w)| *w).collect();
    for ((i, _), changes) in found.iter().zip(desk.repo.changes(&only)) {
        match changes {
            Ok(changes) => standings[*i].dirty = Some(changes),
            // Gone since it was looked for: somebody drains it.
            Err(_) if worktree_at(desk.repo, &standings[*i].slot.path).is_err() => {}
            Err(failure) => warn(desk, &standings[*i].slot, &failure),
        }
    }
}

fn warn(desk: &Desk<'_>, slot: &Slot, failure: &Failure) {
    desk.observer.warn(&format!("slot {}: {failure}", slot.name));
}
