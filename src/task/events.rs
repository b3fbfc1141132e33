//! `[[on]]`: what the team wants to happen when a task changes its state.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use gix::ObjectId;

use super::{Desk, Task, setup};
use crate::config::team::Event;
use crate::desk::session;
use crate::desk::setup::{run_one, run_one_logged};
use crate::error::{OrFatal, Result};

/// Runs the commands for an event, in the main worktree. One that fails is warned about and keeps nothing
/// from happening. `head` is the commit that the task stands, or stood, at: its branch may be gone.
///
/// # Errors
/// If the task's changes can't be listed for a path filter.
pub fn raise(
    desk: &Desk<'_>,
    event: Event,
    task: &Task,
    path: Option<&Path>,
    head: Option<ObjectId>,
) -> Result<()> {
    let Some(team) = &desk.settings.team else { return Ok(()) };
    for on in team.hooks.iter().filter(|on| on.event == event) {
        if !on.paths.is_empty() && !touches(desk, task, head, &on.paths)? {
            continue;
        }
        let vars = setup::environment(desk, task, path);
        let log = log(desk, event, task, &on.run).map_err(|failure| {
            desk.observer.warn(&format!("not keeping what an event prints: {failure}"));
        });
        let (mut log, mut vars, mut ran) = (log.ok(), Some(vars), Ok(()));
        desk.observer.aside(&mut || {
            let vars = vars.take().unwrap_or_default();
            ran = match log.take() {
                Some(log) => run_one_logged(vars, desk.repo.home(), &on.run, log),
                None => run_one(vars, desk.repo.home(), &on.run),
            };
        });
        if let Err(failure) = ran {
            desk.observer.warn(&format!("event '{}' of task '{}': {failure}", event.as_str(), task.slug));
        }
    }
    Ok(())
}

/// Where what a command prints is kept, with a line about the command.
fn log(desk: &Desk<'_>, event: Event, task: &Task, command: &str) -> Result<File> {
    let limit = u64::try_from(desk.settings.session.log_limit).unwrap_or(u64::MAX);
    let mut log = session::events_log(&desk.repo.state_dir(), task.slug.as_str(), limit)?;
    let heading = format!("# {} {}: {command}\n", desk.context.now(), event.as_str());
    log.write_all(heading.as_bytes()).or_fatal(|| "could not write")?;
    Ok(log)
}

/// Whether the task changes a path that one of the patterns names, since its start.
fn touches(desk: &Desk<'_>, task: &Task, head: Option<ObjectId>, patterns: &[String]) -> Result<bool> {
    let (Some(start), Some(head)) = (task.start, head) else { return Ok(false) };
    let range = format!("{start}...{head}");
    // Not where the user is: that may have been the worktree that went.
    let mut cmd = desk.repo.at_home().cmd(["diff", "--quiet", &range, "--"]);
    cmd = cmd.args(patterns.iter().map(|p| format!(":(top,glob){p}")));
    let output = cmd.poll().output()?;
    match output.code() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(output.into_failure()),
    }
}
