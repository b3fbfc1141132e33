//! Which tasks an integration takes, and which branch it moves. It looks once: what moves afterwards is not in it.

use std::collections::{BTreeMap, HashMap};

use gix::ObjectId;

use super::order::Other;
use super::train::Target;
use crate::desk::Desk;
use crate::error::{Failure, Kind, Result};
use crate::git::landed::Landed;
use crate::git::refs::short_name;
use crate::task::record::Tasks;
use crate::task::state::Action;
use crate::task::{State, Task};
use crate::text::escape_controls;

/// A task that is to be integrated, with the tip it has now.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The task.
    pub task: Task,
    /// Its branch's tip.
    pub tip: ObjectId,
}

/// What an integration is about.
#[derive(Debug)]
pub struct Selection {
    /// The branch to move.
    pub target: Target,
    /// The tasks, in no order yet.
    pub chosen: Vec<Chosen>,
    /// Tasks that were said to be ready and aren't, each with the reason.
    pub stale: Vec<(Chosen, String)>,
    /// What is known of all other tasks that a chosen one may wait for.
    pub others: Vec<Other>,
}

/// All tasks and branches, as they were in one moment.
struct Snapshot {
    tasks: Tasks,
    tips: HashMap<String, ObjectId>,
    /// The full name of the branch that each base means.
    bases: HashMap<String, Option<String>>,
    /// `integrate.into`, as a full name.
    configured: Option<String>,
}

/// Chooses. Without names, all ready tasks whose target this is; with names those, which must be ready.
///
/// The target is `into`, else `integrate.into`, else the base of the tasks. None if no task is ready and nothing
/// says what the target would be.
///
/// # Errors
/// If a named task is not ready, or the target is no branch or can't be told.
pub fn select(desk: &Desk<'_>, names: &[String], into: Option<&str>) -> Result<Option<Selection>> {
    let snapshot = Snapshot::take(desk, true)?;
    let candidates = snapshot.candidates(names)?;
    let ready: Vec<&Task> = candidates.iter().copied().filter(|task| snapshot.is_ready(task)).collect();
    let Some(target) = target_of(desk, &snapshot, &ready, into)? else { return Ok(None) };
    let goes_there = |task: &Task| {
        !names.is_empty()
            || snapshot.base_of(task) == Some(target.ref_name.as_str())
            || snapshot.configured.as_deref() == Some(target.ref_name.as_str())
    };
    let chosen: Vec<Chosen> = ready
        .iter()
        .filter(|task| goes_there(task))
        .filter_map(|task| Some(Chosen { task: (*task).clone(), tip: snapshot.tip_of(task)? }))
        .collect();
    if let Some(own) = chosen.iter().find(|c| c.task.branch_ref().as_ref() == Some(&target.ref_name)) {
        return Err(Failure::fatal(format!("'{}' is the branch of task '{}'", target.name(), own.task.slug)));
    }
    let stale = candidates
        .iter()
        .copied()
        .filter(|task| task.state == State::Ready && !snapshot.is_ready(task) && goes_there(task))
        .filter_map(|task| {
            let tip = snapshot.tip_of(task).or(task.ready_tip)?;
            Some((Chosen { task: task.clone(), tip }, snapshot.why_not(task)))
        })
        .collect();
    let others = others(desk, &snapshot, &chosen, &target, &goes_there)?;
    Ok(Some(Selection { target, chosen, stale, others }))
}

/// The branch that [`select`] would choose, without looking at anything else.
///
/// # Errors
/// As [`select`].
pub fn target(desk: &Desk<'_>, names: &[String], into: Option<&str>) -> Result<Option<Target>> {
    let snapshot = Snapshot::take(desk, false)?;
    let candidates = snapshot.candidates(names)?;
    let ready: Vec<&Task> = candidates.into_iter().filter(|task| snapshot.is_ready(task)).collect();
    target_of(desk, &snapshot, &ready, into)
}

fn target_of(
    desk: &Desk<'_>,
    snapshot: &Snapshot,
    ready: &[&Task],
    into: Option<&str>,
) -> Result<Option<Target>> {
    match into.or(desk.settings.integrate.into.as_deref()) {
        Some(name) => require_target(desk, name).map(Some),
        None => match only_base(snapshot, ready)? {
            Some(name) => require_target(desk, &name).map(Some).map_err(advise_into),
            None => Ok(None),
        },
    }
}

impl Snapshot {
    fn take(desk: &Desk<'_>, warns: bool) -> Result<Self> {
        let tasks = Tasks::read(desk.repo)?;
        for (_, failure) in tasks.bad.iter().filter(|_| warns) {
            desk.observer.warn(&format!("leaving a task out: {failure}"));
        }
        let refs: Vec<String> = tasks.all.iter().filter_map(Task::branch_ref).collect();
        let found = desk.repo.find_refs(refs.iter().map(String::as_str))?;
        let tips = found.into_iter().map(|(name, id)| (name.to_owned(), id)).collect();
        let mut bases = HashMap::new();
        for base in tasks.all.iter().filter_map(|task| task.base.as_ref()) {
            if !bases.contains_key(base) {
                bases.insert(base.clone(), desk.repo.find_branch(base)?.map(|(name, _)| name));
            }
        }
        let into = desk.settings.integrate.into.as_deref();
        let configured = into.map(|name| desk.repo.find_branch(name)).transpose()?.flatten();
        Ok(Snapshot { tasks, tips, bases, configured: configured.map(|(name, _)| name) })
    }

    /// The tasks of these names, which must be ready; without names, all tasks.
    fn candidates(&self, names: &[String]) -> Result<Vec<&Task>> {
        if names.is_empty() {
            return Ok(self.tasks.all.iter().collect());
        }
        let mut named = names.iter().map(|name| self.tasks.require(name)).collect::<Result<Vec<_>>>()?;
        named.sort_by(|a, b| a.slug.cmp(&b.slug));
        named.dedup_by(|a, b| a.slug == b.slug);
        require_ready(self, named.iter().copied())?;
        Ok(named)
    }

    fn tip_of(&self, task: &Task) -> Option<ObjectId> {
        self.tips.get(&task.branch_ref()?).copied()
    }

    fn base_of(&self, task: &Task) -> Option<&str> {
        self.bases.get(task.base.as_ref()?)?.as_deref()
    }

    fn is_ready(&self, task: &Task) -> bool {
        task.own_branch().is_some() && task.state_at(self.tip_of(task)) == State::Ready
    }

    /// Why a task is not ready, as it goes on after its name.
    fn why_not(&self, task: &Task) -> String {
        match (task.state, self.tip_of(task)) {
            (State::Ready, None) => "has lost its branch".to_owned(),
            (State::Ready, Some(_)) => "has moved since it became ready".to_owned(),
            (State::Blocked, _) => "is blocked".to_owned(),
            (State::Dropped, _) => "was dropped".to_owned(),
            (State::Integrated, _) => "is already integrated".to_owned(),
            (State::Open, _) => "is not ready".to_owned(),
        }
    }
}

/// # Errors
/// Naming all that are not, since nothing is integrated then.
fn require_ready<'a>(snapshot: &Snapshot, named: impl Iterator<Item = &'a Task>) -> Result<()> {
    let mut refusals: Vec<Failure> = Vec::new();
    for task in named.filter(|task| !snapshot.is_ready(task)) {
        refusals.push(refusal(snapshot, task));
    }
    if refusals.len() < 2 {
        return refusals.pop().map_or(Ok(()), Err);
    }
    let all: Vec<String> = refusals.iter().map(Failure::message).collect();
    let hint = refusals.into_iter().find_map(|refusal| refusal.hint);
    let failure = Failure::fatal(all.join("; "));
    Err(match hint {
        Some(hint) => failure.hint(hint.key, hint.text),
        None => failure,
    })
}

fn refusal(snapshot: &Snapshot, task: &Task) -> Failure {
    let slug = &task.slug;
    if let Err(failure) = task.state.after(Action::Integrate, slug) {
        return failure;
    }
    let Some(full) = task.branch_ref() else {
        return Failure::fatal(format!("task '{slug}' follows another branch and has none to integrate"));
    };
    if task.state == State::Ready && snapshot.tip_of(task).is_none() {
        return Failure::fatal(format!("the branch of task '{slug}' is gone: '{full}'"))
            .hint("taskRepair", "See 'git task repair -n'.");
    }
    Failure::fatal(format!("task '{slug}' {}", snapshot.why_not(task)))
        .hint("integrateReady", format!("Say that its commits can be integrated: 'git task ready {slug}'."))
}

/// The branch that all these tasks go back to; none without tasks.
fn only_base(snapshot: &Snapshot, ready: &[&Task]) -> Result<Option<String>> {
    let mut bases: BTreeMap<&str, &str> = BTreeMap::new();
    for task in ready {
        let slug = &task.slug;
        match (snapshot.base_of(task), &task.base) {
            (Some(base), _) => drop(bases.insert(base, slug.as_str())),
            (None, Some(gone)) => {
                let shown = escape_controls(gone.as_bytes());
                return Err(advise_into(Failure::fatal(format!(
                    "the base of task '{slug}' is gone: '{shown}'"
                ))));
            }
            (None, None) => return Err(advise_into(Failure::fatal(format!("task '{slug}' has no base")))),
        }
    }
    if bases.len() > 1 {
        let names: Vec<_> = bases.keys().map(|name| format!("'{}'", short_name(name))).collect();
        let message = format!("the tasks go to several branches: {}", names.join(", "));
        return Err(advise_into(Failure::fatal(message)));
    }
    Ok(bases.into_keys().next().map(str::to_owned))
}

fn advise_into(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Fatal if failure.hint.is_none() => failure.hint(
            "integrateInto",
            "Choose the branch with 'git integrate --into <branch>', or set integrate.into.",
        ),
        _ => failure,
    }
}

/// The local branch of that name.
///
/// # Errors
/// As `git switch` says it: there is none, or it is something else.
pub fn require_target(desk: &Desk<'_>, name: &str) -> Result<Target> {
    let shown = escape_controls(name.as_bytes());
    let short = name.strip_prefix("refs/heads/").unwrap_or(name);
    let full = format!("refs/heads/{short}");
    if let Some(tip) = desk.repo.find_ref(&full)? {
        return Ok(Target { ref_name: full, tip });
    }
    let is = |prefix: &str| {
        let short = name.strip_prefix(prefix).unwrap_or(name);
        desk.repo.find_ref(&format!("{prefix}{short}")).map(|found| found.is_some())
    };
    let what = match () {
        () if is("refs/tags/")? => Some("tag"),
        () if is("refs/remotes/")? => Some("remote branch"),
        () if desk.repo.find_commit(name)?.is_some() => Some("commit"),
        () => None,
    };
    Err(match what {
        Some(what) => Failure::fatal(format!("a branch is expected, got {what} '{shown}'")),
        None => Failure::fatal(format!("invalid reference: {shown}")),
    })
}

/// What the tasks that aren't chosen mean to those that are.
fn others(
    desk: &Desk<'_>,
    snapshot: &Snapshot,
    chosen: &[Chosen],
    target: &Target,
    goes_there: &impl Fn(&Task) -> bool,
) -> Result<Vec<Other>> {
    let is_chosen = |task: &Task| chosen.iter().any(|c| c.task.slug == task.slug);
    let is_named = |task: &Task| chosen.iter().any(|c| c.task.after.iter().any(|a| a == task.slug.as_str()));
    let last_phase = chosen.iter().filter_map(|c| c.task.phase).max();
    let mut others = Vec::new();
    for task in snapshot.tasks.all.iter().filter(|task| !is_chosen(task)) {
        // Only a task of the same plan holds up a later phase, and one that goes elsewhere is of another.
        let same = goes_there(task) || snapshot.base_of(task) == Some(target.ref_name.as_str());
        let phase = task.phase.filter(|phase| same && task.state.is_live() && Some(*phase) < last_phase);
        if !is_named(task) && phase.is_none() {
            continue;
        }
        let missing = match task.state {
            State::Integrated => None,
            _ if has_landed(desk, snapshot, task, target)? => None,
            _ if snapshot.is_ready(task) && !goes_there(task) => Some("goes to another branch".to_owned()),
            _ if snapshot.is_ready(task) => Some("is not among the tasks named".to_owned()),
            _ => Some(snapshot.why_not(task)),
        };
        others.push(Other { name: task.slug.to_string(), phase, missing });
    }
    Ok(others)
}

/// Whether the target has a task's work already, whatever is said of its state.
fn has_landed(desk: &Desk<'_>, snapshot: &Snapshot, task: &Task, target: &Target) -> Result<bool> {
    let Some(tip) = snapshot.tip_of(task) else { return Ok(false) };
    let landed = desk.repo.landed(tip, task.start, target.tip)?;
    Ok(matches!(landed, Landed::Merged | Landed::SameTree | Landed::PatchId))
}

/// A branch that went while we looked.
pub fn gone(full_name: &str) -> Failure {
    Failure::fatal(format!("invalid reference: {}", escape_controls(short_name(full_name).as_bytes())))
}
