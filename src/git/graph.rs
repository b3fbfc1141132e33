//! Questions about the commit graph: how far two commits are apart, and where they met.
//!
//! `%(ahead-behind)` of `git for-each-ref` is missing before git 2.41, and a `git rev-list` for every task
//! walks the base's side again for each. So this is done in process, in one walk for all tips of a base
//! (`walk`), and by git where the graph is not what the commits say: with replacement objects or grafts.

#[cfg(test)]
mod tests;
mod walk;

use gix::ObjectId;

use super::{Repo, parse_id};
use crate::error::{Failure, Result};

/// How far a commit and its base are apart, in commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AheadBehind {
    /// Commits that the tip has and the base has not.
    pub ahead: usize,
    /// Commits that the base has and the tip has not.
    pub behind: usize,
}

impl Repo {
    /// For each pair of a tip and its base what `git rev-list --left-right --count <tip>...<base>` prints, in
    /// the order of `pairs`, each with its own failure.
    ///
    /// Exact with a commit-graph; without one as robust against wrong commit dates as `walk` says, which is
    /// more than git is.
    ///
    /// # Errors
    /// If a commit is missing.
    pub fn ahead_behind(&self, pairs: &[(ObjectId, ObjectId)]) -> Vec<Result<AheadBehind>> {
        let mut answers: Vec<Option<AheadBehind>> =
            pairs.iter().map(|(tip, base)| (tip == base).then(AheadBehind::default)).collect();
        let mut bases: Vec<ObjectId> = pairs.iter().map(|(_, base)| *base).collect();
        bases.sort_unstable();
        bases.dedup();
        let gix = self.gix();
        if let Some(mut commits) = walk::Commits::new(&gix, self.common_dir()) {
            for base in bases {
                let open = |at: &usize| pairs[*at].1 == base && answers[*at].is_none();
                let places: Vec<usize> = (0..pairs.len()).filter(open).collect();
                let tips: Vec<ObjectId> = places.iter().map(|at| pairs[*at].0).collect();
                for (at, answer) in places.into_iter().zip(commits.ahead_behind(base, &tips)) {
                    answers[at] = answer;
                }
            }
        }
        let through_git = |(answer, (tip, base)): (Option<AheadBehind>, &(ObjectId, ObjectId))| match answer {
            Some(answer) => Ok(answer),
            None => self.ahead_behind_through_git(*tip, *base),
        };
        answers.into_iter().zip(pairs).map(through_git).collect()
    }

    /// The best common ancestor of two commits, as `git merge-base` chooses it; none if they share no history.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn merge_base(&self, a: ObjectId, b: ObjectId) -> Result<Option<ObjectId>> {
        let output = self.cmd(["merge-base", &a.to_string(), &b.to_string()]).poll().output()?;
        match output.code() {
            0 => parse_id(output.stdout.trim_ascii()).map(Some),
            1 => Ok(None),
            _ => Err(output.into_failure()),
        }
    }

    /// Whether everything that `a` has is in `b`; a commit is its own ancestor.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn is_ancestor(&self, a: ObjectId, b: ObjectId) -> Result<bool> {
        let apart = self.ahead_behind(&[(a, b)]).pop().expect("one answer for one pair");
        Ok(apart?.ahead == 0)
    }

    fn ahead_behind_through_git(&self, tip: ObjectId, base: ObjectId) -> Result<AheadBehind> {
        let range = format!("{tip}...{base}");
        let line = self.cmd(["rev-list", "--left-right", "--count", &range, "--"]).poll().line()?;
        let mut counts = line.split_ascii_whitespace().map(str::parse);
        match (counts.next(), counts.next()) {
            (Some(Ok(ahead)), Some(Ok(behind))) => Ok(AheadBehind { ahead, behind }),
            _ => Err(Failure::fatal(format!("git rev-list printed no two counts: '{line}'"))),
        }
    }
}
