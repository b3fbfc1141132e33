//! A place for objects that nobody needs afterwards: merges that are only forecast, commits made to be compared.
//!
//! git writes them into an object directory of its own, which borrows from the repository's and goes with this
//! value. What a killed process left is swept by the next one.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use gix::ObjectId;
use gix::objs::Write as _;

use super::Repo;
use super::process::Cmd;
use crate::error::{OrFatal, Result};
use crate::paths::path_bytes;

/// The name of each directory starts with this.
const PREFIX: &str = "tmp-";

/// Where those of other programs are.
const PREFIX_ELSEWHERE: &str = "git-parallel-tmp-";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A temporary object directory, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    /// The directory itself, locked: the kernel tells by that whether its process lives.
    _locked: File,
    borrowed: OsString,
    hash: gix::hash::Kind,
    superprojects: Vec<PathBuf>,
}

impl Scratch {
    /// Makes one in our directory of the repository, or if that can't be written to, where temporary files go.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn new(repo: &Repo) -> Result<Self> {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let state = repo.state_dir();
        let made = std::fs::create_dir_all(&state).and_then(|()| make(&state, PREFIX));
        let dir = match made {
            Err(e) if matches!(e.kind(), ReadOnlyFilesystem | PermissionDenied) => {
                make(repo.temp_dir(), PREFIX_ELSEWHERE)
            }
            made => made,
        };
        let (dir, _locked) =
            dir.or_fatal(|| format!("cannot create a directory in '{}'", state.display()))?;
        let borrowed = alternate(&repo.common_dir().join("objects"));
        let superprojects = repo.superprojects();
        Ok(Scratch { dir, _locked, borrowed, hash: repo.gix().object_hash(), superprojects })
    }

    /// Borrows from this object directory instead of the repository's, such as that of a clone.
    #[must_use]
    pub fn borrowing(mut self, objects: &Path) -> Self {
        self.borrowed = alternate(objects);
        self
    }

    /// Where the repository's submodules were when this was made; see [`Repo::superprojects`].
    pub fn superprojects(&self) -> &[PathBuf] {
        &self.superprojects
    }

    /// For files of one's own.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes a commit, in process: a forecast makes one after each merge. It is seen by nobody, so that who made
    /// it and when says nothing.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn commit(&self, tree: ObjectId, parents: &[ObjectId]) -> Result<ObjectId> {
        let mut text = format!("tree {tree}\n");
        parents.iter().for_each(|parent| text.push_str(&format!("parent {parent}\n")));
        for role in ["author", "committer"] {
            text.push_str(&format!("{role} git-parallel <git-parallel@localhost> 0 +0000\n"));
        }
        text.push_str("\nforecast\n");
        self.write(gix::objs::Kind::Commit, text.as_bytes())
    }

    /// Writes an object, in process.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&self, kind: gix::objs::Kind, bytes: &[u8]) -> Result<ObjectId> {
        let written = self.objects().write_buf(kind, bytes);
        written.or_fatal(|| format!("cannot write to '{}'", self.dir.display()))
    }

    /// The objects in it, without those that it borrows.
    pub fn objects(&self) -> gix::odb::loose::Store {
        gix::odb::loose::Store::at(self.dir.join("objects"), self.hash)
    }

    /// Lets a command write its objects here. It never fetches what a partial clone lacks: that would be
    /// thrown away, and a forecast is no reason to use the network (since git 2.45).
    #[must_use]
    pub fn lend(&self, cmd: Cmd) -> Cmd {
        cmd.env("GIT_OBJECT_DIRECTORY", self.dir.join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &self.borrowed)
            .env("GIT_NO_LAZY_FETCH", "1")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If that fails, the next one sweeps it.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A path as `GIT_ALTERNATE_OBJECT_DIRECTORIES` takes it whatever is in it: in C quotes, because a colon
/// separates.
fn alternate(path: &Path) -> OsString {
    let mut quoted = vec![b'"'];
    for byte in path_bytes(path) {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            b'\n' => quoted.extend(b"\\n"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}

/// A new directory that only this user may look into, and that is locked for as long as its process lives.
fn make(parent: &Path, prefix: &str) -> std::io::Result<(PathBuf, File)> {
    sweep_in(parent, prefix);
    loop {
        let name = format!("{prefix}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = parent.join(name);
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            // A process id comes again.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        // Somebody who sweeps may be faster than we. It is his then.
        let Some(locked) = lock(&dir) else { continue };
        std::fs::create_dir_all(dir.join("objects/info"))?;
        return Ok((dir, locked));
    }
}

/// The directory, if it is there and nobody else has it.
fn lock(dir: &Path) -> Option<File> {
    let file = File::open(dir).ok()?;
    file.try_lock().ok()?;
    // One that was swept between the two is nobody's any more.
    dir.exists().then_some(file)
}

/// Removes what killed processes left in our directory of a repository.
pub fn sweep(state: &Path) {
    sweep_in(state, PREFIX);
}

fn sweep_in(parent: &Path, prefix: &str) {
    let Ok(entries) = parent.read_dir() else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
        if is_ours && let Some(_locked) = lock(&entry.path()) {
            // Somebody else may be at it as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Sandbox;

    #[test]
    fn nothing_is_left_behind() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo();
        let old = repo.state_dir().join("tmp-1-0");
        std::fs::create_dir_all(old.join("objects")).unwrap();
        let kept = repo.state_dir().join("tmp-1-1");
        std::fs::create_dir_all(&kept).unwrap();
        let _living = lock(&kept).unwrap();
        let scratch = Scratch::new(&repo).unwrap();
        assert!(!old.exists() && kept.exists() && scratch.dir().exists());
        let dir = scratch.dir().to_owned();
        drop(scratch);
        assert!(!dir.exists());
    }

    #[test]
    fn alternates_may_have_any_name() {
        assert_eq!(alternate(Path::new("/a:b/\"c\"\\\n")), "\"/a:b/\\\"c\\\"\\\\\\n\"");
    }
}
