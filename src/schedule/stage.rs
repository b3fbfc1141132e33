//! One task's way through its stages: what happens in the thread that looks after it.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::command::Chosen;
use super::process::signal;
use super::run_plan::{Plan, Planned};
use super::run_record::{Event, Outcome, RunRecord, Stamped};
use super::session::{self, GRACE, Launch, Live};
use super::take_over::{Miss, TakenOver, miss, take_over};
use crate::config::Sync;
use crate::config::team;
use crate::desk::session as records;
use crate::duration;
use crate::error::{Failure, Kind, Result};
use crate::task::record::Latest;
use crate::task::state::Action;
use crate::task::{Desk, Observer, State, Task, events, life, place, sync};

/// What the thread of a task tells the one that runs the graph.
#[derive(Debug)]
pub enum Told {
    /// Something happened, and is on record.
    Event(Stamped),
    /// Something is not as it should be (true), or may be worth knowing.
    Said(String, bool),
    /// It is over for this task.
    End(usize, End),
}

/// How it ended for a task.
#[derive(Debug)]
pub enum End {
    /// It came to an end of its own.
    Came {
        /// Which one.
        outcome: Outcome,
        /// Why, unless it succeeded.
        reason: Option<String>,
        /// The task was marked as blocked.
        marked: bool,
        /// How long it took.
        seconds: f64,
    },
    /// The run is being ended.
    Cancelled,
    /// The run can't go on.
    Trouble(Failure),
}

/// What all threads of a run share.
pub struct Shared<'a> {
    /// What is done.
    pub plan: &'a Plan,
    /// Where it is remembered.
    pub record: &'a Mutex<RunRecord>,
    /// The run is being ended.
    pub cancelled: &'a AtomicBool,
    /// The tasks as they are.
    pub tasks: &'a Latest,
}

/// Tells the user through the thread that runs the graph.
pub struct Teller(pub Sender<Told>);

impl Observer for Teller {
    fn step(&self, _: &str) -> Box<dyn std::any::Any> {
        Box::new(())
    }

    fn warn(&self, message: &str) {
        // Nobody listens any more: the run is over.
        let _ = self.0.send(Told::Said(message.to_owned(), true));
    }

    fn note(&self, message: &str) {
        let _ = self.0.send(Told::Said(message.to_owned(), false));
    }
}

/// Why a task goes no further; everything but an end of its own comes by `?`.
enum Stop {
    Outcome(Outcome, String, bool),
    Cancelled,
    Trouble(Failure),
}

/// A session, or a gate, of one stage.
#[derive(Clone, Copy)]
struct Step<'a> {
    stage: &'a team::Stage,
    gate: bool,
}

/// Takes one task through its stages.
pub fn take_through(desk: &Desk<'_>, shared: &Shared<'_>, index: usize, tell: &Sender<Told>) -> End {
    let begun = Instant::now();
    let planned = &shared.plan.tasks[index];
    let way = Way { desk, shared, planned, tell };
    let (outcome, reason, marked) = match way.go() {
        Ok(()) => (Outcome::Succeeded, None, false),
        Err(Stop::Outcome(outcome, reason, marked)) => (outcome, Some(reason), marked),
        Err(Stop::Cancelled) => return End::Cancelled,
        Err(Stop::Trouble(failure)) => return End::Trouble(failure),
    };
    if outcome == Outcome::Failed
        && let Err(failure) = way.raise(team::Event::Failed)
    {
        desk.observer.warn(&failure.message());
    }
    End::Came { outcome, reason, marked, seconds: begun.elapsed().as_secs_f64() }
}

struct Way<'a> {
    desk: &'a Desk<'a>,
    shared: &'a Shared<'a>,
    planned: &'a Planned,
    tell: &'a Sender<Told>,
}

impl Way<'_> {
    fn go(&self) -> Result<(), Stop> {
        let Some(path) = self.planned.path.as_deref() else {
            return Err(Stop::Outcome(Outcome::Failed, "it has no worktree".to_owned(), false));
        };
        self.reopen()?;
        self.bring_in()?;
        for (at, stage) in self.shared.plan.stages.iter().enumerate() {
            if !self.planned.past.worked.contains(&stage.name) {
                self.work(path, at, stage)?;
            }
            if let Some(gate) =
                stage.gate.as_ref().filter(|_| !self.planned.past.passed.contains(&stage.name))
            {
                self.pass(path, stage, gate)?;
            }
            self.require_unblocked()?;
        }
        Ok(())
    }

    /// What an earlier run marked as blocked is tried again.
    fn reopen(&self) -> Result<(), Stop> {
        let Some(reason) = &self.planned.past.marked else { return Ok(()) };
        let task = self.now()?;
        if task.state != State::Blocked || task.reason.as_ref() != Some(reason) {
            return Ok(());
        }
        self.change(Action::Reopen, None).map(drop)
    }

    /// The base, and the work of those that it comes after.
    fn bring_in(&self) -> Result<(), Stop> {
        let (past, task) = (&self.planned.past, &self.planned.task);
        let has_begun = past.synced || past.open.is_some() || !past.worked.is_empty();
        // A command that is run everywhere doesn't move what stands for itself.
        let is_visit = !self.shared.plan.asked.command.is_empty()
            && (self.planned.brings.is_empty() || task.state != State::Open);
        if has_begun || is_visit {
            return Ok(());
        }
        let tasks = self.failing(self.shared.tasks.read(self.desk.repo))?;
        let task = Task { after: self.planned.brings.clone(), ..task.clone() };
        let how = if self.planned.brings.len() > 1 { Sync::Merge } else { self.desk.settings.sync };
        let worktrees = &self.shared.plan.worktrees;
        match self.desk.patiently(|| Ok(()), || sync::sync(self.desk, &task, &tasks, worktrees, how)) {
            Ok(_) => self.put(Event::Synced { task: task.slug.to_string() }),
            Err(_) if self.is_cancelled() => Err(Stop::Cancelled),
            Err(failure) => Err(self.block(failure.message())?),
        }
    }

    /// The session of a stage, as often as it may be tried.
    fn work(&self, path: &Path, at: usize, stage: &team::Stage) -> Result<(), Stop> {
        let step = Step { stage, gate: false };
        let asked = &self.shared.plan.asked;
        let open = self.planned.past.open.as_ref().filter(|open| open.stage == stage.name && !open.gate);
        let first = open.map_or(1, |open| open.attempt);
        for attempt in first.. {
            let make = || self.planned.work[at].fill_in(self.desk, &self.planned.task, path);
            let how = self.attempt(path, step, attempt, make)?;
            let Some(miss) = how else { return Ok(()) };
            self.require_unblocked()?;
            if attempt > asked.retry || miss.is_final {
                let stage = self.stage_for_eyes(stage);
                return Err(Stop::Outcome(Outcome::Failed, format!("{stage}{}", miss.reason), false));
            }
        }
        Ok(())
    }

    /// The gate behind a stage.
    fn pass(&self, path: &Path, stage: &team::Stage, gate: &str) -> Result<(), Stop> {
        let step = Step { stage, gate: true };
        let make = || Chosen::line(gate).fill_in(self.desk, &self.planned.task, path);
        match self.attempt(path, step, 1, make)? {
            None => Ok(()),
            Some(miss) => Err(self.block(format!("the gate of stage '{}' {}", stage.name, miss.reason))?),
        }
    }

    /// "stage 'build' ", where there are several.
    fn stage_for_eyes(&self, stage: &team::Stage) -> String {
        match self.shared.plan.stages.len() {
            1 => String::new(),
            _ => format!("stage '{}' ", stage.name),
        }
    }

    /// Starts a command, or takes over what an earlier run left, and waits for it. Why it didn't succeed, if it
    /// didn't.
    fn attempt(
        &self,
        path: &Path,
        step: Step<'_>,
        attempt: u32,
        make: impl FnOnce() -> Result<(Vec<OsString>, String)>,
    ) -> Result<Option<Miss>, Stop> {
        let begun = Instant::now();
        let task = self.planned.task.slug.as_str();
        let state_dir = self.desk.repo.state_dir();
        let stage = step.stage.name.clone();
        let left = self
            .planned
            .past
            .open
            .as_ref()
            .filter(|open| open.stage == stage && open.gate == step.gate && open.attempt == attempt);
        let taken_over = match left {
            Some(open) => self.failing(take_over(&state_dir, task, open.session))?,
            None => None,
        };
        let how = match taken_over {
            Some(TakenOver::Ended(how)) => Ok(miss(how)),
            Some(TakenOver::Lives(live)) => self.wait(*live, begun),
            None => {
                let last = self.failing(records::last(&state_dir, task))?;
                let session = last.map_or(1, |s| s.number + 1);
                let (argv, shown) = self.failing(make())?;
                let started = Event::Started {
                    task: task.to_owned(),
                    stage: stage.clone(),
                    gate: step.gate,
                    attempt,
                    session,
                };
                self.put(started)?;
                let name = if step.gate { "gate" } else { stage.as_str() };
                let launch = Launch {
                    task: &self.planned.task,
                    path,
                    name: Some(name),
                    argv,
                    shown,
                    vars: vec![("GIT_TASK_STAGE", stage.as_str().into())],
                    at_most: None,
                    tasks: self.shared.tasks,
                };
                match session::background(self.desk, &launch) {
                    Ok(live) => self.wait(live, begun),
                    Err(failure) => self.failing(Err(failure)),
                }
            }
        };
        let how = match how {
            Err(Stop::Cancelled) => Some(Miss { reason: "was stopped".to_owned(), is_final: true }),
            Err(Stop::Outcome(_, reason, _)) => Some(Miss { reason, is_final: true }),
            other => other?,
        };
        self.put(Event::Exited {
            task: task.to_owned(),
            stage,
            gate: step.gate,
            attempt,
            ok: how.is_none(),
            reason: how.as_ref().map(|miss| miss.reason.clone()),
            seconds: begun.elapsed().as_secs_f64(),
        })?;
        if self.is_cancelled() && how.as_ref().is_some_and(|miss| miss.is_final) {
            return Err(Stop::Cancelled);
        }
        Ok(how)
    }

    /// Waits for the end of a session, for no longer than it may take. Ends it when the run is being ended.
    fn wait(&self, mut live: Live, begun: Instant) -> Result<Option<Miss>, Stop> {
        let limit = self.shared.plan.asked.timeout.map(Duration::from_secs);
        loop {
            if let Some(session) = self.failing(live.ended())? {
                return Ok(miss(session.ended.map_or(records::How::Unknown, |ended| ended.how)));
            }
            if self.is_cancelled() {
                self.end(&mut live);
                return Err(Stop::Cancelled);
            }
            let taken = begun.elapsed();
            if let Some(limit) = limit.filter(|limit| taken >= *limit) {
                self.end(&mut live);
                let reason = format!("took longer than {}", duration::span(limit));
                return Ok(Some(Miss { reason, is_final: false }));
            }
            // A short one is not kept waiting, and a long one is not looked at often.
            let pause = (taken / 20).clamp(Duration::from_millis(1), Duration::from_millis(50));
            std::thread::sleep(pause);
        }
    }

    /// Asks all processes of a session to end, and kills those that don't. When it returns its end is on record.
    fn end(&self, live: &mut Live) {
        for what in [Signal::TERM, Signal::KILL] {
            signal(live.session(), what);
            // What is suspended hears nothing until it goes on.
            signal(live.session(), Signal::CONT);
            let asked = Instant::now();
            while asked.elapsed() < GRACE {
                if live.session().processes().is_empty() && !matches!(live.ended(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.desk.observer.warn(&format!("the session of task '{}' does not end", live.session().task));
    }

    /// The worker may have said himself that it can't go on.
    fn require_unblocked(&self) -> Result<(), Stop> {
        let task = self.now()?;
        match task.state {
            State::Blocked => {
                let reason = task.reason.unwrap_or_else(|| "it says that it is blocked".to_owned());
                Err(Stop::Outcome(Outcome::Blocked, reason, false))
            }
            _ => Ok(()),
        }
    }

    /// Marks the task as blocked.
    fn block(&self, reason: String) -> Result<Stop, Stop> {
        self.change(Action::Block, Some(&reason))?;
        self.failing(self.raise(team::Event::Blocked))?;
        Ok(Stop::Outcome(Outcome::Blocked, reason, true))
    }

    fn change(&self, action: Action, reason: Option<&str>) -> Result<Task, Stop> {
        let name = self.planned.task.slug.as_str();
        let changed = life::change(self.desk, name, action, reason, &mut self.shared.plan.worktrees.clone());
        self.failing(changed).map(|(task, _)| task)
    }

    fn raise(&self, event: team::Event) -> Result<()> {
        let worktrees = &self.shared.plan.worktrees;
        let head = place::head_of(self.desk.repo, &self.planned.task, worktrees)?;
        events::raise(self.desk, event, &self.planned.task, self.planned.path.as_deref(), head)
    }

    fn now(&self) -> Result<Task, Stop> {
        let tasks = self.failing(self.shared.tasks.read(self.desk.repo))?;
        self.failing(tasks.require(self.planned.task.slug.as_str())).cloned()
    }

    fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// What goes wrong for this task alone is its failure.
    fn failing<T>(&self, result: Result<T>) -> Result<T, Stop> {
        result.map_err(|failure| match failure.kind {
            Kind::Interrupted => Stop::Cancelled,
            _ if self.is_cancelled() => Stop::Cancelled,
            _ => Stop::Outcome(Outcome::Failed, failure.message(), false),
        })
    }

    /// Puts it on record, then tells it.
    fn put(&self, event: Event) -> Result<(), Stop> {
        let stamped = Stamped { time: self.desk.context.now(), event };
        let mut record = self.shared.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.add(&stamped).map_err(Stop::Trouble)?;
        drop(record);
        let _ = self.tell.send(Told::Event(stamped));
        Ok(())
    }
}
