//! What killed integrations have left that is in the way of others.

use std::time::Duration;

use super::place::Place;
use super::{holder, workshop};
use crate::desk::Desk;
use crate::error::Result;
use crate::store::lock::FileLock;

/// A line for each thing that integrations into the target of `place` have left when they were killed. It is mended
/// unless `dry_run`; what they were about stays, for whoever goes on with it. None at all while one runs.
///
/// # Errors
/// If the lock can't be taken or the file system refuses.
pub fn repair(desk: &Desk<'_>, place: &Place, dry_run: bool) -> Result<Option<Vec<String>>> {
    let lock = place.dir.join("lock");
    if !lock.exists() {
        return Ok(Some(Vec::new()));
    }
    let held = match dry_run {
        true => FileLock::acquire_to_look(&lock, Duration::ZERO)?,
        false => FileLock::acquire(&lock, Duration::ZERO)?,
    };
    let Ok(held) = held else { return Ok(None) };
    let mut left = holder::left(&place.dir);
    if !dry_run {
        place.sweep(&held);
    }
    left.extend(workshop::clear_half(desk, place, &held, dry_run)?);
    let name = place.name();
    let line = |path: &std::path::PathBuf| {
        format!("'{}' was left by an integration into '{name}' that was killed", path.display())
    };
    Ok(Some(left.iter().map(line).collect()))
}
