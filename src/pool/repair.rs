//! `git pool repair`: what was half done, moved or deleted by hand, or has ended without being given back.

use std::path::Path;

use super::{Pool, Slot, State, check, keep, settle};
use crate::desk::slot::{SECTION, forget, intent_name, is_about, take_back};
use crate::desk::{Desk, half, mark};
use crate::error::Result;
use crate::git::switch::worktree_at;
use crate::git::worktree::Worktree;
use crate::git::{moved, snapshot};
use crate::paths::path_bytes;
use crate::store::lock::StateLock;
use crate::store::record::{Intent, Record, intents};

/// Looks for all of it, and mends it unless `dry_run`. Gives a line for each finding.
///
/// # Errors
/// If something can't be read or mended.
pub fn repair(desk: &Desk<'_>, dry_run: bool) -> Result<Vec<String>> {
    let mut found = settle::settle_all(desk, dry_run)?;
    let pool = Pool::read(desk.repo)?;
    for (name, failure) in &pool.bad {
        // What it was meant to say only a person knows.
        found.push(format!("slot {name}: {failure}"));
    }
    let worktrees = desk.repo.worktrees()?;
    for slot in &pool.slots {
        let may_be = |slot: &Slot| -> Result<bool> {
            Ok(look(desk, slot, &worktrees, true)?.is_some() || is_touched(desk, slot))
        };
        if !may_be(slot)? {
            continue;
        }
        let Some((now, intent)) = alone(desk, slot, dry_run)? else { continue };
        let worktrees = desk.repo.worktrees()?;
        match intent {
            Some(intent) => {
                found.extend(intent.during(|| look(desk, &now, &worktrees, false))?);
                intent.done()?;
            }
            None => found.extend(look(desk, &now, &worktrees, true)?),
        }
    }
    Ok(found)
}

/// Takes a slot for a repair: as it is now, with its intent, or without one to look only. None if it is gone, or
/// another process is at it: then what looks half done is that one's doing.
fn alone(desk: &Desk<'_>, slot: &Slot, dry_run: bool) -> Result<Option<(Slot, Option<Intent>)>> {
    let dir = desk.repo.state_dir();
    let held = match dry_run {
        true => StateLock::acquire_to_look(&dir, desk.settings.lock_timeout)?,
        false => desk.lock()?,
    };
    let name = slot.name.as_str();
    if intents(&dir, &held)?.iter().any(|i| is_about(i, name)) {
        return Ok(None);
    }
    let pool = Pool::read(desk.repo)?;
    let Some(now) = pool.find(name).cloned() else { return Ok(None) };
    if dry_run {
        return Ok(Some((now, None)));
    }
    let record = Record::new("repair").with("slot", name);
    Ok(Some((now, Some(Intent::write(&dir, &held, &intent_name(name), &record)?))))
}

fn is_touched(desk: &Desk<'_>, slot: &Slot) -> bool {
    slot.state(desk.context.now()) == State::Idle
        && worktree_at(desk.repo, &slot.path).is_ok_and(|worktree| check::is_touched(slot, &worktree))
}

fn look(desk: &Desk<'_>, slot: &Slot, worktrees: &[Worktree], dry_run: bool) -> Result<Option<String>> {
    match worktree_at(desk.repo, &slot.path) {
        Ok(worktree) => in_place(desk, slot, &worktree, dry_run),
        Err(_) => out_of_place(desk, slot, worktrees, dry_run),
    }
}

/// Its worktree is where it should be.
fn in_place(desk: &Desk<'_>, slot: &Slot, worktree: &Worktree, dry_run: bool) -> Result<Option<String>> {
    let name = &slot.name;
    if slot.broken.is_some() && slot.lease.is_none() {
        if dry_run {
            return Ok(Some(format!("slot {name} is set aside as broken")));
        }
        // What was wrong may be right again; what is in it is not touched.
        return Ok(match check::require(desk, slot) {
            Ok(_) => {
                let held = desk.lock()?;
                desk.edit(&held, |file| take_back(file, name))?;
                Some(format!("slot {name} is clean again"))
            }
            Err(why) => {
                desk.observer.warn(&format!("slot {name} stays set aside: {why}"));
                None
            }
        });
    }
    // The task has been removed or moved, and the slot was forgotten.
    if let Some(task) = &slot.task
        && worktree.task.as_deref() != Some(task)
    {
        let file = crate::store::config::load(desk.repo)?;
        let has_it =
            file.find("task", task).is_some_and(|s| s.get("slot").is_some_and(|v| *v == *name.as_bytes()));
        if !has_it {
            let what = format!("slot {name}: task '{task}' has it no more");
            if !dry_run {
                let held = desk.lock()?;
                desk.edit(&held, |file| take_back(file, name))?;
                drop(held);
                if let Err(why) = check::require(desk, slot) {
                    check::reject(desk, name, why)?;
                }
            }
            return Ok(Some(what));
        }
    }
    let now = desk.context.now();
    if slot.state(now) == State::Idle
        && check::is_touched(slot, worktree)
        && !dry_run
        && let Err(why) = check::require(desk, slot)
    {
        check::reject(desk, name, why)?;
        return Ok(Some(format!("slot {name}: somebody was there since it was given back")));
    }
    Ok(None)
}

/// Its worktree was moved, or is gone.
fn out_of_place(
    desk: &Desk<'_>,
    slot: &Slot,
    worktrees: &[Worktree],
    dry_run: bool,
) -> Result<Option<String>> {
    let name = &slot.name;
    let mut known = None;
    for worktree in worktrees.iter().filter(|w| !w.is_main) {
        if worktree.path == slot.path || mark::look(&worktree.git_dir)?.is_some_and(|m| m.slot == *name) {
            known = Some(worktree);
            break;
        }
    }
    if let Some(worktree) = known.filter(|w| w.is_unlinked()) {
        if !dry_run {
            desk.relink(worktree)?;
        }
        return Ok(Some(format!("slot {name}: '.git' in '{}' leads nowhere", worktree.path.display())));
    }
    let moved = match known {
        Some(worktree) if !worktree.missing => Some(worktree.path.clone()),
        Some(worktree) => {
            let beside = worktrees.iter().filter_map(|w| w.path.parent().map(Path::to_owned));
            let places = beside.chain([desk.repo.home().to_owned()]);
            moved::search(worktree, &desk.context.cwd, places)?
        }
        None => None,
    };
    if let Some(path) = moved {
        let what = format!("slot {name}: its worktree was moved to '{}'", path.display());
        if !dry_run {
            if known.is_some_and(|w| w.missing) {
                desk.worktree(&["repair"], &path)?;
            }
            let held = desk.lock()?;
            desk.edit(&held, |file| file.set(SECTION, name, "path", &[path_bytes(&path).into()]))?;
        }
        return Ok(Some(what));
    }
    if let Some(worktree) = known.filter(|w| w.locked.is_some()) {
        // Locked because it may come back: on a disk that is not mounted now.
        desk.observer.note(&format!("slot {name}: '{}' is away and locked", worktree.path.display()));
        return Ok(None);
    }
    let what = format!("slot {name}: its worktree '{}' is gone", slot.path.display());
    if let Some(worktree) = known
        && let Some(first) = snapshot::modules_with_work(&worktree.git_dir)?.first()
    {
        let (first, dir) = (first.display(), worktree.git_dir.join("modules"));
        desk.observer.warn(&format!("{what}, and '{first}' in '{}' holds work of its own", dir.display()));
        return Ok(None);
    }
    if dry_run {
        return Ok(Some(what));
    }
    if let Some(worktree) = known {
        // What only its HEAD and its reflog know can be restored.
        if slot.lease.is_some() && slot.task.is_none() {
            let kept = keep::keep(desk, name, worktree)?.name;
            desk.observer.note(&format!("Its commits are kept: 'git task restore {kept}'"));
        }
        if slot.task.is_none() {
            match worktree.replaced {
                // git would refuse; and what is there now is not ours to touch.
                true => half::remove_admin(worktree)?,
                false => desk.worktree(&["remove", "--force"], &worktree.path)?,
            }
        }
    }
    let held = desk.lock()?;
    desk.edit(&held, |file| forget(file, name))?;
    Ok(Some(what))
}
