//! What an integration would come to, merged and checked in private: nothing is published, no journal is written.
//!
//! An integration of the target that is under way, or has stopped, is left alone.

use gix::ObjectId;

use super::check::{self, Checked, Prefix};
use super::journal::{self, How, Journal, Sign};
use super::merge::{self, Made};
use super::place::Place;
use super::train::{Outcome, Train};
use super::workshop::Workshop;
use crate::config::team::Event;
use crate::desk::{Desk, Observer};
use crate::error::Result;
use crate::task::record::Tasks;
use crate::task::state::Action;
use crate::task::{Slug, State, events, life, place as task_place};

/// What came of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rehearsed {
    /// The merged result passes the checks; so many of them ran now, the rest had passed on it before.
    Passed(usize),
    /// A check fails, and the task is blocked with this reason.
    Failed(String),
    /// It can't be merged as it is, and why.
    Unmerged(String),
}

/// Merges the cars of a train one on top of the other, and runs `checks` on what each comes to. A task that fails
/// is marked as blocked; `raises` says whether the event of that may run. False if the target is busy.
///
/// # Errors
/// If git can't be started or a log can't be written; or interrupted, with the command ended.
pub fn rehearse(
    desk: &Desk<'_>,
    place: &Place,
    train: &Train,
    checks: &[String],
    raises: bool,
    report: &mut dyn FnMut(&Slug, Rehearsed),
) -> Result<bool> {
    let Some(lock) = place.try_lock()? else { return Ok(false) };
    if Journal::load(place)?.is_some() {
        return Ok(false);
    }
    lock.shared_while(|| {
        let mut head = train.target.tip;
        let shop = Workshop::open(desk, place, &lock, head)?;
        shop.reset(head)?;
        // It is thrown away, so nobody is asked for a passphrase.
        let how = How { ff: train.ff, strategy: Vec::new(), sign: Some(Sign::Never), signoff: false };
        let mut out: Vec<&Slug> = Vec::new();
        for car in train.cars.iter().filter(|car| car.outcome.is_to_merge()) {
            crate::interrupt::check()?;
            let slug = &car.task.slug;
            let mine = journal::Car {
                slug: slug.clone(),
                tip: car.tip,
                message: car.message.clone(),
                fate: journal::Fate::Open,
            };
            let before = out.iter().find(|out| car.task.after.iter().any(|after| after == out.as_str()));
            let came = match (before, &car.outcome) {
                (Some(before), _) => Err(format!("it comes after '{before}'")),
                (None, Outcome::Conflict { .. }) => Err("it conflicts".to_owned()),
                (None, _) => match merge::merge(&shop, &how, &mine, head)? {
                    Made::Commit(commit) => Ok(commit),
                    Made::Nothing => continue,
                    Made::Conflict => Err("it conflicts".to_owned()),
                    Made::Refused(said) => Err(said.lines().last().unwrap_or_default().to_owned()),
                },
            };
            crate::interrupt::check()?;
            let rehearsed = match came {
                Err(why) => Rehearsed::Unmerged(why),
                Ok(commit) => match checked(desk, place, &shop, car, checks, commit)? {
                    Checked::Passed { ran } => {
                        head = commit;
                        Rehearsed::Passed(ran)
                    }
                    Checked::Failed { command, .. } => {
                        let why = format!("its check failed: {command}");
                        mark(desk, slug, car.tip, &why, raises)?;
                        Rehearsed::Failed(why)
                    }
                },
            };
            if !matches!(rehearsed, Rehearsed::Passed(_)) {
                out.push(slug);
            }
            report(slug, rehearsed);
            // Nothing of a conflict, or of what a check wrote, is in the next one's way.
            shop.reset(head)?;
        }
        Ok(true)
    })
}

fn checked(
    desk: &Desk<'_>,
    place: &Place,
    shop: &Workshop<'_>,
    car: &super::train::Car,
    checks: &[String],
    commit: ObjectId,
) -> Result<Checked> {
    let tree = check::tree_of(desk.repo, commit)?;
    let observer = WithoutNotes(desk.observer);
    let prefix = Prefix { task: car.task.clone(), commit, tree };
    check::run(&Desk { observer: &observer, ..*desk }, place, checks, shop, &prefix)
}

/// Says why a task can't be integrated, unless it has changed meanwhile.
fn mark(desk: &Desk<'_>, slug: &Slug, tip: ObjectId, why: &str, raises: bool) -> Result<()> {
    let mut worktrees = desk.repo.worktrees()?;
    let tasks = Tasks::read(desk.repo)?;
    let Some(task) = tasks.find(slug.as_str()) else { return Ok(()) };
    if task_place::head_of(desk.repo, task, &worktrees)? != Some(tip)
        || task.state_at(Some(tip)) != State::Ready
    {
        return Ok(());
    }
    let (task, _) = life::change(desk, slug.as_str(), Action::Block, Some(why), &mut worktrees)?;
    if raises {
        let path = task_place::path_of(desk.repo, &task, &worktrees)?;
        events::raise(desk, Event::Failed, &task, path.as_deref(), Some(tip))?;
    }
    Ok(())
}

/// What has passed before is told by the result; each look would say it again.
struct WithoutNotes<'a>(&'a dyn Observer);

impl Observer for WithoutNotes<'_> {
    fn step(&self, text: &str) -> Box<dyn std::any::Any> {
        self.0.step(text)
    }

    fn warn(&self, message: &str) {
        self.0.warn(message);
    }

    fn note(&self, _: &str) {}

    fn aside(&self, work: &mut dyn FnMut()) {
        self.0.aside(work);
    }
}
