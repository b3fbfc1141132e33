//! The order of a plan's tasks: predecessors first, otherwise as they were written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// What a task waits for; tasks are known by their place in the file.
pub struct Node {
    /// Those it comes after.
    pub after: Vec<usize>,
    /// It comes after every task of a lower phase.
    pub phase: Option<u32>,
}

/// One task of a cycle, which comes after the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which one.
    pub task: usize,
    /// It does so because of its phase, and does not name the next one itself.
    pub by_phase: bool,
}

/// A stable topological order.
///
/// # Errors
/// A shortest cycle, told from the first task that names its successor.
pub fn sort(nodes: &[Node]) -> Result<Vec<usize>, Vec<Step>> {
    let graph = Graph::new(nodes);
    let order = graph.order();
    if order.len() < nodes.len() { Err(graph.shortest_cycle()) } else { Ok(order) }
}

/// The tasks, and behind them one barrier for each phase, which waits for the tasks of the phase below and
/// for the barrier below. Without barriers, two phases of a thousand tasks would make a million edges.
struct Graph {
    waits_for: Vec<Vec<usize>>,
    tasks: usize,
}

impl Graph {
    fn new(nodes: &[Node]) -> Self {
        let mut waits_for: Vec<Vec<usize>> = nodes.iter().map(|node| node.after.clone()).collect();
        let mut phases: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            if let Some(phase) = node.phase {
                phases.entry(phase).or_default().push(index);
            }
        }
        let mut below: Vec<usize> = Vec::new();
        for (_, members) in phases {
            let barrier = waits_for.len();
            waits_for.push(std::mem::replace(&mut below, members.clone()));
            for member in members {
                waits_for[member].push(barrier);
            }
            below.push(barrier);
        }
        Graph { waits_for, tasks: nodes.len() }
    }

    /// Kahn's algorithm, always taking the first task that can go; barriers at once, since they hold up
    /// others. Shorter than the list of tasks if there is a cycle.
    fn order(&self) -> Vec<usize> {
        let mut followers = vec![Vec::new(); self.waits_for.len()];
        let mut missing: Vec<usize> = self.waits_for.iter().map(Vec::len).collect();
        for (node, predecessors) in self.waits_for.iter().enumerate() {
            for &predecessor in predecessors {
                followers[predecessor].push(node);
            }
        }
        let key = |node: usize| Reverse((node < self.tasks, node));
        let mut free: BinaryHeap<_> =
            (0..missing.len()).filter(|&node| missing[node] == 0).map(key).collect();
        let mut order = Vec::with_capacity(self.tasks);
        while let Some(Reverse((is_task, node))) = free.pop() {
            if is_task {
                order.push(node);
            }
            for &follower in &followers[node] {
                missing[follower] -= 1;
                if missing[follower] == 0 {
                    free.push(key(follower));
                }
            }
        }
        order
    }

    fn shortest_cycle(&self) -> Vec<Step> {
        let mut best: Option<Vec<Step>> = None;
        for start in 0..self.tasks {
            if let Some(cycle) = self.cycle_through(start)
                && best.as_ref().is_none_or(|best| cycle.len() < best.len())
            {
                best = Some(cycle);
            }
        }
        let mut cycle = best.expect("tasks that can't be put in order wait for each other");
        // Phases alone make no cycle, so that one task at least names the next.
        let named = cycle.iter().enumerate().filter(|(_, step)| !step.by_phase);
        let first = named.min_by_key(|(_, step)| step.task).map_or(0, |(at, _)| at);
        cycle.rotate_left(first);
        cycle
    }

    /// A shortest way from a task back to itself.
    fn cycle_through(&self, start: usize) -> Option<Vec<Step>> {
        let mut reached_from: Vec<Option<usize>> = vec![None; self.waits_for.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for &next in &self.waits_for[node] {
                if reached_from[next].is_none() {
                    reached_from[next] = Some(node);
                    queue.push_back(next);
                }
            }
            if reached_from[start].is_some() {
                break;
            }
        }
        let mut nodes = vec![reached_from[start]?];
        while let Some(&last) = nodes.last().filter(|&&last| last != start) {
            nodes.push(reached_from[last].expect("every node on the way was reached from one before"));
        }
        nodes.reverse();
        let mut steps: Vec<Step> = Vec::new();
        for node in nodes {
            match steps.last_mut() {
                Some(last) if node >= self.tasks => last.by_phase = true,
                _ => steps.push(Step { task: node, by_phase: false }),
            }
        }
        Some(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small deterministic generator, so that a failure can be repeated.
    fn next(seed: &mut u64) -> usize {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 40).expect("24 bits")
    }

    fn waits(nodes: &[Node], a: usize, b: usize) -> bool {
        let lower = nodes[a].phase.zip(nodes[b].phase).is_some_and(|(a, b)| b < a);
        lower || nodes[a].after.contains(&b)
    }

    #[test]
    fn every_graph_has_an_order_or_a_cycle() {
        let mut seed = 1;
        let (mut sorted, mut cyclic) = (0, 0);
        for _ in 0..4000 {
            let count = 1 + next(&mut seed) % 7;
            let nodes: Vec<Node> = (0..count)
                .map(|_| Node {
                    after: (0..count).filter(|_| next(&mut seed).is_multiple_of(7)).collect(),
                    phase: Some((next(&mut seed) % 6) as u32).filter(|&phase| phase < 3),
                })
                .collect();
            match sort(&nodes) {
                Ok(order) => {
                    sorted += 1;
                    assert_eq!(order.len(), count);
                    for (at, &task) in order.iter().enumerate() {
                        assert!(order[at..].iter().all(|&later| !waits(&nodes, task, later)));
                    }
                }
                Err(cycle) => {
                    cyclic += 1;
                    assert!(nodes[cycle[0].task].after.contains(&cycle[1 % cycle.len()].task));
                    for (at, step) in cycle.iter().enumerate() {
                        let after = cycle[(at + 1) % cycle.len()].task;
                        assert!(waits(&nodes, step.task, after));
                        assert!(step.by_phase || nodes[step.task].after.contains(&after));
                    }
                }
            }
        }
        assert!(sorted > 500 && cyclic > 500, "{sorted} {cyclic}");
    }

    #[test]
    fn many_tasks_in_two_phases_take_no_million_edges() {
        let nodes: Vec<Node> = (0..20_000).map(|n| Node { after: vec![], phase: Some(1 - n % 2) }).collect();
        let order = sort(&nodes).expect("no cycle");
        assert_eq!(order[..2], [1, 3]);
        assert_eq!(order[10_000..10_002], [0, 2]);
    }
}
