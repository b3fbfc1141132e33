//! The pool: worktrees made ahead of need, handed out and taken back.
//!
//! A slot is a section of git config and a worktree. It is idle, claimed by a lease, expired, or set aside as
//! broken; while somebody is at work on it there is an intent that names it, and it counts as being prepared. How
//! a task gets into a slot is no matter of the pool's: it offers a [seat](crate::desk::slot::Seat).

pub mod back;
pub mod check;
pub mod choose;
pub mod claim;
pub mod drain;
pub mod keep;
pub mod lend;
pub mod make;
pub mod queue;
pub mod record;
pub mod refill;
pub mod refresh;
pub mod release;
pub mod repair;
pub mod select;
pub mod settle;
pub mod survey;

pub use record::{Pool, Slot, State};
