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
mod busy;
mod cli;
mod clone;
mod completion;
mod copy;
mod diff;
mod generated;
mod harness;
mod hostile;
mod hostile_options;
mod hostile_repo;
mod hostile_terminal;
mod install;
mod instructions;
mod integrate_asks;
mod integrate_checks;
mod integrate_checks_cut;
mod integrate_conflicts;
mod integrate_drivers;
mod integrate_equals;
mod integrate_formats;
mod integrate_how;
mod integrate_moments;
mod integrate_plan;
mod integrate_run;
mod integrate_select;
mod integrate_submodules;
mod integrate_terminal;
mod integrate_thin;
mod layers;
mod list;
mod manual;
mod meanwhile;
mod move_rename;
mod notes;
mod overlap;
mod place_moments;
mod plan;
mod pool;
mod pool_claim;
mod pool_races;
mod pool_release;
mod pool_repair;
mod pool_writers;
mod power_cut;
mod programs;
mod project;
mod properties;
mod properties_outside;
mod prune;
mod readme;
mod remove;
mod remove_meanwhile;
mod repair;
mod restore;
mod restore_states;
mod run;
mod run_broken;
mod run_crash;
mod session;
mod session_faults;
mod session_terminal;
mod slot_moments;
mod state;
mod storm;
mod sweep;
mod sync;
mod sync_conflicts;
mod task_moments;
mod team;
mod transcript;
mod unlinked;
mod usage;
mod watch;
