//! What may happen to one slot of the pool, and to the integration into one target.

use super::search::Model;

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Anybody can have it, or it isn't made yet.
    Free,
    /// The same, but somebody has left something in it since. Whoever looks notices, and sets it aside.
    Left,
    /// It was set aside.
    Broken,
    /// Somebody has it. A lease that nobody was told is none.
    Held { lease: Option<String>, task: Option<String> },
}

/// What is done to a slot, and succeeded, or what is seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotDeed {
    Claimed {
        lease: Option<String>,
        task: Option<String>,
    },
    /// With the lease, if it was named.
    Released(Option<String>),
    /// A task gave its slot back, whichever it had.
    Vacated(String),
    /// It may have.
    PerhapsVacated(String),
    Renamed(String, String),
    Renewed(String),
    Seen {
        held: bool,
        lease: Option<String>,
        task: Option<String>,
    },
    /// This lease was said not to hold.
    NotHeldBy(String),
    Idle,
    /// Somebody wrote into its worktree or turned its HEAD, whoever had it just then. That is there to be noticed only
    /// if nobody had it, and if whoever gave it back had not seen it.
    Touched,
    SeenBroken,
    /// Found clean again, or forgotten because its worktree is gone.
    Mended,
    /// A release that was not done when its command gave up, of whichever slot.
    Half,
}

impl Model for Slot {
    type Deed = SlotDeed;

    fn after(&self, deed: &SlotDeed) -> Vec<Self> {
        let only = |may: bool, then: Slot| if may { vec![then] } else { Vec::new() };
        let (lease, task) = match self {
            Slot::Free | Slot::Left | Slot::Broken => (&None, &None),
            Slot::Held { lease, task } => (lease, task),
        };
        let held = matches!(self, Slot::Held { .. });
        let may_be = |other: &String| lease.as_ref().is_none_or(|l| l == other);
        match deed {
            SlotDeed::Claimed { lease, task } => {
                only(*self == Slot::Free, Slot::Held { lease: lease.clone(), task: task.clone() })
            }
            SlotDeed::Released(None) if *self == Slot::Broken => vec![Slot::Free],
            SlotDeed::Released(wanted) => only(held && wanted.as_ref().is_none_or(may_be), Slot::Free),
            SlotDeed::Vacated(by) if task.as_ref() == Some(by) => vec![Slot::Free],
            SlotDeed::PerhapsVacated(by) if task.as_ref() == Some(by) => vec![self.clone(), Slot::Free],
            SlotDeed::Vacated(_) | SlotDeed::PerhapsVacated(_) => vec![self.clone()],
            SlotDeed::Renamed(old, new) if task.as_ref() == Some(old) => {
                vec![Slot::Held { lease: lease.clone(), task: Some(new.clone()) }]
            }
            SlotDeed::Renamed(..) => vec![self.clone()],
            SlotDeed::Renewed(wanted) => only(held && may_be(wanted), self.clone()),
            SlotDeed::Touched if *self == Slot::Free => vec![Slot::Free, Slot::Left],
            SlotDeed::Touched => vec![self.clone()],
            SlotDeed::SeenBroken => only(*self == Slot::Broken, Slot::Broken),
            SlotDeed::Mended => only(!held, Slot::Free),
            SlotDeed::Seen { .. } if *self == Slot::Broken => Vec::new(),
            SlotDeed::Seen { held: seen, lease: shown, task: of } => {
                let same = held == *seen && (!held || (task == of && shown.as_ref().is_none_or(may_be)));
                only(same, self.clone())
            }
            SlotDeed::NotHeldBy(wanted) => only(!held || lease.as_ref() != Some(wanted), self.clone()),
            SlotDeed::Half => vec![self.clone(), Slot::Free],
            SlotDeed::Idle => only(matches!(self, Slot::Free | Slot::Left), self.clone()),
        }
    }

    fn by_itself(&self) -> Option<Self> {
        (*self == Slot::Left).then_some(Slot::Broken)
    }
}

/// The integration into a target: whether one has stopped and waits for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Train {
    pub stopped: bool,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainDeed {
    /// One began, and is at its end or has stopped.
    Ran {
        stops: bool,
    },
    /// One that had stopped went on, or was aborted.
    WentOn {
        stops: bool,
    },
    Seen {
        stopped: bool,
    },
}

impl Model for Train {
    type Deed = TrainDeed;

    fn after(&self, deed: &TrainDeed) -> Vec<Self> {
        let only = |may: bool, stopped: bool| if may { vec![Train { stopped }] } else { Vec::new() };
        match deed {
            TrainDeed::Ran { stops } => only(!self.stopped, *stops),
            TrainDeed::WentOn { stops } => only(self.stopped, *stops),
            TrainDeed::Seen { stopped } => only(self.stopped == *stopped, self.stopped),
        }
    }
}
