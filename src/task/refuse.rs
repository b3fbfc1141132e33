//! What keeps a task from being removed without `-f`: work that would no longer be in its place.

use std::path::Path;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Desk, Task, place};
use crate::error::{Failure, Result};
use crate::git::landed::Landed;
use crate::git::process::{Git, retry};
use crate::git::status::{Untracked, status_entries};
use crate::git::worktree::{Head, Worktree};

/// What not even one `-f` takes away.
///
/// # Errors
/// The refusal, in git's words.
pub fn place(task: &Task, worktree: &Worktree, force: u8) -> Result<()> {
    let path = worktree.path.display();
    if worktree.is_main {
        return Err(Failure::fatal(format!(
            "'{path}' is a main working tree, and has the branch of task '{}'",
            task.slug
        ))
        .hint("taskMainWorktree", "Switch it to another branch first."));
    }
    if let Some(reason) = &worktree.locked
        && force < 2
    {
        let why = if reason.is_empty() { String::new() } else { format!(", lock reason: {reason}") };
        return Err(Failure::fatal(format!("cannot remove a locked working tree{why}")).hint(
            "taskLocked",
            format!("Use 'git task rm -f -f {0}' to override, or 'git task unlock {0}' first.", task.slug),
        ));
    }
    Ok(())
}

/// Work that would no longer be in its place.
///
/// # Errors
/// The refusal; or if git can't say.
pub fn work(
    desk: &Desk<'_>,
    task: &Task,
    worktree: Option<&Worktree>,
    tip: Option<ObjectId>,
    landed: &Landed,
    keep_branch: bool,
) -> Result<()> {
    let slug = &task.slug;
    let force = |failure: Failure| {
        failure.hint(
            "taskForce",
            format!("'git task rm -f {slug}' removes it all the same; 'git task restore {slug}' then brings it back."),
        )
    };
    if let Some(operation) = worktree.and_then(Worktree::operation) {
        return Err(force(Failure::fatal(format!("a {operation} is in progress in task '{slug}'"))));
    }
    let clone = place::clone_of(desk.repo, task)?;
    let path = worktree.filter(|w| !w.missing).map(|w| w.path.clone()).or_else(|| clone.map(Path::to_owned));
    if let Some(path) = path.filter(|p| p.exists()) {
        let entries = status_entries(&Git::at(&path), Untracked::Normal, false)?;
        if !entries.is_empty() {
            return Err(force(Failure::fatal(format!(
                "'{}' contains modified or untracked files ({})",
                path.display(),
                entries.len()
            ))));
        }
    }
    if let Some(Head::Detached(head)) = worktree.map(|w| &w.head)
        && !in_a_branch(desk, *head)?
    {
        return Err(force(Failure::fatal(format!(
            "the detached HEAD in '{}' has commits that are in no branch",
            worktree.map(|w| w.path.display().to_string()).unwrap_or_default()
        ))));
    }
    if let Some(clone) = clone
        && clone_has_more(desk, task, clone)?
    {
        return Err(force(Failure::fatal(format!(
            "the clone of task '{slug}' has other branches or stashes with commits that are in no branch here"
        ))));
    }
    if keep_branch || !matches!(landed, Landed::No) {
        return Ok(());
    }
    let elsewhere = match (tip, task.clone.is_some()) {
        (Some(tip), false) => in_another_branch(desk, task, tip)?,
        _ => false,
    };
    if !elsewhere {
        return Err(force(Failure::fatal(format!("the commits of task '{slug}' are in no other branch"))));
    }
    Ok(())
}

/// Whether any branch, here or on a remote, contains the commit.
fn in_a_branch(desk: &Desk<'_>, commit: ObjectId) -> Result<bool> {
    let args = ["rev-list", "-n1", &commit.to_string(), "--not", "--branches", "--remotes"];
    let found = retry(desk.settings.lock_timeout, || desk.repo.at_home().cmd(args).poll().run())?;
    Ok(found.is_empty())
}

/// Whether anything in a clone but the task's branch has commits that no branch here has.
fn clone_has_more(desk: &Desk<'_>, task: &Task, clone: &Path) -> Result<bool> {
    let git = Git::at(clone);
    let own = task.branch_ref().unwrap_or_default();
    let args = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/stash"];
    let mut ids = Vec::new();
    for line in git.cmd(args).poll().run()?.lines() {
        if let Some((id, name)) = line.split_once_str(" ").filter(|(_, name)| *name != own.as_bytes()) {
            ids.push((crate::git::parse_id(id)?, name == b"refs/stash"));
        }
    }
    if !git.cmd(["symbolic-ref", "-q", "HEAD"]).poll().output()?.status.success() {
        let head = git.cmd(["rev-parse", "-q", "--verify", "HEAD"]).poll().line()?;
        ids.push((crate::git::parse_id(head.as_bytes())?, false));
    }
    for (id, is_stash) in ids {
        if is_stash || !desk.repo.gix().has_object(id) || !in_a_branch(desk, id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a branch other than the task's own, here or on a remote, contains the tip.
fn in_another_branch(desk: &Desk<'_>, task: &Task, tip: ObjectId) -> Result<bool> {
    let own = task.branch_ref().unwrap_or_default();
    let out = desk
        .repo
        .at_home()
        .cmd([
            "for-each-ref",
            "--contains",
            &tip.to_string(),
            "--format=%(refname)",
            "refs/heads",
            "refs/remotes",
        ])
        .poll()
        .run()?;
    Ok(out.split(|b| *b == b'\n').any(|name| !name.is_empty() && name != own.as_bytes()))
}
