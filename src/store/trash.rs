//! Removed work that can be brought back: snapshots under `refs/task-trash/<task>/<n>`.
//!
//! A reference is made before anything is taken away, and goes only by [`expire`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::atomic::sync_dir;
use super::record::Record;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::{Git, retry};
use crate::git::refs::Old;
use crate::git::snapshot::{self, Look, Request, Snapshot, Taken};
use crate::git::{Repo, parse_id};
use crate::paths::path_bytes;

/// Where the references are.
const PREFIX: &str = "refs/task-trash/";

/// One removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The task.
    pub slug: String,
    /// Which removal of it: 1, 2, …
    pub number: u64,
    /// The commit that holds everything.
    pub commit: ObjectId,
    /// When, in seconds since the epoch.
    pub when: i64,
    /// The reference.
    pub ref_name: String,
}

/// What is put into the trash.
#[derive(Clone, Copy, Debug)]
pub struct Removal<'a> {
    /// The task.
    pub slug: &'a str,
    /// Its metadata.
    pub task: &'a Record,
    /// Where it was and what it had checked out.
    pub meta: &'a Record,
    /// Its note.
    pub note: Option<&'a [u8]>,
    /// Its worktree or clone, if it has one.
    pub path: Option<&'a Path>,
    /// The git directory of that.
    pub git_dir: Option<&'a Path>,
    /// It is a clone, whose objects and references come here.
    pub clone: bool,
    /// Its branch by full name.
    pub branch: Option<&'a str>,
    /// The commit it stands at.
    pub tip: Option<ObjectId>,
    /// Ignored files to keep.
    pub kept: &'a [PathBuf],
    /// Seconds since the epoch.
    pub now: i64,
}

/// What came of it.
#[derive(Debug)]
pub enum Kept {
    /// It is in the trash.
    InTrash {
        /// Where.
        entry: Entry,
        /// What could not be kept: pipes, sockets, devices.
        lost: Vec<PathBuf>,
        /// What was seen, for [`keep_if_changed`].
        look: Option<Look>,
    },
    /// Other repositories inside hold work: the directory itself must be kept.
    NeedsDirectory(Vec<PathBuf>),
}

/// Puts a task's work into the trash. Nothing is taken away by this.
///
/// # Errors
/// If something can't be read or written: then nothing must be taken away.
pub fn keep(repo: &Repo, removal: &Removal<'_>) -> Result<Kept> {
    match take(repo, removal)? {
        Snapshot::Taken(taken) => put(repo, removal, taken),
        Snapshot::NotByObjects(inside) => Ok(Kept::NeedsDirectory(inside)),
    }
}

/// As [`keep`], if the last removal of this task holds anything else; none if it holds just this. `first` is what
/// was seen then, if that is known.
///
/// # Errors
/// As [`keep`].
pub fn keep_if_changed(repo: &Repo, removal: &Removal<'_>, first: Option<&Look>) -> Result<Option<Kept>> {
    if let Some(first) = first
        && as_request(removal, |request| snapshot::is_same(repo, request, first))?
    {
        return Ok(None);
    }
    let taken = match take(repo, removal)? {
        Snapshot::Taken(taken) => taken,
        Snapshot::NotByObjects(inside) => return Ok(Some(Kept::NeedsDirectory(inside))),
    };
    if let Some(last) = latest(repo, removal.slug)?
        && same_content(repo, removal, taken.commit, last.commit)?
    {
        return Ok(None);
    }
    put(repo, removal, taken).map(Some)
}

/// Whether two snapshots hold the same files, in the same state.
fn same_content(repo: &Repo, removal: &Removal<'_>, new: ObjectId, last: ObjectId) -> Result<bool> {
    let Some(clone) = removal.path.filter(|_| removal.clone) else {
        return Ok(repo.tree_of(new)? == repo.tree_of(last)?);
    };
    // The new one is not here yet.
    let trees = [new, last].map(|id| format!("{id}^{{tree}}"));
    let out = Git::at(clone).cmd(["rev-parse"]).args(trees).poll().run()?;
    let mut lines = out.lines();
    Ok(lines.next() == lines.next())
}

fn take(repo: &Repo, removal: &Removal<'_>) -> Result<Snapshot> {
    as_request(removal, |request| snapshot::take(repo, request))
}

fn as_request<T>(removal: &Removal<'_>, ask: impl FnOnce(&Request<'_>) -> Result<T>) -> Result<T> {
    let (task, meta) = (removal.task.to_bytes()?, removal.meta.to_bytes()?);
    let mut texts: Vec<(&str, &[u8])> = vec![("task", &task), ("meta", &meta)];
    texts.extend(removal.note.map(|note| ("note", note)));
    let request = Request {
        path: removal.path,
        git_dir: removal.git_dir,
        branch: removal.branch,
        tip: removal.tip,
        clone: removal.clone,
        texts: &texts,
        kept: removal.kept,
        now: removal.now,
    };
    ask(&request)
}

fn put(repo: &Repo, removal: &Removal<'_>, taken: Taken) -> Result<Kept> {
    let Taken { commit, lost, look } = taken;
    if let (true, Some(path)) = (removal.clone, removal.path) {
        snapshot::bring(repo, path, commit)?;
    }
    Ok(Kept::InTrash { entry: file(repo, removal.slug, commit, removal.now)?, lost, look })
}

/// Files a removal once more, after others that came later, so that it is the latest.
///
/// # Errors
/// If the reference can't be made.
pub fn file_again(repo: &Repo, slug: &str, commit: ObjectId) -> Result<()> {
    file(repo, slug, commit, 0).map(drop)
}

/// Gives the commit the next free number. Of several at once each gets one of its own.
fn file(repo: &Repo, slug: &str, commit: ObjectId, when: i64) -> Result<Entry> {
    const ATTEMPTS: usize = 100;
    const WAIT: Duration = Duration::from_secs(10);
    let mut number = numbers(repo, slug)?.max().unwrap_or(0);
    for _ in 0..ATTEMPTS {
        number += 1;
        let ref_name = format!("{PREFIX}{slug}/{number}");
        let change = [(ref_name.clone(), Some(commit), Old::Absent)];
        match retry(WAIT, || repo.update_refs_for_good("git task: removed", &change)) {
            Ok(()) => {
                sync_names(repo, slug)?;
                return Ok(Entry { slug: slug.to_owned(), number, commit, when, ref_name });
            }
            Err(failure) if !numbers(repo, slug)?.any(|taken| taken == number) => {
                return Err(failure);
            }
            Err(_) => {}
        }
    }
    Err(Failure::fatal(format!("could not find a free name below '{PREFIX}{slug}'")))
}

/// What is removed next must not outlive, on the disk, the names under which it is kept. git syncs the reference,
/// but no directory. Where references are not files, their tables are the whole.
fn sync_names(repo: &Repo, slug: &str) -> Result<()> {
    let root = repo.common_dir().join("refs/task-trash");
    let dir = root.join(slug);
    if !repo.has_files_backend() || !dir.is_dir() {
        return Ok(());
    }
    for dir in [&dir, &root] {
        sync_dir(dir).or_fatal(|| format!("could not sync '{}'", dir.display()))?;
    }
    Ok(())
}

fn numbers(repo: &Repo, slug: &str) -> Result<impl Iterator<Item = u64>> {
    let all = entries(repo)?.into_iter().filter(|e| e.slug == slug).map(|e| e.number).collect::<Vec<_>>();
    Ok(all.into_iter())
}

/// Everything in the trash, by task and number.
///
/// # Errors
/// If the references can't be read.
pub fn entries(repo: &Repo) -> Result<Vec<Entry>> {
    let known = if repo.has_files_backend() { repo.steadily(|| Ok(in_files(repo)))? } else { None };
    let mut all = known.map_or_else(|| through_git(repo), Ok)?;
    all.sort_by(|a, b| (&a.slug, a.number).cmp(&(&b.slug, b.number)));
    Ok(all)
}

/// Without asking git, which nearly each command would have to. None if something can't be read, as when
/// somebody else is packing or deleting: then git knows.
fn in_files(repo: &Repo) -> Option<Vec<Entry>> {
    let gix = repo.gix();
    let references = gix.references().ok()?;
    let mut all = Vec::new();
    for reference in references.prefixed(PREFIX).ok()? {
        let reference = reference.ok()?;
        let id = reference.target().try_id()?.to_owned();
        let commit = gix.find_object(id).ok()?.try_into_commit().ok()?;
        let when = commit.time().ok()?.seconds;
        all.extend(entry(&reference.name().as_bstr().to_str_lossy(), id, when));
    }
    Some(all)
}

fn through_git(repo: &Repo) -> Result<Vec<Entry>> {
    let format = "--format=%(objectname) %(committerdate:unix) %(refname)";
    let out = repo.at_home().cmd(["for-each-ref", format, PREFIX]).poll().run()?;
    let mut all = Vec::new();
    for line in out.lines() {
        let line = line.to_str_lossy();
        let mut words = line.splitn(3, ' ');
        let (Some(id), Some(when), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        all.extend(entry(name, parse_id(id.as_bytes())?, when.parse().unwrap_or(0)));
    }
    Ok(all)
}

/// An entry by the name of its reference; none if somebody else made that.
fn entry(name: &str, commit: ObjectId, when: i64) -> Option<Entry> {
    let (slug, number) = name.strip_prefix(PREFIX)?.rsplit_once('/')?;
    let number = number.parse().ok()?;
    Some(Entry { slug: slug.to_owned(), number, commit, when, ref_name: name.to_owned() })
}

/// The last removal of a task.
///
/// # Errors
/// If the references can't be read.
pub fn latest(repo: &Repo, slug: &str) -> Result<Option<Entry>> {
    Ok(entries(repo)?.into_iter().rfind(|e| e.slug == slug))
}

/// What a removal says of its task and of where it was.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The task's metadata.
    pub task: Record,
    /// Where it was.
    pub meta: Record,
    /// Its note.
    pub note: Option<Vec<u8>>,
}

/// Reads what a removal says.
///
/// # Errors
/// If it was not made by [`keep`].
pub fn read(repo: &Repo, entry: &Entry) -> Result<Contents> {
    let git = repo.at_home();
    let text = |name: &str| snapshot::texts_of(&git, entry.commit, name);
    let record = |name: &str| -> Result<Record> {
        let bytes =
            text(name)?.ok_or_else(|| Failure::fatal(format!("'{}' has no '{name}'", entry.ref_name)))?;
        Record::from_bytes(&bytes)
    };
    Ok(Contents { task: record("task")?, meta: record("meta")?, note: text("note")? })
}

/// Forgets what was removed before `before`; gives what was, or would be, forgotten.
///
/// # Errors
/// If a reference can't be deleted.
pub fn expire(repo: &Repo, before: i64, dry_run: bool) -> Result<Vec<Entry>> {
    let expired: Vec<Entry> = entries(repo)?.into_iter().filter(|e| e.when < before).collect();
    if !dry_run && !expired.is_empty() {
        let changes: Vec<_> = expired.iter().map(|e| (e.ref_name.clone(), None, Old::Is(e.commit))).collect();
        repo.update_refs("git task prune", &changes)?;
    }
    Ok(expired)
}

/// A path as a record's value.
pub fn path_value(path: &Path) -> BString {
    BString::from(path_bytes(path))
}

#[cfg(test)]
mod tests;
