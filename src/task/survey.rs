//! Where every task stands: what is derived from references, worktrees and notes, for many tasks at once.

use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::BString;

use super::{Desk, State, Task, note, notes, place};
use crate::desk::session::{self, Session};
use crate::error::{Failure, Result};
use crate::git::graph::ahead_behind_through_git;
use crate::git::process::Git;
use crate::git::status::{Untracked, status_entries};
use crate::git::worktree::Worktree;

/// Which of the costly facts are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Uncommitted changes.
    pub dirty: bool,
    /// Commits ahead and behind.
    pub counts: bool,
    /// Conflicts with the base.
    pub conflicts: bool,
    /// What the note says.
    pub notes: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Wanted = Wanted { dirty: true, counts: true, conflicts: true, notes: true };
}

/// A task and where it stands. What could not be found out, or was not wanted, is absent.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The task.
    pub task: Task,
    /// Its state at its tip.
    pub state: State,
    /// The top of its worktree or clone, also if that directory is gone.
    pub worktree: Option<PathBuf>,
    /// That directory is gone.
    pub missing: bool,
    /// The commit it stands at.
    pub head: Option<ObjectId>,
    /// The base's full name and tip.
    pub base: Option<(String, ObjectId)>,
    /// Commits it has and the base has not.
    pub ahead: Option<usize>,
    /// Commits the base has and it has not.
    pub behind: Option<usize>,
    /// Changed and untracked files.
    pub dirty: Option<usize>,
    /// The operation under way in its worktree.
    pub operation: Option<&'static str>,
    /// Why its worktree is locked.
    pub locked: Option<String>,
    /// Paths that would conflict if it was merged into its base now.
    pub conflicts: Vec<BString>,
    /// The session that works on it now.
    pub session: Option<Session>,
    /// The note's Goal.
    pub goal: Option<String>,
    /// The note's Blockers.
    pub blocker: Option<String>,
    /// The note's Next steps.
    pub next: Option<String>,
}

/// Finds out where these tasks stand. Each fact is found for all of them in one go.
///
/// # Errors
/// If the repository can't be read. A single worktree that can't be is warned about.
pub fn survey(
    desk: &Desk<'_>,
    tasks: &[Task],
    worktrees: &[Worktree],
    wanted: Wanted,
) -> Result<Vec<Standing>> {
    let mut standings = tasks.iter().map(|t| begin(desk, t, worktrees)).collect::<Result<Vec<_>>>()?;
    find_bases(desk, &mut standings)?;
    if wanted.counts || wanted.conflicts {
        count(desk, &mut standings);
    }
    if wanted.dirty {
        find_changes(desk, &mut standings, worktrees);
    }
    if wanted.conflicts {
        forecast(desk, &mut standings)?;
    }
    if wanted.notes {
        standings.iter_mut().for_each(read_note);
    }
    Ok(standings)
}

fn begin(desk: &Desk<'_>, task: &Task, worktrees: &[Worktree]) -> Result<Standing> {
    let worktree = place::worktree_of(task, worktrees);
    let head = place::head_of(desk.repo, task, worktrees)?;
    let is_gone = || Ok::<_, Failure>(task.clone.is_some() && place::clone_of(desk.repo, task)?.is_none());
    Ok(Standing {
        state: task.state_at(head),
        worktree: worktree.map(|w| w.path.clone()).or_else(|| task.clone.clone()),
        missing: worktree.map_or_else(is_gone, |w| Ok(w.missing))?,
        head,
        base: None,
        ahead: None,
        behind: None,
        dirty: None,
        operation: place::operation_of(desk.repo, task, worktrees)?,
        locked: worktree.and_then(|w| w.locked.clone()),
        conflicts: Vec::new(),
        session: session::running(&desk.repo.state_dir(), task.slug.as_str())?,
        goal: None,
        blocker: None,
        next: None,
        task: task.clone(),
    })
}

/// Many tasks share a base: each is looked up once.
fn find_bases(desk: &Desk<'_>, standings: &mut [Standing]) -> Result<()> {
    let mut known = std::collections::HashMap::new();
    for standing in standings {
        let Some(name) = standing.task.base.clone().or_else(|| standing.task.tracked().map(str::to_owned))
        else {
            continue;
        };
        standing.base = match known.get(&name) {
            Some(found) => Clone::clone(found),
            None => {
                let found = desk.repo.find_branch(&name)?;
                known.insert(name, found.clone());
                found
            }
        };
    }
    Ok(())
}

fn count(desk: &Desk<'_>, standings: &mut [Standing]) {
    let pair = |s: &Standing| {
        s.task.clone.is_none().then_some(()).and_then(|()| Some((s.head?, s.base.as_ref()?.1)))
    };
    let (at, pairs): (Vec<usize>, Vec<_>) =
        standings.iter().enumerate().filter_map(|(i, s)| Some((i, pair(s)?))).unzip();
    for (i, counted) in at.into_iter().zip(desk.repo.ahead_behind(&pairs)) {
        match counted {
            Ok(counted) => {
                standings[i].ahead = Some(counted.ahead);
                standings[i].behind = Some(counted.behind);
            }
            Err(failure) => desk.observer.warn(&format!("task '{}': {failure}", standings[i].task.slug)),
        }
    }
    // The commits of a clone are there until it is ready; those of the base are there too, borrowed.
    for standing in standings.iter_mut() {
        let clone = standing.task.clone.as_deref().filter(|_| !standing.missing);
        let (Some(path), Some(head), Some((_, base))) = (clone, standing.head, &standing.base) else {
            continue;
        };
        match ahead_behind_through_git(&Git::at(path), head, *base) {
            Ok(counted) => {
                standing.ahead = Some(counted.ahead);
                standing.behind = Some(counted.behind);
            }
            Err(failure) => desk.observer.warn(&format!("task '{}': {failure}", standing.task.slug)),
        }
    }
}

fn find_changes(desk: &Desk<'_>, standings: &mut [Standing], worktrees: &[Worktree]) {
    let found: Vec<(usize, &Worktree)> = standings
        .iter()
        .enumerate()
        .filter_map(|(i, s)| Some((i, place::worktree_of(&s.task, worktrees).filter(|w| !w.missing)?)))
        .collect();
    let only: Vec<&Worktree> = found.iter().map(|(_, w)| *w).collect();
    for ((i, worktree), changes) in found.iter().zip(desk.repo.changes(&only)) {
        match changes {
            Ok(changes) => standings[*i].dirty = Some(changes),
            // Another command took it away while we looked.
            Err(_) if !worktree.path.exists() || !worktree.git_dir.exists() => standings[*i].missing = true,
            Err(failure) => desk.observer.warn(&format!("task '{}': {failure}", standings[*i].task.slug)),
        }
    }
    for standing in standings.iter_mut() {
        if let Some(path) = standing.task.clone.as_deref().filter(|_| !standing.missing) {
            match status_entries(&Git::at(path), Untracked::Normal, false) {
                Ok(entries) => standing.dirty = Some(entries.len()),
                Err(_) if !path.exists() => standing.missing = true,
                Err(failure) => desk.observer.warn(&format!("task '{}': {failure}", standing.task.slug)),
            }
        }
    }
}

/// Only where both sides have commits of their own can there be a conflict.
fn forecast(desk: &Desk<'_>, standings: &mut [Standing]) -> Result<()> {
    let (at, pairs): (Vec<usize>, Vec<_>) = standings
        .iter()
        .enumerate()
        .filter(|(_, s)| s.task.own_branch().is_some() && s.task.clone.is_none())
        .filter(|(_, s)| s.ahead > Some(0) && s.behind > Some(0))
        .filter_map(|(i, s)| Some((i, (s.head?, s.base.as_ref()?.1))))
        .unzip();
    if pairs.is_empty() {
        return Ok(());
    }
    for (i, paths) in at.into_iter().zip(desk.repo.conflicts(&pairs)) {
        match paths {
            Ok(paths) => standings[i].conflicts = paths,
            Err(failure) => desk.observer.warn(&format!("task '{}': {failure}", standings[i].task.slug)),
        }
    }
    Ok(())
}

/// A note that can't be read says nothing; `git task note` gives the reason.
fn read_note(standing: &mut Standing) {
    let path = standing.worktree.as_deref().filter(|_| !standing.missing);
    let Some(text) = path.and_then(|p| notes::glance(p, &standing.task.slug)) else { return };
    standing.goal = note::section(&text, note::Section::Goal);
    standing.blocker = note::section(&text, note::Section::Blockers);
    standing.next = note::section(&text, note::Section::NextSteps);
}
