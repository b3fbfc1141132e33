//! A task that can't go on without somebody's help.

use super::{Desk, State, Task};
use crate::error::Result;

/// Marks a task blocked with a reason, whatever led to it.
///
/// # Errors
/// If the metadata can't be written.
pub fn mark(desk: &Desk<'_>, task: &mut Task, reason: &str) -> Result<()> {
    task.state = State::Blocked;
    task.reason = Some(reason.to_owned());
    let held = desk.lock()?;
    desk.edit(&held, |file| task.write_to(file))
}
