//! Which branch an integration moves.

use super::Args;
use crate::commands::{Cx, Reporter};
use crate::error::{Failure, Result};
use crate::integrate::select;

/// The target by full name.
///
/// # Errors
/// If it is no local branch, in git's words, or can't be told.
pub fn resolve(cx: &Cx, args: &Args) -> Result<String> {
    let reporter = Reporter::new(&cx.ui);
    if let Some(target) = select::target(&cx.desk(&reporter), &args.tasks, args.into.as_deref())? {
        return Ok(target.ref_name);
    }
    // No task is ready: it is the one that a new task would have.
    let name = match cx.settings.base.clone() {
        Some(name) => name,
        None => cx.repo.head_branch()?.ok_or_else(|| Failure::fatal("HEAD is detached"))?,
    };
    Ok(if name.starts_with("refs/heads/") { name } else { format!("refs/heads/{name}") })
}
