//! Where a new task starts, and what it goes back to.

use gix::ObjectId;

use super::{NewTask, Request, View};
use crate::error::{Failure, Result};
use crate::git::refs::short_name;
use crate::task::{Desk, Slug, Task, place, taken};
use crate::text::escape_controls;

/// Where a task comes from.
pub(super) struct Origin {
    /// The branch it goes back to, by short name.
    pub base: Option<String>,
    /// That branch's full name.
    pub base_ref: Option<String>,
    /// The commit to start at.
    pub start: ObjectId,
}

impl Origin {
    pub fn of_branch(desk: &Desk<'_>, short: &str) -> Result<Self> {
        let Some((full, start)) = desk.repo.find_branch(short)? else {
            let shown = escape_controls(short.as_bytes());
            return Err(Failure::fatal(format!("no such branch: '{shown}'")));
        };
        Ok(Origin { base: Some(short_name(&full).to_owned()), base_ref: Some(full), start })
    }
}

/// The base and the commit: `--base`, `task.base` or the current branch; with one predecessor its tip.
pub(super) fn origin(
    desk: &Desk<'_>,
    request: &Request,
    after: &[&Task],
    before: &[NewTask],
) -> Result<Origin> {
    let wanted = request.base.as_deref().or(desk.settings.base.as_deref());
    let head = desk.repo.head_branch()?;
    // As for git, HEAD means the branch that is checked out, if there is one.
    let named = wanted.filter(|rev| head.is_none() || !["HEAD", "@"].contains(rev));
    let mut origin = match named {
        Some(rev) => match desk.repo.find_branch(rev)? {
            Some((full, start)) => {
                Origin { base: Some(short_name(&full).to_owned()), base_ref: Some(full), start }
            }
            // A commit that is no branch can be started from, but not gone back to.
            None => {
                let start = desk.repo.require_commit(rev)?;
                let home = if request.base.is_some() { default_base(desk)? } else { None };
                Origin { base: home, base_ref: None, start }
            }
        },
        None => {
            let Some(full) = head else {
                return Err(Failure::fatal("HEAD is detached, so there is no current branch to start from")
                    .hint("taskBase", "Name the branch with --base, or set task.base."));
            };
            let Some(start) = desk.repo.find_ref(&full)? else {
                let short = short_name(&full);
                return Err(Failure::fatal(format!(
                    "your current branch '{short}' does not have any commits yet"
                ))
                .hint("taskBase", "Make a first commit, or name another branch with --base."));
            };
            Origin { base: Some(short_name(&full).to_owned()), base_ref: Some(full), start }
        }
    };
    if let [one] = after
        && (request.base.is_none() || request.base_is_default)
    {
        let new = before.iter().find(|n| n.task.slug == one.slug).map(|n| n.start);
        let tip = match new {
            Some(tip) => Some(tip),
            None => place::head_of(desk.repo, one, &desk.repo.worktrees()?)?,
        };
        if let Some(tip) = tip {
            origin.start = tip;
            origin.base_ref = None;
        }
        // It goes back to where its predecessor goes.
        if wanted.is_none() {
            origin.base = one.base.clone().or(origin.base);
        }
    }
    Ok(origin)
}

/// `task.base`, else the current branch if it has one.
fn default_base(desk: &Desk<'_>) -> Result<Option<String>> {
    if let Some(base) = &desk.settings.base {
        return Ok(Some(base.clone()));
    }
    Ok(desk.repo.head_branch()?.map(|full| short_name(&full).to_owned()))
}

/// Refuses a branch of another task; tells an existing one from a new one.
pub(super) fn starting_point(
    desk: &Desk<'_>,
    view: &View,
    before: &[NewTask],
    slug: &Slug,
    name: &str,
    request: &Request,
    origin: &Origin,
) -> Result<(ObjectId, bool)> {
    desk.repo.require_branch_name(name)?;
    let shown = escape_controls(name.as_bytes());
    let mut others =
        view.tasks.all.iter().filter(|t| t.state.is_live()).chain(before.iter().map(|n| &n.task));
    if let Some(other) = others.find(|t| t.own_branch() == Some(name)) {
        return Err(Failure::fatal(format!("branch '{shown}' is that of task '{}'", other.slug)));
    }
    let full = format!("refs/heads/{name}");
    let Some(tip) = desk.repo.find_ref(&full)? else { return Ok((origin.start, true)) };
    if request.branch.is_none() && request.adopt.is_none() {
        if let Some(failure) = taken::meanwhile(desk, slug)? {
            return Err(failure);
        }
        return Err(taken::by_branch(name).hint(
            "taskBranchExists",
            format!("Take it over as it is with '-b {shown}', or name another with -b."),
        ));
    }
    if request.adopt.is_none()
        && let Some(other) = view.worktrees.iter().find(|w| w.branch().as_deref() == Some(full.as_str()))
    {
        let message = format!("'{shown}' is already checked out at '{}'", other.path.display());
        return Err(Failure::fatal(message).hint(
            "taskAdopt",
            "Make a task of that worktree with --adopt <path>, if it is not the main one.",
        ));
    }
    // Its own commits are those since it left the base.
    let output = desk.repo.cmd(["merge-base", &tip.to_string(), &origin.start.to_string()]).output()?;
    match output.code() {
        0 => Ok((crate::git::parse_id(output.stdout.trim_ascii_end())?, false)),
        1 => Ok((tip, false)),
        _ => Err(output.into_failure()),
    }
}
