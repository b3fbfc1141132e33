//! Every command that changes something, killed at any change and with any call failing, against one model:
//!
//! - It ends: as if nothing had been, or with one error and an exit code that says so. What claims to be done is done.
//! - Nothing from before is lost: each commit, each uncommitted and each untracked file is in its place or kept by a
//!   reference, and each line of a note is in a note.
//! - Right afterwards all that only looks works. The same command again, with and without `repair` before it, gets to
//!   where it was to get.
//! - After `repair` nothing is left over: no lock, temporary file, intent, half worktree, branch without a task.
#![cfg(target_os = "linux")]

mod integrate;
pub mod model;
mod pool;
mod session;
mod task;

use std::path::{Path, PathBuf};
use std::process::Command;

use self::model::{Before, as_git_advises, settled, usable};
use crate::support::*;

/// A command and what it is to reach.
pub struct Case {
    /// Makes what it starts from. Returns the main worktree.
    pub prepare: fn(&Sandbox) -> PathBuf,
    /// The program and its arguments.
    pub args: &'static [&'static str],
    /// How it ends undisturbed.
    pub code: i32,
    /// What it says when there is nothing left for it to do.
    pub done: &'static [&'static str],
    /// What is said instead of the same once more.
    pub again: fn(&Sandbox, &Path, &Case),
    /// What holds when it is done.
    pub intended: fn(&Sandbox, &Path),
    /// References that it is asked to forget.
    pub gives_up: &'static str,
}

impl Case {
    /// The most frequent kind, to be completed.
    pub const fn new(
        prepare: fn(&Sandbox) -> PathBuf,
        args: &'static [&'static str],
        intended: fn(&Sandbox, &Path),
    ) -> Self {
        Case { prepare, args, code: 0, done: &[], again: the_same, intended, gives_up: "refs/none/*" }
    }

    /// With what it says when it was done before.
    pub const fn done(mut self, done: &'static [&'static str]) -> Self {
        self.done = done;
        self
    }

    fn command(&self, sandbox: &Sandbox, dir: &Path) -> Command {
        let mut command = sandbox.command(dir, self.args[0]);
        command.args(&self.args[1..]);
        command
    }
}

/// Says the same once more: it does it, or has nothing left to do.
#[track_caller]
fn the_same(sandbox: &Sandbox, dir: &Path, case: &Case) {
    let mut run = Run::of(&mut case.command(sandbox, dir), b"");
    // It says what to do first.
    for program in ["task", "pool"] {
        if run.code != case.code && run.stderr.contains(&format!("'git {program} repair")) {
            sandbox.git(dir, [program, "repair"]).ok();
            run = Run::of(&mut case.command(sandbox, dir), b"");
        }
    }
    let done = case.done.iter().any(|said| run.stderr.contains(said));
    assert!(run.code == case.code || done, "said again\n{run}");
}

/// How many points a run without `GIT_PARALLEL_ALL_POINTS` tries for each command and way to die.
const KILLS: usize = 1;

/// How many ways such a run tries for each command, at one point. Which ones differs from command to command.
const SOME_WAYS: usize = 2;

/// The ways in which calls fail: the error, whether our own fail or those of what we start, whether all later ones
/// fail too.
const WAYS: [(&str, i32, bool, bool); 11] = [
    ("ENOSPC", libc::ENOSPC, true, false),
    ("EIO", libc::EIO, true, false),
    ("EACCES", libc::EACCES, true, false),
    ("EMFILE", libc::EMFILE, true, false),
    ("EINTR", libc::EINTR, true, false),
    ("ENOSPC from then on", libc::ENOSPC, false, true),
    ("EIO from then on", libc::EIO, true, true),
    ("EACCES from then on", libc::EACCES, true, true),
    ("ENOSPC of others", libc::ENOSPC, false, false),
    ("EIO of others", libc::EIO, false, false),
    ("EACCES of others", libc::EACCES, false, false),
];

/// Only this way, for whoever looks into one of them.
const WAY: &str = "GIT_PARALLEL_FAULT";

/// What happened to a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Killed(Victim),
    Refused { ours: bool },
}

#[track_caller]
fn killed(name: &str, case: &Case) {
    let mut counts = Vec::new();
    for victim in [Victim::Ours, Victim::Caller, Victim::All] {
        let points = Points::Scattered(KILLS, name.len());
        let count = at_every(case, points, What::Killed(victim), |n, _| Fault::Kill(victim, n));
        counts.push(format!("{count} {victim:?}"));
    }
    let name = name.trim_start_matches("suite::sweep::");
    say(&format!("sweep: {name}: killed at {}", counts.join(", ")));
}

#[track_caller]
fn refused(name: &str, case: &Case) {
    if !CAN_REFUSE {
        skip("system calls can't be refused on this kind of machine");
        return;
    }
    let only = std::env::var(WAY).ok();
    let all = Points::are_all() || only.is_some();
    let seed: usize = name.bytes().map(usize::from).sum();
    let mut counts = Vec::new();
    for (i, (way, errno, ours, from_then_on)) in WAYS.into_iter().enumerate() {
        let sampled = all || (seed + i) % WAYS.len() < SOME_WAYS;
        if !sampled || only.as_deref().is_some_and(|only| only != way) {
            continue;
        }
        let fault = |n, within: &Path| {
            // A full disk is full for everybody.
            if errno == libc::ENOSPC && from_then_on {
                return Fault::NoSpace(n);
            }
            Fault::Fail(Failing { errno, ours, from_then_on, within: within.to_owned() }, n)
        };
        let points = Points::Scattered(1, seed * WAYS.len() + i);
        let count = at_every(case, points, What::Refused { ours }, fault);
        counts.push(format!("{count} {way}"));
    }
    let name = name.trim_start_matches("suite::sweep::");
    say(&format!("sweep: {name}: refused: {}", counts.join(", ")));
}

/// Tries a fault at many points; gives how many.
#[track_caller]
fn at_every(case: &Case, points: Points, what: What, fault: impl Fn(usize, &Path) -> Fault) -> usize {
    let sandbox = Sandbox::new();
    let dir = (case.prepare)(&sandbox);
    let before = Before::of(&sandbox, &dir, case.gives_up);
    let within = sandbox.path("");
    faulted_at_every(
        &sandbox,
        case.code,
        points,
        || case.command(&sandbox, &dir),
        |n| fault(n, &within),
        |faulted| {
            // git that is killed, or can't remove its lock, leaves it, and says that a person has to remove it.
            if !matches!(what, What::Killed(Victim::Ours) | What::Refused { ours: true }) {
                as_git_advises(&sandbox, &dir);
            }
            usable(&sandbox, &dir);
            if faulted.run.code == case.code && what != What::Killed(Victim::Ours) {
                (case.intended)(&sandbox, &dir);
            } else if matches!(what, What::Refused { .. }) {
                has_one_error(&faulted.run);
            }
            if faulted.number % 2 == 1 {
                settled(&sandbox, &dir);
                before.nothing_is_lost(&sandbox, &dir);
            }
            (case.again)(&sandbox, &dir, case);
            (case.intended)(&sandbox, &dir);
            settled(&sandbox, &dir);
            (case.intended)(&sandbox, &dir);
            before.nothing_is_lost(&sandbox, &dir);
            before.nothing_is_left_over(&sandbox, &dir);
        },
    )
}

/// It ended by itself, with a code that says so and one error that says why.
#[track_caller]
fn has_one_error(run: &Run) {
    assert!([1, 2, 128].contains(&run.code), "{run}");
    let is_error = |line: &str| line.starts_with("error:") || line.starts_with("fatal:");
    // A run has a table with what became of each task, and why.
    let in_table = |line: &str| {
        run.code == 1
            && ["  failed  ", "  blocked  ", "  blocked    "].iter().any(|result| line.contains(result))
    };
    let said = run.stderr.lines().any(is_error) || run.stdout.lines().any(in_table);
    assert!(said, "it doesn't say why\n{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
}

/// Tests of cases by name: killed, and with calls refused.
macro_rules! sweeps {
    ($($name:ident)*) => {
        $(mod $name {
            #[test]
            fn killed() {
                $crate::sweep::killed(module_path!(), &super::$name());
            }

            #[test]
            fn refused() {
                $crate::sweep::refused(module_path!(), &super::$name());
            }
        })*
    };
}
use sweeps;
