//! git-parallel.
pub mod cli;
pub mod commands;
pub mod config;
pub mod context;
pub mod duration;
pub mod error;
pub mod git;
pub mod interrupt;
pub mod paths;
pub mod store;
pub mod task;
pub mod text;
pub mod toml_file;
pub mod ui;
