//! Starting a session, waiting for it, ending it. Its record is in [`crate::desk::session`].

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{process, supervise, terminal};
use crate::desk::session::{self, Session, UNSEEN};
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::without_repository;
use crate::interrupt;
use crate::paths::is_there;
use crate::store::record::intents;
use crate::task::record::Latest;
use crate::task::{Desk, Task, place, setup, taken};
use crate::text::escape_controls;

/// So many sessions of a task are remembered, with their logs.
const REMEMBERED: usize = 20;

/// How long a session has to end after it was asked to, before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);

/// A pause between two looks at a process that can't be waited for.
const LOOK: Duration = Duration::from_millis(10);

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// The task that it works on.
    pub task: &'a Task,
    /// Where it works: the task's worktree.
    pub path: &'a Path,
    /// The name of the `session.<name>`, if it comes from there.
    pub name: Option<&'a str>,
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// The command for eyes, such as the command line that became `sh -c <line>`.
    pub shown: String,
    /// Variables besides those of the task.
    pub vars: Vec<(&'static str, OsString)>,
    /// Refuses if so many sessions of the repository run.
    pub at_most: Option<usize>,
    /// Where the tasks as they are now are read.
    pub tasks: &'a Latest,
}

/// A session that was started, or found running.
#[derive(Debug)]
pub struct Live {
    session: Session,
    dir: PathBuf,
    /// If we have started it: the process that watches over it and ends after it.
    supervisor: Option<Child>,
}

/// Starts a session in the background: in a process group of its own, without a terminal, its output in a log.
/// When this returns it runs and is on record, and goes on whatever becomes of us.
///
/// # Errors
/// If the task has a session already, is being changed, or has gone; if so many as allowed run; or if it
/// can't be started. Nothing runs then.
pub fn background(desk: &Desk<'_>, launch: &Launch<'_>) -> Result<Live> {
    let claim = desk.patiently(|| Ok(()), || claim(desk, launch, true))?;
    let started = (|| {
        let mut command = supervise::supervisor(&claim.dir, desk.settings.session.log_limit, &launch.argv)?;
        prepare(&mut command, desk, launch);
        // The lock goes with it: it is held until the last of us has let go.
        let lock = claim.lock.try_clone().or_fatal(|| "cannot hand the lock on")?;
        command.stdin(Stdio::from(lock)).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut supervisor = command.spawn().or_fatal(|| "cannot run git-task")?;
        drop(command);
        let mut answer = Vec::new();
        let stdout = supervisor.stdout.as_mut().expect("stdout was asked to be a pipe");
        stdout.read_to_end(&mut answer).or_fatal(|| "cannot read from git-task")?;
        Ok((supervisor, answer))
    })();
    let (mut supervisor, answer) = match started {
        Ok(started) => started,
        Err(failure) => {
            claim.take_back();
            return Err(failure);
        }
    };
    if answer != supervise::RUNS {
        let _ = supervisor.wait();
        claim.take_back();
        let said = String::from_utf8_lossy(&answer).into_owned();
        return Err(Failure::fatal(if said.is_empty() {
            "the process that watches over the session was killed".to_owned()
        } else {
            said
        }));
    }
    let session = session::last(&desk.repo.state_dir(), launch.task.slug.as_str())?.unwrap_or(claim.session);
    Ok(Live { session, dir: claim.dir, supervisor: Some(supervisor) })
}

/// Runs a session with the terminal handed over whole, to its end. Signals that reach us are passed on.
///
/// # Errors
/// As [`background`].
pub fn foreground(desk: &Desk<'_>, launch: &Launch<'_>) -> Result<Session> {
    let Claim { lock, dir, mut session } = desk.patiently(|| Ok(()), || claim(desk, launch, false))?;
    let started = supervise::leader(&dir, &launch.argv).and_then(|mut command| {
        prepare(&mut command, desk, launch);
        command.current_dir(launch.path);
        terminal::run(&dir, &mut session, command)
    });
    let how = match started {
        Ok(how) => how,
        Err(failure) => {
            let _ = session::forget_running(&dir);
            return Err(failure);
        }
    };
    let left = session.processes().len();
    let ended = session::Ended { at: Some(desk.context.now()), how, left, lost: 0 };
    session.ended = Some(ended);
    session::put_ended(&dir, &session)?;
    drop(lock);
    Ok(session)
}

/// The session that runs for a task, to be waited for.
///
/// # Errors
/// If its record can't be read.
pub fn attach(state_dir: &Path, task: &str) -> Result<Option<Live>> {
    let found = session::running(state_dir, task)?;
    Ok(found.map(|session| Live { session, dir: session::dir(state_dir, task), supervisor: None }))
}

impl Live {
    /// What is known about it.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Waits for its end, and says how it ended. Blocks without using the processor; made for a thread of its
    /// own.
    ///
    /// # Errors
    /// If its record can't be read.
    pub fn wait(mut self) -> Result<Session> {
        match &mut self.supervisor {
            Some(supervisor) => drop(supervisor.wait()),
            None => drop(session::open_lock(&self.dir)?.lock_shared()),
        }
        loop {
            if let Some(session) = self.ended()? {
                return Ok(session);
            }
            // Who watched over it was killed, and it goes on.
            std::thread::sleep(LOOK * 5);
        }
    }

    /// How it ended, if it has. Costs no more than a look at a file and at a process.
    ///
    /// # Errors
    /// If its record can't be read.
    pub fn ended(&mut self) -> Result<Option<Session>> {
        if let Some(supervisor) = &mut self.supervisor
            && matches!(supervisor.try_wait(), Ok(None))
        {
            return Ok(None);
        }
        let (number, task) = (self.session.number, self.session.task.as_str());
        let state_dir = self.dir.ancestors().nth(2).unwrap_or(&self.dir);
        let runs = session::running(state_dir, task)?.is_some_and(|s| s.number == number);
        if runs {
            return Ok(None);
        }
        let last = session::last(state_dir, task)?.filter(|s| s.number == number && s.ended.is_some());
        Ok(Some(last.unwrap_or_else(|| Session { ended: Some(UNSEEN), ..self.session.clone() })))
    }
}

/// What was done to end a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It ended when it was asked to.
    Politely,
    /// It had to be killed.
    Killed,
}

/// Ends the session of a task and all that is left in its process group: asks, waits for `grace`, kills.
/// None if nothing runs.
///
/// # Errors
/// If it can't be reached, doesn't end, or the user interrupts.
pub fn stop(state_dir: &Path, task: &str, grace: Duration) -> Result<Option<(Session, Stopped)>> {
    let Some(session) = to_be_stopped(state_dir, task)? else { return Ok(None) };
    if !process::signal(&session, Signal::TERM) {
        // It ended by itself just now, unless it can't be seen from here.
        return match wait_until_gone(state_dir, &session, GRACE)? {
            true => Ok(Some((session, Stopped::Politely))),
            false => Err(Failure::fatal(format!(
                "cannot reach the session of task '{task}' ({}): it runs in another container",
                session.who()
            ))),
        };
    }
    // What is suspended hears nothing until it goes on.
    process::signal(&session, Signal::CONT);
    if wait_until_gone(state_dir, &session, grace)? {
        return Ok(Some((session, Stopped::Politely)));
    }
    process::signal(&session, Signal::KILL);
    if wait_until_gone(state_dir, &session, GRACE)? {
        return Ok(Some((session, Stopped::Killed)));
    }
    Err(Failure::fatal(format!("the session of task '{task}' ({}) does not end", session.who())))
}

/// The session that runs, as soon as its process is known, or the last one if it has left something running.
fn to_be_stopped(state_dir: &Path, task: &str) -> Result<Option<Session>> {
    let begun = Instant::now();
    loop {
        match session::running(state_dir, task)? {
            Some(session) if session.process.is_none() && begun.elapsed() < GRACE => {
                interrupt::check()?;
                std::thread::sleep(LOOK);
            }
            Some(session) => return Ok(Some(session)),
            None => return Ok(session::last(state_dir, task)?.filter(|s| !s.processes().is_empty())),
        }
    }
}

/// Waits until no process of the session is left and its end is on record.
fn wait_until_gone(state_dir: &Path, session: &Session, limit: Duration) -> Result<bool> {
    let begun = Instant::now();
    loop {
        let is_same = |s: Session| s.number == session.number;
        let runs = session::running(state_dir, &session.task)?.is_some_and(is_same);
        if !runs && session.processes().is_empty() {
            return Ok(true);
        }
        if begun.elapsed() >= limit {
            return Ok(false);
        }
        interrupt::check()?;
        std::thread::sleep(LOOK);
    }
}

/// A task's sessions are ours: nobody else starts one.
struct Claim {
    lock: File,
    dir: PathBuf,
    session: Session,
}

impl Claim {
    fn take_back(&self) {
        // What can't be removed is seen as cut off by the next one.
        let _ = session::forget_running(&self.dir);
    }
}

/// Makes sure that the task may have a session now, and notes that one is being started.
fn claim(desk: &Desk<'_>, launch: &Launch<'_>, background: bool) -> Result<Claim> {
    let task = launch.task.slug.as_str();
    let state_dir = desk.repo.state_dir();
    let dir = session::dir(&state_dir, task);
    // Under this lock removals and renames say what they are about to do, and sessions are counted.
    let held = desk.lock()?;
    if launch.tasks.read(desk.repo)?.find(task).is_none_or(|t| t.branch != launch.task.branch) {
        return Err(Failure::fatal(format!("task '{task}' was changed by another process")));
    }
    if let Some(other) = intents(&state_dir, &held)?.iter().find(|i| i.name == task && !i.abandoned) {
        return Err(taken::by_process(task, &other.record));
    }
    // Whoever was waited for may have taken it away.
    if !is_there(launch.path)? {
        place::require_path(desk.repo, launch.task, &desk.repo.worktrees()?)?;
        return Err(Failure::fatal(format!("task '{task}' was changed by another process")));
    }
    if let Some(other) = session::running(&state_dir, task)? {
        return Err(has_one(&other, desk.context.now()));
    }
    if let Some(most) = launch.at_most {
        let running = session::all_running(&state_dir)?;
        if running.len() >= most {
            return Err(too_many(most, &running));
        }
    }
    fs::create_dir_all(&dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
    let lock = take_lock(&dir, task, desk.settings.lock_timeout)?;
    let session = Session {
        task: task.to_owned(),
        number: session::next_number(&dir, REMEMBERED)?,
        name: launch.name.map(str::to_owned),
        command: launch.shown.clone(),
        background,
        since: desk.context.now(),
        process: None,
        processes: 0,
        path: launch.path.to_owned(),
        ended: None,
    };
    session::put_running(&dir, &session)?;
    Ok(Claim { lock, dir, session })
}

/// One that ends, or a look whether one runs, may hold it for a moment.
fn take_lock(dir: &Path, task: &str, limit: Duration) -> Result<File> {
    let lock = session::open_lock(dir)?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(e)) => {
                return Err(e).or_fatal(|| format!("could not lock '{}'", dir.join("lock").display()));
            }
            Err(TryLockError::WouldBlock) if begun.elapsed() < limit => {
                interrupt::check()?;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::fatal(format!("a session of task '{task}' is still ending")));
            }
        }
    }
}

fn has_one(other: &Session, now: i64) -> Failure {
    let since = crate::duration::ago((now - other.since).max(0));
    let command = escape_controls(other.command.as_bytes());
    let message =
        format!("task '{}' already has a session ({}), started {since}: {command}", other.task, other.who());
    Failure::fatal(message)
        .hint("taskRunning", format!("Wait for its end, or end it with 'git task stop {}'.", other.task))
}

fn too_many(most: usize, running: &[Session]) -> Failure {
    let names: Vec<_> = running.iter().map(|s| s.task.as_str()).collect();
    let message = format!(
        "{} sessions are running, and task.maxSessions is {most}: {}",
        running.len(),
        names.join(", ")
    );
    Failure::fatal(message).hint(
        "taskMaxSessions",
        "Wait for the end of one, end one with 'git task stop', or raise task.maxSessions.",
    )
}

/// The environment of a session.
fn prepare(command: &mut Command, desk: &Desk<'_>, launch: &Launch<'_>) {
    without_repository(command);
    // These are about us and our output.
    command.env_remove("GIT_PAGER_IN_USE");
    command.envs(setup::environment(desk, launch.task, Some(launch.path)));
    command.envs(launch.vars.iter().map(|(key, value)| (key, value)));
}
