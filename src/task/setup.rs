//! Commands of the team file in a task's surroundings: setup of a new worktree, and events.

use std::ffi::OsString;
use std::path::Path;

use super::{Desk, Slug, Task};
use crate::config::TEAM_FILE;
use crate::desk::setup::run_one;
use crate::error::{Failure, Result};
use crate::task::notes;

/// The variables that a task's commands get.
pub fn environment(desk: &Desk<'_>, task: &Task, path: Option<&Path>) -> Vec<(&'static str, OsString)> {
    let mut vars: Vec<(&'static str, OsString)> = vec![
        ("GIT_TASK", task.slug.as_str().into()),
        ("GIT_TASK_BRANCH", task.own_branch().or(task.tracked()).unwrap_or_default().into()),
        ("GIT_TASK_BASE", task.base.clone().unwrap_or_default().into()),
        ("GIT_TASK_MAIN", desk.repo.home().into()),
    ];
    if let Some(path) = path {
        vars.push(("GIT_TASK_PATH", path.into()));
        vars.push(("GIT_TASK_NOTE", path.join(notes::relative_path(&task.slug)).into()));
    }
    vars
}

/// Runs the setup commands in a new worktree, their output on standard error; stops at the first that fails.
///
/// # Errors
/// The command and how it ended.
pub fn run(desk: &Desk<'_>, task: &Task, path: &Path) -> Result<()> {
    for command in desk.settings.setup_run() {
        desk.observer.note(&format!("Running setup in '{}': {command}", task.slug));
        run_one(environment(desk, task, Some(path)), path, command)
            .map_err(|e| e.context(format!("setup of '{}' failed in {TEAM_FILE}", task.slug)))?;
    }
    Ok(())
}

/// A failed setup as the failure of one item: the task is there, and blocked.
pub fn failed(failure: Failure, slug: &Slug, path: &Path) -> Failure {
    let shown = path.display();
    failure.as_item().hint(
        "taskSetup",
        format!("The task is kept, in '{shown}'; mend it there, then 'git task reopen {slug}'."),
    )
}
