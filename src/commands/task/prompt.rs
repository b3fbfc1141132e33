//! `git task prompt`.

use super::place;
use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Result};
use crate::schedule::prompt;

/// Runs it.
///
/// # Errors
/// If the task has no worktree, or the template can't be used.
pub fn run(cx: &Cx, args: &place::Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let (task, path) = place::find(cx, args.task.as_deref())?;
    let text = prompt::of(&cx.desk(&reporter), &task, &path)?;
    cx.data(text)?;
    Ok(EXIT_DONE)
}
