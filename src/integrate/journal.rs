//! The journal of an integration: what was asked for, written before anything is done, and where it stopped.
//!
//! It is a claim about what was meant, not about what was done: which tasks are merged is read from the private
//! worktree and from references, by ancestry.

mod record;

use std::path::PathBuf;

use gix::ObjectId;

use super::place::Place;
use crate::config::integrate::Ff;
use crate::error::{OrFatal, Result};
use crate::store::atomic;
use crate::store::record::Record;
use crate::task::Slug;

/// How the merges are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct How {
    /// How the commits come onto the target.
    pub ff: Ff,
    /// `-X`, in order.
    pub strategy: Vec<String>,
    /// `-S`: sign, with this key if it is not empty; `--no-gpg-sign`: don't; absent: as `commit.gpgSign` says.
    pub sign: Option<Sign>,
    /// `--signoff`
    pub signoff: bool,
}

/// Whether commits are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// With this key; with the configured one if it is empty.
    With(String),
    /// Not, whatever the configuration says.
    Never,
}

/// What to do on a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Ask, which needs a terminal.
    Ask,
    /// Stop, with the state kept.
    Stop,
    /// Leave the task out.
    Skip,
    /// The target's side decides.
    Ours,
    /// The task's side decides.
    Theirs,
    /// Both, where both are text.
    Union,
}

/// Where the result is pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The remote.
    pub remote: String,
    /// The branch there, by full name.
    pub branch: String,
    /// Where it was seen to be; none if it isn't there.
    pub seen: Option<ObjectId>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The train is being built.
    Building,
    /// It waits for a person.
    Stopped,
    /// The target is being moved.
    Publishing,
    /// The target has moved; the tasks are being tidied up.
    Finishing,
}

/// Why it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A merge has conflicts.
    Conflict,
    /// git would not make the merge, or a hook refused it.
    Merge,
    /// A check fails.
    Check,
    /// A worktree that has the target checked out is in the way.
    Publish,
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// What has become of a task so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its turn comes, or it is merged: the worktree and the references tell.
    Open,
    /// Left out, and why.
    LeftOut(String),
    /// The target has its work already.
    Contained,
    /// It has no commit of its own.
    Empty,
    /// It has landed as this commit; the work on it is to be tidied up.
    Landed(ObjectId),
    /// It has landed as this commit, and the event of that was raised; the work on it is to be tidied up.
    Raised(ObjectId),
    /// It has landed as this commit, and all is done.
    Finished(ObjectId),
}

/// One task of the train.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Car {
    /// The task.
    pub slug: Slug,
    /// The pinned tip of its branch.
    pub tip: ObjectId,
    /// The subject of its merge.
    pub message: String,
    /// What has become of it.
    pub fate: Fate,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The target by full name.
    pub target: String,
    /// Where the target was when the train was (last) begun.
    pub onto: ObjectId,
    /// What the target becomes, while publishing and after.
    pub new: Option<ObjectId>,
    /// How the merges are made.
    pub how: How,
    /// The commands that each merged result must pass.
    pub checks: Vec<String>,
    /// How many merged results are checked at once. With one, each as soon as it is there.
    pub jobs: usize,
    /// What conflicts or fails is left out.
    pub keep_going: bool,
    /// Worktrees, branches and notes stay.
    pub keep: bool,
    /// What to do on a conflict.
    pub on_conflict: OnConflict,
    /// Where the result is pushed to.
    pub push: Option<Push>,
    /// How far it has come.
    pub phase: Phase,
    /// The task at which it stopped, and why.
    pub stopped: Option<(Slug, Cause)>,
    /// What git, a hook or a check said.
    pub said: String,
    /// Tasks that were left out before the train began, and why.
    pub without: Vec<(Slug, String)>,
    /// In the order in which they are merged.
    pub cars: Vec<Car>,
}

impl Journal {
    /// The one of a target, if an integration of it is in progress.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn load(place: &Place) -> Result<Option<Self>> {
        Self::read(&place.journal())
    }

    /// The one in this file, if there is one.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(path: &PathBuf) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
        };
        let bad = || format!("the journal '{}' makes no sense", path.display());
        Self::from_record(&Record::from_bytes(&bytes)?).map(Some).map_err(|e| e.context(bad()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it can't be written; the old one is then there.
    pub fn save(&self, place: &Place) -> Result<()> {
        atomic::write(&place.journal(), &self.to_record().to_bytes()?)
    }

    /// A car by its task's name.
    pub fn car(&self, slug: &Slug) -> Option<&Car> {
        self.cars.iter().find(|car| car.slug == *slug)
    }

    /// The tasks that are left out, and why, in order.
    pub fn left_out(&self) -> impl Iterator<Item = (&Slug, &str)> {
        let before = self.without.iter().map(|(slug, why)| (slug, why.as_str()));
        before.chain(self.cars.iter().filter_map(|car| match &car.fate {
            Fate::LeftOut(why) => Some((&car.slug, why.as_str())),
            _ => None,
        }))
    }

    /// Leaves a task out.
    pub fn leave_out(&mut self, slug: &Slug, why: &str) {
        if let Some(car) = self.cars.iter_mut().find(|car| car.slug == *slug) {
            car.fate = Fate::LeftOut(why.to_owned());
        }
    }
}
