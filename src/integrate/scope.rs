//! What a task changes outside of the scope that was declared for it.

use std::collections::HashSet;

use gix::ObjectId;
use gix::bstr::BString;

use super::train::Target;
use crate::desk::Desk;
use crate::error::Result;
use crate::git::scratch::Scratch;
use crate::task::Task;

/// The paths that a task changes since it left the target and that none of its pathspecs takes. Without a scope
/// nothing is outside.
///
/// # Errors
/// If git fails; a pathspec may make no sense to it.
pub fn outside(
    desk: &Desk<'_>,
    scratch: &Scratch,
    task: &Task,
    tip: ObjectId,
    target: &Target,
) -> Result<Vec<BString>> {
    if task.scope.is_empty() {
        return Ok(Vec::new());
    }
    let Some(fork) = desk.repo.merge_base(tip, target.tip)? else { return Ok(Vec::new()) };
    let trees = [(desk.repo.tree_of(fork)?, desk.repo.tree_of(tip)?)];
    let changed = |scope: &[String]| -> Result<Vec<BString>> {
        let changes = desk.repo.tree_changes(scratch, &trees, scope)?.pop().unwrap_or_default();
        Ok(changes.into_iter().map(|change| change.path).collect())
    };
    let inside: HashSet<BString> = changed(&task.scope)
        .map_err(|failure| failure.context(format!("bad scope of task '{}'", task.slug)))?
        .into_iter()
        .collect();
    Ok(changed(&[])?.into_iter().filter(|path| !inside.contains(path)).collect())
}
