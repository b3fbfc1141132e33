//! The worktree that a new task takes over.

use std::path::{Path, PathBuf};

use super::View;
use crate::error::{Failure, Result};
use crate::git::refs::short_name;
use crate::git::worktree::{Head, Worktree};
use crate::paths::normalise;
use crate::task::place;

fn adopted<'a>(view: &'a View, path: &Path) -> Result<&'a Worktree> {
    let wanted = normalise(path);
    let found = view.worktrees.iter().find(|w| w.path == wanted);
    let shown = wanted.display();
    let worktree = found.ok_or_else(|| Failure::fatal(format!("'{shown}' is not a working tree")))?;
    if worktree.is_main {
        return Err(Failure::fatal(format!("'{shown}' is the main working tree")));
    }
    if let Some(slot) = view.slot_at(&worktree.path) {
        return Err(Failure::fatal(format!("'{shown}' is slot {slot} of the pool"))
            .hint("taskSlot", "Take it with 'git pool claim', or give a task one with 'git task add'."));
    }
    if let Some(task) = view.tasks.all.iter().find(|t| {
        t.state.is_live()
            && place::worktree_of(t, &view.worktrees).is_some_and(|w| w.git_dir == worktree.git_dir)
    }) {
        return Err(Failure::fatal(format!("'{shown}' is the worktree of task '{}'", task.slug)));
    }
    Ok(worktree)
}

pub(super) fn adopted_path(view: &View, path: &Path) -> Result<PathBuf> {
    adopted(view, path).map(|w| w.path.clone())
}

pub(super) fn adopted_branch(view: &View, path: &Path) -> Result<String> {
    match &adopted(view, path)?.head {
        Head::Branch(full) => Ok(short_name(full).to_owned()),
        _ => Err(Failure::fatal(format!("'{}' has no branch checked out", normalise(path).display()))
            .hint("taskAdopt", "Switch it to a branch first: 'git -C <path> switch -c <branch>'.")),
    }
}
