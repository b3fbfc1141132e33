//! What a snapshot was taken of, so that a second look costs less than a second snapshot.
//!
//! One `git status` and the times of the files that it names tell whether anything was written since. They tell
//! it for certain only where the first look left no doubt: no file changed in the moment before it, nothing in
//! the index that hides a change. Elsewhere there is no [`Look`], and whoever wants to know takes another snapshot.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::contents::{self, Index};
use super::disk::{self, Status, Unseen, z_list};
use super::place::Place;
use super::{Request, state};
use crate::error::{OrFatal, Result};
use crate::git::Repo;
use crate::paths::path_bytes;

/// A file whose times are younger than this, in nanoseconds, may be written once more without getting others: clocks
/// of file systems tick every 10 milliseconds at the slowest.
const TICK: i128 = 50_000_000;

/// What was seen. Two that are equal saw the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look(Vec<u8>);

/// The index, the state of the git directory, its references and its reflogs, as a snapshot holds them.
#[derive(Clone, Copy, Debug)]
pub struct Admin<'a> {
    /// The bytes of the index.
    pub index: &'a [u8],
    /// What [`state::files`] gave.
    pub files: &'a [(PathBuf, Vec<u8>)],
    /// What [`state::references`] gave.
    pub references: &'a [u8],
    /// What [`state::reflogs`] gave.
    pub logs: &'a [(PathBuf, Vec<u8>)],
}

impl Look {
    /// Puts together what was seen. `prints` are the files', made before any of them was read.
    pub fn new(
        request: &Request<'_>,
        status: &Status,
        unseen: &Unseen,
        prints: &[u8],
        admin: &Admin<'_>,
    ) -> Self {
        let mut all = Vec::new();
        // The length in front, so that nothing can pass for something else.
        let mut add = |part: &[u8]| {
            all.extend_from_slice(&(part.len() as u64).to_le_bytes());
            all.extend_from_slice(part);
        };
        for (name, text) in request.texts {
            add(name.as_bytes());
            add(text);
        }
        add(&status.raw);
        for list in [&unseen.repositories, &unseen.special, &unseen.empty] {
            let mut list = list.clone();
            list.sort_unstable();
            add(&z_list(&list));
        }
        add(prints);
        add(admin.index);
        add(admin.references);
        for (name, bytes) in admin.files.iter().chain(admin.logs) {
            add(path_bytes(name));
            add(bytes);
        }
        Look(all)
    }
}

/// The times and sizes of the files that the status names and that the caller keeps. None if they leave a doubt.
///
/// # Errors
/// If our own directory can't be written to.
pub fn prints(place: &Place, top: &Path, status: &Status, kept: &[PathBuf]) -> Result<Option<Vec<u8>>> {
    let clock = place.file("clock");
    let now = fs::write(&clock, []).and_then(|()| fs::metadata(&clock));
    let now = now.or_fatal(|| format!("could not write '{}'", clock.display()))?;
    let mut all = Vec::new();
    let is_certain = status.changed.iter().all(|name| print(top, name, false, &now, &mut all))
        && kept.iter().all(|name| print(top, name, true, &now, &mut all));
    Ok(is_certain.then_some(all))
}

/// Adds what is known of a file without reading it, of a directory (if it may be one) all that is in it.
fn print(top: &Path, name: &Path, may_be_directory: bool, now: &Metadata, all: &mut Vec<u8>) -> bool {
    let Ok(meta) = fs::symlink_metadata(top.join(name)) else {
        // Deleted, which the status says too.
        return !may_be_directory;
    };
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let changed = nanoseconds(meta.ctime(), meta.ctime_nsec());
    // Of another file system the clock isn't known.
    if meta.dev() != now.dev() || changed > nanoseconds(now.ctime(), now.ctime_nsec()) - TICK {
        return false;
    }
    all.extend_from_slice(path_bytes(name));
    all.push(0);
    for number in [meta.ino(), meta.len(), u64::from(meta.mode()), u64::from(meta.uid())] {
        all.extend_from_slice(&number.to_le_bytes());
    }
    all.extend_from_slice(&nanoseconds(meta.mtime(), meta.mtime_nsec()).to_le_bytes());
    all.extend_from_slice(&changed.to_le_bytes());
    if !meta.is_dir() {
        return true;
    }
    let Ok(entries) = fs::read_dir(top.join(name)) else { return false };
    let mut names: Vec<_> = entries.flatten().map(|entry| name.join(entry.file_name())).collect();
    names.sort_unstable();
    may_be_directory && names.iter().all(|name| print(top, name, true, now, all))
}

/// Whether nothing that a snapshot holds was written since. False if that isn't certain.
///
/// # Errors
/// If something can't be read.
pub fn is_same(repo: &Repo, request: &Request<'_>, first: &Look) -> Result<bool> {
    let (Some(path), Some(git_dir)) = (request.path, request.git_dir) else { return Ok(false) };
    let place = Place::new(repo, Some(path), Some(git_dir))?;
    let index = git_dir.join("index");
    if !index.exists() {
        return Ok(false);
    }
    place.copy_index(&index, "index")?;
    let copy = place.file("index");
    let index = fs::read(&copy).or_fatal(|| format!("could not read '{}'", copy.display()))?;
    let nothing = Index::default();
    let status = contents::status(&place, path, &nothing)?;
    let unseen = disk::unseen(path, &status.ignored, &nothing.submodules)?;
    if !super::repositories(repo, path, Some(git_dir), &status, &nothing, &unseen)?.is_empty() {
        return Ok(false);
    }
    let Some(prints) = prints(&place, path, &status, request.kept)? else { return Ok(false) };
    let files = state::files(git_dir)?;
    let references = state::references(&place, git_dir, repo.common_dir(), false)?;
    let logs = state::reflogs(&place, Some(git_dir), repo.common_dir(), request.branch, false)?;
    let admin = Admin { index: &index, files: &files, references: &references, logs: &logs };
    Ok(Look::new(request, &status, &unseen, &prints, &admin) == *first)
}
