//! `git integrate --continue` and its like.

use super::Args;
use super::args::Action;
use crate::commands::Cx;
use crate::error::{Failure, Result};

/// Runs it.
///
/// # Errors
/// Always, at present.
pub fn run(_cx: &Cx, _args: &Args, action: Action) -> Result<u8> {
    Err(Failure::fatal(format!("'{}': there is no integration in progress", action.option())))
}
