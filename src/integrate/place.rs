//! Where an integration keeps what it must remember: a directory and a part of the references for each target.
//!
//! One integration of a target runs at a time. Its lock is an OS lock on a file, held for as long as it runs,
//! and shared with every git that works in the private worktree: one that outlives us holds it too.

use std::path::PathBuf;

use crate::desk::Desk;
use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::git::refs::short_name;
use crate::paths::{inside, is_there};
use crate::store::lock::FileLock;

/// The directory of all integrations, below our own.
const DIR: &str = "integrate";

/// The references of all integrations.
const REFS: &str = "refs/integrate/";

/// What belongs to the integrations of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The target by full name.
    pub target: String,
    /// Its directory.
    pub dir: PathBuf,
}

impl Place {
    /// That of a target, by full name.
    pub fn of(repo: &Repo, target: &str) -> Self {
        let name = short_name(target);
        Place { target: target.to_owned(), dir: repo.state_dir().join(DIR).join(file_name(name)) }
    }

    /// Those that have a journal, by name.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn in_progress(repo: &Repo) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for place in Self::all(repo)? {
            if is_there(&place.journal())? {
                found.push(place);
            }
        }
        Ok(found)
    }

    /// Those that there ever were, by name.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn all(repo: &Repo) -> Result<Vec<Self>> {
        let dir = repo.state_dir().join(DIR);
        let names = inside(&dir)?.into_iter().filter(|path| path.is_dir());
        let mut all: Vec<Self> = names
            .filter_map(|path| branch_name(&path.file_name()?.to_string_lossy()))
            .map(|name| Self::of(repo, &format!("refs/heads/{name}")))
            .collect();
        all.sort_by(|a, b| a.target.cmp(&b.target));
        Ok(all)
    }

    /// The target as the user calls it.
    pub fn name(&self) -> &str {
        short_name(&self.target)
    }

    /// What the integration in progress is about.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    /// What the last one that landed did.
    pub fn last(&self) -> PathBuf {
        self.dir.join("last")
    }

    /// Where the checks' output goes.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// A reference of this target's integrations.
    pub fn ref_name(&self, what: &str) -> String {
        format!("{REFS}{}/{what}", self.name())
    }

    /// Takes the lock of this target.
    ///
    /// # Errors
    /// If another integration of it runs for longer than `task.lockTimeout`: who.
    pub fn lock(&self, desk: &Desk<'_>) -> Result<FileLock> {
        let limit = desk.settings.lock_timeout;
        let taken = FileLock::acquire(&self.dir.join("lock"), limit)?;
        if let Ok(held) = &taken {
            self.sweep(held);
        }
        taken.map_err(|holder| {
            let message = format!("another integration into '{}' is running: {holder}", self.name());
            Failure::fatal(message).hint(
                "integrateRunning",
                format!(
                    "Waited {} s for it (task.lockTimeout). See 'git integrate --status'.",
                    limit.as_secs()
                ),
            )
        })
    }

    /// Takes the lock of this target, unless somebody holds it.
    ///
    /// # Errors
    /// If the file can't be made or locked.
    pub fn try_lock(&self) -> Result<Option<FileLock>> {
        let taken = FileLock::acquire(&self.dir.join("lock"), std::time::Duration::ZERO)?.ok();
        if let Some(held) = &taken {
            self.sweep(held);
        }
        Ok(taken)
    }

    /// Whether an integration of this target runs now. If not, what killed ones left is swept.
    pub fn is_running(&self) -> bool {
        let lock = self.dir.join("lock");
        if !lock.exists() {
            return false;
        }
        match FileLock::acquire(&lock, std::time::Duration::ZERO) {
            Ok(Ok(held)) => {
                self.sweep(&held);
                false
            }
            Ok(Err(_)) => true,
            Err(_) => false,
        }
    }

    /// Sweeps what killed integrations left, of those that none runs of now.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn sweep_all(repo: &Repo) -> Result<()> {
        for place in Self::all(repo)? {
            place.is_running();
        }
        Ok(())
    }

    /// Locks that their process held when it was killed, and files that it was writing.
    pub(super) fn sweep(&self, _held: &FileLock) {
        super::holder::sweep(&self.dir);
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.contains(".tmp-") {
                // The next one tries again.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// A branch's name as one component of a path, so that two names never meet.
fn file_name(branch: &str) -> String {
    let mut name = String::new();
    for byte in branch.bytes() {
        match byte {
            b'/' | b'%' | 0..=b' ' | 127.. => name.push_str(&format!("%{byte:02X}")),
            // Two that a file system takes for the same differ in this.
            b'A'..=b'Z' => name.push_str(&format!("%{byte:02X}")),
            byte => name.push(char::from(byte)),
        }
    }
    name
}

/// The branch that [`file_name`] was made of.
fn branch_name(file: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = file.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let hex = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_has_a_directory_of_its_own() {
        for name in ["main", "Main", "feat/x", "feat%2Fx", "ä b"] {
            let file = file_name(name);
            assert!(!file.contains(['/', ' ']), "{file}");
            assert_eq!(branch_name(&file).as_deref(), Some(name));
        }
        assert_ne!(file_name("main").to_lowercase(), file_name("Main").to_lowercase());
    }
}
