//! What may happen to the task of one name.

use super::search::Model;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// The name was never used.
    Unused,
    /// It was, and there is no such task any more.
    Gone,
    Open,
    Blocked,
    Ready,
    Integrated,
    Dropped,
}

use Life::{Blocked, Dropped, Gone, Integrated, Open, Ready, Unused};

impl Life {
    /// As a listing says it; none: it isn't listed.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Unused | Gone => None,
            Open => Some("open"),
            Blocked => Some("blocked"),
            Ready => Some("ready"),
            Integrated => Some("integrated"),
            Dropped => Some("dropped"),
        }
    }

    pub fn is_live(self) -> bool {
        matches!(self, Open | Blocked | Ready)
    }
}

/// A task, as far as answers depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    pub life: Life,
    /// It has a worktree.
    pub place: bool,
    pub locked: bool,
    /// A session may be running.
    pub running: bool,
}

/// What must hold for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Unknown,
    Known,
    Life(Life),
    NotReady,
    Place(bool),
    Locked(bool),
    Running(bool),
}

/// What is done to a task, and succeeded, or what is seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Add {
        reuse: bool,
    },
    Say(Life),
    Remove,
    Restore,
    RenameAway,
    RenameHere,
    Move,
    Lock,
    Unlock,
    /// A worktree of the pool, with a new task if there was none.
    Claim,
    Release,
    /// A slot was given back whose holder isn't known.
    PerhapsReleased,
    Landed,
    /// An integration left it out.
    LeftOut,
    /// An integration was undone that may have landed it.
    Undone,
    /// A removal or a release that was not done when its command gave up.
    Half,
    Start,
    /// Somebody mended it after a foreign hand.
    Mended,
    Seen(Option<String>),
    Refused(Need),
}

impl Task {
    pub const START: Task = Task { life: Unused, place: false, locked: false, running: false };

    fn with(self, life: Life) -> Vec<Task> {
        vec![Task { life, ..self }]
    }

    fn fits(&self, need: Need) -> bool {
        match need {
            Need::Unknown => self.life.word().is_none(),
            Need::Known => self.life.word().is_some(),
            Need::Life(life) => self.life == life,
            Need::NotReady => self.life != Ready,
            Need::Place(place) => self.place == place,
            Need::Locked(locked) => self.locked == locked,
            Need::Running(running) => self.running == running,
        }
    }

    /// With and without a worktree, a lock, a session.
    fn anyhow(life: Life) -> impl Iterator<Item = Task> {
        (0..8).map(move |n| Task { life, place: n & 1 > 0, locked: n & 2 > 0, running: n & 4 > 0 })
    }
}

impl Model for Task {
    type Deed = Deed;

    fn after(&self, deed: &Deed) -> Vec<Self> {
        let (life, live) = (self.life, self.life.is_live());
        let only = |may: bool, then: Vec<Task>| if may { then } else { Vec::new() };
        let fresh = Task { life: Open, place: true, locked: false, running: false };
        let away = Task { place: false, locked: false, ..*self };
        match deed {
            Deed::Add { reuse } => only(life == Unused || (*reuse && !live), vec![fresh]),
            Deed::Say(Open) => only(matches!(life, Blocked | Ready | Integrated), self.with(Open)),
            Deed::Say(to) => only(live, self.with(*to)),
            Deed::Remove if live => [Dropped, Integrated].iter().flat_map(|l| away.with(*l)).collect(),
            // A worktree or a branch may be there again.
            Deed::Remove if life == Dropped => {
                [Dropped, Integrated].iter().flat_map(|l| away.with(*l)).collect()
            }
            Deed::Remove => only(life == Integrated, vec![away]),
            Deed::Restore if self.place => Vec::new(),
            Deed::Restore if live => vec![Task { place: true, ..*self }],
            // What it was when it was removed.
            Deed::Restore => {
                [Open, Blocked, Ready, Integrated].iter().flat_map(|l| Task::anyhow(*l)).collect()
            }
            Deed::RenameAway => only(life.word().is_some(), Task { life: Gone, ..away }.with(Gone)),
            Deed::RenameHere => {
                let all = [Open, Blocked, Ready, Integrated, Dropped];
                only(life.word().is_none(), all.iter().flat_map(|l| Task::anyhow(*l)).collect())
            }
            Deed::Move => only(self.place, vec![*self]),
            Deed::Lock => only(self.place && !self.locked, vec![Task { locked: true, ..*self }]),
            Deed::Unlock => only(self.place && self.locked, vec![Task { locked: false, ..*self }]),
            Deed::Claim if life == Unused => vec![fresh],
            Deed::Claim => only(live && !self.place, vec![Task { place: true, ..*self }]),
            Deed::Release => only(self.place, vec![away]),
            Deed::PerhapsReleased => vec![*self, away],
            // It stays what it is if something came on top meanwhile, or if it was blocked.
            Deed::Landed => {
                let landed = if live { vec![life, Integrated] } else { vec![life] };
                landed.into_iter().flat_map(|l| [away, *self].map(|t| Task { life: l, ..t })).collect()
            }
            Deed::LeftOut => {
                if live {
                    vec![*self, Task { life: Blocked, ..*self }]
                } else {
                    vec![*self]
                }
            }
            Deed::Undone if life == Integrated => {
                [Ready, Dropped, Integrated].iter().flat_map(|l| self.with(*l)).collect()
            }
            Deed::Undone => vec![*self],
            Deed::Half if live => {
                let all = [self.with(life), away.with(life), away.with(Dropped), away.with(Integrated)];
                all.concat()
            }
            Deed::Half => vec![*self, away],
            Deed::Start => only(live && self.place, vec![Task { running: true, ..*self }]),
            Deed::Mended => {
                let all = [Open, Blocked, Ready, Integrated, Dropped];
                only(life.word().is_some(), all.iter().flat_map(|l| Task::anyhow(*l)).collect())
            }
            // Commits made later unready it.
            Deed::Seen(word) => {
                let seen = word.as_deref();
                only(seen == life.word() || (life == Ready && seen == Some("open")), vec![*self])
            }
            Deed::Refused(need) => only(self.fits(*need), vec![*self]),
        }
    }

    fn by_itself(&self) -> Option<Self> {
        self.running.then_some(Task { running: false, ..*self })
    }
}
