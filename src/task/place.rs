//! Which worktree is a task's, and which task a command means.

use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::record::Tasks;
use super::{Branch, Desk, Slug, Task, taken};
use crate::context::Context;
use crate::desk::template;
use crate::error::{Failure, OrFatal, Result};
use crate::git::Repo;
use crate::git::worktree::{Head, Worktree};
use crate::paths::normalise;
use crate::store::record::peek_at;

/// Finds a task's worktree among all: the one made for it, else the one that has its branch.
pub fn worktree_of<'a>(task: &Task, worktrees: &'a [Worktree]) -> Option<&'a Worktree> {
    if task.clone.is_some() {
        return None;
    }
    let marked = worktrees.iter().find(|w| w.task.as_deref() == Some(task.slug.as_str()));
    marked.or_else(|| {
        let branch = task.branch_ref()?;
        worktrees.iter().find(|w| w.task.is_none() && w.branch().as_deref() == Some(branch.as_str()))
    })
}

/// Brings a list of all worktrees up to date for one task of many: where it still has its own, only that is read again.
///
/// # Errors
/// If they can't be read.
pub fn look_again(repo: &Repo, task: &Task, worktrees: &mut Vec<Worktree>) -> Result<()> {
    if task.clone.is_some() {
        return Ok(());
    }
    let own = worktree_of(task, worktrees).map(|w| w.git_dir.clone());
    if let Some(git_dir) = own
        && let Some(now) = repo.worktree_of_admin(&git_dir)?
        && worktree_of(task, std::slice::from_ref(&now)).is_some()
    {
        worktrees.iter_mut().filter(|w| w.git_dir == git_dir).for_each(|w| *w = now.clone());
        return Ok(());
    }
    *worktrees = repo.worktrees()?;
    Ok(())
}

/// The directory of a task's clone, if it is there. What took its place is somebody else's.
///
/// # Errors
/// If it can't be looked at now.
pub fn clone_of<'a>(repo: &Repo, task: &'a Task) -> Result<Option<&'a Path>> {
    let Some(path) = task.clone.as_deref() else { return Ok(None) };
    let is_ours = repo.has_lent_to(path).or_fatal(|| format!("could not look at '{}'", path.display()))?;
    Ok(is_ours.then_some(path))
}

/// Where a task's files are: its worktree, or its clone.
///
/// # Errors
/// As [`clone_of`].
pub fn path_of(repo: &Repo, task: &Task, worktrees: &[Worktree]) -> Result<Option<PathBuf>> {
    Ok(match &task.clone {
        Some(_) => clone_of(repo, task)?.map(Path::to_owned),
        None => worktree_of(task, worktrees).filter(|w| !w.missing).map(|w| w.path.clone()),
    })
}

/// As [`path_of`].
///
/// # Errors
/// If it has none now; the hint says what can be done. If another process is making it: what is written there
/// before that is done would not stay.
pub fn require_path(repo: &Repo, task: &Task, worktrees: &[Worktree]) -> Result<PathBuf> {
    if !task.state.is_live()
        && let Some(other) = peek_at(&repo.state_dir(), task.slug.as_str())?
    {
        let failure = taken::by_process(task.slug.as_str(), &other.record);
        // Who only asks doesn't settle what a dead one has left, and would wait in vain.
        return Err(Failure { passing: failure.passing && !other.abandoned, ..failure });
    }
    path_of(repo, task, worktrees)?.ok_or_else(|| {
        let advice = match task.state.is_live() {
            true => "If it was moved or deleted by hand, see 'git task repair -n'.".to_owned(),
            false => format!("It is {}; 'git task restore {}' brings it back.", task.state, task.slug),
        };
        Failure::fatal(format!("task '{}' has no worktree", task.slug)).hint("taskNoWorktree", advice)
    })
}

/// The operation under way where the task's files are, in git's words.
///
/// # Errors
/// If a clone's git directory can't be found.
pub fn operation_of(repo: &Repo, task: &Task, worktrees: &[Worktree]) -> Result<Option<&'static str>> {
    match clone_of(repo, task)? {
        Some(path) => {
            let git_dir =
                crate::git::process::Git::at(path).cmd(["rev-parse", "--absolute-git-dir"]).poll().path()?;
            Ok(crate::git::worktree::operation_in(&git_dir))
        }
        None => Ok(worktree_of(task, worktrees).and_then(Worktree::operation)),
    }
}

/// The commit that the task stands at: its branch's tip, or what its worktree has checked out.
///
/// # Errors
/// If the reference can't be read.
pub fn head_of(repo: &Repo, task: &Task, worktrees: &[Worktree]) -> Result<Option<ObjectId>> {
    if let Some(clone) = clone_of(repo, task)? {
        let branch = task.branch_ref().unwrap_or_else(|| "HEAD".to_owned());
        return head_of_clone(clone, &branch);
    }
    match &task.branch {
        Branch::Own(name) => repo.find_ref(&format!("refs/heads/{name}")),
        Branch::Track(name) => match worktree_of(task, worktrees).map(|w| &w.head) {
            Some(Head::Detached(id)) => Ok(Some(*id)),
            _ => Ok(repo.find_branch(name)?.map(|(_, id)| id)),
        },
    }
}

fn head_of_clone(path: &Path, branch: &str) -> Result<Option<ObjectId>> {
    let git = crate::git::process::Git::at(path);
    let output = git.cmd(["rev-parse", "--verify", "-q", branch]).poll().output()?;
    match output.code() {
        0 => crate::git::parse_id(output.stdout.trim_ascii_end()).map(Some),
        _ => Ok(None),
    }
}

/// In the clone of a task: the repository that the task belongs to. Elsewhere the one that is here.
pub fn home_of(here: Repo, context: &Context) -> Repo {
    let Some(lender) = here.lender(context) else { return here };
    let is_of_task = |tasks: Tasks| in_clone(&lender, &tasks).is_some();
    if Tasks::read(&lender).is_ok_and(is_of_task) { lender } else { here }
}

fn in_clone<'a>(repo: &Repo, tasks: &'a Tasks) -> Option<&'a Task> {
    let dir = repo.clone_dir()?;
    tasks.all.iter().find(|task| task.clone.as_deref() == Some(dir))
}

/// The task in whose worktree or clone the user is.
pub fn current(desk: &Desk<'_>, tasks: &Tasks, worktrees: &[Worktree]) -> Option<Slug> {
    if let Some(task) = in_clone(desk.repo, tasks) {
        return Some(task.slug.clone());
    }
    let here = desk.repo.git_dir();
    let found = match worktrees.iter().find(|w| w.git_dir == here && !w.is_main) {
        Some(worktree) => tasks
            .all
            .iter()
            .find(|t| worktree_of(t, worktrees).is_some_and(|w| w.git_dir == worktree.git_dir)),
        None => None,
    };
    found.map(|t| t.slug.clone())
}

/// The names given, or without any the task in whose worktree the user is.
///
/// # Errors
/// If none is given and this is no task's worktree.
pub fn named_or_current(
    desk: &Desk<'_>,
    names: &[String],
    tasks: &Tasks,
    worktrees: &[Worktree],
) -> Result<Vec<String>> {
    if !names.is_empty() {
        return Ok(names.to_vec());
    }
    match current(desk, tasks, worktrees) {
        Some(slug) => Ok(vec![slug.to_string()]),
        None => Err(Failure::usage("which task? This is not the worktree of one")),
    }
}

/// Where a task's worktree goes: `--path`, else the template, from the main worktree.
///
/// # Errors
/// If the template has an unknown placeholder.
pub fn planned_path(desk: &Desk<'_>, slug: &Slug, kind: Option<&str>, base: Option<&str>) -> Result<PathBuf> {
    let repo_name = desk.repo.name();
    let user = desk.context.user.clone().unwrap_or_else(|| "user".to_owned());
    let values = [
        ("task", slug.as_str()),
        ("type", kind.unwrap_or("task")),
        ("repo", repo_name.as_str()),
        ("base", base.unwrap_or("HEAD")),
        ("user", user.as_str()),
    ];
    let path = template::expand(&desk.settings.worktree_format, &values)
        .map_err(|e| e.context("bad value of 'task.worktreeFormat'"))?;
    Ok(normalise(&desk.repo.home().join(path)))
}

/// The name of a task's branch by template.
///
/// # Errors
/// If the template has an unknown placeholder.
pub fn planned_branch(
    desk: &Desk<'_>,
    slug: &Slug,
    kind: Option<&str>,
    base: Option<&str>,
) -> Result<String> {
    let default = if kind.is_some() { "{type}/{task}" } else { "{task}" };
    let format = desk.settings.branch_format.as_deref().unwrap_or(default);
    if format.contains("{type}") && kind.is_none() {
        return Err(Failure::fatal(format!("task.branchFormat is '{format}' and no type was given"))
            .hint("taskType", "Name one with --type, or the whole branch with -b."));
    }
    let repo_name = desk.repo.name();
    let user = desk.context.user.clone().unwrap_or_else(|| "user".to_owned());
    let values = [
        ("task", slug.as_str()),
        ("type", kind.unwrap_or("")),
        ("repo", repo_name.as_str()),
        ("base", base.unwrap_or("HEAD")),
        ("user", user.as_str()),
    ];
    template::expand(format, &values).map_err(|e| e.context("bad value of 'task.branchFormat'"))
}
