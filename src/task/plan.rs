//! The plan: a TOML file that names several tasks and how they depend on one another.
//!
//! The format is the one of the interface's "Plan". What is wrong with a plan is said before anything is made of it.

pub mod order;

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::slug::Slug;
use crate::error::{Failure, Result};
use crate::text;
use crate::toml_file::Source;

/// So many bytes a plan has at most, that nobody's memory is filled by a mistaken name.
pub const FILE_LIMIT: u64 = 8 << 20;

/// A plan that can be carried out.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the tasks start from, if the plan says so.
    pub base: Option<String>,
    /// Every task after those that it depends on, otherwise in the order of the file.
    pub tasks: Vec<PlanTask>,
}

/// One `[[task]]` of a plan.
#[derive(Debug, PartialEq, Eq)]
pub struct PlanTask {
    /// The task's name.
    pub name: Slug,
    /// The subject of the merge message.
    pub title: Option<String>,
    /// What goes into the note's Goal.
    pub goal: Option<String>,
    /// The key `type`, for `{type}` in formats.
    pub kind: Option<String>,
    /// Pathspecs that the task is expected to stay within.
    pub scope: Vec<String>,
    /// The tasks it is integrated after: of this plan, or made earlier. None is named twice.
    pub after: Vec<Slug>,
    /// It comes after every task of a lower phase. A task without a phase is bound by `after` alone.
    pub phase: Option<u32>,
    /// A higher one goes first; 0 if not given.
    pub priority: i64,
    /// The session that works on it.
    pub session: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlan {
    base: Option<String>,
    #[serde(default)]
    task: Vec<RawTask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTask {
    name: Spanned<String>,
    title: Option<String>,
    goal: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default)]
    after: Vec<Spanned<String>>,
    phase: Option<u32>,
    #[serde(default)]
    priority: i64,
    session: Option<String>,
}

/// Reads a plan. `file_name` is what errors call it; `known` says whether a task of that name exists
/// already, because a task may come after one that is not of the plan.
///
/// # Errors
///
/// The first thing that is wrong, with file and line: syntax, an unknown key, a wrong type, a name that is
/// no task name, two tasks of one name (or of names that differ in case alone, which share a directory
/// on some file systems), `after` a task that is nowhere, and tasks that wait for each other.
pub fn parse(text: &str, file_name: &str, known: impl Fn(&str) -> bool) -> Result<Plan> {
    let source = Source::new(text, file_name);
    let raw: RawPlan = source.read()?;
    if raw.task.is_empty() {
        let shown = text::escape_controls(file_name.as_bytes());
        return Err(Failure::fatal(format!("{shown}: the plan has no task")).hint(
            "taskPlan",
            "Each task begins with a line '[[task]]' and has at least a 'name = \"...\"'.",
        ));
    }
    for task in &raw.task {
        task.refuse_nul(source)?;
    }
    let names = names(source, &raw.task)?;
    let links =
        raw.task.iter().map(|task| links(source, task, &names, &known)).collect::<Result<Vec<_>>>()?;

    let node = |(task, links): (&RawTask, &Vec<Link>)| order::Node {
        after: links.iter().filter_map(|link| link.index).collect(),
        phase: task.phase,
    };
    let nodes: Vec<_> = raw.task.iter().zip(&links).map(node).collect();
    let order = order::sort(&nodes).map_err(|cycle| cycle_failure(source, &names.order, &links, &cycle))?;

    let mut tasks: Vec<_> = raw
        .task
        .into_iter()
        .zip(names.order)
        .zip(links)
        .map(|((task, name), links)| Some(task.typed(name, links)))
        .collect();
    // An order holds every index once, so that each is there to be taken.
    Ok(Plan { base: raw.base, tasks: order.into_iter().filter_map(|index| tasks[index].take()).collect() })
}

impl RawTask {
    /// A NUL fits neither git config nor a command line.
    fn refuse_nul(&self, source: Source<'_>) -> Result<()> {
        let options =
            [("title", &self.title), ("goal", &self.goal), ("type", &self.kind), ("session", &self.session)];
        let scope = self.scope.iter().map(|path| ("scope", path));
        let mut all = options.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?))).chain(scope);
        match all.find(|(_, text)| text.contains('\0')) {
            Some((key, _)) => {
                let message = format!("the {key} of this task holds a NUL byte");
                Err(source.refuse(self.name.span().start, message))
            }
            None => Ok(()),
        }
    }

    fn typed(self, name: Slug, links: Vec<Link>) -> PlanTask {
        PlanTask {
            name,
            title: self.title,
            goal: self.goal,
            kind: self.kind,
            scope: self.scope,
            after: links.into_iter().map(|link| link.name).collect(),
            phase: self.phase,
            priority: self.priority,
            session: self.session,
        }
    }
}

/// The tasks' names in the order of the file, and where each is.
struct Names {
    order: Vec<Slug>,
    by_twin: HashMap<String, usize>,
}

fn slug(source: Source<'_>, name: &Spanned<String>) -> Result<Slug> {
    Slug::try_from(name.get_ref().as_str())
        .map_err(|failure| failure.context(source.place(name.span().start)))
}

fn names(source: Source<'_>, tasks: &[RawTask]) -> Result<Names> {
    let mut names = Names { order: Vec::new(), by_twin: HashMap::new() };
    for (index, task) in tasks.iter().enumerate() {
        let name = slug(source, &task.name)?;
        if let Some(first) = names.by_twin.insert(name.twin_key(), index) {
            let line = source.line(tasks[first].name.span().start);
            let earlier = &names.order[first];
            let message = if *earlier == name {
                format!("task '{name}' is already in line {line}")
            } else {
                format!("task '{name}' differs only in case from '{earlier}' in line {line}")
            };
            return Err(source.refuse(task.name.span().start, message));
        }
        names.order.push(name);
    }
    Ok(names)
}

/// One entry of `after`.
struct Link {
    name: Slug,
    offset: usize,
    /// Which task of the plan it is; none if it was made earlier.
    index: Option<usize>,
}

fn links(
    source: Source<'_>,
    task: &RawTask,
    names: &Names,
    known: &impl Fn(&str) -> bool,
) -> Result<Vec<Link>> {
    let mut links: Vec<Link> = Vec::with_capacity(task.after.len());
    for entry in &task.after {
        let name = slug(source, entry)?;
        let offset = entry.span().start;
        if links.iter().any(|link| link.name == name) {
            continue;
        }
        let twin = names.by_twin.get(&name.twin_key()).copied();
        let index = twin.filter(|&index| names.order[index] == name);
        if index.is_none() && !known(name.as_str()) {
            let guess =
                twin.map_or(String::new(), |index| format!(" (did you mean '{}'?)", names.order[index]));
            let message = format!(
                "task '{}' comes after '{name}', which is not a task of the plan or of the repository{guess}",
                task.name.get_ref()
            );
            return Err(source.refuse(offset, message));
        }
        links.push(Link { name, offset, index });
    }
    Ok(links)
}

/// `cycle[0]` comes after `cycle[1]` by its own word, and so on around.
fn cycle_failure(source: Source<'_>, names: &[Slug], links: &[Vec<Link>], cycle: &[order::Step]) -> Failure {
    let next = cycle[1 % cycle.len()].task;
    let link = links[cycle[0].task]
        .iter()
        .find(|link| link.index == Some(next))
        .expect("a cycle is told from a task that names the next one");
    let mut path = String::new();
    for step in cycle {
        path.push_str(&format!("{} -> ", names[step.task]));
    }
    path.push_str(names[cycle[0].task].as_str());
    let phases =
        if cycle.iter().any(|step| step.by_phase) { " (a phase comes after every lower one)" } else { "" };
    source.refuse(link.offset, format!("tasks come after each other: {path}{phases}"))
}

#[cfg(test)]
mod tests;
