//! A merge commit that is made without the worktree it is for.
//!
//! `git merge` looks at the files, merges, and only then writes them: what somebody edits meanwhile is overwritten. Or
//! it finds out then that something is in its way, resets the worktree and brings back what it had seen when it began:
//! what somebody has staged since is gone (see `restore_state()` in git's builtin/merge.c). A fast-forward looks and
//! writes in one go, with the index locked, and touches nothing if it can't be done. So a clean merge is made beside
//! the worktree, and that is moved forwards to it.

use std::path::Path;

use gix::ObjectId;

use super::parse_id;
use super::process::Git;
use crate::error::Result;

/// What makes `git merge` do more than merge and commit: to sign, to verify, to write another message.
const MORE: &str = r"^(commit\.gpgsign|merge\.(verifysignatures|log|summary|branchdesc)|hook\..*)$";

/// The hooks that `git merge` asks before it commits.
const HOOKS: [&str; 3] = ["pre-merge-commit", "prepare-commit-msg", "commit-msg"];

/// The commit that `git merge -m <message>` would make of `theirs` in the worktree at `path`, where `ours` is checked
/// out. No reference is moved. None if there is more to it than a clean merge: then git has to do it there.
///
/// # Errors
/// If git can't be started, or the commit can't be written.
pub fn clean_merge(
    git: &Git,
    path: &Path,
    ours: ObjectId,
    theirs: ObjectId,
    message: &str,
) -> Result<Option<ObjectId>> {
    if has_more(git, path)? {
        return Ok(None);
    }
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let merged = git.cmd(["merge-tree", "--write-tree", &ours, &theirs]).output()?;
    // Conflicts, or nothing in common: git merge says what there is to say.
    if !merged.status.success() {
        return Ok(None);
    }
    let tree = parse_id(merged.stdout.trim_ascii_end())?.to_string();
    let commit = ["commit-tree", "-p", &ours, "-p", &theirs, "-m", message, &tree];
    parse_id(git.cmd(commit).line()?.as_bytes()).map(Some)
}

fn has_more(git: &Git, path: &Path) -> Result<bool> {
    // Its exit code is 1 if there is none.
    if git.cmd(["config", "--name-only", "--get-regexp", MORE]).poll().output()?.code() != 1 {
        return Ok(true);
    }
    let hooks = git.cmd(["rev-parse", "--git-path", "hooks"]).poll().path()?;
    Ok(HOOKS.iter().any(|name| path.join(&hooks).join(name).exists()))
}
