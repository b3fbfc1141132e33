//! The lock of an index, held by a process that outlives us only to let go of it.
//!
//! git takes the lock by making `index.lock`, and so whoever is killed with it leaves it lying about. This one is made
//! and removed by a shell that waits for us: if we end in whatever way, its input does, and it cleans up.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::command;
use crate::error::{Failure, OrFatal, Result};

/// `$1` is the lock, `$2` what it locks. What a terminal sends to all of us is for us to answer.
const SCRIPT: &str = r#"trap '' INT TERM HUP QUIT; set -C
: >"$1" || exit 1; echo
read -r line
if [ "$line" = commit ]; then exec mv -f "$1" "$2"; else exec rm -f "$1"; fi"#;

/// The lock, while it is held.
#[derive(Debug)]
pub struct IndexLock {
    child: Child,
    git_dir: PathBuf,
}

impl IndexLock {
    /// Takes the lock of the index in `git_dir`.
    ///
    /// # Errors
    /// In git's words, if another has it.
    pub fn take(git_dir: &Path) -> Result<Self> {
        let (index, lock) = (git_dir.join("index"), git_dir.join("index.lock"));
        let mut sh = command("sh");
        sh.args(["-c", SCRIPT, "sh"]).args([&lock, &index]).current_dir("/");
        sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = sh.spawn().or_fatal(|| "cannot run sh")?;
        let mut answer = [0; 1];
        let taken = child.stdout.take().is_some_and(|mut out| out.read_exact(&mut answer).is_ok());
        let held = IndexLock { child, git_dir: git_dir.to_owned() };
        match taken {
            true => Ok(held),
            false if lock.exists() => {
                Err(Failure::fatal(format!("Unable to create '{}': File exists.", lock.display())))
            }
            false => Err(Failure::fatal(format!("Unable to create '{}'", lock.display()))),
        }
    }

    /// Puts this index into its place, and lets go.
    ///
    /// # Errors
    /// If it can't be written; then the index is as it was.
    pub fn commit(mut self, index: &Path) -> Result<()> {
        let lock = self.git_dir.join("index.lock");
        let failed = || format!("Unable to write new index file '{}'", lock.display());
        fs::copy(index, &lock).or_fatal(failed)?;
        let mut input = self.child.stdin.take().expect("nobody else takes it");
        input.write_all(b"commit\n").or_fatal(failed)?;
        drop(input);
        match self.child.wait().or_fatal(failed)?.success() {
            true => Ok(()),
            false => Err(Failure::fatal(failed())),
        }
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        // At the end of its input it removes the lock, if it still has it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_until_the_end_and_then_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (index, lock, new) =
            (dir.path().join("index"), dir.path().join("index.lock"), dir.path().join("new"));
        fs::write(&index, "old").unwrap();
        fs::write(&new, "new").unwrap();
        let held = IndexLock::take(dir.path()).unwrap();
        assert!(lock.exists());
        let failure = IndexLock::take(dir.path()).unwrap_err();
        assert!(failure.message().ends_with("index.lock': File exists."), "{}", failure.message());
        assert!(lock.exists());
        drop(held);
        assert!(!lock.exists() && fs::read(&index).unwrap() == b"old");
        IndexLock::take(dir.path()).unwrap().commit(&new).unwrap();
        assert!(!lock.exists() && fs::read(&index).unwrap() == b"new");
    }
}
