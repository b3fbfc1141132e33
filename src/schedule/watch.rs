//! `git task watch`: notices what happens to tasks, and has tracking tasks follow.
//!
//! Nothing is stored: what was seen is in memory, and one that is started again begins with what there is. While
//! nothing happens, a look is a few dozen stat(2) calls.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use crate::config::Sync;
use crate::desk::session::{self, How, Session};
use crate::error::{Failure, OrFatal, Result};
use crate::git::Repo;
use crate::task::record::Tasks;
use crate::task::sync::{Outcome, sync};
use crate::task::{Desk, State, Task, place};

/// The right to watch a repository. The kernel takes it back when the process ends.
#[derive(Debug)]
pub struct Watch {
    _lock: File,
}

impl Watch {
    /// Takes it.
    ///
    /// # Errors
    /// If another process watches.
    pub fn begin(state_dir: &Path) -> Result<Self> {
        fs::create_dir_all(state_dir)
            .or_fatal(|| format!("could not create directory '{}'", state_dir.display()))?;
        let path = state_dir.join("watch");
        let failed = || format!("could not open '{}'", path.display());
        let mut options = File::options();
        let mut lock =
            options.read(true).write(true).create(true).truncate(false).open(&path).or_fatal(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(e)) => return Err(e).or_fatal(failed),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message.
                let _ = lock.read_to_string(&mut holder);
                return Err(Failure::fatal(format!(
                    "another 'git task watch' runs here (process {})",
                    holder.trim()
                )));
            }
        }
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Watch { _lock: lock })
    }
}

/// Something that happened to a task.
#[derive(Clone, Debug)]
pub enum Happening {
    /// It is in this state now.
    State(State),
    /// It is there no more.
    Gone,
    /// Its session has begun.
    Started(Session),
    /// Its session has ended.
    Ended(How),
    /// It has followed its branch to this commit.
    Followed(ObjectId),
    /// It could not follow its branch.
    Stuck(String),
}

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    tasks: BTreeMap<String, Sight>,
    begun: bool,
}

#[derive(Debug)]
struct Sight {
    state: State,
    session: Option<Session>,
    /// Its own branch, or the one that it follows.
    branch: String,
    /// Its base.
    base: Option<String>,
    /// Where it stands.
    tip: Option<ObjectId>,
    /// The tip that it could not follow to, which is said once.
    stuck: Option<ObjectId>,
}

impl Seen {
    /// Looks at all tasks, and reports what is new. At first, what is ready or runs is new.
    ///
    /// # Errors
    /// If the repository can't be read. That one task can't follow is reported.
    pub fn look(&mut self, desk: &Desk<'_>, report: &mut dyn FnMut(&str, Happening)) -> Result<()> {
        let (tasks, worktrees) = (Tasks::read(desk.repo)?, desk.repo.worktrees()?);
        for task in &tasks.all {
            let name = task.slug.as_str();
            let tip = place::head_of(desk.repo, task, &worktrees)?;
            let state = task.state_at(tip);
            let session = session::running(&desk.repo.state_dir(), name)?;
            let before = self.tasks.get(name);
            let was = before.map(|b| b.state);
            let interesting =
                if self.begun { state.is_live() || was.is_some() } else { state == State::Ready };
            if was != Some(state) && interesting {
                report(name, Happening::State(state));
            }
            let number = |s: &Option<Session>| s.as_ref().map(|s| s.number);
            let ran = before.and_then(|b| b.session.clone());
            if number(&ran) != number(&session) {
                if let Some(ran) = &ran {
                    report(name, Happening::Ended(how_it_ended(desk, ran)?));
                }
                if let Some(session) = &session {
                    report(name, Happening::Started(session.clone()));
                }
            }
            let stuck = before.and_then(|b| b.stuck);
            let branch = task.own_branch().or(task.tracked()).unwrap_or_default().to_owned();
            let mut sight = Sight { state, session, branch, base: task.base.clone(), tip, stuck };
            if task.tracked().is_some() && state.is_live() && sight.session.is_none() {
                sight.stuck = follow(desk, task, &tasks, &worktrees, stuck, report)?;
            }
            self.tasks.insert(name.to_owned(), sight);
        }
        let gone: Vec<String> =
            self.tasks.keys().filter(|name| tasks.find(name).is_none()).cloned().collect();
        for name in gone {
            self.tasks.remove(&name);
            report(&name, Happening::Gone);
        }
        self.begun = true;
        Ok(())
    }
}

/// A task that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its name.
    pub task: String,
    /// The branch that it goes back to.
    pub base: Option<String>,
    /// Where it stands.
    pub tip: ObjectId,
}

impl Seen {
    /// The tasks that were ready at the last look.
    pub fn ready(&self) -> Vec<Ready> {
        let ready = self.tasks.iter().filter(|(_, sight)| sight.state == State::Ready);
        let one = |(task, sight): (&String, &Sight)| {
            Some(Ready { task: task.clone(), base: sight.base.clone(), tip: sight.tip? })
        };
        ready.filter_map(one).collect()
    }
}

fn how_it_ended(desk: &Desk<'_>, ran: &Session) -> Result<How> {
    let last = session::ended(&desk.repo.state_dir(), &ran.task, ran.number)?;
    Ok(last.and_then(|s| s.ended).map_or(How::Unknown, |e| e.how))
}

/// Brings a tracking task forward. Gives the tip that it could not be brought to.
fn follow(
    desk: &Desk<'_>,
    task: &Task,
    tasks: &Tasks,
    worktrees: &[crate::git::worktree::Worktree],
    stuck: Option<ObjectId>,
    report: &mut dyn FnMut(&str, Happening),
) -> Result<Option<ObjectId>> {
    let Some((_, tip)) = task.tracked().map(|b| desk.repo.find_branch(b)).transpose()?.flatten() else {
        return Ok(None);
    };
    if place::head_of(desk.repo, task, worktrees)? == Some(tip) {
        return Ok(None);
    }
    match desk.patiently(|| Ok(()), || sync(desk, task, tasks, worktrees, Sync::Merge)) {
        Ok(Outcome::Synced) => report(task.slug.as_str(), Happening::Followed(tip)),
        Ok(Outcome::UpToDate) => {}
        Err(failure) => {
            crate::interrupt::check()?;
            if stuck != Some(tip) {
                report(task.slug.as_str(), Happening::Stuck(failure.message()));
            }
            return Ok(Some(tip));
        }
    }
    Ok(None)
}

/// What changes on disk when anything changes that [`Seen::look`] sees: cheap to take and to compare.
#[derive(Debug, PartialEq, Eq)]
pub struct Fingerprint(Vec<Option<(u64, u64, i64, i64)>>);

impl Fingerprint {
    /// Takes it. Tasks that were not seen yet show in the configuration.
    pub fn take(repo: &Repo, team_path: &Path, seen: &Seen) -> Self {
        let common = repo.common_dir();
        let mut paths: Vec<PathBuf> = ["config", "packed-refs", "reftable/tables.list", "worktrees"]
            .iter()
            .map(|name| common.join(name))
            .collect();
        paths.push(team_path.to_owned());
        for (name, sight) in &seen.tasks {
            paths.push(session::dir(&repo.state_dir(), name).join("running"));
            paths.extend(["refs/heads", "refs/remotes"].map(|dir| common.join(dir).join(&sight.branch)));
            paths.extend(sight.base.iter().map(|base| common.join("refs/heads").join(base)));
        }
        let one = |path: &PathBuf| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
        };
        Fingerprint(paths.iter().map(one).collect())
    }
}
