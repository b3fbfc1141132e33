//! What tasks and slots have in common: the surroundings that every operation works in, and what a new
//! worktree is furnished with.

pub mod alive;
pub mod aside;
pub mod busy;
pub mod clean;
pub mod copy;
pub mod half;
pub mod mark;
pub mod pid;
pub mod relay;
pub mod session;
pub mod setup;
pub mod slot;
pub mod template;

use crate::config::Settings;
use crate::context::Context;
use crate::error::Result;
use crate::git::Repo;
use crate::store::lock::StateLock;

/// What the user hears while something long is done.
pub trait Observer {
    /// A step of the work on a task begins; the guard's drop ends it.
    fn step(&self, text: &str) -> Box<dyn std::any::Any>;
    /// Something is not as it should be and the work goes on.
    fn warn(&self, message: &str);
    /// Something the user may want to know.
    fn note(&self, message: &str);
    /// So many of all have their turn behind them; of none, the work is over.
    fn tally(&self, _done: usize, _total: usize) {}
    /// Something else writes to the terminal meanwhile.
    fn aside(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// What every operation needs.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The repository.
    pub repo: &'a Repo,
    /// Its settings.
    pub settings: &'a Settings,
    /// The surroundings.
    pub context: &'a Context,
    /// Who hears about it.
    pub observer: &'a dyn Observer,
}

impl Desk<'_> {
    /// Takes the state lock, for reading and writing metadata only.
    ///
    /// # Errors
    /// If another process holds it for too long.
    pub fn lock(&self) -> Result<StateLock> {
        let held = StateLock::acquire(&self.repo.state_dir(), self.settings.lock_timeout)?;
        // git's own commands would run into what one of us left who was killed.
        crate::store::config::settle(self.repo, &held)?;
        Ok(held)
    }

    /// Changes metadata under the lock and git's.
    ///
    /// # Errors
    /// What `change` says, or why it can't be written.
    pub fn edit<T>(
        &self,
        held: &StateLock,
        change: impl FnOnce(&mut crate::store::config::ConfigFile) -> Result<T>,
    ) -> Result<T> {
        crate::store::config::edit(self.repo, held, self.settings.lock_timeout, change)
    }
}
