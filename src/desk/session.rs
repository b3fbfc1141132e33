//! The record of sessions: which command worked, or works, on a task, and how it ended.
//!
//! Everything lies in a directory of its own for each task, below `sessions` in our own directory:
//!
//! - `lock`: held by the process that watches over the session, for as long as that runs. The kernel frees it.
//! - `running`: the record of the session that runs, with its process. It goes when the session has ended.
//! - `<n>.session`: the record of the nth session, with how it ended.
//! - `<n>.log`: what it printed; see `schedule::log`.
//!
//! Whether a session runs is not stored. It does if the process of the record does, or if the lock is held.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::pid::Identity;
use crate::error::{Failure, OrFatal, Result};
use crate::paths::{inside, path_bytes};
use crate::store::atomic;
use crate::store::record::Record;

/// A command that works, or worked, on a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The task's name.
    pub task: String,
    /// Counts the task's sessions, from 1.
    pub number: u64,
    /// The name of the `session.<name>`, unless the command was given as it is.
    pub name: Option<String>,
    /// The command as it was run, for eyes.
    pub command: String,
    /// It has no terminal, and a log.
    pub background: bool,
    /// When it was started, in seconds since the epoch.
    pub since: i64,
    /// Its process; absent for the moment in which it is being started.
    pub process: Option<Identity>,
    /// The number of the session, as in setsid(2), that its processes are in.
    pub processes: i32,
    /// Where it works.
    pub path: PathBuf,
    /// How it ended; absent while it runs.
    pub ended: Option<Ended>,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When, in seconds since the epoch; absent if nobody saw it.
    pub at: Option<i64>,
    /// How.
    pub how: How,
    /// Processes of it that still ran.
    pub left: usize,
    /// Bytes of its output that could not be written to its log.
    pub lost: u64,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Whoever watched over it was killed, or the machine went down.
    Unknown,
}

impl How {
    /// It succeeded.
    pub fn succeeded(self) -> bool {
        self == How::Exited(0)
    }

    /// The exit code as a shell gives it; absent if it isn't known.
    pub fn code(self) -> Option<i32> {
        match self {
            How::Exited(code) => Some(code),
            How::Killed(signal) => Some(128 + signal),
            How::Unknown => None,
        }
    }
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            How::Exited(0) => f.write_str("succeeded"),
            How::Exited(127) => f.write_str("ended with exit code 127: a command was not found"),
            How::Exited(126) => f.write_str("ended with exit code 126: a command could not be run"),
            How::Exited(code) => write!(f, "ended with exit code {code}"),
            How::Killed(signal) => write!(f, "was killed by signal {signal}"),
            How::Unknown => f.write_str("was cut off: nobody saw how it ended"),
        }
    }
}

impl Session {
    /// The record in the form in which it is kept.
    fn to_record(&self) -> Record {
        let mut record = Record::new("session")
            .with("task", self.task.as_str())
            .with("number", self.number.to_string())
            .with("command", self.command.as_str())
            .with("background", self.background.to_string())
            .with("since", self.since.to_string())
            .with("processes", self.processes.to_string())
            .with("path", path_bytes(&self.path));
        if let Some(name) = &self.name {
            record = record.with("name", name.as_str());
        }
        if let Some(process) = &self.process {
            record = record.with("pid", process.pid.to_string()).with("start", process.start.as_str());
        }
        let Some(ended) = &self.ended else { return record };
        if let Some(at) = ended.at {
            record = record.with("ended", at.to_string());
        }
        record = match ended.how {
            How::Exited(code) => record.with("code", code.to_string()),
            How::Killed(signal) => record.with("signal", signal.to_string()),
            How::Unknown => record.with("unknown", "true"),
        };
        record.with("left", ended.left.to_string()).with("lost", ended.lost.to_string())
    }

    fn from_record(record: &Record) -> Option<Self> {
        fn number<T: std::str::FromStr>(record: &Record, key: &str) -> Option<T> {
            record.text(key)?.parse().ok()
        }
        let how = match (number(record, "code"), number(record, "signal"), record.get("unknown")) {
            (Some(code), ..) => Some(How::Exited(code)),
            (_, Some(signal), _) => Some(How::Killed(signal)),
            (.., Some(_)) => Some(How::Unknown),
            _ => None,
        };
        Some(Session {
            task: record.text("task")?,
            number: number(record, "number")?,
            name: record.text("name"),
            command: record.text("command")?,
            background: record.text("background")? == "true",
            since: number(record, "since")?,
            process: number(record, "pid")
                .map(|pid| Identity { pid, start: record.text("start").unwrap_or_default() }),
            processes: number(record, "processes").unwrap_or(0),
            path: record.path("path")?,
            ended: how.map(|how| Ended {
                at: number(record, "ended"),
                how,
                left: number(record, "left").unwrap_or(0),
                lost: number(record, "lost").unwrap_or(0),
            }),
        })
    }

    /// Processes of it that run now.
    pub fn processes(&self) -> Vec<i32> {
        self.process.as_ref().map(|p| p.group(self.processes)).unwrap_or_default()
    }

    /// Who it is, for messages: `'builder', process 4711`.
    pub fn who(&self) -> String {
        let name = self.name.as_ref().map(|name| format!("'{name}', ")).unwrap_or_default();
        match &self.process {
            Some(process) => format!("{name}process {}", process.pid),
            None => format!("{name}being started"),
        }
    }
}

/// Where a task's sessions are recorded.
pub fn dir(state_dir: &Path, task: &str) -> PathBuf {
    state_dir.join("sessions").join(task)
}

/// Writes the record of a session that runs.
///
/// # Errors
/// If the file system refuses.
pub fn put_running(dir: &Path, session: &Session) -> Result<()> {
    atomic::write(&dir.join("running"), &session.to_record().to_bytes()?)
}

/// Writes how a session ended; then it runs no longer.
///
/// # Errors
/// If the file system refuses.
pub fn put_ended(dir: &Path, session: &Session) -> Result<()> {
    atomic::write(&dir.join(format!("{}.session", session.number)), &session.to_record().to_bytes()?)?;
    forget_running(dir)
}

/// Takes back that a session runs.
///
/// # Errors
/// If the file system refuses.
pub fn forget_running(dir: &Path) -> Result<()> {
    let path = dir.join("running");
    match fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).or_fatal(|| format!("could not remove '{}'", path.display()))
        }
        _ => Ok(()),
    }
}

/// The record of the session that runs, whether or not it still does.
///
/// # Errors
/// If it is there and can't be read.
pub fn noted(dir: &Path) -> Result<Option<Session>> {
    read(&dir.join("running"))
}

fn read(path: &Path) -> Result<Option<Session>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
    };
    // One that a power cut has left empty says as much as none.
    Ok(Record::from_bytes(&bytes).ok().and_then(|record| Session::from_record(&record)))
}

/// The session that runs for a task.
///
/// # Errors
/// If the record can't be read.
pub fn running(state_dir: &Path, task: &str) -> Result<Option<Session>> {
    let dir = dir(state_dir, task);
    let Some(session) = noted(&dir)? else { return Ok(None) };
    if dir.join(format!("{}.session", session.number)).exists() {
        return Ok(None);
    }
    let runs = session.process.as_ref().is_some_and(Identity::is_alive) || is_locked(&dir)?;
    // A task that was renamed has taken its directory along.
    Ok(runs.then(|| Session { task: task.to_owned(), ..session }))
}

/// The last session of a task: the one that runs, or with how it ended.
///
/// # Errors
/// If the records can't be read.
pub fn last(state_dir: &Path, task: &str) -> Result<Option<Session>> {
    if let Some(session) = running(state_dir, task)? {
        return Ok(Some(session));
    }
    let dir = dir(state_dir, task);
    let ended = match numbers(&dir)?.last() {
        Some(number) => read(&dir.join(format!("{number}.session")))?,
        None => None,
    };
    let cut_off = noted(&dir)?.filter(|s| ended.as_ref().is_none_or(|e| e.number < s.number));
    let last = cut_off.map(|s| Session { ended: Some(UNSEEN), ..s }).or(ended);
    Ok(last.map(|s| Session { task: task.to_owned(), ..s }))
}

/// A session that has ended, by its number.
///
/// # Errors
/// If its record can't be read.
pub fn ended(state_dir: &Path, task: &str, number: u64) -> Result<Option<Session>> {
    read(&dir(state_dir, task).join(format!("{number}.session")))
}

/// The end of a session that nobody saw.
pub const UNSEEN: Ended = Ended { at: None, how: How::Unknown, left: 0, lost: 0 };

/// The sessions that have ended, in order.
fn numbers(dir: &Path) -> Result<Vec<u64>> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".session")?.parse().ok();
    let mut all: Vec<u64> = inside(dir)?.iter().filter_map(number).collect();
    all.sort_unstable();
    Ok(all)
}

/// The sessions that run in the repository.
///
/// # Errors
/// If a record can't be read.
pub fn all_running(state_dir: &Path) -> Result<Vec<Session>> {
    let mut found = Vec::new();
    for dir in inside(&state_dir.join("sessions"))? {
        let task = dir.file_name().unwrap_or_default().to_string_lossy();
        found.extend(running(state_dir, &task)?);
    }
    Ok(found)
}

/// Refuses what would pull the ground from under a session that runs. `what` is what was asked for: `remove`.
///
/// # Errors
/// The refusal.
pub fn refuse_running(state_dir: &Path, task: &str, what: &str) -> Result<()> {
    match running(state_dir, task)? {
        None => Ok(()),
        Some(session) => {
            let message = format!("cannot {what} task '{task}': its session is running ({})", session.who());
            Err(Failure::fatal(message)
                .hint("taskRunning", format!("Wait for its end, or end it with 'git task stop {task}'.")))
        }
    }
}

/// Opens the lock of a task's sessions.
///
/// # Errors
/// If the file system refuses.
pub fn open_lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(&path).or_fatal(|| format!("could not open '{}'", path.display()))
}

/// Whether somebody watches over a session.
fn is_locked(dir: &Path) -> Result<bool> {
    let path = dir.join("lock");
    let Ok(lock) = File::open(&path) else { return Ok(false) };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e).or_fatal(|| format!("could not lock '{}'", path.display())),
    }
}

/// The number of the next session, when what is over has been put in order: the record of one that was cut off
/// becomes one of the past, and of the past no more than `keep` sessions stay.
///
/// # Errors
/// If the file system refuses.
pub fn next_number(dir: &Path, keep: usize) -> Result<u64> {
    let past = numbers(dir)?;
    if let Some(session) = noted(dir)? {
        match past.contains(&session.number) {
            true => forget_running(dir)?,
            false => put_ended(dir, &Session { ended: Some(UNSEEN), ..session })?,
        }
    }
    let past = numbers(dir)?;
    let old: Vec<u64> = past.iter().rev().skip(keep).copied().collect();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Nobody else writes here now.
        let half_written = name.starts_with('.') && name.contains(".tmp-");
        let digits = name.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if half_written || digits.parse().is_ok_and(|number| old.contains(&number)) {
            // It is in nobody's way: the next one tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(past.last().map_or(1, |last| last + 1))
}

/// The task has another name: what is known of its sessions goes with it.
///
/// # Errors
/// If the file system refuses.
pub fn rename(state_dir: &Path, old: &str, new: &str) -> Result<()> {
    let (from, to) = (dir(state_dir, old), dir(state_dir, new));
    // Of a task that had the new name before, nothing is mixed in.
    if !from.exists() || to.exists() {
        return Ok(());
    }
    fs::rename(&from, &to).or_fatal(|| format!("could not rename '{}'", from.display()))
}

/// The task is forgotten, and its sessions and their logs with it.
///
/// # Errors
/// If the file system refuses.
pub fn forget(state_dir: &Path, task: &str) -> Result<()> {
    let dir = dir(state_dir, task);
    match fs::remove_dir_all(&dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).or_fatal(|| format!("could not remove '{}'", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Opens the file that keeps what the commands of a task's events print. It has at most `limit` bytes, with one older
/// file beside it.
///
/// # Errors
/// If the file system refuses.
pub fn events_log(state_dir: &Path, task: &str, limit: u64) -> Result<File> {
    let dir = dir(state_dir, task);
    let path = dir.join("events.log");
    let failed = || format!("could not open '{}'", path.display());
    fs::create_dir_all(&dir).or_fatal(failed)?;
    if path.metadata().is_ok_and(|meta| meta.len() >= limit / 2) {
        fs::rename(&path, dir.join("events.old.log")).or_fatal(failed)?;
    }
    OpenOptions::new().append(true).create(true).open(&path).or_fatal(failed)
}
