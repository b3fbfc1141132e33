//! What comes after landing: the tasks are said to be integrated, and what belonged to them is tidied up.
//!
//! Each step can be done again, so that a kill costs nothing but its repetition.

use std::borrow::Cow;

use gix::ObjectId;

use super::journal::{Car, Fate, Journal};
use super::place::Place;
use crate::config::team::Event;
use crate::desk::Desk;
use crate::error::{Kind, Result};
use crate::git::worktree::Worktree;
use crate::task::record::Tasks;
use crate::task::remove::{self, Options};
use crate::task::state::Action;
use crate::task::{State, Task, events, place as task_place};

/// What stayed of a task that landed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The task.
    pub task: String,
    /// What stayed and why, as a person reads it.
    pub why: String,
}

/// Finishes all that has landed.
///
/// # Errors
/// If metadata can't be written, or interrupted. A task that can't be tidied up is in the answer.
pub fn finish(desk: &Desk<'_>, place: &Place, journal: &mut Journal) -> Result<Vec<Kept>> {
    mark(desk, journal)?;
    let mut kept = Vec::new();
    let raises = desk.settings.team.as_ref().is_some_and(|team| !team.hooks.is_empty());
    let mut tasks = Tasks::read(desk.repo)?;
    let mut worktrees = desk.repo.worktrees()?;
    for at in 0..journal.cars.len() {
        let car = journal.cars[at].clone();
        let (Fate::Landed(commit) | Fate::Raised(commit)) = car.fate else { continue };
        if raises {
            // What was raised for the task before may have changed anything.
            (tasks, worktrees) = (Tasks::read(desk.repo)?, desk.repo.worktrees()?);
        }
        if let Some(task) = tasks.find(car.slug.as_str()) {
            if raises && matches!(car.fate, Fate::Landed(_)) {
                let path = task_place::path_of(desk.repo, task, &worktrees)?;
                events::raise(desk, Event::Integrated, task, path.as_deref(), Some(car.tip))?;
                // At once: tidying up again costs nothing, and raising again would.
                journal.cars[at].fate = Fate::Raised(commit);
                journal.save(place)?;
            }
            let _step = desk.observer.step(&format!("Cleaning up after '{}'", car.slug));
            if !journal.keep
                && let Some(why) = tidy(desk, task, &car, &worktrees)?
            {
                kept.push(Kept { task: task.slug.to_string(), why });
            }
        }
        journal.cars[at].fate = Fate::Finished(commit);
    }
    Ok(kept)
}

/// All that landed is said to be integrated, in one change. A task with commits after its pinned tip stays as it
/// is: there is more to integrate.
fn mark(desk: &Desk<'_>, journal: &Journal) -> Result<()> {
    let landed: Vec<(&Car, ObjectId)> = journal
        .cars
        .iter()
        .filter_map(|car| match car.fate {
            Fate::Landed(commit) => Some((car, commit)),
            _ => None,
        })
        .collect();
    if landed.is_empty() {
        return Ok(());
    }
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let tasks = Tasks::of(file);
        for (car, commit) in landed {
            let Some(task) = tasks.find(car.slug.as_str()) else { continue };
            let mut task = task.clone();
            task.integrated = Some(commit);
            let tip = task.branch_ref().map(|full| desk.repo.find_ref(&full)).transpose()?.flatten();
            if tip.is_none_or(|tip| tip == car.tip) {
                if let Ok(state) = task.state.after(Action::Integrate, &task.slug) {
                    task.state = state;
                }
                task.reason = None;
            }
            task.write_to(file)?;
        }
        Ok(())
    })
}

/// Removes the worktree and the branch, with the care of `git task rm`. Says why it did not.
fn tidy(desk: &Desk<'_>, task: &Task, car: &Car, worktrees: &[Worktree]) -> Result<Option<String>> {
    let tip = task.branch_ref().map(|full| desk.repo.find_ref(&full)).transpose()?.flatten();
    if tip.is_some_and(|tip| tip != car.tip) {
        return Ok(Some("it has commits after those that were integrated".to_owned()));
    }
    if task.state != State::Integrated {
        return Ok(Some(format!("it is {}", task.state)));
    }
    let worktree = task_place::worktree_of(task, worktrees);
    if worktree.is_none() && tip.is_none() {
        return Ok(None);
    }
    if let Some(here) = worktree.filter(|w| desk.repo.workdir() == Some(w.path.as_path())) {
        return Ok(Some(format!("you are in '{}'", here.path.display())));
    }
    let options = Options { landed: Some(car.tip), ..Options::default() };
    let mut now = Cow::Borrowed(worktrees);
    let removed = desk.patiently(
        || Ok(()),
        || {
            let removed = remove::remove(desk, task.slug.as_str(), &now, options);
            if removed.as_ref().is_err_and(|failure| failure.passing) {
                now = Cow::Owned(desk.repo.worktrees()?);
            }
            removed
        },
    );
    match removed {
        Ok(removed) => {
            if !removed.lost.is_empty() {
                desk.observer.note(&format!(
                    "Ignored files that went with '{}': {}",
                    task.slug,
                    crate::text::shortened(&removed.lost)
                ));
            }
            Ok(None)
        }
        Err(failure) if failure.kind == Kind::Interrupted => Err(failure),
        Err(failure) => Ok(Some(failure.message())),
    }
}
