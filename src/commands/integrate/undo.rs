//! `git integrate --undo`.

use super::Args;
use crate::commands::Cx;
use crate::error::{Failure, Result};

/// Runs it.
///
/// # Errors
/// If there is nothing to undo, or something came on top.
pub fn run(_cx: &Cx, _args: &Args) -> Result<u8> {
    Err(Failure::fatal("there is no integration to undo"))
}
