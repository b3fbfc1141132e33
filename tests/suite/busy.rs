//! Several at the same task or slot: who comes later waits, and says for whom if that takes too long.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::pool::with_pool;
use crate::support::*;

/// Another process that is at a task or a slot, as far as ours can tell.
struct Other {
    file: File,
    path: PathBuf,
}

impl Other {
    fn at(sandbox: &Sandbox, dir: &Path, name: &str, intent: &str) -> Self {
        let path = dir.join(".git/git-parallel/intents").join(name);
        sandbox.write(dir, &path, intent);
        let file = File::open(&path).unwrap();
        file.lock().unwrap();
        Other { file, path }
    }

    fn ends(self) {
        std::fs::remove_file(self.path).unwrap();
    }

    fn dies(self) {
        drop(self.file);
    }
}

/// Runs git, and `then` when it was seen to look again and again.
fn waits(sandbox: &Sandbox, dir: &Path, args: &[&str], then: impl FnOnce()) -> Run {
    // Whoever looks takes the lock and writes into it.
    let look = || {
        let lock = std::fs::metadata(dir.join(".git/git-parallel/lock"));
        lock.map_or((0, 0), |lock| (lock.mtime(), lock.mtime_nsec()))
    };
    std::thread::scope(|scope| {
        let (mut last, mut looks) = (look(), 0);
        let asking = scope.spawn(|| sandbox.git(dir, args));
        while looks < 10 && !asking.is_finished() {
            let now = look();
            looks += usize::from(std::mem::replace(&mut last, now) != now);
            std::thread::yield_now();
        }
        if asking.is_finished() {
            panic!("it does not wait: {}", asking.join().unwrap());
        }
        then();
        asking.join().unwrap()
    })
}

#[test]
fn who_finds_another_at_it_waits_until_that_one_is_done() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 2);
    sandbox.git(&dir, ["config", "task.limit", "100"]).ok();
    sandbox.task(&dir, ["add", "-q", "--no-pool", "a", "b", "c", "d", "e", "f"]).ok();
    sandbox.task(&dir, ["rm", "-q", "f"]).ok();
    sandbox.pool(&dir, ["claim", "g", "--no-refill"]).ok();
    sandbox.pool(&dir, ["release", "-q", "g"]).ok();
    sandbox.pool(&dir, ["claim", "--no-refill"]).ok();
    let slot = sandbox.pool(&dir, ["list", "--format=%(slot) %(state)"]).ok().stdout;
    let slot = slot.lines().find_map(|line| line.strip_suffix(" claimed")).unwrap().to_owned();
    let of_slot = (format!("pool:{slot}"), format!("[update]\n\tslot = {slot}\n\tpid = 999999\n"));
    let cases: [(&str, &[&str]); 9] = [
        ("a", &["task", "lock", "a"]),
        ("b", &["task", "rename", "b", "b2"]),
        ("c", &["task", "move", "c", "../c2"]),
        ("d", &["task", "rm", "d"]),
        ("e", &["task", "start", "e", "--", "true"]),
        ("f", &["task", "restore", "f"]),
        ("g", &["pool", "claim", "g", "--no-refill"]),
        ("h", &["task", "add", "h"]),
        (&of_slot.0, &["pool", "release", &slot]),
    ];
    for (name, args) in cases {
        let intent = match name.starts_with("pool:") {
            true => of_slot.1.clone(),
            false => "[unlock]\n\tpid = 999999\n".to_owned(),
        };
        let other = Other::at(&sandbox, &dir, name, &intent);
        let at_once = sandbox.git(&dir, [&["-c", "task.lockTimeout=0"], args].concat());
        let kind = if name.starts_with("pool:") { "update" } else { "unlock" };
        at_once.fails(128).says(&format!("is being changed by another process, 999999 ('{kind}')"));
        waits(&sandbox, &dir, args, || other.ends()).ok();
    }
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn who_waits_for_one_that_is_killed_goes_on() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "x"]).ok();
    let other = Other::at(&sandbox, &dir, "x", "[lock]\n");
    waits(&sandbox, &dir, &["task", "rename", "x", "y"], || other.dies()).ok();
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("y\n");
}

#[test]
fn what_a_command_runs_itself_does_not_wait_for_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "task.lockTimeout", "1000s"]).ok();
    sandbox.write(&dir, ".config/git-parallel.toml", "[setup]\nrun = [\"git task rename x y\"]\n");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    sandbox.task(&dir, ["add", "x"]).fails(1).says("task 'x' is being changed by another process");
}

#[test]
fn of_many_that_want_the_same_each_is_told_what_came_of_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "-q", "x"]).ok();
    let runs = at_once(8, |_| sandbox.task(&dir, ["rm", "x"]));
    assert_eq!(runs.iter().filter(|run| run.code == 0).count(), 1);
    for run in runs.into_iter().filter(|run| run.code != 0) {
        assert!(!run.stderr.contains("being changed by another process"), "{run}");
    }
    let runs = at_once(8, |_| sandbox.task(&dir, ["restore", "x"]));
    assert_eq!(runs.iter().filter(|run| run.code == 0).count(), 1);
    for run in runs.into_iter().filter(|run| run.code != 0) {
        run.fails(128).says("task 'x' is not removed: it is in");
    }
    assert_sound(&sandbox, &dir);
}
