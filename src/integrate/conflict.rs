//! A merge that stopped at conflicts in a worktree of the tool's own: what is in conflict, and what decides it.
//!
//! It works on what git left there, index and files, and changes them through git's own commands, so that a
//! person who works in that worktree by hand meanwhile is never at odds with it.

use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::BString;

use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::git::process::Git;
use crate::git::unmerged::unmerged;
use crate::paths::path_from;
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

/// # Errors
/// Negative, if a path is still unmerged; or git fails.
pub fn require_resolved(stopped: &Stopped<'_>) -> Result<()> {
    match unmerged(&stopped.git())?.first() {
        None => Ok(()),
        Some(entry) => {
            Err(Failure::negative(format!("'{}' is still unmerged", escape_controls(&entry.path))))
        }
    }
}

/// What a side could not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The path, from the top of the worktree.
    pub path: BString,
    /// Why not, such as "binary files have no union".
    pub why: String,
}

/// Lets one side decide all that is in conflict, and gives what it could not decide: that is left as it is.
///
/// # Errors
/// If git fails.
pub fn resolve_by(stopped: &Stopped<'_>, side: Side) -> Result<Vec<Undecided>> {
    let git = stopped.git();
    let mut left = Vec::new();
    for entry in unmerged(&git)? {
        let (version, option) = match side {
            Side::Ours => (entry.ours, "--ours"),
            Side::Theirs => (entry.theirs, "--theirs"),
            Side::Union => {
                left.push(Undecided { path: entry.path, why: "there is no union".to_owned() });
                continue;
            }
        };
        let path = path_from(&entry.path);
        let git = |args: &[&str]| git.cmd(["--literal-pathspecs"]).args(args).arg("--").arg(&path);
        if version.is_some() {
            git(&["checkout", "--quiet", option]).run()?;
            git(&["add"]).run()?;
        } else {
            git(&["rm", "--quiet", "--force"]).run()?;
        }
    }
    Ok(left)
}
