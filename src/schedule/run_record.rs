//! What a run did, as it is told and as it is remembered.
//!
//! There is one kind of event for both: a line of JSON. `git task run --json` prints it, and a file in the
//! state directory keeps it, so that `--resume` knows what succeeded. A line is written before what it begins
//! and after what it ends; a line that a crash cut off is the last one, and says nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Failure, OrFatal, Result};
use crate::store::atomic;

/// What a run was asked for; a resumed one goes on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The tasks that take part.
    pub tasks: Vec<String>,
    /// The stages, in order.
    pub stages: Vec<String>,
    /// `--session`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// The command after `--`, in place of a session.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub command: Vec<String>,
    /// Sessions at once.
    pub jobs: usize,
    /// No more are started while the load is above this, in hundredths.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_load: Option<u32>,
    /// Further attempts at a session that fails.
    pub retry: u32,
    /// Seconds that a session, or a gate, may take.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout: Option<u64>,
    /// The next phase starts without what failed.
    pub keep_going: bool,
    /// Each phase is integrated.
    pub integrate: bool,
}

/// How it ended for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It went through all stages.
    Succeeded,
    /// Its session failed.
    Failed,
    /// It, or what it comes after, waits for somebody.
    Blocked,
}

impl Outcome {
    /// The word used in tables and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Blocked => "blocked",
        }
    }
}

/// What held tasks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// `-j`, `task.maxSessions`
    Jobs,
    /// `--max-load`
    Load,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Event {
    /// The run begins, or goes on.
    Run {
        /// It goes on with what an earlier one left.
        resumed: bool,
        /// What it was asked for.
        #[serde(flatten)]
        asked: Asked,
    },
    /// The task has the work of those it comes after.
    Synced {
        /// Which task.
        task: String,
    },
    /// A session, or a gate, is about to start.
    Started {
        /// Which task.
        task: String,
        /// Which stage.
        stage: String,
        /// It is the gate of that stage.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        gate: bool,
        /// Counts from 1.
        attempt: u32,
        /// The number of the session among the task's.
        session: u64,
    },
    /// A session, or a gate, has ended.
    Exited {
        /// Which task.
        task: String,
        /// Which stage.
        stage: String,
        /// It was the gate of that stage.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        gate: bool,
        /// Counts from 1.
        attempt: u32,
        /// It did what it should.
        ok: bool,
        /// How it ended, if it didn't.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
        /// How long it took.
        seconds: f64,
    },
    /// It is over for this task.
    Ended {
        /// Which task.
        task: String,
        /// How it ended.
        outcome: Outcome,
        /// Why, unless it succeeded.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
        /// The run itself marked it as blocked.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        marked: bool,
        /// How long it was under way.
        seconds: f64,
    },
    /// A limit holds tasks back that could start.
    Held {
        /// Which limit.
        by: Limit,
        /// How many tasks wait.
        waiting: usize,
        /// The load, in hundredths.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        load: Option<u32>,
    },
    /// A phase is closed: what is ready of it was integrated.
    Integrated {
        /// The tasks that landed.
        tasks: Vec<String>,
        /// Why not all of it did.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
    },
    /// The run is over.
    Over {
        /// Somebody ended it; `--resume` goes on.
        interrupted: bool,
        /// How many succeeded.
        succeeded: usize,
        /// How many failed.
        failed: usize,
        /// How many are blocked.
        blocked: usize,
        /// How long it took.
        seconds: f64,
        /// How much longer the same would have taken one after the other.
        saved: f64,
    },
}

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Seconds since the epoch.
    pub time: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Stamped {
    /// One line, with its end.
    pub fn to_line(&self) -> Vec<u8> {
        let line = serde_json::to_string(self).expect("names and numbers can always be written");
        (crate::text::json_without_hidden(&line) + "\n").into_bytes()
    }
}

/// The right to run, which one process has, and the record of what it does.
#[derive(Debug)]
pub struct RunRecord {
    path: PathBuf,
    lock: File,
    file: Option<File>,
}

impl RunRecord {
    /// Takes the right to run. The kernel frees it when this process ends, however it ends.
    ///
    /// # Errors
    /// If another process has it, which is named.
    pub fn acquire(state_dir: &Path) -> Result<Self> {
        let dir = state_dir.join("run");
        std::fs::create_dir_all(&dir)
            .or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
        let path = dir.join("lock");
        let failed = || format!("could not open '{}'", path.display());
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .or_fatal(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                let who = match holder.trim() {
                    "" => String::new(),
                    pid => format!(": process {pid}"),
                };
                return Err(Failure::fatal(format!("another 'git task run' is under way{who}")).hint(
                    "taskRunning",
                    "Wait for it, or end it with Ctrl-C or 'kill'; '--resume' then goes on.",
                ));
            }
            Err(TryLockError::Error(e)) => return Err(e).or_fatal(failed),
        }
        // For the message above alone: nothing depends on it.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(RunRecord { path: dir.join("record"), lock, file: None })
    }

    /// Begins the record: with what is known from `past`, if the run goes on with it, else anew.
    ///
    /// # Errors
    /// If it can't be written; the old one is then still there.
    pub fn begin(&mut self, resumed: bool, first: &Stamped) -> Result<()> {
        let mut bytes = Vec::new();
        if resumed {
            let old =
                std::fs::read(&self.path).or_fatal(|| format!("could not read '{}'", self.path.display()))?;
            // Without a last line that was cut off, which would spoil the one after it.
            let whole = |line: &&[u8]| serde_json::from_slice::<Stamped>(line).is_ok();
            let lines = old.split(|b| *b == b'\n').take_while(whole);
            lines.for_each(|line| bytes.extend([line, b"\n"].concat()));
        }
        bytes.extend(first.to_line());
        atomic::write(&self.path, &bytes)?;
        let file = OpenOptions::new().append(true).open(&self.path);
        self.file = Some(file.or_fatal(|| format!("could not open '{}'", self.path.display()))?);
        Ok(())
    }

    /// Adds a line. What must not be done again after a power cut is on the disk when this returns.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn add(&mut self, stamped: &Stamped) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut written = file.write_all(&stamped.to_line());
        if matches!(stamped.event, Event::Exited { ok: true, .. } | Event::Integrated { .. }) {
            written = written.and_then(|()| file.sync_data());
        }
        written.or_fatal(|| format!("could not write '{}'", self.path.display()))
    }
}

impl Drop for RunRecord {
    fn drop(&mut self) {
        let _ = self.lock.set_len(0);
        // Closing would free it too; a child that was started meanwhile can't keep it this way.
        let _ = self.lock.unlock();
    }
}
