//! `git task prune`: removed work that has expired is forgotten for good, and remains are deleted.

use std::collections::BTreeSet;

use super::record::Tasks;
use super::{Desk, remove, sweep};
use crate::desk::session;
use crate::error::Result;
use crate::store::{names, trash};

/// Forgets what was removed before `before` (seconds since the epoch). Gives a line for each thing.
///
/// # Errors
/// If a reference, the metadata or a directory can't be changed.
pub fn prune(desk: &Desk<'_>, before: i64, dry_run: bool) -> Result<Vec<String>> {
    let mut said = Vec::new();
    // Kept directories go before what says where they are.
    for entry in trash::entries(desk.repo)?.iter().filter(|e| e.when < before) {
        let parked = trash::read(desk.repo, entry)?.meta.path("parked").filter(|p| p.exists());
        if let Some(parked) = parked {
            said.push(format!("directory '{}'", parked.display()));
            if !dry_run {
                remove::discard(desk, &entry.slug, &parked)?;
            }
        }
    }
    let expired = trash::expire(desk.repo, before, dry_run)?;
    for entry in &expired {
        said.push(format!("what was removed of '{}' ({})", entry.slug, entry.ref_name));
    }
    let gone: BTreeSet<&str> = expired.iter().map(|e| e.slug.as_str()).collect();
    let left = trash::entries(desk.repo)?;
    let forgotten: Vec<&str> =
        gone.into_iter().filter(|slug| dry_run || !left.iter().any(|e| e.slug == *slug)).collect();
    if !dry_run && !forgotten.is_empty() {
        for slug in forget_metadata(desk, &forgotten)? {
            session::forget(&desk.repo.state_dir(), &slug)?;
        }
    }
    for dir in sweep::sweep(desk, dry_run)? {
        said.push(format!("directory '{}'", dir.display()));
    }
    Ok(said)
}

/// The sections of tasks that can't be restored any more leave git config; their names are remembered. Gives them.
fn forget_metadata(desk: &Desk<'_>, slugs: &[&str]) -> Result<Vec<String>> {
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let tasks = Tasks::of(file);
        let finished: Vec<String> = slugs
            .iter()
            .filter(|slug| tasks.find(slug).is_some_and(|t| !t.state.is_live()))
            .map(|slug| (*slug).to_owned())
            .collect();
        // Before the sections go, so that no name is free in between.
        names::remember(desk.repo, &held, &finished)?;
        finished.iter().for_each(|slug| file.remove("task", slug));
        Ok(finished)
    })
}
