//! Names that others were quicker to take.

use super::record::Tasks;
use super::{Desk, Slug};
use crate::error::{Failure, Result};

/// There is such a task by now.
pub fn by_task(slug: &Slug) -> Failure {
    Failure::fatal(format!("a task named '{slug}' already exists"))
}

/// Another process is at work on it.
pub fn by_process(name: &str) -> Failure {
    Failure::fatal(format!("task '{name}' is being changed by another process"))
        .hint("taskBusy", "Try again when that process is done.")
}

/// Whether the name was taken since the tasks were read. That may be seen by the branch first.
///
/// # Errors
/// If the metadata can't be read.
pub fn meanwhile(desk: &Desk<'_>, slug: &Slug) -> Result<Option<Failure>> {
    // An intent goes only after the metadata has come.
    if desk.repo.state_dir().join("intents").join(slug.as_str()).exists() {
        return Ok(Some(by_process(slug.as_str())));
    }
    let tasks = Tasks::read(desk.repo)?;
    Ok(tasks.find(slug.as_str()).filter(|task| task.state.is_live()).map(|task| by_task(&task.slug)))
}
