//! The cars' turns: each is merged, checked, and left out or stopped at if that fails.

use gix::ObjectId;

use super::batch::Verdict;
use super::{Built, Ended, Execution, Fared, Report, Stop, Turn, abort};
use crate::config::integrate::Ff;
use crate::config::team::Event;
use crate::error::Result;
use crate::integrate::check::{self, Checked};
use crate::integrate::journal::{Car, Cause, Fate, Phase};
use crate::integrate::merge::{self, Made};
use crate::integrate::order;
use crate::integrate::rebuild::{self, Done};
use crate::task::{Branch, Slug, State, Task, blocked, events, place as task_place};

impl Execution<'_, '_> {
    pub(super) fn build(&mut self) -> Result<Built> {
        let cars = self.journal.cars.clone();
        let total = cars.len();
        let mut next = 0;
        loop {
            crate::interrupt::check()?;
            let Some(car) = cars.get(next).cloned() else {
                match self.check_merged()? {
                    Verdict::Good => break,
                    Verdict::Fewer => next = 0,
                    Verdict::Ended(built) => return Ok(built),
                }
                continue;
            };
            let at = next;
            next += 1;
            self.desk.observer.tally(at, total);
            if self.journal.car(&car.slug).is_none_or(|car| car.fate != Fate::Open)
                || self.done.iter().any(|done| done.slug == car.slug)
            {
                continue;
            }
            if let Some(before) = self.left_out_before(&car.slug) {
                let why = format!("it comes after '{before}', which is left out");
                self.leave_out(&car.slug, &why, None)?;
                continue;
            }
            let onto = self.head();
            let step = self.desk.observer.step(&format!("({}/{total}) Merging '{}'", at + 1, car.slug));
            let made = self.merged(&car, onto)?;
            drop(step);
            if !matches!(made, Made::Commit(_))
                && let Some(verdict) = self.before_decision()?
            {
                match verdict {
                    Verdict::Good => next = at,
                    Verdict::Fewer => next = 0,
                    Verdict::Ended(built) => return Ok(built),
                }
                continue;
            }
            let turn = match made {
                Made::Commit(commit) => Turn::Merged(commit),
                Made::Nothing => Turn::Nothing,
                Made::Conflict => self.decide(&car, onto, Made::Conflict, false)?,
                Made::Refused(said) => self.refused(&car, said)?,
            };
            match self.follow_up(&car, turn)? {
                None => {}
                Some(built) => return Ok(built),
            }
        }
        self.desk.observer.tally(total, total);
        Ok(Built::Whole)
    }

    /// Without the files as long as it goes smoothly.
    fn merged(&mut self, car: &Car, onto: ObjectId) -> Result<Made> {
        if let Some(thin) = &self.thin {
            if let Some(commit) = thin.merge(self.shop, &self.journal.how, car, onto)? {
                return Ok(Made::Commit(commit));
            }
            self.with_files()?;
        }
        merge::merge(self.shop, &self.journal.how, car, onto)
    }

    /// What a turn means for the train: nothing more, or its end.
    pub(super) fn follow_up(&mut self, car: &Car, turn: Turn) -> Result<Option<Built>> {
        let turn = match turn {
            Turn::Merged(commit) => {
                self.set_done(car, commit)?;
                if self.is_batched() { Turn::Merged(commit) } else { self.checked(car)? }
            }
            turn => turn,
        };
        match turn {
            Turn::Merged(_) => Ok(None),
            Turn::Nothing => {
                // Its work came with that of another, or was there: said to be that, and nothing more.
                if let Some(mine) = self.journal.cars.iter_mut().find(|other| other.slug == car.slug) {
                    mine.fate = Fate::Contained;
                }
                self.journal.save(self.place)?;
                Ok(None)
            }
            Turn::LeftOut => {
                self.reset_to_head()?;
                Ok(None)
            }
            Turn::Stopped(cause, said) => {
                let stop = self.stopped(Some(car.slug.clone()), cause, said)?;
                Ok(Some(Built::Stopped(stop)))
            }
            Turn::Aborted => Ok(Some(Built::Aborted)),
        }
    }

    /// The same for a car that was taken up again: a report, if the train ends with it.
    pub(super) fn settle_turn(&mut self, car: &Car, turn: Turn) -> Result<Option<Report>> {
        if !matches!(turn, Turn::Stopped(..) | Turn::Aborted) {
            self.carry_on()?;
        }
        // One that is checked again is done already.
        let followed = match turn {
            Turn::Merged(commit)
                if self.done.last().is_some_and(|done| done.slug == car.slug && done.commit == commit) =>
            {
                None
            }
            turn => self.follow_up(car, turn)?,
        };
        match followed {
            None | Some(Built::Whole) => Ok(None),
            Some(Built::Stopped(stop)) => Ok(Some(self.report(Ended::Stopped(stop)))),
            Some(Built::Aborted) => {
                abort(self.desk, self.place, Some(self.shop), self.journal)?;
                Ok(Some(self.report(Ended::Aborted)))
            }
        }
    }

    pub(super) fn set_done(&mut self, car: &Car, commit: ObjectId) -> Result<()> {
        // A merge says by its parents whose it is; the others leave nothing that could be read.
        if self.journal.how.ff != Ff::No {
            let name = self.place.ref_name(&format!("done/{}", car.slug));
            rebuild::set_refs(self.desk, self.place, vec![(name, Some(commit))])?;
        }
        self.done.push(Done { slug: car.slug.clone(), commit });
        Ok(())
    }

    /// A predecessor that is in no train any more, and has not landed either.
    pub(super) fn left_out_before(&self, slug: &Slug) -> Option<Slug> {
        let task = self.tasks.find(slug.as_str())?;
        let mut out = self.journal.left_out().filter_map(|(out, _)| self.tasks.find(out.as_str()));
        out.find(|out| order::comes_after(task, out)).map(|out| out.slug.clone())
    }

    /// git would not, or a hook or the signer refused.
    pub(super) fn refused(&mut self, car: &Car, said: String) -> Result<Turn> {
        crate::interrupt::check()?;
        self.fail(car, Cause::Merge, "merge", said)
    }

    /// The checks of what is merged so far. [`Turn::Merged`] if they pass.
    pub(super) fn checked(&mut self, car: &Car) -> Result<Turn> {
        let commit = self.head();
        if self.journal.checks.is_empty() {
            return Ok(Turn::Merged(commit));
        }
        let prefix = self.prefix(&Done { slug: car.slug.clone(), commit })?;
        match check::run(self.desk, self.place, &self.journal.checks, self.shop, &prefix)? {
            Checked::Passed { ran } => {
                // What a check writes over would be in the next merge's way.
                if ran > 0 {
                    self.shop.reset(commit)?;
                }
                self.good = Some(commit);
                Ok(Turn::Merged(commit))
            }
            Checked::Failed { command, said } => self.failed_check(car, &command, said),
        }
    }

    pub(super) fn task_of(&self, slug: &Slug) -> Task {
        match self.tasks.find(slug.as_str()) {
            Some(task) => task.clone(),
            // Removed meanwhile; its merge is checked all the same.
            None => Task::new(slug.clone(), Branch::Own(slug.to_string())),
        }
    }

    fn failed_check(&mut self, car: &Car, command: &str, said: String) -> Result<Turn> {
        let turn = self.fail(car, Cause::Check, command, said)?;
        if matches!(turn, Turn::LeftOut) {
            self.done.retain(|done| done.slug != car.slug);
        }
        Ok(turn)
    }

    /// Something other than a conflict keeps a task from being merged.
    pub(super) fn fail(&mut self, car: &Car, cause: Cause, what: &str, said: String) -> Result<Turn> {
        if self.journal.keep_going {
            let why = match cause {
                Cause::Check => format!("its check failed: {what}"),
                _ => format!("it could not be merged: {}", said.lines().last().unwrap_or_default()),
            };
            self.desk.observer.warn(&format!("'{}' is left out: {why}", car.slug));
            self.leave_out(&car.slug, &why, Some(Fared::Failed(what.to_owned())))?;
            return Ok(Turn::LeftOut);
        }
        self.seen.push((car.slug.clone(), Fared::Failed(what.to_owned())));
        Ok(Turn::Stopped(cause, said))
    }

    /// Leaves a task out; if that is its own fault, it is marked.
    pub(super) fn leave_out(&mut self, slug: &Slug, why: &str, fault: Option<Fared>) -> Result<()> {
        self.journal.leave_out(slug, why);
        self.journal.save(self.place)?;
        if let Some(fault) = fault {
            self.seen.push((slug.clone(), fault));
            if let Some(mut task) = self.tasks.find(slug.as_str()).cloned() {
                if matches!(task.state, State::Open | State::Ready) {
                    blocked::mark(self.desk, &mut task, why)?;
                }
                self.raise_failed(&task)?;
            }
        }
        Ok(())
    }

    pub(super) fn raise_failed(&self, task: &Task) -> Result<()> {
        let tip = self.journal.car(&task.slug).map(|car| car.tip);
        if self.desk.settings.team.as_ref().is_none_or(|team| team.hooks.is_empty()) {
            return Ok(());
        }
        let path = task_place::path_of(self.desk.repo, task, &self.desk.repo.worktrees()?)?;
        events::raise(self.desk, Event::Failed, task, path.as_deref(), tip)
    }

    /// Ends with a stop.
    pub(super) fn stop(&mut self, task: Option<Slug>, cause: Cause, said: String) -> Result<Report> {
        let stop = self.stopped(task, cause, said)?;
        Ok(self.report(Ended::Stopped(stop)))
    }

    /// Notes where it stopped. What is merged so far is pinned: somebody may take the worktree away.
    pub(super) fn stopped(&mut self, task: Option<Slug>, cause: Cause, said: String) -> Result<Stop> {
        self.journal.phase = Phase::Stopped;
        self.journal.said.clone_from(&said);
        // A stop that is no task's is told by the first that has its turn again.
        let at = task.clone().or_else(|| self.journal.cars.last().map(|car| car.slug.clone()));
        self.journal.stopped = at.map(|slug| (slug, cause));
        self.journal.save(self.place)?;
        rebuild::set_refs(self.desk, self.place, vec![(self.place.ref_name("built"), Some(self.head()))])?;
        if let Some(task) = task.as_ref().and_then(|slug| self.tasks.find(slug.as_str())) {
            self.raise_failed(task)?;
        }
        Ok(Stop { task, cause, said, worktree: self.shop.path.clone() })
    }
}
