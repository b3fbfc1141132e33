//! What a merge that stopped left in the index: the entries of each path that git could not merge.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::parse_id;
use super::process::Git;
use crate::error::{Failure, Result};
use crate::paths::path_from;
use crate::text::escape_controls;

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

/// The bits of a mode that tell a file, a link and a submodule apart.
pub const FILE_TYPE: u32 = 0o170_000;

/// The type of a symbolic link.
pub const LINK: u32 = 0o120_000;

/// The type of a submodule.
pub const SUBMODULE: u32 = 0o160_000;

impl Version {
    /// It is a commit of another repository.
    pub fn is_submodule(self) -> bool {
        self.mode & FILE_TYPE == SUBMODULE
    }

    /// It is a symbolic link.
    pub fn is_link(self) -> bool {
        self.mode & FILE_TYPE == LINK
    }

    /// It is a file that may be executed.
    pub fn is_executable(self) -> bool {
        self.mode == 0o100_755
    }
}

/// One entry of the index: a path at a stage, 0 for a merged one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 0 if it is merged, otherwise as in [`Unmerged`].
    pub stage: u8,
    /// What is there.
    pub version: Version,
    /// From the top of the worktree.
    pub path: BString,
}

/// The entries of some paths and, if one is a directory, of what is in it.
///
/// # Errors
/// If git can't read the index.
pub fn entries(git: &Git, paths: &[BString]) -> Result<Vec<Entry>> {
    let cmd = git.cmd(["--literal-pathspecs", "ls-files", "--stage", "-z", "--full-name", "--"]);
    records(&cmd.args(paths.iter().map(|path| path_from(path))).poll().run()?)
}

/// Replaces all that the index has at these paths by `entries`. Files are left alone. What was unmerged is kept
/// by git for `git checkout -m`.
///
/// # Errors
/// If git can't write the index.
pub fn set_entries(git: &Git, paths: &[BString], entries: &[Entry]) -> Result<()> {
    let mut script = Vec::new();
    // Of another length for sha256.
    let zeroes = "0".repeat(git.cmd(["rev-parse", "HEAD"]).poll().line()?.len());
    for path in paths {
        script.extend_from_slice(format!("0 {zeroes}\t").as_bytes());
        script.extend_from_slice(path);
        script.push(0);
    }
    for Entry { stage, version, path } in entries {
        script.extend_from_slice(format!("{:06o} {} {stage}\t", version.mode, version.id).as_bytes());
        script.extend_from_slice(path);
        script.push(0);
    }
    git.cmd(["update-index", "-z", "--index-info"]).stdin(script).run().map(drop)
}

/// Records of `<mode> <id> <stage>\t<path>\0`; see "OUTPUT" in git-ls-files(1).
fn records(output: &[u8]) -> Result<Vec<Entry>> {
    let entry = |record: &[u8]| {
        let (facts, path) = record.split_once_str("\t")?;
        let mut facts = facts.split_str(" ");
        let mode = u32::from_str_radix(facts.next()?.to_str().ok()?, 8).ok()?;
        let id = parse_id(facts.next()?).ok()?;
        let stage = facts.next()?.to_str().ok()?.parse().ok()?;
        Some(Entry { stage, version: Version { mode, id }, path: path.into() })
    };
    let odd = |record: &[u8]| {
        Failure::fatal(format!("git ls-files printed something unexpected: '{}'", escape_controls(record)))
    };
    let records = output.split_str("\0").filter(|record| !record.is_empty());
    records.map(|record| entry(record).ok_or_else(|| odd(record))).collect()
}

fn parse(output: &[u8]) -> Result<Vec<Unmerged>> {
    let mut all: Vec<Unmerged> = Vec::new();
    for Entry { stage, version, path } in records(output)? {
        if all.last().is_none_or(|last| last.path != path) {
            all.push(Unmerged { path, base: None, ours: None, theirs: None });
        }
        let entry = all.last_mut().expect("one was just pushed");
        match stage {
            1 => entry.base = Some(version),
            2 => entry.ours = Some(version),
            _ => entry.theirs = Some(version),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_that_git_prints_are_read(
            written in vec((0..4_u8, 0..0o200_000_u32, any::<[u8; 20]>(), vec(1..=255_u8, 1..9)), 0..6),
            junk in vec(any::<u8>(), 0..60)
        ) {
            let mut output = Vec::new();
            let mut expected = Vec::new();
            for (stage, mode, id, path) in written {
                let id = ObjectId::from(id);
                output.extend_from_slice(format!("{mode:06o} {id} {stage}\t").as_bytes());
                output.extend_from_slice(&path);
                output.push(0);
                expected.push(Entry { stage, version: Version { mode, id }, path: path.into() });
            }
            prop_assert_eq!(records(&output).unwrap(), expected);
            output.extend_from_slice(&junk);
            // Whatever it is, it is read or refused.
            let _ = parse(&output);
            let _ = parse(&junk);
        }
    }
}
