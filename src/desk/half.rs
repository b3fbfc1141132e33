//! Worktrees that git had not made to the end when it was killed.

use std::fs;
use std::path::Path;

use super::Desk;
use crate::error::{OrFatal, Result};
use crate::git::process::retry;
use crate::git::worktree::{Worktree, is_initializing};
use crate::paths::{inside, is_there, path_from, read_if_there};
use crate::store::record::intents;

/// Removes the administrative directory of a worktree that was cut off while git made it for us, if git could not
/// read it: it would refuse to do anything with any other worktree.
///
/// # Errors
/// If the file system refuses.
pub fn clear_unreadable(desk: &Desk<'_>, path: &Path) -> Result<()> {
    for worktree in desk.repo.worktrees()?.iter().filter(|w| w.path == path && !w.is_main) {
        if !worktree.missing && !worktree.is_readable() && worktree.is_being_made()? {
            remove_half_worktree(worktree)?;
        }
    }
    Ok(())
}

/// git refuses to remove a worktree that it had not made to the end, and with an empty `commondir` it refuses
/// everything. Nothing was checked out yet. What else is in the directory stays.
///
/// # Errors
/// If the file system refuses.
pub fn remove_half_worktree(worktree: &Worktree) -> Result<()> {
    let dot_git = worktree.path.join(".git");
    if dot_git.is_file() && !worktree.replaced {
        fs::remove_file(&dot_git).or_fatal(|| format!("could not remove '{}'", dot_git.display()))?;
    }
    let _ = fs::remove_dir(&worktree.path);
    remove_admin(worktree)
}

/// Lets git forget a worktree whose directory was taken away.
///
/// # Errors
/// In git's words, or if the file system refuses.
pub fn forget_moved(desk: &Desk<'_>, worktree: &Worktree) -> Result<()> {
    let path = &worktree.path;
    let remove = ["worktree", "remove", "--force", "--force"];
    let forgotten = match fs::symlink_metadata(path) {
        // Whoever was at work in it has made a directory there again. git would refuse, and it isn't ours.
        Ok(_) => remove_admin(worktree),
        Err(_) => {
            retry(desk.settings.lock_timeout, || desk.repo.at_home().cmd(remove).arg(path).run().map(drop))
        }
    };
    // Made in this very moment.
    forgotten.or_else(|failure| if path.exists() { remove_admin(worktree) } else { Err(failure) })
}

/// Lets git forget a worktree where `git worktree remove` would refuse.
///
/// # Errors
/// If the file system refuses.
pub fn remove_admin(worktree: &Worktree) -> Result<()> {
    remove_admin_dir(&worktree.git_dir)
}

/// Goes on with [`remove_admin`], or git's own removal, of the administrative directory `dir` that was cut off: of the
/// worktree that was in `path`. What belongs to another one by now, or to one that is being made, stays.
///
/// # Errors
/// If the file system refuses.
pub fn remove_rest_of_admin(dir: &Path, path: &Path) -> Result<()> {
    let dot_git = path.join(".git");
    let is_rest = match read_if_there(&dir.join("gitdir"))? {
        Some(text) => path_from(text.trim_ascii()) == dot_git && !is_there(&dot_git)?,
        None => !is_initializing(dir)?,
    };
    if is_rest { remove_admin_dir(dir) } else { Ok(()) }
}

fn remove_admin_dir(dir: &Path) -> Result<()> {
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
/// because it is locked as [being made](is_initializing).
///
/// Its name is that of the directory, and a number if that was taken. One that another worktree is just being made
/// with looks the same in its first moment, so those whose name that one could have got are left alone.
///
/// # Errors
/// If the file system refuses.
pub fn remove_half_admin(desk: &Desk<'_>, path: &Path) -> Result<()> {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return Ok(()) };
    let root = desk.repo.common_dir().join("worktrees");
    // Nobody begins while we hold it.
    let held = desk.lock()?;
    let at_work: Vec<_> = intents(&desk.repo.state_dir(), &held)?
        .into_iter()
        .filter(|intent| !intent.abandoned)
        .filter_map(|intent| intent.record.path("path").filter(|other| other != path))
        .filter_map(|other| Some(other.file_name()?.to_str()?.to_owned()))
        .collect();
    for admin in inside(&root)? {
        let admin_name = admin.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = |name: &str| {
            admin_name.strip_prefix(name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
        };
        let ours = numbered(name) && !at_work.iter().any(|name| numbered(name));
        let bare = fs::read_dir(&admin).is_ok_and(|mut all| all.next().is_none());
        if ours && (bare || is_initializing(&admin)?) && !is_there(&admin.join("gitdir"))? {
            fs::remove_dir_all(&admin).or_fatal(|| format!("could not remove '{}'", admin.display()))?;
        }
    }
    // The last one gone, git removes the directory too.
    let _ = fs::remove_dir(&root);
    Ok(())
}
