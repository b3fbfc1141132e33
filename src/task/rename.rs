//! `git task rename`: another name, and another branch if the template made its name.
//!
//! The order is such that each step can be done again: branch, note, mark, metadata, link.

use std::fs;
use std::path::Path;

use gix::ObjectId;

use super::record::Tasks;
use super::{Desk, Slug, Task, notes, place, taken};
use crate::desk::{session, slot};
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::git::process::{Git, is_contention, retry, retry_while};
use crate::git::refs::{Old, short_name};
use crate::git::worktree::{Head, Worktree};
use crate::store::record::{Found, Intent, Record, intents};

/// Renames a task.
///
/// # Errors
/// If the new name is taken or git refuses the new branch; nothing has been changed then.
pub fn rename(desk: &Desk<'_>, old: &Slug, new: &Slug) -> Result<Task> {
    let held = desk.lock()?;
    let tasks = Tasks::read(desk.repo)?;
    let task = tasks.require(old.as_str())?.clone();
    if let Some(other) = tasks.all.iter().find(|t| t.slug.twin_key() == new.twin_key() && t.slug != *old) {
        return Err(Failure::fatal(format!("a task named '{}' already exists", other.slug)));
    }
    taken::refuse_busy(&intents(&desk.repo.state_dir(), &held)?, old.as_str(), |i| i.name == new.as_str())?;
    session::refuse_running(&desk.repo.state_dir(), old.as_str(), "rename")?;
    let branch = match task.own_branch() {
        Some(name) => {
            let templated = place::planned_branch(desk, old, task.kind.as_deref(), task.base.as_deref());
            match templated {
                Ok(made) if made == name => {
                    Some(place::planned_branch(desk, new, task.kind.as_deref(), task.base.as_deref())?)
                }
                _ => None,
            }
        }
        None => None,
    };
    if let Some(branch) = &branch {
        desk.repo.require_branch_name(branch)?;
        if task.own_branch() != Some(branch) && desk.repo.find_ref(&format!("refs/heads/{branch}"))?.is_some()
        {
            return Err(Failure::fatal(format!("a branch named '{branch}' already exists")));
        }
    }
    let tip = task.branch_ref().map(|full| desk.repo.find_ref(&full)).transpose()?.flatten();
    let record = Record::new("rename")
        .with("new", new.as_str())
        .with("branch", branch.as_deref().unwrap_or(""))
        .with("from", task.own_branch().unwrap_or_default())
        .with("tip", tip.map(|id| id.to_string()).unwrap_or_default());
    let intent = Intent::write(&desk.repo.state_dir(), &held, old.as_str(), &record)?;
    drop(held);
    match intent.during(|| carry_out(desk, old, new, branch.as_deref())) {
        Ok(task) => {
            intent.done()?;
            Ok(task)
        }
        Err(failure) => {
            // git says so before it changes anything: a foreign hand was faster.
            if let Some(full) = task.branch_ref().filter(|_| task.clone.is_none() && says_no_branch(&failure))
            {
                intent.done()?;
                return Err(taken::branch_is_gone(old, &full));
            }
            // Before the branch has its new name nothing has been changed.
            if Tasks::read(desk.repo)?.find(old.as_str()).is_some_and(|t| branch_is_there(desk, t)) {
                intent.done()?;
            }
            Err(failure)
        }
    }
}

/// git 2.39 begins with a capital letter.
fn says_no_branch(failure: &Failure) -> bool {
    failure.message().to_ascii_lowercase().starts_with("no branch named '")
}

fn branch_is_there(desk: &Desk<'_>, task: &Task) -> bool {
    task.branch_ref().is_some_and(|full| matches!(desk.repo.find_ref(&full), Ok(Some(_))))
}

/// Goes on with a rename that was cut off.
///
/// # Errors
/// If git or the file system refuses.
pub fn resume(desk: &Desk<'_>, intent: &Found) -> Result<()> {
    let old = Slug::try_from(intent.name.as_str())?;
    let new = Slug::try_from(intent.record.text("new").unwrap_or_default().as_str())?;
    let branch = intent.record.text("branch").filter(|b| !b.is_empty());
    if Tasks::read(desk.repo)?.find(old.as_str()).is_none()
        && Tasks::read(desk.repo)?.find(new.as_str()).is_none()
    {
        return Ok(());
    }
    if is_taken_meanwhile(desk, &old, branch.as_deref())? {
        return Ok(());
    }
    if let (Some(from), Some(to), Some(tip)) =
        (intent.record.text("from"), &branch, intent.record.get("tip").filter(|v| !v.is_empty()))
    {
        finish_branch(desk, &format!("refs/heads/{from}"), &format!("refs/heads/{to}"), parse_id(tip)?)?;
    }
    carry_out(desk, &old, &new, branch.as_deref()).map(drop)
}

/// Whether there is the task's branch still, and one by its new name: git deletes the one before it makes the other, so
/// nothing has been changed, and that one is somebody else's.
fn is_taken_meanwhile(desk: &Desk<'_>, old: &Slug, to: Option<&str>) -> Result<bool> {
    let tasks = Tasks::read(desk.repo)?;
    match (tasks.find(old.as_str()).filter(|task| task.clone.is_none()), to) {
        (Some(task), Some(to)) if task.own_branch().is_some_and(|from| from != to) => {
            Ok(branch_is_there(desk, task) && desk.repo.find_ref(&format!("refs/heads/{to}"))?.is_some())
        }
        _ => Ok(false),
    }
}

/// `git branch -m` deletes the old branch before it makes the new one, puts the reflog aside in between, and
/// turns each HEAD last.
fn finish_branch(desk: &Desk<'_>, from: &str, to: &str, tip: ObjectId) -> Result<()> {
    let repo = desk.repo;
    if repo.find_ref(from)?.is_some() {
        return Ok(());
    }
    let logs = repo.common_dir().join("logs");
    let aside = logs.join("refs/.tmp-renamed-log");
    if aside.exists() && !logs.join(to).exists() {
        let place = logs.join(to);
        let made =
            place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(&aside, &place));
        made.or_fatal(|| format!("could not rename '{}'", aside.display()))?;
    }
    if repo.find_ref(to)?.is_none() {
        repo.update_refs("git task rename", &[(to.to_owned(), Some(tip), Old::Absent)])?;
    }
    for worktree in repo.worktrees()?.iter().filter(|w| w.head == Head::Branch(from.to_owned())) {
        turn_head(desk, worktree, to)?;
    }
    Ok(())
}

fn carry_out(desk: &Desk<'_>, old: &Slug, new: &Slug, branch: Option<&str>) -> Result<Task> {
    let tasks = Tasks::read(desk.repo)?;
    let worktrees = desk.repo.worktrees()?;
    let task = tasks.find(old.as_str()).or_else(|| tasks.find(new.as_str()));
    let task = task.ok_or_else(|| Failure::fatal(format!("no such task: '{old}'")))?.clone();
    let worktree = worktrees
        .iter()
        .find(|w| w.task.as_deref() == Some(old.as_str()) || w.task.as_deref() == Some(new.as_str()));
    // What is at the place of one that is missing is somebody else's.
    let path = match worktree.filter(|w| !w.missing) {
        Some(worktree) => Some(worktree.path.clone()),
        None => place::path_of(desk.repo, &task, &worktrees)?,
    };
    let clone = place::clone_of(desk.repo, &task)?;
    if let (Some(to), Some(from)) = (branch, task.own_branch())
        && from != to
        && desk.repo.find_ref(&format!("refs/heads/{from}"))?.is_some()
    {
        let git = match clone {
            Some(clone) => crate::git::process::Git::at(clone),
            None => desk.repo.at_home(),
        };
        // What failed after the references was the configuration, and that is written below.
        let is_renamed = || -> Result<bool> {
            let find = |name: &str| desk.repo.find_ref(&format!("refs/heads/{name}"));
            Ok(clone.is_none() && find(from)?.is_none() && find(to)?.is_some())
        };
        let rename = || match git.cmd(["branch", "-m", from, to]).run() {
            Err(_) if is_renamed()? => Ok(()),
            done => done.map(drop),
        };
        retry_while(
            desk.settings.lock_timeout,
            |failure| failure.passing || is_contention(&failure.message()),
            || rename().map_err(|failure| put_back(desk, &git, &format!("refs/heads/{from}"), failure)),
        )?;
        if clone.is_none() {
            require_renamed(desk, from, to)?;
        }
        if clone.is_some() {
            retry(desk.settings.lock_timeout, || desk.repo.cmd(["branch", "-m", from, to]).run())?;
        }
    }
    if let Some(path) = path.as_deref().filter(|p| p.exists()) {
        move_note(path, old, new)?;
    }
    notes::remove_link(desk, old)?;
    session::rename(&desk.repo.state_dir(), old.as_str(), new.as_str())?;
    if let Some(worktree) = worktree {
        worktree.mark(new.as_str())?;
    }
    let held = desk.lock()?;
    let renamed = desk.edit(&held, |file| {
        let mut renamed = Task { slug: new.clone(), ..task.clone() };
        if let (Some(to), Some(_)) = (branch, task.own_branch()) {
            renamed.branch = super::Branch::Own(to.to_owned());
        }
        // Keys that are not ours move too.
        if let Some(section) = file.find("task", old.as_str()) {
            file.remove("task", old.as_str());
            for (key, _) in &section.values {
                let values: Vec<_> = section.all(key).map(ToOwned::to_owned).collect();
                file.set("task", new.as_str(), key, &values)?;
            }
        }
        renamed.write_to(file)?;
        if let Some(slot) = renamed.slot.as_deref().filter(|slot| slot::is_of_task(file, slot, old.as_str()))
        {
            file.set(slot::SECTION, slot, "task", &[new.as_str().into()])?;
        }
        // git has done so, unless it was cut off.
        if let (Some(to), Some(from)) = (branch, task.own_branch())
            && from != to
            && let Some(section) = file.find("branch", from)
            && file.find("branch", to).is_none()
            && desk.repo.find_ref(&format!("refs/heads/{from}"))?.is_none()
        {
            for (key, _) in &section.values {
                let values: Vec<_> = section.all(key).map(ToOwned::to_owned).collect();
                file.set("branch", to, key, &values)?;
            }
            file.remove("branch", from);
        }
        for mut other in Tasks::of(file).all {
            if other.after.iter().any(|a| a == old.as_str()) {
                other.after.iter_mut().filter(|a| *a == old.as_str()).for_each(|a| *a = new.to_string());
                other.write_to(file)?;
            }
        }
        Ok(renamed)
    })?;
    drop(held);
    if let Some(path) = path.as_deref().filter(|p| p.exists()) {
        notes::link_in_main(desk, path, new)?;
    }
    Ok(renamed)
}

/// A `git branch -m` that finds, when it deletes the old branch, that somebody has committed to it since it began puts
/// it back to where it was before that commit (`files_copy_or_rename_ref()` in git's refs/files-backend.c). Then it goes
/// to where it belongs, and the rename may be tried again.
fn put_back(desk: &Desk<'_>, git: &Git, full: &str, failure: Failure) -> Failure {
    let Some((at, expected)) = moved_meanwhile(&failure.message(), full) else { return failure };
    let reason = "git task rename: taken back";
    let args = ["update-ref", "-m", reason, full, &at, &expected];
    match retry(desk.settings.lock_timeout, || git.cmd(args).run()) {
        Ok(_) => failure.passing(),
        Err(_) => {
            desk.observer
                .warn(&format!("'{at}' was committed to '{}' meanwhile, and is not on it", short_name(full)));
            failure
        }
    }
}

/// From git's words: the commit that a branch was at, and the one that git wanted it to be at.
fn moved_meanwhile(message: &str, full: &str) -> Option<(String, String)> {
    let (_, rest) = message.split_once(&format!("cannot lock ref '{full}': is at "))?;
    let (at, rest) = rest.split_once(" but expected ")?;
    let expected = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    message.contains("unable to delete old").then(|| (at.to_owned(), expected.to_owned()))
}

/// A branch that git could not read just then is none to it: it turns each HEAD, renames nothing, and says nothing. Nor
/// does it say that it could not read the worktrees, and then it turns none.
fn require_renamed(desk: &Desk<'_>, from: &str, to: &str) -> Result<()> {
    let (from_ref, to_ref) = (format!("refs/heads/{from}"), format!("refs/heads/{to}"));
    let is_there = |full: &str| Ok::<_, Failure>(desk.repo.find_ref(full)?.is_some());
    let (left, now) = match (is_there(&from_ref)?, is_there(&to_ref)?) {
        (false, true) => (from_ref, to_ref),
        (true, false) => (to_ref, from_ref),
        _ => return Ok(()),
    };
    let left = Head::Branch(left);
    for worktree in desk.repo.worktrees()?.iter().filter(|w| w.head == left) {
        turn_head(desk, worktree, &now)?;
    }
    if now.strip_prefix("refs/heads/") == Some(to) {
        return Ok(());
    }
    Err(Failure::fatal(format!("git branch -m did not rename '{from}'")))
}

fn turn_head(desk: &Desk<'_>, worktree: &Worktree, to: &str) -> Result<()> {
    let git = Git::with_git_dir(desk.repo.common_dir(), &worktree.git_dir);
    git.cmd(["symbolic-ref", "-m", "git task rename", "HEAD", to]).run().map(drop)
}

fn move_note(worktree: &Path, old: &Slug, new: &Slug) -> Result<()> {
    let from = notes::checked_path(worktree, old)?;
    let to = notes::checked_path(worktree, new)?;
    let (from, to) =
        (from.parent().expect("a note is in a directory"), to.parent().expect("a note is in a directory"));
    if !from.exists() || to.exists() {
        return Ok(());
    }
    fs::rename(from, to).or_fatal(|| format!("could not rename '{}'", from.display()))
}
