//! `git pool`.

pub mod claim;
pub mod drain;
pub mod fill;
pub mod list;
pub mod release;
pub mod renew;
pub mod repair;
pub mod seat;
pub mod which;

use super::Cx;
use crate::desk::Desk;
use crate::error::Result;
use crate::{pool, task};

/// Settles what killed processes left, of tasks and of slots.
///
/// # Errors
/// If something can't be taken back.
pub fn settle(cx: &Cx, desk: &Desk<'_>) -> Result<()> {
    let of_tasks = task::settle::settle_all(desk, false)?;
    for said in of_tasks.into_iter().chain(pool::settle::settle_all(desk, false)?) {
        cx.ui.note(&format!("Settled what was left behind: {said}"));
    }
    Ok(())
}
