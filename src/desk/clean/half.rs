//! A checkout that was cut off: which files are git's, and whether anybody else put one there.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::state;
use crate::desk::Desk;
use crate::desk::alive::{others_in, processes_in};
use crate::error::{OrFatal, Result};
use crate::git::parse_id;
use crate::git::status::{Untracked, status_entries};
use crate::git::switch::git_in;
use crate::git::worktree::{Head, Worktree};
use crate::paths::path_from;

/// Whether all that differs from the index is what a checkout of `to` writes or takes away, as far as it came, and
/// no commit was made there: then nothing is lost by beginning again.
///
/// # Errors
/// If git can't say.
pub fn is_only_checkout(desk: &Desk<'_>, worktree: &Worktree, to: ObjectId) -> Result<bool> {
    if !is_referred_to(desk, worktree)? {
        return Ok(false);
    }
    let git = git_in(worktree);
    let entries = status_entries(&git, Untracked::All, false)?;
    let changed: Vec<BString> = entries
        .into_iter()
        .map(|e| e.path)
        .filter(|name| fs::symlink_metadata(worktree.path.join(path_from(name))).is_ok())
        .collect();
    if changed.is_empty() {
        return Ok(true);
    }
    let listed = git.cmd(["ls-tree", "-r", "-z", &to.to_string()]).poll().run()?;
    let mut wanted: HashMap<&[u8], ObjectId> = HashMap::new();
    for line in listed.split(|b| *b == 0) {
        let Some((info, name)) = line.split_once_str("\t") else { continue };
        let Some(id) = info.fields().nth(2) else { continue };
        wanted.insert(name, parse_id(id)?);
    }
    if changed.iter().any(|name| name.contains(&b'\n')) {
        return Ok(false);
    }
    let list = changed.iter().flat_map(|name| [name.as_slice(), b"\n"].concat()).collect::<Vec<_>>();
    let is_file =
        |name: &BString| fs::symlink_metadata(worktree.path.join(path_from(name))).is_ok_and(|m| m.is_file());
    if !changed.iter().all(is_file) {
        return Ok(false);
    }
    let hashes = git.cmd(["hash-object", "--stdin-paths"]).stdin(list).run()?;
    for (name, hash) in changed.iter().zip(hashes.lines()) {
        let Some(id) = wanted.get(name.as_slice()) else { return Ok(false) };
        if parse_id(hash)? != *id && !is_beginning(desk, &worktree.path.join(path_from(name)), *id)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether what is checked out detached, and what references of this worktree's own name, is found without it, too: in
/// a branch, or in the trash.
///
/// # Errors
/// If git can't say.
pub fn is_referred_to(desk: &Desk<'_>, worktree: &Worktree) -> Result<bool> {
    let mut alone = state::private_refs(desk, worktree)?;
    if let Head::Detached(id) = worktree.head {
        alone.push(id);
    }
    if alone.is_empty() {
        return Ok(true);
    }
    let ids = alone.iter().map(ToString::to_string);
    // Alone, `--all` takes the HEAD of each worktree, and so this one's.
    let list = desk.repo.at_home().cmd(["rev-list", "-n1"]).args(ids);
    Ok(list.args(["--not", "--single-worktree", "--all"]).poll().run()?.is_empty())
}

/// Whether a file is the first part of a blob: it was not written to its end.
fn is_beginning(desk: &Desk<'_>, path: &Path, blob: ObjectId) -> Result<bool> {
    let text = fs::read(path).or_fatal(|| format!("could not read '{}'", path.display()))?;
    let gix = desk.repo.gix();
    let blob = gix.find_object(blob).or_fatal(|| "cannot read an object")?;
    Ok(blob.data.starts_with(&text))
}

/// Locks that a git has left that was killed at work in a worktree of ours. False if somebody is at work there
/// still, and they may be his.
///
/// # Errors
/// If one can't be removed.
pub fn remove_locks(worktree: &Worktree) -> Result<bool> {
    let names = ["index.lock", "HEAD.lock"].map(|name| worktree.git_dir.join(name));
    let left: Vec<_> = names.iter().filter_map(|path| Some((path, which(path)?))).collect();
    // Whoever started this one waits for it, but may hold the lock: git does while it runs a hook.
    let there = if left.is_empty() { others_in(&worktree.path)? } else { processes_in(&worktree.path)? };
    if !there.is_empty() {
        return Ok(false);
    }
    for (path, seen) in left {
        if !remove_seen(path, seen)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a lock whose owner is gone, or was about to remove it himself. False if there is another one by now, of
/// somebody who came since. As long as it is the one that was seen nobody else can take the lock.
fn remove_seen(path: &Path, seen: Which) -> Result<bool> {
    match which(path) {
        Some(now) if now == seen => match fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).or_fatal(|| format!("could not remove '{}'", path.display()))
            }
            _ => Ok(true),
        },
        now => Ok(now.is_none()),
    }
}

/// A file: a number is given again, but not at the same instant.
type Which = (u64, i64, i64);

/// Which file is at this path.
fn which(path: &Path) -> Option<Which> {
    fs::symlink_metadata(path).ok().map(|meta| (meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_somebody_who_came_since_stays() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("index.lock");
        fs::write(&lock, "").unwrap();
        let seen = which(&lock).unwrap();
        assert!(remove_seen(&lock, seen).unwrap() && !lock.exists());
        assert!(remove_seen(&lock, seen).unwrap(), "its owner has removed it");
        let new = dir.path().join("new");
        fs::write(&new, "").unwrap();
        fs::rename(&new, &lock).unwrap();
        assert!(!remove_seen(&lock, seen).unwrap() && lock.exists());
    }
}
