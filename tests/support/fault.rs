//! Runs a command again and again from the same beginning, with one thing going wrong each time.

use std::path::Path;
use std::process::Command;

use super::run::Run;
use super::sandbox::Sandbox;
#[cfg(target_os = "linux")]
use super::tracer::{self, Fault, Traced, Victim};

/// Under this variable every point is tried, however long it takes.
const ALL_POINTS: &str = "GIT_PARALLEL_ALL_POINTS";

/// How many points of a command to try.
#[derive(Clone, Copy, Debug)]
pub enum Points {
    /// Each one.
    All,
    /// At most so many, spread evenly, with the first and the last among them.
    AtMost(usize),
}

impl Points {
    /// The chosen ones of the points 1 to `count`.
    pub fn choose(self, count: usize) -> Vec<usize> {
        match self {
            Points::AtMost(most) if count > most && most > 1 => {
                (0..most).map(|i| 1 + i * (count - 1) / (most - 1)).collect()
            }
            Points::AtMost(most) if count > most => (1..=count).take(most).collect(),
            Points::All | Points::AtMost(_) => (1..=count).collect(),
        }
    }

    fn or_all(self) -> Self {
        if std::env::var_os(ALL_POINTS).is_some_and(|v| v == "1") { Points::All } else { self }
    }
}

/// One time that something went wrong.
pub struct Faulted {
    /// Which change it was, counting from 1, and what it was, for messages.
    pub point: String,
    /// What the command did.
    pub run: Run,
}

/// What lies in a sandbox, to be put back in the same place: worktrees know each other by absolute
/// paths.
struct Pristine<'a>(&'a Sandbox);

impl<'a> Pristine<'a> {
    const DIRS: [&'static str; 2] = ["work", "home"];

    fn keep(sandbox: &'a Sandbox) -> Self {
        let to = sandbox.root().join("pristine");
        std::fs::create_dir(&to).expect("one command at a time in a sandbox");
        copy(sandbox, sandbox.root(), &to);
        Pristine(sandbox)
    }

    fn put_back(&self) {
        let root = self.0.root();
        for dir in Self::DIRS {
            std::fs::remove_dir_all(root.join(dir)).expect("nothing runs in there any more");
        }
        copy(self.0, &root.join("pristine"), root);
    }
}

impl Drop for Pristine<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.root().join("pristine"));
    }
}

#[track_caller]
fn copy(sandbox: &Sandbox, from: &Path, to: &Path) {
    let mut copy = sandbox.command(from, "cp");
    Run::of(copy.arg("-a").args(Pristine::DIRS).arg(to), b"").ok();
}

/// Says at which point a check failed, for the panic that is under way can't.
struct AtPoint<'a>(&'a Faulted);

impl Drop for AtPoint<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was at {}\n{}", self.0.point, self.0.run);
        }
    }
}

/// Kills a command before each change that it makes to the file system, and looks at what is left.
///
/// First the command runs undisturbed, which must succeed, to count the changes. Then, for each
/// point chosen, the sandbox is put back as it was, the command runs and its victim dies, all that
/// it has started ends too, and `check` is called. At the end the sandbox is as `check` left it.
///
/// # Panics
/// If the command fails undisturbed, makes no change, or `check` panics.
#[cfg(target_os = "linux")]
#[track_caller]
pub fn killed_at_every(
    sandbox: &Sandbox,
    victim: Victim,
    points: Points,
    command: impl Fn() -> Command,
    check: impl FnMut(&Faulted),
) {
    every(sandbox, points, command, |n| Fault::Kill(victim, n), check);
}

/// Runs a command on a disk that is full from some change on, for each of them. The same as
/// [`killed_at_every`] in the rest. Says so where a call can't be refused on this machine.
#[cfg(target_os = "linux")]
#[track_caller]
pub fn disk_full_from_every(
    sandbox: &Sandbox,
    points: Points,
    command: impl Fn() -> Command,
    check: impl FnMut(&Faulted),
) {
    if !tracer::CAN_REFUSE {
        super::skip::skip("system calls can't be refused on this kind of machine");
        return;
    }
    every(sandbox, points, command, Fault::NoSpace, check);
}

#[cfg(target_os = "linux")]
#[track_caller]
fn every(
    sandbox: &Sandbox,
    points: Points,
    command: impl Fn() -> Command,
    fault: impl Fn(usize) -> Fault,
    mut check: impl FnMut(&Faulted),
) {
    let pristine = Pristine::keep(sandbox);
    // Counted with a fault that never comes, so that it counts what the fault counts.
    let Traced { run, calls, .. } = tracer::trace(&mut command(), fault(usize::MAX));
    let run = run.ok();
    assert!(!calls.is_empty(), "it changes nothing\n{run}");
    let mut happened = 0;
    for n in points.or_all().choose(calls.len()) {
        pristine.put_back();
        let traced = tracer::trace(&mut command(), fault(n));
        if !traced.happened {
            // Threads and background work don't always make the same number of changes.
            continue;
        }
        happened += 1;
        let call = traced.calls.get(n - 1).map_or("?", String::as_str);
        let faulted = Faulted { point: format!("change {n} of {}: {call}", calls.len()), run: traced.run };
        let at_point = AtPoint(&faulted);
        check(at_point.0);
    }
    assert!(happened > 0, "nothing went wrong at any of {calls:#?}");
}
