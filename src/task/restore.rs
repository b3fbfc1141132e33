//! `git task restore`: a removed task as it was, with commits, uncommitted work, note and metadata.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::half::{HalfAdded, Made, is_half_clone, undo_add, undo_branch};
use super::record::Tasks;
use super::state::Action;
use super::{Desk, Slug, State, Task, blocked, create, keep, notes, place, taken};
use crate::desk::clean;
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::git::process::{Git, retry};
use crate::git::snapshot::restore_into;
use crate::git::worktree;
use crate::paths::is_free;
use crate::store::atomic;
use crate::store::config::Section;
use crate::store::record::{Found, Intent, Record, intents};
use crate::store::trash::{self, Contents, Entry, path_value};

/// Everything that is known before anything is changed.
struct Plan {
    task: Task,
    entry: Entry,
    contents: Contents,
    path: PathBuf,
    /// Where the branch is to be made; none if it is there.
    creates: Option<ObjectId>,
}

/// What was brought back.
#[derive(Debug)]
pub struct Restored {
    /// The task.
    pub task: Task,
    /// Where it is.
    pub path: PathBuf,
    /// What the setup of its new worktree came to. If it failed, the task is blocked.
    pub setup: Result<()>,
}

/// Brings a removed task back, and runs the setup in a worktree that had to be made anew, if `setup` says so.
///
/// # Errors
/// If it is not removed, nothing of it is kept, or its branch or directory is taken; nothing has been changed.
pub fn restore(desk: &Desk<'_>, name: &str, setup: bool) -> Result<Restored> {
    let state = || Tasks::read(desk.repo).map(|tasks| tasks.find(name).map(|t| t.state));
    let before = state()?;
    let plan = match plan(desk, name) {
        Ok(plan) => plan,
        // What was in the way may be what another process is making of it, or has made of it meanwhile.
        Err(failure) => {
            taken::refuse_half_made(desk, name)?;
            return Err(if state()? == before { failure } else { failure.passing() });
        }
    };
    let slug = plan.task.slug.clone();
    let held = desk.lock()?;
    // Since we looked, another may have restored it, and what fails here is taken back.
    if state()? != before || !is_free(&plan.path) {
        return Err(Failure::fatal(format!("task '{name}' was changed by another process")).passing());
    }
    let under_way = intents(&desk.repo.state_dir(), &held)?;
    taken::refuse_busy(&under_way, name, |_| false)?;
    taken::refuse_busy_place(&under_way, &plan.path)?;
    let parked = plan.contents.meta.path("parked");
    let record = Record::new("restore")
        .with("branch", plan.task.own_branch().unwrap_or_default())
        .with("creates", plan.creates.map(|id| id.to_string()).unwrap_or_default())
        .with("path", path_value(&plan.path))
        .with("snapshot", plan.entry.commit.to_string())
        .with("clone", if plan.task.clone.is_some() { "true" } else { "false" })
        .with("parked", parked.as_deref().map(path_value).unwrap_or_default());
    let intent = Intent::write(&desk.repo.state_dir(), &held, slug.as_str(), &record)?;
    drop(held);
    let step = desk.observer.step(&format!("Restoring task '{slug}'"));
    let mut made = Made::default();
    let build = || build(desk, &plan, parked.as_deref(), &mut made);
    let built = intent.during(build).and_then(|()| commit(desk, &plan));
    drop(step);
    match built {
        Ok(()) => {
            notes::link_in_main(desk, &plan.path, &slug)?;
            let Plan { mut task, path, .. } = plan;
            // What was only moved aside has all that a setup makes.
            let setup =
                if setup && parked.is_none() { super::setup::run(desk, &task, &path) } else { Ok(()) };
            if let Err(failure) = &setup {
                task = Tasks::read(desk.repo)?.require(name)?.clone();
                blocked::mark(desk, &mut task, &failure.message())?;
            }
            intent.done()?;
            Ok(Restored { task, path, setup })
        }
        Err(failure) => {
            let was_there = plan.creates.is_none() || made.branch;
            let failure = match was_there && plan.task.clone.is_none() {
                true => taken::unless_renamed(desk, &plan.task, failure),
                false => failure,
            };
            // What we have not made is somebody else's.
            let half = half(&plan, made);
            intent.during(|| take_back(desk, slug.as_str(), &half, parked.as_deref()))?;
            intent.done()?;
            Err(failure)
        }
    }
}

fn plan(desk: &Desk<'_>, name: &str) -> Result<Plan> {
    let slug = Slug::try_from(name)?;
    let tasks = Tasks::read(desk.repo)?;
    let worktrees = desk.repo.worktrees()?;
    let known = tasks.find(name);
    if let Some(task) = known
        && let Some(path) = place::path_of(desk.repo, task, &worktrees)?
    {
        return Err(Failure::fatal(format!("task '{name}' is not removed: it is in '{}'", path.display())));
    }
    let Some(entry) = trash::latest(desk.repo, name)? else {
        let what = if known.is_some() { "nothing of task" } else { "no such task:" };
        return Err(Failure::fatal(format!(
            "{what} '{slug}'{}",
            if known.is_some() { " is kept" } else { "" }
        ))
        .hint("taskUnknown", "See 'git task list --all' for the tasks there are."));
    };
    let contents = trash::read(desk.repo, &entry)?;
    let values = contents.task.values.clone();
    let recorded = Task::from_section(&Section { name: BString::from(name), values })?;
    let recorded = recorded.ok_or_else(|| Failure::fatal(format!("'{}' holds no task", entry.ref_name)))?;
    let mut task = known.filter(|t| t.state.is_live()).cloned().unwrap_or_else(|| recorded.clone());
    task.clone = recorded.clone.clone();
    task.slot = None;
    // It was removed because it had landed, and that was undone since.
    if task.state == State::Integrated && known.is_some_and(|t| t.state == State::Dropped) {
        (task.state, task.integrated) = (State::Open, None);
    }
    // It was removed a second time, for what was left of it.
    if task.state == State::Dropped {
        task.state = task.state.after(Action::Restore, &slug)?;
    }
    let creates = branch_to_make(desk, &tasks, &task, &contents)?;
    let path = free_path(desk, &task, &contents)?;
    if task.clone.is_some() {
        task.clone = Some(path.clone());
    }
    Ok(Plan { task, entry, contents, path, creates })
}

/// The commit to make the branch at, if it isn't there at exactly that.
fn branch_to_make(
    desk: &Desk<'_>,
    tasks: &Tasks,
    task: &Task,
    contents: &Contents,
) -> Result<Option<ObjectId>> {
    let (Some(full), Some(tip)) = (task.branch_ref(), contents.meta.get("tip")) else { return Ok(None) };
    let tip = parse_id(tip)?;
    let short = task.own_branch().unwrap_or_default();
    if let Some(other) =
        tasks.all.iter().find(|t| t.slug != task.slug && t.state.is_live() && t.own_branch() == Some(short))
    {
        return Err(Failure::fatal(format!("branch '{short}' is now that of task '{}'", other.slug)));
    }
    match desk.repo.find_ref(&full)? {
        None => Ok(Some(tip)),
        Some(now) if now == tip => Ok(None),
        Some(_) => {
            Err(Failure::fatal(format!("a branch named '{short}' already exists, and not where it was"))
                .hint("taskBranchExists", format!("Rename it first: 'git branch -m {short} <other>'.")))
        }
    }
}

/// Where it was, else where the template puts it.
fn free_path(desk: &Desk<'_>, task: &Task, contents: &Contents) -> Result<PathBuf> {
    let free = is_free;
    let was = contents.meta.path("path");
    if let Some(path) = was.as_deref().filter(|p| free(p)) {
        return Ok(path.to_owned());
    }
    let planned = place::planned_path(desk, &task.slug, task.kind.as_deref(), task.base.as_deref())?;
    if free(&planned) {
        return Ok(planned);
    }
    Err(Failure::fatal(format!("'{}' already exists", was.unwrap_or(planned).display()))
        .hint("taskPath", "Move it away first."))
}

/// `made` says afterwards what was made.
fn build(desk: &Desk<'_>, plan: &Plan, parked: Option<&Path>, made: &mut Made) -> Result<()> {
    let (task, path, meta) = (&plan.task, &plan.path, &plan.contents.meta);
    if let (Some(full), Some(tip)) = (task.branch_ref(), plan.creates) {
        taken::make_branch(desk, &full, tip, "git task restore")?;
        made.branch = true;
    }
    let head = meta.text("head");
    if let Some(aside) = parked {
        made.place = true;
        return keep::unpark(desk, &task.slug, aside, path, head.as_deref(), meta.get("locked").is_some());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .or_fatal(|| format!("could not create directory '{}'", parent.display()))?;
    }
    let git_dir = if task.clone.is_some() {
        made.at(path, || build_clone(desk, plan))?;
        path.join(".git")
    } else {
        made.at(path, || build_worktree(desk, plan, head.as_deref()))?;
        let git_dir = desk.repo.worktree_git_dir(path)?;
        worktree::mark(&git_dir, task.slug.as_str())?;
        worktree::let_go(&git_dir)?;
        git_dir
    };
    restore_into(plan.entry.commit, path, &git_dir)?;
    restore_note(desk, plan)?;
    if task.clone.is_none() {
        post_checkout(desk, path, &git_dir)?;
    }
    if let Some(reason) = meta.text("locked") {
        desk.worktree(&["lock", "--reason", &reason], path)?;
    }
    Ok(())
}

/// The hook of a new worktree, which git leaves out where it checks nothing out itself.
fn post_checkout(desk: &Desk<'_>, path: &Path, git_dir: &Path) -> Result<()> {
    let Some(worktree) = desk.repo.worktree_of_admin(git_dir)? else { return Ok(()) };
    let Some(head) = clean::head_of(desk, &worktree)? else { return Ok(()) };
    if !desk.repo.run_post_checkout(path, head)? {
        desk.observer.warn(&format!("the post-checkout hook failed in '{}'", path.display()));
    }
    Ok(())
}

fn build_worktree(desk: &Desk<'_>, plan: &Plan, head: Option<&str>) -> Result<()> {
    let args = ["worktree", "add", "--no-checkout", "--lock", "--reason", worktree::BEING_MADE];
    let target = match (head.and_then(|h| h.strip_prefix("refs/heads/")), head, plan.task.own_branch()) {
        (Some(branch), ..) => branch.to_owned(),
        (None, Some(commit), _) => commit.to_owned(),
        (None, None, Some(branch)) => branch.to_owned(),
        (None, None, None) => plan.task.tracked().unwrap_or("HEAD").to_owned(),
    };
    let detached = head.is_some_and(|h| !h.starts_with("refs/")) || plan.task.own_branch().is_none();
    // Somewhere to begin, where the branch had no commit yet.
    let unborn = match head.filter(|h| h.starts_with("refs/heads/")) {
        Some(branch) if desk.repo.find_ref(branch)?.is_none() => Some(branch),
        _ => None,
    };
    let (detached, target) = match unborn {
        Some(_) => (true, plan.entry.commit.to_string()),
        None => (detached, target),
    };
    retry(desk.settings.lock_timeout, || {
        let cmd = desk.repo.at_home().cmd(args).leaving_others();
        let cmd = if detached { cmd.arg("--detach") } else { cmd };
        cmd.arg(&plan.path).arg(&target).run().map(drop)
    })?;
    match unborn {
        Some(branch) => Git::at(&plan.path).cmd(["symbolic-ref", "HEAD", branch]).run().map(drop),
        None => Ok(()),
    }
}

/// A clone again, with the branches and stashes that it had.
fn build_clone(desk: &Desk<'_>, plan: &Plan) -> Result<()> {
    create::clone_at(desk, &plan.path)?;
    let git = Git::at(&plan.path);
    for (_, value) in plan.contents.meta.values.iter().filter(|(key, _)| key == "ref") {
        if let Some((id, name)) = value.split_once_str(" ") {
            git.cmd(["update-ref", "-m", "git task restore"])
                .arg(name.to_str_lossy().as_ref())
                .arg(id.to_str_lossy().as_ref())
                .run()?;
        }
    }
    // The first one stored is the last in the list.
    for (_, value) in plan.contents.meta.values.iter().rev().filter(|(key, _)| key == "stash") {
        if let Some((id, message)) = value.split_once_str(" ") {
            let (id, message) = (id.to_str_lossy(), message.to_str_lossy());
            git.cmd(["stash", "store", "--quiet", "-m", &message, &id]).run()?;
        }
    }
    match plan.contents.meta.text("head").or_else(|| plan.task.branch_ref()) {
        Some(full) if full.starts_with("refs/") => git.cmd(["symbolic-ref", "HEAD", &full]).run().map(drop),
        Some(id) => git.cmd(["update-ref", "--no-deref", "HEAD", &id]).run().map(drop),
        None => Ok(()),
    }
}

fn restore_note(desk: &Desk<'_>, plan: &Plan) -> Result<()> {
    let slug = &plan.task.slug;
    if let Some(text) = &plan.contents.note {
        let path = notes::checked_path(&plan.path, slug)?;
        if !path.exists() {
            atomic::write(&path, text)?;
        }
    }
    notes::create(desk, &plan.path, slug, plan.task.title.as_deref(), None)
}

fn commit(desk: &Desk<'_>, plan: &Plan) -> Result<()> {
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        // What was said of one that had only lost its worktree stays said.
        let tasks = Tasks::of(file);
        match tasks.find(plan.task.slug.as_str()).filter(|now| now.state.is_live()) {
            Some(now) => Task { clone: plan.task.clone.clone(), slot: None, ..now.clone() }.write_to(file)?,
            None => plan.task.write_to(file)?,
        }
        let Some(branch) = plan.task.own_branch().filter(|_| plan.creates.is_some()) else { return Ok(()) };
        let lines = plan.contents.meta.values.iter().filter(|(k, _)| k.eq_ignore_ascii_case("branchConfig"));
        let mut values: BTreeMap<String, Vec<BString>> = BTreeMap::new();
        for (key, value) in lines.filter_map(|(_, line)| line.split_once_str("=")) {
            values.entry(key.to_str_lossy().into_owned()).or_default().push(value.into());
        }
        for (key, values) in values {
            file.set("branch", branch, &key, &values)?;
        }
        Ok(())
    })
}

fn half(plan: &Plan, made: Made) -> HalfAdded {
    HalfAdded {
        branch: plan.task.branch_ref(),
        created_at: plan.creates.filter(|_| made.branch),
        elsewhere: !made.place,
        snapshot: Some(plan.entry.commit),
        path: plan.path.clone(),
        adopts: false,
        clone: plan.task.clone.is_some(),
        seat: None,
    }
}

/// What was made goes; everything it was made from is in the trash still.
fn take_back(desk: &Desk<'_>, name: &str, half: &HalfAdded, parked: Option<&Path>) -> Result<()> {
    if let Some(aside) = parked {
        keep::park_again(desk, &Slug::try_from(name)?, &half.path, aside)?;
        return undo_branch(desk, half);
    }
    if half.clone && !half.elsewhere && is_half_clone(desk, &half.path)? {
        fs::remove_dir_all(&half.path).or_fatal(|| format!("could not remove '{}'", half.path.display()))?;
    }
    undo_add(desk, name, half).map(drop)
}

/// Settles a restore that was cut off: it goes back to being removed, unless it had come to its end.
///
/// # Errors
/// If git or the file system refuses.
pub fn settle(desk: &Desk<'_>, intent: &Found) -> Result<()> {
    let record = &intent.record;
    let half = HalfAdded {
        branch: record.text("branch").filter(|b| !b.is_empty()).map(|b| format!("refs/heads/{b}")),
        created_at: record.get("creates").filter(|v| !v.is_empty()).map(|v| parse_id(v)).transpose()?,
        snapshot: record.get("snapshot").map(|v| parse_id(v)).transpose()?,
        path: record.path("path").unwrap_or_default(),
        adopts: false,
        clone: record.text("clone").as_deref() == Some("true"),
        seat: None,
        elsewhere: false,
    };
    let tasks = Tasks::read(desk.repo)?;
    if tasks.find(&intent.name).is_some_and(|t| t.state.is_live()) {
        let slug = Slug::try_from(intent.name.as_str())?;
        return if half.path.exists() { notes::link_in_main(desk, &half.path, &slug) } else { Ok(()) };
    }
    let parked = record.path("parked").filter(|p| !p.as_os_str().is_empty());
    take_back(desk, &intent.name, &half, parked.as_deref())
}
