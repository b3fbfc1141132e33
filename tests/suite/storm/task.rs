//! What may happen to the task of one name.

use super::search::Model;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// There is no such task.
    Unknown,
    Open,
    Blocked,
    Ready,
    Integrated,
    Dropped,
}

use Life::{Blocked, Dropped, Integrated, Open, Ready, Unknown};

impl Life {
    /// As a listing says it; none: it isn't listed.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Unknown => None,
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
    /// A merge or rebase in its worktree waits for somebody.
    pub unfinished: bool,
    /// Something that was removed can be restored by its name, also if that is another task's by now.
    pub kept: bool,
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
    Unfinished,
    /// It was integrated or dropped, and has its worktree still.
    Finished,
    /// There is no such task, but there was one.
    Gone,
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
    /// Its slot was given back, with uncommitted work to be restored perhaps.
    Release,
    /// A slot was given back whose holder isn't known.
    PerhapsReleased,
    /// A merge or rebase of it stopped and was left as it is.
    Stopped,
    /// Its worktree and branch were removed, or were kept as was told, or which of these isn't known.
    Landed {
        stays: Option<bool>,
    },
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

impl Deed {
    /// Only one who is alone at a task does this.
    pub fn is_alone(&self) -> bool {
        use Deed::{Add, Claim, Lock, Move, Release, Remove, RenameAway, Restore, Unlock};
        matches!(self, Add { .. } | Claim | Lock | Move | Release | Remove | RenameAway | Restore | Unlock)
    }
}

impl Task {
    pub const START: Task =
        Task { life: Unknown, place: false, locked: false, running: false, unfinished: false, kept: false };

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
            Need::Unfinished => self.unfinished,
            Need::Finished => self.place && matches!(self.life, Integrated | Dropped),
            Need::Gone => self.life == Unknown && self.kept,
        }
    }

    /// With one of these lives, with and without a worktree, a lock, a session, something unfinished.
    fn anyhow(self, lives: &[Life]) -> Vec<Task> {
        let of = |life: &Life| {
            let life = *life;
            (0..16).filter(|n| n & 1 > 0 || n & 10 == 0).map(move |n| Task {
                life,
                place: n & 1 > 0,
                locked: n & 2 > 0,
                running: n & 4 > 0,
                unfinished: n & 8 > 0,
                ..self
            })
        };
        lives.iter().flat_map(of).collect()
    }
}

impl Model for Task {
    type Deed = Deed;

    fn after(&self, deed: &Deed) -> Vec<Self> {
        let (life, live) = (self.life, self.life.is_live());
        let only = |may: bool, then: Vec<Task>| if may { then } else { Vec::new() };
        let fresh = Task { life: Open, place: true, kept: self.kept, ..Task::START };
        let away = Task { place: false, locked: false, unfinished: false, ..*self };
        let removed = Task { kept: true, ..away };
        let done = |task: Task| [Dropped, Integrated].map(|life| Task { life, ..task });
        match deed {
            Deed::Add { reuse } => {
                only(if *reuse { !live && !self.place } else { life == Unknown && !self.kept }, vec![fresh])
            }
            Deed::Say(Open) => only(matches!(life, Blocked | Ready | Integrated), self.with(Open)),
            Deed::Say(to) => only(live, self.with(*to)),
            // Of one that was dropped a worktree or a branch may be there again.
            Deed::Remove if live || life == Dropped => done(removed).to_vec(),
            Deed::Remove => only(life == Integrated, vec![removed]),
            Deed::Restore if self.place || !self.kept => Vec::new(),
            Deed::Restore if live => {
                [false, true].map(|unfinished| Task { place: true, unfinished, ..*self }).to_vec()
            }
            // What it was when it was removed.
            Deed::Restore => self.anyhow(&[Open, Blocked, Ready, Integrated]),
            Deed::RenameAway => only(life != Unknown, away.with(Unknown)),
            Deed::RenameHere => {
                only(life == Unknown, self.anyhow(&[Open, Blocked, Ready, Integrated, Dropped]))
            }
            Deed::Move => only(self.place, vec![*self]),
            Deed::Lock => only(self.place && !self.locked, vec![Task { locked: true, ..*self }]),
            Deed::Unlock => only(self.place && self.locked, vec![Task { locked: false, ..*self }]),
            Deed::Claim if life == Unknown => only(!self.kept, vec![fresh]),
            Deed::Claim => only(live && !self.place, vec![Task { place: true, ..*self }]),
            Deed::Release => only(self.place, vec![away, removed]),
            Deed::PerhapsReleased => vec![*self, away, removed],
            Deed::Stopped => only(self.place, vec![Task { unfinished: true, ..*self }]),
            // It stays what it is if something came on top meanwhile, or if it was blocked.
            Deed::Landed { stays } => {
                let there = if live { vec![*self, Task { life: Integrated, ..*self }] } else { vec![*self] };
                let gone = match life {
                    // Renamed or gone since it was merged: there is nothing to tidy up.
                    Unknown => vec![*self],
                    _ => only(live || life == Integrated, removed.with(Integrated)),
                };
                match stays {
                    Some(true) => there,
                    Some(false) => gone,
                    None => [there, gone].concat(),
                }
            }
            Deed::LeftOut => {
                if live {
                    vec![*self, Task { life: Blocked, ..*self }]
                } else {
                    vec![*self]
                }
            }
            Deed::Undone if life == Integrated => {
                [Ready, Open, Dropped, Integrated].iter().flat_map(|l| self.with(*l)).collect()
            }
            Deed::Undone => vec![*self],
            Deed::Half if live => [vec![*self, away, removed], done(removed).to_vec()].concat(),
            Deed::Half => vec![*self, away, removed],
            Deed::Start => only(self.place, vec![Task { running: true, ..*self }]),
            Deed::Mended => only(life != Unknown, self.anyhow(&[Open, Blocked, Ready, Integrated, Dropped])),
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
