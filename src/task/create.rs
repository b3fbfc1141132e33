//! `git task add`: from a request to a task, all of it or nothing.
//!
//! The flow is one way. [`plan`] looks and refuses; a [`NewTask`] that it gives can be made. [`reserve`]
//! writes an intent under the lock, which settles who gets a name. [`build`] lets git work with no lock held.
//! [`commit`] writes the metadata under the lock; from then on the task exists. Whoever is killed in between
//! leaves an intent, and [`settle`](super::settle) takes back what it describes.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::BString;

use super::record::Tasks;
use super::{Branch, Desk, Slug, State, Task, notes, place};
use crate::config::AutoSetupMerge;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::{Git, retry};
use crate::git::refs::Old;
use crate::git::worktree::{self, Head, Worktree};
use crate::interrupt;
use crate::paths::path_bytes;
use crate::store::config::ConfigFile;
use crate::store::record::{Intent, Record, intents};
use crate::text::escape_controls;

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
    goal: Option<String>,
    upstream: Option<Upstream>,
    adopts: bool,
    lock: bool,
    reuse: bool,
}

/// What `branch.<name>.*` will say.
#[derive(Clone, Debug)]
struct Upstream {
    remote: String,
    merge: String,
    rebase: bool,
}

/// The state of the repository that requests are checked against.
pub struct View {
    /// The tasks.
    pub tasks: Tasks,
    /// The worktrees.
    pub worktrees: Vec<Worktree>,
    /// Names whose removed work is still in the trash, or that were ever used.
    pub used: std::collections::HashSet<String>,
}

impl View {
    /// Reads it all.
    ///
    /// # Errors
    /// If the repository can't be read.
    pub fn read(desk: &Desk<'_>) -> Result<Self> {
        let trash = crate::store::trash::entries(desk.repo)?;
        let mut used: std::collections::HashSet<_> = trash.into_iter().map(|e| e.slug).collect();
        used.extend(super::settle::archived_names(desk.repo)?);
        Ok(View { tasks: Tasks::read(desk.repo), worktrees: desk.repo.worktrees()?, used })
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
        Some(name) => starting_point(desk, view, before, name, request, &origin)?,
    };
    let path = match (&request.adopt, &request.path) {
        (Some(path), _) => adopted_path(view, path)?,
        (None, Some(path)) => place::normalise(path),
        (None, None) => place::planned_path(desk, &slug, request.kind.as_deref(), origin.base.as_deref())?,
    };
    if request.adopt.is_none() {
        require_free(&path, before)?;
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
    let upstream = if creates_branch && !request.clone { upstream(desk, &task, &origin)? } else { None };
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
    })
}

/// Where a task comes from.
struct Origin {
    /// The branch it goes back to, by short name.
    base: Option<String>,
    /// That branch's full name.
    base_ref: Option<String>,
    /// The commit to start at.
    start: ObjectId,
}

impl Origin {
    fn of_branch(desk: &Desk<'_>, short: &str) -> Result<Self> {
        let Some((full, start)) = desk.repo.find_branch(short)? else {
            let shown = escape_controls(short.as_bytes());
            return Err(Failure::fatal(format!("no such branch: '{shown}'")));
        };
        Ok(Origin { base: Some(short_name(&full).to_owned()), base_ref: Some(full), start })
    }
}

/// `refs/heads/x` as `x`, `refs/remotes/origin/x` as `origin/x`.
pub fn short_name(full: &str) -> &str {
    full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/remotes/")).unwrap_or(full)
}

/// The base and the commit: `--base`, `task.base` or the current branch; with one predecessor its tip.
fn origin(desk: &Desk<'_>, request: &Request, after: &[&Task], before: &[NewTask]) -> Result<Origin> {
    let wanted = request.base.as_deref().or(desk.settings.base.as_deref());
    let mut origin = match wanted {
        Some(rev) => match desk.repo.find_branch(rev)? {
            Some((full, start)) => {
                Origin { base: Some(short_name(&full).to_owned()), base_ref: Some(full), start }
            }
            // A commit that is no branch can be started from, but not gone back to.
            None => {
                let start = desk.repo.require_commit(rev)?;
                let home = if request.base.is_some() { default_base(desk)? } else { None };
                Origin { base: home, base_ref: None, start }
            }
        },
        None => {
            let Some(full) = desk.repo.head_branch()? else {
                return Err(Failure::fatal("HEAD is detached, so there is no current branch to start from")
                    .hint("taskBase", "Name the branch with --base, or set task.base."));
            };
            let Some(start) = desk.repo.find_ref(&full)? else {
                let short = short_name(&full);
                return Err(Failure::fatal(format!(
                    "your current branch '{short}' does not have any commits yet"
                ))
                .hint("taskBase", "Make a first commit, or name another branch with --base."));
            };
            Origin { base: Some(short_name(&full).to_owned()), base_ref: Some(full), start }
        }
    };
    if let [one] = after
        && (request.base.is_none() || request.base_is_default)
    {
        let new = before.iter().find(|n| n.task.slug == one.slug).map(|n| n.start);
        let tip = match new {
            Some(tip) => Some(tip),
            None => place::head_of(desk.repo, one, &desk.repo.worktrees()?)?,
        };
        if let Some(tip) = tip {
            origin.start = tip;
            origin.base_ref = None;
        }
        // It goes back to where its predecessor goes.
        if wanted.is_none() {
            origin.base = one.base.clone().or(origin.base);
        }
    }
    Ok(origin)
}

/// `task.base`, else the current branch if it has one.
fn default_base(desk: &Desk<'_>) -> Result<Option<String>> {
    if let Some(base) = &desk.settings.base {
        return Ok(Some(base.clone()));
    }
    Ok(desk.repo.head_branch()?.map(|full| short_name(&full).to_owned()))
}

fn require_unused(view: &View, before: &[NewTask], slug: &Slug, reuse: bool) -> Result<()> {
    let twin = slug.twin_key();
    if before.iter().any(|n| n.task.slug.twin_key() == twin) {
        return Err(Failure::fatal(format!("task '{slug}' is named twice")));
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
    } else if !reuse && view.used.iter().any(|name| name.to_lowercase() == twin) {
        return Err(Failure::fatal(format!("the name '{slug}' was used before, by a task that is gone"))
            .hint("taskExists", "Use the name again with --reuse."));
    }
    Ok(())
}

/// Refuses a branch of another task; tells an existing one from a new one.
fn starting_point(
    desk: &Desk<'_>,
    view: &View,
    before: &[NewTask],
    name: &str,
    request: &Request,
    origin: &Origin,
) -> Result<(ObjectId, bool)> {
    desk.repo.require_branch_name(name)?;
    let shown = escape_controls(name.as_bytes());
    let mut others =
        view.tasks.all.iter().filter(|t| t.state.is_live()).chain(before.iter().map(|n| &n.task));
    if let Some(other) = others.find(|t| t.own_branch() == Some(name)) {
        return Err(Failure::fatal(format!("branch '{shown}' is that of task '{}'", other.slug)));
    }
    let full = format!("refs/heads/{name}");
    let Some(tip) = desk.repo.find_ref(&full)? else { return Ok((origin.start, true)) };
    if request.branch.is_none() && request.adopt.is_none() {
        return Err(Failure::fatal(format!("a branch named '{shown}' already exists")).hint(
            "taskBranchExists",
            format!("Take it over as it is with '-b {shown}', or name another with -b."),
        ));
    }
    if request.adopt.is_none()
        && let Some(other) = view.worktrees.iter().find(|w| w.branch().as_deref() == Some(full.as_str()))
    {
        let message = format!("'{shown}' is already checked out at '{}'", other.path.display());
        return Err(Failure::fatal(message).hint(
            "taskAdopt",
            "Make a task of that worktree with --adopt <path>, if it is not the main one.",
        ));
    }
    // Its own commits are those since it left the base.
    let output = desk.repo.cmd(["merge-base", &tip.to_string(), &origin.start.to_string()]).output()?;
    match output.code() {
        0 => Ok((crate::git::parse_id(output.stdout.trim_ascii_end())?, false)),
        1 => Ok((tip, false)),
        _ => Err(output.into_failure()),
    }
}

fn adopted<'a>(view: &'a View, path: &Path) -> Result<&'a Worktree> {
    let wanted = place::normalise(path);
    let found = view.worktrees.iter().find(|w| w.path == wanted);
    let shown = path.display();
    let worktree = found.ok_or_else(|| Failure::fatal(format!("'{shown}' is not a working tree")))?;
    if worktree.is_main {
        return Err(Failure::fatal(format!("'{shown}' is the main working tree")));
    }
    if let Some(task) = view.tasks.all.iter().find(|t| {
        t.state.is_live()
            && place::worktree_of(t, &view.worktrees).is_some_and(|w| w.git_dir == worktree.git_dir)
    }) {
        return Err(Failure::fatal(format!("'{shown}' is the worktree of task '{}'", task.slug)));
    }
    Ok(worktree)
}

fn adopted_path(view: &View, path: &Path) -> Result<PathBuf> {
    adopted(view, path).map(|w| w.path.clone())
}

fn adopted_branch(view: &View, path: &Path) -> Result<String> {
    match &adopted(view, path)?.head {
        Head::Branch(full) => Ok(short_name(full).to_owned()),
        _ => Err(Failure::fatal(format!("'{}' has no branch checked out", path.display()))
            .hint("taskAdopt", "Switch it to a branch first: 'git -C <path> switch -c <branch>'.")),
    }
}

fn require_free(path: &Path, before: &[NewTask]) -> Result<()> {
    if before.iter().any(|n| n.path == path) {
        return Err(Failure::fatal(format!("'{}' is named twice", path.display())));
    }
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

/// What `git branch --track` would configure, by `branch.autoSetupMerge` and `branch.autoSetupRebase`.
fn upstream(desk: &Desk<'_>, task: &Task, origin: &Origin) -> Result<Option<Upstream>> {
    let Some(full) = &origin.base_ref else { return Ok(None) };
    let own = task.own_branch().unwrap_or_default();
    let (rebase_remote, rebase_local) = desk.settings.auto_setup_rebase;
    let local = || {
        full.starts_with("refs/heads/").then(|| Upstream {
            remote: ".".into(),
            merge: full.clone(),
            rebase: rebase_local,
        })
    };
    match desk.settings.auto_setup_merge {
        AutoSetupMerge::Never => Ok(None),
        AutoSetupMerge::Always if full.starts_with("refs/heads/") => Ok(local()),
        AutoSetupMerge::Always | AutoSetupMerge::Remote => remote_upstream(desk, full, rebase_remote),
        AutoSetupMerge::Simple => {
            let found = remote_upstream(desk, full, rebase_remote)?;
            Ok(found.filter(|u| u.merge == format!("refs/heads/{own}")))
        }
        AutoSetupMerge::Inherit => {
            let gix = desk.repo.gix();
            let config = gix.config_snapshot();
            let of = |key: &str| {
                config.string(format!("branch.{}.{key}", short_name(full)).as_str()).map(|v| v.to_string())
            };
            Ok(match (of("remote"), of("merge")) {
                (Some(remote), Some(merge)) => Some(Upstream { remote, merge, rebase: rebase_remote }),
                _ => None,
            })
        }
    }
}

/// The remote and the branch there that a remote-tracking branch stands for, by the fetch refspecs.
fn remote_upstream(desk: &Desk<'_>, full: &str, rebase: bool) -> Result<Option<Upstream>> {
    if !full.starts_with("refs/remotes/") {
        return Ok(None);
    }
    let gix = desk.repo.gix();
    let config = gix.config_snapshot();
    for section in config.plumbing().sections_by_name("remote").into_iter().flatten() {
        let Some(remote) = section.header().subsection_name() else { continue };
        for spec in section.body().values("fetch") {
            let spec = spec.to_string();
            let Some((from, to)) = spec.trim_start_matches('+').split_once(':') else { continue };
            let merge = match (from.split_once('*'), to.split_once('*')) {
                (Some((from_start, from_end)), Some((to_start, to_end))) => full
                    .strip_prefix(to_start)
                    .and_then(|rest| rest.strip_suffix(to_end))
                    .map(|middle| format!("{from_start}{middle}{from_end}")),
                _ => (to == full).then(|| from.to_owned()),
            };
            if let Some(merge) = merge {
                return Ok(Some(Upstream { remote: remote.to_string(), merge, rebase }));
            }
        }
    }
    Ok(None)
}

/// Tasks whose names are taken and whose intents are written.
#[derive(Debug)]
pub struct Reserved {
    tasks: Vec<(NewTask, Intent)>,
}

/// Takes the names under the lock. Exactly one of those who want the same name gets it.
///
/// # Errors
/// If a name, branch or directory was taken since [`plan`] looked.
pub fn reserve(desk: &Desk<'_>, tasks: Vec<NewTask>) -> Result<Reserved> {
    let held = desk.lock()?;
    let now = Tasks::of(&crate::store::config::load(desk.repo)?);
    let under_way = intents(&desk.repo.state_dir())?;
    for new in &tasks {
        let slug = &new.task.slug;
        let taken = |t: &&Task| t.slug.twin_key() == slug.twin_key() && (t.state.is_live() || !new.reuse);
        if let Some(other) = now.all.iter().find(taken) {
            return Err(Failure::fatal(format!("a task named '{}' already exists", other.slug)));
        }
        for other in &under_way {
            let same = |key: &str, value: &[u8]| other.record.get(key).is_some_and(|v| *v == *value);
            let branch = new.task.own_branch().unwrap_or_default();
            if other.name.to_lowercase() == slug.twin_key()
                || (!branch.is_empty() && same("branch", branch.as_bytes()))
                || same("path", path_bytes(&new.path))
            {
                return Err(Failure::fatal(format!(
                    "task '{}' is being changed by another process",
                    other.name
                ))
                .hint("taskBusy", "Try again when that process is done."));
            }
        }
    }
    let state_dir = desk.repo.state_dir();
    let mut reserved = Vec::new();
    for new in tasks {
        let record = Record::new("add")
            .with("branch", new.task.own_branch().unwrap_or_default())
            .with("creates", if new.creates_branch { new.start.to_string() } else { String::new() })
            .with("path", BString::from(path_bytes(&new.path)))
            .with("adopts", if new.adopts { "true" } else { "false" })
            .with("clone", if new.task.clone.is_some() { "true" } else { "false" });
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
        for (new, _) in &self.tasks {
            let step = desk.observer.step(&format!("Preparing task '{}'", new.task.slug));
            let built = build_one(desk, new).and_then(|()| interrupt::check());
            drop(step);
            if let Err(failure) = built {
                return Err(self.take_back(desk, failure));
            }
        }
        Ok(Built(self))
    }

    fn take_back(self, desk: &Desk<'_>, why: Failure) -> Failure {
        for (new, intent) in self.tasks {
            let undone = super::settle::undo_add(desk, new.task.slug.as_str(), &new.intent_view());
            match undone.and_then(|()| intent.done()) {
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
    fn intent_view(&self) -> super::settle::HalfAdded {
        super::settle::HalfAdded {
            branch: self.task.branch_ref(),
            created_at: self.creates_branch.then_some(self.start),
            path: self.path.clone(),
            adopts: self.adopts,
            clone: self.task.clone.is_some(),
        }
    }
}

fn build_one(desk: &Desk<'_>, new: &NewTask) -> Result<()> {
    let slug = &new.task.slug;
    let limit = desk.settings.lock_timeout;
    if let (true, Some(full)) = (new.creates_branch, new.task.branch_ref()) {
        let from = new.task.base.as_deref().unwrap_or("HEAD");
        let change = [(full, Some(new.start), Old::Absent)];
        retry(limit, || desk.repo.update_refs(&format!("branch: Created from {from}"), &change))?;
    }
    if new.adopts {
        worktree::mark(&desk.repo.worktree_git_dir(&new.path)?, slug.as_str())?;
        if new.lock {
            desk.repo.cmd(["worktree", "lock"]).arg(&new.path).run()?;
        }
    } else if new.task.clone.is_some() {
        make_clone(desk, new)?;
    } else {
        make_worktree(desk, new)?;
        worktree::mark(&desk.repo.worktree_git_dir(&new.path)?, slug.as_str())?;
    }
    notes::create(desk, &new.path, slug, new.task.title.as_deref(), new.goal.as_deref())
}

fn make_worktree(desk: &Desk<'_>, new: &NewTask) -> Result<()> {
    if let Some(parent) = new.path.parent() {
        fs::create_dir_all(parent)
            .or_fatal(|| format!("could not create directory '{}'", parent.display()))?;
    }
    retry(desk.settings.lock_timeout, || {
        let mut cmd = desk.repo.cmd(["worktree", "add"]);
        if new.lock {
            cmd = cmd.arg("--lock");
        }
        let cmd = match &new.task.branch {
            Branch::Own(name) => cmd.arg(&new.path).arg(name),
            Branch::Track(_) => cmd.arg("--detach").arg(&new.path).arg(new.start.to_string()),
        };
        let output = cmd.output()?;
        if output.status.success() {
            return Ok(());
        }
        // git removes what it made when the checkout fails, but keeps all of it when only a hook fails.
        let complete =
            desk.repo.worktrees()?.iter().any(|w| w.path == new.path && w.git_dir.join("index").exists());
        if complete && !interrupt::requested() {
            desk.observer.warn(&format!("the post-checkout hook failed in '{}'", new.path.display()));
            return Ok(());
        }
        Err(output.into_failure())
    })
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
    git.cmd(["checkout", "--quiet", "--no-track", "-B", branch, &new.start.to_string()]).run().map(drop)
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
            return Err(self.0.take_back(desk, failure));
        }
        let created = self.0.tasks.into_iter();
        Ok(created.map(|(new, intent)| Created { task: new.task, path: new.path, intent }).collect())
    }
}

fn record(file: &mut ConfigFile, new: &NewTask) -> Result<()> {
    if new.reuse {
        file.remove("task", new.task.slug.as_str());
    }
    new.task.write_to(file)?;
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
            super::copy::copy_into(desk, &self.path)?;
            super::setup::run(desk, &self.task, &self.path)
        });
        let mut task = self.task;
        match done {
            Ok(()) => {
                self.intent.done()?;
                Ok((task, self.path))
            }
            Err(failure) => {
                task.state = State::Blocked;
                task.reason = Some(failure.message());
                let held = desk.lock()?;
                desk.edit(&held, |file| task.write_to(file))?;
                self.intent.done()?;
                Err(failure.as_item().hint(
                    "taskSetup",
                    format!(
                        "The task is kept, in '{}'; mend it there, then 'git task reopen {}'.",
                        self.path.display(),
                        task.slug
                    ),
                ))
            }
        }
    }
}
