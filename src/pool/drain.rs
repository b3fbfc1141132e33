//! Idle slots that go.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Pool, Slot, State, check};
use crate::desk::aside::{aside_of, delete, unseen_of};
use crate::desk::busy::busy;
use crate::desk::slot::{SECTION, intent_name, is_about};
use crate::desk::{Desk, alive, clean, half, mark};
use crate::error::{Failure, Kind, OrFatal, Result};
use crate::git::process::{Git, retry};
use crate::git::scratch::Scratch;
use crate::git::snapshot;
use crate::git::status::{Untracked, status_entries};
use crate::git::switch::{git_in, worktree_at};
use crate::git::worktree::{Worktree, leads_to};
use crate::interrupt;
use crate::paths::{is_there, path_bytes};
use crate::store::record::{Intent, Record, intents};

/// What came of it.
#[derive(Debug, Default)]
pub struct Drained {
    /// Slots that went.
    pub removed: Vec<String>,
    /// Slots that stayed, and why.
    pub stayed: Vec<Failure>,
}

/// Removes idle slots: the last ones first, `count` or all.
///
/// # Errors
/// If the pool can't be read or written.
pub fn drain(desk: &Desk<'_>, count: Option<usize>) -> Result<Drained> {
    let mut drained = Drained::default();
    let now = desk.context.now();
    let slots = Pool::read(desk.repo)?.slots;
    for slot in slots.iter().rev() {
        if count.is_some_and(|count| drained.removed.len() >= count) {
            break;
        }
        interrupt::check()?;
        let name = &slot.name;
        match (slot.state(now), count) {
            (State::Idle, _) => match desk.patiently(|| Ok(()), || remove(desk, slot)) {
                Ok(()) => drained.removed.push(name.clone()),
                Err(failure) if failure.kind == Kind::Interrupted => return Err(failure),
                Err(failure) => drained.stayed.push(failure.context(format!("slot {name} stays"))),
            },
            // Of all, or if there are not enough idle ones, these are missed.
            (State::Broken, _) => {
                let why = slot.broken.clone().unwrap_or_default();
                drained.stayed.push(
                    Failure::negative(format!("slot {name} stays: it is set aside as broken: {why}")).hint(
                        "poolBroken",
                        "Look into it; then 'git pool release' or 'git pool release -f'.",
                    ),
                );
            }
            (state, _) => {
                let who = match (&slot.task, &slot.lease) {
                    (Some(task), Some(_)) => format!(" by task {task}"),
                    (None, Some(lease)) => format!(" by {}", lease.holder),
                    _ => String::new(),
                };
                drained.stayed.push(Failure::negative(format!("slot {name} stays: it is {state}{who}")));
            }
        }
    }
    if count.is_some_and(|count| drained.removed.len() >= count) {
        drained.stayed.clear();
    }
    Ok(drained)
}

fn remove(desk: &Desk<'_>, slot: &Slot) -> Result<()> {
    let state_dir = desk.repo.state_dir();
    let held = desk.lock()?;
    let now = desk.context.now();
    let pool = Pool::read(desk.repo)?;
    let Some(found) = pool.find(&slot.name) else { return Ok(()) };
    if found.state(now) != State::Idle {
        return Err(Failure::negative("somebody took it meanwhile"));
    }
    if let Some(other) = intents(&state_dir, &held)?.iter().find(|i| is_about(i, &slot.name)) {
        return Err(busy("it", &other.record));
    }
    let worktree = worktree_at(desk.repo, &slot.path).ok();
    let admin = worktree.as_ref().map(|w| path_bytes(&w.git_dir)).unwrap_or_default();
    let head = worktree.as_ref().and_then(|w| mark::read(&w.git_dir)).map(|m| m.head);
    let aside = aside_of(&slot.path, "drained");
    let record = Record::new("drain")
        .with("slot", slot.name.as_str())
        .with("path", path_bytes(&slot.path))
        .with("aside", path_bytes(&aside))
        .with("admin", admin)
        .with("head", head.map(|id| id.to_string()).unwrap_or_default());
    let intent = Intent::write(&state_dir, &held, &intent_name(&slot.name), &record)?;
    drop(held);
    let step = desk.observer.step(&format!("Removing slot {}", slot.name));
    let checked = check::require(desk, slot).and_then(|worktree| match worktree.locked {
        Some(_) => Err(Failure::fatal("its working tree is locked")),
        None => require_nobody(desk, &worktree.path).and_then(|()| require_no_modules(&worktree)),
    });
    if let Err(why) = checked {
        intent.done()?;
        return Err(why);
    }
    let done = intent.during(|| take_away(desk, &slot.name, &slot.path, Some(&aside)));
    drop(step);
    match done {
        // It is in its place again, or still.
        Err(why) if worktree_at(desk.repo, &slot.path).is_ok() => intent.done().and(Err(why)),
        Err(why) => Err(why),
        Ok(()) => intent.done(),
    }
}

/// A process keeps its current directory, as git keeps one from being removed under it.
fn require_nobody(desk: &Desk<'_>, path: &Path) -> Result<()> {
    if desk.context.cwd.starts_with(path) {
        return Err(Failure::negative("you are in it"));
    }
    match alive::processes_in(path)?.first() {
        Some(pid) => Err(Failure::negative(format!("process {pid} is in it"))
            .hint("poolOccupied", "Leave its directory, or end the process, and drain again.")),
        None => Ok(()),
    }
}

/// What was committed in a submodule of it may be in a branch, and yet only its repository here has it.
fn require_no_modules(worktree: &Worktree) -> Result<()> {
    let inside = snapshot::modules_with_work(&worktree.git_dir)?;
    if inside.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = inside.iter().map(|p| p.display().to_string()).collect();
    let message = format!("its repositories of submodules hold work of their own: {}", names.join(", "));
    let dir = worktree.git_dir.join("modules");
    Err(Failure::fatal(message).hint("taskInside", format!("Push it from '{}' first.", dir.display())))
}

/// Removes a slot; its worktree goes `aside` first, if one is named.
fn take_away(desk: &Desk<'_>, name: &str, path: &Path, aside: Option<&Path>) -> Result<()> {
    if let Some(worktree) = desk.repo.worktrees()?.iter().find(|w| w.path == path && !w.is_main) {
        // Submodules are found by their place.
        match aside.filter(|_| !worktree.missing && !worktree.git_dir.join("modules").exists()) {
            Some(aside) => {
                let unseen = unseen_of(aside);
                move_aside(desk, worktree, &unseen)?;
                // From here on it goes forward.
                fs::rename(&unseen, aside).or_fatal(|| format!("could not move '{}'", unseen.display()))?;
                // Not by git: who goes on with it knows which directory it is.
                half::remove_admin(worktree)?;
                delete(aside)?;
            }
            // git would refuse; and what is there now is not ours to touch.
            None if worktree.replaced => half::remove_admin(worktree)?,
            None => {
                let args = ["worktree", "remove", "--force"];
                retry(desk.settings.lock_timeout, || desk.repo.at_home().cmd(args).arg(path).run())?;
            }
        }
    }
    forget(desk, name)
}

fn forget(desk: &Desk<'_>, name: &str) -> Result<()> {
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        file.remove(SECTION, name);
        Ok(())
    })
}

/// Moves a slot's worktree to where nobody writes who only knows its path, and looks at it there: somebody may think
/// that he has it still. If anything is in it, it goes back.
fn move_aside(desk: &Desk<'_>, worktree: &Worktree, aside: &Path) -> Result<()> {
    let failed = || format!("could not move '{}' aside", worktree.path.display());
    let known = mark::read(&worktree.git_dir).map(|m| m.head);
    worktree.hold()?;
    let looked = fs::rename(&worktree.path, aside).or_fatal(failed).and_then(|()| {
        require_nobody(desk, aside)?;
        let Some(now) = desk.repo.worktree_of_admin(&worktree.git_dir)? else { return Ok(()) };
        let now = Worktree { path: aside.to_owned(), missing: false, replaced: false, ..now };
        retry(desk.settings.lock_timeout, || clean::require(desk, &now, known)).map_err(|why| {
            match why.kind == Kind::Interrupted {
                true => why,
                false => Failure::negative("somebody has written there meanwhile"),
            }
        })
    });
    if looked.is_err() && aside.exists() {
        fs::rename(aside, &worktree.path)
            .or_fatal(|| format!("could not move '{}' back", aside.display()))?;
    }
    if looked.is_err() {
        worktree.let_go()?;
    }
    looked
}

/// Settles a removal that was cut off: files that are missing were being removed. False if it is too early.
///
/// # Errors
/// If git or the file system refuses.
pub fn settle(desk: &Desk<'_>, slot: &str, path: &Path, record: &Record) -> Result<bool> {
    let head = record.text("head").unwrap_or_default();
    let aside = record.path("aside").filter(|aside| !aside.as_os_str().is_empty());
    // An empty directory too.
    let left = |dir: PathBuf| Ok::<_, Failure>(is_there(&dir)?.then_some(dir));
    let unseen = aside.as_deref().map(unseen_of).map_or(Ok(None), left)?;
    let seen = aside.map_or(Ok(None), left)?;
    for dir in [Some(path), unseen.as_deref(), seen.as_deref()].into_iter().flatten() {
        if !alive::processes_in(dir)?.is_empty() {
            return Ok(false);
        }
    }
    if let Some(unseen) = unseen {
        let _ = fs::remove_dir(path);
        if fs::rename(&unseen, path).is_err() {
            return Ok(false);
        }
    }
    if let Some(worktree) = desk.repo.worktrees()?.iter().find(|w| w.path == path && !w.missing && !w.is_main)
    {
        worktree.let_go()?;
    }
    if let Some(seen) = seen {
        if let Some(admin) = record.path("admin").filter(|admin| !admin.as_os_str().is_empty()) {
            half::remove_rest_of_admin(&admin, path)?;
        }
        delete(&seen)?;
    }
    let Some(found) = Pool::read(desk.repo)?.find(slot).cloned() else { return Ok(true) };
    if let Ok(worktree) = worktree_at(desk.repo, path) {
        // It had its mark when it was looked at. What has none is what somebody else has made at its place.
        if !head.is_empty() && !mark::is_there(&worktree.git_dir)? {
            return forget(desk, slot).map(|()| true);
        }
        let entries = status_entries(&git_in(&worktree), Untracked::Normal, false)?;
        let gone = |code: [u8; 2]| code == *b" D";
        if !entries.iter().all(|e| gone(e.code)) {
            check::reject(desk, slot, Failure::fatal("its removal was cut off, and there is work in it"))?;
            return Ok(true);
        }
        if entries.is_empty() && check::require(desk, &found).is_ok() {
            // It had not begun.
            return Ok(true);
        }
    } else if path.exists() && std::fs::read_dir(path).is_ok_and(|mut all| all.next().is_some()) {
        // git deletes `.git` with the rest, in any order; what is left was checked out.
        let left = desk.repo.worktrees()?.into_iter().find(|w| w.path == path && !w.is_main);
        let is_rest = match &left {
            Some(worktree) if worktree.is_readable() => {
                let entries = status_entries(&git_in(worktree), Untracked::Normal, false)?;
                entries.iter().all(|e| e.code == *b" D")
            }
            // git forgets a worktree also when it could not delete all of it, and can be killed while it does.
            _ => !leads_anywhere(path)? && is_rest_of(desk, path, &head)?,
        };
        if is_rest {
            std::fs::remove_dir_all(path)
                .map_err(|e| Failure::fatal(format!("could not remove '{}': {e}", path.display())))?;
            if let Some(worktree) = left.filter(|worktree| !worktree.is_readable()) {
                half::remove_admin(&worktree)?;
            }
        }
    }
    take_away(desk, slot, path, None).map(|()| true)
}

/// Whether there is another repository, or a worktree of one.
fn leads_anywhere(path: &Path) -> Result<bool> {
    let target = leads_to(&path.join(".git"));
    Ok(target.or_fatal(|| format!("could not look at '{}'", path.display()))?.is_some())
}

/// Whether there is nothing in a directory but files of this commit as they are in it, and ignored ones.
fn is_rest_of(desk: &Desk<'_>, path: &Path, head: &str) -> Result<bool> {
    if head.is_empty() {
        return Ok(false);
    }
    let scratch = Scratch::new(desk.repo)?;
    let git = Git::with_git_dir(path, desk.repo.common_dir()).with_index(&scratch.dir().join("index"));
    let ask = |args: &[&str]| git.cmd(args).env("GIT_WORK_TREE", path).run();
    ask(&["read-tree", head])?;
    let deleted = ask(&["ls-files", "-z", "--deleted"])?;
    let gone: HashSet<&[u8]> = deleted.split(|b| *b == 0).collect();
    let other = ask(&["ls-files", "-z", "--modified", "--others", "--exclude-standard"])?;
    Ok(other.split(|b| *b == 0).all(|name| gone.contains(name)))
}
