//! `[[on]]`: what the team wants to happen when a task changes its state.

use std::path::Path;

use super::{Desk, Task, place, setup};
use crate::config::team::Event;
use crate::error::Result;

/// Runs the commands for an event, in the main worktree. One that fails is warned about and keeps nothing
/// from happening.
///
/// # Errors
/// If the task's changes can't be listed for a path filter.
pub fn raise(desk: &Desk<'_>, event: Event, task: &Task, path: Option<&Path>) -> Result<()> {
    let Some(team) = &desk.settings.team else { return Ok(()) };
    let mut touched: Option<bool>;
    for on in team.hooks.iter().filter(|on| on.event == event) {
        touched = if on.paths.is_empty() { Some(true) } else { Some(touches(desk, task, &on.paths)?) };
        if touched == Some(true) {
            let dir = desk.repo.home();
            if let Err(failure) = setup::run_one(desk, task, path.unwrap_or(dir), dir, &on.run) {
                desk.observer.warn(&format!("event '{}' of task '{}': {failure}", event.as_str(), task.slug));
            }
        }
    }
    Ok(())
}

/// Whether the task changes a path that one of the patterns names, since its start.
fn touches(desk: &Desk<'_>, task: &Task, patterns: &[String]) -> Result<bool> {
    let worktrees = desk.repo.worktrees()?;
    let (Some(start), Some(head)) = (task.start, place::head_of(desk.repo, task, &worktrees)?) else {
        return Ok(false);
    };
    let range = format!("{start}...{head}");
    let mut cmd = desk.repo.cmd(["diff", "--quiet", &range, "--"]);
    cmd = cmd.args(patterns.iter().map(|p| format!(":(top,glob){p}")));
    let output = cmd.poll().output()?;
    match output.code() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(output.into_failure()),
    }
}
