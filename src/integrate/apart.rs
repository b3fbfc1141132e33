//! Which tasks of a train have nothing to do with what they are merged onto.
//!
//! Such a merge has nothing to decide: its result is what it is merged onto with the task's changes. So it needs no
//! `git merge-tree`, which for a hundred tasks would be a hundred processes, each after the one before. Where
//! anything meets, git is asked.
//!
//! Nothing meets if no path is changed by both, none is a directory of the other's, and neither adds to a directory
//! that the other takes something from, which may then have been moved as a whole. Renames need no look: both ends
//! of one count as changed.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::overlap::filter::directories;
use crate::error::Result;
use crate::git::Repo;
use crate::git::changes::{Change, Delta, Kind};
use crate::git::scratch::Scratch;

/// What one side of a merge has changed.
#[derive(Debug, Default)]
struct Touched {
    paths: HashSet<BString>,
    /// The directories that something changed in.
    directories: HashSet<BString>,
    /// Those that something was added to, and those that something was taken from.
    grown: HashSet<BString>,
    shrunk: HashSet<BString>,
}

impl Touched {
    fn add(&mut self, change: &Change) {
        for directory in directories(change.path.as_bstr()) {
            self.directories.insert(directory.to_owned());
            match change.kind {
                Kind::Added => drop(self.grown.insert(directory.to_owned())),
                Kind::Deleted => drop(self.shrunk.insert(directory.to_owned())),
                Kind::Modified => {}
            }
        }
        self.paths.insert(change.path.clone());
    }

    fn meets(&self, change: &Change) -> bool {
        let mut above = directories(change.path.as_bstr());
        self.paths.contains(&change.path)
            || self.directories.contains(&change.path)
            || above.any(|directory| {
                self.paths.contains(directory.as_bytes().as_bstr())
                    || match change.kind {
                        Kind::Added => self.shrunk.contains(directory.as_bytes().as_bstr()),
                        Kind::Deleted => self.grown.contains(directory.as_bytes().as_bstr()),
                        Kind::Modified => false,
                    }
            })
    }
}

/// The tasks of a train, and what is merged of it so far.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// What each tip changes since it left the target, and where that was.
    tasks: HashMap<ObjectId, (ObjectId, Vec<Delta>)>,
    /// What the target has changed since then.
    target: HashMap<ObjectId, Touched>,
    merged: Touched,
    /// From tree to tree in merges that git made: what changed there is looked at when it is needed.
    open: Vec<(ObjectId, ObjectId)>,
}

impl Apart {
    /// Looks at these tips, which are to be merged into the target.
    ///
    /// # Errors
    /// If a commit is missing.
    pub fn look(repo: &Repo, scratch: &Scratch, tips: &[ObjectId], target: ObjectId) -> Result<Self> {
        let mut apart = Apart::default();
        if tips.is_empty() {
            return Ok(apart);
        }
        let forks = repo.forks(tips, target)?;
        let forked: Vec<(ObjectId, ObjectId)> =
            tips.iter().zip(&forks).filter_map(|(tip, fork)| Some((*tip, (*fork)?))).collect();
        let mut places: Vec<ObjectId> = forked.iter().map(|(_, fork)| *fork).collect();
        places.sort_unstable();
        places.dedup();
        let of_target = places.iter().map(|fork| (*fork, target));
        let of_tasks = forked.iter().map(|(tip, fork)| (*fork, *tip));
        let mut trees = Vec::with_capacity(places.len() + forked.len());
        for (from, to) in of_target.chain(of_tasks) {
            trees.push((repo.tree_of(from)?, repo.tree_of(to)?));
        }
        let mut all = repo.tree_deltas(scratch, &trees, &[])?.into_iter();
        for (fork, deltas) in places.iter().zip(all.by_ref()) {
            let mut touched = Touched::default();
            deltas.iter().for_each(|delta| touched.add(&delta.change));
            apart.target.insert(*fork, touched);
        }
        apart.tasks =
            forked.into_iter().zip(all).map(|((tip, fork), deltas)| (tip, (fork, deltas))).collect();
        Ok(apart)
    }

    /// The tree of a merge of `tip` onto `tree`, where all is merged that was said to be, if nothing meets.
    ///
    /// # Errors
    /// If an object is missing or the scratch can't be written to.
    pub fn merge(
        &mut self,
        repo: &Repo,
        scratch: &Scratch,
        tree: ObjectId,
        tip: ObjectId,
    ) -> Result<Option<ObjectId>> {
        let Some((fork, deltas)) = self.tasks.get(&tip) else { return Ok(None) };
        let meets = |touched: &Touched| deltas.iter().any(|delta| touched.meets(&delta.change));
        if deltas.is_empty() || self.target.get(fork).is_none_or(meets) || meets(&self.merged) {
            return Ok(None);
        }
        if !self.open.is_empty() {
            let open = std::mem::take(&mut self.open);
            let changes = repo.tree_changes(scratch, &open, &[])?;
            changes.iter().flatten().for_each(|change| self.merged.add(change));
            if meets(&self.merged) {
                return Ok(None);
            }
        }
        let made = repo.with_deltas(scratch, tree, deltas)?;
        if made.is_some() {
            deltas.iter().for_each(|delta| self.merged.add(&delta.change));
        }
        Ok(made)
    }

    /// Says what a merge of `tip` came to that was made by git.
    pub fn merged(&mut self, from: ObjectId, to: ObjectId, tip: ObjectId) {
        if self.tasks.is_empty() {
            return;
        }
        self.open.push((from, to));
        // Most often that says enough for the next, and nothing has to be looked at.
        let deltas = self.tasks.get(&tip).map(|(_, deltas)| deltas.as_slice()).unwrap_or_default();
        deltas.iter().for_each(|delta| self.merged.add(&delta.change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(word: &str) -> Change {
        let (kind, path) = word.split_at(1);
        let kind = match kind {
            "+" => Kind::Added,
            "-" => Kind::Deleted,
            _ => Kind::Modified,
        };
        Change { path: path.into(), kind }
    }

    #[test]
    fn what_may_have_to_do_with_each_other_meets() {
        let meets = |a: &str, b: &str| {
            let mut touched = Touched::default();
            a.split(' ').for_each(|word| touched.add(&change(word)));
            b.split(' ').any(|word| touched.meets(&change(word)))
        };
        for (a, b, expected) in [
            ("=d/x", "=d/x", true),
            ("=d/x", "=d/y", false),
            ("+d/x", "+d/y", false),
            ("-d/x", "-d/y", false),
            ("-d/x +f/x", "+f/x", true),
            ("+new", "+new/x", true),
            ("-top +top/x", "=top", true),
            ("+newer", "+new/x", false),
            // What moves a directory may take all of it along.
            ("-d/x +f/x", "+d/z", true),
            ("-e/s/x +f/s/x", "+e/z", true),
            ("-e/s/x +f/s/x", "+e/s/deep/z", true),
            ("-d/x", "=d/y", false),
            // The top is never moved.
            ("-top +other", "+new", false),
        ] {
            assert_eq!(meets(a, b), expected, "{a} | {b}");
            assert_eq!(meets(b, a), expected, "{b} | {a}");
        }
    }
}
