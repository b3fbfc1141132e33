//! `git task`.

pub mod add;
pub mod admin;
pub mod diff;
pub mod list;
pub mod log;
pub mod note;
pub mod place;
pub mod prompt;
pub mod remove;
pub mod run;
pub mod show;
pub mod start;
pub mod state;
pub mod stop;
pub mod sync;
pub mod view;
