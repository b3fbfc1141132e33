//! What a merge that stopped left in the index: the entries of each path that git could not merge.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::parse_id;
use super::process::Git;
use crate::error::{Failure, Result};

/// What one side has at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// As git writes it: 0o100644, 0o100755, 0o120000 for a link, 0o160000 for a submodule.
    pub mode: u32,
    /// The blob; of a submodule, its commit.
    pub id: ObjectId,
}

/// A path that isn't merged, with what the common ancestor and both sides have there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmerged {
    /// From the top of the worktree.
    pub path: BString,
    /// Stage 1: the common ancestor's.
    pub base: Option<Version>,
    /// Stage 2: that of the commit that was merged onto.
    pub ours: Option<Version>,
    /// Stage 3: that of the commit that was merged.
    pub theirs: Option<Version>,
}

/// The unmerged paths of a worktree, in the index's order.
///
/// # Errors
/// If git can't read the index.
pub fn unmerged(git: &Git) -> Result<Vec<Unmerged>> {
    parse(&git.cmd(["ls-files", "--unmerged", "-z", "--full-name", ":/"]).poll().run()?)
}

/// The paths that were unmerged since the last merge began and have been added or removed meanwhile, as they
/// were before. git forgets them with the next commit.
///
/// # Errors
/// If git can't read the index.
pub fn resolved(git: &Git) -> Result<Vec<Unmerged>> {
    parse(&git.cmd(["ls-files", "--resolve-undo", "-z", "--full-name", ":/"]).poll().run()?)
}

/// Records of `<mode> <id> <stage>\t<path>\0`; see "OUTPUT" in git-ls-files(1).
fn parse(output: &[u8]) -> Result<Vec<Unmerged>> {
    let mut all: Vec<Unmerged> = Vec::new();
    for record in output.split_str("\0").filter(|record| !record.is_empty()) {
        let odd = || Failure::fatal(format!("git ls-files printed {:?}", record.as_bstr()));
        let (head, path) = record.split_once_str("\t").ok_or_else(odd)?;
        let mut words = head.split_str(" ");
        let (Some(mode), Some(id), Some(stage)) = (words.next(), words.next(), words.next()) else {
            return Err(odd());
        };
        let mode = mode.to_str().ok().and_then(|mode| u32::from_str_radix(mode, 8).ok()).ok_or_else(odd)?;
        let version = Some(Version { mode, id: parse_id(id)? });
        if all.last().is_none_or(|last| last.path != path) {
            all.push(Unmerged { path: path.into(), base: None, ours: None, theirs: None });
        }
        let entry = all.last_mut().expect("one was just pushed");
        match stage {
            b"1" => entry.base = version,
            b"2" => entry.ours = version,
            b"3" => entry.theirs = version,
            _ => return Err(odd()),
        }
    }
    Ok(all)
}
