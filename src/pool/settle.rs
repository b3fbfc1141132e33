//! What a process left half done with a slot: finished, or taken back. Nobody gets the slot before.

use super::back::back_to;
use super::{Pool, drain, lend, make, release};
use crate::desk::Desk;
use crate::desk::slot::is_of_pool;
use crate::error::Result;
use crate::git::parse_id;
use crate::paths::inside;
use crate::store::lock::StateLock;
use crate::store::record::{Found, intents};

/// Settles every intent about a slot whose process is dead, and says what was done.
///
/// # Errors
/// If something can't be taken back; its intent then stays.
pub fn settle_all(desk: &Desk<'_>, dry_run: bool) -> Result<Vec<String>> {
    let state_dir = desk.repo.state_dir();
    let dir = state_dir.join("intents");
    // Most of the time there is nothing, and no lock is needed to see that.
    if inside(&dir)?.is_empty() {
        return Ok(Vec::new());
    }
    let held = match dry_run {
        true => StateLock::acquire_to_look(&state_dir, desk.settings.lock_timeout)?,
        false => desk.lock()?,
    };
    let found = intents(&state_dir, &held)?;
    drop(held);
    let mut said = Vec::new();
    for intent in found.into_iter().filter(|i| i.abandoned && is_of_pool(i)) {
        let slot = intent.record.text("slot").unwrap_or_default();
        let what = format!("slot {slot}: '{}' was cut off", intent.record.kind);
        if dry_run {
            said.push(what);
        } else if intent.during(|| settle_one(desk, &slot, &intent))? {
            intent.done()?;
            said.push(what);
        }
    }
    Ok(said)
}

/// True if it is settled.
fn settle_one(desk: &Desk<'_>, slot: &str, intent: &Found) -> Result<bool> {
    let record = &intent.record;
    let path = record.path("path").unwrap_or_default();
    let id = |key: &str| parse_id(record.get(key).unwrap_or_default());
    match record.kind.as_str() {
        "make" => make::settle(desk, slot, &path),
        "claim" => {
            let pool = Pool::read(desk.repo)?;
            let lease = pool.find(slot).and_then(|s| s.lease.as_ref()).map(|l| l.id.clone());
            if lease.is_some() && lease == record.text("lease") {
                return Ok(true);
            }
            back_to(desk, slot, &path, id("from")?, id("to")?)
        }
        lend::KIND => lend::settle(desk, slot, &path, id("from")?),
        "update" => back_to(desk, slot, &path, id("from")?, id("to")?),
        "release" => release::settle(desk, slot, &path, id("to")?, record),
        "drain" => drain::settle(desk, slot, &path, record),
        // Whoever looks for it finds what was not mended.
        "repair" => Ok(true),
        // One of a newer version: its own repair knows it.
        _ => Ok(false),
    }
}
