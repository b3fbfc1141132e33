//! `ready`, `block`, `reopen`: what the holder of a task says about it.

use std::path::Path;

use gix::ObjectId;

use super::record::Tasks;
use super::state::Action;
use super::{Desk, Task, place, taken};
use crate::config::team::Event;
use crate::error::{Failure, Result};
use crate::git::process::{Git, retry};
use crate::git::refs::{Old, short_name};
use crate::git::status::{Untracked, status_entries};
use crate::git::worktree::Worktree;
use crate::store::record::{intents, peek_at};

/// Changes one task's state; gives the task as it is now, and the event that this raises. `worktrees` are all as they
/// were seen before, of which the task's is looked at again.
///
/// # Errors
/// If the state can't take the action; or for `ready`, if the worktree is not clean or there is nothing to
/// integrate.
pub fn change(
    desk: &Desk<'_>,
    name: &str,
    action: Action,
    reason: Option<&str>,
    worktrees: &mut Vec<Worktree>,
) -> Result<(Task, Option<Event>)> {
    let tip = match action {
        Action::Ready => {
            let tasks = Tasks::read(desk.repo)?;
            let task = tasks.require(name)?;
            place::look_again(desk.repo, task, worktrees)?;
            let tip = require_integrable(desk, task, worktrees);
            Some(tip.or_else(|why| Err(unless_taken(desk, task, worktrees, why)?))?)
        }
        _ => None,
    };
    let held = desk.lock()?;
    let under_way = intents(&desk.repo.state_dir(), &held)?;
    desk.edit(&held, |file| {
        let mut task = Tasks::of(file).require(name)?.clone();
        let was = task.state;
        task.state = was.after(action, &task.slug)?;
        // Somebody is making another task of this one, or taking away what is left of it.
        if !was.is_live() {
            taken::refuse_busy(&under_way, name, |_| false)?;
        }
        task.reason = reason.map(str::to_owned);
        let event = match action {
            Action::Ready => {
                task.ready = Some(desk.context.now());
                task.ready_tip = tip;
                Some(Event::Ready)
            }
            Action::Block => Some(Event::Blocked),
            _ => None,
        };
        if action == Action::Reopen {
            task.ready = None;
            task.ready_tip = None;
        }
        task.write_to(file)?;
        Ok((task, event))
    })
}

/// Why a look at a task's files failed, which was done without holding them: if another process is taking them
/// away or bringing them, or has done so since they were found, that is [passing](Failure::passing), and `why` may
/// not be so.
///
/// # Errors
/// If that can't be told.
fn unless_taken(
    desk: &Desk<'_>,
    looked_at: &Task,
    worktrees: &mut Vec<Worktree>,
    why: Failure,
) -> Result<Failure> {
    let slug = looked_at.slug.as_str();
    // First: who is done by now has written down what has become of it.
    let under_way = peek_at(&desk.repo.state_dir(), slug)?.filter(|i| {
        taken::LEAVING.contains(&i.record.kind.as_str()) || taken::COMING.contains(&i.record.kind.as_str())
    });
    if let Some(other) = under_way {
        let failure = taken::by_process(slug, &other.record);
        return Ok(if failure.passing { failure } else { why });
    }
    let tasks = Tasks::read(desk.repo)?;
    let Some(now) = tasks.find(slug) else { return Ok(why.passing()) };
    let before = place::path_of(desk.repo, looked_at, worktrees)?;
    place::look_again(desk.repo, now, worktrees)?;
    let is_as_before = now == looked_at && place::path_of(desk.repo, now, worktrees)? == before;
    Ok(if is_as_before { why } else { why.passing() })
}

/// The tip that is said to be ready.
fn require_integrable(desk: &Desk<'_>, task: &Task, worktrees: &[Worktree]) -> Result<ObjectId> {
    let slug = &task.slug;
    // Whether it may be asked at all comes before whether it is clean.
    task.state.after(Action::Ready, slug)?;
    let Some(full) = task.branch_ref() else {
        return Err(Failure::fatal(format!(
            "task '{slug}' follows another branch and has none to integrate"
        )));
    };
    if let Some(path) = place::path_of(desk.repo, task, worktrees)? {
        if let Some(operation) = place::operation_of(desk.repo, task, worktrees)? {
            return Err(Failure::fatal(format!("a {operation} is in progress in '{}'", path.display()))
                .hint(
                    "taskBusyWorktree",
                    format!("Finish it with 'git {operation} --continue', or abort it."),
                ));
        }
        require_own_branch(task, &full, &path)?;
        require_clean(&path, slug.as_str())?;
    }
    if task.clone.is_some() {
        let clone = place::require_path(desk.repo, task, worktrees)?;
        fetch_from_clone(desk, task, &full, &clone)?;
    }
    let Some(tip) = desk.repo.find_ref(&full)? else {
        return Err(taken::branch_is_gone(slug, &full));
    };
    let base = task.base.as_deref().map(|b| desk.repo.find_branch(b)).transpose()?.flatten();
    let own = match (&base, task.start) {
        (Some((_, base)), _) => count(desk, &[&tip.to_string(), "--not", &base.to_string()])?,
        (None, Some(start)) => count(desk, &[&tip.to_string(), "--not", &start.to_string()])?,
        (None, None) => 1,
    };
    if own == 0 {
        return Err(Failure::fatal(format!("task '{slug}' has no commit of its own"))
            .hint("taskEmpty", "Commit the work first; 'git task rm' takes a task away that needs none."));
    }
    Ok(tip)
}

/// Commits made on another branch would be left out without a word.
fn require_own_branch(task: &Task, full: &str, path: &Path) -> Result<()> {
    let output = Git::at(path).cmd(["symbolic-ref", "-q", "HEAD"]).poll().output()?;
    let head = output.stdout.trim_ascii_end();
    if head == full.as_bytes() {
        return Ok(());
    }
    let own = task.own_branch().unwrap_or(full);
    let what = match head {
        b"" => "HEAD is detached".to_owned(),
        other => format!("'{}' is checked out", short_name(&String::from_utf8_lossy(other))),
    };
    Err(Failure::fatal(format!("{what} in '{}', and not '{own}'", path.display()))
        .hint("taskBranch", format!("Bring the work onto the task's branch: 'git switch {own}'.")))
}

fn count(desk: &Desk<'_>, revs: &[&str]) -> Result<usize> {
    let text = desk.repo.cmd(["rev-list", "--count", "-n1"]).args(revs).line()?;
    Ok(text.parse().unwrap_or(0))
}

/// # Errors
/// If there is uncommitted work or an untracked file.
pub fn require_clean(path: &Path, slug: &str) -> Result<()> {
    let count = status_entries(&Git::at(path), Untracked::Normal, false)?.len();
    if count == 0 {
        return Ok(());
    }
    let message = format!("task '{slug}' has uncommitted changes or untracked files ({count})");
    Err(Failure::fatal(message)
        .hint("taskDirty", format!("Commit them, or see 'git -C \"{}\" status'.", path.display())))
}

/// A clone's branch comes back by fetch; only forwards, and only from where it was seen.
fn fetch_from_clone(desk: &Desk<'_>, task: &Task, full: &str, clone: &Path) -> Result<()> {
    let before = desk.repo.find_ref(full)?;
    let fetch = || {
        desk.repo.cmd(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]).arg(clone).arg(full).run()
    };
    fetch()?;
    let tip = Git::at(clone).cmd(["rev-parse", "--verify", full]).poll().line()?;
    let tip = crate::git::parse_id(tip.as_bytes())?;
    if before == Some(tip) {
        return Ok(());
    }
    let old = before.map_or(Old::Absent, Old::Is);
    let reason = format!("git task ready: {} from its clone", task.slug);
    retry(desk.settings.lock_timeout, || desk.repo.update_refs(&reason, &[(full.to_owned(), Some(tip), old)]))
}
