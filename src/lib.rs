//! git-parallel.
pub mod error;
