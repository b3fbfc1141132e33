use super::*;

/// A small deterministic generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).expect("24 bits") % limit
    }
}

fn random_nodes(dice: &mut Dice, count: usize) -> Vec<Node> {
    let phases = dice.below(4);
    let density = 2 + dice.below(12);
    (0..count)
        .map(|task| Node {
            // Phases rise with the index, so that there is no cycle.
            after: (0..task).filter(|_| dice.below(density + task) == 0).collect(),
            phase: (phases > 0 && dice.below(5) > 0)
                .then(|| u32::try_from(task * phases / count).expect("small")),
            priority: i64::try_from(dice.below(3)).expect("small"),
        })
        .collect()
}

fn comes_after(nodes: &[Node], later: usize, earlier: usize) -> bool {
    let lower = nodes[later].phase.zip(nodes[earlier].phase).is_some_and(|(a, b)| b < a);
    lower || nodes[later].after.contains(&earlier)
}

/// What a simulated run came to: when each task began and ended, if it did.
struct Simulated {
    span: Vec<Option<(usize, usize)>>,
    makespan: usize,
    marks: Vec<Mark>,
    closed: Vec<usize>,
}

/// Runs a schedule against a clock that jumps from one end to the next, and checks it at every step.
fn simulate(
    nodes: &[Node],
    durations: &[usize],
    fails: &[bool],
    jobs: usize,
    keep_going: bool,
    at_end: bool,
) -> Simulated {
    let mut schedule = Schedule::new(nodes, keep_going, at_end).expect("no cycle");
    let mut span: Vec<Option<(usize, usize)>> = vec![None; nodes.len()];
    let mut running: Vec<(usize, usize)> = Vec::new();
    let mut closed = Vec::new();
    let mut now = 0;
    loop {
        let mut started: Vec<usize> = Vec::new();
        while let Some(next) = schedule.next(jobs) {
            match next {
                Next::Task(task) => {
                    assert!(span[task].is_none(), "a task starts once");
                    for (earlier, spanned) in span.iter().enumerate() {
                        if comes_after(nodes, task, earlier) {
                            let over = spanned.is_some_and(|(_, end)| end <= now)
                                && !running.iter().any(|(_, t)| *t == earlier);
                            let ended = over || matches!(schedule.mark(earlier), Mark::Blocked(_));
                            assert!(ended, "{task} before {earlier}");
                            let passes = schedule.mark(earlier) == Mark::Done
                                || (keep_going && !nodes[task].after.contains(&earlier));
                            assert!(passes, "{task} although {earlier} failed");
                        }
                    }
                    // Those that start at one moment do so in the order of their priorities.
                    if let Some(&before) = started.last() {
                        assert!(nodes[before].priority >= nodes[task].priority);
                    }
                    started.push(task);
                    span[task] = Some((now, now + durations[task]));
                    running.push((now + durations[task], task));
                }
                Next::Close(phase) => {
                    assert!(schedule.members(phase).iter().all(|t| !running.iter().any(|(_, r)| r == t)));
                    closed.extend(schedule.members(phase));
                    schedule.end(phase, true);
                }
            }
        }
        assert!(running.len() <= jobs && running.len() == schedule.running());
        // Nothing that could run is left while there is room.
        assert!(running.len() == jobs || schedule.waiting() == 0);
        let Some(&(end, task)) = running.iter().min() else { break };
        running.retain(|(_, other)| *other != task);
        now = end;
        for blocked in schedule.end(task, !fails[task]) {
            assert!(span[blocked].is_none(), "what is blocked has not started");
        }
    }
    assert!(schedule.is_over());
    let marks = (0..nodes.len()).map(|task| schedule.mark(task)).collect();
    Simulated { span, makespan: now, marks, closed }
}

/// The longest way through the graph, in time.
fn critical_path(nodes: &[Node], durations: &[usize]) -> usize {
    let mut ends = vec![0; nodes.len()];
    for task in 0..nodes.len() {
        let earlier = (0..task).filter(|&earlier| comes_after(nodes, task, earlier));
        ends[task] = earlier.map(|e| ends[e]).max().unwrap_or(0) + durations[task];
    }
    ends.into_iter().max().unwrap_or(0)
}

#[test]
fn every_task_runs_once_after_those_before_it_and_nothing_idles() {
    let mut dice = Dice(7);
    for _ in 0..3000 {
        let count = 1 + dice.below(14);
        let nodes = random_nodes(&mut dice, count);
        let durations: Vec<usize> = (0..count).map(|_| 1 + dice.below(9)).collect();
        let jobs = 1 + dice.below(4);
        let at_end = dice.below(2) == 0;
        let run = simulate(&nodes, &durations, &vec![false; count], jobs, false, at_end);
        assert!(run.marks.iter().all(|mark| *mark == Mark::Done), "nothing starves");
        assert!(run.span.iter().all(Option::is_some));
        // Graham's bound holds for every schedule that never idles.
        let work: usize = durations.iter().sum();
        let path = critical_path(&nodes, &durations);
        assert!(run.makespan * jobs <= work + (jobs - 1) * path, "{} {work} {path} {jobs}", run.makespan);
        assert!(run.makespan >= path && run.makespan * jobs >= work);
        let mut closed = run.closed;
        closed.sort_unstable();
        if at_end {
            assert_eq!(closed, (0..count).collect::<Vec<_>>(), "every task belongs to one phase");
        }
    }
}

#[test]
fn a_failure_holds_up_those_after_it_and_nothing_else() {
    let mut dice = Dice(11);
    let (mut some_blocked, mut some_passed) = (0, 0);
    for _ in 0..3000 {
        let count = 1 + dice.below(12);
        let nodes = random_nodes(&mut dice, count);
        let durations: Vec<usize> = (0..count).map(|_| 1 + dice.below(5)).collect();
        let fails: Vec<bool> = (0..count).map(|_| dice.below(6) == 0).collect();
        let (jobs, keep_going) = (1 + dice.below(3), dice.below(2) == 0);
        let run = simulate(&nodes, &durations, &fails, jobs, keep_going, dice.below(2) == 0);
        let mut bad: Vec<bool> = vec![false; count];
        for task in 0..count {
            let holds_up = |earlier: usize| match keep_going {
                true => nodes[task].after.contains(&earlier),
                false => comes_after(&nodes, task, earlier),
            };
            let blocked = (0..task).any(|earlier| bad[earlier] && holds_up(earlier));
            bad[task] = blocked || fails[task];
            match run.marks[task] {
                Mark::Blocked(cause) => {
                    some_blocked += 1;
                    assert!(blocked && run.span[task].is_none());
                    assert!(fails[cause] && run.marks[cause] == Mark::Failed, "the cause is what failed");
                }
                Mark::Failed => assert!(!blocked && fails[task]),
                Mark::Done => {
                    some_passed += usize::from(bad.iter().any(|b| *b));
                    assert!(!blocked && !fails[task]);
                }
                mark => panic!("{mark:?} at the end"),
            }
        }
    }
    assert!(some_blocked > 1000 && some_passed > 1000, "{some_blocked} {some_passed}");
}

#[test]
fn priority_goes_before_length_and_length_before_the_order_given() {
    let nodes = vec![
        Node::default(),
        Node { priority: 1, ..Node::default() },
        Node::default(),
        Node { after: vec![2], ..Node::default() },
        Node::default(),
    ];
    let mut schedule = Schedule::new(&nodes, false, false).expect("no cycle");
    let order: Vec<Next> = std::iter::from_fn(|| schedule.next(9)).collect();
    assert_eq!(order, [1, 2, 0, 4].map(Next::Task));
    assert!(schedule.end(2, true).is_empty());
    assert_eq!(schedule.next(9), Some(Next::Task(3)));
}

#[test]
fn a_phase_that_could_not_be_closed_holds_up_the_next() {
    let nodes: Vec<Node> =
        [0, 0, 1].map(|phase| Node { phase: Some(phase), ..Node::default() }).into_iter().collect();
    let mut schedule = Schedule::new(&nodes, false, false).expect("no cycle");
    assert_eq!(schedule.next(9), Some(Next::Task(0)));
    assert_eq!(schedule.next(9), Some(Next::Task(1)));
    assert_eq!(schedule.next(9), None);
    schedule.end(0, true);
    schedule.end(1, true);
    let Some(Next::Close(phase)) = schedule.next(9) else { panic!("the phase is over") };
    assert_eq!(schedule.members(phase), [0, 1]);
    assert_eq!(schedule.end(phase, false), [2]);
    assert_eq!(schedule.mark(2), Mark::Blocked(phase));
    assert!(schedule.is_over());
}

#[test]
fn what_was_done_before_is_not_started() {
    let nodes = vec![Node::default(), Node { after: vec![0], ..Node::default() }, Node::default()];
    let mut schedule = Schedule::new(&nodes, false, false).expect("no cycle");
    assert!(schedule.settle_unstarted(0, true).is_empty());
    assert!(schedule.settle_unstarted(2, false).is_empty());
    assert_eq!(schedule.next(9), Some(Next::Task(1)));
    assert_eq!(schedule.next(9), None);
}

#[test]
fn a_cycle_is_told() {
    let nodes = vec![Node { after: vec![1], ..Node::default() }, Node { after: vec![0], ..Node::default() }];
    let cycle = Schedule::new(&nodes, false, false).expect_err("a cycle");
    assert_eq!(cycle.iter().map(|step| step.task).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn many_tasks_come_close_to_the_lower_bound() {
    // Few tasks leave a few odd ends; durations that nobody knows beforehand can't do better.
    for (count, percent) in [(10, 150), (100, 110), (1000, 102)] {
        for seed in 1..=5 {
            let mut dice = Dice(seed);
            let nodes: Vec<Node> = (0..count)
                .map(|task| Node {
                    after: (task > 0 && dice.below(3) > 0).then(|| dice.below(task)).into_iter().collect(),
                    ..Node::default()
                })
                .collect();
            let durations: Vec<usize> = (0..count).map(|_| 5 + dice.below(95)).collect();
            let jobs = 3;
            let run = simulate(&nodes, &durations, &vec![false; count], jobs, false, false);
            let work = durations.iter().sum::<usize>().div_ceil(jobs);
            let bound = work.max(critical_path(&nodes, &durations));
            assert!(
                run.makespan * 100 <= bound * percent,
                "{count} tasks, seed {seed}: {} of {bound}",
                run.makespan
            );
        }
    }
}
