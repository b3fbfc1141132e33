//! `git task prompt`.

use super::place;
use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Result};
use crate::schedule::prompt;
use crate::ui::Ui;

/// Runs it.
///
/// # Errors
/// If the task has no worktree, or the template can't be used.
pub fn run(cx: &Cx, args: &place::Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let (task, path) = place::find(cx, args.task.as_deref())?;
    let text = prompt::of(&cx.desk(&reporter), &task, &path)?;
    // A terminal gets nothing that could move its cursor; a pipe gets it as it is.
    match cx.ui.stdout_is_terminal() {
        true => cx.write(Ui::shown(text.as_bytes()))?,
        false => cx.write(text)?,
    }
    Ok(EXIT_DONE)
}
