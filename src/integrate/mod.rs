//! Integration: which tasks, in which order, merged in private and published at once.
//!
//! Planning only looks: [`train`] is a value, which `git integrate -n` prints and execution follows.

pub mod conflict;
pub mod train;
