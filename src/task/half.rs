//! A task that was not finished, taken back: what an `add` or a `restore` made until it failed or was killed.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::{Desk, Slug, keep, note, notes};
use crate::error::{OrFatal, Result};
use crate::git::process::{Git, retry};
use crate::git::refs::Old;
use crate::git::snapshot;
use crate::git::worktree::Worktree;
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
}

/// Removes what an `add` made. What someone has put there meanwhile is kept.
///
/// # Errors
/// If git or the file system refuses.
pub fn undo_add(desk: &Desk<'_>, name: &str, half: &HalfAdded) -> Result<()> {
    let slug = Slug::try_from(name)?;
    if half.adopts {
        return undo_adoption(desk, &slug, &half.path);
    }
    if half.clone {
        undo_clone(desk, &slug, half)?;
    } else {
        undo_worktree(desk, &slug, half)?;
    }
    undo_branch(desk, half)
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

/// Removes the administrative directory of a worktree that was cut off while git made it, if git could not
/// read it: it would refuse to do anything with any other worktree.
///
/// # Errors
/// If the file system refuses.
pub fn clear_unreadable(desk: &Desk<'_>, path: &Path) -> Result<()> {
    for worktree in desk.repo.worktrees()?.iter().filter(|w| w.path == path && !w.is_main) {
        if !worktree.missing && !worktree.is_readable() {
            remove_half_worktree(worktree)?;
        }
    }
    Ok(())
}

fn undo_worktree(desk: &Desk<'_>, slug: &Slug, half: &HalfAdded) -> Result<()> {
    let worktrees = desk.repo.worktrees()?;
    let ours = worktrees.iter().find(|w| {
        w.path == half.path && !w.is_main && w.task.as_deref().is_none_or(|task| task == slug.as_str())
    });
    match ours {
        Some(worktree) => {
            if !worktree.is_readable() {
                return remove_half_worktree(worktree);
            }
            preserve_if_touched(desk, slug, worktree, half)?;
            let args = ["worktree", "remove", "--force", "--force"];
            desk.repo.at_home().cmd(args).arg(&worktree.path).run()?;
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

/// git refuses to remove a worktree that it had not made to the end, and with an empty `commondir` it refuses
/// everything. Nothing was checked out yet. What else is in the directory stays.
fn remove_half_worktree(worktree: &Worktree) -> Result<()> {
    let dot_git = worktree.path.join(".git");
    if dot_git.is_file() {
        fs::remove_file(&dot_git).or_fatal(|| format!("could not remove '{}'", dot_git.display()))?;
    }
    let _ = fs::remove_dir(&worktree.path);
    remove_admin(worktree)
}

/// Lets git forget a worktree where `git worktree remove` would refuse.
///
/// # Errors
/// If the file system refuses.
pub fn remove_admin(worktree: &Worktree) -> Result<()> {
    let dir = &worktree.git_dir;
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).or_fatal(|| format!("could not remove '{}'", dir.display()));
        }
        _ => {}
    }
    if let Some(root) = dir.parent() {
        // The last one gone, git removes the directory too.
        let _ = fs::remove_dir(root);
    }
    Ok(())
}

/// An administrative directory that was killed before it said where its worktree is: git never prunes it,
/// because it is locked as "initializing".
fn remove_half_admin(desk: &Desk<'_>, path: &Path) -> Result<()> {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return Ok(()) };
    let root = desk.repo.common_dir().join("worktrees");
    for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
        let admin = entry.path();
        let admin_name = entry.file_name().to_string_lossy().into_owned();
        let numbered =
            admin_name.strip_prefix(name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
        let initializing = fs::read_to_string(admin.join("locked")).is_ok_and(|r| r.trim() == "initializing");
        let bare = fs::read_dir(&admin).is_ok_and(|mut all| all.next().is_none());
        if numbered && (initializing || bare) && !admin.join("gitdir").exists() {
            fs::remove_dir_all(&admin).or_fatal(|| format!("could not remove '{}'", admin.display()))?;
        }
    }
    // The last one gone, git removes the directory too.
    let _ = fs::remove_dir(&root);
    Ok(())
}

fn undo_clone(desk: &Desk<'_>, slug: &Slug, half: &HalfAdded) -> Result<()> {
    if !half.path.exists() {
        return Ok(());
    }
    let git = Git::at(&half.path);
    let touched = match git.cmd(["status", "--porcelain", "-uall"]).poll().output() {
        Ok(output) if output.status.success() => output
            .stdout
            .split(|b| *b == b'\n')
            .any(|line| !line.is_empty() && !line.starts_with(b"D") && !line.starts_with(b" D")),
        _ => false,
    };
    if touched {
        desk.observer
            .warn(&format!("task '{slug}' was not made; files of yours stay in '{}'", half.path.display()));
        return Ok(());
    }
    fs::remove_dir_all(&half.path).or_fatal(|| format!("could not remove '{}'", half.path.display()))
}
