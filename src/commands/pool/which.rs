//! Which slot a command means: by number, by path, by the task that has it, or the one the user is in.

use crate::commands::Cx;
use crate::error::{Failure, Result};
use crate::paths::normalise;
use crate::pool::{Pool, Slot};
use crate::text::escape_controls;

/// The slot.
///
/// # Errors
/// If there is none of that name; or none is named and the user is in none.
pub fn require(cx: &Cx, named: Option<&str>) -> Result<Slot> {
    let pool = Pool::read(&cx.repo)?;
    let at = |path: &std::path::Path| pool.slots.iter().find(|s| s.path == path).cloned();
    let Some(name) = named else {
        let here = cx.repo.workdir().and_then(at);
        return here.ok_or_else(|| Failure::usage("which slot? This is not the worktree of one"));
    };
    if let Some(slot) = pool.find(name) {
        return Ok(slot.clone());
    }
    // Of a slot, or below it.
    let path = normalise(&cx.context.cwd.join(name));
    let of_path = path.ancestors().find_map(at).filter(|_| path.exists() || at(&path).is_some());
    let of_task = || pool.slots.iter().find(|s| s.task.as_deref() == Some(name)).cloned();
    if let Some(slot) = of_path.or_else(of_task) {
        return Ok(slot);
    }
    // What is wrong with its section, if that is it.
    if pool.bad.iter().any(|(n, _)| n == name.as_bytes()) {
        return pool.require(name).cloned();
    }
    let shown = escape_controls(name.as_bytes());
    Err(Failure::fatal(format!("'{shown}' is not a slot, the path of one, or a task that has one"))
        .hint("poolUnknown", "See 'git pool list' for the slots there are."))
}
