//! Carrying a train out: built in the private worktree car by car, checked, published, tidied up.
//!
//! The journal is written before anything is done and whenever it stops. What is done already is not taken from
//! it, but from what the private worktree and the references hold: see [`rebuild`].

use gix::ObjectId;

use super::conflict::Resolver;
use super::journal::{Cause, Journal, Phase};
use super::merge::Made;
use super::place::Place;
use super::publish::Moved;
use super::rebuild::{self, Done};
use super::thin::Thin;
use super::workshop::Workshop;
use crate::desk::Desk;
use crate::error::{Failure, Kind, Result};
use crate::task::Slug;
use crate::task::record::Tasks;

mod batch;
mod build;
mod decide;
mod land;
mod outcome;

pub use outcome::{Ended, Fared, Report, Stop, without_work};

/// How often a train is built again because its target moved meanwhile.
const REPLAYS: usize = 5;

/// An integration under way.
pub struct Execution<'a, 'b> {
    desk: &'b Desk<'a>,
    place: &'b Place,
    shop: &'b Workshop<'a>,
    journal: &'b mut Journal,
    resolver: &'b mut dyn Resolver,
    tasks: Tasks,
    /// As long as nobody needs the private worktree's files.
    thin: Option<Thin>,
    /// What is in the private worktree's history: task and commit, in order.
    done: Vec<Done>,
    /// Up to this commit what is merged was good when it was last checked.
    good: Option<ObjectId>,
    /// That there is no slot to check in has been said.
    said_alone: bool,
    /// What conflicts or failed in this run, for the report.
    seen: Vec<(Slug, Fared)>,
}

/// How the building of a train ended.
enum Built {
    /// All cars have their turn behind them.
    Whole,
    Stopped(Stop),
    Aborted,
}

/// How one car's turn ended.
enum Turn {
    Merged(ObjectId),
    Nothing,
    LeftOut,
    Stopped(Cause, String),
    Aborted,
}

/// Writes the journal and pins what it names. Nothing else has been done before.
///
/// # Errors
/// If it can't be written.
pub fn begin(desk: &Desk<'_>, place: &Place, journal: &Journal) -> Result<()> {
    journal.save(place)?;
    pin(desk, place, journal)
}

/// The references that keep the target's and the tasks' tips.
fn pin(desk: &Desk<'_>, place: &Place, journal: &Journal) -> Result<()> {
    let wanted = std::iter::once((place.ref_name("onto"), journal.onto))
        .chain(journal.cars.iter().map(|car| (place.ref_name(&format!("tips/{}", car.slug)), car.tip)));
    rebuild::set_refs(desk, place, wanted.map(|(name, id)| (name, Some(id))).collect())
}

impl<'a, 'b> Execution<'a, 'b> {
    /// Goes on with what the journal says, or begins.
    ///
    /// # Errors
    /// If the repository can't be read.
    pub fn new(
        desk: &'b Desk<'a>,
        place: &'b Place,
        shop: &'b Workshop<'a>,
        journal: &'b mut Journal,
        resolver: &'b mut dyn Resolver,
    ) -> Result<Self> {
        let tasks = Tasks::read(desk.repo)?;
        Ok(Execution {
            desk,
            place,
            shop,
            journal,
            resolver,
            tasks,
            thin: None,
            done: Vec::new(),
            good: None,
            said_alone: false,
            seen: Vec::new(),
        })
    }

    /// Builds from nothing.
    ///
    /// # Errors
    /// Interrupted, with the state kept; or git fails.
    pub fn start(mut self) -> Result<Report> {
        self.thin = Thin::begin(self.shop, self.journal)?;
        if self.thin.is_none() {
            self.shop.reset(self.journal.onto)?;
        }
        self.drive()
    }

    /// The private worktree has the files of what is built.
    pub(super) fn with_files(&mut self) -> Result<()> {
        let Some(thin) = self.thin.take() else { return Ok(()) };
        self.reset_to_head()?;
        thin.end()
    }

    /// Goes on after a stop or a kill.
    ///
    /// # Errors
    /// As [`Execution::start`]; or negative, if what it waits for is not there.
    pub fn resume(mut self) -> Result<Report> {
        match self.journal.phase {
            Phase::Finishing => return self.finish(),
            Phase::Publishing => {
                if self.has_landed()? {
                    return self.finish();
                }
            }
            Phase::Building | Phase::Stopped => {}
        }
        pin(self.desk, self.place, self.journal)?;
        self.done = rebuild::done(self.shop, self.place, self.journal)?;
        let stopped = self.journal.stopped.clone().filter(|_| self.journal.phase == Phase::Stopped);
        match stopped {
            Some((slug, cause)) if matches!(cause, Cause::Conflict | Cause::Merge | Cause::Check) => {
                if let Some(report) = self.take_up(&slug, cause)? {
                    return Ok(report);
                }
            }
            _ => {
                self.shop.reset(self.head())?;
                if let Some(report) = self.check_again()? {
                    return Ok(report);
                }
            }
        }
        self.drive()
    }

    /// The last that was merged may not have been checked before it was cut off. What has passed is remembered.
    fn check_again(&mut self) -> Result<Option<Report>> {
        let Some(car) = self.done.last().and_then(|done| self.journal.car(&done.slug)).cloned() else {
            return Ok(None);
        };
        self.carry_on()?;
        if self.is_batched() {
            // With whatever else is not known to be good, before it is published.
            return Ok(None);
        }
        let turn = self.checked(&car).map_err(|failure| self.keep_state(failure))?;
        self.settle_turn(&car, turn)
    }

    /// Goes on without the task that it stopped at.
    ///
    /// # Errors
    /// As [`Execution::start`]; or if it did not stop at a task.
    pub fn skip(mut self) -> Result<Report> {
        let at = self.journal.stopped.clone().filter(|_| self.journal.phase == Phase::Stopped);
        // Any task may be what keeps the target from moving, or none.
        let Some((slug, _)) = at.filter(|(_, cause)| !matches!(cause, Cause::Publish | Cause::Interrupted))
        else {
            return Err(Failure::fatal(format!(
                "the integration into '{}' has not stopped at a task",
                self.place.name()
            ))
            .hint("integrateState", "Go on with 'git integrate --continue'."));
        };
        pin(self.desk, self.place, self.journal)?;
        self.done = rebuild::done(self.shop, self.place, self.journal)?;
        if let Some(at) = self.done.iter().position(|done| done.slug == slug) {
            self.done.truncate(at);
        }
        self.journal.leave_out(&slug, "skipped");
        self.journal.phase = Phase::Building;
        self.journal.stopped = None;
        self.journal.save(self.place)?;
        self.shop.reset(self.head())?;
        self.drive()
    }

    /// Takes it back, unless it has landed: then it is finished, and gives what came of it.
    ///
    /// # Errors
    /// As [`Execution::start`].
    pub fn abort_published(mut self) -> Result<Option<Report>> {
        if self.journal.phase == Phase::Finishing || self.has_landed()? {
            self.desk.observer.warn(&format!(
                "'{}' has moved already: the integration is finished; see 'git integrate --undo'",
                self.place.name()
            ));
            return self.finish().map(Some);
        }
        abort(self.desk, self.place, Some(self.shop), self.journal)?;
        Ok(None)
    }

    /// What the target would become.
    pub(super) fn head(&self) -> ObjectId {
        self.done.last().map_or(self.journal.onto, |done| done.commit)
    }

    /// The task that it stopped at, as a person has left it. A report if it stops again.
    pub(super) fn take_up(&mut self, slug: &Slug, cause: Cause) -> Result<Option<Report>> {
        let Some(car) = self.journal.car(slug).cloned() else { return Ok(None) };
        let is_done = self.done.iter().position(|done| done.slug == *slug);
        if cause == Cause::Check || is_done.is_some() {
            self.require_clean(slug)?;
            // What somebody committed on top is part of it.
            let commit = self.shop.head()?;
            self.done.truncate(is_done.unwrap_or(self.done.len()));
            self.trust_what_is_pinned()?;
            self.set_done(&car, commit)?;
            self.carry_on()?;
            let turn = self.checked(&car).map_err(|failure| self.keep_state(failure))?;
            return self.settle_turn(&car, turn);
        }
        let onto = self.head();
        self.trust_what_is_pinned()?;
        // Aborted by hand, or git was killed before it noted that there is a merge: it is merged again, in its
        // turn.
        let is_half_made = cause == Cause::Merge && self.shop.operation().is_none();
        if self.shop.head()? == onto && (is_half_made || self.is_untouched()?) {
            self.reset_to_head()?;
            self.carry_on()?;
            return Ok(None);
        }
        let turn = self.decide(&car, onto, Made::Conflict, true)?;
        self.settle_turn(&car, turn)
    }

    /// No merge is pending and nothing is changed.
    pub(super) fn is_untouched(&self) -> Result<bool> {
        let pending = self.shop.operation().is_some();
        Ok(!pending && self.shop.look(["status", "--porcelain", "-uno"]).run()?.is_empty())
    }

    pub(super) fn require_clean(&self, slug: &Slug) -> Result<()> {
        let changed = self.shop.look(["status", "--porcelain"]).run()?;
        if changed.is_empty() {
            return Ok(());
        }
        let path = self.shop.path.display();
        Err(Failure::negative(format!("'{path}' has uncommitted changes")).hint(
            "integrateDirty",
            format!(
                "Commit what belongs to '{slug}' there, or take it back by 'git -C \"{path}\" reset --hard'.\n\
                 Then 'git integrate --continue'."
            ),
        ))
    }

    pub(super) fn carry_on(&mut self) -> Result<()> {
        self.journal.phase = Phase::Building;
        self.journal.stopped = None;
        self.journal.said.clear();
        self.journal.save(self.place)
    }

    pub(super) fn reset_to_head(&self) -> Result<()> {
        self.shop.reset(self.head())
    }

    /// Builds, publishes and tidies up, and builds again if the target moved meanwhile.
    pub(super) fn drive(&mut self) -> Result<Report> {
        for _ in 0..REPLAYS {
            let built = self.build().and_then(|built| self.with_files().map(|()| built));
            match built {
                Ok(Built::Whole) => {}
                Ok(Built::Stopped(stop)) => return Ok(self.report(Ended::Stopped(stop))),
                Ok(Built::Aborted) => {
                    abort(self.desk, self.place, Some(self.shop), self.journal)?;
                    return Ok(self.report(Ended::Aborted));
                }
                Err(failure) => {
                    // Somebody may look there, and what went wrong matters more.
                    let _ = self.with_files();
                    return Err(self.keep_state(failure));
                }
            }
            if self.done.is_empty() {
                rebuild::forget(self.desk, self.place)?;
                return Ok(self.report(Ended::Nothing));
            }
            match self.publish()? {
                Moved::Done => return self.finish(),
                Moved::Blocked(failure) => {
                    return self.stop(None, Cause::Publish, failure.message());
                }
                Moved::Elsewhere(None) => {
                    let gone = format!("'{}' is gone", self.place.name());
                    return self.stop(None, Cause::Publish, gone);
                }
                Moved::Elsewhere(Some(now)) => {
                    self.desk.observer.note(&format!(
                        "'{}' has moved meanwhile; the tasks are merged again on top of it",
                        self.place.name()
                    ));
                    self.journal.onto = now;
                    self.journal.new = None;
                    self.done.clear();
                    self.seen.clear();
                    self.carry_on()?;
                    rebuild::forget_done(self.desk, self.place)?;
                    pin(self.desk, self.place, self.journal)?;
                    self.shop.reset(now)?;
                }
            }
        }
        let moving = format!("'{}' moved {REPLAYS} times while its tasks were merged", self.place.name());
        self.stop(None, Cause::Publish, moving)
    }

    /// What the user interrupts, and what fails, can be gone on with.
    pub(super) fn keep_state(&mut self, failure: Failure) -> Failure {
        if failure.kind == Kind::Interrupted && self.journal.phase == Phase::Building {
            self.journal.phase = Phase::Stopped;
            self.journal.stopped = None;
            self.journal.said = "interrupted".to_owned();
            // The next command finds it out by itself if this can't be written.
            let _ = self.journal.save(self.place);
        }
        failure
    }

    pub(super) fn report(&self, ended: Ended) -> Report {
        self.desk.observer.tally(0, 0);
        Report { ended, fared: outcome::fared(self.journal, &self.seen, &self.done), kept: Vec::new() }
    }
}

/// Takes all of it back: nothing has landed.
///
/// # Errors
/// If it has landed already.
pub fn abort(desk: &Desk<'_>, place: &Place, shop: Option<&Workshop<'_>>, journal: &Journal) -> Result<()> {
    if let Some(shop) = shop {
        shop.reset(journal.onto)?;
    }
    rebuild::forget(desk, place)
}
