//! What an earlier run did, read from its record.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::run_record::{Asked, Event, Outcome, Stamped};
use crate::error::{OrFatal, Result};

/// A session, or a gate, that an earlier run started and did not see end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Of which stage.
    pub stage: String,
    /// It is the gate of that stage.
    pub gate: bool,
    /// Which attempt it was.
    pub attempt: u32,
    /// The number of the session among the task's.
    pub session: u64,
}

/// What an earlier run did for one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PastTask {
    /// It had the work of those it comes after.
    pub synced: bool,
    /// The stages whose session succeeded.
    pub worked: BTreeSet<String>,
    /// The stages whose gate let it pass.
    pub passed: BTreeSet<String>,
    /// The session that had started and not ended.
    pub open: Option<Open>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why the run marked it as blocked, if it did.
    pub marked: Option<String>,
}

/// What an earlier run was asked for and did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// What it was asked for.
    pub asked: Asked,
    /// What it did, by task.
    pub tasks: HashMap<String, PastTask>,
    /// The tasks that it integrated.
    pub integrated: BTreeSet<String>,
    /// It came to its end and nothing is left to do.
    pub is_complete: bool,
}

impl Past {
    /// What the last run was asked for and did, if there was one.
    ///
    /// # Errors
    /// If its record can't be read.
    pub fn last(state_dir: &Path) -> Result<Option<Self>> {
        let path = state_dir.join("run/record");
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Self::read(&bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut past: Option<Past> = None;
        // What a crash cut off is no JSON, and what would follow it is not ours to guess.
        let lines =
            bytes.split(|b| *b == b'\n').map_while(|line| serde_json::from_slice::<Stamped>(line).ok());
        for Stamped { event, .. } in lines {
            match (event, &mut past) {
                (Event::Run { asked, .. }, past) => {
                    past.get_or_insert_default().asked = asked;
                }
                (event, Some(past)) => past.take(event),
                (_, None) => return None,
            }
        }
        past
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Synced { task } => self.task(task).synced = true,
            Event::Started { task, stage, gate, attempt, session } => {
                let past = self.task(task);
                past.open = Some(Open { stage, gate, attempt, session });
                past.outcome = None;
                past.marked = None;
            }
            Event::Exited { task, stage, gate, ok, .. } => {
                let past = self.task(task);
                past.open = None;
                match (ok, gate) {
                    (true, true) => drop(past.passed.insert(stage)),
                    (true, false) => drop(past.worked.insert(stage)),
                    (false, _) => {}
                }
            }
            Event::Ended { task, outcome, reason, marked, .. } => {
                let past = self.task(task);
                past.outcome = Some(outcome);
                past.marked = reason.filter(|_| marked);
            }
            Event::Integrated { tasks, .. } => self.integrated.extend(tasks),
            Event::Over { interrupted, failed, blocked, .. } => {
                self.is_complete = !interrupted && failed + blocked == 0;
            }
            Event::Held { .. } | Event::Run { .. } => {}
        }
    }

    fn task(&mut self, name: String) -> &mut PastTask {
        self.is_complete = false;
        self.tasks.entry(name).or_default()
    }
}

#[cfg(test)]
mod tests;
