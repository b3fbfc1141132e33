//! A merge that stopped at conflicts in a worktree of the tool's own: what is in conflict, and what decides it.
//!
//! It works on what git left there, index and files, and changes them through git's own commands, so that a
//! person who works in that worktree by hand meanwhile is never at odds with it.

pub mod action;
mod content;
pub mod difference;
pub mod markers;
pub mod model;
mod records;
mod rerere;
mod saved;
mod step;

pub use action::{Action, actions, apply};
pub use content::MergedText;
pub use model::{Conflict, Kind, conflicts};
pub use rerere::replayed;
pub use saved::Saved;

use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::git::process::Git;
use crate::git::unmerged::{entries, unmerged};
use crate::text::escape_controls;

/// One side of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What a person calls it: a branch, a task.
    pub name: String,
    /// The commit that was merged.
    pub commit: ObjectId,
}

/// What git was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Merging `theirs` into `ours`: `git merge`, squashing or not.
    Merge,
    /// Applying the one commit `theirs` on top of `ours`: a step of `git rebase` or `git cherry-pick`.
    Pick,
}

/// A merge that stopped. Nothing else is known of it than git knows, so it can be made again at any time.
#[derive(Clone)]
pub struct Stopped<'a> {
    /// The repository.
    pub repo: &'a Repo,
    /// The top of the worktree that it stopped in.
    pub worktree: PathBuf,
    /// The task whose merge it is.
    pub task: String,
    /// git's "ours" (stage 2): what is merged onto, the target. In a rebase it is that too, although the
    /// task's branch may be called "theirs" in other places.
    pub ours: Head,
    /// git's "theirs" (stage 3): the task's tip; in a rebase the commit being applied, by the task's name.
    pub theirs: Head,
    /// What git was doing.
    pub operation: Operation,
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is in conflict any more; the merge can be committed.
    Resolved,
    /// This task is left out, and with it those that depend on it.
    SkipTask,
    /// The state is kept for later.
    Stop,
    /// All of it is taken back.
    Abort,
}

/// Somebody who decides conflicts: a person at a terminal.
pub trait Resolver {
    /// Has them decided. [`require_resolved`] holds after [`Decision::Resolved`].
    ///
    /// # Errors
    /// Interrupted by the user, with the state kept; or git fails.
    fn resolve(&mut self, stopped: &Stopped<'_>) -> Result<Decision>;
}

/// Which side decides without asking: `--on-conflict=<side>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That of the commit that is merged onto.
    Ours,
    /// That of the task.
    Theirs,
    /// The lines of both, where both are text.
    Union,
}

impl Stopped<'_> {
    /// git in that worktree.
    pub fn git(&self) -> Git {
        Git::at(&self.worktree)
    }
}

/// Whose version something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of what is merged onto.
    Ours,
    /// Of what is merged.
    Theirs,
}

impl Whose {
    /// The other one's.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Whose::Ours => Whose::Theirs,
            Whose::Theirs => Whose::Ours,
        }
    }

    /// As a side that decides.
    pub fn side(self) -> Side {
        match self {
            Whose::Ours => Side::Ours,
            Whose::Theirs => Side::Theirs,
        }
    }
}

impl Stopped<'_> {
    /// One of its sides.
    pub fn head(&self, whose: Whose) -> &Head {
        match whose {
            Whose::Ours => &self.ours,
            Whose::Theirs => &self.theirs,
        }
    }
}

/// That the merge can be committed: nothing is unmerged, and no path that was in conflict holds a marker of git's any
/// more, neither in the index nor in the worktree. Also for a merge that a person has committed already.
///
/// # Errors
/// Negative, with the first such paths; or git fails.
pub fn require_resolved(stopped: &Stopped<'_>) -> Result<()> {
    let open = unmerged(&stopped.git())?;
    if !open.is_empty() {
        let paths = named(open.iter().map(|entry| &entry.path));
        let are = if open.len() == 1 { "is" } else { "are" };
        return Err(Failure::negative(format!("{paths} {are} still unmerged"))
            .hint("integrateUnmerged", UNMERGED_HINT));
    }
    let settled = model::settled(stopped)?;
    let paths: Vec<_> = settled.iter().map(|entry| entry.path.clone()).collect();
    let in_index = if paths.is_empty() { Vec::new() } else { entries(&stopped.git(), &paths)? };
    for entry in &settled {
        let Some(now) = in_index.iter().find(|now| now.path == entry.path) else { continue };
        if now.version.is_submodule() || now.version.is_link() {
            continue;
        }
        let mut line = action::marked_line(stopped, entry, &stopped.blob(now.version.id)?)?;
        if line.is_none() {
            // A clean filter may have put what has markers elsewhere.
            line = action::marked_line(stopped, entry, &stopped.file_text(entry.path.as_bstr())?)?;
        }
        if let Some(line) = line {
            let path = escape_controls(&entry.path);
            let message = format!("'{path}' still holds a conflict marker in line {}", line + 1);
            return Err(Failure::negative(message).hint("integrateMarkers", MARKERS_HINT));
        }
    }
    Ok(())
}

const UNMERGED_HINT: &str =
    "Edit them, tell git with 'git add' or 'git rm', and go on with 'git integrate --continue'.";

const MARKERS_HINT: &str = "If that line belongs there, give the path another 'conflict-marker-size' in .gitattributes or info/attributes.";

/// The first few of some paths.
fn named<'a>(paths: impl ExactSizeIterator<Item = &'a BString>) -> String {
    const SHOWN: usize = 5;
    let more = paths.len().saturating_sub(SHOWN);
    let shown: Vec<_> = paths.take(SHOWN).map(|path| format!("'{}'", escape_controls(path))).collect();
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{and}", shown.join(", "))
}

/// What a side could not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The path, from the top of the worktree.
    pub path: BString,
    /// Why not, such as "a conflict of kind binary has no union".
    pub why: String,
}

/// Lets one side decide all that is in conflict, and gives what it could not decide: that is left as it is.
///
/// In a text it decides where both changed the same lines; what only one changed stays. Where git knows no lines,
/// it is the side's whole version; what it deleted is deleted, what it renamed is renamed.
///
/// # Errors
/// If git fails.
pub fn resolve_by(stopped: &Stopped<'_>, side: Side) -> Result<Vec<Undecided>> {
    // An answer may lead to another question: after the name of a file comes its content. Each is about fewer paths.
    loop {
        let mut left = Vec::new();
        let mut went_on = false;
        for conflict in conflicts(stopped)?.iter().filter(|conflict| conflict.kind != Kind::Notice) {
            match action::answer_of(stopped, conflict, side)? {
                Ok(answer) => {
                    apply(stopped, conflict, answer)?;
                    went_on = true;
                }
                Err(why) => left.push(Undecided { path: conflict.path.clone(), why }),
            }
        }
        if !went_on {
            return Ok(left);
        }
    }
}

#[cfg(test)]
mod tests;
