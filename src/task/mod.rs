//! The domain: what a task is, and what happens to it between `add` and `rm`.
//!
//! Nothing here prints or prompts. What the user should hear meanwhile goes to an [`Observer`].

pub mod blocked;
pub mod create;
pub mod events;
pub mod half;
pub mod hold;
pub mod keep;
pub mod life;
pub mod note;
pub mod notes;
pub mod occupy;
pub mod own;
pub mod place;
pub mod plan;
pub mod prune;
pub mod record;
pub mod refuse;
pub mod relocate;
pub mod remove;
pub mod rename;
pub mod repair;
pub mod request;
pub mod reseat;
pub mod restore;
pub mod settle;
pub mod setup;
pub mod slug;
pub mod state;
pub mod survey;
pub mod sweep;
pub mod sync;
pub mod taken;
pub mod upstream;
pub mod vacate;

pub use crate::desk::{Desk, Observer};
pub use record::{Branch, Task};
pub use slug::Slug;
pub use state::State;
