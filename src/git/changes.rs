//! Which paths differ between trees, for many pairs in one process, and which of them a pathspec takes.
//!
//! Renames are not looked for: both ends of one count as changed.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::objs::tree::{EntryKind, EntryMode};

use super::scratch::Scratch;
use super::{Repo, parse_id};
use crate::error::{Failure, OrFatal, Result};

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is in the second tree only.
    Added,
    /// It is in the first tree only.
    Deleted,
    /// It is in both, with other content, mode or type.
    Modified,
}

/// A path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// From the top of the tree.
    pub path: BString,
    /// How.
    pub kind: Kind,
}

/// A change with what is there after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// What changed.
    pub change: Change,
    /// The kind of the entry and what it holds; none if it is deleted, or of a kind that git does not write.
    pub entry: Option<(EntryKind, ObjectId)>,
}

impl Repo {
    /// The tree of a commit.
    ///
    /// # Errors
    /// If it is missing.
    pub fn tree_of(&self, commit: ObjectId) -> Result<ObjectId> {
        let gix = self.gix();
        let failed = || format!("could not read commit {commit}");
        let found = gix.find_commit(commit).or_fatal(failed)?;
        Ok(found.tree_id().or_fatal(failed)?.detach())
    }

    /// For each pair of trees what differs from the first to the second, by path. With pathspecs, only what they
    /// take; they are relative to the top.
    ///
    /// # Errors
    /// If a tree is missing, or a pathspec makes no sense to git.
    pub fn tree_changes(
        &self,
        scratch: &Scratch,
        pairs: &[(ObjectId, ObjectId)],
        pathspecs: &[String],
    ) -> Result<Vec<Vec<Change>>> {
        let all = self.tree_deltas(scratch, pairs, pathspecs)?;
        let changes = |deltas: Vec<Delta>| deltas.into_iter().map(|delta| delta.change).collect();
        Ok(all.into_iter().map(changes).collect())
    }

    /// As [`Repo::tree_changes`], with what is there afterwards.
    ///
    /// # Errors
    /// As [`Repo::tree_changes`].
    pub fn tree_deltas(
        &self,
        scratch: &Scratch,
        pairs: &[(ObjectId, ObjectId)],
        pathspecs: &[String],
    ) -> Result<Vec<Vec<Delta>>> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let script: String = pairs.iter().map(|(from, to)| format!("{from} {to}\n")).collect();
        let cmd = self.cmd(["diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--"]);
        let output = scratch.lend(cmd.args(pathspecs)).poll().stdin(script).run()?;
        parse(&output, pairs)
    }

    /// All paths of a tree that the pathspecs take.
    ///
    /// # Errors
    /// As [`Repo::tree_changes`].
    pub fn paths_in_tree(
        &self,
        scratch: &Scratch,
        tree: ObjectId,
        pathspecs: &[String],
    ) -> Result<Vec<BString>> {
        let empty = ObjectId::empty_tree(tree.kind());
        let changes = self.tree_changes(scratch, &[(empty, tree)], pathspecs)?.pop().unwrap_or_default();
        Ok(changes.into_iter().map(|change| change.path).collect())
    }
}

/// `<tree> SP <tree> LF`, and then `:<mode> SP <mode> SP <id> SP <id> SP <status> NUL <path> NUL` for each path.
fn parse(output: &[u8], pairs: &[(ObjectId, ObjectId)]) -> Result<Vec<Vec<Delta>>> {
    let odd = || Failure::fatal("git diff-tree printed something unexpected");
    let mut rest = output;
    let mut all = Vec::with_capacity(pairs.len());
    for (from, to) in pairs {
        let header = format!("{from} {to}\n");
        rest = rest.strip_prefix(header.as_bytes()).ok_or_else(odd)?;
        let mut deltas = Vec::new();
        while let Some(entry) = rest.strip_prefix(b":") {
            let (meta, after) = entry.split_once_str("\0").ok_or_else(odd)?;
            let (path, after) = after.split_once_str("\0").ok_or_else(odd)?;
            let words: Vec<&[u8]> = meta.split_str(" ").collect();
            let [_, mode, _, id, status] = words[..] else { return Err(odd()) };
            let kind = match status {
                b"A" => Kind::Added,
                b"D" => Kind::Deleted,
                _ => Kind::Modified,
            };
            let mode = EntryMode::from_bytes(mode).filter(|_| kind != Kind::Deleted);
            let entry = mode.map(|mode| parse_id(id).map(|id| (mode.kind(), id))).transpose()?;
            deltas.push(Delta { change: Change { path: path.into(), kind }, entry });
            rest = after;
        }
        all.push(deltas);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Sandbox;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_git_prints_of_any_path_is_read(
            written in vec(vec((0..3_usize, vec(1..=255_u8, 1..9)), 0..5), 0..4),
            junk in vec(any::<u8>(), 0..60)
        ) {
            let (from, to) = (ObjectId::from([1; 20]), ObjectId::from([2; 20]));
            let pairs = vec![(from, to); written.len()];
            let mut output = Vec::new();
            let mut expected = Vec::new();
            for changes in written {
                output.extend_from_slice(format!("{from} {to}\n").as_bytes());
                let mut all = Vec::new();
                for (kind, path) in changes {
                    let (letter, mode, kind) =
                        [("A", "100644", Kind::Added), ("D", "000000", Kind::Deleted), ("M", "100755", Kind::Modified)][kind];
                    output.extend_from_slice(format!(":100644 {mode} {from} {to} {letter}\0").as_bytes());
                    output.extend_from_slice(&path);
                    output.push(0);
                    all.push(Change { path: path.into(), kind });
                }
                expected.push(all);
            }
            let read = parse(&output, &pairs).unwrap();
            let read: Vec<Vec<Change>> = read.into_iter().map(|all| all.into_iter().map(|d| d.change).collect()).collect();
            prop_assert_eq!(read, expected);
            output.extend_from_slice(&junk);
            let _ = parse(&output, &pairs);
            let _ = parse(&junk, &[(from, to)]);
            let cut = usize::from(junk.first().copied().unwrap_or(0)).min(output.len());
            let _ = parse(&output[..cut], &pairs);
        }
    }

    #[test]
    fn many_pairs_come_back_in_order_with_any_path() {
        let sandbox = Sandbox::new();
        sandbox.commit("kept", "1\n");
        sandbox.commit("A", "1\n");
        let first = sandbox.id("HEAD^{tree}");
        sandbox.git(["mv", "A", "moved to\n\"here\""]);
        sandbox.write("kept", "2\n");
        sandbox.git(["commit", "-q", "-a", "-m", "x"]);
        let second = sandbox.id("HEAD^{tree}");
        let repo = sandbox.repo();
        let scratch = Scratch::new(&repo).unwrap();
        let pairs = [(first, second), (first, first), (second, first)];
        let all = repo.tree_changes(&scratch, &pairs, &[]).unwrap();
        let shown = |changes: &[Change]| -> Vec<String> {
            changes.iter().map(|c| format!("{:?} {}", c.kind, c.path)).collect()
        };
        assert_eq!(shown(&all[0]), ["Deleted A", "Modified kept", "Added moved to\n\"here\""]);
        assert!(all[1].is_empty());
        assert_eq!(shown(&all[2]), ["Added A", "Modified kept", "Deleted moved to\n\"here\""]);
        let of_pathspec = repo.tree_changes(&scratch, &pairs[..1], &["k*".into()]).unwrap();
        assert_eq!(shown(&of_pathspec[0]), ["Modified kept"]);
        assert_eq!(repo.paths_in_tree(&scratch, first, &[":!A".into()]).unwrap(), ["kept"]);
        assert!(repo.tree_changes(&scratch, &pairs, &[":(nonsense)x".into()]).is_err());
    }
}
