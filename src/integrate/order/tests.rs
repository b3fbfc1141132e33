//! Against what an order is, for random tasks, and against what is said in the odd cases.

use super::*;
use crate::task::{Branch, Slug};

fn task(name: &str, after: &[&str]) -> Task {
    let mut task = Task::new(Slug::try_from(name).unwrap(), Branch::Own(name.into()));
    task.after = after.iter().map(|name| (*name).to_owned()).collect();
    task
}

fn names(tasks: &[Task], others: &[Other]) -> Vec<String> {
    let refs: Vec<&Task> = tasks.iter().collect();
    order(&refs, others).unwrap().order.into_iter().map(|at| tasks[at].slug.to_string()).collect()
}

fn said(tasks: &[Task], others: &[Other]) -> Vec<String> {
    let refs: Vec<&Task> = tasks.iter().collect();
    let left_out = order(&refs, others).unwrap().left_out;
    left_out.iter().map(|out| format!("{} {out}", tasks[out.index].slug)).collect()
}

fn other(name: &str, phase: Option<u32>, missing: Option<&str>) -> Other {
    Other { name: name.into(), phase, missing: missing.map(str::to_owned) }
}

/// A small deterministic generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).expect("24 bits") % limit
    }
}

#[test]
fn priority_goes_before_readiness_and_readiness_before_the_name() {
    let mut tasks = vec![task("a", &[]), task("b", &[]), task("c", &[]), task("d", &["e"]), task("e", &[])];
    for (at, (priority, ready)) in [(0, 30), (0, 10), (5, 40), (9, 1), (0, 20)].into_iter().enumerate() {
        (tasks[at].priority, tasks[at].ready) = (priority, Some(ready));
    }
    assert_eq!(names(&tasks, &[]), ["c", "b", "e", "d", "a"]);
    tasks[1].ready = None;
    assert_eq!(names(&tasks, &[]), ["c", "e", "d", "a", "b"]);
}

#[test]
fn a_phase_waits_for_all_lower_ones() {
    let mut tasks = vec![task("a", &[]), task("b", &[]), task("c", &[]), task("free", &[])];
    tasks[0].phase = Some(3);
    tasks[0].priority = 9;
    tasks[1].phase = Some(1);
    tasks[2].phase = Some(2);
    assert_eq!(names(&tasks, &[]), ["b", "c", "a", "free"]);
    let open = [other("x", Some(1), Some("is not ready"))];
    assert_eq!(names(&tasks, &open), ["b", "free"]);
    assert_eq!(
        said(&tasks, &open),
        [
            "a comes after 'x' of phase 1, which is not ready",
            "c comes after 'x' of phase 1, which is not ready"
        ]
    );
    assert_eq!(names(&tasks, &[other("x", Some(1), None)]).len(), 4);
}

#[test]
fn what_is_missing_is_named_and_so_is_who_goes_with_it() {
    let tasks = [task("a", &["gone"]), task("b", &["a"]), task("c", &["done"]), task("d", &["b", "open"])];
    let others = [other("done", None, None), other("open", None, Some("is not ready"))];
    assert_eq!(names(&tasks, &others), ["c"]);
    assert_eq!(
        said(&tasks, &others),
        [
            "a comes after 'gone', which does not exist",
            "b comes after 'a', which is left out",
            "d comes after 'open', which is not ready"
        ]
    );
}

#[test]
fn a_circle_is_named_and_not_what_waits_for_it() {
    let tasks = [task("a", &["b"]), task("b", &["c"]), task("c", &["d"]), task("d", &["b"]), task("e", &[])];
    let refs: Vec<&Task> = tasks.iter().collect();
    let failure = Failure::from(order(&refs, &[]).unwrap_err());
    assert_eq!(failure.message(), "the tasks come after each other in a circle: b -> c -> d -> b");
    let own = task("x", &["x"]);
    assert_eq!(order(&[&own], &[]).unwrap_err(), Cycle(vec!["x".into()]));
    let mut by_phase = [task("early", &["late"]), task("late", &[])];
    (by_phase[0].phase, by_phase[1].phase) = (Some(1), Some(2));
    let refs: Vec<&Task> = by_phase.iter().collect();
    assert_eq!(order(&refs, &[]).unwrap_err(), Cycle(vec!["early".into(), "late".into()]));
}

/// Random tasks: names, predecessors among them and others, phases, priorities, times.
fn random(random: &mut Random) -> (Vec<Task>, Vec<Other>) {
    let count = 1 + random.below(8);
    let name = |at: usize| format!("t{at}");
    let mut tasks: Vec<Task> = (0..count).map(|at| task(&name(at), &[])).collect();
    for task in &mut tasks {
        for other in 0..count + 2 {
            if random.below(9) == 0 {
                task.after.push(name(other));
            }
        }
        task.phase = Some(random.below(6) as u32).filter(|phase| *phase < 3);
        task.priority = random.below(3) as i64;
        task.ready = Some(random.below(4) as i64);
    }
    let mut others = Vec::new();
    for at in [count, count + 1] {
        let missing = (random.below(2) == 0).then_some("is not ready");
        others.push(other(&name(at), Some(random.below(9) as u32), missing));
    }
    (tasks, others)
}

#[test]
fn random_tasks_are_in_order_or_left_out_or_in_a_circle() {
    let mut source = Random(7);
    let (mut ordered, mut left, mut circles) = (0, 0, 0);
    for round in 0..6000 {
        let (tasks, others) = random(&mut source);
        let refs: Vec<&Task> = tasks.iter().collect();
        let result = order(&refs, &others);
        // Handed over the other way round, the answer is the same.
        let reversed: Vec<&Task> = tasks.iter().rev().collect();
        let named = |result: &Result<Order, Cycle>, tasks: &[&Task]| match result {
            Ok(order) => Ok(order.order.iter().map(|at| tasks[*at].slug.clone()).collect::<Vec<_>>()),
            Err(cycle) => Err(cycle.0.len()),
        };
        assert_eq!(named(&result, &refs), named(&order(&reversed, &others), &reversed), "{round}");
        match result {
            Ok(Order { order, left_out }) => {
                assert_eq!(order.len() + left_out.len(), tasks.len());
                let is_gone = |at: usize| left_out.iter().any(|out| out.index == at);
                for (at, &index) in order.iter().enumerate() {
                    let task = &tasks[index];
                    // Nobody before who should come later, and nobody left out whom it needs.
                    assert!(order[at..].iter().all(|later| !comes_after(task, &tasks[*later])), "{round}");
                    assert!(
                        (0..tasks.len()).all(|i| !is_gone(i) || !comes_after(task, &tasks[i])),
                        "{round}"
                    );
                    // Of those that could go it is the first.
                    let rank = |t: &Task| (Reverse(t.priority), t.ready, t.slug.clone());
                    let can_go = |later: &&usize| {
                        order[at..].iter().all(|i| !comes_after(&tasks[**later], &tasks[*i]))
                    };
                    let best = order[at..].iter().filter(can_go).min_by_key(|i| rank(&tasks[**i]));
                    assert_eq!(best, Some(&index), "{round}");
                }
                // Who is left out has a reason.
                for out in &left_out {
                    let task = &tasks[out.index];
                    let of_others = others.iter().any(|o| {
                        o.name == out.predecessor
                            && o.missing.is_some()
                            && (task.after.contains(&o.name) || task.phase > o.phase)
                    });
                    let of_gone = left_out.iter().any(|o| {
                        tasks[o.index].slug.as_str() == out.predecessor && comes_after(task, &tasks[o.index])
                    });
                    assert!(of_others || of_gone, "{round}: {out}");
                }
                ordered += usize::from(order.len() > 1);
                left += usize::from(!left_out.is_empty());
            }
            Err(Cycle(names)) => {
                let find = |name: &String| tasks.iter().find(|t| t.slug.as_str() == name).unwrap();
                for (at, name) in names.iter().enumerate() {
                    let next = &names[(at + 1) % names.len()];
                    assert!(comes_after(find(name), find(next)), "{round}: {names:?}");
                }
                circles += 1;
            }
        }
    }
    assert!(ordered > 500 && left > 500 && circles > 500, "{ordered} {left} {circles}");
}

#[test]
fn dependents_are_direct_or_not() {
    let mut tasks = [task("a", &[]), task("b", &["a"]), task("c", &["b"]), task("d", &[]), task("e", &[])];
    (tasks[2].phase, tasks[4].phase) = (Some(1), Some(2));
    let found = dependents(tasks.iter(), &["a"]);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["b", "c", "e"]);
    assert!(dependents(tasks.iter(), &["d"]).is_empty());
}

#[test]
fn a_thousand_tasks_take_no_time() {
    let mut tasks: Vec<Task> = (0..1000).map(|at| task(&format!("t{at}"), &[])).collect();
    for (at, task) in tasks.iter_mut().enumerate().skip(1) {
        task.after = vec![format!("t{}", at / 2)];
        task.phase = Some((at / 100) as u32);
    }
    assert_eq!(names(&tasks, &[]).len(), 1000);
}
