//! The files of a worktree go, but none that somebody has written since they were looked at.

use std::fs;
use std::path::Path;

use gix::ObjectId;

use crate::desk::Desk;
use crate::error::{Failure, Result};
use crate::git::process::retry;
use crate::git::switch::git_in;
use crate::git::worktree::Worktree;
use crate::paths::path_from;

/// Brings files and index to a commit. What is in the tree `seen` just as it is on disk goes; ignored files and
/// what nobody has seen stay.
///
/// git itself looks at each file before it goes: it is told that `seen` is what was checked out.
///
/// # Errors
/// In git's words, if a file was changed since: nothing has gone then.
pub fn take(desk: &Desk<'_>, worktree: &Worktree, seen: ObjectId, to: ObjectId) -> Result<()> {
    let limit = desk.settings.lock_timeout;
    let git = git_in(worktree);
    retry(limit, || git.cmd(["read-tree", "--reset", &seen.to_string()]).leaving_others().run())?;
    // It fails where a file is not as it was, which is for the next one to say.
    git.cmd(["update-index", "-q", "--refresh"]).output()?;
    retry(limit, || desk.repo.update_files(worktree, seen, to))
        .map_err(|failure| not_brought(worktree, to, failure))?;
    let others = git.cmd(["ls-files", "-z", "--others", "--directory", "--exclude-standard"]).poll().run()?;
    for name in others.split(|b| *b == 0).filter(|name| name.ends_with(b"/")) {
        remove_empty(&worktree.path.join(path_from(name)));
    }
    Ok(())
}

/// git names the file that is in the way, and not where it is.
pub fn not_brought(worktree: &Worktree, to: ObjectId, failure: Failure) -> Failure {
    failure.context(format!("could not bring '{}' to {to}", worktree.path.display()))
}

/// Removes a directory if no file is in it or below.
fn remove_empty(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}
