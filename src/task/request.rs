//! What `git task add` is asked for, and whether it can be done: looking and refusing, changing nothing.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::record::Tasks;
use super::upstream::{self, Upstream};
use super::{Branch, Desk, Slug, Task, place, taken};
use crate::desk::slot::{self, Seat};
use crate::error::{Failure, OrFatal, Result};
use crate::git::worktree::Worktree;
use crate::paths::normalise;
use crate::store::config::{self, ConfigFile};
use crate::store::{names, trash};
use adopt::{adopted_branch, adopted_path};
use origin::{Origin, origin, starting_point};

mod adopt;
mod origin;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `-b`
    pub branch: Option<String>,
    /// `--base`
    pub base: Option<String>,
    /// `--type`
    pub kind: Option<String>,
    /// `--title`
    pub title: Option<String>,
    /// `--goal`
    pub goal: Option<String>,
    /// `--scope`
    pub scope: Vec<String>,
    /// `--after`
    pub after: Vec<String>,
    /// The plan's phase.
    pub phase: Option<u32>,
    /// `--priority`
    pub priority: i64,
    /// `--session`
    pub session: Option<String>,
    /// `--path`, absolute
    pub path: Option<PathBuf>,
    /// `--track`
    pub track: Option<String>,
    /// `--adopt`, absolute
    pub adopt: Option<PathBuf>,
    /// `--clone`
    pub clone: bool,
    /// `--lock`
    pub lock: bool,
    /// `--reuse`
    pub reuse: bool,
    /// It goes into a slot of the pool: the planned directory is not needed.
    pub pooled: bool,
    /// `base` comes from the plan as a whole, so that one predecessor's tip goes before it.
    pub base_is_default: bool,
}

/// A task that can be made: everything was looked at.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its metadata.
    pub task: Task,
    /// Where its files go, or are.
    pub path: PathBuf,
    /// The commit it starts from, which is checked out.
    pub start: ObjectId,
    /// The branch does not exist yet.
    pub creates_branch: bool,
    /// The note's Goal.
    pub goal: Option<String>,
    /// The branch's upstream.
    pub upstream: Option<Upstream>,
    /// Worktree and branch were there before.
    pub adopts: bool,
    /// The worktree is to be locked.
    pub lock: bool,
    /// The name may have been used before.
    pub reuse: bool,
    /// The slot of the pool that it goes into.
    pub seat: Option<Seat>,
}

impl NewTask {
    /// Lets it go into a slot of the pool instead of a worktree of its own.
    pub fn take_seat(&mut self, seat: Seat) {
        self.path = seat.path.clone();
        self.task.slot = Some(seat.slot.clone());
        self.seat = Some(seat);
    }

    /// Whether any slot will do: nothing was asked for that one can't be.
    pub fn may_take_seat(&self) -> bool {
        !self.adopts && self.task.clone.is_none()
    }
}

/// The state of the repository that requests are checked against.
pub struct View {
    /// The tasks.
    pub tasks: Tasks,
    /// The worktrees.
    pub worktrees: Vec<Worktree>,
    /// Names whose removed work is still in the trash, or that were ever used.
    pub used: HashSet<String>,
    /// The configuration that this was read from.
    file: ConfigFile,
}

impl View {
    /// Reads it all.
    ///
    /// # Errors
    /// If the repository can't be read.
    pub fn read(desk: &Desk<'_>) -> Result<Self> {
        let trash = trash::entries(desk.repo)?;
        let mut used: HashSet<_> = trash.into_iter().map(|e| e.slug).collect();
        used.extend(names::used(desk.repo)?);
        let file = config::load(desk.repo)?;
        Ok(View { tasks: Tasks::of(&file), worktrees: desk.repo.worktrees()?, used, file })
    }

    fn slot_at(&self, path: &Path) -> Option<String> {
        slot::slot_at(&self.file, path)
    }
}

/// Checks a request against the repository and against those that come before it in the same command.
///
/// # Errors
/// The first thing that stands in the way; nothing has been changed.
pub fn plan(
    desk: &Desk<'_>,
    view: &View,
    before: &[NewTask],
    slug: Slug,
    request: &Request,
) -> Result<NewTask> {
    require_unused(view, before, &slug, request.reuse)?;
    let after: Vec<&Task> = request
        .after
        .iter()
        .map(|name| match before.iter().find(|n| n.task.slug.as_str() == name) {
            Some(new) => Ok(&new.task),
            None => view.tasks.require(name),
        })
        .collect::<Result<_>>()?;
    let origin = match &request.track {
        Some(branch) => Origin::of_branch(desk, branch)?,
        None => origin(desk, request, &after, before)?,
    };
    let branch = match (&request.track, &request.adopt) {
        (Some(_), _) => None,
        (None, Some(path)) => Some(adopted_branch(view, path)?),
        (None, None) => Some(match &request.branch {
            Some(name) => name.clone(),
            None => place::planned_branch(desk, &slug, request.kind.as_deref(), origin.base.as_deref())?,
        }),
    };
    let (start, creates_branch) = match &branch {
        None => (origin.start, false),
        Some(name) => starting_point(desk, view, before, &slug, name, request, &origin)?,
    };
    let path = match (&request.adopt, &request.path) {
        (Some(path), _) => adopted_path(view, path)?,
        (None, Some(path)) => normalise(path),
        (None, None) => place::planned_path(desk, &slug, request.kind.as_deref(), origin.base.as_deref())?,
    };
    if request.adopt.is_none()
        && !request.pooled
        && let Err(failure) = require_free(&path, before)
    {
        return Err(taken::meanwhile(desk, &slug)?.unwrap_or(failure));
    }
    let mut task = Task::new(
        slug,
        match (branch, &request.track) {
            (Some(name), _) => Branch::Own(name),
            (None, _) => Branch::Track(origin.base.clone().unwrap_or_default()),
        },
    );
    task.start = Some(start);
    task.base = if request.track.is_some() { None } else { origin.base.clone() };
    task.kind = request.kind.clone();
    task.title = request.title.clone();
    task.scope = request.scope.clone();
    task.after = request.after.clone();
    task.phase = request.phase;
    task.priority = request.priority;
    task.session = request.session.clone();
    task.clone = request.clone.then(|| path.clone());
    task.created = Some(desk.context.now());
    let checked_out = match (&task.branch, creates_branch) {
        (Branch::Own(name), false) => desk.repo.find_ref(&format!("refs/heads/{name}"))?.unwrap_or(start),
        _ => start,
    };
    let upstream = match (&origin.base_ref, task.own_branch()) {
        (Some(full), Some(own)) if creates_branch && !request.clone => {
            upstream::of_new_branch(desk, own, full)?
        }
        _ => None,
    };
    Ok(NewTask {
        task,
        path,
        start: checked_out,
        creates_branch,
        goal: request.goal.clone(),
        upstream,
        adopts: request.adopt.is_some(),
        lock: request.lock,
        reuse: request.reuse,
        seat: None,
    })
}

fn require_unused(view: &View, before: &[NewTask], slug: &Slug, reuse: bool) -> Result<()> {
    let twin = slug.twin_key();
    if before.iter().any(|n| n.task.slug.twin_key() == twin) {
        return Err(Failure::fatal(format!("task '{slug}' is named twice")));
    }
    if let Some((_, failure)) = view.tasks.bad.iter().find(|(n, _)| n.to_str_lossy().to_lowercase() == twin) {
        return Err(Failure::fatal(format!("the name '{slug}' is taken: {failure}")));
    }
    if let Some(task) = view.tasks.all.iter().find(|t| t.slug.twin_key() == twin) {
        let branch = task.own_branch().or(task.tracked()).unwrap_or_default();
        let name = &task.slug;
        if task.state.is_live() {
            let message =
                format!("a task named '{name}' already exists: {}, on branch '{branch}'", task.state);
            return Err(Failure::fatal(message).hint(
                "taskExists",
                format!("See 'git task show {name}'; go there with 'cd \"$(git task path {name})\"'."),
            ));
        }
        if !reuse || task.slug != *slug {
            let message = format!(
                "the name '{slug}' was used before: task '{name}', {}, on branch '{branch}'",
                task.state
            );
            return Err(Failure::fatal(message).hint(
                "taskExists",
                format!("Bring it back with 'git task restore {name}', or use the name again with --reuse."),
            ));
        }
        // Two would have the name then, and nobody could say which is meant.
        if let Some(worktree) = view.worktrees.iter().find(|w| w.task.as_deref() == Some(slug.as_str())) {
            let shown = worktree.path.display();
            let message = format!("'{shown}' is still the worktree of task '{name}', {}", task.state);
            return Err(Failure::fatal(message).hint(
                "taskExists",
                format!("Go on in it with 'git task reopen {name}', or remove it with 'git task rm {name}'."),
            ));
        }
    } else if !reuse && view.used.iter().any(|name| name.to_lowercase() == twin) {
        return Err(Failure::fatal(format!("the name '{slug}' was used before, by a task that is gone"))
            .hint("taskExists", "Use the name again with --reuse."));
    }
    Ok(())
}

fn require_free(path: &Path, before: &[NewTask]) -> Result<()> {
    if before.iter().any(|n| n.path == path) {
        return Err(Failure::fatal(format!("'{}' is named twice", path.display())));
    }
    require_unoccupied(path)
}

/// That a worktree can be made there.
///
/// # Errors
/// If something is there.
pub fn require_unoccupied(path: &Path) -> Result<()> {
    // As `git worktree add`: an empty directory may be used.
    let occupied = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
        Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
        Ok(meta) if meta.is_dir() => {
            let mut entries =
                fs::read_dir(path).or_fatal(|| format!("could not read '{}'", path.display()))?;
            entries.next().is_some()
        }
        Ok(_) => true,
    };
    if !occupied {
        return Ok(());
    }
    Err(Failure::fatal(format!("'{}' already exists", path.display())).hint(
        "taskPath",
        "Name another directory with --path, or make a task of an existing worktree with --adopt.",
    ))
}
