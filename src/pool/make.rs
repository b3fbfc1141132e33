//! Making slots: a worktree at the base, detached, set up once. Several at a time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use gix::ObjectId;

use super::Pool;
use crate::config::TEAM_FILE;
use crate::desk::busy::is_at;
use crate::desk::half::{remove_half_admin, remove_half_worktree};
use crate::desk::relay::{Relay, relay};
use crate::desk::setup::run_one;
use crate::desk::slot::{SECTION, intent_name};
use crate::desk::{Desk, alive, clean, copy, mark, template};
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::retry;
use crate::git::switch::worktree_at;
use crate::git::worktree::{BEING_MADE, Worktree};
use crate::interrupt;
use crate::paths::{is_free, normalise, path_bytes};
use crate::store::record::{Intent, Record, intents};

/// A slot that is going to be made.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its number.
    pub name: String,
    /// Where.
    pub path: PathBuf,
    /// What it will stand at.
    pub base: ObjectId,
}

/// Slots whose numbers are taken.
#[derive(Debug)]
pub struct Reserved(Vec<(Planned, Intent)>);

/// How many slots there are, those that are being made too, under the lock.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// Idle ones, and those being made.
    pub idle: usize,
    /// All.
    pub all: usize,
}

/// Takes numbers for as many new slots as `wanted` says of what there is, within `pool.max`.
///
/// # Errors
/// If the template makes no sense; or the intents can't be written.
pub fn reserve(desk: &Desk<'_>, base: ObjectId, wanted: impl FnOnce(Count) -> usize) -> Result<Reserved> {
    let state_dir = desk.repo.state_dir();
    let held = desk.lock()?;
    let pool = Pool::read(desk.repo)?;
    let under_way = intents(&state_dir, &held)?;
    let now = desk.context.now();
    let making: Vec<_> = under_way.iter().filter(|i| i.record.kind == "make").collect();
    let being_made =
        making.iter().filter(|i| pool.find(&i.record.text("slot").unwrap_or_default()).is_none());
    let being_made = being_made.count();
    let is_idle = |s: &&super::Slot| {
        s.state(now) == super::State::Idle
            && !under_way.iter().any(|i| i.record.kind != "update" && crate::desk::slot::is_about(i, &s.name))
    };
    let idle = pool.slots.iter().filter(is_idle).count();
    let all = pool.slots.len() + pool.bad.len() + being_made;
    let count =
        wanted(Count { idle: idle + being_made, all }).min(desk.settings.pool.max.saturating_sub(all));
    let mut taken: BTreeSet<String> = pool.slots.iter().map(|s| s.name.clone()).collect();
    taken.extend(pool.bad.iter().map(|(name, _)| name.to_string()));
    taken.extend(under_way.iter().filter_map(|i| i.record.text("slot")));
    let mut reserved = Vec::new();
    let mut number = 0_u64;
    while reserved.len() < count {
        number += 1;
        let name = number.to_string();
        if taken.contains(&name) {
            continue;
        }
        let path = planned_path(desk, &name)?;
        // Something of another's is there, or is being made or moved there: the next number.
        if !is_free(&path) || under_way.iter().any(|i| is_at(i, &path)) {
            if number > 100_000 {
                return Err(Failure::fatal(format!(
                    "no free directory for a slot: '{}' exists",
                    path.display()
                )));
            }
            continue;
        }
        let record = Record::new("make")
            .with("slot", name.as_str())
            .with("path", path_bytes(&path))
            .with("pid", std::process::id().to_string())
            .with("began", alive::began(std::process::id()).unwrap_or(0).to_string());
        let intent = Intent::write(&state_dir, &held, &intent_name(&name), &record)?;
        reserved.push((Planned { name, path, base }, intent));
    }
    Ok(Reserved(reserved))
}

/// Where a slot's worktree goes: `pool.worktreeFormat`, from the main worktree.
fn planned_path(desk: &Desk<'_>, name: &str) -> Result<PathBuf> {
    let format = &desk.settings.pool.worktree_format;
    if !format.contains("{n}") {
        return Err(Failure::fatal(format!("pool.worktreeFormat is '{format}' and holds no {{n}}")));
    }
    let repo_name = desk.repo.name();
    let user = desk.context.user.clone().unwrap_or_else(|| "user".to_owned());
    let values = [("n", name), ("repo", repo_name.as_str()), ("user", user.as_str())];
    let path =
        template::expand(format, &values).map_err(|e| e.context("bad value of 'pool.worktreeFormat'"))?;
    Ok(normalise(&desk.repo.home().join(path)))
}

impl Reserved {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes them, as many at a time as there are processors. Each that is done is a slot from then on. Gives why
    /// others failed.
    pub fn make(self, desk: &Desk<'_>) -> Vec<Failure> {
        let (repo, settings, context) = (desk.repo, desk.settings, desk.context);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(self.0.len());
        let queue = Mutex::new(self.0.into_iter());
        let take = || queue.lock().ok().and_then(|mut queue| queue.next());
        let failures = Mutex::new(Vec::new());
        let work = |observer: &Relay| {
            let desk = Desk { repo, settings, context, observer };
            while let Some((planned, intent)) = take() {
                let (name, path) = (&planned.name, planned.path.display());
                let step = desk.observer.step(&format!("Preparing slot {name} in '{path}'"));
                let done = intent.during(|| prepare(&desk, &planned));
                drop(step);
                // One after the other: they would be in each other's way where nobody waits for a lock.
                if let Ok(mut failures) = failures.lock() {
                    failures.extend(finish(&desk, &planned, intent, done));
                }
            }
        };
        let (teller, listener) = relay();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (teller, work) = (teller.clone(), &work);
                scope.spawn(move || work(&teller));
            }
            drop(teller);
            listener.hand_on(desk.observer);
        });
        failures.into_inner().unwrap_or_default()
    }
}

/// The slot exists from now on, or what was made of it goes.
fn finish(desk: &Desk<'_>, planned: &Planned, intent: Intent, done: Result<()>) -> Option<Failure> {
    let Planned { name, path, .. } = planned;
    let done = done.and_then(|()| {
        let held = desk.lock()?;
        desk.edit(&held, |file| file.set(SECTION, name, "path", &[path_bytes(path).into()]))
    });
    let ended = match &done {
        Ok(()) => intent.done(),
        // What can't be taken back stays, to be settled.
        Err(_) => intent.during(|| undo(desk, path)).and_then(|()| intent.done()),
    };
    match (done, ended) {
        (Ok(()), Ok(())) => {
            desk.observer.note(&format!("Prepared slot {name} in '{}'", path.display()));
            None
        }
        (Err(failure), _) if failure.kind == crate::error::Kind::Interrupted => Some(failure),
        (Err(failure), _) | (Ok(()), Err(failure)) => {
            Some(failure.context(format!("slot {name} was not made")))
        }
    }
}

/// Makes one slot's worktree, and sets it up.
fn prepare(desk: &Desk<'_>, planned: &Planned) -> Result<()> {
    interrupt::check()?;
    let path = &planned.path;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .or_fatal(|| format!("could not create directory '{}'", parent.display()))?;
    }
    retry(desk.settings.lock_timeout, || {
        let add = ["worktree", "add", "--quiet", "--detach", "--lock", "--reason", BEING_MADE];
        let cmd = desk.repo.at_home().cmd(add).leaving_others();
        let output = cmd.arg(path).arg(planned.base.to_string()).output()?;
        if output.status.success() {
            return Ok(());
        }
        // git keeps all of it when only a hook fails.
        let is_it = |w: &Worktree| w.git_dir.join("index").exists() && is_ours(w).is_ok_and(|ours| ours);
        let complete = worktree_at(desk.repo, path).is_ok_and(|w| is_it(&w));
        if complete && !interrupt::requested() {
            desk.observer.warn(&format!("the post-checkout hook failed in '{}'", path.display()));
            return Ok(());
        }
        Err(output.into_failure())
    })?;
    let worktree = worktree_at(desk.repo, path)?;
    mark::put(&worktree, &planned.name, planned.base, desk.context.now())?;
    worktree.let_go()?;
    desk.repo.require_checked_out(&worktree.git_dir, planned.base)?;
    clean::remember_settings(&worktree.git_dir)?;
    let commands = desk.settings.setup_run();
    if !commands.is_empty() {
        copy::copy_into(desk, path)?;
        for command in commands {
            interrupt::check()?;
            desk.observer.note(&format!("Running setup in slot {}: {command}", planned.name));
            let vars = [("GIT_TASK_PATH", path.into()), ("GIT_TASK_MAIN", desk.repo.home().into())];
            run_one(vars, path, command).map_err(|e| e.context(format!("setup failed in {TEAM_FILE}")))?;
        }
        clean::require(desk, &worktree, Some(planned.base))?;
        // They come again, as they are then, at each claim.
        clean::remove_copies(desk, &worktree)?;
    }
    mark::put(&worktree, &planned.name, planned.base, desk.context.now())
}

/// Whether this is the slot that was being made, and not what somebody else has made at its place.
fn is_ours(worktree: &Worktree) -> Result<bool> {
    Ok(worktree.is_being_made()? || mark::is_there(&worktree.git_dir)?)
}

/// Removes a worktree that has not become a slot. Nobody was given it.
///
/// # Errors
/// If git or the file system refuses.
pub fn undo(desk: &Desk<'_>, path: &Path) -> Result<()> {
    let worktrees = desk.repo.worktrees()?;
    match worktrees.iter().find(|w| w.path == path && !w.is_main) {
        Some(worktree) if !is_ours(worktree)? => return Ok(()),
        Some(worktree) if !worktree.is_readable() => remove_half_worktree(worktree)?,
        Some(worktree) => {
            let remove = ["worktree", "remove", "--force", "--force"];
            let limit = desk.settings.lock_timeout;
            retry(limit, || desk.repo.at_home().cmd(remove).arg(&worktree.path).run())?;
        }
        None => remove_half_admin(desk, path)?,
    }
    // git makes the directory before it writes anything into it.
    let _ = fs::remove_dir(path);
    Ok(())
}

/// Settles the making of a slot that was cut off: the slot is there, or nothing of it. False if it is too early.
///
/// # Errors
/// If git or the file system refuses.
pub fn settle(desk: &Desk<'_>, slot: &str, path: &Path) -> Result<bool> {
    if Pool::read(desk.repo)?.find(slot).is_some() {
        return Ok(true);
    }
    if !alive::processes_in(path)?.is_empty() {
        return Ok(false);
    }
    undo(desk, path).map(|()| true)
}
