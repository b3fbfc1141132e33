//! `git integrate [<task>...]`: the train is built and published.

use super::Args;
use crate::commands::Cx;
use crate::error::{Failure, Result};

/// Runs it.
///
/// # Errors
/// Always, at present.
pub fn run(_cx: &Cx, _args: &Args) -> Result<u8> {
    Err(Failure::fatal("'git integrate' only forecasts yet; see 'git integrate -n'"))
}
