//! Programs that know nothing of us, at work in the same repository.

use std::sync::atomic::{AtomicBool, Ordering};

use super::act::NAMES;
use super::history::{History, Span};
use super::random::Random;
use super::worker::{Ground, Written};
use crate::support::*;

/// What a foreign program did.
#[derive(Default)]
pub struct Foreign {
    pub history: History,
    pub written: Vec<Written>,
}

/// The number of the foreign stream of choices, beside those of the workers.
const STREAM: usize = 99;

/// Works until it is told to stop.
pub fn work(ground: &Ground<'_>, stop: &AtomicBool) -> Foreign {
    let mut done = Foreign::default();
    for step in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        one(ground, &mut done, step);
    }
    done
}

fn one(ground: &Ground<'_>, done: &mut Foreign, step: usize) {
    let mut random = Random::of(ground.seed, STREAM, step);
    let git = |args: &[&str]| -> Run {
        let args: Vec<String> = args.iter().map(|s| (*s).to_owned()).collect();
        ground.run(&ground.dir, "git", &args)
    };
    // As users do: once more if the file is locked.
    let patiently = |args: &[&str]| (0..100).any(|_| !git(args).stderr.contains("could not lock"));
    let number = random.below(3);
    let place = format!("../foreign-{number}");
    let what = match random.below(100) {
        0..35 => {
            patiently(&["config", &format!("storm.key{number}"), &step.to_string()]);
            "config"
        }
        35..45 => {
            patiently(&["config", "--unset", &format!("storm.key{number}")]);
            "config --unset"
        }
        45..55 => {
            git(&["worktree", "add", "--quiet", "--detach", &place]);
            "worktree add"
        }
        55..62 => {
            git(&["worktree", "remove", "--force", &place]);
            "worktree remove"
        }
        62..70 => {
            git(&["worktree", "prune"]);
            "worktree prune"
        }
        70..76 => {
            git(&["pack-refs", "--all"]);
            "pack-refs --all"
        }
        // It never takes what is new, whoever is at work.
        76..79 => {
            git(&["gc", "--quiet"]);
            "gc"
        }
        // git's manual: this may take an object from under who is about to refer to it. So nobody is in the
        // middle of something; but work lies about everywhere, committed, staged, removed, and must stay.
        79..82 => {
            let _nobody = ground.quiet.write().expect("nobody panics while reading");
            git(&["gc", "--quiet", "--prune=now"]);
            "gc --prune=now"
        }
        82..88 => {
            git(&["branch", "--force", "foreign", "main"]);
            git(&["branch", "-M", "foreign", &format!("foreign-{number}")]);
            "branch -m"
        }
        88..92 => {
            let task = random.pick(&NAMES);
            let _nobody_commits = ground.branches.write().expect("nobody panics while reading");
            let begin = ground.now();
            let hand = format!("hand-{step}");
            if git(&["branch", "-m", task, &hand]).code == 0 && number == 0 {
                git(&["branch", "-m", &hand, task]);
            }
            done.history.foreign(task, Span { begin, end: ground.now() });
            "branch -m of a task"
        }
        _ => {
            let name = format!("foreign-s{step}.txt");
            let content = format!("foreign {step} of {}\n", ground.seed);
            std::fs::write(ground.dir.join(&name), &content).expect("the main worktree is there");
            let begin = ground.now();
            let committed = git(&["add", "--", &name]).code == 0
                && git(&["commit", "--quiet", "--message", &name, "--", &name]).code == 0;
            done.history.moves(Span { begin, end: ground.now() });
            done.written.push(Written { name, content, committed });
            "commit in the main worktree"
        }
    };
    *done.history.counts.entry((format!("foreign {what}"), 0)).or_default() += 1;
}
