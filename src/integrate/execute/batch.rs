//! Checks of several merged results at once: what is merged is checked when all of it is merged, or before a person has
//! to decide something on top of it.
//!
//! Meanwhile the private worktree may stand anywhere in what is merged; a reference says where it ends.

use super::{Built, Execution, Turn};
use crate::error::Result;
use crate::integrate::check::{self, Checked, Prefix};
use crate::integrate::journal::Cause;
use crate::integrate::rebuild::{self, Done};
use crate::integrate::search::Search;
use crate::integrate::stand::{Numbered, Stands};

/// What the checks of what is merged come to.
pub(super) enum Verdict {
    /// All of it is good.
    Good,
    /// A task is left out, and what was merged after it is not merged any more.
    Fewer,
    /// It ends here.
    Ended(Built),
}

/// The check that a result fails.
struct Failing {
    command: String,
    said: String,
}

impl Execution<'_, '_> {
    /// Whether what is merged is not checked at once, but with others.
    pub(super) fn is_batched(&self) -> bool {
        self.journal.jobs > 1 && !self.journal.checks.is_empty()
    }

    /// How many of those that are merged are good: they were checked in this run, or the last of them has passed before.
    fn checked_so_far(&self) -> Result<usize> {
        let good = self.good.and_then(|good| self.done.iter().rposition(|done| done.commit == good));
        let good = good.map_or(0, |at| at + 1);
        for at in (good..self.done.len()).rev() {
            let tree = check::tree_of(self.desk.repo, self.done[at].commit)?;
            if check::have_passed(self.desk, self.place, &self.journal.checks, tree)? {
                return Ok(at + 1);
            }
        }
        Ok(good)
    }

    /// It stopped at a task: what was merged before that was checked, unless a person has changed it since.
    pub(super) fn trust_what_is_pinned(&mut self) -> Result<()> {
        if !self.is_batched() {
            return Ok(());
        }
        let Some(built) = self.desk.repo.find_ref(&self.place.ref_name("built"))? else { return Ok(()) };
        self.good = None;
        for done in self.done.iter().rev() {
            if self.desk.repo.is_ancestor(done.commit, built)? {
                self.good = Some(done.commit);
                break;
            }
        }
        Ok(())
    }

    /// Whether something is merged that is not known to be good.
    pub(super) fn is_unchecked(&self) -> Result<bool> {
        Ok(self.is_batched() && self.checked_so_far()? < self.done.len())
    }

    /// Checks what is merged so far, as many results at once as was asked for.
    pub(super) fn check_merged(&mut self) -> Result<Verdict> {
        if !self.is_batched() {
            return Ok(Verdict::Good);
        }
        let good = self.checked_so_far()?;
        let prefixes: Vec<Prefix> =
            self.done[good..].iter().map(|done| self.prefix(done)).collect::<Result<_>>()?;
        let Some(last) = prefixes.last().map(|last| last.commit) else { return Ok(Verdict::Good) };
        rebuild::set_refs(self.desk, self.place, vec![(self.place.ref_name("built"), Some(last))])?;
        let stands = Stands::take(self.desk, self.shop, self.journal.jobs.min(prefixes.len()))?;
        if stands.len() == 1 && prefixes.len() > 1 && !std::mem::replace(&mut self.said_alone, true) {
            self.desk.observer.note("There is no idle slot in the pool: checks run one after the other");
        }
        let found = self.find_guilty(&stands, &prefixes);
        stands.give_back(self.desk);
        let back = self.reset_to_head();
        let found = found?;
        back?;
        match found {
            None => {
                self.good = Some(last);
                Ok(Verdict::Good)
            }
            Some((at, failing)) => self.blame(good + at, failing),
        }
    }

    /// The first of the results that fails while the one before it passes, by its place among them.
    fn find_guilty(&self, stands: &Stands<'_>, prefixes: &[Prefix]) -> Result<Option<(usize, Failing)>> {
        let mut search = Search::new(prefixes.len());
        let mut failing: Vec<Option<Failing>> = prefixes.iter().map(|_| None).collect();
        loop {
            let numbers = search.next(self.journal.jobs);
            if numbers.is_empty() {
                break;
            }
            let wanted: Vec<Numbered<'_>> = numbers.iter().map(|n| (*n, &prefixes[n - 1])).collect();
            let results = stands.check(self.desk, self.place, &self.journal.checks, &wanted)?;
            let mut learned = Vec::new();
            for (number, checked) in results {
                learned.push((number, matches!(checked, Checked::Passed { .. })));
                if let Checked::Failed { command, said } = checked {
                    failing[number - 1] = Some(Failing { command, said });
                }
            }
            search.learn(&learned);
        }
        Ok(search.guilty().map(|number| {
            let failing = failing[number - 1].take();
            (number - 1, failing.expect("who is to blame was seen to fail"))
        }))
    }

    /// What a merged car is checked as.
    pub(super) fn prefix(&self, done: &Done) -> Result<Prefix> {
        let tree = check::tree_of(self.desk.repo, done.commit)?;
        Ok(Prefix { task: self.task_of(&done.slug), commit: done.commit, tree })
    }

    /// A check has failed for the car at this place of those that are merged. What was merged after it was merged on top
    /// of what is not good.
    fn blame(&mut self, at: usize, failing: Failing) -> Result<Verdict> {
        let Failing { command, said } = failing;
        let car = self.journal.car(&self.done[at].slug).cloned().expect("what is merged is in the train");
        self.unmerge(if self.journal.keep_going { at } else { at + 1 })?;
        self.good = at.checked_sub(1).map(|before| self.done[before].commit);
        match self.fail(&car, Cause::Check, &command, said)? {
            Turn::Stopped(cause, said) => {
                let stop = self.stopped(Some(car.slug), cause, said)?;
                Ok(Verdict::Ended(Built::Stopped(stop)))
            }
            _ => Ok(Verdict::Fewer),
        }
    }

    /// Only the first `count` of those that are merged are merged from now on. The private worktree goes first, and what
    /// says so last: cut off in between, all of them are found again.
    fn unmerge(&mut self, count: usize) -> Result<()> {
        let head = count.checked_sub(1).map_or(self.journal.onto, |last| self.done[last].commit);
        self.shop.reset(head)?;
        let gone = self.done.split_off(count);
        let names = gone.iter().map(|done| (self.place.ref_name(&format!("done/{}", done.slug)), None));
        let built = (self.place.ref_name("built"), Some(head));
        rebuild::set_refs(self.desk, self.place, names.chain([built]).collect())
    }

    /// A merge was no clean one. Before anything is decided about it, what is merged so far is checked; it is then to be
    /// merged again. None if that is good already.
    pub(super) fn before_decision(&mut self) -> Result<Option<Verdict>> {
        if !self.is_unchecked()? {
            return Ok(None);
        }
        self.reset_to_head()?;
        self.check_merged().map(Some)
    }
}
