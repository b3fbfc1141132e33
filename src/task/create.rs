//! `git task add`: from a [`NewTask`] to a task, all of it or nothing.
//!
//! The flow is one way. [`request::plan`] looks and refuses; the [`NewTask`] that it gives
//! can be made. [`reserve`] writes an intent under the lock, which settles who gets a name. [`Reserved::build`]
//! lets git work with no lock held. [`Built::commit`] writes the metadata under the lock; from then on the task
//! exists. Whoever is killed in between leaves an intent, and [`settle`](super::settle) takes back what it
//! describes.

use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::BString;

use super::half::{self, HalfAdded, Made};
use super::occupy::{self, HalfSeated};
use super::record::Tasks;
use super::request::{self, NewTask};
use super::{Branch, Desk, Task, notes, taken};
use crate::desk::busy::is_at;
use crate::desk::slot;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::{Git, Output, retry};
use crate::git::worktree::{self, BEING_MADE, Head};
use crate::interrupt;
use crate::paths::path_bytes;
use crate::store::config::ConfigFile;
use crate::store::record::{Found, Intent, Record, intents};

/// Tasks whose names are taken and whose intents are written.
#[derive(Debug)]
pub struct Reserved {
    tasks: Vec<(NewTask, Intent)>,
}

/// Takes the names under the lock. Exactly one of those who want the same name gets it.
///
/// # Errors
/// If a name, branch or directory was taken since [`request::plan`] looked.
pub fn reserve(desk: &Desk<'_>, tasks: Vec<NewTask>, setup: bool) -> Result<Reserved> {
    reserve_with(desk, tasks, setup, |_, _| Ok(()))
}

/// The same, and each task may [take a seat](NewTask::take_seat) in the pool under the same lock; the intents are
/// those that it must not take one from, with the names of the slots that were given already.
///
/// # Errors
/// As [`reserve`], and what `seat` says.
pub fn reserve_with(
    desk: &Desk<'_>,
    mut tasks: Vec<NewTask>,
    setup: bool,
    mut seat: impl FnMut(&[Found], &mut NewTask) -> Result<()>,
) -> Result<Reserved> {
    let setup = setup && (crate::desk::copy::is_configured(desk) || !desk.settings.setup_run().is_empty());
    let held = desk.lock()?;
    let now = Tasks::read(desk.repo)?;
    let under_way = intents(&desk.repo.state_dir(), &held)?;
    for new in &tasks {
        let slug = &new.task.slug;
        let taken = |t: &&Task| t.slug.twin_key() == slug.twin_key() && (t.state.is_live() || !new.reuse);
        if let Some(other) = now.all.iter().find(taken) {
            return Err(taken::by_task(&other.slug));
        }
        for other in &under_way {
            let same = |key: &str, value: &[u8]| other.record.get(key).is_some_and(|v| *v == *value);
            let branch = new.task.own_branch().unwrap_or_default();
            if other.name.to_lowercase() == slug.twin_key()
                || (!branch.is_empty() && same("branch", branch.as_bytes()))
                || is_at(other, &new.path)
            {
                return Err(taken::by_process(&other.name, &other.record));
            }
        }
    }
    for new in &mut tasks {
        seat(&under_way, new)?;
        // Since it was looked for, somebody may have come to the end who was making something there.
        if new.seat.is_none() && !new.adopts {
            request::require_unoccupied(&new.path)?;
        }
    }
    let state_dir = desk.repo.state_dir();
    let mut reserved = Vec::new();
    for new in tasks {
        let record = Record::new("add")
            .with("branch", new.task.own_branch().unwrap_or_default())
            .with("creates", if new.creates_branch { new.start.to_string() } else { String::new() })
            .with("path", BString::from(path_bytes(&new.path)))
            .with("setup", if setup { "true" } else { "false" })
            .with("adopts", if new.adopts { "true" } else { "false" })
            .with("clone", if new.task.clone.is_some() { "true" } else { "false" });
        let record = match &new.seat {
            Some(seat) => record
                .with("slot", seat.slot.as_str())
                .with("from", seat.head.to_string())
                .with("to", new.start.to_string()),
            None => record,
        };
        let intent = Intent::write(&state_dir, &held, new.task.slug.as_str(), &record)?;
        reserved.push((new, intent));
    }
    Ok(Reserved { tasks: reserved })
}

impl Reserved {
    /// Makes branches, worktrees and notes. No lock of ours is held. If one fails, all are taken back.
    ///
    /// # Errors
    /// Why the first one failed.
    pub fn build(self, desk: &Desk<'_>) -> Result<Built> {
        for at in 0..self.tasks.len() {
            let (new, intent) = &self.tasks[at];
            desk.observer.note(&format!("Preparing task '{}' ({})", new.task.slug, new.what()));
            let doing = if new.seat.is_some() { "Bringing up" } else { "Checking out" };
            let step = desk.observer.step(&format!("{doing} '{}'", new.path.display()));
            let mut made = Made::default();
            let build = || build_one(desk, new, &mut made);
            let built = intent.during(build).and_then(|()| interrupt::check());
            drop(step);
            if let Err(failure) = built {
                return Err(self.take_back(desk, failure, Some((at, made))));
            }
        }
        Ok(Built(self))
    }

    /// The slots that were given, to be looked at before anything is built.
    pub fn seats(&self) -> impl Iterator<Item = &slot::Seat> {
        self.tasks.iter().filter_map(|(new, _)| new.seat.as_ref())
    }

    /// Gives the names and the slots back; nothing was built.
    ///
    /// # Errors
    /// If an intent can't be removed.
    pub fn give_up(self) -> Result<()> {
        self.tasks.into_iter().try_for_each(|(_, intent)| intent.done())
    }

    /// All of them were made, or those before one of which this much was.
    fn take_back(self, desk: &Desk<'_>, why: Failure, failed: Option<(usize, Made)>) -> Failure {
        for (at, (new, intent)) in self.tasks.into_iter().enumerate() {
            let made = match failed {
                Some((last, made)) if at == last => made,
                Some((last, _)) if at > last => Made::default(),
                _ => Made { branch: true, place: true },
            };
            // What we have not made is somebody else's.
            let half = new.half(made);
            let undone = intent.during(|| half::undo_add(desk, new.task.slug.as_str(), &half));
            match undone.and_then(|done| if done { intent.done() } else { Ok(()) }) {
                Ok(()) => {}
                Err(failure) => desk.observer.warn(&format!(
                    "could not take back all of '{}': {failure}; 'git task repair' will",
                    new.task.slug
                )),
            }
        }
        why
    }
}

impl NewTask {
    /// What is made or taken over, as `git worktree add` says it.
    fn what(&self) -> String {
        match (&self.task.branch, self.adopts, self.creates_branch) {
            (Branch::Own(name), true, _) => format!("adopting branch '{name}'"),
            (Branch::Own(name), _, true) => format!("new branch '{name}'"),
            (Branch::Own(name), ..) => format!("checking out '{name}'"),
            (Branch::Track(name), ..) => format!("following '{name}'"),
        }
    }

    fn half(&self, made: Made) -> HalfAdded {
        HalfAdded {
            branch: self.task.branch_ref(),
            created_at: (self.creates_branch && made.branch).then_some(self.start),
            elsewhere: !made.place,
            snapshot: None,
            path: self.path.clone(),
            adopts: self.adopts,
            clone: self.task.clone.is_some(),
            seat: self.seat.as_ref().map(|seat| HalfSeated {
                slot: seat.slot.clone(),
                from: seat.head,
                to: self.start,
            }),
        }
    }
}

/// `made` says afterwards what was made.
fn build_one(desk: &Desk<'_>, new: &NewTask, made: &mut Made) -> Result<()> {
    let slug = &new.task.slug;
    if let (true, Some(full)) = (new.creates_branch, new.task.branch_ref()) {
        let from = new.task.base.as_deref().unwrap_or("HEAD");
        taken::make_branch(desk, &full, new.start, &format!("branch: Created from {from}"))?;
        made.branch = true;
    }
    made.at(&new.path, || make_place(desk, new))?;
    notes::create(desk, &new.path, slug, new.task.title.as_deref(), new.goal.as_deref())
}

fn make_place(desk: &Desk<'_>, new: &NewTask) -> Result<()> {
    let slug = &new.task.slug;
    if let Some(seat) = &new.seat {
        occupy::sit(desk, seat, slug, new.task.branch_ref().as_deref(), new.start)?;
        if new.lock {
            desk.worktree(&["lock"], &new.path)?;
        }
    } else if new.adopts {
        worktree::mark(&desk.repo.worktree_git_dir(&new.path)?, slug.as_str())?;
        if new.lock {
            desk.worktree(&["lock"], &new.path)?;
        }
    } else if new.task.clone.is_some() {
        make_clone(desk, new)?;
    } else {
        make_worktree(desk, new).map_err(|failure| taken::unless_renamed(desk, &new.task, failure))?;
        let git_dir = desk.repo.worktree_git_dir(&new.path)?;
        let checked_out = desk.repo.require_checked_out(&git_dir, new.start);
        checked_out.map_err(|failure| taken::unless_renamed(desk, &new.task, failure))?;
        worktree::mark(&git_dir, slug.as_str())?;
        worktree::let_go(&git_dir)?;
        if new.lock {
            desk.worktree(&["lock", "--reason", "added with --lock"], &new.path)?;
        }
    }
    Ok(())
}

fn make_worktree(desk: &Desk<'_>, new: &NewTask) -> Result<()> {
    if let Some(parent) = new.path.parent() {
        fs::create_dir_all(parent)
            .or_fatal(|| format!("could not create directory '{}'", parent.display()))?;
    }
    retry(desk.settings.lock_timeout, || {
        // What git itself says is said by us; what is left comes from hooks and filters.
        let add = ["worktree", "add", "--quiet", "--lock", "--reason", BEING_MADE];
        let cmd = desk.repo.cmd(add).leaving_others();
        let cmd = match &new.task.branch {
            Branch::Own(name) => cmd.arg(&new.path).arg(name),
            Branch::Track(_) => cmd.arg("--detach").arg(&new.path).arg(new.start.to_string()),
        };
        let output = cmd.output()?;
        if output.status.success() {
            show(desk, &output);
            return Ok(());
        }
        if is_complete(desk, new)? && !interrupt::requested() {
            show(desk, &output);
            desk.observer.warn(&format!("the post-checkout hook failed in '{}'", new.path.display()));
            return Ok(());
        }
        Err(output.into_failure())
    })
}

/// git removes what it made when the checkout fails, but keeps all of it when only a hook fails. What was there before is
/// somebody else's.
fn is_complete(desk: &Desk<'_>, new: &NewTask) -> Result<bool> {
    let head = match new.task.branch_ref() {
        Some(full) => Head::Branch(full),
        None => Head::Detached(new.start),
    };
    match desk.repo.worktrees()?.iter().find(|w| w.path == new.path && w.head == head) {
        Some(worktree) => Ok(worktree.git_dir.join("index").exists() && worktree.is_being_made()?),
        None => Ok(false),
    }
}

/// What hooks and filters had to say, without which nobody would know why they failed.
fn show(desk: &Desk<'_>, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    if !said.trim().is_empty() {
        desk.observer.note(said.trim_end());
    }
}

fn make_clone(desk: &Desk<'_>, new: &NewTask) -> Result<()> {
    let branch =
        new.task.own_branch().ok_or_else(|| Failure::usage("--clone and --track exclude each other"))?;
    if let Some(parent) = new.path.parent() {
        fs::create_dir_all(parent)
            .or_fatal(|| format!("could not create directory '{}'", parent.display()))?;
    }
    clone_at(desk, &new.path)?;
    let git = Git::at(&new.path);
    git.cmd(["checkout", "--quiet", "--no-track", "-B", branch, &new.start.to_string()])
        .leaving_others()
        .run()
        .map(drop)
}

/// An empty clone that borrows the objects of this repository.
///
/// # Errors
/// In git's words.
pub fn clone_at(desk: &Desk<'_>, path: &Path) -> Result<()> {
    let cmd = desk.repo.cmd(["clone", "--quiet", "--shared", "--no-checkout", "--"]);
    cmd.arg(desk.repo.common_dir()).arg(path).run().map(drop)
}

/// Tasks that are there on disk, but not yet in the metadata.
#[derive(Debug)]
pub struct Built(Reserved);

/// A task that exists; its intent stays until its setup is done.
#[derive(Debug)]
pub struct Created {
    /// Its metadata.
    pub task: Task,
    /// Its worktree.
    pub path: PathBuf,
    /// It is in a slot of the pool, which was set up when it was made.
    pub seated: bool,
    intent: Intent,
}

impl Built {
    /// Writes the metadata of all of them in one change.
    ///
    /// # Errors
    /// If config can't be written; everything has then been taken back.
    pub fn commit(self, desk: &Desk<'_>) -> Result<Vec<Created>> {
        let written = desk.lock().and_then(|held| {
            desk.edit(&held, |file| self.0.tasks.iter().try_for_each(|(new, _)| record(file, new)))
        });
        if let Err(failure) = written {
            return Err(self.0.take_back(desk, failure, None));
        }
        let created = self.0.tasks.into_iter();
        let created = created.map(|(new, intent)| Created {
            seated: new.seat.is_some(),
            task: new.task,
            path: new.path,
            intent,
        });
        Ok(created.collect())
    }
}

fn record(file: &mut ConfigFile, new: &NewTask) -> Result<()> {
    if new.reuse {
        file.remove("task", new.task.slug.as_str());
    }
    new.task.write_to(file)?;
    if let Some(seat) = &new.seat {
        slot::hand_out(file, &seat.slot, &seat.lease, Some(new.task.slug.as_str()))?;
    }
    if let (Some(upstream), Some(branch)) = (&new.upstream, new.task.own_branch()) {
        file.set("branch", branch, "remote", &[upstream.remote.as_str().into()])?;
        file.set("branch", branch, "merge", &[upstream.merge.as_str().into()])?;
        if upstream.rebase {
            file.set("branch", branch, "rebase", &["true".into()])?;
        }
    }
    Ok(())
}

impl Created {
    /// Copies files, runs the setup, shows the note in the main worktree. A failure leaves the task in place,
    /// marked as blocked.
    ///
    /// # Errors
    /// What failed.
    pub fn finish(self, desk: &Desk<'_>, setup: bool) -> Result<(Task, PathBuf)> {
        let linked = notes::link_in_main(desk, &self.path, &self.task.slug);
        let done = linked.and_then(|()| {
            if !setup {
                return Ok(());
            }
            crate::desk::copy::copy_into(desk, &self.path)?;
            if self.seated {
                return Ok(());
            }
            super::setup::run(desk, &self.task, &self.path)
        });
        let mut task = self.task;
        match done {
            Ok(()) => {
                self.intent.done()?;
                Ok((task, self.path))
            }
            Err(failure) => {
                super::blocked::mark(desk, &mut task, &failure.message())?;
                self.intent.done()?;
                Err(super::setup::failed(failure, &task.slug, &self.path))
            }
        }
    }
}
