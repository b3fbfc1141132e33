//! The files of a note: in the task's worktree, seen from the main worktree, and archived.
//!
//! The path below `notes/` belongs to the branch, so every part of it is looked at before it is used: a
//! directory that is a symbolic link would lead out of the worktree.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::{Desk, Slug, note};
use crate::bounded;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::Git;
use crate::paths::{inside, is_no_place};
use crate::store::atomic;

/// The note's path below the top of a worktree.
pub fn relative_path(slug: &Slug) -> PathBuf {
    Path::new("notes").join(slug.as_str()).join("status.md")
}

/// The note in this worktree, checked to be a file of its own or absent.
///
/// # Errors
/// If it, or a directory above it, is something else.
pub fn checked_path(worktree: &Path, slug: &Slug) -> Result<PathBuf> {
    look(worktree, slug)?.map_err(Failure::fatal)
}

/// The same, or what is there instead.
fn look(worktree: &Path, slug: &Slug) -> Result<std::result::Result<PathBuf, String>> {
    let relative = relative_path(slug);
    let mut path = worktree.to_owned();
    for part in relative.components() {
        path.push(part);
        let is_last = path.ends_with(&relative);
        let shown = path.display();
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_symlink() => {
                return Ok(Err(format!("'{shown}' is a symbolic link; a note is not written through it")));
            }
            Ok(meta) if is_last && !meta.is_file() => {
                return Ok(Err(format!("'{shown}' is not a regular file")));
            }
            Ok(meta) if !is_last && !meta.is_dir() => {
                return Ok(Err(format!("'{shown}' is not a directory")));
            }
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Ok(worktree.join(relative))),
            Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
        }
    }
    Ok(Ok(path))
}

/// Writes the note of a new task, unless its branch brings one.
///
/// # Errors
/// If something is in the way.
pub fn create(
    desk: &Desk<'_>,
    worktree: &Path,
    slug: &Slug,
    title: Option<&str>,
    goal: Option<&str>,
) -> Result<()> {
    let path = checked_path(worktree, slug)?;
    // First, so that the note never shows as an untracked file.
    if !desk.settings.track_notes {
        hide(&path)?;
    }
    if !path.exists() {
        return atomic::write(&path, note::template(title, slug, goal).as_bytes());
    }
    match goal {
        Some(goal) => set_section(&path, note::Section::Goal, goal),
        None => Ok(()),
    }
}

/// Makes the note's directory ignore itself, unless it says something of its own.
fn hide(note: &Path) -> Result<()> {
    let ignore = note.with_file_name(".gitignore");
    match fs::symlink_metadata(&ignore) {
        Ok(_) => Ok(()),
        // Nothing that a power cut could cost anybody: it is not worth a sync.
        Err(_) => fs::create_dir_all(note.parent().unwrap_or(note))
            .and_then(|()| fs::write(&ignore, b"*\n"))
            .or_fatal(|| format!("could not write '{}'", ignore.display())),
    }
}

/// The note's text, if there is one.
///
/// # Errors
/// If it can't be read.
pub fn read(worktree: &Path, slug: &Slug) -> Result<Option<Vec<u8>>> {
    read_at(&checked_path(worktree, slug)?)
}

/// The note's text before the worktree goes. What is something else in its place is no note, and goes as what it is.
///
/// # Errors
/// If it can't be read: it would be gone where notes are shown.
pub fn last(worktree: &Path, slug: &Slug) -> Result<Option<Vec<u8>>> {
    look(worktree, slug)?.map_or(Ok(None), |path| read_at(&path))
}

fn read_at(path: &Path) -> Result<Option<Vec<u8>>> {
    match bounded::read(path, u64::MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
    }
}

/// What a look at the note shows: of one that is too large to be a note, the beginning.
pub fn glance(worktree: &Path, slug: &Slug) -> Option<Vec<u8>> {
    /// A list looks at the notes of all tasks.
    const SEEN: u64 = 1 << 20;
    bounded::beginning(&checked_path(worktree, slug).ok()?, SEEN).ok()
}

/// Changes one section of the note and nothing else in it.
///
/// # Errors
/// If the file can't be read or replaced.
pub fn set_section(path: &Path, section: note::Section, body: &str) -> Result<()> {
    let text = bounded::read(path, u64::MAX).or_fatal(|| format!("could not read '{}'", path.display()))?;
    let changed = note::with_section(&text, section, body);
    if changed == text { Ok(()) } else { atomic::write(path, &changed) }
}

/// Shows the note in the main worktree at the same path, as a link.
///
/// Anything that is there already and is not our link or our archived note stays, with a warning.
///
/// # Errors
/// If the link can't be made.
pub fn link_in_main(desk: &Desk<'_>, worktree: &Path, slug: &Slug) -> Result<()> {
    let Some(main) = desk.repo.main_worktree().filter(|main| *main != worktree) else { return Ok(()) };
    let Some(link) = place_in_main(desk, main, slug) else { return Ok(()) };
    let dir = link.parent().expect("a note is in a directory");
    let target = relative_to(&worktree.join(relative_path(slug)), dir);
    if fs::read_link(&link).is_ok_and(|existing| existing == target) {
        return Ok(());
    }
    fs::create_dir_all(dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
    if fs::symlink_metadata(&link).is_ok_and(|meta| meta.is_file()) {
        // A restored note is the archived one.
        let archived =
            bounded::read(&link, u64::MAX).or_fatal(|| format!("could not read '{}'", link.display()))?;
        // The branch may have a link to a device at that name.
        let length = u64::try_from(archived.len()).unwrap_or(u64::MAX);
        let restored = bounded::read(&worktree.join(relative_path(slug)), length);
        if !restored.is_ok_and(|restored| restored == archived) {
            keep_archived(&link)?;
        }
    }
    hide(&link)?;
    // By rename, so that a reader always finds one or the other.
    let temporary = dir.join(format!(".status.md.tmp-{}", std::process::id()));
    let made = std::os::unix::fs::symlink(&target, &temporary).and_then(|()| fs::rename(&temporary, &link));
    made.or_fatal(|| format!("could not create '{}'", link.display()))
}

/// The link's path if it may be written there.
fn place_in_main(desk: &Desk<'_>, main: &Path, slug: &Slug) -> Option<PathBuf> {
    let path = main.join(relative_path(slug));
    let refuse = |why: &str| {
        desk.observer.warn(&format!("not showing the note of '{slug}' in '{}': {why}", main.display()));
        None
    };
    for dir in [main.join("notes"), main.join("notes").join(slug.as_str())] {
        match fs::symlink_metadata(&dir) {
            Ok(meta) if !meta.is_dir() => return refuse(&format!("'{}' is not a directory", dir.display())),
            _ => {}
        }
    }
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_dir() => return refuse(&format!("'{}' is a directory", path.display())),
        Ok(_) if is_tracked(main, &relative_path(slug)) => {
            return refuse("the branch there tracks a note of that name");
        }
        _ => {}
    }
    Some(path)
}

fn is_tracked(worktree: &Path, relative: &Path) -> bool {
    let listed = Git::at(worktree).cmd(["ls-files", "--error-unmatch", "--"]).arg(relative).poll().output();
    // If git can't say, the file is left alone.
    listed.is_ok_and(|output| output.status.success())
}

/// An older archived note moves aside, numbered.
fn keep_archived(path: &Path) -> Result<()> {
    let free = (1..).map(|n| path.with_file_name(format!("status-{n}.md"))).find(|p| !p.exists());
    let free = free.expect("one of the numbers is free");
    fs::rename(path, &free).or_fatal(|| format!("could not rename '{}'", path.display()))
}

/// The task is gone: its note stays in the main worktree as a file.
///
/// # Errors
/// If it can't be written.
pub fn archive(desk: &Desk<'_>, slug: &Slug, text: Option<&[u8]>) -> Result<()> {
    let Some(main) = desk.repo.main_worktree() else { return Ok(()) };
    let path = main.join(relative_path(slug));
    // Only our own link is replaced; where there is none, what is there is the user's or the branch's.
    if !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink()) {
        return Ok(());
    }
    match text {
        Some(text) => atomic::write(&path, text),
        None => remove_link(desk, slug),
    }
}

/// Whether [`archive`] would have a place for it: only where our link is.
pub fn can_archive(desk: &Desk<'_>, slug: &Slug) -> bool {
    let path = desk.repo.main_worktree().map(|main| main.join(relative_path(slug)));
    path.is_some_and(|path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()))
}

/// Takes our link out of the main worktree, and the directory if nothing else is in it.
///
/// # Errors
/// If it can't be removed.
pub fn remove_link(desk: &Desk<'_>, slug: &Slug) -> Result<()> {
    let Some(main) = desk.repo.main_worktree() else { return Ok(()) };
    let path = main.join(relative_path(slug));
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_symlink() => {
            fs::remove_file(&path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
        }
        Ok(_) => return Ok(()),
        // It went before, and whoever took it was cut off.
        Err(_) => {}
    }
    let dir = path.parent().expect("a note is in a directory");
    let inside = inside(dir)?;
    let only_ignore = dir.is_dir() && inside.iter().all(|path| path.ends_with(".gitignore"));
    if only_ignore {
        let ignore = dir.join(".gitignore");
        if let Err(e) = fs::remove_file(&ignore)
            && !is_no_place(&e)
        {
            return Err(e).or_fatal(|| format!("could not remove '{}'", ignore.display()));
        }
        let _ = fs::remove_dir(dir);
        // Fails where other notes are, and that is right.
        let _ = fs::remove_dir(main.join("notes"));
    }
    Ok(())
}

/// `path` as seen from `dir`; both absolute.
fn relative_to(path: &Path, dir: &Path) -> PathBuf {
    let (path, dir): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (path.components().collect(), dir.components().collect());
    let shared = path.iter().zip(&dir).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(Component::ParentDir, dir.len() - shared);
    up.chain(path[shared..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_relative_so_that_both_sides_can_move_together() {
        let link = relative_to(Path::new("/r/w/x/notes/x/status.md"), Path::new("/r/main/notes/x"));
        assert_eq!(link, Path::new("../../../w/x/notes/x/status.md"));
    }
}
