//! A worktree as objects: what a commit can hold of it, so that it can be taken away and brought back.
//!
//! [`take`] makes a commit whose tree has:
//!
//! - `worktree`: exactly the files that are on disk, through the clean filters, as `git stash -u` has them
//! - `raw`: the bytes of those that the filters would not give back as they are
//! - `index`, `stage-1` to `stage-3`, `undo-1` to `undo-3`: what the index refers to, as trees
//! - `index-file`: the index with its marks and extensions, but without what it says of files on disk
//! - `gitdir`, `refs`, `auto-merge`: the operation in progress, and the references of this worktree
//! - `ignored`, `ignored-modes`: ignored files that the caller names
//! - texts of the caller's
//!
//! Its parents are the tip, whatever is needed to make the worktree again, and what only a reflog knows. The
//! worktree itself, its index and its references are only read.

mod contents;
mod held;
mod index_file;
mod raw;
mod restore;

pub use restore::{restore_into, texts_of};

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::process::{Cmd, Git};
use super::worktree::Worktree;
use super::{Repo, parse_id};
use crate::error::{OrFatal, Result};
use crate::paths::path_from;

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
    /// Ignored files to hold, relative to `path`.
    pub kept: &'a [PathBuf],
    /// Seconds since the epoch.
    pub now: i64,
}

/// What came of it.
#[derive(Debug)]
pub enum Snapshot {
    /// The commit that holds everything.
    Taken(ObjectId),
    /// There is work in other repositories inside the worktree, which no object of this one can hold.
    NotByObjects(Vec<PathBuf>),
}

/// Settings under which an index has all entries, and all of them are looked at.
const AS_IT_IS: [&str; 8] = [
    "-c",
    "core.splitIndex=false",
    "-c",
    "core.sparseCheckout=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.safecrlf=false",
];

/// Files of ours for the time of a snapshot; they go with it.
struct Scratch {
    dir: PathBuf,
    git: Git,
    hash: gix::hash::Kind,
}

impl Scratch {
    fn new(repo: &Repo, git: Git) -> Result<Self> {
        let unique = format!("snapshot.tmp-{}-{:?}", std::process::id(), std::thread::current().id());
        let dir = repo.state_dir().join(unique);
        fs::create_dir_all(&dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
        Ok(Scratch { dir, git, hash: repo.gix().object_hash() })
    }

    /// git with an index of ours of this name.
    fn with_index<const N: usize>(&self, name: &str, args: [&str; N]) -> Cmd {
        // A split index would be written into the user's git directory; a sparse one hides what is on disk.
        self.git.cmd(AS_IT_IS).args(args).env("GIT_INDEX_FILE", self.dir.join(name))
    }

    fn tree_of(&self, name: &str) -> Result<ObjectId> {
        parse_id(self.with_index(name, ["write-tree"]).line()?.as_bytes())
    }

    /// Blobs of these files, byte for byte.
    fn blobs(&self, paths: &[PathBuf]) -> Result<Vec<ObjectId>> {
        let plain = paths.iter().all(|p| !crate::paths::path_bytes(p).contains(&b'\n'));
        if !plain {
            return paths.iter().map(|p| self.blob(p)).collect();
        }
        let list = gix::bstr::join("\n", paths.iter().map(|p| crate::paths::path_bytes(p)));
        let out = self.git.cmd(["hash-object", "-w", "--no-filters", "--stdin-paths"]).stdin(list).run()?;
        out.lines().map(parse_id).collect()
    }

    fn blob(&self, path: &Path) -> Result<ObjectId> {
        let out = self.git.cmd(["hash-object", "-w", "--no-filters", "--"]).arg(path).line()?;
        parse_id(out.as_bytes())
    }

    fn text(&self, bytes: &[u8]) -> Result<ObjectId> {
        let out = self.git.cmd(["hash-object", "-w", "--stdin"]).stdin(bytes).line()?;
        parse_id(out.as_bytes())
    }

    /// A tree of blobs at these paths.
    fn tree(&self, name: &str, entries: &[(Vec<u8>, &'static str, ObjectId)]) -> Result<ObjectId> {
        let mut lines = Vec::new();
        for (path, mode, id) in entries {
            lines.extend_from_slice(format!("{mode} {id}\t").as_bytes());
            lines.extend_from_slice(path);
            lines.push(0);
        }
        self.with_index(name, ["update-index", "--add", "-z", "--index-info"]).stdin(lines).run()?;
        self.tree_of(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is found by `git task repair`.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Takes a snapshot. Only objects are written.
///
/// # Errors
/// If something can't be read: then nothing must be taken away.
pub fn take(repo: &Repo, request: &Request<'_>) -> Result<Snapshot> {
    let here = request.path.filter(|p| p.exists());
    // The repository is named: a directory whose `.git` is gone would answer for the repository around it. A
    // worktree that is gone is still spoken of by its administrative directory, which git then accepts.
    let git = match (here, request.git_dir) {
        (Some(path), Some(git_dir)) => Git::with_git_dir(path, git_dir),
        (Some(path), None) => Git::at(path),
        (None, Some(git_dir)) => Git::with_git_dir(repo.common_dir(), git_dir),
        (None, None) => repo.at_home(),
    };
    if let Some(path) = here {
        let inside = contents::other_repositories(&git, path)?;
        if !inside.is_empty() {
            return Ok(Snapshot::NotByObjects(inside));
        }
    }
    let scratch = Scratch::new(repo, git)?;
    let mut top: Vec<(&str, &str, ObjectId)> = Vec::new();
    for (name, text) in request.texts {
        top.push(("100644 blob", name, scratch.text(text)?));
    }
    if let Some(git_dir) = request.git_dir {
        let index = git_dir.join("index");
        if index.exists() {
            let staged = contents::index(&scratch, &index, &mut top)?;
            if let Some(path) = here {
                let found = contents::worktree(&scratch, &index)?;
                top.push(("040000 tree", "worktree", found));
                top.extend(raw::of(&scratch, path, staged, found)?);
                contents::ignored(&scratch, path, request.kept, &mut top)?;
            }
        }
        contents::operation(&scratch, git_dir, &mut top)?;
        contents::refs(&scratch, git_dir, &mut top)?;
    }
    let mut listing = Vec::new();
    for (mode, name, id) in &top {
        listing.extend_from_slice(format!("{mode} {id}\t{name}\0").as_bytes());
    }
    let tree = scratch.git.cmd(["mktree", "-z"]).stdin(listing).line()?;
    let parents = held::commits(&scratch.git, request)?;
    let mut commit = scratch.git.cmd(["commit-tree", &tree]);
    for parent in parents {
        commit = commit.args(["-p", &parent.to_string()]);
    }
    let date = format!("@{} +0000", request.now);
    for who in ["AUTHOR", "COMMITTER"] {
        commit = commit
            .env(&format!("GIT_{who}_NAME"), "git-parallel")
            .env(&format!("GIT_{who}_EMAIL"), "git-parallel@localhost")
            .env(&format!("GIT_{who}_DATE"), &date);
    }
    let id = commit.stdin("Removed by git-parallel\n").line()?;
    Ok(Snapshot::Taken(parse_id(id.as_bytes())?))
}

/// Whether there is anything in the worktree that is not in `commit`, or in what that is a snapshot of: other
/// content, or other files, ignored ones and those in `besides` left aside. A file that is missing is no
/// difference, and neither is one that was not written to its end.
///
/// # Errors
/// If the worktree can't be read.
pub fn differs_from(repo: &Repo, worktree: &Worktree, commit: ObjectId, besides: &Path) -> Result<bool> {
    let git = Git::with_git_dir(&worktree.path, &worktree.git_dir);
    let inside = contents::other_repositories(&git, &worktree.path)?;
    let scratch = Scratch::new(repo, git)?;
    let mut like = commit.to_string();
    if texts_of(&scratch.git, commit, "meta")?.is_some() {
        like.push_str(":worktree");
    }
    if !scratch.git.cmd(["cat-file", "-e", &like]).poll().output()?.status.success() {
        like = "HEAD".to_owned();
    }
    scratch.with_index("found", ["read-tree", &like]).run()?;
    contents::add_all(&scratch, "found")?;
    let found = scratch.tree_of("found")?;
    let range = [like.clone(), found.to_string()];
    let diff = ["diff-tree", "-r", "-z", "--no-renames", "--diff-filter=AMT"];
    let changed = scratch.git.cmd(diff).args(range).run()?;
    let mut fields = changed.split(|b| *b == 0).filter(|f| !f.is_empty());
    while let (Some(info), Some(name)) = (fields.next(), fields.next()) {
        if !path_from(name).starts_with(besides) && !is_beginning(&scratch.git, info)? {
            return Ok(true);
        }
    }
    Ok(!inside.is_empty())
}

/// Whether a changed file holds the beginning of what it should hold: its writer was killed.
fn is_beginning(git: &Git, info: &[u8]) -> Result<bool> {
    let words: Vec<&str> = info.to_str().unwrap_or_default().split(' ').collect();
    let [_, _, whole, part, "M"] = words[..] else { return Ok(false) };
    let whole = git.cmd(["cat-file", "blob", whole]).poll().run()?;
    Ok(whole.starts_with(&git.cmd(["cat-file", "blob", part]).poll().run()?))
}

/// Lines of a `-z` listing as paths.
fn z_paths(out: &[u8]) -> impl Iterator<Item = PathBuf> {
    out.split(|b| *b == 0).filter(|p| !p.is_empty()).map(path_from)
}
