//! A task that has no worktree gets one again: a slot of the pool.

use std::fs;
use std::path::PathBuf;

use gix::ObjectId;

use super::occupy::{self, HalfSeated};
use super::record::Tasks;
use super::{Branch, Desk, Slug, Task, notes, place, taken};
use crate::desk::copy;
use crate::desk::slot::{self, Seat};
use crate::error::{Failure, OrFatal, Result};
use crate::git::refs::short_name;
use crate::git::worktree::Worktree;
use crate::paths::path_bytes;
use crate::store::record::{Found, Intent, Record, intents};
use crate::store::{atomic, trash};

/// A task that can get a slot: everything was looked at.
#[derive(Clone, Debug)]
pub struct Parked {
    /// The task.
    pub task: Task,
    /// What is to be checked out: its branch's tip, or that of the branch it follows.
    pub at: ObjectId,
}

/// Looks whether a task can get a slot.
///
/// # Errors
/// With 1 if it has a worktree; if it is finished, or its branch is gone or checked out elsewhere.
pub fn plan(desk: &Desk<'_>, task: &Task, worktrees: &[Worktree]) -> Result<Parked> {
    let slug = &task.slug;
    if let Some(path) = place::path_of(desk.repo, task, worktrees)? {
        let message = format!("task '{slug}' has a worktree already, in '{}'", path.display());
        return Err(Failure::negative(message)
            .hint("poolHasWorktree", format!("Go there with 'cd \"$(git task path {slug})\"'.")));
    }
    if !task.state.is_live() {
        return Err(Failure::fatal(format!("task '{slug}' is {}", task.state)).hint(
            "taskExists",
            format!("Bring it back with 'git task restore {slug}' or 'git task reopen {slug}'."),
        ));
    }
    if place::worktree_of(task, worktrees).is_some() || task.clone.is_some() {
        return Err(Failure::fatal(format!("the worktree of task '{slug}' is gone"))
            .hint("taskRepair", "See 'git task repair -n'."));
    }
    let at = match &task.branch {
        Branch::Own(name) => desk.repo.find_ref(&format!("refs/heads/{name}"))?,
        Branch::Track(name) => desk.repo.find_branch(name)?.map(|(_, id)| id),
    };
    let Some(at) = at else {
        return Err(Failure::fatal(format!("the branch of task '{slug}' is gone"))
            .hint("taskRepair", "See 'git task repair -n'."));
    };
    let full = task.branch_ref();
    if let Some(other) = worktrees.iter().find(|w| full.is_some() && w.branch() == full) {
        let name = short_name(full.as_deref().unwrap_or_default()).to_owned();
        return Err(Failure::fatal(format!("'{name}' is already checked out at '{}'", other.path.display())));
    }
    Ok(Parked { task: task.clone(), at })
}

/// A task that has been promised a slot.
#[derive(Debug)]
pub struct Promised {
    parked: Parked,
    /// The slot.
    pub seat: Seat,
    intent: Intent,
}

/// Takes a slot under the lock, where the task is still as it was; none if `seat` gives none.
///
/// # Errors
/// If the task was changed, or another process is at it.
pub fn reserve(
    desk: &Desk<'_>,
    parked: &Parked,
    seat: impl FnOnce(&[Found]) -> Result<Option<Seat>>,
) -> Result<Option<Promised>> {
    let slug = &parked.task.slug;
    let held = desk.lock()?;
    let under_way = intents(&desk.repo.state_dir(), &held)?;
    taken::refuse_busy(&under_way, slug.as_str(), |_| false)?;
    let now = Tasks::read(desk.repo)?.find(slug.as_str()).cloned();
    let as_it_was = |t: &Task| {
        (t.branch.clone(), t.state, t.slot.clone())
            == (parked.task.branch.clone(), parked.task.state, parked.task.slot.clone())
    };
    // It may have been restored meanwhile.
    let has_place = place::worktree_of(&parked.task, &desk.repo.worktrees()?).is_some();
    if has_place || !now.as_ref().is_some_and(as_it_was) {
        return Err(Failure::fatal(format!("task '{slug}' was changed by another process")).passing());
    }
    let Some(seat) = seat(&under_way)? else { return Ok(None) };
    let record = Record::new("occupy")
        .with("path", path_bytes(&seat.path))
        .with("slot", seat.slot.as_str())
        .with("from", seat.head.to_string())
        .with("to", parked.at.to_string());
    let intent = Intent::write(&desk.repo.state_dir(), &held, slug.as_str(), &record)?;
    Ok(Some(Promised { parked: parked.clone(), seat, intent }))
}

impl Promised {
    /// Gives the slot back; nothing was built.
    ///
    /// # Errors
    /// If the intent can't be removed.
    pub fn give_up(self) -> Result<()> {
        self.intent.done()
    }

    /// Brings the task into the slot. Its files are copied and its note is shown again.
    ///
    /// # Errors
    /// If that fails; it has then been taken back.
    pub fn carry_out(self, desk: &Desk<'_>) -> Result<(Task, PathBuf)> {
        let (task, seat) = (&self.parked.task, &self.seat);
        let built = self
            .intent
            .during(|| build(desk, task, seat, self.parked.at))
            .and_then(|()| commit(desk, task, seat));
        let task = match built {
            Ok(task) => task,
            Err(failure) => {
                let half = HalfSeated { slot: seat.slot.clone(), from: seat.head, to: self.parked.at };
                if self.intent.during(|| occupy::rise(desk, &task.slug, &seat.path, &half))? {
                    self.intent.done()?;
                }
                return Err(failure);
            }
        };
        let done = notes::link_in_main(desk, &seat.path, &task.slug)
            .and_then(|()| copy::copy_into(desk, &seat.path).map(drop));
        self.intent.done()?;
        done.map(|()| (task, seat.path.clone()))
    }
}

fn build(desk: &Desk<'_>, task: &Task, seat: &Seat, at: ObjectId) -> Result<()> {
    occupy::sit(desk, seat, &task.slug, task.branch_ref().as_deref(), at)?;
    if let Some(text) = archived_note(desk, &task.slug)? {
        let path = notes::checked_path(&seat.path, &task.slug)?;
        if !path.exists() {
            atomic::write(&path, &text)?;
        }
    }
    notes::create(desk, &seat.path, &task.slug, task.title.as_deref(), None)
}

/// The note of a task without a worktree: the one in the main worktree, else that of its last removal.
///
/// # Errors
/// If it can't be read.
pub fn archived_note(desk: &Desk<'_>, slug: &Slug) -> Result<Option<Vec<u8>>> {
    if let Some(main) = desk.repo.main_worktree() {
        let path = main.join(notes::relative_path(slug));
        if fs::symlink_metadata(&path).is_ok_and(|m| m.is_file()) {
            return fs::read(&path).map(Some).or_fatal(|| format!("could not read '{}'", path.display()));
        }
    }
    match trash::latest(desk.repo, slug.as_str())? {
        Some(entry) => Ok(trash::read(desk.repo, &entry)?.note),
        None => Ok(None),
    }
}

fn commit(desk: &Desk<'_>, task: &Task, seat: &Seat) -> Result<Task> {
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let mut task = Tasks::of(file).require(task.slug.as_str())?.clone();
        task.slot = Some(seat.slot.clone());
        task.write_to(file)?;
        slot::hand_out(file, &seat.slot, &seat.lease, Some(task.slug.as_str()))?;
        Ok(task)
    })
}

/// Settles this where it was cut off: the task is in the slot, or the slot is as it was. False if it is too early.
///
/// # Errors
/// If git or the file system refuses.
pub fn settle(desk: &Desk<'_>, intent: &Found, half: &HalfSeated) -> Result<bool> {
    let slug = Slug::try_from(intent.name.as_str())?;
    let path = intent.record.path("path").unwrap_or_default();
    let file = crate::store::config::load(desk.repo)?;
    if slot::is_of_task(&file, &half.slot, slug.as_str()) {
        if path.exists() {
            notes::link_in_main(desk, &path, &slug)?;
        }
        return Ok(true);
    }
    occupy::rise(desk, &slug, &path, half)
}
