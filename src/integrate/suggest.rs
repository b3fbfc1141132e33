//! An order of tasks in which as few of them as possible conflict with one that went before.
//!
//! Pure. Which two conflict is known; what a task comes after is kept. The question is that of a largest
//! independent set, so it is answered exactly for small groups of tasks that have to do with each other, and by a
//! rule of thumb for larger ones.

use std::collections::BTreeSet;

/// Up to so many tasks that have to do with each other the answer is exact: 2^n sets of them are looked at.
const EXACT: usize = 14;

/// Orders `count` tasks, known by their place; where nothing else matters the first goes first. `after` has pairs
/// of a task and its predecessor; if they make a circle they are left aside.
pub fn suggest(count: usize, conflicts: &[(usize, usize)], after: &[(usize, usize)]) -> Vec<usize> {
    let mut queues: Vec<Vec<usize>> = groups(count, conflicts, after)
        .into_iter()
        .map(|group| {
            let graph = Graph::of(&group, conflicts, after);
            let order = if group.len() <= EXACT { graph.exact() } else { None };
            let mut order: Vec<usize> =
                order.unwrap_or_else(|| graph.by_rule()).iter().map(|at| group[*at]).collect();
            order.reverse();
            order
        })
        .collect();
    let mut placed: Vec<usize> = Vec::with_capacity(count);
    let clashes = |task: usize, placed: &[usize]| placed.iter().any(|other| meet(conflicts, task, *other));
    while placed.len() < count {
        let heads = queues.iter().enumerate().filter_map(|(at, queue)| Some((at, *queue.last()?)));
        let next = heads.min_by_key(|(_, head)| (clashes(*head, &placed), *head));
        let (queue, task) = next.expect("as long as one is not placed, a queue has it");
        queues[queue].pop();
        placed.push(task);
    }
    placed
}

/// How many of the tasks conflict with one before them in this order.
pub fn clashes(order: &[usize], conflicts: &[(usize, usize)]) -> usize {
    let meets_earlier = |at: &usize| order[..*at].iter().any(|other| meet(conflicts, order[*at], *other));
    (0..order.len()).filter(meets_earlier).count()
}

fn meet(conflicts: &[(usize, usize)], a: usize, b: usize) -> bool {
    conflicts.contains(&(a, b)) || conflicts.contains(&(b, a))
}

/// The tasks that have to do with each other, by way of others too.
fn groups(count: usize, conflicts: &[(usize, usize)], after: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut of: Vec<usize> = (0..count).collect();
    for (a, b) in conflicts.iter().chain(after) {
        let (from, to) = (of[*a].max(of[*b]), of[*a].min(of[*b]));
        of.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
    }
    let names: BTreeSet<usize> = of.iter().copied().collect();
    names.into_iter().map(|name| (0..count).filter(|at| of[*at] == name).collect()).collect()
}

/// One group, its tasks by their place in it.
struct Graph {
    conflicts: Vec<BTreeSet<usize>>,
    before: Vec<BTreeSet<usize>>,
}

impl Graph {
    fn of(group: &[usize], conflicts: &[(usize, usize)], after: &[(usize, usize)]) -> Self {
        let place = |task: &usize| group.binary_search(task).ok();
        let mut graph = Graph {
            conflicts: vec![BTreeSet::new(); group.len()],
            before: vec![BTreeSet::new(); group.len()],
        };
        for (a, b) in conflicts {
            if let (Some(a), Some(b)) = (place(a), place(b)) {
                graph.conflicts[a].insert(b);
                graph.conflicts[b].insert(a);
            }
        }
        for (task, predecessor) in after {
            if let (Some(task), Some(predecessor)) = (place(task), place(predecessor)) {
                graph.before[task].insert(predecessor);
            }
        }
        graph
    }

    /// For each set of placed tasks the fewest clashes that are still to come; then the way that keeps to them.
    fn exact(&self) -> Option<Vec<usize>> {
        let count = self.conflicts.len();
        let bits = |set: &BTreeSet<usize>| set.iter().fold(0_usize, |bits, at| bits | 1 << at);
        let conflicts: Vec<usize> = self.conflicts.iter().map(bits).collect();
        let before: Vec<usize> = self.before.iter().map(bits).collect();
        let full = (1_usize << count) - 1;
        let cost = |task: usize, placed: usize| usize::from(conflicts[task] & placed != 0);
        let can = |task: usize, placed: usize| placed & 1 << task == 0 && before[task] & !placed == 0;
        let mut to_come = vec![usize::MAX; full + 1];
        to_come[full] = 0;
        for placed in (0..full).rev() {
            let ways = (0..count)
                .filter(|task| can(*task, placed))
                .filter_map(|task| to_come[placed | 1 << task].checked_add(cost(task, placed)));
            to_come[placed] = ways.min().unwrap_or(usize::MAX);
        }
        let mut order = Vec::with_capacity(count);
        let mut placed = 0;
        while placed != full {
            let best = to_come[placed];
            let fits = |task: &usize| {
                can(*task, placed)
                    && to_come[placed | 1 << task].checked_add(cost(*task, placed)) == Some(best)
            };
            let next = (0..count).filter(fits).min_by_key(|task| (cost(*task, placed), *task))?;
            order.push(next);
            placed |= 1 << next;
        }
        Some(order)
    }

    /// Of the tasks that may go: one that clashes with nobody placed, before that the one that would clash with the
    /// fewest of those to come.
    fn by_rule(&self) -> Vec<usize> {
        let count = self.conflicts.len();
        let mut order: Vec<usize> = Vec::with_capacity(count);
        let mut open: BTreeSet<usize> = (0..count).collect();
        while !open.is_empty() {
            let is_free = |task: &&usize| self.before[**task].is_disjoint(&open);
            // In a circle nobody is.
            let free: Vec<usize> = open.iter().filter(is_free).copied().collect();
            let free = if free.is_empty() { open.iter().copied().collect() } else { free };
            let clashes = |task: usize| order.iter().any(|placed| self.conflicts[task].contains(placed));
            let harm = |task: usize| self.conflicts[task].intersection(&open).count();
            let next = free.into_iter().min_by_key(|task| (clashes(*task), harm(*task), *task));
            let next = next.expect("one is open, so that one may go");
            open.remove(&next);
            order.push(next);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Random;

    fn permutations(count: usize) -> Vec<Vec<usize>> {
        if count == 0 {
            return vec![Vec::new()];
        }
        let shorter = permutations(count - 1);
        let insert = |order: Vec<usize>| {
            (0..=order.len()).map(move |at| [&order[..at], &[count - 1], &order[at..]].concat())
        };
        shorter.into_iter().flat_map(insert).collect()
    }

    fn keeps(order: &[usize], after: &[(usize, usize)]) -> bool {
        let place = |task: usize| order.iter().position(|t| *t == task);
        after.iter().all(|(task, predecessor)| place(*predecessor) < place(*task))
    }

    #[test]
    fn no_order_has_fewer_clashes() {
        let mut random = Random(3);
        for _ in 0..400 {
            let count = 1 + random.below(6);
            let pairs: Vec<_> = (0..count).flat_map(|b| (0..b).map(move |a| (a, b))).collect();
            let conflicts: Vec<_> = pairs.iter().copied().filter(|_| random.chance(35)).collect();
            let after: Vec<_> = pairs.iter().map(|(a, b)| (*b, *a)).filter(|_| random.chance(15)).collect();
            let order = suggest(count, &conflicts, &after);
            assert!(keeps(&order, &after));
            let all = permutations(count);
            let best = all.iter().filter(|o| keeps(o, &after)).map(|o| clashes(o, &conflicts)).min();
            assert_eq!(Some(clashes(&order, &conflicts)), best, "{conflicts:?} {after:?} {order:?}");
        }
    }

    #[test]
    fn many_are_ordered_well_and_circles_end() {
        // A star: the one that all conflict with goes last.
        let conflicts: Vec<_> = (1..40).map(|at| (0, at)).collect();
        let order = suggest(40, &conflicts, &[]);
        assert_eq!((clashes(&order, &conflicts), order[39]), (1, 0));
        let mut order = suggest(3, &[(0, 1)], &[(0, 1), (1, 2), (2, 0)]);
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2]);
        assert_eq!(suggest(4, &[], &[(0, 3)]), [1, 2, 3, 0]);
        assert_eq!(suggest(0, &[], &[]), [0_usize; 0]);
    }
}
