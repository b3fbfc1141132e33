//! git-parallel.
pub mod context;
pub mod error;
pub mod git;
pub mod interrupt;
pub mod paths;
pub mod store;
pub mod text;
