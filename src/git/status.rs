//! What is not committed: how many entries each of many worktrees has, and which ones one of them has.
//!
//! Counting is the expensive column of `git task list`, so it runs in process and concurrently where gix gives
//! the same answer as git, and through `git status` everywhere else; which is which is said in
//! `in_process`. Nothing here writes an index or takes a lock.

mod in_process;
#[cfg(test)]
mod random_tests;
mod settings;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::atomic::{AtomicUsize, Ordering};

use gix::bstr::{BString, ByteSlice};

use super::Repo;
use super::process::Git;
use super::worktree::Worktree;
use crate::error::{Failure, Result};
use crate::interrupt;

/// One line of `git status --porcelain=v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEntry {
    /// The two letters: index against HEAD, worktree against index; `??` untracked, `!!` ignored.
    pub code: [u8; 2],
    /// Relative to the top of the worktree, and with a slash at the end if it is a whole directory.
    pub path: BString,
    /// Where a renamed or copied file came from.
    pub orig: Option<BString>,
}

impl StatusEntry {
    /// Nothing that git knows about.
    pub fn is_untracked(&self) -> bool {
        self.code == *b"??"
    }

    /// Left out by an exclude pattern.
    pub fn is_ignored(&self) -> bool {
        self.code == *b"!!"
    }
}

/// How untracked files are listed, whatever `status.showUntrackedFiles` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untracked {
    /// A directory with nothing tracked in it is one entry.
    Normal,
    /// Every file is an entry.
    All,
}

impl Repo {
    /// For each worktree the number of lines that `git status --porcelain -unormal` prints there: staged,
    /// unstaged and untracked, a renamed file once. In the order of `worktrees`, each with its own failure.
    ///
    /// # Errors
    /// For a worktree that is not there, or whose state neither gix nor git can read.
    pub fn changes(&self, worktrees: &[&Worktree]) -> Vec<Result<usize>> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = processors.min(worktrees.len());
        let counter = in_process::Counter::new(self, threads < processors);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut reader = counter.as_ref().map(in_process::Counter::reader);
            let mut done = Vec::new();
            while let Some((at, worktree)) = take(&next, worktrees) {
                done.push((at, changes_in(worktree, reader.as_mut())));
            }
            done
        };
        let mut found: Vec<Option<Result<usize>>> = worktrees.iter().map(|_| None).collect();
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mine = work();
            let theirs = others.into_iter().flat_map(|other| {
                // A panic over there is a bug of ours: let it be seen here.
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            for (at, result) in mine.into_iter().chain(theirs) {
                found[at] = Some(result);
            }
        });
        found.into_iter().map(|result| result.expect("each place was taken by one thread")).collect()
    }

    /// What is not committed in one worktree, from git itself.
    ///
    /// # Errors
    /// In git's words if it can't say.
    pub fn status_entries(
        &self,
        worktree: &Worktree,
        untracked: Untracked,
        ignored: bool,
    ) -> Result<Vec<StatusEntry>> {
        status_entries(&git_in(worktree), untracked, ignored)
    }
}

/// What is not committed where `git` runs: for a clone, which is no worktree of ours.
///
/// # Errors
/// In git's words if it can't say.
pub fn status_entries(git: &Git, untracked: Untracked, ignored: bool) -> Result<Vec<StatusEntry>> {
    let cmd = git.cmd(["status", "--porcelain=v1", "-z"]).poll();
    let cmd = cmd.arg(match untracked {
        Untracked::Normal => "-unormal",
        Untracked::All => "-uall",
    });
    let cmd = if ignored { cmd.arg("--ignored=traditional") } else { cmd };
    parse(&cmd.run()?)
}

fn take<'a>(next: &AtomicUsize, worktrees: &[&'a Worktree]) -> Option<(usize, &'a Worktree)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    worktrees.get(at).map(|worktree| (at, *worktree))
}

fn changes_in(worktree: &Worktree, reader: Option<&mut in_process::Reader>) -> Result<usize> {
    interrupt::check()?;
    if worktree.missing {
        let path = crate::text::escape_controls(crate::paths::path_bytes(&worktree.path));
        return Err(Failure::fatal(format!("'{path}' does not exist")));
    }
    match reader.and_then(|reader| reader.count(worktree)) {
        Some(count) => Ok(count),
        None => status_entries(&git_in(worktree), Untracked::Normal, false).map(|entries| entries.len()),
    }
}

/// git in a worktree. The repository is named, because a worktree whose `.git` is broken would otherwise
/// answer for the repository around it.
fn git_in(worktree: &Worktree) -> Git {
    Git::with_git_dir(&worktree.path, &worktree.git_dir)
}

/// The output of `git status --porcelain=v1 -z`: see "Porcelain Format Version 1" in git-status(1).
fn parse(output: &[u8]) -> Result<Vec<StatusEntry>> {
    let mut fields = output.split_str("\0");
    let mut entries = Vec::new();
    while let Some(field) = fields.next().filter(|field| !field.is_empty()) {
        let [x, y, b' ', path @ ..] = field else {
            let shown = crate::text::escape_controls(field);
            return Err(Failure::fatal(format!("git status printed an entry of no known form: '{shown}'")));
        };
        let moved = [x, y].iter().any(|c| matches!(c, b'R' | b'C'));
        let orig = moved.then(|| fields.next()).flatten();
        entries.push(StatusEntry { code: [*x, *y], path: path.into(), orig: orig.map(BString::from) });
    }
    Ok(entries)
}
