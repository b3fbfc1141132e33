//! Whether the work of a branch is in its base already, also when it went there as other commits: squashed,
//! rebased or picked.
//!
//! The tests go from the cheapest to the dearest and stop at the first that says yes. None of them looks at
//! what happened afterwards: work that was merged and then reverted on the base has landed, as `git branch
//! --merged` and `git cherry` have it too.

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::forecast::MergeOptions;
use super::graph::AheadBehind;
use super::scratch::Scratch;
use super::{Repo, parse_id};
use crate::error::{OrFatal, Result};

/// So many commits of the base are looked at for the tip's tree. A squash that is older is found by patch id.
const TREES: &str = "--max-count=1000";

/// How a branch's work came to be in its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// The branch has no commit of its own: there is nothing that could have landed.
    Empty,
    /// Its tip is an ancestor of the base.
    Merged,
    /// The base has had exactly the tip's content, or merging the tip would change nothing.
    SameTree,
    /// The base has a commit with the same change for each of the branch's commits, or one for all of them.
    PatchId,
    /// Some of its work is not in the base.
    No,
}

/// A commit to be put on top of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// It.
    pub commit: ObjectId,
    /// What its change is against; none for the first commit of a history.
    pub parent: Option<ObjectId>,
}

impl Repo {
    /// Whether what `tip` has since `start` is in `base`.
    ///
    /// `start` has to follow when a branch without work of its own is moved along with its base: afterwards
    /// nothing in the graph tells such a branch from one that the base was fast-forwarded to. If it is not
    /// known, a tip that lies on the base's own line (its first parents) counts as [`Landed::Empty`].
    ///
    /// A "no" is dear: git compares the change of each commit that the base has had since, which with 1,500 of
    /// them takes as long as twenty `git status` in a small worktree.
    ///
    /// # Errors
    /// If a commit is missing, or git can't be asked.
    pub fn landed(&self, tip: ObjectId, start: Option<ObjectId>, base: ObjectId) -> Result<Landed> {
        if let Some(landed) =
            self.landed_in_graph(&[(tip, start)], base).pop().expect("one answer for one")?
        {
            return Ok(landed);
        }
        let Some(fork) = self.merge_base(tip, base)? else { return Ok(Landed::No) };
        let tree = self.tree_of(tip)?;
        // Work that was taken back on the branch itself: there is a history to lose, and no change to be found.
        if tree == self.tree_of(fork)? {
            return Ok(Landed::No);
        }
        let scratch = Scratch::new(self)?;
        if self.had_tree(fork, base, tree)? || self.changes_nothing(&scratch, tip, base)? {
            return Ok(Landed::SameTree);
        }
        // What a merge on the branch changed of its own has no patch id, so a branch with merges is compared
        // as a whole only; and a branch of one commit is that commit.
        let is_linear = self.is_linear(tip, base)?;
        let is_one_commit = is_linear && self.is_child_of(tip, fork)?;
        let found = (is_linear && self.cherry(&scratch, tip, base)?)
            || (!is_one_commit && self.is_squashed(&scratch, tip, tree, fork, base)?);
        Ok(if found { Landed::PatchId } else { Landed::No })
    }

    /// What the graph alone says of each tip and its start: [`Landed::Empty`] or [`Landed::Merged`], in one walk for
    /// all; none where more has to be looked at.
    ///
    /// # Errors
    /// As [`Repo::landed`], each tip with its own.
    pub fn landed_in_graph(
        &self,
        tips: &[(ObjectId, Option<ObjectId>)],
        base: ObjectId,
    ) -> Vec<Result<Option<Landed>>> {
        let of_base: Vec<_> = tips.iter().map(|(tip, _)| (*tip, base)).collect();
        let of_start: Vec<_> = tips.iter().filter_map(|(tip, start)| Some((*tip, (*start)?))).collect();
        let of_base = self.ahead_behind(&of_base);
        let mut of_start = self.ahead_behind(&of_start).into_iter();
        let look = |((tip, start), of_base): (&(ObjectId, Option<ObjectId>), Result<AheadBehind>)| {
            let of_start = start.and_then(|_| of_start.next());
            if *start == Some(*tip) {
                return Ok(Some(Landed::Empty));
            }
            let of_base = of_base?;
            // A start that was pruned says nothing.
            if of_start.and_then(Result::ok).is_some_and(|of_start| of_start.ahead == 0) {
                return Ok(Some(Landed::Empty));
            }
            if of_base.ahead > 0 {
                return Ok(None);
            }
            let is_fresh = start.is_none() && self.is_on_line_of(*tip, base, of_base.behind)?;
            Ok(Some(if is_fresh { Landed::Empty } else { Landed::Merged }))
        };
        tips.iter().zip(of_base).map(look).collect()
    }

    fn is_child_of(&self, commit: ObjectId, parent: ObjectId) -> Result<bool> {
        let gix = self.gix();
        let found = gix.find_commit(commit).or_fatal(|| format!("could not read commit {commit}"))?;
        Ok(found.parent_ids().any(|id| id == parent))
    }

    /// Whether `commit` is among the first parents of `base`, which are at most `steps` away.
    fn is_on_line_of(&self, commit: ObjectId, base: ObjectId, steps: usize) -> Result<bool> {
        let range = format!("--max-count={}", steps + 1);
        let line = self.cmd(["rev-list", "--first-parent", &range, &base.to_string(), "--"]).poll().run()?;
        Ok(line.lines().any(|id| parse_id(id).is_ok_and(|id| id == commit)))
    }

    /// Whether a commit of the base had this tree since the branches parted: a squash onto a base that had not
    /// moved.
    fn had_tree(&self, fork: ObjectId, base: ObjectId, tree: ObjectId) -> Result<bool> {
        let range = format!("{fork}..{base}");
        let trees = self.cmd(["log", "--format=%T", TREES, &range, "--"]).poll().run()?;
        Ok(trees.lines().any(|id| parse_id(id).is_ok_and(|id| id == tree)))
    }

    fn changes_nothing(&self, scratch: &Scratch, tip: ObjectId, base: ObjectId) -> Result<bool> {
        let merged = self.merge_one(scratch, base, tip, &MergeOptions::default())?;
        Ok(merged.clean && merged.tree == self.tree_of(base)?)
    }

    fn is_linear(&self, tip: ObjectId, base: ObjectId) -> Result<bool> {
        let range = format!("{base}..{tip}");
        let merges = ["rev-list", "--min-parents=2", "--max-count=1", &range, "--"];
        Ok(self.cmd(merges).poll().run()?.is_empty())
    }

    /// Whether a commit in the base makes the change that the branch makes as a whole.
    fn is_squashed(
        &self,
        scratch: &Scratch,
        tip: ObjectId,
        tree: ObjectId,
        fork: ObjectId,
        base: ObjectId,
    ) -> Result<bool> {
        let (tree, fork) = (tree.to_string(), fork.to_string());
        let mut cmd = scratch.lend(self.cmd(["commit-tree", &tree, "-p", &fork]));
        // It is seen by nobody, and must not fail because the user has not said who he is.
        for who in ["AUTHOR", "COMMITTER"] {
            cmd = cmd.env(&format!("GIT_{who}_NAME"), "git-parallel");
            cmd = cmd.env(&format!("GIT_{who}_EMAIL"), "git-parallel@localhost");
            cmd = cmd.env(&format!("GIT_{who}_DATE"), "@0 +0000");
        }
        let squashed = cmd.stdin(format!("{tip}\n")).run()?;
        self.cherry(scratch, parse_id(squashed.trim_ascii())?, base)
    }

    /// The commits that `git rebase` would put on top of `onto`, in that order: no merges, and none whose change
    /// `onto` has already.
    ///
    /// # Errors
    /// If a commit is missing.
    pub fn commits_to_pick(&self, scratch: &Scratch, onto: ObjectId, tip: ObjectId) -> Result<Vec<Pick>> {
        let range = format!("{onto}...{tip}");
        let options =
            ["rev-list", "--reverse", "--topo-order", "--no-merges", "--cherry-pick", "--right-only"];
        let cmd = self.cmd(options).args(["--parents", &range, "--"]);
        let listed = scratch.lend(cmd).poll().run()?;
        let pick = |line: &[u8]| {
            let mut ids = line.split(|byte| *byte == b' ');
            let commit = parse_id(ids.next().unwrap_or_default())?;
            Ok(Pick { commit, parent: ids.next().map(parse_id).transpose()? })
        };
        listed.lines().map(pick).collect()
    }

    /// Whether each commit that the tip has and the base has not has a twin in the base.
    fn cherry(&self, scratch: &Scratch, tip: ObjectId, base: ObjectId) -> Result<bool> {
        let marks = scratch.lend(self.cmd(["cherry", &base.to_string(), &tip.to_string()])).poll().run()?;
        Ok(!marks.is_empty() && marks.lines().all(|line| line.starts_with(b"- ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Sandbox;

    const TEXT: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";

    /// `main` with a file of nine lines; `task` has changed two of them, in a commit each.
    struct Fixture {
        sandbox: Sandbox,
        start: ObjectId,
    }

    impl Fixture {
        fn new() -> Self {
            let sandbox = Sandbox::new();
            let start = sandbox.commit("text", TEXT);
            sandbox.git(["checkout", "-q", "-b", "task"]);
            sandbox.commit("text", TEXT.replace('2', "two"));
            sandbox.commit("text", TEXT.replace('2', "two").replace('8', "eight"));
            sandbox.git(["checkout", "-q", "main"]);
            Fixture { sandbox, start }
        }

        fn git(&self, args: &[&str]) {
            self.sandbox.git(args.iter().copied());
        }

        fn squash(&self) {
            self.git(&["merge", "-q", "--squash", "task"]);
            self.git(&["commit", "-q", "-m", "squashed"]);
        }

        #[track_caller]
        fn expect(&self, expected: Landed) {
            let (tip, base) = (self.sandbox.id("task"), self.sandbox.id("main"));
            let repo = self.sandbox.repo();
            assert_eq!(repo.landed(tip, Some(self.start), base).unwrap(), expected);
            assert_eq!(std::fs::read_dir(repo.state_dir()).map_or(0, Iterator::count), 0, "scratch was left");
        }
    }

    #[test]
    fn work_that_is_nowhere_else_has_not_landed() {
        let fixture = Fixture::new();
        fixture.expect(Landed::No);
        fixture.sandbox.commit("other", "moved on");
        fixture.expect(Landed::No);
    }

    #[test]
    fn a_branch_without_work_is_empty_wherever_the_base_is() {
        let fixture = Fixture::new();
        fixture.git(&["branch", "-f", "task", "main"]);
        fixture.expect(Landed::Empty);
        fixture.sandbox.commit("other", "moved on");
        fixture.expect(Landed::Empty);
        let (tip, base) = (fixture.sandbox.id("task"), fixture.sandbox.id("main"));
        assert_eq!(fixture.sandbox.repo().landed(tip, None, base).unwrap(), Landed::Empty);
        // Moved back behind its start.
        let before = fixture.start;
        let moved = Fixture { start: base, ..fixture };
        assert_eq!(moved.sandbox.id("task"), before);
        moved.expect(Landed::Empty);
    }

    #[test]
    fn merged_and_fast_forwarded() {
        let fixture = Fixture::new();
        fixture.git(&["merge", "-q", "--ff-only", "task"]);
        fixture.expect(Landed::Merged);
        let fixture = Fixture::new();
        fixture.git(&["merge", "-q", "--no-ff", "-m", "merged", "task"]);
        fixture.expect(Landed::Merged);
        let (tip, base) = (fixture.sandbox.id("task"), fixture.sandbox.id("main"));
        assert_eq!(fixture.sandbox.repo().landed(tip, None, base).unwrap(), Landed::Merged);
        fixture.git(&["revert", "-m", "1", "--no-edit", "HEAD"]);
        fixture.expect(Landed::Merged);
    }

    #[test]
    fn squashed() {
        let fixture = Fixture::new();
        fixture.squash();
        fixture.expect(Landed::SameTree);
        fixture.sandbox.commit("other", "moved on");
        fixture.expect(Landed::SameTree);
    }

    #[test]
    fn squashed_onto_a_base_that_had_moved() {
        let fixture = Fixture::new();
        fixture.sandbox.commit("other", "moved on");
        fixture.squash();
        fixture.expect(Landed::SameTree);
        fixture.sandbox.commit("text", TEXT.replace('2', "zwei").replace('8', "acht"));
        fixture.expect(Landed::PatchId);
    }

    #[test]
    fn squashed_and_reverted_has_landed_as_merged_and_reverted_has() {
        let fixture = Fixture::new();
        fixture.sandbox.commit("other", "moved on");
        fixture.squash();
        fixture.git(&["revert", "--no-edit", "HEAD"]);
        fixture.expect(Landed::PatchId);
    }

    #[test]
    fn rebased_and_then_changed_again() {
        let fixture = Fixture::new();
        fixture.sandbox.commit("other", "moved on");
        fixture.git(&["cherry-pick", "task~1", "task"]);
        fixture.expect(Landed::SameTree);
        fixture.sandbox.commit("text", TEXT.replace('2', "zwei").replace('8', "acht"));
        fixture.expect(Landed::PatchId);
    }

    #[test]
    fn picked_in_part_has_not_landed() {
        let fixture = Fixture::new();
        fixture.sandbox.commit("other", "moved on");
        fixture.git(&["cherry-pick", "task~1"]);
        fixture.expect(Landed::No);
    }

    #[test]
    fn squashed_after_the_base_was_merged_into_it() {
        let fixture = Fixture::new();
        fixture.sandbox.commit("other", "moved on");
        fixture.git(&["checkout", "-q", "task"]);
        fixture.git(&["merge", "-q", "-m", "synced", "main"]);
        fixture.sandbox.commit("more", "more");
        fixture.git(&["checkout", "-q", "main"]);
        fixture.expect(Landed::No);
        fixture.sandbox.commit("third", "moved on");
        fixture.squash();
        fixture.expect(Landed::SameTree);
        fixture.sandbox.commit("text", "all new\n");
        fixture.expect(Landed::PatchId);
    }

    #[test]
    fn a_merge_that_changed_something_is_work_too() {
        let fixture = Fixture::new();
        fixture.sandbox.commit("other", "moved on");
        fixture.git(&["checkout", "-q", "task"]);
        fixture.git(&["merge", "-q", "--no-commit", "main"]);
        fixture.sandbox.write("evil", "only in the merge");
        fixture.git(&["add", "evil"]);
        fixture.git(&["commit", "-q", "-m", "synced"]);
        fixture.git(&["checkout", "-q", "main"]);
        fixture.git(&["cherry-pick", "task^1~1", "task^1"]);
        fixture.expect(Landed::No);
    }

    #[test]
    fn work_that_was_taken_back_has_not_landed_nor_has_another_history() {
        let fixture = Fixture::new();
        fixture.git(&["checkout", "-q", "task"]);
        fixture.sandbox.commit("text", TEXT);
        fixture.git(&["checkout", "-q", "main"]);
        fixture.sandbox.commit("other", "moved on");
        fixture.expect(Landed::No);
        fixture.git(&["checkout", "-q", "--orphan", "unrelated"]);
        fixture.git(&["commit", "-q", "-m", "unrelated"]);
        fixture.git(&["branch", "-f", "task"]);
        fixture.expect(Landed::No);
    }
}
