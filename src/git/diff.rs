//! A difference that shows untracked files too, without adding them to the user's index.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;

use gix::ObjectId;

use super::Repo;
use super::process::Git;
use super::scratch::Scratch;
use crate::error::{OrFatal, Result};

/// `post-index-change` would be told of an index that is ours.
const NO_HOOK: [&str; 2] = ["-c", "core.hooksPath=/dev/null"];

/// `git diff <from>` in the worktree at `path`, to our own standard output, with a pager as git has it.
///
/// # Errors
/// If a copy of the index can't be made, or git fails before it comes to the difference.
pub fn with_untracked(
    repo: &Repo,
    path: &Path,
    from: ObjectId,
    options: &[String],
    color: bool,
) -> Result<ExitStatus> {
    let git = Git::at(path);
    let own = |name| git.cmd(["rev-parse", "--path-format=absolute", "--git-path", name]).poll().path();
    let index = own("index")?;
    let scratch = Scratch::new(repo)?.borrowing(&own("objects")?);
    let copy = scratch.dir().join("index");
    fs::copy(&index, &copy).or_fatal(|| format!("could not copy '{}'", index.display()))?;
    // It writes an object too, the empty one.
    let add = git.cmd(NO_HOOK).args(["add", "--intent-to-add", "--all"]).env("GIT_INDEX_FILE", &copy);
    scratch.lend(add).output()?;
    let color = if color { "--color=always" } else { "--color=never" };
    let diff = git.cmd(NO_HOOK).args(["diff", color, &from.to_string()]);
    diff.args(options).env("GIT_INDEX_FILE", &copy).foreground()
}
