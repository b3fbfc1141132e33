//! The end of a train: the target moves, and what landed is pushed and tidied up.

use super::{Ended, Execution, Report};
use crate::error::{Failure, Result};
use crate::integrate::journal::{Fate, Phase};
use crate::integrate::publish::{self, Moved};
use crate::integrate::{finish, pushing, rebuild};

impl Execution<'_, '_> {
    pub(super) fn publish(&mut self) -> Result<Moved> {
        let (old, new) = (self.journal.onto, self.head());
        self.journal.phase = Phase::Publishing;
        self.journal.new = Some(new);
        for car in &mut self.journal.cars {
            if let Some(done) = self.done.iter().find(|done| done.slug == car.slug) {
                car.fate = Fate::Landed(done.commit);
            }
        }
        self.journal.save(self.place)?;
        rebuild::set_refs(self.desk, self.place, vec![(self.place.ref_name("built"), Some(new))])?;
        let names: Vec<String> = self.done.iter().map(|done| done.slug.to_string()).collect();
        let reason = format!("git integrate: {}", crate::text::shortened(&names));
        let step = self.desk.observer.step(&format!("Publishing '{}'", self.place.name()));
        let moved = publish::move_target(self.desk, self.place, old, new, &reason)?;
        drop(step);
        if !matches!(moved, Moved::Done) {
            self.nothing_landed();
        }
        Ok(moved)
    }

    /// The cars are merged in private only, again.
    pub(super) fn nothing_landed(&mut self) {
        self.journal.new = None;
        for car in &mut self.journal.cars {
            if matches!(car.fate, Fate::Landed(_)) {
                car.fate = Fate::Open;
            }
        }
    }

    /// After a kill while the target was moved: whether it has moved. Worktrees then follow to the end.
    pub(super) fn has_landed(&mut self) -> Result<bool> {
        let Some(new) = self.journal.new else { return Ok(false) };
        let now = self.desk.repo.find_ref(&self.journal.target)?;
        let landed = match now {
            Some(now) => now == new || self.desk.repo.is_ancestor(new, now)?,
            None => false,
        };
        if landed {
            if now == Some(new) {
                publish::follow_again(self.desk, self.place, self.journal.onto, new)?;
            }
            return Ok(true);
        }
        self.nothing_landed();
        self.carry_on()?;
        Ok(false)
    }

    /// The target has moved: pushes, and tidies up.
    pub(super) fn finish(&mut self) -> Result<Report> {
        let old = self.journal.onto;
        let Some(new) = self.journal.new else {
            return Err(Failure::fatal("the journal says nothing of what has landed"));
        };
        self.journal.phase = Phase::Finishing;
        self.journal.save(self.place)?;
        rebuild::remember(self.desk, self.place, self.journal)?;
        let kept = finish::finish(self.desk, self.place, self.journal)?;
        let pushed = self.journal.push.clone().map(|push| {
            let _step = self.desk.observer.step(&format!("Pushing to '{}'", push.remote));
            pushing::push(self.desk, &push, &self.journal.target, new)
        });
        rebuild::forget(self.desk, self.place)?;
        let mut report = self.report(Ended::Landed { old, new, pushed });
        report.kept = kept;
        Ok(report)
    }
}
