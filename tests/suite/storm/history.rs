//! What happened, by object.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use super::act::{LAST_SLOT, NAMES};
use super::search::{Event, Model, search};
use super::slot::{Slot, SlotDeed, Train, TrainDeed};
use super::task::{Deed, Life, Need, Task};

/// The name under which an integration is an object like tasks and slots.
pub const TRAIN: &str = "integration";

/// When a command ran, on which object, in which other words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub begin: u64,
    pub end: u64,
}

impl Span {
    fn overlaps(self, other: Span) -> bool {
        self.begin <= other.end && other.begin <= self.end
    }
}

/// Deeds and attempts of one or more workers.
#[derive(Default)]
pub struct History {
    tasks: BTreeMap<String, Vec<Event<Deed>>>,
    slots: BTreeMap<String, Vec<Event<SlotDeed>>>,
    train: Vec<Event<TrainDeed>>,
    /// Who may have been changing what, whether it succeeded or not. `*` is everything.
    attempts: Vec<(String, Span, u64)>,
    /// Which tasks a command has left half done, and since when.
    halves: Vec<(String, u64, u64)>,
    /// What was said to have been cut off, of which task or slot.
    cut_off: Vec<(String, Span, String)>,
    /// Which task or slot a command has left half done (`*`: it doesn't say which), and since when.
    left: Vec<(String, u64)>,
    /// Refusals that need such a neighbour: the object, when, and how it was said.
    busy: Vec<(String, Span, u64, String)>,
    /// The same, where a state explains it too.
    between: Vec<(String, Event<Deed>, Need, u64)>,
    /// Refusals that need some task to be locked, whichever.
    locked: Vec<(Span, String)>,
    /// What foreign hands did to tasks.
    foreign: Vec<(String, Span)>,
    /// What needs a foreign hand before it.
    by_foreign: Vec<(String, Span, u64, String)>,
    /// What needs one at the same time.
    while_foreign: Vec<(String, Span, String)>,
    /// When a foreign hand may have moved the branch that is integrated into.
    moves: Vec<Span>,
    /// How often that must have happened while a command ran.
    outrun: Vec<(Span, usize, String)>,
    /// Refusals for the sake of an integration: when, and whether one must have stopped.
    train_refused: Vec<(Event<TrainDeed>, u64)>,
    /// What nothing can explain.
    pub unexplained: Vec<String>,
    /// How often each command was done, and ended with which code.
    pub counts: BTreeMap<(String, i32), usize>,
}

impl History {
    pub fn task(&mut self, name: &str, span: Span, deed: Deed, what: &str) {
        let event = Event { begin: span.begin, end: span.end, deed, what: what.to_owned() };
        self.tasks.entry(name.to_owned()).or_default().push(event);
    }

    pub fn slot(&mut self, name: &str, span: Span, deed: SlotDeed, what: &str) {
        let event = Event { begin: span.begin, end: span.end, deed, what: what.to_owned() };
        self.slots.entry(name.to_owned()).or_default().push(event);
    }

    pub fn every_slot(&mut self, span: Span, deed: &SlotDeed, what: &str) {
        (1..=LAST_SLOT).for_each(|slot| self.slot(&slot.to_string(), span, deed.clone(), what));
    }

    /// Somebody wrote in this directory, which is a slot's if its name says so; one that was moved may be of any.
    pub fn touched(&mut self, dir: &Path, span: Span) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let what = format!("a write in {name}");
        match name.strip_prefix("pool-") {
            Some(slot) => self.slot(slot, span, SlotDeed::Touched, &what),
            None if name.starts_with("moved-") => self.every_slot(span, &SlotDeed::Touched, &what),
            None => {}
        }
    }

    pub fn every_task(&mut self, span: Span, deed: &Deed, what: &str) {
        NAMES.iter().for_each(|name| self.task(name, span, deed.clone(), what));
    }

    pub fn train(&mut self, span: Span, deed: TrainDeed, what: &str) {
        self.train.push(Event { begin: span.begin, end: span.end, deed, what: what.to_owned() });
    }

    /// A command, by its unique number, may change this object.
    pub fn attempt(&mut self, object: &str, span: Span, id: u64) {
        self.attempts.push((object.to_owned(), span, id));
    }

    /// A command has left the task half done.
    pub fn half(&mut self, name: &str, begin: u64, id: u64) {
        self.halves.push((name.to_owned(), begin, id));
    }

    /// A command has left something of this task or slot for others to settle; `*`: it doesn't say of which.
    pub fn leaves(&mut self, name: &str, begin: u64) {
        self.left.push((name.to_owned(), begin));
    }

    /// It was said of this task or slot that a command was cut off: nobody is killed here, so one has said so itself.
    pub fn cut_off(&mut self, name: &str, span: Span, what: &str) {
        self.cut_off.push((name.to_owned(), span, what.to_owned()));
    }

    /// It was refused because another was at the object.
    pub fn busy(&mut self, object: &str, span: Span, id: u64, what: &str) {
        self.busy.push((object.to_owned(), span, id, what.to_owned()));
    }

    /// It was refused for a state, or because another was at the object.
    pub fn between(&mut self, name: &str, span: Span, need: Need, id: u64, what: &str) {
        let deed = Deed::Refused(need);
        let event = Event { begin: span.begin, end: span.end, deed, what: what.to_owned() };
        self.between.push((name.to_owned(), event, need, id));
    }

    /// A foreign hand changed something of this task. If it is in a slot, its HEAD turns too.
    pub fn foreign(&mut self, name: &str, span: Span) {
        self.every_slot(span, &SlotDeed::Touched, "a foreign hand");
        self.foreign.push((name.to_owned(), span));
    }

    /// This only happens after a foreign hand.
    pub fn because_of_foreign(&mut self, name: &str, span: Span, id: u64, what: &str) {
        self.by_foreign.push((name.to_owned(), span, id, what.to_owned()));
    }

    /// It was refused because a task is locked, and it wasn't said which.
    pub fn locked(&mut self, span: Span, what: &str) {
        self.locked.push((span, what.to_owned()));
    }

    /// Whether a task was locked at some instant of this time and may have been so still.
    fn may_be_locked(&self, span: Span) -> bool {
        use Deed::{Landed, Lock, Release, Remove, Unlock};
        self.tasks.values().any(|events| {
            let ends = |by: &Event<Deed>, lock: &Event<Deed>| {
                matches!(by.deed, Unlock | Remove | Release | Landed { stays: Some(false) })
                    && lock.end < by.begin
                    && by.end < span.begin
            };
            let locks = events.iter().filter(|e| e.deed == Lock && e.begin <= span.end);
            locks.into_iter().any(|lock| !events.iter().any(|by| ends(by, lock)))
        })
    }

    /// This only happens while a foreign hand is at the task.
    pub fn while_foreign(&mut self, name: &str, span: Span, what: &str) {
        self.while_foreign.push((name.to_owned(), span, what.to_owned()));
    }

    /// A foreign hand committed to the branch that is integrated into.
    pub fn moves(&mut self, span: Span) {
        self.moves.push(span);
    }

    /// It gave up because that branch was moved so often meanwhile.
    pub fn outrun(&mut self, span: Span, times: usize, what: &str) {
        self.outrun.push((span, times, what.to_owned()));
    }

    /// It was mended, which only a foreign hand explains.
    pub fn mended(&mut self, name: &str, span: Span, id: u64, what: &str) {
        self.because_of_foreign(name, span, id, what);
        self.task(name, span, Deed::Mended, what);
    }

    /// It was refused because an integration has stopped, or has not, or another is running.
    pub fn train_refused(&mut self, span: Span, stopped: bool, id: u64, what: &str) {
        let deed = TrainDeed::Seen { stopped };
        let event = Event { begin: span.begin, end: span.end, deed, what: what.to_owned() };
        self.train_refused.push((event, id));
    }

    /// Adds what another worker did.
    pub fn merge(&mut self, other: History) {
        for (name, events) in other.tasks {
            self.tasks.entry(name).or_default().extend(events);
        }
        for (name, events) in other.slots {
            self.slots.entry(name).or_default().extend(events);
        }
        self.train.extend(other.train);
        self.attempts.extend(other.attempts);
        self.halves.extend(other.halves);
        self.cut_off.extend(other.cut_off);
        self.left.extend(other.left);
        self.busy.extend(other.busy);
        self.between.extend(other.between);
        self.foreign.extend(other.foreign);
        self.by_foreign.extend(other.by_foreign);
        self.locked.extend(other.locked);
        self.while_foreign.extend(other.while_foreign);
        self.moves.extend(other.moves);
        self.outrun.extend(other.outrun);
        self.train_refused.extend(other.train_refused);
        self.unexplained.extend(other.unexplained);
        for (key, count) in other.counts {
            *self.counts.entry(key).or_default() += count;
        }
    }

    fn has_neighbour(&self, object: &str, span: Span, id: u64) -> bool {
        // An integration may change any task, and not every command an integration.
        let same = |other: &str| {
            other == object || (object != TRAIN && (other == "*" || other == TRAIN)) || object == "*"
        };
        self.attempts.iter().any(|(other, at, who)| *who != id && same(other) && span.overlaps(*at))
    }

    /// Whether a task was said to be open again that had landed, and has no branch any more until it is restored.
    fn was_reopened(&self, name: &str, span: Span) -> bool {
        let events = self.tasks.get(name).map_or(&[][..], Vec::as_slice);
        let has = |deed: fn(&Deed) -> bool| events.iter().any(|e| e.begin <= span.end && deed(&e.deed));
        has(|deed| matches!(deed, Deed::Landed { .. } | Deed::Remove))
            && has(|deed| *deed == Deed::Say(Life::Open))
    }

    /// All that no legal order explains.
    pub fn judge(mut self) -> Vec<String> {
        let mut wrong = std::mem::take(&mut self.unexplained);
        for (name, begin, id) in std::mem::take(&mut self.halves) {
            // Others are at it until somebody has done what nobody may do before it is settled.
            let done = |e: &&Event<Deed>| e.begin >= begin && e.deed.is_alone();
            let events = self.tasks.get(&name).map_or(&[][..], Vec::as_slice);
            let end = events.iter().filter(done).map(|e| e.end).min().unwrap_or(u64::MAX);
            self.attempts.push((name, Span { begin, end }, id));
        }
        for (object, span, what) in &self.cut_off {
            let left = |(name, begin): &(String, u64)| (name == object || name == "*") && *begin <= span.end;
            if !self.left.iter().any(left) {
                wrong.push(format!("nobody has left '{object}' half done:\n{what}"));
            }
        }
        for (object, span, id, what) in &self.busy {
            if !self.has_neighbour(object, *span, *id) {
                wrong.push(format!("nobody was at '{object}' meanwhile:\n{what}"));
            }
        }
        for (name, event, _, id) in std::mem::take(&mut self.between) {
            if !self.has_neighbour(&name, Span { begin: event.begin, end: event.end }, id) {
                self.tasks.entry(name).or_default().push(event);
            }
        }
        for (event, id) in std::mem::take(&mut self.train_refused) {
            if !self.has_neighbour(TRAIN, Span { begin: event.begin, end: event.end }, id) {
                self.train.push(event);
            }
        }
        for (name, span, id, what) in &self.by_foreign {
            if !self.foreign.iter().any(|(n, at)| n == name && at.begin <= span.end)
                && !self.has_neighbour(name, *span, *id)
                && !self.was_reopened(name, *span)
            {
                wrong.push(format!("no foreign hand was at '{name}':\n{what}"));
            }
        }
        for (name, span, what) in &self.while_foreign {
            if !self.foreign.iter().any(|(n, at)| n == name && at.overlaps(*span)) {
                wrong.push(format!("no foreign hand was at '{name}' just then:\n{what}"));
            }
        }
        for (span, what) in &self.locked {
            if !self.may_be_locked(*span) {
                wrong.push(format!("no task was locked:\n{what}"));
            }
        }
        for (span, times, what) in &self.outrun {
            let moves = self.moves.iter().filter(|at| at.overlaps(*span)).count();
            if moves < *times {
                wrong.push(format!("the target was moved {moves} times meanwhile:\n{what}"));
            }
        }
        for (name, events) in &self.tasks {
            wrong.extend(illegal(&format!("task '{name}'"), Task::START, events));
        }
        for (name, events) in &self.slots {
            wrong.extend(illegal(&format!("slot {name}"), Slot::Free, events));
        }
        wrong.extend(illegal("the integration", Train { stopped: false }, &self.train));
        wrong
    }
}

/// Says what is illegal, with what came before it.
fn illegal<M: Model>(what: &str, start: M, events: &[Event<M::Deed>]) -> Option<String>
where
    M::Deed: Debug,
{
    const BEFORE: usize = 14;
    let found = search(start, events).err()?;
    let at = &events[found.event];
    let mut earlier: Vec<_> = events.iter().filter(|e| e.begin <= at.end).collect();
    earlier.sort_by_key(|e| e.end);
    let shown = earlier.iter().rev().take(BEFORE).rev();
    let lines: Vec<_> =
        shown.map(|e| format!("  {}..{} {:?}  {}", e.begin, e.end, e.deed, first_line(&e.what))).collect();
    Some(format!(
        "{what}: no legal order explains {}..{} {:?}\nof {}\nThe states possible then: {:?}\n{}",
        at.begin,
        at.end,
        at.deed,
        at.what,
        found.states,
        lines.join("\n")
    ))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
