//! A slot's mark: a small file in the administrative directory of its worktree that says which slot it is and
//! how it was left. It follows the worktree through `git worktree move`.
//!
//! By the mark a claim sees with a few `stat` calls, however large the repository is, whether anybody was there
//! since. It can't see a file that was changed in place and that git was not told about.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gix::ObjectId;

use crate::error::{OrFatal, Result};
use crate::git::worktree::Worktree;
use crate::paths::{self, read_if_there};
use crate::store::record::Record;

const NAME: &str = "git-pool";

/// What a mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The slot.
    pub slot: String,
    /// The commit that it was left at.
    pub head: ObjectId,
    /// When it was left, in seconds since the epoch: how new its build cache is.
    pub left: i64,
    index: String,
    top: String,
    admin: String,
}

/// Marks a worktree as it is now. Half a mark would be no mark, so it is not written by rename; that would also
/// touch the directory.
///
/// # Errors
/// If it can't be written.
pub fn put(worktree: &Worktree, slot: &str, head: ObjectId, now: i64) -> Result<()> {
    let path = worktree.git_dir.join(NAME);
    let failed = || format!("could not write '{}'", path.display());
    if !path.exists() {
        fs::write(&path, b"").or_fatal(failed)?;
    }
    let record = Record::new("slot")
        .with("slot", slot)
        .with("head", head.to_string())
        .with("left", now.to_string())
        .with("index", seen(&worktree.git_dir.join("index")))
        .with("top", seen(&worktree.path))
        .with("admin", seen(&worktree.git_dir));
    fs::write(&path, record.to_bytes()?).or_fatal(failed)
}

/// Takes the mark off: the worktree is no slot any more.
///
/// # Errors
/// If it can't be removed.
pub fn remove(git_dir: &Path) -> Result<()> {
    let path = git_dir.join(NAME);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).or_fatal(|| format!("could not remove '{}'", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whether there is a mark, or one that was cut off while it was written.
///
/// # Errors
/// If it can't be looked at.
pub fn is_there(git_dir: &Path) -> Result<bool> {
    paths::is_there(&git_dir.join(NAME))
}

/// The mark of the worktree with this administrative directory, if it has one that can be read.
pub fn read(git_dir: &Path) -> Option<Mark> {
    look(git_dir).ok().flatten()
}

/// The mark of the worktree with this administrative directory, if it has one.
///
/// # Errors
/// If it can't be read.
pub fn look(git_dir: &Path) -> Result<Option<Mark>> {
    Ok(read_if_there(&git_dir.join(NAME))?.and_then(|bytes| parse(&bytes)))
}

fn parse(bytes: &[u8]) -> Option<Mark> {
    let record = Record::from_bytes(bytes).ok()?;
    let text = |key: &str| record.text(key).filter(|t| !t.is_empty());
    Some(Mark {
        slot: text("slot")?,
        head: ObjectId::from_hex(text("head")?.as_bytes()).ok()?,
        left: text("left")?.parse().ok()?,
        index: text("index")?,
        top: text("top")?,
        admin: text("admin")?,
    })
}

impl Mark {
    /// Nobody was there since, as far as can be seen at a glance.
    pub fn holds(&self, worktree: &Worktree) -> bool {
        self.index == seen(&worktree.git_dir.join("index"))
            && self.top == seen(&worktree.path)
            && self.admin == seen(&worktree.git_dir)
    }
}

/// What changes with a file, or with the entries of a directory.
fn seen(path: &Path) -> String {
    let text = |m: Metadata| {
        let size = if m.is_dir() { 0 } else { m.size() };
        format!("{}:{}:{size}:{}.{:09}", m.dev(), m.ino(), m.mtime(), m.mtime_nsec())
    };
    fs::symlink_metadata(path).map(text).unwrap_or_default()
}
