//! `git integrate -n`: the train is printed and nothing is changed.

use super::Args;
use crate::commands::Cx;
use crate::error::{Failure, Result};

/// Runs it.
///
/// # Errors
/// Always, at present.
pub fn run(_cx: &Cx, _args: &Args) -> Result<u8> {
    Err(Failure::fatal("the forecast is not there yet"))
}
