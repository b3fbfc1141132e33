//! Taking the last integration of a target back, if nothing came on top.
//!
//! What had landed stays under a reference, so that the resolutions in its merges are not lost. Every step can be
//! done again: a kill between them costs nothing but a second `--undo`.

use gix::ObjectId;

use super::journal::{Fate, Journal};
use super::place::Place;
use super::publish::{self, Moved};
use super::rebuild;
use crate::desk::Desk;
use crate::error::{Failure, OrFatal, Result};
use crate::task::record::Tasks;
use crate::task::{State, Task, place, taken};

/// What was undone.
#[derive(Debug)]
pub struct Undone {
    /// Where the target was.
    pub from: ObjectId,
    /// Where it is.
    pub to: ObjectId,
    /// The tasks that are ready again.
    pub ready: Vec<String>,
    /// Those of them that have no worktree any more.
    pub without_worktree: Vec<String>,
    /// The tasks whose branch and worktree have to be restored first.
    pub restorable: Vec<String>,
    /// It was pushed.
    pub pushed: bool,
}

/// Takes it back.
///
/// # Errors
/// If there is none, or the target has moved since, or a worktree is in the way; nothing has been changed.
pub fn undo(desk: &Desk<'_>, place: &Place) -> Result<Undone> {
    let name = place.name();
    let nothing = || Failure::fatal(format!("there is no integration into '{name}' to undo"));
    let journal = Journal::read(&place.last())?.ok_or_else(nothing)?;
    let (old, new) = (journal.onto, journal.new.ok_or_else(nothing)?);
    let pin = place.ref_name("undone");
    let now = desk.repo.find_ref(&place.target)?;
    if now == Some(new) {
        rebuild::set_refs(desk, place, vec![(pin, Some(new))])?;
        match publish::move_target(desk, place, new, old, "git integrate --undo")? {
            Moved::Done => {}
            Moved::Elsewhere(_) => return Err(moved(name)),
            Moved::Blocked(failure) => {
                return Err(failure.hint("integrateOverlap", "Commit or stash what overlaps there first."));
            }
        }
    } else if now == Some(old) && desk.repo.find_ref(&pin)? == Some(new) {
        // Cut off after the target had moved back.
        publish::follow_again(desk, place, new, old)?;
    } else {
        return Err(moved(name));
    }
    bring_back(desk, &journal)?;
    let (ready, restorable) = give_back(desk, &journal)?;
    std::fs::remove_file(place.last())
        .or_fatal(|| format!("could not remove '{}'", place.last().display()))?;
    let (tasks, worktrees) = (Tasks::read(desk.repo)?, desk.repo.worktrees()?);
    let mut without_worktree = Vec::new();
    for name in &ready {
        if let Some(task) = tasks.find(name)
            && place::path_of(desk.repo, task, &worktrees)?.is_none()
        {
            without_worktree.push(name.clone());
        }
    }
    Ok(Undone { from: new, to: old, ready, without_worktree, restorable, pushed: journal.push.is_some() })
}

fn moved(name: &str) -> Failure {
    Failure::fatal(format!("'{name}' has moved since the last integration"))
        .hint("integrateUndo", "What landed can be reverted: 'git revert -m1 <merge>'.")
}

/// The branches that were deleted when their tasks landed are back where they were. A name that somebody else has
/// taken since is left alone.
fn bring_back(desk: &Desk<'_>, journal: &Journal) -> Result<()> {
    let tasks = Tasks::read(desk.repo)?;
    for car in &journal.cars {
        let (Fate::Landed(commit) | Fate::Raised(commit) | Fate::Finished(commit)) = car.fate else {
            continue;
        };
        let Some(task) = tasks.find(car.slug.as_str()) else { continue };
        let (Some(full), Some(branch)) = (task.branch_ref(), task.own_branch()) else { continue };
        let is_taken = tasks.all.iter().any(|other| {
            other.slug != task.slug && other.own_branch() == Some(branch) && other.state.is_live()
        });
        let mine = task.integrated == Some(commit) && task.state == State::Integrated && !is_taken;
        if mine && desk.repo.find_ref(&full)?.is_none() && desk.repo.gix().has_object(car.tip) {
            match taken::make_branch(desk, &full, car.tip, "git integrate --undo") {
                // Somebody was quicker to take the name.
                Err(_) if desk.repo.find_ref(&full)?.is_some() => {}
                done => done?,
            }
        }
    }
    Ok(())
}

/// Tasks whose branch is where it was are ready as they were; the others can be restored.
fn give_back(desk: &Desk<'_>, journal: &Journal) -> Result<(Vec<String>, Vec<String>)> {
    let mut ready = Vec::new();
    let mut restorable = Vec::new();
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let tasks = Tasks::of(file);
        for car in &journal.cars {
            let (Fate::Landed(commit) | Fate::Raised(commit) | Fate::Finished(commit)) = car.fate else {
                continue;
            };
            let mine = |task: &&Task| task.integrated == Some(commit);
            let Some(task) = tasks.find(car.slug.as_str()).filter(mine) else { continue };
            let mut task = task.clone();
            task.integrated = None;
            if task.state == State::Integrated {
                let tip = task.branch_ref().map(|full| desk.repo.find_ref(&full)).transpose()?.flatten();
                if tip == Some(car.tip) {
                    task.state = State::Ready;
                    task.ready_tip = tip;
                    ready.push(task.slug.to_string());
                } else if tip.is_some() {
                    // Somebody went on in what was kept.
                    task.state = State::Open;
                } else {
                    task.state = State::Dropped;
                    task.reason = Some(format!("its integration into '{}' was undone", journal.target));
                    restorable.push(task.slug.to_string());
                }
            }
            task.write_to(file)?;
        }
        Ok(())
    })?;
    Ok((ready, restorable))
}
