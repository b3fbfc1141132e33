//! A worktree as objects: what a commit can hold of it, so that it can be taken away and brought back.
//!
//! [`take`] makes a commit that holds it, [`restore_into`] goes the other way. The worktree, its index and its
//! references are only read. The commit's tree has:
//!
//! | entry | what |
//! | --- | --- |
//! | `worktree/` | tracked and untracked files as they are on disk, through the clean filters as for `git stash -u` |
//! | `raw/` | the bytes of changed files that these filters do not give back |
//! | `ignored/` | ignored files that the caller names, byte for byte |
//! | `permissions`, `permissions-ignored`, `empty` | modes other than git's two; directories without files |
//! | `index/` `stages/<n>/` | the index: what is merged, and each stage of what isn't |
//! | `index-file` | the index itself, if it has flags: unmerged, intent to add, sparse, assumed unchanged |
//! | `disk-index` | which files of `worktree/` are not on disk, in a sparse checkout |
//! | `gitdir/` `refs` | the operation under way, sparse patterns; references of this worktree's own |
//! | `logs/` | the reflogs of HEAD and of the branch |
//! | `objects/` `tags/` | other objects that the state names |
//!
//! and the caller's texts. Its parents are the tip, HEAD, the commits that the operation under way can't go on
//! without, and the newest of those that only a reflog of this worktree or its branch knows.
//!
//! Not held: ignored files that nobody names; pipes, sockets and devices ([`Taken::lost`]); times, owners, hard
//! links and extended attributes; on reftable repositories the reflogs (their commits are).

mod bring;
mod contents;
mod disk;
mod held;
mod index_file;
mod inside;
mod look;
mod place;
mod put;
mod raw;
mod restore;
mod since;
mod state;
#[cfg(test)]
mod tests;

pub use bring::bring;
pub use inside::modules_with_work;
pub use look::{Look, is_same};
pub use restore::{restore_into, texts_of};
pub use since::{files_of, holds_ignored, written_since};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use self::disk::Status;
use self::held::Named;
use self::place::{Content, FILE, Part, Place};
use super::worktree::Worktree;
use super::{Repo, parse_id};
use crate::error::Result;
use crate::paths::{path_bytes, path_from};

/// What a snapshot is taken of, and what it holds besides.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The top of the worktree or clone; none if it is gone.
    pub path: Option<&'a Path>,
    /// Its git directory, if that is left.
    pub git_dir: Option<&'a Path>,
    /// The task's branch by full name.
    pub branch: Option<&'a str>,
    /// The commit that the task stands at, if it has one.
    pub tip: Option<ObjectId>,
    /// It is a clone: all its references are held too.
    pub clone: bool,
    /// Texts by name.
    pub texts: &'a [(&'a str, &'a [u8])],
    /// Ignored files to hold, relative to `path`; a directory with all that is in it.
    pub kept: &'a [PathBuf],
    /// Seconds since the epoch.
    pub now: i64,
}

/// What came of it.
#[derive(Debug)]
pub enum Snapshot {
    /// It was taken.
    Taken(Taken),
    /// There is work in other repositories inside the worktree, which no object of this one can hold: the
    /// directory must stay. There is no snapshot.
    NotByObjects(Vec<PathBuf>),
}

/// A snapshot.
#[derive(Debug)]
pub struct Taken {
    /// The commit that holds everything. Nothing refers to it yet.
    pub commit: ObjectId,
    /// What no object can hold: pipes, sockets, devices.
    pub lost: Vec<PathBuf>,
    /// What was seen, if a second look can be compared with it.
    pub look: Option<Look>,
}

/// Takes a snapshot. Only objects are written: in the repository, or in the clone.
///
/// # Errors
/// If something can't be read or written: then nothing must be taken away.
pub fn take(repo: &Repo, request: &Request<'_>) -> Result<Snapshot> {
    let here = request.path.filter(|p| p.is_dir());
    let git_dir = request.git_dir.filter(|p| p.exists());
    let place = Place::new(repo, here, git_dir)?;
    let mut parts: Vec<Part> = Vec::new();
    for (name, text) in request.texts {
        parts.push((name.as_bytes().to_vec(), FILE, Content::Bytes(text.to_vec())));
    }
    let mut named = Named::default();
    let mut head = None;
    let mut lost = Vec::new();
    let mut seen = None;
    let (mut files, mut references) = (Vec::new(), Vec::new());
    let common_dir = git_dir.filter(|_| request.clone).unwrap_or(repo.common_dir());
    if let Some(git_dir) = git_dir {
        let index = contents::index(&place, git_dir, &mut parts)?;
        match here {
            Some(path) => {
                let status = contents::status(&place, path, &index)?;
                let unseen = disk::unseen(path, &status.ignored, &index.submodules)?;
                let others = repositories(repo, path, Some(git_dir), &status, &index, &unseen)?;
                if !others.is_empty() {
                    return Ok(Snapshot::NotByObjects(others));
                }
                let prints = match index.is_plain() && !request.clone && repo.has_files_backend() {
                    true => look::prints(&place, path, &status, request.kept)?,
                    false => None,
                };
                contents::worktree(&place, path, &status, &index, &mut parts)?;
                contents::ignored(path, request.kept, &mut parts)?;
                if !unseen.empty.is_empty() {
                    parts.push((b"empty".to_vec(), FILE, Content::Bytes(disk::z_list(&unseen.empty))));
                }
                head = status.head;
                lost.clone_from(&unseen.special);
                seen = prints.map(|prints| (status, unseen, prints));
            }
            None => {
                let out = place.cmd(["rev-parse", "-q", "--verify", "HEAD^{commit}"]).output()?;
                head = parse_id(out.stdout.trim_ascii()).ok();
            }
        }
        files = state::files(git_dir)?;
        parts.extend(state::parts("gitdir", &files));
        files.iter().for_each(|(name, text)| named.state_file(name, text));
        references = state::references(&place, git_dir, common_dir, request.clone)?;
        named.references(&references);
        if !references.is_empty() {
            parts.push((b"refs".to_vec(), FILE, Content::Bytes(references.clone())));
        }
    }
    let logs = state::reflogs(&place, git_dir, common_dir, request.branch, request.clone)?;
    parts.extend(state::parts("logs", &logs));
    logs.iter().for_each(|(_, text)| named.reflog(text));
    let look = seen.and_then(|(status, unseen, prints)| {
        let index = std::fs::read(place.file("index")).ok()?;
        let admin = look::Admin { index: &index, files: &files, references: &references, logs: &logs };
        Some(Look::new(request, &status, &unseen, &prints, &admin))
    });
    // A rebase has HEAD elsewhere than the branch.
    let branch = request.branch.map(|name| repo.find_ref(name)).transpose()?.flatten();
    let first = request.tip.into_iter().chain(head).chain(branch.filter(|_| !request.clone));
    let main = request.clone.then_some(repo);
    let parents = named.hold(&place, first, request.branch, main, &mut parts)?;
    let tree = place.write(parts)?;
    Ok(Snapshot::Taken(Taken { commit: place.commit(tree, &parents, request.now)?, lost, look }))
}

/// Repositories inside the worktree with something that only they hold, and worktrees of this one.
fn repositories(
    repo: &Repo,
    path: &Path,
    git_dir: Option<&Path>,
    status: &Status,
    index: &contents::Index,
    unseen: &disk::Unseen,
) -> Result<Vec<PathBuf>> {
    let mut found: BTreeSet<PathBuf> = unseen.repositories.iter().cloned().collect();
    found.extend(status.repositories.iter().map(|p| p.components().collect()));
    found.extend(inside::submodules_with_work(path, git_dir, &index.submodules)?);
    // In ignored directories too, where nobody looks.
    let nested = repo.worktrees()?.into_iter().filter(|w| !w.missing);
    found.extend(nested.filter_map(|w| Some(w.path.strip_prefix(path).ok()?.to_owned())));
    found.retain(|p| !path_bytes(p).is_empty());
    Ok(found.into_iter().collect())
}

/// The files of a worktree as they are on disk, tracked or not, as a tree. Ignored ones are left out.
///
/// # Errors
/// If the worktree can't be read.
pub fn files(repo: &Repo, worktree: &Worktree) -> Result<ObjectId> {
    let path = worktree.path.as_path();
    let place = Place::new(repo, Some(path), Some(&worktree.git_dir))?;
    let index = contents::index(&place, &worktree.git_dir, &mut Vec::new())?;
    let status = contents::status(&place, path, &index)?;
    contents::found(&place, path, &status).map(|(tree, _)| tree)
}

/// Whether there is anything in the worktree that is not in `commit`, or in what that is a snapshot of: other
/// content, or other files, ignored ones and those in `besides` left aside. A file that is missing is no
/// difference, and neither is one that was not written to its end.
///
/// # Errors
/// If the worktree can't be read.
pub fn differs_from(repo: &Repo, worktree: &Worktree, commit: ObjectId, besides: &Path) -> Result<bool> {
    let path = worktree.path.as_path();
    let git_dir = Some(worktree.git_dir.as_path()).filter(|dir| dir.exists());
    let place = Place::new(repo, Some(path), git_dir)?;
    let mut like = commit.to_string();
    if texts_of(&repo.at_home(), commit, "meta")?.is_some() {
        like.push_str(":worktree");
    }
    if !place.cmd(["cat-file", "-e", &like]).poll().output()?.status.success() {
        like = "HEAD".to_owned();
    }
    place.with_index("index", ["read-tree", &like]).run()?;
    let index = contents::read(&place)?;
    let status = contents::status(&place, path, &index)?;
    let unseen = disk::unseen(path, &status.ignored, &index.submodules)?;
    if !unseen.special.is_empty() || !repositories(repo, path, git_dir, &status, &index, &unseen)?.is_empty()
    {
        return Ok(true);
    }
    let (found, _) = contents::found(&place, path, &status)?;
    let diff = ["diff-tree", "-r", "-z", "--no-renames", "--diff-filter=AMT"];
    let changed = place.cmd(diff).args([like, found.to_string()]).run()?;
    let mut fields = changed.split(|b| *b == 0).filter(|f| !f.is_empty());
    while let (Some(info), Some(name)) = (fields.next(), fields.next()) {
        if !path_from(name).starts_with(besides) && !is_beginning(&place, info)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a changed file holds the beginning of what it should hold: its writer was killed.
fn is_beginning(place: &Place, info: &[u8]) -> Result<bool> {
    let words: Vec<&str> = info.to_str().unwrap_or_default().split(' ').collect();
    let [_, _, whole, part, "M"] = words[..] else { return Ok(false) };
    let read = |id| place.cmd(["cat-file", "blob", id]).poll().run();
    Ok(read(whole)?.starts_with(&read(part)?))
}
