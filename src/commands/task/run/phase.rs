//! The end of a phase of `git task run --integrate`: what is ready of it goes into its base.

use std::collections::BTreeMap;

use crate::commands::{Cx, integrate};
use crate::error::Result;
use crate::integrate::execute::{Ended, Fared, Report};
use crate::integrate::place::Place;
use crate::schedule::run::Closed;
use crate::task::record::Tasks;
use crate::task::{State, Task, place};

/// Integrates these tasks, each into its base. One that isn't ready holds the next phase up, unless
/// `keep_going` leaves it out.
///
/// # Errors
/// If an integration is refused.
pub fn integrate(cx: &Cx, tasks: &[String], keep_going: bool) -> Result<Closed> {
    let mut closed = Closed::default();
    for (target, names) in by_target(cx, tasks)? {
        if let Some(report) = go_on(cx, &target)? {
            take(&mut closed, &report);
            if closed.stopped.is_some() {
                return Ok(closed);
            }
        }
        let (ready, others) = split(cx, &names)?;
        if !others.is_empty() {
            if !keep_going {
                let verb = if others.len() == 1 { "is" } else { "are" };
                let quoted: Vec<_> = others.iter().map(|name| format!("'{name}'")).collect();
                closed.stopped = Some(format!("{} {verb} not ready", quoted.join(", ")));
                return Ok(closed);
            }
            closed.left_out.extend(others.into_iter().map(|name| (name, "it is not ready".to_owned())));
        }
        if ready.is_empty() {
            continue;
        }
        let args = integrate::Args {
            tasks: ready,
            into: Some(target),
            keep_going,
            // Nobody is asked in the middle of a run.
            on_conflict: Some(if keep_going { "skip" } else { "stop" }.to_owned()),
            ..integrate::Args::default()
        };
        let (_, report) = integrate::start::execute(cx, &args)?;
        take(&mut closed, &report);
        if closed.stopped.is_some() {
            return Ok(closed);
        }
    }
    Ok(closed)
}

/// An earlier run may have been cut off here.
fn go_on(cx: &Cx, target: &str) -> Result<Option<Report>> {
    let place = Place::of(&cx.repo, &format!("refs/heads/{target}"));
    match Place::in_progress(&cx.repo)?.contains(&place) {
        true => integrate::go_on(cx, &place.target),
        false => Ok(None),
    }
}

/// The tasks that have a branch to integrate, by where they go.
fn by_target(cx: &Cx, names: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
    let tasks = Tasks::read(&cx.repo)?;
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for task in names.iter().filter_map(|name| tasks.find(name)) {
        let into = cx.settings.integrate.into.as_ref().or(task.base.as_ref());
        if let (Some(target), Some(_)) = (into, task.own_branch()) {
            all.entry(target.clone()).or_default().push(task.slug.to_string());
        }
    }
    Ok(all)
}

/// Those that are ready, and those that are neither that nor integrated.
fn split(cx: &Cx, names: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let (tasks, worktrees) = (Tasks::read(&cx.repo)?, cx.repo.worktrees()?);
    let (mut ready, mut others) = (Vec::new(), Vec::new());
    for task in names.iter().filter_map(|name| tasks.find(name)).filter(|task| task.state.is_live()) {
        match state(cx, task, &worktrees)? {
            State::Ready => ready.push(task.slug.to_string()),
            _ => others.push(task.slug.to_string()),
        }
    }
    Ok((ready, others))
}

fn state(cx: &Cx, task: &Task, worktrees: &[crate::git::worktree::Worktree]) -> Result<State> {
    Ok(task.state_at(place::head_of(&cx.repo, task, worktrees)?))
}

/// What came of it, as far as the run needs to know.
fn take(closed: &mut Closed, report: &Report) {
    let is_in = |fared: &Fared| matches!(fared, Fared::Merged(_) | Fared::Contained);
    if matches!(report.ended, Ended::Landed { .. } | Ended::Nothing) {
        let landed = report.fared.iter().filter(|(_, fared)| is_in(fared));
        closed.landed.extend(landed.map(|(slug, _)| slug.to_string()));
        let out = report.fared.iter().filter_map(|(slug, fared)| Some((slug.to_string(), why_out(fared)?)));
        closed.left_out.extend(out);
        return;
    }
    let why = report.fared.iter().find_map(|(slug, fared)| match fared {
        Fared::Skipped(_) => None,
        fared => Some(format!("'{slug}': {}", why_out(fared)?)),
    });
    let why = why.unwrap_or_else(|| "the integration has stopped".to_owned());
    closed.stopped = Some(format!("{why}; see 'git integrate --status'"));
}

/// Why a task didn't land, if something kept it from that.
fn why_out(fared: &Fared) -> Option<String> {
    match fared {
        Fared::Conflict(all) => {
            let paths: Vec<_> = all.iter().map(|(_, path)| path.to_string()).collect();
            Some(format!("it conflicts in {}", paths.join(", ")))
        }
        Fared::Failed(check) => Some(format!("it failed: {check}")),
        Fared::Skipped(why) => Some(format!("it was left out: {why}")),
        Fared::Merged(_) | Fared::Contained | Fared::Empty | Fared::Waiting => None,
    }
}
