//! What commands of ours have left in a worktree in which nobody else works: nothing of it is kept.

use gix::ObjectId;

use super::{bound_cache, head_of, state};
use crate::desk::Desk;
use crate::error::{Failure, Result};
use crate::git::process::retry;
use crate::git::switch::git_in;
use crate::git::worktree::{Head, Worktree};

/// Brings the worktree to a commit, detached; whatever was changed in it goes, and so do untracked files. Ignored files
/// stay, and so does a branch that somebody has switched to.
///
/// # Errors
/// If git or the file system refuses.
pub fn discard(desk: &Desk<'_>, worktree: &Worktree, to: ObjectId) -> Result<()> {
    let limit = desk.settings.lock_timeout;
    let path = worktree.path.display();
    let from = head_of(desk, worktree)?
        .ok_or_else(|| Failure::fatal(format!("'{path}' has no commit checked out")))?;
    state::clear_flags(worktree)?;
    state::reset_settings(worktree)?;
    if worktree.head != Head::Detached(to) {
        retry(limit, || desk.repo.move_head(worktree, from, &Head::Detached(to), to))?;
    }
    let git = git_in(worktree);
    let reset = ["-c", "submodule.recurse=false", "reset", "--quiet", "--hard"];
    retry(limit, || git.cmd(reset).leaving_others().run())?;
    state::leave_submodules(worktree, true)?;
    // Also what is no submodule any more.
    git.cmd(["clean", "-ffdq"]).run()?;
    // What git has left of this goes too.
    state::remove_operation(worktree)?;
    state::remove_private_refs(worktree)?;
    bound_cache(desk, worktree, false)
}
