//! References as they are while somebody packs them.
//!
//! `git pack-refs`, and with it `git gc`, writes a reference into `packed-refs` and then deletes its file. Whoever
//! has looked into `packed-refs` before, and for the file after, finds it in neither. git looks for the file first;
//! gix the other way round.

use std::os::unix::fs::MetadataExt;

use super::Repo;
use crate::error::Result;

/// So often somebody may pack meanwhile.
const ATTEMPTS: usize = 100;

/// So often a file may be gone that was just seen; then something is wrong with it.
const FAILURES: usize = 3;

impl Repo {
    /// Reads references in process, once more if somebody was packing them meanwhile.
    ///
    /// # Errors
    /// What `read` says.
    pub fn steadily<T>(&self, read: impl Fn() -> Result<T>) -> Result<T> {
        let mut failures = 0;
        for _ in 1..ATTEMPTS {
            let before = self.packed_refs();
            // It believes the time of the file, which may be that of the one before. There may be none.
            let _ = self.gix().refs.force_refresh_packed_buffer();
            let found = read();
            failures += usize::from(found.is_err());
            if (found.is_ok() || failures == FAILURES) && self.packed_refs() == before {
                return found;
            }
        }
        read()
    }

    /// Which `packed-refs` there is: git replaces it by another file.
    fn packed_refs(&self) -> Option<(u64, u64, i64, i64)> {
        let meta = std::fs::metadata(self.common_dir().join("packed-refs")).ok()?;
        Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::git::testing::Sandbox;

    #[test]
    fn a_reference_that_is_being_packed_is_there() {
        const ROUNDS: usize = 150;
        let sandbox = Sandbox::new();
        let commits = [sandbox.commit("a", "1\n"), sandbox.commit("a", "2\n")];
        sandbox.git(["branch", "x"]);
        let repo = sandbox.repo();
        let done = AtomicBool::new(false);
        let missing = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut missing = 0;
                while !done.load(Ordering::Relaxed) {
                    missing += usize::from(repo.find_ref("refs/heads/x").unwrap().is_none());
                    missing += usize::from(!repo.branch_names(false).unwrap().contains(&"x".into()));
                }
                missing
            });
            for round in 0..ROUNDS {
                sandbox.git(["update-ref", "refs/heads/x", &commits[round % 2].to_string()]);
                sandbox.git(["pack-refs", "--all"]);
            }
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert_eq!(missing, 0);
    }
}
