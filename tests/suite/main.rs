//! The one test binary: the real commands, run through the real git.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "the laws are for the product; a test that panics has done its work"
)]

#[path = "../support/mod.rs"]
mod support;

mod clone;
mod completion;
mod crash;
mod generated;
mod harness;
mod install;
mod layers;
mod manual;
mod move_rename;
mod project;
mod prune;
mod readme;
mod remove;
mod repair;
mod restore;
mod restore_states;
mod usage;
