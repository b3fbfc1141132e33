//! A slot of the pool as tasks and the pool both know it: its keys in git config, its lease, what slots stand at.
//!
//! `pool.<slot>.*` holds `path` and, while it is handed out, `lease`, `holder`, `since`, `expires`, `ttl` and
//! `task`; `broken` says why it is not handed out. That somebody is at work on a slot is an intent that names it.

use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::Desk;
use crate::error::{Failure, Result};
use crate::git::refs::short_name;
use crate::git::worktree::{Head, Worktree};
use crate::paths::path_bytes;
use crate::store::config::{ConfigFile, Section};
use crate::store::record::Found;

/// The section in git config.
pub const SECTION: &str = "pool";

/// The right to a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which one it is: another claim of the same slot has another.
    pub id: String,
    /// Who has it.
    pub holder: String,
    /// Since when, in seconds since the epoch.
    pub since: i64,
    /// Until when, if it ends by itself.
    pub expires: Option<i64>,
    /// How long it is prolonged by, in seconds, if nothing else is said.
    pub ttl: Option<u64>,
}

impl Lease {
    /// Whether it has ended by itself. Somebody's work may still be there.
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A slot that was chosen for a task: its worktree as it was when it was chosen.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The slot.
    pub slot: String,
    /// The lease that it is given out by.
    pub lease: Lease,
    /// Its top level.
    pub path: PathBuf,
    /// Its administrative directory.
    pub git_dir: PathBuf,
    /// What it stands at, detached.
    pub head: ObjectId,
}

/// The name of the intent about a slot that no task is concerned with. No task can be called so.
pub fn intent_name(slot: &str) -> String {
    format!("{SECTION}:{slot}")
}

/// Whether an intent is about this slot.
pub fn is_about(intent: &Found, slot: &str) -> bool {
    intent.record.get("slot").is_some_and(|s| *s == *slot.as_bytes())
}

/// Whether an intent is about a slot alone, and none of a task's.
pub fn is_of_pool(intent: &Found) -> bool {
    intent.name.starts_with("pool:")
}

/// `git worktree lock` keeps a slot with its holder, unless that is overridden.
///
/// # Errors
/// The refusal, in git's words.
pub fn require_unlocked(worktree: &Worktree, overridden: bool) -> Result<()> {
    let Some(reason) = worktree.locked.as_ref().filter(|_| !overridden) else { return Ok(()) };
    let why = if reason.is_empty() { String::new() } else { format!(", lock reason: {reason}") };
    let advice = format!("Unlock it first: 'git worktree unlock {}'; or use -f -f.", worktree.path.display());
    Err(Failure::fatal(format!("cannot give back a locked working tree{why}")).hint("taskLocked", advice))
}

/// Unlocks a slot that goes back: nobody else would get it.
///
/// # Errors
/// In git's words.
pub fn unlock(desk: &Desk<'_>, worktree: &Worktree) -> Result<()> {
    if worktree.locked.is_none() {
        return Ok(());
    }
    desk.worktree(&["unlock"], &worktree.path)
}

/// Hands a slot out.
///
/// # Errors
/// If the file refuses a value.
pub fn hand_out(file: &mut ConfigFile, slot: &str, lease: &Lease, task: Option<&str>) -> Result<()> {
    let one = |text: String| vec![BString::from(text)];
    file.set(SECTION, slot, "lease", &one(lease.id.clone()))?;
    file.set(SECTION, slot, "holder", &one(lease.holder.clone()))?;
    file.set(SECTION, slot, "since", &one(lease.since.to_string()))?;
    let expires: Vec<BString> = lease.expires.map(|t| t.to_string().into()).into_iter().collect();
    file.set(SECTION, slot, "expires", &expires)?;
    let ttl: Vec<BString> = lease.ttl.map(|t| t.to_string().into()).into_iter().collect();
    file.set(SECTION, slot, "ttl", &ttl)?;
    let task: Vec<BString> = task.map(BString::from).into_iter().collect();
    file.set(SECTION, slot, "task", &task)
}

/// Takes a slot back: nobody has it, and nothing is wrong with it.
///
/// # Errors
/// If the file refuses a name.
pub fn take_back(file: &mut ConfigFile, slot: &str) -> Result<()> {
    if file.find(SECTION, slot).is_none() {
        return Ok(());
    }
    for key in ["lease", "holder", "since", "expires", "ttl", "task", "broken"] {
        file.set(SECTION, slot, key, &[])?;
    }
    Ok(())
}

/// Sets a slot aside, with the reason.
///
/// # Errors
/// If the file refuses a value.
pub fn set_aside(file: &mut ConfigFile, slot: &str, why: &str) -> Result<()> {
    if file.find(SECTION, slot).is_none() {
        return Ok(());
    }
    file.set(SECTION, slot, "broken", &[BString::from(why)])
}

/// There is no such slot any more, and no task that has it.
///
/// # Errors
/// If the file refuses a name.
pub fn forget(file: &mut ConfigFile, slot: &str) -> Result<()> {
    let task = file.find(SECTION, slot).and_then(|s| s.get("task").map(|t| t.to_str_lossy().into_owned()));
    let has_it = |s: Section| s.get("slot").is_some_and(|v| *v == *slot.as_bytes());
    if let Some(task) = task.filter(|task| file.find("task", task).is_some_and(has_it)) {
        file.set("task", &task, "slot", &[])?;
    }
    file.remove(SECTION, slot);
    Ok(())
}

/// The slot that has its worktree here.
pub fn slot_at(file: &ConfigFile, path: &Path) -> Option<String> {
    let is_here = |path_there: &[u8]| path_there == path_bytes(path);
    let found = file.sections(SECTION).into_iter().find(|s| s.get("path").is_some_and(|p| is_here(p)));
    found.map(|s| s.name.to_str_lossy().into_owned())
}

/// Whether a task has this slot.
pub fn is_of_task(file: &ConfigFile, slot: &str, task: &str) -> bool {
    let section = file.find(SECTION, slot);
    section.is_some_and(|s| s.get("task").is_some_and(|t| *t == *task.as_bytes()))
}

/// What slots stand at while nobody has them.
#[derive(Clone, Debug)]
pub struct Base {
    /// The branch's full name; none if it is only a commit.
    pub branch: Option<String>,
    /// Its tip.
    pub commit: ObjectId,
}

/// `pool.base`, else `task.base`, else the branch of the main worktree.
///
/// # Errors
/// If that does not exist, or has no commit.
pub fn base(desk: &Desk<'_>) -> Result<Base> {
    match desk.settings.pool.base.as_deref().or(desk.settings.base.as_deref()) {
        Some(name) => base_named(desk, name),
        None => {
            let Some(main) = desk.repo.worktrees()?.into_iter().find(|w| w.is_main) else {
                let head = desk.repo.at_home().cmd(["symbolic-ref", "-q", "HEAD"]).poll().line()?;
                return base_of_branch(desk, head);
            };
            match main.head {
                Head::Branch(full) => base_of_branch(desk, full),
                Head::Detached(commit) => Ok(Base { branch: None, commit }),
                Head::Unknown => Err(Failure::fatal("the HEAD of the main working tree cannot be read")),
            }
        }
    }
}

/// A base by name: a branch, or any commit.
///
/// # Errors
/// If there is none of that name.
pub fn base_named(desk: &Desk<'_>, name: &str) -> Result<Base> {
    match desk.repo.find_branch(name)? {
        Some((full, commit)) => Ok(Base { branch: Some(full), commit }),
        None => Ok(Base { branch: None, commit: desk.repo.require_commit(name)? }),
    }
}

fn base_of_branch(desk: &Desk<'_>, full: String) -> Result<Base> {
    match desk.repo.find_ref(&full)? {
        Some(commit) => Ok(Base { branch: Some(full), commit }),
        None => {
            let message = format!("the branch '{}' does not have any commits yet", short_name(&full));
            Err(Failure::fatal(message).hint("poolBase", "Name another one with --base, or set pool.base."))
        }
    }
}
