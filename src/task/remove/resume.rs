//! A removal that was cut off.

use std::path::PathBuf;

use super::steps::{forget, has_moved, look_again};
use crate::desk::aside::unseen_of;
use crate::error::Result;
use crate::git::switch::worktree_at;
use crate::store::record::Found;
use crate::store::trash;
use crate::task::record::Tasks;
use crate::task::{Desk, Slug, State, keep, notes, occupy, sweep};

/// Goes on with a removal that was cut off, if the directory was out of the way already.
///
/// # Errors
/// If git or the file system refuses.
pub fn resume(desk: &Desk<'_>, intent: &Found) -> Result<bool> {
    let record = &intent.record;
    let path = record.path("path").filter(|p| !p.as_os_str().is_empty());
    let aside = record.path("aside").filter(|p| !p.as_os_str().is_empty());
    let went = path.is_none() || has_moved(path.as_deref(), aside.as_deref());
    let Some(task) = Tasks::read(desk.repo)?.find(&intent.name).cloned() else {
        return Ok(true);
    };
    // Nothing goes that is not in the trash: the removal was cut off before it came to preserving.
    let last = record.text("last").and_then(|n| n.parse().ok()).unwrap_or(u64::MAX);
    let preserved = trash::latest(desk.repo, &intent.name)?.filter(|entry| entry.number > last);
    let Some(preserved) = preserved else { return Ok(true) };
    let mut went = went;
    if let (Some(slot), Some(to), Some(path)) = (record.text("slot"), record.get("to"), &path)
        && let Ok(worktree) = worktree_at(desk.repo, path)
    {
        let to = crate::git::parse_id(to)?;
        if task.slot.as_ref() == Some(&slot)
            && !occupy::empty_again(desk, &task.slug, &worktree, &slot, to, preserved.commit)?
        {
            return Ok(false);
        }
        went = true;
    }
    if !went {
        // It was held, and not moved yet.
        if let Some(worktree) = path.as_deref().and_then(|path| worktree_at(desk.repo, path).ok()) {
            worktree.let_go()?;
        }
        return Ok(true);
    }
    if let (Some(path), Some(parked)) = (&path, parked_by(desk, &task.slug)?) {
        keep::park_again(desk, &task.slug, path, &parked)?;
    }
    if let (Some(path), Some(aside)) = (&path, aside.as_deref().filter(|a| unseen_of(a).exists())) {
        let worktrees = desk.repo.worktrees()?;
        let worktree = worktrees.iter().find(|w| w.path == *path && !w.is_main);
        if let Err(failure) = look_again(desk, &task, worktree, path, (aside, None)) {
            let now = if path.exists() { path } else { &unseen_of(aside) };
            desk.observer.warn(&format!(
                "task '{}' was not removed, see '{}': {failure}",
                task.slug,
                now.display()
            ));
            return Ok(true);
        }
    }
    let deletes =
        record.get("deletes").filter(|v| !v.is_empty()).map(|v| crate::git::parse_id(v)).transpose()?;
    let becomes =
        record.text("becomes").and_then(|s| State::try_from(s.as_str()).ok()).unwrap_or(State::Dropped);
    let note = aside.as_deref().map(|p| notes::last(p, &task.slug)).transpose()?.flatten();
    let note = match (note, &path) {
        (None, Some(_)) if record.get("slot").is_some() => trash::read(desk.repo, &preserved)?.note,
        (note, _) => note,
    };
    let gone = path.as_deref().filter(|_| record.get("slot").is_none());
    forget(desk, &task, gone, deletes, becomes, note.as_deref())?;
    match aside.filter(|p| p.exists()) {
        Some(aside) => sweep::in_background(desk, &task.slug, &aside).map(|()| true),
        None => Ok(true),
    }
}

/// Where the last removal of a task has kept the directory itself.
fn parked_by(desk: &Desk<'_>, slug: &Slug) -> Result<Option<PathBuf>> {
    let Some(entry) = trash::latest(desk.repo, slug.as_str())? else { return Ok(None) };
    Ok(trash::read(desk.repo, &entry)?.meta.path("parked").filter(|p| p.exists()))
}
