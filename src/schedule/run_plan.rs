//! What a run is going to do: looked up and refused before anything starts.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::command::{self, Chosen};
use super::graph::{Node, Schedule, Step};
use super::run_past::{Past, PastTask};
use super::run_record::Asked;
use crate::config::team::Stage;
use crate::error::{Failure, Result};
use crate::git::worktree::Worktree;
use crate::task::record::Tasks;
use crate::task::{Desk, State, Task, place};
use crate::text::escape_controls;

/// The name of the one stage of a run without stages.
pub const ONLY_STAGE: &str = "session";

/// What a task is taken through.
#[derive(Debug)]
pub struct Planned {
    /// The task as it was when the run began.
    pub task: Task,
    /// Where its files are.
    pub path: Option<PathBuf>,
    /// Those whose work it starts from, besides its base.
    pub brings: Vec<String>,
    /// The command of each stage.
    pub work: Vec<Chosen>,
    /// What an earlier run did.
    pub past: PastTask,
    /// It doesn't run: it was ready before (true), or is blocked (false).
    pub settled: Option<bool>,
}

/// A run that can begin.
#[derive(Debug)]
pub struct Plan {
    /// What was asked for, with all that was left open filled in.
    pub asked: Asked,
    /// The stages that each task goes through.
    pub stages: Vec<Stage>,
    /// The tasks.
    pub tasks: Vec<Planned>,
    /// Their order.
    pub schedule: Schedule,
    /// The worktrees.
    pub worktrees: Vec<Worktree>,
    /// A command of the tracked team file is going to run.
    pub runs_team_commands: bool,
}

fn only_stage() -> Stage {
    Stage { name: ONLY_STAGE.to_owned(), session: None, gate: None }
}

/// The stages with these names, in the order of the team file; all of them if none is named.
///
/// # Errors
/// If there is no such stage.
pub fn stages(desk: &Desk<'_>, names: &[String]) -> Result<Vec<Stage>> {
    let all = desk.settings.team.as_ref().map_or(&[][..], |team| &team.stages);
    let known = || all.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
    for name in names {
        if !all.iter().any(|stage| stage.name == *name) {
            let shown = escape_controls(name.as_bytes());
            let failure = Failure::fatal(format!("no such stage: '{shown}'"));
            return Err(failure.hint(
                "taskStage",
                if all.is_empty() {
                    "Stages are the [[stage]] of .config/git-parallel.toml; there are none.".to_owned()
                } else {
                    format!("The stages are: {}.", known())
                },
            ));
        }
    }
    let wanted = all.iter().filter(|stage| names.is_empty() || names.contains(&stage.name));
    let wanted: Vec<Stage> = wanted.cloned().collect();
    if wanted.is_empty() {
        return Ok(vec![only_stage()]);
    }
    Ok(wanted)
}

/// Looks all up: tasks, order, stages, commands.
///
/// # Errors
/// If a task, stage or session is not there, or if tasks wait for each other.
pub fn plan(desk: &Desk<'_>, asked: Asked, past: Option<Past>) -> Result<Plan> {
    let tasks = Tasks::read(desk.repo)?;
    for (name, failure) in &tasks.bad {
        desk.observer.warn(&format!("task '{}' is left out: {failure}", escape_controls(name)));
    }
    let worktrees = desk.repo.worktrees()?;
    let stages = match asked.command.is_empty() {
        // The one stage that there was is no name of the team file.
        true if past.is_none() || asked.stages != [ONLY_STAGE] => stages(desk, &asked.stages)?,
        _ => vec![only_stage()],
    };
    let chosen = choose(&tasks, &asked.tasks, past.is_some())?;
    let index: HashMap<&str, usize> =
        chosen.iter().enumerate().map(|(i, task)| (task.slug.as_str(), i)).collect();
    let nodes: Vec<Node> = chosen
        .iter()
        .map(|task| Node {
            after: task.after.iter().filter_map(|name| index.get(name.as_str()).copied()).collect(),
            phase: task.phase,
            priority: task.priority,
        })
        .collect();
    let schedule = Schedule::new(&nodes, asked.keep_going, asked.integrate)
        .map_err(|cycle| cycle_failure(&chosen, &cycle))?;
    let mut past_tasks = past.map(|past| past.tasks).unwrap_or_default();
    let argv: Vec<OsString> = asked.command.iter().map(OsString::from).collect();
    let mut runs_team_commands = stages.iter().any(|stage| stage.gate.is_some());
    let mut planned = Vec::with_capacity(chosen.len());
    for task in &chosen {
        let mut work = Vec::new();
        for stage in &stages {
            let named = stage.session.as_deref().or(asked.session.as_deref());
            work.push(command::choose(desk, task, named, &argv)?);
        }
        runs_team_commands |= work.iter().any(|chosen| chosen.from_team);
        planned.push(Planned {
            path: place::path_of(desk.repo, task, &worktrees)?,
            brings: brings(task, &chosen, asked.integrate),
            settled: None,
            work,
            past: past_tasks.remove(task.slug.as_str()).unwrap_or_default(),
            task: (*task).clone(),
        });
    }
    let asked = Asked {
        tasks: chosen.iter().map(|task| task.slug.to_string()).collect(),
        stages: stages.iter().map(|stage| stage.name.clone()).collect(),
        ..asked
    };
    let mut plan = Plan { asked, stages, tasks: planned, schedule, worktrees, runs_team_commands };
    if plan.asked.command.is_empty() {
        for i in 0..plan.tasks.len() {
            plan.tasks[i].settled = settled(desk, &plan.tasks[i], &plan.worktrees)?;
        }
    }
    Ok(plan)
}

/// The tasks with these names, or all live ones. A run that is resumed leaves out what is over meanwhile.
fn choose<'a>(tasks: &'a Tasks, names: &[String], resumed: bool) -> Result<Vec<&'a Task>> {
    if names.is_empty() {
        return Ok(tasks.all.iter().filter(|task| task.state.is_live()).collect());
    }
    let mut chosen: Vec<&Task> = Vec::new();
    for name in names {
        if resumed && tasks.find(name).is_none_or(|task| !task.state.is_live()) {
            continue;
        }
        let task = tasks.require(name)?;
        if !task.state.is_live() {
            return Err(Failure::fatal(format!("task '{}' is {}", task.slug, task.state)));
        }
        if !chosen.iter().any(|other| other.slug == task.slug) {
            chosen.push(task);
        }
    }
    Ok(chosen)
}

/// Those whose work a task starts from: the ones it names, and the tasks of lower phases unless these are
/// integrated in between.
fn brings(task: &Task, chosen: &[&Task], integrates: bool) -> Vec<String> {
    let mut names = task.after.clone();
    if let Some(phase) = task.phase.filter(|_| !integrates) {
        let lower = chosen.iter().filter(|other| other.phase.is_some_and(|other| other < phase));
        let lower = lower.map(|other| other.slug.to_string());
        names.extend(lower.filter(|name| !task.after.contains(name)).collect::<Vec<_>>());
    }
    names
}

/// Whether there is nothing to run for a task: it was ready, or it waits for somebody.
fn settled(desk: &Desk<'_>, planned: &Planned, worktrees: &[Worktree]) -> Result<Option<bool>> {
    let task = &planned.task;
    Ok(match task.state {
        State::Blocked => Some(false),
        State::Ready => {
            let head = place::head_of(desk.repo, task, worktrees)?;
            (task.state_at(head) == State::Ready).then_some(true)
        }
        _ => None,
    })
}

/// A cycle that somebody made by hand, told as that of a plan.
fn cycle_failure(chosen: &[&Task], cycle: &[Step]) -> Failure {
    let name = |step: &Step| &chosen[step.task].slug;
    let mut path = String::new();
    for step in cycle {
        path.push_str(&format!("{} -> ", name(step)));
    }
    path.push_str(name(&cycle[0]).as_str());
    let phases =
        if cycle.iter().any(|step| step.by_phase) { " (a phase comes after every lower one)" } else { "" };
    Failure::fatal(format!("tasks come after each other: {path}{phases}")).hint(
        "taskCycle",
        format!(
            "Break it with 'git config --unset-all task.{}.after', or edit that section.",
            name(&cycle[0])
        ),
    )
}
