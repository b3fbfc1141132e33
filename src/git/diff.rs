//! A difference that shows untracked files too, without adding them to the user's index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use gix::ObjectId;

use super::Repo;
use super::process::Git;
use crate::error::{OrFatal, Result};

/// A file that goes with this value.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

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
    let index = git.cmd(["rev-parse", "--path-format=absolute", "--git-path", "index"]).poll().path()?;
    let dir = repo.state_dir();
    fs::create_dir_all(&dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
    let copy = Temporary(dir.join(format!("index.tmp-{}", std::process::id())));
    fs::copy(&index, &copy.0).or_fatal(|| format!("could not copy '{}'", index.display()))?;
    git.cmd(["add", "--intent-to-add", "--all"]).env("GIT_INDEX_FILE", &copy.0).output()?;
    let color = if color { "--color=always" } else { "--color=never" };
    git.cmd(["diff", color, &from.to_string()]).args(options).env("GIT_INDEX_FILE", &copy.0).foreground()
}
