//! Names that others were quicker to take.

use std::path::Path;

use gix::ObjectId;

use super::record::Tasks;
use super::{Desk, Slug, Task};
use crate::desk::busy::{busy, is_at};
use crate::error::{Failure, Result};
use crate::git::process::retry;
use crate::git::refs::{Old, short_name};
use crate::store::record::{Found, Record, peek_at};
use crate::text::escape_controls;

/// What takes a task's files away or elsewhere.
pub const LEAVING: [&str; 4] = ["move", "rename", "rm", "release"];

/// What brings them.
pub const COMING: [&str; 2] = ["occupy", "restore"];

/// There is such a task by now.
pub fn by_task(slug: &Slug) -> Failure {
    Failure::fatal(format!("a task named '{slug}' already exists"))
}

/// Another process is at work on it, with this intent.
pub fn by_process(name: &str, intent: &Record) -> Failure {
    busy(format_args!("task '{name}'"), intent)
}

/// That no other process is at work on a task, which may be getting this name just now, nor on what `is_too` names.
///
/// # Errors
/// If one is.
pub fn refuse_busy(under_way: &[Found], name: &str, is_too: impl Fn(&Found) -> bool) -> Result<()> {
    let is_about = |i: &&Found| i.name == name || i.record.text("new").as_deref() == Some(name) || is_too(i);
    under_way.iter().find(is_about).map_or(Ok(()), |other| Err(by_process(name, &other.record)))
}

/// That no other process is making something at this place, or moving something there.
///
/// # Errors
/// If one is.
pub fn refuse_busy_place(under_way: &[Found], path: &Path) -> Result<()> {
    let shown = || format!("'{}'", path.display());
    under_way.iter().find(|i| is_at(i, path)).map_or(Ok(()), |other| Err(busy(shown(), &other.record)))
}

/// Another process is at work on the task, as one sees it who only looks: what is half made says nothing.
///
/// # Errors
/// If it is so; or if that can't be told.
pub fn refuse_half_made(desk: &Desk<'_>, name: &str) -> Result<()> {
    match peek_at(&desk.repo.state_dir(), name)? {
        Some(other) => Err(by_process(name, &other.record)),
        None => Ok(()),
    }
}

/// There is such a branch by now.
pub fn by_branch(name: &str) -> Failure {
    let shown = escape_controls(name.as_bytes());
    Failure::fatal(format!("a branch named '{shown}' already exists"))
}

/// The branch of a task, by full name, is not there any more: a foreign hand has renamed or deleted it.
pub fn branch_is_gone(slug: &Slug, full: &str) -> Failure {
    Failure::fatal(format!("the branch of task '{slug}' is gone: '{}'", escape_controls(full.as_bytes())))
        .hint("taskRepair", "See 'git task repair -n'.")
}

/// Why git could not make a worktree of the task's branch, which was there: renamed by somebody in this very moment, it
/// is one without a commit to git.
pub fn unless_renamed(desk: &Desk<'_>, task: &Task, failure: Failure) -> Failure {
    match task.branch_ref() {
        Some(full) if matches!(desk.repo.find_ref(&full), Ok(None)) => branch_is_gone(&task.slug, &full),
        _ => failure,
    }
}

/// Makes a branch, by full name, that is not there yet.
///
/// # Errors
/// If somebody was quicker to make it; or in git's words.
pub fn make_branch(desk: &Desk<'_>, full: &str, at: ObjectId, reason: &str) -> Result<()> {
    let change = [(full.to_owned(), Some(at), Old::Absent)];
    match retry(desk.settings.lock_timeout, || desk.repo.update_refs(reason, &change)) {
        Err(_) if desk.repo.find_ref(full)?.is_some() => Err(by_branch(short_name(full))),
        done => done,
    }
}

/// Whether the name was taken since the tasks were read. That may be seen by the branch first.
///
/// # Errors
/// If the metadata can't be read.
pub fn meanwhile(desk: &Desk<'_>, slug: &Slug) -> Result<Option<Failure>> {
    // An intent goes only after the metadata has come.
    if let Some(other) = peek_at(&desk.repo.state_dir(), slug.as_str())? {
        return Ok(Some(by_process(slug.as_str(), &other.record)));
    }
    let tasks = Tasks::read(desk.repo)?;
    Ok(tasks.find(slug.as_str()).filter(|task| task.state.is_live()).map(|task| by_task(&task.slug)))
}
