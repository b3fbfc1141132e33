//! What lasts: metadata in git config, the lock around it, atomic files, and the record of what is under way.

pub mod atomic;
pub mod config;
pub mod lock;
pub mod record;
pub mod trash;
