//! The train: the ordered tasks of one integration, and what merging each of them comes to.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::bstr::BString;

use super::order;
use crate::config::integrate::Ff;
use crate::git::forecast::Conflict;
use crate::git::landed::Landed;
use crate::git::refs::short_name;
use crate::task::Task;

/// The branch that an integration moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its full name.
    pub ref_name: String,
    /// Where it was when the integration began.
    pub tip: ObjectId,
}

impl Target {
    /// As the user calls it.
    pub fn name(&self) -> &str {
        short_name(&self.ref_name)
    }
}

/// One task of a train.
#[derive(Clone, Debug)]
pub struct Car {
    /// The task as it was when the train was made.
    pub task: Task,
    /// The pinned tip of its branch. What is committed there later is not in this train.
    pub tip: ObjectId,
    /// The message of its merge, by template: a subject, or a subject and more.
    pub message: String,
    /// The paths that it changes and that are outside of its declared scope.
    pub outside: Vec<BString>,
    /// What merging it comes to.
    pub outcome: Outcome,
}

/// What merging a task comes to, on top of the target and all cars before it that merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It merges.
    Merged {
        /// The tree after it.
        tree: ObjectId,
        /// The target would move forward to its tip, without a commit of its own.
        forward: bool,
    },
    /// The target, or the train before it, has its work already; how, says the value. There is nothing to merge.
    Contained(Landed),
    /// It has no commit of its own. There is nothing to merge.
    Empty,
    /// A person has to decide.
    Conflict {
        /// git's own records.
        conflicts: Vec<Conflict>,
        /// The paths that rerere has a recorded resolution for.
        recorded: Vec<BString>,
        /// The tree with these, if nothing else is in conflict; the cars that follow are then forecast on it.
        resolved: Option<ObjectId>,
    },
    /// It can't be said without doing it.
    Unknown {
        /// Why.
        why: String,
    },
    /// It is left out.
    Skipped {
        /// Why.
        why: String,
    },
}

/// The ordered tasks of one integration with what merging each comes to.
///
/// After a car that conflicts, the others are forecast as if it were left out, unless its resolution is known.
#[derive(Clone, Debug)]
pub struct Train {
    /// The branch that moves.
    pub target: Target,
    /// How the tasks' commits come onto it.
    pub ff: Ff,
    /// In the order in which they are merged; those that are left out from the start come last.
    pub cars: Vec<Car>,
}

impl Outcome {
    /// Whether there is something to be merged: now, or after somebody has decided.
    pub fn is_to_merge(&self) -> bool {
        matches!(self, Outcome::Merged { .. } | Outcome::Conflict { .. } | Outcome::Unknown { .. })
    }
}

impl Train {
    /// A car by its task's name.
    pub fn find(&self, task: &str) -> Option<&Car> {
        self.cars.iter().find(|car| car.task.slug.as_str() == task)
    }

    /// The tasks that come after this one, directly or by way of others: they go where it goes.
    pub fn dependents(&self, task: &str) -> BTreeSet<String> {
        order::dependents(self.cars.iter().map(|car| &car.task), &[task])
    }

    /// Whether a task would conflict.
    pub fn conflicts(&self) -> bool {
        self.cars.iter().any(|car| matches!(car.outcome, Outcome::Conflict { .. }))
    }
}
