//! What git's rerere did about a conflict, and will do: `git rerere` itself records and replays; see git-rerere(1).
//!
//! It records what became of each conflict when the merge is committed, whoever resolved it. If it isn't enabled
//! nothing is recorded, and nothing is known.

use gix::bstr::{BStr, BString, ByteSlice};

use super::Stopped;
use super::model::settled;
use crate::error::Result;
use crate::git::unmerged::{Unmerged, Version};
use crate::paths::path_from;

/// The paths that git has resolved and added by itself, from recorded resolutions: `rerere.autoupdate`.
///
/// # Errors
/// If git can't say.
pub fn replayed(stopped: &Stopped<'_>) -> Result<Vec<BString>> {
    if !stopped.records_resolutions()? {
        return Ok(Vec::new());
    }
    let waiting = stopped.to_be_recorded()?;
    let was_text = |entry: &Unmerged| {
        let is_file = |version: Option<Version>| version.is_some_and(|v| !v.is_link() && !v.is_submodule());
        is_file(entry.ours) && is_file(entry.theirs)
    };
    let settled = settled(stopped)?.into_iter().filter(was_text).map(|entry| entry.path);
    Ok(settled.filter(|path| !waiting.contains(path)).collect())
}

impl Stopped<'_> {
    /// Whether git records resolutions here: `rerere.enabled`, or if that isn't set, because it has done so before.
    ///
    /// # Errors
    /// If git can't say, or the setting makes no sense.
    pub fn records_resolutions(&self) -> Result<bool> {
        let output = self.git().cmd(["config", "--type=bool", "--get", "rerere.enabled"]).poll().output()?;
        match output.code() {
            0 => Ok(output.stdout.trim() == b"true"),
            1 => Ok(self
                .git()
                .cmd(["rev-parse", "--git-path", "rr-cache"])
                .poll()
                .path()
                .is_ok_and(|path| self.worktree.join(path).is_dir())),
            _ => Err(output.into_failure()),
        }
    }

    /// The paths whose conflicts git is going to record: those that it had no recorded resolution for.
    ///
    /// `git rerere status` prints the same, but a newline in a path can't be told from its end.
    ///
    /// # Errors
    /// If git can't say.
    pub fn to_be_recorded(&self) -> Result<Vec<BString>> {
        let file = self.git().cmd(["rev-parse", "--git-path", "MERGE_RR"]).poll().path()?;
        // Without conflicts there is none.
        let content = std::fs::read(self.worktree.join(file)).unwrap_or_default();
        let path = |record: &[u8]| record.split_once_str("\t").map(|(_, path)| BString::from(path));
        Ok(content.split_str("\0").filter_map(path).collect())
    }

    /// Has git forget the recorded resolution of a conflict, so that it records what became of it this time.
    ///
    /// # Errors
    /// If git fails.
    pub fn forget_resolution(&self, path: &BStr) -> Result<()> {
        let cmd = self.git().cmd(["--literal-pathspecs", "rerere", "forget", "--"]);
        cmd.arg(path_from(path)).run().map(drop)
    }
}
