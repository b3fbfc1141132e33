//! Sessions: commands that work on tasks, in the terminal or in the background.
//!
//! A session is any command. This program knows none of them by name, and what they do is their own affair; it
//! starts them in the right place, knows whether they run, keeps what they print, and ends them.

pub mod command;
pub mod graph;
pub mod load;
pub mod log;
pub mod process;
pub mod prompt;
pub mod run;
pub mod run_past;
pub mod run_plan;
pub mod run_record;
pub mod session;
pub mod stage;
pub mod supervise;
pub mod tail;
pub mod take_over;
pub mod terminal;
pub mod watch;
