//! The run of many tasks: as many at once as the limits allow, each at its own pace.
//!
//! One thread runs the graph, and each task under way has one of its own. What happens is on record before it is
//! told to anybody. The run ends early if the user says so or if nothing can be recorded any more; the sessions
//! are ended then, and what was done is not done again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::graph::{Mark, Next, Schedule};
use super::load::{self, MaxLoad};
use super::run_plan::Plan;
use super::run_record::{Event, Limit, Outcome, RunRecord, Stamped};
use super::stage::{End, Shared, Teller, Told, take_through};
use crate::error::{Failure, Result};
use crate::interrupt;
use crate::task::record::Latest;
use crate::task::{Desk, State};

/// Who hears what happens.
pub trait Listener {
    /// Something happened.
    fn event(&mut self, stamped: &Stamped);
    /// Something is not as it should be.
    fn warn(&mut self, message: &str);
    /// Something the user may want to know.
    fn note(&mut self, message: &str);
    /// Some time has passed.
    fn tick(&mut self);
    /// Integrates these tasks of a phase, which came to their end.
    ///
    /// # Errors
    /// If it can't; the next phase can't start then.
    fn integrate(&mut self, tasks: &[String]) -> Result<Closed>;
}

/// What came of closing a phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// The tasks that landed.
    pub landed: Vec<String>,
    /// The tasks that were left out, and why.
    pub left_out: Vec<(String, String)>,
    /// Why the next phase can't start.
    pub stopped: Option<String>,
}

/// How it ended for one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which task.
    pub task: String,
    /// How; absent if it was never its turn, because the run was ended.
    pub outcome: Option<Outcome>,
    /// Why, unless it succeeded.
    pub reason: Option<String>,
    /// How long it was under way, in seconds.
    pub seconds: f64,
}

/// How it ended for all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// For each task, in the order of the plan.
    pub rows: Vec<Row>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How much longer the same would have taken one after the other.
    pub saved: f64,
    /// What held tasks back, and how many at most.
    pub held: Vec<(Limit, usize)>,
    /// Somebody ended it.
    pub interrupted: bool,
    /// Why a phase could not be integrated.
    pub stopped: Option<String>,
}

impl Summary {
    /// How many tasks ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == Some(outcome)).count()
    }
}

/// How often the one who runs the graph looks up from waiting: for Ctrl-C, and for whoever watches.
const LOOK: Duration = Duration::from_millis(50);

/// How often the load is asked for while it holds tasks back.
const LOAD: Duration = Duration::from_secs(1);

/// Runs it to its end.
///
/// # Errors
/// If what happens can't be put on record; all sessions have been ended then.
pub fn run(desk: &Desk<'_>, plan: &Plan, record: RunRecord, listener: &mut dyn Listener) -> Result<Summary> {
    let record = Mutex::new(record);
    let cancelled = AtomicBool::new(false);
    let shared = Shared { plan, record: &record, cancelled: &cancelled, tasks: &Latest::default() };
    let (repo, settings, context) = (desk.repo, desk.settings, desk.context);
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        let mut graph = Graph {
            desk,
            shared: &shared,
            schedule: plan.schedule.clone(),
            listener,
            rows: plan.tasks.iter().map(|p| Row::of(p.task.slug.as_str())).collect(),
            max_load: plan.asked.max_load.map(MaxLoad::new),
            load: None,
            held: Vec::new(),
            trouble: None,
            stopped: None,
        };
        let begun = Instant::now();
        graph.settle_what_is_over();
        loop {
            if interrupt::requested() || graph.trouble.is_some() {
                cancelled.store(true, Ordering::Relaxed);
            }
            while let Some(index) = graph.next() {
                let (shared, tell) = (&shared, tell.clone());
                scope.spawn(move || {
                    let teller = Teller(tell.clone());
                    let desk = Desk { repo, settings, context, observer: &teller };
                    let end = take_through(&desk, shared, index, &tell);
                    // The receiver lives as long as the scope.
                    let _ = tell.send(Told::End(index, end));
                });
            }
            if graph.is_over() {
                break;
            }
            // Nothing within that time is no error: somebody may have pressed Ctrl-C.
            if let Ok(first) = told.recv_timeout(LOOK) {
                graph.take(first);
                told.try_iter().for_each(|more| graph.take(more));
            }
            graph.listener.tick();
        }
        graph.finish(begun.elapsed())
    })
}

impl Row {
    fn of(task: &str) -> Self {
        Row { task: task.to_owned(), outcome: None, reason: None, seconds: 0.0 }
    }
}

/// The graph while it runs.
struct Graph<'a> {
    desk: &'a Desk<'a>,
    shared: &'a Shared<'a>,
    schedule: Schedule,
    listener: &'a mut dyn Listener,
    rows: Vec<Row>,
    max_load: Option<MaxLoad>,
    /// When the load held something back, until when it is not asked for again.
    load: Option<Instant>,
    held: Vec<(Limit, usize)>,
    trouble: Option<Failure>,
    stopped: Option<String>,
}

impl Graph<'_> {
    /// The tasks that have been done, or are blocked, before the run begins.
    fn settle_what_is_over(&mut self) {
        for index in 0..self.shared.plan.tasks.len() {
            let planned = &self.shared.plan.tasks[index];
            let (past, task) = (&planned.past, &planned.task);
            if past.outcome == Some(Outcome::Succeeded) || planned.settled == Some(true) {
                let why = if past.outcome.is_some() { "before" } else { "was ready" };
                self.rows[index].outcome = Some(Outcome::Succeeded);
                self.rows[index].reason = Some(why.to_owned());
                self.schedule.settle_unstarted(index, true);
            } else if planned.settled == Some(false) && (past.marked.is_none() || past.marked != task.reason)
            {
                // Another one may have blocked it already.
                if matches!(self.schedule.mark(index), Mark::Blocked(_)) {
                    continue;
                }
                let reason = task.reason.clone().unwrap_or_else(|| State::Blocked.to_string());
                self.put_end(index, Outcome::Blocked, Some(reason), false, 0.0);
                let behind = self.schedule.settle_unstarted(index, false);
                self.block(&behind);
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// Whether nothing is under way, and nothing can or may start.
    fn is_over(&self) -> bool {
        self.schedule.is_over() || (self.is_cancelled() && self.schedule.running() == 0)
    }

    /// A task that may start now.
    fn next(&mut self) -> Option<usize> {
        while !self.is_cancelled() {
            if self.is_held_by_load() {
                return None;
            }
            match self.schedule.next(self.shared.plan.asked.jobs) {
                Some(Next::Task(index)) => {
                    if let Some(max) = &mut self.max_load {
                        max.started(Instant::now());
                    }
                    return Some(index);
                }
                Some(Next::Close(phase)) => self.close(phase),
                None => {
                    let waiting = self.schedule.waiting();
                    if waiting > 0 {
                        self.hold(Limit::Jobs, waiting, None);
                    }
                    return None;
                }
            }
        }
        None
    }

    /// Nothing is held back if nothing runs: the run would never end.
    fn is_held_by_load(&mut self) -> bool {
        let (waiting, running) = (self.schedule.waiting(), self.schedule.running());
        let Some(max) = &mut self.max_load else { return false };
        if waiting == 0 || running == 0 || running >= self.shared.plan.asked.jobs {
            return false;
        }
        let now = Instant::now();
        if self.load.is_some_and(|until| now < until) {
            return true;
        }
        let Some(load) = load::average().and_then(|load| max.forbids(now, load)) else {
            self.load = None;
            return false;
        };
        self.load = Some(now + LOAD);
        self.hold(Limit::Load, waiting, Some(load));
        true
    }

    /// Says once that a limit holds tasks back, and remembers how many.
    fn hold(&mut self, by: Limit, waiting: usize, load: Option<u32>) {
        match self.held.iter_mut().find(|(known, _)| *known == by) {
            Some((_, most)) => *most = waiting.max(*most),
            None => {
                self.held.push((by, waiting));
                self.put(Event::Held { by, waiting, load });
            }
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Event(stamped) => self.listener.event(&stamped),
            Told::Said(message, true) => self.listener.warn(&message),
            Told::Said(message, false) => self.listener.note(&message),
            Told::End(index, End::Came { outcome, reason, marked, seconds }) => {
                self.put_end(index, outcome, reason, marked, seconds);
                let behind = self.schedule.end(index, outcome == Outcome::Succeeded);
                self.block(&behind);
            }
            // Nothing starts any more, so it doesn't matter what this would hold up.
            Told::End(index, End::Cancelled) => drop(self.schedule.end(index, false)),
            Told::End(index, End::Trouble(failure)) => {
                drop(self.schedule.end(index, false));
                self.trouble.get_or_insert(failure);
            }
        }
    }

    /// These can't start because of what has failed.
    fn block(&mut self, behind: &[usize]) {
        for &index in behind {
            let Mark::Blocked(cause) = self.schedule.mark(index) else { continue };
            let reason = match self.rows.get(cause) {
                Some(row) => {
                    let how = row.outcome.unwrap_or(Outcome::Failed);
                    let how = if how == Outcome::Failed { "failed" } else { "is blocked" };
                    format!("it comes after '{}', which {how}", row.task)
                }
                None => "the phase before it was not integrated".to_owned(),
            };
            self.put_end(index, Outcome::Blocked, Some(reason), false, 0.0);
        }
    }

    fn close(&mut self, phase: usize) {
        let mut closed = Closed::default();
        if self.shared.plan.asked.integrate {
            let done = self.schedule.members(phase).iter();
            let done = done.filter(|i| self.schedule.mark(**i) == Mark::Done);
            let done: Vec<String> = done.map(|i| self.rows[*i].task.clone()).collect();
            closed = self
                .listener
                .integrate(&done)
                .unwrap_or_else(|failure| Closed { stopped: Some(failure.message()), ..Closed::default() });
            for (task, why) in std::mem::take(&mut closed.left_out) {
                if let Some(index) = self.rows.iter().position(|row| row.task == task) {
                    let seconds = self.rows[index].seconds;
                    self.put_end(index, Outcome::Blocked, Some(why), false, seconds);
                }
            }
            self.put(Event::Integrated { tasks: closed.landed, reason: closed.stopped.clone() });
            self.stopped = self.stopped.take().or(closed.stopped.clone());
        }
        let behind = self.schedule.end(phase, closed.stopped.is_none());
        self.block(&behind);
    }

    fn put_end(
        &mut self,
        index: usize,
        outcome: Outcome,
        reason: Option<String>,
        marked: bool,
        seconds: f64,
    ) {
        let task = self.rows[index].task.clone();
        self.rows[index] =
            Row { task: task.clone(), outcome: Some(outcome), reason: reason.clone(), seconds };
        self.put(Event::Ended { task, outcome, reason, marked, seconds });
    }

    /// Puts it on record, then tells it.
    fn put(&mut self, event: Event) {
        let stamped = Stamped { time: self.desk.context.now(), event };
        let mut record = self.shared.record.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(failure) = record.add(&stamped) {
            self.trouble.get_or_insert(failure);
        }
        drop(record);
        self.listener.event(&stamped);
    }

    fn finish(mut self, took: Duration) -> Result<Summary> {
        let seconds = took.as_secs_f64();
        let mut summary = Summary {
            seconds,
            saved: (self.rows.iter().map(|row| row.seconds).sum::<f64>() - seconds).max(0.0),
            interrupted: self.is_cancelled(),
            held: std::mem::take(&mut self.held),
            stopped: self.stopped.take(),
            rows: std::mem::take(&mut self.rows),
        };
        self.put(Event::Over {
            interrupted: summary.interrupted,
            succeeded: summary.count(Outcome::Succeeded),
            failed: summary.count(Outcome::Failed),
            blocked: summary.count(Outcome::Blocked),
            seconds,
            saved: summary.saved,
        });
        match self.trouble.take() {
            Some(failure) => Err(failure),
            None => {
                summary.interrupted &= interrupt::requested();
                Ok(summary)
            }
        }
    }
}
