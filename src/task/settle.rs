//! Taking back, or finishing, what a process left half done.

use super::half::{HalfAdded, undo_add};
use super::record::Tasks;
use super::{Desk, State, notes};
use crate::error::Result;
use crate::git::parse_id;
use crate::store::record::{Found, intents};

/// Settles every intent whose process is dead, and says what was done.
///
/// # Errors
/// If something can't be taken back; its intent then stays.
pub fn settle_all(desk: &Desk<'_>, dry_run: bool) -> Result<Vec<String>> {
    let unsettled = crate::store::config::is_unsettled(desk.repo);
    if !unsettled && !desk.repo.state_dir().join("intents").exists() {
        return Ok(Vec::new());
    }
    let held = desk.lock()?;
    let found = intents(&desk.repo.state_dir(), &held)?;
    drop(held);
    let mut said = Vec::new();
    for intent in found.into_iter().filter(|i| i.abandoned) {
        said.push(format!("task '{}': '{}' was cut off", intent.name, intent.record.kind));
        if !dry_run {
            settle_one(desk, intent)?;
        }
    }
    Ok(said)
}

fn settle_one(desk: &Desk<'_>, intent: Found) -> Result<()> {
    match intent.record.kind.as_str() {
        "add" => settle_add(desk, &intent)?,
        "rm" => super::remove::resume(desk, &intent)?,
        "restore" => super::restore::settle(desk, &intent)?,
        "rename" => super::rename::resume(desk, &intent)?,
        // One of a newer version: its own repair knows it.
        _ => return Ok(()),
    }
    intent.done()
}

fn settle_add(desk: &Desk<'_>, intent: &Found) -> Result<()> {
    let record = &intent.record;
    let half = HalfAdded {
        branch: record.text("branch").filter(|b| !b.is_empty()).map(|b| format!("refs/heads/{b}")),
        created_at: record.get("creates").filter(|v| !v.is_empty()).map(|v| parse_id(v)).transpose()?,
        snapshot: None,
        path: record.path("path").unwrap_or_default(),
        adopts: record.text("adopts").as_deref() == Some("true"),
        clone: record.text("clone").as_deref() == Some("true"),
    };
    let held = desk.lock()?;
    let tasks = Tasks::now(desk.repo)?;
    let made =
        tasks.find(&intent.name).filter(|t| t.state.is_live() && t.branch_ref() == half.branch).cloned();
    match made {
        None => {
            drop(held);
            undo_add(desk, &intent.name, &half)
        }
        // The task exists; what was cut off is its setup.
        Some(mut task) => {
            if task.state == State::Open && record.text("setup").as_deref() == Some("true") {
                task.state = State::Blocked;
                task.reason = Some("its setup did not come to its end".to_owned());
                desk.edit(&held, |file| task.write_to(file))?;
            }
            drop(held);
            if half.path.exists() { notes::link_in_main(desk, &half.path, &task.slug) } else { Ok(()) }
        }
    }
}
