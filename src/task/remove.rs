//! `git task rm`: the worktree and the branch go; what only they held stays restorable.
//!
//! The order: refuse, write the intent, preserve, take the directory aside (from here on it goes forward), look
//! once more, forget the worktree, archive the note, delete the branch where it was seen, write the metadata. The
//! directory itself is deleted last, in the background.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::BString;

use super::keep::Put;
use super::record::Tasks;
use super::{Desk, Slug, State, Task, keep, notes, occupy, place, refuse, sweep};
use crate::desk::{copy, half, mark, session, slot};
use crate::error::{Failure, OrFatal, Result};
use crate::git::landed::Landed;
use crate::git::process::retry;
use crate::git::refs::Old;
use crate::git::snapshot::Look;
use crate::git::switch::worktree_at;
use crate::git::worktree::Worktree;
use crate::paths::path_bytes;
use crate::store::config;
use crate::store::record::{Found, Intent, Record, intents};
use crate::store::trash;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How often `-f` was given.
    pub force: u8,
    /// `--keep-branch`
    pub keep_branch: bool,
    /// Its work up to this commit is known to have landed, in whatever form.
    pub landed: Option<ObjectId>,
}

/// What was done.
#[derive(Debug)]
pub struct Removed {
    /// The task as it is now.
    pub task: Task,
    /// Ignored files that went and can't be restored; directories end in a slash.
    pub lost: Vec<String>,
    /// Where its worktree was.
    pub path: Option<PathBuf>,
    /// The commit that it stood at.
    pub head: Option<ObjectId>,
}

/// Removes a task.
///
/// # Errors
/// If something would be taken out of place and `-f` was not given; nothing has been changed then.
pub fn remove(desk: &Desk<'_>, name: &str, worktrees: &[Worktree], options: Options) -> Result<Removed> {
    let tasks = Tasks::read(desk.repo)?;
    let task = tasks.require(name)?.clone();
    let worktree = place::worktree_of(&task, worktrees);
    let tip = match task.branch_ref() {
        Some(full) => desk.repo.find_ref(&full)?,
        None => None,
    };
    if !task.state.is_live() && worktree.is_none() && tip.is_none() {
        return Err(Failure::fatal(format!("task '{name}' is {} already", task.state)));
    }
    if let Some(worktree) = worktree {
        refuse::place(&task, worktree, options.force)?;
    }
    // It would go on writing where nothing is preserved any more: not even by force.
    session::refuse_running(&desk.repo.state_dir(), name, "remove")?;
    let landed = match (options.landed, tip) {
        (Some(known), Some(tip)) if known == tip => Landed::Merged,
        _ => retry(desk.settings.lock_timeout, || landed(desk, &task, tip, worktrees))?,
    };
    if options.force == 0 {
        refuse::work(desk, &task, worktree, tip, &landed, options.keep_branch)?;
    }
    let head = place::head_of(desk.repo, &task, worktrees)?;
    let held = desk.lock()?;
    // Since we looked, it may have been renamed or removed, or got a worktree.
    let now = Tasks::read(desk.repo)?.find(name).map(|t| (t.branch.clone(), t.state));
    let now_at = desk.repo.worktrees()?;
    let where_of = |worktree: Option<&Worktree>| worktree.map(|w| (w.git_dir.clone(), w.path.clone()));
    if now != Some((task.branch.clone(), task.state))
        || where_of(place::worktree_of(&task, &now_at)) != where_of(worktree)
    {
        return Err(Failure::fatal(format!("task '{name}' was changed by another process")));
    }
    session::refuse_running(&desk.repo.state_dir(), name, "remove")?;
    if intents(&desk.repo.state_dir(), &held)?.iter().any(|i| i.name == name) {
        return Err(Failure::fatal(format!("task '{name}' is being changed by another process")));
    }
    // Who locks it does so with an intent.
    if let Some(now) = place::worktree_of(&task, &now_at) {
        refuse::place(&task, now, options.force)?;
    }
    let path = worktree.map(|w| w.path.clone()).or_else(|| task.clone.clone());
    // A slot's directory stays where it is, and is made new again.
    let slot = match (&task.slot, worktree) {
        (Some(slot), Some(w)) if !w.missing && slot::is_of_task(&config::load(desk.repo)?, slot, name) => {
            Some((slot.clone(), occupy::home_of(desk, w)?))
        }
        _ => None,
    };
    let aside = path.as_deref().filter(|_| slot.is_none()).map(aside_of);
    let becomes = if matches!(landed, Landed::Merged | Landed::SameTree | Landed::PatchId)
        || task.state == State::Integrated
    {
        State::Integrated
    } else {
        State::Dropped
    };
    let deletes = tip.filter(|_| !options.keep_branch);
    let bytes = |p: &Option<PathBuf>| p.as_deref().map(|p| BString::from(path_bytes(p))).unwrap_or_default();
    let last = trash::latest(desk.repo, name)?.map_or(0, |entry| entry.number);
    let record = Record::new("rm")
        .with("last", last.to_string())
        .with("path", bytes(&path))
        .with("aside", bytes(&aside))
        .with("deletes", deletes.map(|id| id.to_string()).unwrap_or_default())
        .with("becomes", becomes.as_str());
    let record = match &slot {
        Some((slot, to)) => record.with("slot", slot.as_str()).with("to", to.to_string()),
        None => record,
    };
    let intent = Intent::write(&desk.repo.state_dir(), &held, name, &record)?;
    drop(held);
    let to = Destination { aside: aside.as_deref(), slot: slot.as_ref().map(|(s, to)| (s.as_str(), *to)) };
    match intent.during(|| carry_out(desk, &task, worktree, to, deletes, becomes)) {
        Ok(mut removed) => {
            removed.head = head;
            // Said where it can be found before the intent goes, which knows it too.
            if let Some(aside) = aside.filter(|p| p.exists()) {
                sweep::in_background(desk, &task.slug, &aside)?;
            }
            intent.done()?;
            Ok(removed)
        }
        Err(failure) => {
            // As long as the directory has not been moved nothing has been taken away. A slot's stays.
            if slot.is_none() && !has_moved(path.as_deref(), aside.as_deref()) {
                intent.done()?;
            }
            Err(failure)
        }
    }
}

/// The branch's commits against its base; a task without a branch has none of its own.
fn landed(desk: &Desk<'_>, task: &Task, tip: Option<ObjectId>, worktrees: &[Worktree]) -> Result<Landed> {
    let tip = match &task.clone {
        Some(_) => place::head_of(desk.repo, task, worktrees)?.or(tip),
        None => tip,
    };
    let base = task.base.as_deref().map(|b| desk.repo.find_branch(b)).transpose()?.flatten();
    match (tip, base) {
        // Commits that only a clone has are not here to be compared.
        (Some(tip), Some((_, base))) if desk.repo.gix().has_object(tip) => {
            desk.repo.landed(tip, task.start, base)
        }
        (None, _) => Ok(Landed::Empty),
        (Some(tip), _) if task.start == Some(tip) => Ok(Landed::Empty),
        _ => Ok(Landed::No),
    }
}

/// Beside the worktree, so that a rename is enough, and hidden. A process id comes again.
fn aside_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = std::process::id();
    let names = (1..).map(|n| path.with_file_name(format!(".{name}.removed-{id}-{n}")));
    names.into_iter().find(|p| fs::symlink_metadata(p).is_err()).expect("one of the numbers is free")
}

/// Its name until it was looked at again. Afterwards git may have begun to forget the worktree, and there is
/// nothing to compare with any more.
fn unseen_of(aside: &Path) -> PathBuf {
    let mut name = aside.file_name().unwrap_or_default().to_owned();
    name.push("-unseen");
    aside.with_file_name(name)
}

/// Whether a worktree was taken out of its place. Something else may be there by now: who is still at work in
/// it makes its directories anew.
fn has_moved(path: Option<&Path>, aside: Option<&Path>) -> bool {
    aside.is_some_and(|a| a.exists() || unseen_of(a).exists()) || path.is_some_and(|p| !p.exists())
}

/// Where the directory goes.
#[derive(Clone, Copy)]
struct Destination<'a> {
    /// Out of the way, to be deleted.
    aside: Option<&'a Path>,
    /// Back to the pool, at this commit.
    slot: Option<(&'a str, ObjectId)>,
}

fn carry_out(
    desk: &Desk<'_>,
    task: &Task,
    worktree: Option<&Worktree>,
    to: Destination<'_>,
    deletes: Option<ObjectId>,
    becomes: State,
) -> Result<Removed> {
    let path = worktree.map(|w| w.path.clone()).or_else(|| task.clone.clone());
    // What took its place is somebody else's.
    let replaced = match worktree {
        Some(worktree) => worktree.replaced,
        None => place::clone_of(desk.repo, task)?.is_none(),
    };
    let present = path.as_deref().filter(|p| !replaced && p.exists());
    let note = match present {
        // A note that can't be read is no reason to keep the worktree; its bytes are in the snapshot.
        Some(path) => notes::read(path, &task.slug).unwrap_or_default(),
        None => None,
    };
    let step = desk.observer.step(&format!("Removing task '{}'", task.slug));
    let kept = match present {
        Some(path) => copy::matching(desk, path, true)?,
        None => Vec::new(),
    };
    let seated = worktree.zip(to.slot).filter(|_| present.is_some());
    let lost = match present {
        // The ignored files of a slot stay.
        Some(_) if seated.is_some() => Vec::new(),
        Some(path) => {
            copy::ignored(path)?.into_iter().filter(|name| !covered(name, &kept, &task.slug)).collect()
        }
        None => Vec::new(),
    };
    let put = retry(desk.settings.lock_timeout, || keep::keep(desk, task, worktree, &kept, note.as_deref()))?;
    let (parked, look) = match put {
        Put::Directory => (true, None),
        Put::Objects(look) => (false, look),
    };
    drop(step);
    crate::interrupt::check()?;
    if let (Some((worktree, (slot, to))), false) = (seated, parked) {
        let seen = keep::keep_what_came(desk, task, worktree, look.as_ref(), &kept)?;
        occupy::empty(desk, &task.slug, worktree, slot, to, seen)?;
    }
    if let (Some(path), Some(aside), false) = (present, to.aside, parked) {
        let unseen = unseen_of(aside);
        worktree.map_or(Ok(()), Worktree::hold)?;
        if let Err(e) = fs::rename(path, &unseen) {
            worktree.map_or(Ok(()), Worktree::let_go)?;
            return Err(e).or_fatal(|| format!("could not move '{}' aside", path.display()));
        }
        look_again(desk, task, worktree, path, (aside, look.as_ref()))?;
    }
    let task = forget(
        desk,
        task,
        worktree.filter(|_| !parked && seated.is_none()).map(|w| w.path.as_path()),
        deletes,
        becomes,
        note.as_deref(),
    )?;
    Ok(Removed { task, lost, path, head: None })
}

/// What somebody wrote while the worktree was being preserved is preserved too, or all of it goes back.
fn look_again(
    desk: &Desk<'_>,
    task: &Task,
    worktree: Option<&Worktree>,
    path: &Path,
    (aside, first): (&Path, Option<&Look>),
) -> Result<()> {
    let unseen = unseen_of(aside);
    let again = || {
        let note = notes::read(&unseen, &task.slug).unwrap_or_default();
        let kept = copy::matching(desk, &unseen, true)?;
        keep::keep_changes(desk, task, worktree, (&unseen, first), &kept, note.as_deref())
    };
    // A submodule's own configuration names the place where it was, and git finds nothing elsewhere.
    let has_submodules = worktree.is_some_and(|w| w.git_dir.join("modules").exists());
    let looked = if has_submodules { Ok(()) } else { retry(desk.settings.lock_timeout, again) };
    let to = if looked.is_ok() { aside } else { path };
    fs::rename(&unseen, to).or_fatal(|| format!("could not move '{}'", unseen.display()))?;
    if looked.is_err() {
        worktree.map_or(Ok(()), Worktree::let_go)?;
    }
    looked
}

/// Whether a name of the list of ignored files is preserved, or is our note.
fn covered(name: &str, kept: &[PathBuf], slug: &Slug) -> bool {
    let notes = format!("notes/{slug}/");
    kept.iter().any(|k| k.as_os_str() == name)
        || name == notes
        || (name.starts_with("notes/") && notes.starts_with(name))
        || name.starts_with(&notes)
}

/// The steps after the directory is out of the way; each can be done again.
fn forget(
    desk: &Desk<'_>,
    task: &Task,
    path: Option<&Path>,
    deletes: Option<ObjectId>,
    becomes: State,
    note: Option<&[u8]>,
) -> Result<Task> {
    if let Some(path) = path
        && let Some(worktree) = desk.repo.worktrees()?.iter().find(|w| w.path == path && !w.is_main)
    {
        let remove = ["worktree", "remove", "--force", "--force"];
        let forgotten = match fs::symlink_metadata(path) {
            // Whoever was at work in it has made a directory there again. git would refuse, and it isn't ours.
            Ok(_) => half::remove_admin(worktree),
            Err(_) => retry(desk.settings.lock_timeout, || {
                desk.repo.at_home().cmd(remove).arg(path).run().map(drop)
            }),
        };
        // Made in this very moment.
        forgotten
            .or_else(|failure| if path.exists() { half::remove_admin(worktree) } else { Err(failure) })?;
    }
    notes::archive(desk, &task.slug, note)?;
    let worktrees = desk.repo.worktrees()?;
    let marked = |w: &&Worktree| mark::read(&w.git_dir).map(|m| m.slot);
    let slots: Vec<String> =
        worktrees.iter().filter(|w| !w.missing && w.task.is_none()).filter_map(|w| marked(&w)).collect();
    let is_there = |slot: &String| slots.contains(slot);
    let mut branch_went = false;
    if let (Some(full), Some(tip)) = (task.branch_ref(), deletes) {
        // One that moved meanwhile holds new work: it stays.
        if desk.repo.find_ref(&full)? == Some(tip) {
            let change = [(full, None, Old::Is(tip))];
            match retry(desk.settings.lock_timeout, || desk.repo.update_refs("git task rm", &change)) {
                Err(failure) if desk.repo.find_ref(&task.branch_ref().unwrap_or_default())? == Some(tip) => {
                    return Err(failure);
                }
                // It has gone from there since.
                done => branch_went = done.is_ok(),
            }
        }
    }
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let mut task = Tasks::of(file).require(task.slug.as_str())?.clone();
        // It may have landed meanwhile, and what landed stays landed.
        task.state = if task.state == State::Integrated { State::Integrated } else { becomes };
        task.clone = None;
        if let Some(slot) = task.slot.take().filter(|slot| slot::is_of_task(file, slot, task.slug.as_str())) {
            match is_there(&slot) {
                true => slot::take_back(file, &slot)?,
                // It was kept as it is, or is gone: then it is no slot any more.
                false => file.remove(slot::SECTION, &slot),
            }
        }
        task.write_to(file)?;
        if let (true, Some(branch)) = (branch_went, task.own_branch()) {
            // As `git branch -D`.
            file.remove("branch", branch);
        }
        Ok(task)
    })
}

/// Goes on with a removal that was cut off, if the directory was out of the way already.
///
/// # Errors
/// If git or the file system refuses.
pub fn resume(desk: &Desk<'_>, intent: &Found) -> Result<bool> {
    let record = &intent.record;
    let path = record.path("path").filter(|p| !p.as_os_str().is_empty());
    let aside = record.path("aside").filter(|p| !p.as_os_str().is_empty());
    let went = path.is_none() || has_moved(path.as_deref(), aside.as_deref());
    let Some(task) = Tasks::read(desk.repo)?.find(&intent.name).cloned() else {
        return Ok(true);
    };
    // Nothing goes that is not in the trash: the removal was cut off before it came to preserving.
    let last = record.text("last").and_then(|n| n.parse().ok()).unwrap_or(u64::MAX);
    let preserved = trash::latest(desk.repo, &intent.name)?.filter(|entry| entry.number > last);
    let Some(preserved) = preserved else { return Ok(true) };
    let mut went = went;
    if let (Some(slot), Some(to), Some(path)) = (record.text("slot"), record.get("to"), &path)
        && let Ok(worktree) = worktree_at(desk.repo, path)
    {
        let to = crate::git::parse_id(to)?;
        if task.slot.as_ref() == Some(&slot)
            && !occupy::empty_again(desk, &task.slug, &worktree, &slot, to, preserved.commit)?
        {
            return Ok(false);
        }
        went = true;
    }
    if !went {
        // It was held, and not moved yet.
        if let Some(worktree) = path.as_deref().and_then(|path| worktree_at(desk.repo, path).ok()) {
            worktree.let_go()?;
        }
        return Ok(true);
    }
    if let (Some(path), Some(parked)) = (&path, parked_by(desk, &task.slug)?) {
        keep::park_again(desk, &task.slug, path, &parked)?;
    }
    if let (Some(path), Some(aside)) = (&path, aside.as_deref().filter(|a| unseen_of(a).exists())) {
        let worktrees = desk.repo.worktrees()?;
        let worktree = worktrees.iter().find(|w| w.path == *path && !w.is_main);
        if let Err(failure) = look_again(desk, &task, worktree, path, (aside, None)) {
            let now = if path.exists() { path } else { &unseen_of(aside) };
            desk.observer.warn(&format!(
                "task '{}' was not removed, see '{}': {failure}",
                task.slug,
                now.display()
            ));
            return Ok(true);
        }
    }
    let deletes =
        record.get("deletes").filter(|v| !v.is_empty()).map(|v| crate::git::parse_id(v)).transpose()?;
    let becomes =
        record.text("becomes").and_then(|s| State::try_from(s.as_str()).ok()).unwrap_or(State::Dropped);
    let note = aside.as_deref().and_then(|p| notes::read(p, &task.slug).ok().flatten());
    let note = match (note, &path) {
        (None, Some(_)) if record.get("slot").is_some() => trash::read(desk.repo, &preserved)?.note,
        (note, _) => note,
    };
    let gone = path.as_deref().filter(|_| record.get("slot").is_none());
    forget(desk, &task, gone, deletes, becomes, note.as_deref())?;
    match aside.filter(|p| p.exists()) {
        Some(aside) => sweep::in_background(desk, &task.slug, &aside).map(|()| true),
        None => Ok(true),
    }
}

/// Where the last removal of a task has kept the directory itself.
fn parked_by(desk: &Desk<'_>, slug: &Slug) -> Result<Option<PathBuf>> {
    let Some(entry) = trash::latest(desk.repo, slug.as_str())? else { return Ok(None) };
    Ok(trash::read(desk.repo, &entry)?.meta.path("parked").filter(|p| p.exists()))
}

/// Deletes the directories that expired removals have kept, and says which.
///
/// # Errors
/// If one can't be deleted.
pub fn discard(desk: &Desk<'_>, slug: &str, aside: &Path) -> Result<()> {
    let name = aside_of(aside);
    keep::discard(desk, aside, &name)?;
    if name.exists() { sweep::in_background(desk, &Slug::try_from(slug)?, &name) } else { Ok(()) }
}
