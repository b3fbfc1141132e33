//! Other processes in the way for a moment, and going on when they are not.

use std::time::{Duration, Instant};

use crate::error::{Failure, Result};
use crate::interrupt;

/// Whether git's message says that another process was in the way for a moment: a lock it holds, or a
/// worktree that is half made.
pub fn is_contention(message: &str) -> bool {
    const SIGNS: &[&str] = &[
        "could not lock config file",
        "cannot lock ref",
        "Unable to create '",
        "commondir",
        "failed to read worktrees/",
        "Another git process seems to be running",
        "could not lock",
    ];
    // "cannot lock ref … reference already exists" and "is at … but expected" are answers, not contention.
    // Neither is what the file system refuses whoever asks.
    const FINAL: &[&str] = &[
        "reference already exists",
        "but expected",
        "exists; cannot create",
        "No space left",
        "Permission denied",
        "Read-only file system",
        "Input/output error",
        "Too many open files",
        "Disk quota exceeded",
    ];
    // git goes through all worktrees, and one of them is being removed.
    let vanishing = message.contains("Invalid path '") && message.contains("/worktrees/");
    // It goes through all branches, and one of them is being deleted; an id here would be real damage.
    let deleted = message.strip_prefix("bad object ").is_some_and(|name| name.len() < 40);
    // Its directory of objects was empty, and went while it made a file there: somebody was packing.
    let packed = message.contains("No such file or directory")
        && ["unable to create temporary file", "unable to write file"].iter().any(|s| message.contains(s));
    // `git worktree prune` has just removed what it had begun to make.
    let pruned = ["could not open '", "/worktrees/", "for writing: No such file or directory"];
    vanishing
        || deleted
        || pruned.iter().all(|s| message.contains(s))
        || packed
        || SIGNS.iter().any(|s| message.contains(s)) && !FINAL.iter().any(|s| message.contains(s))
}

/// Runs `attempt` again while it fails by contention, with growing pauses, for `limit` at most.
///
/// # Errors
/// What the last attempt said.
pub fn retry<T>(limit: Duration, attempt: impl FnMut() -> Result<T>) -> Result<T> {
    retry_while(limit, |failure| is_contention(&failure.message()), attempt)
}

/// The same while it fails in such a way, for `limit` at most from when it did so first.
///
/// # Errors
/// What the last attempt said.
pub fn retry_while<T>(
    limit: Duration,
    may_pass: impl Fn(&Failure) -> bool,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut since = None;
    let mut pause = Duration::from_millis(2);
    loop {
        match attempt() {
            Err(failure)
                if may_pass(&failure) && since.get_or_insert_with(Instant::now).elapsed() < limit =>
            {
                interrupt::check()?;
                // Uneven, so that fifty who failed together don't come back together.
                std::thread::sleep(pause + Duration::from_micros(u64::from(std::process::id() % 1000)));
                pause = (pause * 2).min(Duration::from_millis(100));
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_branch_is_an_answer_and_a_held_lock_is_not() {
        assert!(is_contention("could not lock config file .git/config: File exists"));
        assert!(is_contention("cannot lock ref 'refs/heads/x': Unable to create '/r/x.lock': File exists."));
        assert!(!is_contention("cannot lock ref 'refs/heads/x': reference already exists"));
        assert!(!is_contention("invalid reference: nowhere"));
    }

    #[test]
    fn a_worktree_that_is_pruned_while_it_is_made_is_made_again() {
        let said = |why| format!("could not open '/r/.git/worktrees/x/locked' for writing: {why}");
        assert!(is_contention(&said("No such file or directory")));
        assert!(!is_contention(&said("Permission denied")));
    }

    #[test]
    fn what_the_file_system_refuses_is_not_waited_for() {
        let refused =
            |why: &str| format!("cannot lock ref 'refs/heads/x': Unable to create '/r/x.lock': {why}");
        for why in ["Permission denied", "Read-only file system", "No space left on device"] {
            assert!(!is_contention(&refused(why)), "{why}");
        }
    }
}
