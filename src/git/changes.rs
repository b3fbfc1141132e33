//! Which paths differ between trees, for many pairs in one process, and which of them a pathspec takes.
//!
//! Renames are not looked for: both ends of one count as changed.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::Repo;
use super::scratch::Scratch;
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
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let script: String = pairs.iter().map(|(from, to)| format!("{from} {to}\n")).collect();
        let cmd = self.cmd(["diff-tree", "--stdin", "-r", "-z", "--name-status", "--no-renames", "--"]);
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

/// `<tree> SP <tree> LF`, and then `<status> NUL <path> NUL` for each path.
fn parse(output: &[u8], pairs: &[(ObjectId, ObjectId)]) -> Result<Vec<Vec<Change>>> {
    let odd = || Failure::fatal("git diff-tree printed something unexpected");
    let mut rest = output;
    let mut all = Vec::with_capacity(pairs.len());
    for (at, (from, to)) in pairs.iter().enumerate() {
        let header = format!("{from} {to}\n");
        rest = rest.strip_prefix(header.as_bytes()).ok_or_else(odd)?;
        let next = pairs.get(at + 1).map(|(from, to)| format!("{from} {to}\n"));
        let mut changes = Vec::new();
        // A status is one letter, so that no header can be taken for one.
        while !rest.is_empty() && !next.as_ref().is_some_and(|next| rest.starts_with(next.as_bytes())) {
            let (status, after) = rest.split_once_str("\0").ok_or_else(odd)?;
            let (path, after) = after.split_once_str("\0").ok_or_else(odd)?;
            let kind = match status {
                b"A" => Kind::Added,
                b"D" => Kind::Deleted,
                _ => Kind::Modified,
            };
            changes.push(Change { path: path.into(), kind });
            rest = after;
        }
        all.push(changes);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Sandbox;

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
