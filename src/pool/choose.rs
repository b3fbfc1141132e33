//! Finding a seat: which slot a claimant gets, decided under the lock.

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::select::{self, Candidate};
use super::{Pool, Slot, State};
use crate::desk::alive::{self, Occupants};
use crate::desk::slot::{Lease, Seat, is_about};
use crate::desk::{Desk, mark};
use crate::error::Result;
use crate::git::switch::worktree_at;
use crate::git::worktree::{Head, Worktree};
use crate::store::record::Found;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Chooser {
    /// The commit to stand at.
    wanted: ObjectId,
    /// How many files others differ from it by, as far as that was found out.
    distances: HashMap<ObjectId, usize>,
    /// Who is in the slots.
    occupants: Occupants,
    /// By which the slot will be held.
    pub lease: Lease,
}

/// Whether a slot is handed out that no work is in, but a process that its last holder left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// As long as there is any other way.
    Avoid,
    /// Better than none.
    Accept,
}

impl Chooser {
    /// Looks how far the idle slots are from `wanted`. No lock is held.
    ///
    /// # Errors
    /// If the pool can't be read.
    pub fn new(desk: &Desk<'_>, wanted: ObjectId, lease: Lease) -> Result<Self> {
        let pool = Pool::read(desk.repo)?;
        let now = desk.context.now();
        let idle = pool.slots.iter().filter(|s| s.state(now) == State::Idle);
        let occupants = Occupants::look()?;
        let mut heads: Vec<ObjectId> =
            idle.filter_map(|s| head_of(&worktree_at(desk.repo, &s.path).ok()?)).collect();
        heads.sort_unstable();
        heads.dedup();
        let mut distances = HashMap::from([(wanted, 0)]);
        // Only where there is a choice.
        if heads.len() > 1 && !heads.contains(&wanted) {
            for head in heads {
                distances.insert(head, distance(desk, head, wanted)?);
            }
        }
        Ok(Chooser { wanted, distances, occupants, lease })
    }

    /// The best of the idle slots that nobody is at work on, and that is not among those `taken`; none if there
    /// is none, or if others wait who came before.
    ///
    /// # Errors
    /// If the pool can't be read.
    pub fn seat(
        &self,
        desk: &Desk<'_>,
        under_way: &[Found],
        taken: &[String],
        waiting_before: usize,
        occupied: Occupied,
    ) -> Result<Option<Seat>> {
        let pool = Pool::read(desk.repo)?;
        let now = desk.context.now();
        let mut found: Vec<(Candidate, Worktree, ObjectId)> = Vec::new();
        for (at, slot) in pool.slots.iter().enumerate() {
            let busy = taken.contains(&slot.name) || under_way.iter().any(|i| is_about(i, &slot.name));
            if slot.state(now) != State::Idle || busy {
                continue;
            }
            // One that is gone or locked is not to be had; `list` and `repair` say why.
            let Ok(worktree) = worktree_at(desk.repo, &slot.path) else { continue };
            // Looked at again, because who gives a slot back is in it for a moment.
            let avoided = occupied == Occupied::Avoid
                && self.occupants.in_dir(&worktree.path).is_some()
                && !alive::others_in(&worktree.path)?.is_empty();
            // Where one stands that can't be read now is not known.
            if worktree.locked.is_some() || avoided || worktree.head == Head::Unknown {
                continue;
            }
            // On a branch: the check that comes next sets it aside.
            let head = head_of(&worktree).unwrap_or(self.wanted);
            let distance = self.distances.get(&head).copied();
            let left = mark::read(&worktree.git_dir).map_or(0, |m| m.left);
            found.push((Candidate { at, distance, left }, worktree, head));
        }
        if found.len() <= waiting_before {
            return Ok(None);
        }
        let candidates: Vec<Candidate> = found.iter().map(|(c, ..)| c.clone()).collect();
        let Some(at) = select::choose(&candidates) else { return Ok(None) };
        let chosen = found.into_iter().find(|(c, ..)| c.at == at);
        Ok(chosen.map(|(_, worktree, head)| Seat {
            slot: pool.slots[at].name.clone(),
            lease: self.lease.clone(),
            path: worktree.path,
            git_dir: worktree.git_dir,
            head,
        }))
    }
}

/// The slot of a seat, as the pool has it now.
///
/// # Errors
/// If the pool can't be read, or the slot is gone.
pub fn slot_of(desk: &Desk<'_>, seat: &Seat) -> Result<Slot> {
    Pool::read(desk.repo)?.require(&seat.slot).cloned()
}

fn head_of(worktree: &Worktree) -> Option<ObjectId> {
    match worktree.head {
        Head::Detached(id) => Some(id),
        _ => None,
    }
}

fn distance(desk: &Desk<'_>, from: ObjectId, to: ObjectId) -> Result<usize> {
    let args = ["diff-tree", "-r", "--name-only", "--no-renames", "-z", &from.to_string(), &to.to_string()];
    let output = desk.repo.at_home().cmd(args).poll().output()?;
    // Objects that are missing make it as far away as can be.
    Ok(if output.status.success() { output.stdout.find_iter(b"\0").count() } else { usize::MAX - 1 })
}
