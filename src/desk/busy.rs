//! Other processes of ours that are at the same task or slot: who they are, and waiting for them.

use std::fmt::Display;
use std::path::Path;

use super::{Desk, alive};
use crate::error::{Failure, Result};
use crate::git::process::{retry, retry_while};
use crate::git::worktree::Worktree;
use crate::store::record::{Found, Record};

/// `what`, such as "task 'x'", is another process's for now, which has this intent.
pub fn busy(what: impl Display, intent: &Record) -> Failure {
    let pid = intent.text("pid").and_then(|pid| pid.parse::<u32>().ok());
    let who = pid.map(|pid| format!(", {pid} ('{}')", intent.kind)).unwrap_or_default();
    let failure = Failure::fatal(format!("{what} is being changed by another process{who}"))
        .hint("taskBusy", "Try again when that process is done, or raise task.lockTimeout.");
    // A hook or a setup command that it runs would wait for what waits for itself.
    if pid.is_some_and(alive::is_ancestor) { failure } else { failure.passing() }
}

/// Whether another process is making, changing or taking away what is at this place, or moves something there.
pub fn is_at(intent: &Found, path: &Path) -> bool {
    ["path", "to"].iter().any(|key| intent.record.path(key).as_deref() == Some(path))
}

/// That a worktree's HEAD is what it was when it was looked at, `now` being as it is: a rebase that another process runs
/// has HEAD elsewhere for as long as it does.
///
/// # Errors
/// If it was moved, which is [passing](Failure::passing).
pub fn require_head(worktree: &Worktree, now: &Worktree) -> Result<()> {
    if now.head == worktree.head {
        return Ok(());
    }
    let path = worktree.path.display();
    Err(Failure::fatal(format!("HEAD of '{path}' was moved by another process meanwhile")).passing())
}

impl Desk<'_> {
    /// `git worktree` with these arguments and a path. git goes through all worktrees first, and one of them may just
    /// be coming or going: then once more.
    ///
    /// # Errors
    /// In git's words.
    pub fn worktree(&self, args: &[&str], path: &Path) -> Result<()> {
        let run = || self.repo.at_home().cmd(["worktree"]).args(args).arg(path).run().map(drop);
        retry(self.settings.lock_timeout, run)
    }

    /// Has git write the `.git` of a worktree again, which [leads nowhere](Worktree::is_unlinked).
    ///
    /// # Errors
    /// In git's words.
    pub fn relink(&self, worktree: &Worktree) -> Result<()> {
        let output = self.repo.at_home().cmd(["worktree", "repair"]).output()?;
        // It fails also where it could not do it for another one.
        if worktree.is_unlinked() { Err(output.into_failure()) } else { Ok(()) }
    }

    /// Does `work`, and again while [another process is in the way](Failure::passing), for `task.lockTimeout` at
    /// most. Before each further attempt `settle` looks after those that were killed meanwhile.
    ///
    /// # Errors
    /// What the last attempt said, or `settle`.
    pub fn patiently<T>(
        &self,
        settle: impl Fn() -> Result<()>,
        mut work: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let mut again = false;
        retry_while(
            self.settings.lock_timeout,
            |failure| failure.passing,
            || {
                if std::mem::replace(&mut again, true) {
                    settle()?;
                }
                work()
            },
        )
    }
}
