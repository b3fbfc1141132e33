//! The order of a run, as a pure value: which task may start now, and what an end lets start or holds up.
//!
//! A task waits for those it comes after, and for the phase below its own. A phase is a node of its own: it
//! closes when all of its tasks have ended, so that a thousand tasks in two phases make a thousand edges and
//! not a million, and so that there is a moment at which a phase can be integrated.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::task::plan::order;

/// A task as the scheduler sees it. Tasks are known by their index.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Those it comes after.
    pub after: Vec<usize>,
    /// Its phase.
    pub phase: Option<u32>,
    /// A higher one goes first.
    pub priority: i64,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It waits for others, or for its turn.
    Waiting,
    /// It is under way.
    Running,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
    /// It can't start, because this node failed.
    Blocked(usize),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This task may start.
    Task(usize),
    /// All tasks of this node have ended: what closes a phase may be done.
    Close(usize),
}

/// The state of a run. Each change is an end that is told to it, or a start that it gives.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The nodes that each node holds up; behind the tasks come the phases.
    followers: Vec<Vec<usize>>,
    /// How many nodes each one still waits for.
    missing: Vec<usize>,
    marks: Vec<Mark>,
    /// Which tasks belong to each node that is a phase.
    members: Vec<Vec<usize>>,
    /// Tasks that may start, best first: priority, then the longest way to the end, then as they were given.
    free: BinaryHeap<(i64, usize, Reverse<usize>)>,
    /// Phases that may be closed.
    closing: Vec<usize>,
    priorities: Vec<i64>,
    lengths: Vec<usize>,
    tasks: usize,
    running: usize,
    keep_going: bool,
}

/// One task of a cycle, which comes after the next one.
pub use order::Step;

impl Schedule {
    /// Puts tasks in order. With `keep_going` a phase closes, and the next starts, without those that failed.
    /// With `at_end` there is one more phase, which closes when all has ended.
    ///
    /// # Errors
    /// A shortest cycle.
    pub fn new(nodes: &[Node], keep_going: bool, at_end: bool) -> Result<Self, Vec<Step>> {
        let plain = nodes.iter().map(|n| order::Node { after: n.after.clone(), phase: n.phase });
        order::sort(&plain.collect::<Vec<_>>())?;
        let tasks = nodes.len();
        let mut waits_for: Vec<Vec<usize>> = nodes.iter().map(|n| n.after.clone()).collect();
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut phases: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (task, node) in nodes.iter().enumerate() {
            if let Some(phase) = node.phase {
                phases.entry(phase).or_default().push(task);
            }
        }
        let highest = phases.keys().next_back().copied();
        let mut below: Option<usize> = None;
        for (phase, inside) in phases {
            for &task in &inside {
                waits_for[task].extend(below);
            }
            // Nothing waits for the last one, unless it is to be closed too.
            if Some(phase) == highest {
                break;
            }
            let close = waits_for.len();
            waits_for.push(inside.iter().copied().chain(below).collect());
            members.push(inside);
            below = Some(close);
        }
        if at_end && tasks > 0 {
            let mut is_rest = vec![true; tasks];
            members.iter().flatten().for_each(|&task| is_rest[task] = false);
            let rest: Vec<usize> = (0..tasks).filter(|&task| is_rest[task]).collect();
            waits_for.push(rest.iter().copied().chain(below).collect());
            members.push(rest);
        }
        let mut followers = vec![Vec::new(); waits_for.len()];
        for (node, before) in waits_for.iter_mut().enumerate() {
            before.sort_unstable();
            before.dedup();
            for &one in before.iter() {
                followers[one].push(node);
            }
        }
        let missing: Vec<usize> = waits_for.iter().map(Vec::len).collect();
        let lengths = lengths(&followers, &missing, tasks);
        let mut schedule = Schedule {
            marks: vec![Mark::Waiting; waits_for.len()],
            priorities: nodes.iter().map(|n| n.priority).collect(),
            free: BinaryHeap::new(),
            closing: Vec::new(),
            running: 0,
            followers,
            missing,
            members,
            lengths,
            tasks,
            keep_going,
        };
        for node in 0..schedule.missing.len() {
            if schedule.missing[node] == 0 {
                schedule.release(node);
            }
        }
        Ok(schedule)
    }

    /// What can be done now, with at most `jobs` tasks at once. What it gives counts as running.
    pub fn next(&mut self, jobs: usize) -> Option<Next> {
        if let Some(phase) = self.closing.pop() {
            self.marks[phase] = Mark::Running;
            return Some(Next::Close(phase));
        }
        if self.running >= jobs {
            return None;
        }
        let (.., Reverse(task)) = self.free.pop()?;
        self.marks[task] = Mark::Running;
        self.running += 1;
        Some(Next::Task(task))
    }

    /// The task that would be next if nothing held it back.
    pub fn peek(&self) -> Option<usize> {
        self.free.peek().map(|(.., Reverse(task))| *task)
    }

    /// How many tasks only wait for their turn.
    pub fn waiting(&self) -> usize {
        self.free.len()
    }

    /// How many tasks are under way.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Where a task stands.
    pub fn mark(&self, task: usize) -> Mark {
        self.marks[task]
    }

    /// The tasks of a phase that is being closed: its own, not those of the phases below.
    pub fn members(&self, phase: usize) -> &[usize] {
        &self.members[phase - self.tasks]
    }

    /// Whether nothing is under way and nothing can start.
    pub fn is_over(&self) -> bool {
        self.running == 0 && self.free.is_empty() && self.closing.is_empty()
    }

    /// The end of a node that was running. Gives the tasks that can't start because of it.
    pub fn end(&mut self, node: usize, succeeded: bool) -> Vec<usize> {
        debug_assert_eq!(self.marks[node], Mark::Running, "only what runs can end");
        if node < self.tasks {
            self.running -= 1;
        }
        self.settle(node, if succeeded { Mark::Done } else { Mark::Failed })
    }

    /// The end of a task that never ran: it was done before, or can't be. Gives the tasks that can't start
    /// because of it.
    pub fn settle_unstarted(&mut self, task: usize, succeeded: bool) -> Vec<usize> {
        self.free.retain(|(.., Reverse(other))| *other != task);
        self.settle(task, if succeeded { Mark::Done } else { Mark::Failed })
    }

    fn settle(&mut self, node: usize, mark: Mark) -> Vec<usize> {
        self.marks[node] = mark;
        let mut blocked = Vec::new();
        let mut ended = vec![node];
        while let Some(node) = ended.pop() {
            for follower in self.followers[node].clone() {
                self.missing[follower] -= 1;
                let passes = self.marks[node] == Mark::Done || (self.keep_going && follower >= self.tasks);
                if !passes && self.marks[follower] == Mark::Waiting {
                    let cause = match self.marks[node] {
                        Mark::Blocked(cause) => cause,
                        _ => node,
                    };
                    self.marks[follower] = Mark::Blocked(cause);
                    ended.push(follower);
                    if follower < self.tasks {
                        blocked.push(follower);
                    }
                } else if self.missing[follower] == 0 {
                    self.release(follower);
                }
            }
        }
        blocked.sort_unstable();
        blocked
    }

    fn release(&mut self, node: usize) {
        if self.marks[node] != Mark::Waiting {
            return;
        }
        if node >= self.tasks {
            self.closing.push(node);
        } else {
            self.free.push((self.priorities[node], self.lengths[node], Reverse(node)));
        }
    }
}

/// The number of tasks on the longest way from each node to the end, itself included.
fn lengths(followers: &[Vec<usize>], missing: &[usize], tasks: usize) -> Vec<usize> {
    let mut missing = missing.to_vec();
    let mut order: Vec<usize> = (0..missing.len()).filter(|&n| missing[n] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for &follower in &followers[order[at]] {
            missing[follower] -= 1;
            if missing[follower] == 0 {
                order.push(follower);
            }
        }
        at += 1;
    }
    let mut lengths = vec![0; missing.len()];
    for &node in order.iter().rev() {
        let behind = followers[node].iter().map(|&f| lengths[f]).max().unwrap_or(0);
        lengths[node] = behind + usize::from(node < tasks);
    }
    lengths
}

#[cfg(test)]
mod tests;
