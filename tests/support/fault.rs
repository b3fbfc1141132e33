//! Runs a command again and again from the same beginning, with one thing going wrong each time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;

use super::run::Run;
use super::sandbox::Sandbox;
#[cfg(target_os = "linux")]
use super::tracer::{self, Fault, Traced, Victim};

/// Under this variable every point is tried, however long it takes; or, if it is another number than 1, so many.
const ALL_POINTS: &str = "GIT_PARALLEL_ALL_POINTS";

/// How many points of a command to try.
#[derive(Clone, Copy, Debug)]
pub enum Points {
    /// Each one.
    All,
    /// At most so many, spread evenly, with the first and the last among them.
    AtMost(usize),
    /// At most so many, spread evenly, of which the first is anywhere, as the second number has it: so that many
    /// samples of one point are not all of the first.
    Scattered(usize, usize),
}

impl Points {
    /// The chosen ones of the points 1 to `count`.
    pub fn choose(self, count: usize) -> Vec<usize> {
        match self {
            Points::AtMost(most) if count > most && most > 1 => {
                (0..most).map(|i| 1 + i * (count - 1) / (most - 1)).collect()
            }
            Points::AtMost(most) if count > most => (1..=count).take(most).collect(),
            Points::Scattered(most, seed) if count > most => {
                // A multiplier that leaves no small numbers small: see Knuth on multiplicative hashing.
                let first = seed.wrapping_mul(2_654_435_761) % count;
                let mut all: Vec<_> = (0..most).map(|i| 1 + (first + i * count / most) % count).collect();
                all.sort_unstable();
                all
            }
            Points::All | Points::AtMost(_) | Points::Scattered(..) => (1..=count).collect(),
        }
    }

    /// Whether a run was asked for more than a sample.
    pub fn are_all() -> bool {
        std::env::var_os(ALL_POINTS).is_some()
    }

    fn or_all(self) -> Self {
        match std::env::var(ALL_POINTS).ok().and_then(|v| v.parse().ok()) {
            Some(1) => Points::All,
            Some(most) => match self {
                Points::Scattered(_, seed) => Points::Scattered(most, seed),
                _ => Points::AtMost(most),
            },
            _ => self,
        }
    }
}

/// One time that something went wrong.
pub struct Faulted {
    /// Which change it was, counting from 1, and what it was, for messages.
    pub point: String,
    /// The number alone.
    pub number: usize,
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
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("{test}: this was at {}\n{}", self.0.point, self.0.run);
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
    let happened = faulted_at_every(sandbox, 0, points, command, |n| Fault::Kill(victim, n), check);
    assert!(happened > 0, "it changes nothing");
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
    let happened = faulted_at_every(sandbox, 0, points, command, Fault::NoSpace, check);
    assert!(happened > 0, "it changes nothing");
}

/// Runs a command with a fault at many points, in the way of [`killed_at_every`]. Undisturbed it ends with `code`.
/// Gives how often something went wrong: never, if there is nothing that could.
///
/// # Panics
/// As that in the rest.
#[cfg(target_os = "linux")]
#[track_caller]
pub fn faulted_at_every(
    sandbox: &Sandbox,
    code: i32,
    points: Points,
    command: impl Fn() -> Command,
    fault: impl Fn(usize) -> Fault,
    mut check: impl FnMut(&Faulted),
) -> usize {
    let pristine = Pristine::keep(sandbox);
    // Counted with a fault that never comes, so that it counts what the fault counts.
    let Traced { run, calls, .. } = tracer::trace(&mut command(), fault(usize::MAX));
    drop(run.fails(code));
    let (mut happened, mut wrong) = (0, Vec::new());
    for n in points.or_all().choose(calls.len()) {
        pristine.put_back();
        let traced = tracer::trace(&mut command(), fault(n));
        if !traced.happened {
            // Threads and background work don't always make the same number of changes.
            continue;
        }
        happened += 1;
        let call = traced.calls.get(n - 1).map_or("?".to_owned(), ToString::to_string);
        let point = format!("change {n} of {}: {call}", calls.len());
        let faulted = Faulted { point, number: n, run: traced.run };
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let at_point = AtPoint(&faulted);
            check(at_point.0);
        }));
        if let Err(panic) = tried {
            // Who asked for many points is told of all; who wants to look at one is left with it.
            if !Points::are_all() || Sandbox::is_kept() {
                resume_unwind(panic);
            }
            wrong.push(faulted.point);
        }
    }
    assert!(wrong.is_empty(), "wrong at {} of {happened} points:\n{}", wrong.len(), wrong.join("\n"));
    happened
}
