//! `git task rm`: the worktree and the branch go; what only they held stays restorable.
//!
//! The order: refuse, write the intent, preserve, take the directory aside (from here on it goes forward), look
//! once more, forget the worktree, archive the note, delete the branch where it was seen, write the metadata. The
//! directory itself is deleted last, in the background.

use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::BString;

use super::record::Tasks;
use super::{Desk, Slug, State, Task, keep, occupy, place, refuse, sweep, taken};
use crate::desk::aside::aside_of;
use crate::desk::busy::require_head;
use crate::desk::{session, slot};
use crate::error::{Failure, Result};
use crate::git::landed::Landed;
use crate::git::process::retry;
use crate::git::worktree::Worktree;
use crate::paths::path_bytes;
use crate::store::config;
use crate::store::record::{Intent, Record, intents};
use crate::store::trash;
use steps::{Destination, carry_out, has_moved};

mod resume;
mod steps;

pub use resume::resume;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How often `-f` was given.
    pub force: u8,
    /// `--keep-branch`
    pub keep_branch: bool,
    /// Its work up to this commit is known to have landed, in whatever form.
    pub landed: Option<ObjectId>,
}

/// What was done.
#[derive(Debug)]
pub struct Removed {
    /// The task as it is now.
    pub task: Task,
    /// Ignored files that went and can't be restored; directories end in a slash.
    pub lost: Vec<String>,
    /// Where its worktree was.
    pub path: Option<PathBuf>,
    /// The commit that it stood at.
    pub head: Option<ObjectId>,
}

/// Removes a task.
///
/// # Errors
/// If something would be taken out of place and `-f` was not given; nothing has been changed then.
pub fn remove(desk: &Desk<'_>, name: &str, worktrees: &[Worktree], options: Options) -> Result<Removed> {
    let tasks = Tasks::read(desk.repo)?;
    let task = tasks.require(name)?.clone();
    if options.landed.is_some() && task.state != State::Integrated {
        // Somebody has taken it back to work since it landed.
        return Err(Failure::fatal(format!("it is {}", task.state)));
    }
    let worktree = place::worktree_of(&task, worktrees);
    let tip = match task.branch_ref() {
        Some(full) => desk.repo.find_ref(&full)?,
        None => None,
    };
    if !task.state.is_live() && worktree.is_none() && tip.is_none() {
        return Err(Failure::fatal(format!("task '{name}' is {} already", task.state)));
    }
    if let Some(worktree) = worktree {
        refuse::place(&task, worktree, options.force)?;
    }
    // It would go on writing where nothing is preserved any more: not even by force.
    session::refuse_running(&desk.repo.state_dir(), name, "remove")?;
    let landed = match (options.landed, tip) {
        (Some(known), Some(tip)) if known == tip => Landed::Merged,
        _ => retry(desk.settings.lock_timeout, || landed(desk, &task, tip, worktrees))?,
    };
    if options.force == 0 {
        refuse::work(desk, &task, worktree, tip, &landed, options.keep_branch)?;
    }
    let head = place::head_of(desk.repo, &task, worktrees)?;
    let held = desk.lock()?;
    // Since we looked, it may have been renamed or removed, or got a worktree.
    let now = Tasks::read(desk.repo)?.find(name).map(|t| (t.branch.clone(), t.state));
    let now_at = desk.repo.worktrees()?;
    let where_of = |worktree: Option<&Worktree>| worktree.map(|w| (w.git_dir.clone(), w.path.clone()));
    if now != Some((task.branch.clone(), task.state))
        || where_of(place::worktree_of(&task, &now_at)) != where_of(worktree)
    {
        return Err(Failure::fatal(format!("task '{name}' was changed by another process")));
    }
    session::refuse_running(&desk.repo.state_dir(), name, "remove")?;
    taken::refuse_busy(&intents(&desk.repo.state_dir(), &held)?, name, |_| false)?;
    // Who locks it does so with an intent.
    if let Some(now) = place::worktree_of(&task, &now_at) {
        refuse::place(&task, now, options.force)?;
        worktree.map_or(Ok(()), |worktree| require_head(worktree, now))?;
    }
    let path = worktree.map(|w| w.path.clone()).or_else(|| task.clone.clone());
    // A slot's directory stays where it is, and is made new again.
    let slot = match (&task.slot, worktree) {
        (Some(slot), Some(w)) if !w.missing && slot::is_of_task(&config::load(desk.repo)?, slot, name) => {
            Some((slot.clone(), occupy::home_of(desk, w)?))
        }
        _ => None,
    };
    let aside = path.as_deref().filter(|_| slot.is_none()).map(|p| aside_of(p, "removed"));
    let becomes = if matches!(landed, Landed::Merged | Landed::SameTree | Landed::PatchId)
        || task.state == State::Integrated
    {
        State::Integrated
    } else {
        State::Dropped
    };
    let deletes = tip.filter(|_| !options.keep_branch);
    let bytes = |p: &Option<PathBuf>| p.as_deref().map(|p| BString::from(path_bytes(p))).unwrap_or_default();
    let last = trash::latest(desk.repo, name)?.map_or(0, |entry| entry.number);
    let record = Record::new("rm")
        .with("last", last.to_string())
        .with("path", bytes(&path))
        .with("aside", bytes(&aside))
        .with("deletes", deletes.map(|id| id.to_string()).unwrap_or_default())
        .with("becomes", becomes.as_str());
    let record = match &slot {
        Some((slot, to)) => record.with("slot", slot.as_str()).with("to", to.to_string()),
        None => record,
    };
    let intent = Intent::write(&desk.repo.state_dir(), &held, name, &record)?;
    drop(held);
    let to = Destination { aside: aside.as_deref(), slot: slot.as_ref().map(|(s, to)| (s.as_str(), *to)) };
    let mut begun = slot.is_some();
    match intent.during(|| carry_out(desk, &task, worktree, to, deletes, becomes, &mut begun)) {
        Ok(mut removed) => {
            removed.head = head;
            // Said where it can be found before the intent goes, which knows it too.
            if let Some(aside) = aside.filter(|p| p.exists()) {
                sweep::in_background(desk, &task.slug, &aside)?;
            }
            intent.done()?;
            Ok(removed)
        }
        Err(failure) => {
            // As long as the directory has not been moved nothing has been taken away. A slot's stays.
            if !begun && !has_moved(path.as_deref(), aside.as_deref()) {
                intent.done()?;
            }
            Err(failure)
        }
    }
}

/// The branch's commits against its base; a task without a branch has none of its own.
fn landed(desk: &Desk<'_>, task: &Task, tip: Option<ObjectId>, worktrees: &[Worktree]) -> Result<Landed> {
    let tip = match &task.clone {
        Some(_) => place::head_of(desk.repo, task, worktrees)?.or(tip),
        None => tip,
    };
    let base = task.base.as_deref().map(|b| desk.repo.find_branch(b)).transpose()?.flatten();
    match (tip, base) {
        // Commits that only a clone has are not here to be compared.
        (Some(tip), Some((_, base))) if desk.repo.gix().has_object(tip) => {
            desk.repo.landed(tip, task.start, base)
        }
        (None, _) => Ok(Landed::Empty),
        (Some(tip), _) if task.start == Some(tip) => Ok(Landed::Empty),
        _ => Ok(Landed::No),
    }
}

/// Deletes the directories that expired removals have kept, and says which.
///
/// # Errors
/// If one can't be deleted.
pub fn discard(desk: &Desk<'_>, slug: &str, aside: &Path) -> Result<()> {
    let name = aside_of(aside, "removed");
    keep::discard(desk, aside, &name)?;
    if name.exists() { sweep::in_background(desk, &Slug::try_from(slug)?, &name) } else { Ok(()) }
}
