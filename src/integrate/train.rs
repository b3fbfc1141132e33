//! The train: the ordered tasks of one integration, and what merging each of them comes to.

use gix::ObjectId;

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
    /// The subject of its merge.
    pub message: String,
    /// What merging it comes to.
    pub outcome: Outcome,
}

/// What merging a task comes to, on top of the target and all cars before it that merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It merges, with this tree.
    Merged {
        /// The tree after it.
        tree: ObjectId,
    },
    /// The target has its work already; how, says the value.
    Contained(Landed),
    /// It has no commit of its own.
    Empty,
    /// A person has to decide.
    Conflict {
        /// git's own records.
        conflicts: Vec<Conflict>,
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
#[derive(Clone, Debug)]
pub struct Train {
    /// The branch that moves.
    pub target: Target,
    /// How the tasks' commits come onto it.
    pub ff: Ff,
    /// In the order in which they are merged.
    pub cars: Vec<Car>,
}
