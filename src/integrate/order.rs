//! The order in which tasks are integrated: predecessors first, then the higher priority, then who has been
//! ready for longer.
//!
//! Pure: the same tasks give the same order, in whatever order they are handed over.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::fmt;

use crate::error::Failure;
use crate::task::Task;

/// A task that is not among those to integrate, as far as another may wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its name.
    pub name: String,
    /// The phase that holds up those of higher phases; none if it holds up nobody.
    pub phase: Option<u32>,
    /// Why it can't be counted on; none if the target has its work.
    pub missing: Option<String>,
}

/// Tasks in order, and those that can't go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Places in the list of tasks.
    pub order: Vec<usize>,
    /// Those that come after something that is missing, directly or not.
    pub left_out: Vec<LeftOut>,
}

/// A task that is left out, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its place in the list of tasks.
    pub index: usize,
    /// The first of its predecessors that is missing.
    pub predecessor: String,
    /// The predecessor's phase, if it is that which makes it one.
    pub phase: Option<u32>,
    /// Why that one is missing.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase {
            Some(phase) => {
                write!(f, "comes after '{}' of phase {phase}, which {}", self.predecessor, self.why)
            }
            None => write!(f, "comes after '{}', which {}", self.predecessor, self.why),
        }
    }
}

/// Tasks that come after each other in a circle: each after the next, the last after the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<String>);

impl From<Cycle> for Failure {
    fn from(Cycle(names): Cycle) -> Self {
        let first = names.first().map(String::as_str).unwrap_or_default();
        let around: Vec<_> = names.iter().map(String::as_str).chain([first]).collect();
        Failure::fatal(format!("the tasks come after each other in a circle: {}", around.join(" -> "))).hint(
            "integrateCycle",
            format!("See 'git config --get-all task.{first}.after', and unset one of them."),
        )
    }
}

/// Whether `later` names `earlier` as its predecessor, or is of a higher phase.
pub fn comes_after(later: &Task, earlier: &Task) -> bool {
    later.after.iter().any(|name| name == earlier.slug.as_str())
        || later.phase.zip(earlier.phase).is_some_and(|(later, earlier)| later > earlier)
}

/// Those of the tasks that come after one of `gone`, directly or by way of others. `gone` are not among them.
pub fn dependents<'a>(tasks: impl Iterator<Item = &'a Task> + Clone, gone: &[&str]) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = gone.iter().map(|name| (*name).to_owned()).collect();
    loop {
        let before = found.len();
        for task in tasks.clone() {
            let waits = || tasks.clone().any(|t| found.contains(t.slug.as_str()) && comes_after(task, t));
            if !found.contains(task.slug.as_str()) && waits() {
                found.insert(task.slug.to_string());
            }
        }
        if found.len() == before {
            found.retain(|name| !gone.contains(&name.as_str()));
            return found;
        }
    }
}

/// Puts tasks in order. `others` are the tasks that are not to be integrated; a predecessor that is neither
/// counts as missing.
///
/// Among the tasks that can go, the one of the highest priority goes first, then the one that has been ready for
/// the longest time, then by name.
///
/// # Errors
/// If tasks come after each other in a circle.
pub fn order(tasks: &[&Task], others: &[Other]) -> Result<Order, Cycle> {
    let graph = Graph::new(tasks);
    let left_out = graph.left_out(tasks, others);
    let gone: BTreeSet<usize> = left_out.iter().map(|out| out.index).collect();
    let order = graph.sorted(tasks, &gone);
    if order.len() + gone.len() < tasks.len() {
        let placed: BTreeSet<usize> = order.iter().copied().chain(gone).collect();
        return Err(graph.cycle(tasks, &placed));
    }
    Ok(Order { order, left_out })
}

/// Who waits for whom. Behind the tasks there is a gate for each phase, which waits for the tasks of the phase
/// below and for the gate below: edges from each task to each of a lower phase would be too many.
struct Graph {
    waits_for: Vec<Vec<usize>>,
}

impl Graph {
    fn new(tasks: &[&Task]) -> Self {
        let places: HashMap<&str, usize> =
            tasks.iter().enumerate().map(|(at, task)| (task.slug.as_str(), at)).collect();
        let named = |task: &Task| -> Vec<usize> {
            task.after.iter().filter_map(|name| places.get(name.as_str()).copied()).collect()
        };
        let mut waits_for: Vec<Vec<usize>> = tasks.iter().map(|task| named(task)).collect();
        let phases: BTreeSet<u32> = tasks.iter().filter_map(|task| task.phase).collect();
        let mut below: Vec<usize> = Vec::new();
        for phase in phases {
            let gate = waits_for.len();
            waits_for.push(std::mem::take(&mut below));
            for (at, _) in tasks.iter().enumerate().filter(|(_, task)| task.phase == Some(phase)) {
                waits_for[at].push(gate);
                below.push(at);
            }
            below.push(gate);
        }
        Graph { waits_for }
    }

    /// Kahn's algorithm. Gates go at once, since they only hold up others.
    fn sorted(&self, tasks: &[&Task], gone: &BTreeSet<usize>) -> Vec<usize> {
        let mut followers = vec![Vec::new(); self.waits_for.len()];
        let mut open: Vec<usize> = self.waits_for.iter().map(Vec::len).collect();
        for (node, before) in self.waits_for.iter().enumerate() {
            before.iter().for_each(|&one| followers[one].push(node));
        }
        let key = |node: usize| {
            let rank =
                tasks.get(node).map(|t| (Reverse(t.priority), t.ready.unwrap_or(i64::MAX), t.slug.as_str()));
            Reverse((rank, node))
        };
        // What is gone holds up nobody who is not gone as well; it only has to be counted.
        let mut free: BinaryHeap<_> = (0..open.len()).filter(|&node| open[node] == 0).map(key).collect();
        let mut order = Vec::new();
        while let Some(Reverse((_, node))) = free.pop() {
            if node < tasks.len() && !gone.contains(&node) {
                order.push(node);
            }
            for &follower in &followers[node] {
                open[follower] -= 1;
                if open[follower] == 0 {
                    free.push(key(follower));
                }
            }
        }
        order
    }

    /// Those that wait for something missing, and then those that wait for them.
    fn left_out(&self, tasks: &[&Task], others: &[Other]) -> Vec<LeftOut> {
        let others: HashMap<&str, &Other> = others.iter().map(|other| (other.name.as_str(), other)).collect();
        let held_up: Vec<(u32, &Other)> = {
            let mut all: Vec<_> = others
                .values()
                .filter(|other| other.missing.is_some())
                .filter_map(|other| Some((other.phase?, *other)))
                .collect();
            all.sort_by_key(|(phase, other)| (*phase, other.name.clone()));
            all
        };
        let here: HashMap<&str, usize> =
            tasks.iter().enumerate().map(|(at, task)| (task.slug.as_str(), at)).collect();
        let first_missing = |task: &Task| -> Option<(String, Option<u32>, String)> {
            let named = task.after.iter().filter(|name| !here.contains_key(name.as_str())).find_map(|name| {
                match others.get(name.as_str()) {
                    Some(other) => other.missing.clone().map(|why| (name.clone(), None, why)),
                    None => Some((name.clone(), None, "does not exist".to_owned())),
                }
            });
            let by_phase = || {
                let (phase, other) = held_up.first().filter(|(phase, _)| task.phase > Some(*phase))?;
                Some((other.name.clone(), Some(*phase), other.missing.clone()?))
            };
            named.or_else(by_phase)
        };
        let mut found: Vec<Option<LeftOut>> = tasks
            .iter()
            .enumerate()
            .map(|(index, task)| {
                let (predecessor, phase, why) = first_missing(task)?;
                Some(LeftOut { index, predecessor, phase, why })
            })
            .collect();
        let mut queue: VecDeque<usize> = (0..tasks.len()).filter(|&at| found[at].is_some()).collect();
        while let Some(gone) = queue.pop_front() {
            for (index, task) in tasks.iter().enumerate() {
                if found[index].is_none() && index != gone && comes_after(task, tasks[gone]) {
                    let is_named = task.after.iter().any(|name| name == tasks[gone].slug.as_str());
                    found[index] = Some(LeftOut {
                        index,
                        predecessor: tasks[gone].slug.to_string(),
                        phase: tasks[gone].phase.filter(|_| !is_named),
                        why: "is left out".to_owned(),
                    });
                    queue.push_back(index);
                }
            }
        }
        let mut left_out: Vec<LeftOut> = found.into_iter().flatten().collect();
        left_out.sort_by_key(|out| tasks[out.index].slug.clone());
        left_out
    }

    /// A shortest cycle among the tasks that could not be placed.
    fn cycle(&self, tasks: &[&Task], placed: &BTreeSet<usize>) -> Cycle {
        let mut starts: Vec<usize> = (0..tasks.len()).filter(|at| !placed.contains(at)).collect();
        starts.sort_by_key(|&at| &tasks[at].slug);
        let cycles = starts.into_iter().filter_map(|start| self.cycle_through(start, tasks.len()));
        let shortest = cycles.min_by_key(Vec::len).expect("tasks that can't be placed wait for each other");
        Cycle(shortest.into_iter().map(|at| tasks[at].slug.to_string()).collect())
    }

    /// A shortest way from a task back to itself, gates left out.
    fn cycle_through(&self, start: usize, tasks: usize) -> Option<Vec<usize>> {
        let mut reached_from: Vec<Option<usize>> = vec![None; self.waits_for.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for &next in &self.waits_for[node] {
                if reached_from[next].is_none() {
                    reached_from[next] = Some(node);
                    queue.push_back(next);
                }
            }
        }
        let mut way = vec![reached_from[start]?];
        while let Some(&last) = way.last().filter(|&&last| last != start) {
            way.push(reached_from[last].expect("every node on the way was reached from one before"));
        }
        way.reverse();
        way.retain(|&node| node < tasks);
        Some(way)
    }
}
