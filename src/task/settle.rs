//! Taking back, or finishing, what a process left half done.

use super::half::{HalfAdded, undo_add};
use super::occupy::HalfSeated;
use super::record::Tasks;
use super::{Desk, State, notes, reseat, vacate};
use crate::desk::slot;
use crate::error::Result;
use crate::git::parse_id;
use crate::store::lock::StateLock;
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
    let state_dir = desk.repo.state_dir();
    // Who only looks leaves the configuration's lock alone too.
    let held = match dry_run {
        true => StateLock::acquire_to_look(&state_dir, desk.settings.lock_timeout)?,
        false => desk.lock()?,
    };
    let found = intents(&state_dir, &held)?;
    drop(held);
    let mut said = Vec::new();
    // Those about a slot alone are the pool's.
    let abandoned: Vec<Found> = found.into_iter().filter(|i| i.abandoned && !slot::is_of_pool(i)).collect();
    // Of several, one that git can't read would keep the others from being settled.
    for intent in abandoned.iter().filter(|i| !dry_run && matches!(i.record.kind.as_str(), "add" | "restore"))
    {
        if let Some(path) = intent.record.path("path").filter(|p| !p.as_os_str().is_empty()) {
            crate::desk::half::clear_unreadable(desk, &path)?;
        }
    }
    for intent in abandoned {
        let what = format!("task '{}': '{}' was cut off", intent.name, intent.record.kind);
        // Too early: a git that it started is at work still.
        if dry_run || settle_one(desk, intent)? {
            said.push(what);
        }
    }
    Ok(said)
}

/// True if it is settled.
fn settle_one(desk: &Desk<'_>, intent: Found) -> Result<bool> {
    let settled = intent.during(|| match intent.record.kind.as_str() {
        "add" => settle_add(desk, &intent),
        "occupy" => match half_seated(&intent)? {
            Some(half) => reseat::settle(desk, &intent, &half),
            None => Ok(true),
        },
        "release" => vacate::settle(desk, &intent),
        "rm" => super::remove::resume(desk, &intent),
        "restore" => super::restore::settle(desk, &intent).map(|()| true),
        "move" => super::relocate::settle(desk, &intent).map(|()| true),
        "rename" => super::rename::resume(desk, &intent).map(|()| true),
        // Whoever looks for it finds what was not mended, and git says what is under way.
        "repair" | "lock" | "unlock" | "sync" => Ok(true),
        // One of a newer version: its own repair knows it.
        _ => Ok(false),
    })?;
    if settled {
        intent.done()?;
    }
    Ok(settled)
}

/// The slot that an intent is about, if it is about one.
fn half_seated(intent: &Found) -> Result<Option<HalfSeated>> {
    let record = &intent.record;
    let (Some(slot), Some(from), Some(to)) = (record.text("slot"), record.get("from"), record.get("to"))
    else {
        return Ok(None);
    };
    Ok(Some(HalfSeated { slot, from: parse_id(from)?, to: parse_id(to)? }))
}

fn settle_add(desk: &Desk<'_>, intent: &Found) -> Result<bool> {
    let record = &intent.record;
    let half = HalfAdded {
        branch: record.text("branch").filter(|b| !b.is_empty()).map(|b| format!("refs/heads/{b}")),
        created_at: record.get("creates").filter(|v| !v.is_empty()).map(|v| parse_id(v)).transpose()?,
        snapshot: None,
        path: record.path("path").unwrap_or_default(),
        adopts: record.text("adopts").as_deref() == Some("true"),
        clone: record.text("clone").as_deref() == Some("true"),
        seat: half_seated(intent)?,
        elsewhere: false,
    };
    let held = desk.lock()?;
    let tasks = Tasks::read(desk.repo)?;
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
            if half.path.exists() {
                notes::link_in_main(desk, &half.path, &task.slug)?;
            }
            Ok(true)
        }
    }
}
