//! A task that was not finished, taken back: what an `add` or a `restore` made until it failed or was killed.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::occupy::{self, HalfSeated};
use super::{Desk, Slug, keep, note, notes};
use crate::desk::half::{remove_half_admin, remove_half_worktree};
use crate::error::{OrFatal, Result};
use crate::git::process::{Git, retry};
use crate::git::refs::Old;
use crate::git::snapshot;
use crate::git::worktree::Worktree;
use crate::paths::inside;
use crate::store::trash;

/// What an `add` was about to make.
#[derive(Clone, Debug)]
pub struct HalfAdded {
    /// The branch, by full name.
    pub branch: Option<String>,
    /// Where the branch was made, if it was.
    pub created_at: Option<ObjectId>,
    /// What a restore fills the worktree from.
    pub snapshot: Option<ObjectId>,
    /// The worktree.
    pub path: PathBuf,
    /// The worktree was there before.
    pub adopts: bool,
    /// It is a clone.
    pub clone: bool,
    /// The slot of the pool that it went into.
    pub seat: Option<HalfSeated>,
    /// What is at its place is somebody else's: nothing was made there.
    pub elsewhere: bool,
}

/// What was made before something failed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made {
    /// The branch.
    pub branch: bool,
    /// Something at its place: a worktree, a clone, or the beginning of one.
    pub place: bool,
}

impl Made {
    /// Makes something at its place, and remembers if somebody else was quicker there.
    ///
    /// # Errors
    /// What `make` says.
    pub fn at<T>(&mut self, path: &Path, make: impl FnOnce() -> Result<T>) -> Result<T> {
        self.place = true;
        make().inspect_err(|failure| {
            let said = failure.message();
            self.place =
                !(said.contains(&format!("'{}'", path.display())) && said.contains("already exists"));
        })
    }
}

/// Removes what an `add` made. What someone has put there meanwhile is kept. False if somebody is at work in
/// there: then it is too early.
///
/// # Errors
/// If git or the file system refuses.
pub fn undo_add(desk: &Desk<'_>, name: &str, half: &HalfAdded) -> Result<bool> {
    let slug = Slug::try_from(name)?;
    if half.elsewhere {
        return undo_branch(desk, half).map(|()| true);
    }
    if let Some(seat) = &half.seat {
        let risen = occupy::rise(desk, &slug, &half.path, seat)?;
        if risen {
            undo_branch(desk, half)?;
        }
        return Ok(risen);
    }
    if half.adopts {
        return undo_adoption(desk, &slug, &half.path).map(|()| true);
    }
    if half.clone {
        undo_clone(desk, &slug, half)?;
    } else {
        undo_worktree(desk, &slug, half)?;
    }
    undo_branch(desk, half).map(|()| true)
}

/// Deletes the branch if it was made and nothing has come onto it.
///
/// # Errors
/// If git refuses.
pub fn undo_branch(desk: &Desk<'_>, half: &HalfAdded) -> Result<()> {
    if let (Some(branch), Some(start)) = (&half.branch, half.created_at)
        && desk.repo.find_ref(branch)? == Some(start)
    {
        let change = [(branch.clone(), None, Old::Is(start))];
        retry(desk.settings.lock_timeout, || desk.repo.update_refs("git task add: taken back", &change))?;
    }
    Ok(())
}

fn undo_adoption(desk: &Desk<'_>, slug: &Slug, path: &Path) -> Result<()> {
    let worktrees = desk.repo.worktrees()?;
    if let Some(worktree) =
        worktrees.iter().find(|w| w.path == path && w.task.as_deref() == Some(slug.as_str()))
    {
        worktree.unmark()?;
    }
    remove_untouched_note(path, slug)
}

fn remove_untouched_note(path: &Path, slug: &Slug) -> Result<()> {
    let Some(text) = notes::read(path, slug)? else { return Ok(()) };
    let template = note::template(None, slug, None);
    if text == template.as_bytes() {
        let note = path.join(notes::relative_path(slug));
        let dir = note.parent().expect("a note is in a directory");
        fs::remove_dir_all(dir).or_fatal(|| format!("could not remove '{}'", dir.display()))?;
        let _ = fs::remove_dir(path.join("notes"));
    }
    Ok(())
}

fn undo_worktree(desk: &Desk<'_>, slug: &Slug, half: &HalfAdded) -> Result<()> {
    let worktrees = desk.repo.worktrees()?;
    match worktrees.iter().find(|w| w.path == half.path && !w.is_main) {
        Some(worktree) => {
            // One that somebody made there has no mark either.
            let is_ours = match &worktree.task {
                Some(task) => task == slug.as_str(),
                None => worktree.is_being_made()?,
            };
            if !is_ours {
                return Ok(());
            }
            if !worktree.is_readable() {
                return remove_half_worktree(worktree);
            }
            preserve_if_touched(desk, slug, worktree, half)?;
            desk.worktree(&["remove", "--force", "--force"], &worktree.path)?;
        }
        None => remove_half_admin(desk, &half.path)?,
    }
    // git makes the directory before it writes anything into it.
    let _ = fs::remove_dir(&half.path);
    Ok(())
}

/// If files are there that the checkout did not write, they go to the trash first.
fn preserve_if_touched(desk: &Desk<'_>, slug: &Slug, worktree: &Worktree, half: &HalfAdded) -> Result<()> {
    let like = match (half.snapshot, half.created_at) {
        (Some(snapshot), _) => snapshot,
        (None, Some(start)) => start,
        (None, None) => match half.branch.as_deref().map(|b| desk.repo.find_ref(b)).transpose()?.flatten() {
            Some(tip) => tip,
            None => return Ok(()),
        },
    };
    let note = notes::relative_path(slug);
    let notes = note.parent().expect("a note is in a directory");
    if snapshot::differs_from(desk.repo, worktree, like, notes)? {
        keep::keep_what_is_left(desk, slug, worktree)?;
        // What was being restored is still to be found first.
        if let Some(snapshot) = half.snapshot {
            trash::file_again(desk.repo, slug.as_str(), snapshot)?;
        }
        desk.observer.warn(&format!(
            "files found in '{}' are kept: 'git task restore {slug}'",
            worktree.path.display()
        ));
    }
    Ok(())
}

/// Whether what is there can be a clone that we made, or the beginning of one: it has our objects, or none yet.
///
/// # Errors
/// If it can't be looked at.
pub fn is_half_clone(desk: &Desk<'_>, path: &Path) -> Result<bool> {
    let dot_git = path.join(".git");
    if !dot_git.is_dir() {
        return Ok(path.is_dir() && inside(path)?.is_empty());
    }
    let has_lent = desk.repo.has_lent_to(path);
    if has_lent.or_fatal(|| format!("could not look at '{}'", path.display()))? {
        return Ok(true);
    }
    let objects = inside(&dot_git.join("objects"))?;
    let is_empty = |dir: &PathBuf| Ok(inside(dir)?.is_empty());
    objects.iter().map(is_empty).try_fold(true, |all, empty: Result<bool>| Ok(all && empty?))
}

fn undo_clone(desk: &Desk<'_>, slug: &Slug, half: &HalfAdded) -> Result<()> {
    if !is_half_clone(desk, &half.path)? {
        return Ok(());
    }
    let git = Git::at(&half.path);
    let touched = match git.cmd(["status", "--porcelain", "-uall"]).poll().output() {
        Ok(output) if output.status.success() => output
            .stdout
            .split(|b| *b == b'\n')
            .any(|line| !line.is_empty() && !line.starts_with(b"D") && !line.starts_with(b" D")),
        // Nothing was checked out yet.
        _ => inside(&half.path)?.iter().any(|entry| !entry.ends_with(".git")),
    };
    if touched {
        desk.observer
            .warn(&format!("task '{slug}' was not made; files of yours stay in '{}'", half.path.display()));
        return Ok(());
    }
    fs::remove_dir_all(&half.path).or_fatal(|| format!("could not remove '{}'", half.path.display()))
}
