//! What an index says of itself before it is read; see gitformat-index(5).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use gix::ObjectId;

use super::Repo;
use crate::error::{Failure, OrFatal, Result};

/// The number of entries that an index says it has. None if it is no index that can be read.
pub fn entries_in(index: &Path) -> Option<u32> {
    let mut header = [0; 12];
    File::open(index).ok()?.read_exact(&mut header).ok()?;
    let [b'D', b'I', b'R', b'C', _, _, _, _, count @ ..] = header else { return None };
    Some(u32::from_be_bytes(count))
}

/// Whether the index may be split in two; gix puts it together when it reads it and then doesn't say.
pub fn is_split(git_dir: &Path) -> Option<bool> {
    for entry in git_dir.read_dir().ok()? {
        if entry.ok()?.file_name().as_encoded_bytes().starts_with(b"sharedindex.") {
            return Some(true);
        }
    }
    Some(false)
}

impl Repo {
    /// Fails if git says that it has made a worktree at `commit` and has checked nothing out there: so it does where it
    /// can't read the HEAD that it has just written, which it takes for a branch without a commit.
    ///
    /// # Errors
    /// If that is so, or the commit can't be read.
    pub fn require_checked_out(&self, git_dir: &Path, commit: ObjectId) -> Result<()> {
        if entries_in(&git_dir.join("index")) != Some(0) || is_split(git_dir) == Some(true) {
            return Ok(());
        }
        let failed = || format!("cannot read '{commit}'");
        let gix = self.gix();
        let tree = gix.find_commit(commit).or_fatal(failed)?.tree_id().or_fatal(failed)?.detach();
        if tree == ObjectId::empty_tree(gix.object_hash()) {
            return Ok(());
        }
        Err(Failure::fatal("git worktree add has checked nothing out"))
    }
}
