//! A worktree that is given back: what keeps it from that, and what of its last holder goes.
//!
//! [`require`] refuses, and changes nothing. [`clean`] makes the worktree what it was when it was new, at another
//! commit perhaps; the caller has seen to it that nothing in it is lost by that.

mod away;
mod half;
mod held;
mod state;

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Desk, copy};
use crate::bounded;
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::git::process::retry;
use crate::git::status::{StatusEntry, Untracked, status_entries};
use crate::git::switch::git_in;
use crate::git::worktree::{Head, Worktree};
use crate::paths::inside;
pub use half::{is_only_checkout, is_referred_to, remove_locks};
pub use held::{ATTEMPTS, Held, busy, leave};
pub use state::{leave_submodules, remember_settings};

/// What is done besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Everything that is not ignored goes, if it is in this tree of [`snapshot::files`]: it was preserved since.
    ///
    /// [`snapshot::files`]: crate::git::snapshot::files
    pub seen: Option<ObjectId>,
    /// Ignored files go too.
    pub scrub: bool,
    /// The name of the task whose note goes.
    pub task: Option<&'a str>,
}

/// Work that would no longer be in its place. `known` is the commit that the worktree was handed out at.
///
/// # Errors
/// The refusal; or if git can't say.
pub fn require(desk: &Desk<'_>, worktree: &Worktree, known: Option<ObjectId>) -> Result<()> {
    let path = worktree.path.display();
    if worktree.missing {
        return Err(Failure::fatal(format!("'{path}' does not exist")));
    }
    if let Some(operation) = worktree.operation() {
        return Err(Failure::fatal(format!("a {operation} is in progress in '{path}'")));
    }
    let found = changes(desk, worktree)?;
    if !found.is_empty() {
        let message = format!("'{path}' contains modified or untracked files ({})", found.len());
        return Err(Failure::fatal(message));
    }
    let mut alone = state::private_refs(desk, worktree)?;
    if let Head::Detached(id) = worktree.head {
        alone.push(id);
    }
    alone.retain(|id| Some(*id) != known);
    for id in alone {
        if !is_in_a_branch(desk, id)? {
            return Err(Failure::fatal(format!("'{path}' has commits that are on no branch")));
        }
    }
    Ok(())
}

/// What is not committed, files aside that were copied here and are as they were. What the index says is not
/// to be looked at is looked at.
fn changes(desk: &Desk<'_>, worktree: &Worktree) -> Result<Vec<StatusEntry>> {
    let mut found = state::without_flags(worktree, |git| status_entries(git, Untracked::Normal, false))?;
    if found.iter().any(StatusEntry::is_untracked) && copy::is_configured(desk) {
        let copies = copies(desk, worktree)?;
        let same: Vec<_> = copies.iter().filter(|c| c.is_same).map(|c| c.name.as_path()).collect();
        found = state::without_flags(worktree, |git| status_entries(git, Untracked::All, false))?;
        found.retain(|e| !(e.is_untracked() && same.contains(&crate::paths::path_from(&e.path).as_path())));
    }
    Ok(found)
}

fn is_in_a_branch(desk: &Desk<'_>, commit: ObjectId) -> Result<bool> {
    let args = ["rev-list", "-n1", &commit.to_string(), "--not", "--branches", "--remotes"];
    Ok(desk.repo.at_home().cmd(args).poll().run()?.is_empty())
}

/// A file that `setup.copy` brought.
struct Copied {
    name: PathBuf,
    /// It is the same as that in the main worktree.
    is_same: bool,
}

fn copies(desk: &Desk<'_>, worktree: &Worktree) -> Result<Vec<Copied>> {
    let source = desk.repo.main_worktree().or(desk.repo.workdir());
    let is_same = |name: &Path| {
        let (here, there) = (worktree.path.join(name), source.map(|s| s.join(name)));
        match (fs::symlink_metadata(&here), &there) {
            (Ok(meta), Some(there)) if meta.is_symlink() => {
                fs::read_link(&here).ok() == fs::read_link(there).ok()
            }
            (Ok(meta), Some(there)) => {
                let read = |path| bounded::read(path, meta.len());
                fs::metadata(there).is_ok_and(|m| m.len() == meta.len())
                    && read(&here).is_ok_and(|text| read(there).is_ok_and(|other| text == other))
            }
            _ => false,
        }
    };
    let names = copy::matching(desk, &worktree.path, false)?;
    Ok(names.into_iter().map(|name| Copied { is_same: is_same(&name), name }).collect())
}

/// Ignored files that go and are nowhere else, relative to the top: copied files that were changed, and what
/// lies beside the note.
///
/// # Errors
/// If they can't be listed.
pub fn worth_keeping(desk: &Desk<'_>, worktree: &Worktree, task: Option<&str>) -> Result<Vec<PathBuf>> {
    let copied = copies(desk, worktree)?.into_iter().filter(|c| !c.is_same).map(|c| c.name);
    let mut names: Vec<PathBuf> = copied.collect();
    let Some(task) = task else { return Ok(names) };
    let dir = Path::new("notes").join(task);
    let here = worktree.path.join(&dir);
    if !fs::symlink_metadata(&here).is_ok_and(|m| m.is_dir()) {
        return Ok(names);
    }
    for path in inside(&here)? {
        let Some(name) = path.file_name() else { continue };
        if name != "status.md" && name != ".gitignore" {
            names.push(dir.join(name));
        }
    }
    Ok(names)
}

/// Makes the worktree new again, detached at `to`.
///
/// # Errors
/// If git or the file system refuses; or if anything is left, which came meanwhile. It must then be handed out to
/// nobody.
pub fn clean(desk: &Desk<'_>, worktree: &Worktree, to: ObjectId, options: Options<'_>) -> Result<()> {
    let limit = desk.settings.lock_timeout;
    let from = head_of(desk, worktree)?;
    if options.seen.is_some() {
        state::remove_operation(worktree)?;
    }
    state::clear_flags(worktree)?;
    remove_copies(desk, worktree)?;
    note_dir(worktree, options.task)?.as_deref().map_or(Ok(()), remove_note)?;
    state::reset_settings(worktree)?;
    if let Some(seen) = options.seen {
        // Off the branch first: that stays where it is.
        let here = from.unwrap_or(to);
        if worktree.head != Head::Detached(here) {
            retry(limit, || desk.repo.move_head(worktree, here, &Head::Detached(here), here))?;
        }
        state::leave_submodules(worktree, true)?;
        away::take(desk, worktree, seen, to)?;
        if here != to {
            let now = Worktree { head: Head::Detached(here), ..worktree.clone() };
            retry(limit, || desk.repo.move_head(&now, here, &Head::Detached(to), to))?;
        }
    } else {
        let Some(from) = from else {
            return Err(Failure::fatal(format!("'{}' has no commit checked out", worktree.path.display())));
        };
        state::leave_submodules(worktree, false)?;
        if from != to {
            retry(limit, || desk.repo.update_files(worktree, from, to))
                .map_err(|failure| away::not_brought(worktree, to, failure))?;
        }
        if worktree.head != Head::Detached(to) {
            retry(limit, || desk.repo.move_head(worktree, from, &Head::Detached(to), to))?;
        }
        state::remove_operation(worktree)?;
    }
    state::remove_private_refs(worktree)?;
    bound_cache(desk, worktree, options.scrub)?;
    if options.seen.is_some() {
        let left = status_entries(&git_in(worktree), Untracked::Normal, false)?;
        if !left.is_empty() {
            let message =
                format!("'{}' is not clean, whatever was done ({})", worktree.path.display(), left.len());
            return Err(Failure::fatal(message));
        }
    }
    Ok(())
}

/// The commit that the worktree stands at, if there is one.
///
/// # Errors
/// If the references can't be read.
pub fn head_of(desk: &Desk<'_>, worktree: &Worktree) -> Result<Option<ObjectId>> {
    match &worktree.head {
        Head::Detached(id) => Ok(Some(*id)),
        Head::Branch(name) if name.starts_with("refs/heads/") => desk.repo.find_ref(name),
        _ => {
            let out = git_in(worktree).cmd(["rev-parse", "-q", "--verify", "HEAD"]).poll().output()?;
            Ok(parse_id(out.stdout.trim()).ok())
        }
    }
}

/// Removes what `setup.copy` brought.
///
/// # Errors
/// If it can't be removed.
pub fn remove_copies(desk: &Desk<'_>, worktree: &Worktree) -> Result<()> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    for copied in copies(desk, worktree)? {
        let path = worktree.path.join(&copied.name);
        fs::remove_file(&path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
        dirs.extend(copied.name.ancestors().skip(1).filter(|d| *d != Path::new("")).map(Path::to_owned));
    }
    dirs.sort();
    // The deepest ones first; one that has something else in it stays.
    dirs.iter().rev().for_each(|dir| drop(fs::remove_dir(worktree.path.join(dir))));
    Ok(())
}

/// Where the note of a task is, if it is ours: what the branch brings stays with the branch.
fn note_dir(worktree: &Worktree, task: Option<&str>) -> Result<Option<PathBuf>> {
    let Some(task) = task else { return Ok(None) };
    let name = Path::new("notes").join(task);
    let tracked = git_in(worktree).cmd(["ls-files", "--"]).arg(&name).poll().run()?;
    let is_dir = |path: &Path| fs::symlink_metadata(path).is_ok_and(|m| m.is_dir());
    let dir = worktree.path.join(name);
    let is_ours = is_dir(&worktree.path.join("notes")) && is_dir(&dir) && tracked.is_empty();
    Ok(is_ours.then_some(dir))
}

fn remove_note(dir: &Path) -> Result<()> {
    fs::remove_dir_all(dir).or_fatal(|| format!("could not remove '{}'", dir.display()))?;
    // Other notes stay.
    dir.parent().map_or(Ok(()), |notes| fs::remove_dir(notes).or(Ok(())))
}

/// Ignored files go if they are to, or if there is more of them than a slot may keep.
fn bound_cache(desk: &Desk<'_>, worktree: &Worktree, scrub: bool) -> Result<()> {
    let limit = desk.settings.pool.max_cache.map(|n| u64::try_from(n).unwrap_or(u64::MAX));
    if !scrub {
        let Some(limit) = limit else { return Ok(()) };
        let size = ignored_size(&worktree.path)?;
        if size <= limit {
            return Ok(());
        }
        desk.observer.note(&format!(
            "Ignored files of '{}' go: {size} bytes are more than pool.maxCache",
            worktree.path.display()
        ));
    }
    git_in(worktree).cmd(["clean", "-ffdqX"]).run().map(drop)
}

/// How many bytes the ignored files of a worktree have.
///
/// # Errors
/// If git can't list them.
pub fn ignored_size(path: &Path) -> Result<u64> {
    Ok(copy::ignored(path)?.iter().map(|name| size_of(&path.join(name))).sum())
}

/// How many bytes a file or a directory has; what can't be read has none.
pub fn size_of(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            fs::read_dir(path).into_iter().flatten().flatten().map(|e| size_of(&e.path())).sum()
        }
        Ok(meta) => meta.len(),
        Err(_) => 0,
    }
}
