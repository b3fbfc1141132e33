//! A worktree that has the target checked out, while the target moves.
//!
//! Its index is locked as git does it, from before the target moves until the index has followed: a commit that
//! began in between would have the new target as its parent and the old files as its content. git works on a copy
//! of the index meanwhile, which then takes its place.
//!
//! The lock must not outlive a process that is killed. So it is a hard link to a file of ours beside the journal:
//! whoever takes the target's lock next sees by it that the lock is a leftover.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Failure, OrFatal, Result};
use crate::git::process::{Git, retry};
use crate::git::worktree::Worktree;
use crate::paths::{inside, is_no_place, path_bytes, path_from};

/// The names of our files begin with this.
const MARK: &str = "holding-";

/// The index of a worktree, locked. Freed when dropped; the index is then as it was.
#[derive(Debug)]
pub struct Holder {
    /// The worktree's top level.
    pub path: PathBuf,
    index: PathBuf,
    lock: PathBuf,
    mark: PathBuf,
    copy: PathBuf,
}

impl Holder {
    /// Locks the index of a worktree, the `number`-th of the target that `dir` belongs to, whose lock is held.
    ///
    /// # Errors
    /// If somebody else holds it for longer than `limit`, in git's words; or the file system refuses.
    pub fn take(dir: &Path, number: usize, worktree: &Worktree, limit: Duration) -> Result<Self> {
        let index = worktree.git_dir.join("index");
        let lock = worktree.git_dir.join("index.lock");
        let mark = dir.join(format!("{MARK}{number}"));
        // A name that is swept if a kill leaves it, and before that nobody takes for left behind.
        let copy = dir.join(format!(".index.tmp-{}-{number}", std::process::id()));
        let shown = index.display().to_string();
        let failed = || format!("could not lock '{shown}'");
        let mut file = File::create(&mark).or_fatal(failed)?;
        file.write_all(path_bytes(&lock)).and_then(|()| file.sync_all()).or_fatal(failed)?;
        let linked = retry(limit, || match fs::hard_link(&mark, &lock) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                Err(Failure::fatal(format!("Unable to create '{}': File exists.", lock.display())))
            }
            linked => linked.or_fatal(failed),
        });
        if let Err(failure) = linked {
            // The lock is another's; what matters is said already.
            let _ = fs::remove_file(&mark);
            return Err(failure);
        }
        let held = Holder { path: worktree.path.clone(), index, lock, mark, copy };
        match fs::copy(&held.index, &held.copy) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e).or_fatal(failed),
            // Without an index git begins with an empty one.
            _ => Ok(held),
        }
    }

    /// git works in the worktree, on the copy of its index.
    pub fn git(&self) -> Git {
        Git::at(&self.path).with_index(&self.copy)
    }

    /// A git that was killed at it leaves a lock on the copy, and nobody else has to do with that.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn unlock_copy(&self) -> Result<()> {
        let mut lock = self.copy.clone().into_os_string();
        lock.push(".lock");
        match fs::remove_file(&lock) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).or_fatal(|| format!("could not remove '{}'", Path::new(&lock).display()))
            }
            _ => Ok(()),
        }
    }

    /// The copy takes the place of the index, and the lock is freed.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn commit(self) -> Result<()> {
        match fs::rename(&self.copy, &self.index) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).or_fatal(|| format!("could not write '{}'", self.index.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // What can't be removed now is swept by the next who takes the target's lock. The mark goes last: it
        // tells whose the lock is.
        let _ = fs::remove_file(&self.copy);
        if fs::remove_file(&self.lock).is_ok() {
            let _ = fs::remove_file(&self.mark);
        }
    }
}

/// The locks that killed integrations of this target have left. Its lock is held, by us.
pub fn left(dir: &Path) -> Vec<PathBuf> {
    marks(dir).into_iter().filter_map(|mark| lock_of(&mark).ok().flatten()).collect()
}

/// The lock that a mark tells of, if it is ours and still there.
fn lock_of(mark: &Path) -> io::Result<Option<PathBuf>> {
    let (bytes, ours) = (fs::read(mark)?, fs::symlink_metadata(mark)?);
    let lock = path_from(&bytes);
    match fs::symlink_metadata(&lock) {
        Ok(theirs) => Ok((theirs.ino() == ours.ino() && theirs.dev() == ours.dev()).then_some(lock)),
        Err(e) if is_no_place(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

fn marks(dir: &Path) -> Vec<PathBuf> {
    let is_mark = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(MARK));
    inside(dir).unwrap_or_default().into_iter().filter(is_mark).collect()
}

/// Frees what killed integrations of this target have locked. The target's lock is held, by us, and by every git
/// that they have left: so nobody is using it.
pub fn sweep(dir: &Path) {
    for mark in marks(dir) {
        let is_free = lock_of(&mark).is_ok_and(|lock| lock.is_none_or(|lock| fs::remove_file(&lock).is_ok()));
        if is_free {
            // The next one tries again.
            let _ = fs::remove_file(&mark);
        }
    }
}
