//! The domain: what a task is, and what happens to it between `add` and `rm`.
//!
//! Nothing here prints or prompts. What the user should hear meanwhile goes to an [`Observer`].

pub mod copy;
pub mod create;
pub mod events;
pub mod half;
pub mod keep;
pub mod life;
pub mod note;
pub mod notes;
pub mod own;
pub mod place;
pub mod plan;
pub mod prune;
pub mod record;
pub mod refuse;
pub mod remove;
pub mod rename;
pub mod repair;
pub mod request;
pub mod restore;
pub mod settle;
pub mod setup;
pub mod slug;
pub mod state;
pub mod survey;
pub mod sweep;
pub mod sync;
pub mod template;
pub mod upstream;

use crate::config::Settings;
use crate::context::Context;
use crate::error::Result;
use crate::git::Repo;
use crate::store::lock::StateLock;

pub use record::{Branch, Task};
pub use slug::Slug;
pub use state::State;

/// What the user hears while something long is done.
pub trait Observer {
    /// A step of the work on a task begins; the guard's drop ends it.
    fn step(&self, text: &str) -> Box<dyn std::any::Any>;
    /// Something is not as it should be and the work goes on.
    fn warn(&self, message: &str);
    /// Something the user may want to know.
    fn note(&self, message: &str);
}

/// What every operation on tasks needs.
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
