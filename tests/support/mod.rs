//! The ground that the tests stand on: a closed environment, repositories made quickly, terminals,
//! crashes and full disks. Nothing here sleeps, and nothing here reads the user's configuration.

#![allow(dead_code, reason = "a helper may wait here for the first test that needs it")]
#![allow(unused_imports, reason = "as above, for the names exported below")]

mod disk;
mod fault;
mod frozen;
mod picture;
mod pty;
mod repo;
mod run;
mod sandbox;
mod skip;
#[cfg(target_os = "linux")]
mod tracer;

pub use disk::FullDisk;
pub use fault::{Faulted, Points};
#[cfg(target_os = "linux")]
pub use fault::{disk_full_from_every, faulted_at_every, killed_at_every};
pub use frozen::Frozen;
pub use picture::Picture;
pub use pty::Pty;
pub use repo::{ForeignConfigWriter, Remote, assert_sound, at_once, leftovers};
pub use run::Run;
pub use sandbox::{Git, NOW, Sandbox, git_under_test};
pub use skip::{missing, need, need_git, say, skip};
#[cfg(target_os = "linux")]
pub use tracer::{CAN_REFUSE, Event, Failing, Fault, Victim, trace};
