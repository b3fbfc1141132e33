//! The one test binary: the real commands, run through the real git.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "the laws are for the product; a test that panics has done its work"
)]

#[path = "../support/mod.rs"]
mod support;

mod add;
mod add_base;
mod add_options;
mod add_races;
mod completion;
mod diff;
mod generated;
mod harness;
mod install;
mod layers;
mod list;
mod project;
mod readme;
mod state;
mod sync;
