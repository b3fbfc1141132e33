//! Directories of removed tasks, deleted while nobody waits for it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Desk, Slug};
use crate::desk::aside::DELETE;
use crate::error::Result;
use crate::git::process::{detached, run_shell};
use crate::paths::{inside, is_there, path_bytes, path_from, read_if_there};
use crate::store::atomic;

/// The list of directories that are being deleted; `prune` goes on with those that were not finished.
fn sweep_dir(desk: &Desk<'_>) -> PathBuf {
    desk.repo.state_dir().join("sweep")
}

/// Deletes a directory while nobody waits for it. A record says which, until it is gone.
///
/// # Errors
/// If the record can't be written, or the deletion can't be started.
pub fn in_background(desk: &Desk<'_>, slug: &Slug, dir: &Path) -> Result<()> {
    let record = sweep_dir(desk).join(format!("{slug}-{}", std::process::id()));
    atomic::write(&record, path_bytes(dir))?;
    detached(DELETE, &[dir.as_os_str(), record.as_os_str()])
}

/// Deletes what earlier removals did not come to, and says what.
///
/// # Errors
/// If something can't be deleted.
pub fn sweep(desk: &Desk<'_>, dry_run: bool) -> Result<Vec<PathBuf>> {
    let mut swept = Vec::new();
    for record in inside(&sweep_dir(desk))? {
        let Some(bytes) = read_if_there(&record)? else { continue };
        let dir = path_from(&bytes);
        // Only what has a name that a removal gives.
        let ours =
            dir.is_absolute() && dir.file_name().is_some_and(|n| n.to_string_lossy().contains(".removed-"));
        if ours && is_there(&dir)? {
            swept.push(dir.clone());
            if !dry_run {
                run_shell(DELETE, &[dir.as_os_str(), record.as_os_str()])?;
            }
        } else if !dry_run {
            let _ = fs::remove_file(&record);
        }
    }
    Ok(swept)
}
