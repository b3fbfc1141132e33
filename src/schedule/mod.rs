//! Sessions: commands that work on tasks, in the terminal or in the background.
//!
//! A session is any command. This program knows none of them by name, and what they do is their own affair; it
//! starts them in the right place, knows whether they run, keeps what they print, and ends them.

pub mod command;
pub mod log;
pub mod process;
pub mod prompt;
pub mod session;
pub mod supervise;
pub mod terminal;
