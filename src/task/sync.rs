//! `git task sync`: the base, and the tasks it comes after, brought into a task.

use std::collections::HashSet;
use std::path::Path;

use gix::ObjectId;
use gix::bstr::BString;

use super::record::Tasks;
use super::{Desk, Task, hold, place};
use crate::config::Sync;
use crate::error::{Failure, Result};
use crate::git::merge_beside::{Merged, merge_beside};
use crate::git::process::{Git, Output, retry};
use crate::git::status::{StatusEntry, Untracked, status_entries};
use crate::git::stopped_merge::{self, Stopped};
use crate::git::worktree::{Head, Worktree};
use crate::git::written;
use crate::text::{escape_controls, shortened};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was missing.
    UpToDate,
    /// Commits were brought in.
    Synced,
}

/// Brings into a task what it lacks, in its own worktree, with git's own merge or rebase.
///
/// # Errors
/// If the worktree is in the middle of something or git refuses (fatal); or on a conflict, which is left
/// there as git leaves it (negative).
pub fn sync(
    desk: &Desk<'_>,
    task: &Task,
    tasks: &Tasks,
    worktrees: &[Worktree],
    how: Sync,
) -> Result<Outcome> {
    let path = place::require_path(desk.repo, task, worktrees)?;
    if let Some(operation) = place::operation_of(desk.repo, task, worktrees)? {
        return Err(Failure::fatal(format!("a {operation} is in progress in '{}'", path.display()))
            .hint("taskBusyWorktree", format!("Finish it with 'git {operation} --continue', or abort it.")));
    }
    if let Some(branch) = task.tracked() {
        return follow(desk, task, branch, &path);
    }
    let git = Git::at(&path);
    let head = match head_in_process(desk, task, worktrees)? {
        Some(head) => head,
        None => current(&git)?,
    };
    if let Some(clone) = &task.clone {
        // A clone sees the branches of its origin only after it has fetched them.
        Git::at(clone).cmd(["fetch", "--quiet"]).arg(desk.repo.common_dir()).run()?;
    }
    let wanted = predecessors(desk, task, tasks, worktrees)?;
    let mut missing = Vec::new();
    for (name, tip) in wanted {
        if !contains(&git, tip, head)? {
            missing.push((name, tip));
        }
    }
    if missing.is_empty() {
        return Ok(Outcome::UpToDate);
    }
    held(desk, task, &path, || {
        match how {
            Sync::Merge => {
                missing.iter().try_for_each(|(name, tip)| merge(desk, &git, task, name, *tip, &path))?;
            }
            Sync::Rebase => rebase(&git, task, &missing, &path)?,
        }
        let head = current(&git)?;
        if missing.iter().any(|(_, tip)| *tip == head) || how == Sync::Rebase {
            move_start(desk, task, missing.last().expect("something is missing").1)?;
        }
        Ok(Outcome::Synced)
    })
}

/// Does the work while the worktree stays the task's: what is merged would otherwise come into a slot of nobody's.
fn held(
    desk: &Desk<'_>,
    task: &Task,
    path: &Path,
    work: impl FnOnce() -> Result<Outcome>,
) -> Result<Outcome> {
    let intent = hold::take(desk, task, path, "sync")?;
    let done = intent.during(work);
    intent.done()?;
    done
}

/// A branch that was moved along without a commit of its own, or onto another commit, starts there from now
/// on: otherwise what it was moved over would look like its own work.
fn move_start(desk: &Desk<'_>, task: &Task, start: ObjectId) -> Result<()> {
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let mut task = Tasks::of(file).require(task.slug.as_str())?.clone();
        task.start = Some(start);
        task.write_to(file)
    })
}

/// The base, then each task that it comes after and that the base does not contain.
fn predecessors(
    desk: &Desk<'_>,
    task: &Task,
    tasks: &Tasks,
    worktrees: &[Worktree],
) -> Result<Vec<(String, ObjectId)>> {
    let mut wanted = Vec::new();
    if let Some(base) = &task.base {
        let Some((_, tip)) = desk.repo.find_branch(base)? else {
            return Err(Failure::fatal(format!("the base of task '{}' is gone: '{base}'", task.slug)));
        };
        wanted.push((base.clone(), tip));
    }
    for name in &task.after {
        // One that was integrated and is gone came in with the base.
        let Some(before) = tasks.find(name).filter(|t| t.state.is_live()) else { continue };
        if let Some(tip) = place::head_of(desk.repo, before, worktrees)? {
            wanted.push((before.own_branch().unwrap_or(name).to_owned(), tip));
        }
    }
    Ok(wanted)
}

/// What is checked out in a task's worktree, if that can be read without a process: a run asks for each of a
/// thousand tasks, and git reads the configuration of all of them each time.
fn head_in_process(desk: &Desk<'_>, task: &Task, worktrees: &[Worktree]) -> Result<Option<ObjectId>> {
    let Some(worktree) = place::worktree_of(task, worktrees).filter(|w| !w.is_main) else { return Ok(None) };
    match desk.repo.worktree_of_admin(&worktree.git_dir)?.map(|now| now.head) {
        Some(Head::Branch(name)) => desk.repo.find_ref(&name),
        _ => Ok(None),
    }
}

fn current(git: &Git) -> Result<ObjectId> {
    crate::git::parse_id(git.cmd(["rev-parse", "--verify", "HEAD"]).poll().line()?.as_bytes())
}

fn contains(git: &Git, ancestor: ObjectId, head: ObjectId) -> Result<bool> {
    // A task that has not begun mostly stands just there: a run of many would ask git for each.
    if ancestor == head {
        return Ok(true);
    }
    let output =
        git.cmd(["merge-base", "--is-ancestor", &ancestor.to_string(), &head.to_string()]).poll().output()?;
    match output.code() {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(output.into_failure()),
    }
}

/// How often a merge is made again because somebody committed meanwhile.
const ATTEMPTS: usize = 5;

fn merge(desk: &Desk<'_>, git: &Git, task: &Task, name: &str, tip: ObjectId, path: &Path) -> Result<()> {
    let own = task.own_branch().unwrap_or("HEAD");
    let message = format!("Merge branch '{name}' into {own}");
    let mut more = 1..ATTEMPTS;
    loop {
        let head = current(git)?;
        // Moving forwards git looks before it writes.
        let merged = if contains(git, head, tip)? {
            Merged::Clean(tip)
        } else {
            require_room(git, task, tip)?;
            merge_beside(git, path, head, tip, &message)?
        };
        let to = match merged {
            Merged::Clean(to) => to,
            Merged::Conflicts(conflicts) => {
                let stopped = Stopped { ours: head, theirs: tip, message: &message, conflicts: &conflicts };
                let git_dir = git.cmd(["rev-parse", "--absolute-git-dir"]).poll().path()?;
                let leave = || stopped_merge::leave(desk.repo, git, &git_dir, &stopped);
                let Err(failure) = retry(desk.settings.lock_timeout, leave) else {
                    return Err(stopped_at(task, path, "merge")?);
                };
                if current(git)? == head || more.next().is_none() {
                    require_room(git, task, tip)?;
                    return Err(not_done(task, failure));
                }
                continue;
            }
            Merged::Other => {
                let args =
                    ["merge", "--quiet", "--no-edit", "--ff", "--commit", "--no-squash", "-m", &message];
                return settle(start_merge(git, own, &args, tip, tip)?, task, path, "merge");
            }
        };
        let go = || start_merge(git, own, &["merge", "--quiet", "--ff-only", "--no-squash"], to, tip);
        let mut output = go()?;
        if !output.status.success() && take_over(git, path, head, to) {
            output = go()?;
        }
        if output.status.success() {
            return require_at(git, task, to);
        }
        if current(git)? == head || more.next().is_none() {
            require_room(git, task, to)?;
            return settle(output, task, path, "merge");
        }
    }
}

/// git takes a commit that it can't read for one that is contained already, and succeeds.
fn require_at(git: &Git, task: &Task, to: ObjectId) -> Result<()> {
    let head = current(git)?;
    if contains(git, to, head)? {
        return Ok(());
    }
    Err(not_done(task, Failure::fatal(format!("commit {to} was not merged: git could not read it"))))
}

fn not_done(task: &Task, why: Failure) -> Failure {
    why.context(format!("task '{}' could not be brought up to date", task.slug))
}

/// Starts `git merge` of a commit, called by that of which it brings the work, whatever is configured for the branch.
fn start_merge(git: &Git, own: &str, args: &[&str], commit: ObjectId, tip: ObjectId) -> Result<Output> {
    let cmd = git.configured(&[(&format!("branch.{own}.mergeOptions"), "")], args).arg(commit.to_string());
    let cmd = if commit == tip { cmd } else { cmd.env("GIT_REFLOG_ACTION", format!("merge {tip}")) };
    cmd.leaving_others().output()
}

/// Takes over what a git that was cut off, now or earlier, has written on its way from `head` forwards to `tip`, if
/// that is all that is in the way there. Whether there was anything.
fn take_over(git: &Git, path: &Path, head: ObjectId, tip: ObjectId) -> bool {
    let taken = || -> Result<bool> {
        if current(git)? != head {
            return Ok(false);
        }
        let written = written::between(git, path, head, tip)?;
        let entries = status_entries(git, Untracked::All, false)?;
        let changed: HashSet<&[u8]> = entries.iter().map(|e| e.path.as_slice()).collect();
        let is_changed = |name: &BString| changed.contains(name.as_slice());
        if written.others.iter().any(|(name, _)| is_changed(name)) || !written.names.iter().any(is_changed) {
            return Ok(false);
        }
        written.take_over(git).map(|()| true)
    };
    // What the merge said is the reason that matters.
    taken().unwrap_or(false)
}

/// What uncommitted changes are in the way of is not begun, and named in one go. For a merge that git has to make in
/// the worktree there is more to it, see [`merge_beside`].
fn require_room(git: &Git, task: &Task, tip: ObjectId) -> Result<()> {
    let entries = status_entries(git, Untracked::All, false)?;
    if entries.is_empty() {
        return Ok(());
    }
    let range = format!("HEAD...{tip}");
    let diff = git.cmd(["diff", "--name-only", "--no-renames", "-z", &range, "--"]).poll().output()?;
    if !diff.status.success() {
        // With nothing in common the merge says so.
        return Ok(());
    }
    let changed: Vec<&[u8]> = diff.stdout.split(|b| *b == 0).collect();
    let is_staged = |code: [u8; 2]| !matches!(code[0], b' ' | b'?');
    let in_the_way = |e: &&StatusEntry| is_staged(e.code) || changed.contains(&e.path.as_slice());
    let names: Vec<_> =
        entries.iter().filter(in_the_way).map(|e| format!("'{}'", escape_controls(&e.path))).collect();
    if names.is_empty() {
        return Ok(());
    }
    let message = format!("your local changes to {} would be overwritten by merge", shortened(&names));
    Err(not_done(task, Failure::fatal(message)))
}

fn rebase(git: &Git, task: &Task, missing: &[(String, ObjectId)], path: &Path) -> Result<()> {
    // The last one is the nearest: a predecessor carries its own base with it.
    let (onto, others) = missing.split_last().expect("something is missing");
    for (name, tip) in others {
        if !contains(git, *tip, onto.1)? {
            return Err(Failure::fatal(format!("cannot rebase onto both '{name}' and '{}'", onto.0))
                .hint("taskSync", format!("Sync '{}' first, or bring both in with --merge.", onto.0)));
        }
    }
    settle(
        git.cmd(["rebase", "--quiet", &onto.1.to_string()]).leaving_others().output()?,
        task,
        path,
        "rebase",
    )
}

/// git's exit code alone doesn't tell a conflict from a refusal; what is under way does.
fn settle(output: Output, task: &Task, path: &Path, what: &str) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let git_dir = Git::at(path).cmd(["rev-parse", "--absolute-git-dir"]).poll().path()?;
    if crate::git::worktree::operation_in(&git_dir).is_none() {
        return Err(not_done(task, output.into_failure()));
    }
    Err(stopped_at(task, path, what)?)
}

/// It waits for a person, in the task's worktree.
fn stopped_at(task: &Task, path: &Path, what: &str) -> Result<Failure> {
    let conflicts = match unmerged(path)? {
        paths if paths.is_empty() => String::new(),
        paths => format!(" with conflicts in {paths}"),
    };
    let message = format!(
        "the {what} of '{}' stopped{conflicts}; it is left as it is in '{}'",
        task.slug,
        path.display()
    );
    Ok(Failure::negative(message).hint(
        "taskConflict",
        format!("Resolve it there and go on with 'git {what} --continue', or take it back with 'git {what} --abort'."),
    ))
}

/// The unmerged paths, the first few by name.
fn unmerged(path: &Path) -> Result<String> {
    const SHOWN: usize = 5;
    let out = Git::at(path).cmd(["diff", "--name-only", "-z", "--diff-filter=U"]).poll().run()?;
    let names: Vec<_> = out.split(|b| *b == 0).filter(|name| !name.is_empty()).collect();
    let mut text = names.iter().take(SHOWN).map(|n| escape_controls(n)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    Ok(text)
}

/// A tracking task only ever moves forwards, so that work made in it is not left behind.
fn follow(desk: &Desk<'_>, task: &Task, branch: &str, path: &Path) -> Result<Outcome> {
    let Some((_, tip)) = desk.repo.find_branch(branch)? else {
        return Err(Failure::fatal(format!(
            "the branch that task '{}' follows is gone: '{branch}'",
            task.slug
        )));
    };
    let git = Git::at(path);
    let head = current(&git)?;
    if contains(&git, tip, head)? {
        return Ok(Outcome::UpToDate);
    }
    let attempt =
        || git.cmd(["merge", "--quiet", "--ff-only", &tip.to_string()]).leaving_others().run().map(drop);
    held(desk, task, path, || {
        attempt()
            .or_else(|failure| if take_over(&git, path, head, tip) { attempt() } else { Err(failure) })?;
        require_at(&git, task, tip)?;
        Ok(Outcome::Synced)
    })
}
