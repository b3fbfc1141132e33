//! Many at once, at random, against a model: every answer has a legal order, nothing is lost, nothing is left.
//!
//! `GIT_PARALLEL_SEED` repeats the choices of a run, and `GIT_PARALLEL_STORM` makes it as long as one likes.

mod act;
mod aftermath;
mod checker;
mod foreign;
mod history;
mod random;
mod refusal;
mod search;
mod slot;
mod task;
mod verdict;
mod worker;

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock, mpsc};
use std::time::{Duration, Instant};

use crate::support::*;
use act::SLOTS;
use history::History;
use worker::{Ground, Worker};

/// How many work at once, beside the foreign programs.
const WORKERS: usize = 6;

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Commands(usize),
    Time(Duration),
}

/// `200` is so many commands, `300s` so long.
fn length(text: &str) -> Option<Length> {
    match text.strip_suffix('s') {
        Some(seconds) => seconds.parse().ok().map(|s| Length::Time(Duration::from_secs(s))),
        None => text.parse().ok().map(Length::Commands),
    }
}

#[test]
fn any_number_at_once_have_a_legal_order_and_lose_nothing() {
    let variable = |name: &str| std::env::var(name).ok();
    let seed = match variable("GIT_PARALLEL_SEED") {
        Some(text) => text.parse().expect("GIT_PARALLEL_SEED is a number"),
        None => std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos() as u64 % 1_000_000_007,
    };
    // Not in the ordinary suite before it has been found clean often enough: CONTRIBUTING.md says how often.
    let Some(long) = variable("GIT_PARALLEL_STORM") else {
        return skip("GIT_PARALLEL_STORM is not set");
    };
    let long = length(&long).expect("GIT_PARALLEL_STORM is a number of commands, or of seconds with an s");
    say(&format!("storm: GIT_PARALLEL_SEED={seed}"));
    let sandbox = Sandbox::new();
    let (counts, wrong) = storm(&sandbox, seed, long);
    counts.iter().for_each(|((what, code), count)| say(&format!("{count:6} × {what} ({code})")));
    say(&format!("{:6} in all", counts.values().sum::<usize>()));
    assert!(wrong.is_empty(), "GIT_PARALLEL_SEED={seed}: {} things\n{}", wrong.len(), wrong.join("\n\n"));
}

type Counts = std::collections::BTreeMap<(String, i32), usize>;

/// Lets them all loose. How often what was done, and what was wrong.
fn storm(sandbox: &Sandbox, seed: u64, length: Length) -> (Counts, Vec<String>) {
    let dir = sandbox.init();
    sandbox.commit(&dir, "shared.txt", "shared\n", "Share a file");
    for (key, value) in
        [("pool.max", &*SLOTS.to_string()), ("task.limit", "100"), ("task.maxSessions", "100")]
    {
        sandbox.git(&dir, ["config", key, value]).ok();
    }
    sandbox.git(&dir, ["config", "gc.autoDetach", "false"]).ok();
    sandbox.pool(&dir, ["init", "-q", "2"]).ok();
    let pipe = sandbox.root().join("tmp/running");
    sandbox.sh(&dir, &format!("mkfifo '{}'", pipe.display())).ok();
    // Open for both, it lets everybody else open it at once, and nobody see its end.
    let keep_open = std::fs::File::options().read(true).write(true).open(&pipe).expect("it was just made");
    let ground = Ground {
        sandbox,
        dir,
        pipe,
        seed,
        started: Instant::now(),
        quiet: RwLock::new(()),
        branches: RwLock::new(()),
        ids: AtomicU64::new(0),
        log: Mutex::new(std::fs::File::create(sandbox.root().join("storm.log")).expect("it is ours")),
    };
    let stop = AtomicBool::new(false);
    let (mut history, mut written) = (History::default(), Vec::new());
    std::thread::scope(|scope| {
        let foreign = scope.spawn(|| foreign::work(&ground, &stop));
        let work = |number| {
            let ground = &ground;
            scope.spawn(move || {
                let mut worker = Worker::new(ground, number);
                let more = |step: usize| match length {
                    Length::Commands(all) => step < all.div_ceil(WORKERS),
                    Length::Time(time) => ground.started.elapsed() < time,
                };
                (0..).take_while(|step| more(*step)).for_each(|step| worker.step(step));
                worker
            })
        };
        let workers: Vec<_> = (0..WORKERS).map(work).collect();
        for worker in workers {
            let worker = worker.join().unwrap_or_else(|panic| {
                stop.store(true, Ordering::Relaxed);
                std::panic::resume_unwind(panic)
            });
            history.merge(worker.history);
            written.extend(worker.written);
        }
        stop.store(true, Ordering::Relaxed);
        let foreign = foreign.join().expect("a foreign program that can't be started says so");
        history.merge(foreign.history);
        written.extend(foreign.written);
    });
    let mut wrong = all_ended(&ground, keep_open);
    let counts = history.counts.clone();
    wrong.extend(history.judge());
    wrong.extend(aftermath::look(&ground, &written));
    (counts, wrong)
}

/// Waits until what runs in the background has ended, too: then nobody holds the pipe.
fn all_ended(ground: &Ground<'_>, keep_open: std::fs::File) -> Vec<String> {
    const LIMIT: Duration = Duration::from_secs(120);
    let mut reader = std::fs::File::open(&ground.pipe).expect("it is held open for writing");
    drop(keep_open);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(reader.read_to_end(&mut Vec::new()).is_ok());
    });
    match receiver.recv_timeout(LIMIT) {
        Ok(_) => Vec::new(),
        Err(_) => vec!["something still runs in the background".to_owned()],
    }
}
