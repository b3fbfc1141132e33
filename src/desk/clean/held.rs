//! A worktree is made new again, and what was in it is in a snapshot: if nothing was written there since.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::{Options, clean, copies, note_dir};
use crate::desk::Desk;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::retry;
use crate::git::snapshot;
use crate::git::worktree::Worktree;
use crate::paths::{inside, read_if_there};

/// How often what was written meanwhile is kept too, before whoever writes is asked to stop.
pub const ATTEMPTS: usize = 3;

/// What can go, because it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// The snapshot that has it.
    pub snapshot: ObjectId,
    /// Everything that is not ignored goes; otherwise the worktree is clean.
    pub all: bool,
}

/// Makes the worktree new again, as [`clean`] does, all that goes being in a snapshot. Gives a file that is not, if
/// there is one: it was written since, and nothing was taken away. Before the note goes, `archive` is called.
///
/// # Errors
/// As [`clean`].
pub fn leave(
    desk: &Desk<'_>,
    worktree: &Worktree,
    to: ObjectId,
    held: Held,
    options: Options<'_>,
    archive: impl FnOnce() -> Result<()>,
) -> Result<Option<PathBuf>> {
    let mut written = not_held(desk, worktree, held.snapshot, options.task)?;
    let mut seen = None;
    if held.all && written.is_none() {
        let look = || snapshot::written_since(desk.repo, worktree, held.snapshot);
        written = retry(desk.settings.lock_timeout, look)?;
        seen = Some(snapshot::files_of(desk.repo, held.snapshot)?);
    }
    if written.is_none() {
        archive()?;
        clean(desk, worktree, to, Options { seen, ..options })?;
    }
    Ok(written)
}

/// The refusal for a worktree that somebody keeps writing to.
pub fn busy(worktree: &Worktree, name: &Path) -> Failure {
    let (name, path) = (name.display(), worktree.path.display());
    Failure::fatal(format!("'{name}' in '{path}' is being written"))
        .hint("taskBusy", "Stop whoever writes there, and try again.")
}

/// A file that goes, is ignored, and was written since the snapshot was taken.
fn not_held(
    desk: &Desk<'_>,
    worktree: &Worktree,
    held: ObjectId,
    task: Option<&str>,
) -> Result<Option<PathBuf>> {
    let note = note_dir(worktree, task)?;
    let is_held = |name: &Path| snapshot::holds_ignored(desk.repo, worktree, held, name);
    for copied in copies(desk, worktree)?.into_iter().filter(|copied| !copied.is_same) {
        if !is_held(&copied.name)? {
            return Ok(Some(copied.name));
        }
    }
    let mut waiting: Vec<PathBuf> = note.clone().into_iter().collect();
    while let Some(path) = waiting.pop() {
        let meta = fs::symlink_metadata(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
        let name = path.strip_prefix(&worktree.path).expect("all of it is in the worktree");
        let is_held = match name.file_name().is_some_and(|name| name == ".gitignore") {
            _ if meta.is_dir() => {
                waiting.extend(inside(&path)?);
                true
            }
            true => true,
            false if note.as_ref().is_some_and(|dir| path == dir.join("status.md")) => {
                let there = snapshot::texts_of(&desk.repo.at_home(), held, "note")?;
                read_if_there(&path)? == there
            }
            false => is_held(name)?,
        };
        if !is_held {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}
