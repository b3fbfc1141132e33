//! Worktrees that are locked as by `git worktree lock` while we make them or take them away.

use std::io;
use std::path::Path;

use gix::bstr::ByteSlice;

use super::Worktree;
use crate::error::{OrFatal, Result};
use crate::paths::read_if_there;

/// Why a worktree is locked while its directory is out of its place.
const BEING_REMOVED: &str = "being removed by git task rm";

/// Why a worktree that we make is locked from its first moment on, until it is marked and [let go](Worktree::let_go):
/// what is at its place may be somebody else's, and nothing else tells them apart.
pub const BEING_MADE: &str = "being made by git-parallel";

/// Whether an administrative directory says that git, for us or not, is making its worktree, or was killed doing so.
///
/// # Errors
/// If it can't be read.
pub fn is_initializing(git_dir: &Path) -> Result<bool> {
    is_locked_as(git_dir, &["initializing", BEING_MADE])
}

/// Whether we have locked it for a reason of our own.
pub(super) fn is_ours(reason: &str) -> bool {
    [BEING_REMOVED, BEING_MADE].contains(&reason)
}

fn is_locked_as(git_dir: &Path, reasons: &[&str]) -> Result<bool> {
    let reason = read_if_there(&git_dir.join("locked"))?;
    Ok(reason.is_some_and(|text| reasons.iter().any(|reason| text.trim() == reason.as_bytes())))
}

impl Worktree {
    /// Keeps `git worktree prune`, and with it `git gc`, from taking it for deleted while its directory is
    /// elsewhere. What git has locked for its own reasons stays as it is.
    ///
    /// # Errors
    /// If its administrative directory can't be written.
    pub fn hold(&self) -> Result<()> {
        let path = self.git_dir.join("locked");
        let failed = || format!("could not write '{}'", path.display());
        // Empty, as it is for a moment when it is opened, it would be a lock of somebody's who gives no reason.
        let new = self.git_dir.join("locked.new");
        let linked = std::fs::write(&new, BEING_REMOVED).and_then(|()| std::fs::hard_link(&new, &path));
        // It is in nobody's way, and goes with the directory.
        let _ = std::fs::remove_file(&new);
        match linked {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e).or_fatal(failed),
            _ => Ok(()),
        }
    }

    /// Whether it is being made by us, or was when we were killed.
    ///
    /// # Errors
    /// If its administrative directory can't be read.
    pub fn is_being_made(&self) -> Result<bool> {
        is_locked_as(&self.git_dir, &[BEING_MADE])
    }

    /// Ends [`Worktree::hold`], and what keeps one [`BEING_MADE`].
    ///
    /// # Errors
    /// If its administrative directory can't be written.
    pub fn let_go(&self) -> Result<()> {
        let_go(&self.git_dir)
    }
}

/// As [`Worktree::let_go`], by its administrative directory.
///
/// # Errors
/// If the directory can't be written.
pub fn let_go(git_dir: &Path) -> Result<()> {
    let path = git_dir.join("locked");
    if !is_locked_as(git_dir, &[BEING_REMOVED, BEING_MADE])? {
        return Ok(());
    }
    std::fs::remove_file(&path).or_fatal(|| format!("could not remove '{}'", path.display()))
}
