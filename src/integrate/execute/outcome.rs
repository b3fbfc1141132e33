//! What an integration comes to, for whoever shows it.

use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::BString;

use crate::error::Result;
use crate::integrate::finish::Kept;
use crate::integrate::journal::{Car, Cause, Fate, Journal};
use crate::integrate::rebuild::Done;
use crate::task::Slug;

/// How it ended.
#[derive(Debug)]
pub enum Ended {
    /// The target has moved.
    Landed {
        /// From where.
        old: ObjectId,
        /// To where.
        new: ObjectId,
        /// What the push came to, if one was asked for.
        pushed: Option<Result<()>>,
    },
    /// There was nothing to land.
    Nothing,
    /// A person is needed.
    Stopped(Stop),
    /// All was taken back.
    Aborted,
}

/// Where it stopped, and why.
#[derive(Debug)]
pub struct Stop {
    /// At this task.
    pub task: Option<Slug>,
    /// Why.
    pub cause: Cause,
    /// What git, a hook or a check said.
    pub said: String,
    /// The private worktree.
    pub worktree: PathBuf,
}

/// What became of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fared {
    /// It landed, or would have, as this commit.
    Merged(ObjectId),
    /// The target has its work already.
    Contained,
    /// It has no commit of its own.
    Empty,
    /// It conflicts there.
    Conflict(Vec<(String, BString)>),
    /// This check, or git, refused it.
    Failed(String),
    /// Left out, and why.
    Skipped(String),
    /// It was not reached.
    Waiting,
}

/// What an integration did.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub ended: Ended,
    /// Each task and what became of it, in the order of the train.
    pub fared: Vec<(Slug, Fared)>,
    /// What stayed of tasks that landed.
    pub kept: Vec<Kept>,
}

/// What becomes of the tasks if none of them has anything to merge.
pub fn without_work(journal: &Journal) -> Vec<(Slug, Fared)> {
    fared(journal, &[], &[])
}

pub(super) fn fared(journal: &Journal, all_seen: &[(Slug, Fared)], all_done: &[Done]) -> Vec<(Slug, Fared)> {
    let fared = |car: &Car| {
        let seen = all_seen.iter().rfind(|(slug, _)| *slug == car.slug).map(|(_, fared)| fared.clone());
        let done = all_done.iter().find(|done| done.slug == car.slug);
        match (&car.fate, seen, done) {
            (Fate::Landed(commit) | Fate::Raised(commit) | Fate::Finished(commit), ..) => {
                Fared::Merged(*commit)
            }
            (Fate::Contained, ..) => Fared::Contained,
            (Fate::Empty, ..) => Fared::Empty,
            (Fate::LeftOut(_) | Fate::Open, Some(seen), _) => seen,
            (Fate::LeftOut(why), None, _) => Fared::Skipped(why.clone()),
            (Fate::Open, None, Some(done)) => Fared::Merged(done.commit),
            (Fate::Open, None, None) => Fared::Waiting,
        }
    };
    let without = journal.without.iter().map(|(slug, why)| (slug.clone(), Fared::Skipped(why.clone())));
    journal.cars.iter().map(|car| (car.slug.clone(), fared(car))).chain(without).collect()
}
