//! `git task watch`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::support::*;

/// A `git task watch` whose lines are read one by one.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watching {
    fn start(sandbox: &Sandbox, dir: &Path, options: &[&str]) -> Self {
        let mut command = sandbox.command(dir, "git-task");
        command.arg("watch").args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Watching { child, lines }
    }

    /// The next line, without the time.
    #[track_caller]
    fn says(&mut self, expected: &str) {
        let line = self.lines.next().expect("it goes on").unwrap();
        let line = line.strip_prefix("2025-01-01T12:00:00+00:00 ").expect(&line);
        assert!(line.starts_with(expected), "expected: {expected}\ngot: {line}");
    }

    /// Waits for a line.
    #[track_caller]
    fn until(&mut self, expected: &str) {
        let mut passed = Vec::new();
        for line in self.lines.by_ref() {
            passed.push(line.unwrap());
            if passed.last().is_some_and(|line| line.ends_with(expected)) {
                return;
            }
        }
        panic!("expected: {expected}\ngot: {passed:#?}");
    }

    /// Processor time that it has used, in clock ticks.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn end(mut self, sandbox: &Sandbox, signal: &str) -> i32 {
        sandbox.sh(sandbox.home(), &format!("kill -{signal} {}", self.child.id())).ok();
        let status = self.child.wait().unwrap();
        std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_else(|| status.code().unwrap())
    }
}

#[test]
fn what_happens_is_said_and_tracking_tasks_follow() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let docs = sandbox.task(&dir, ["add", "docs", "--track", "main"]).ok().path();
    sandbox.commit(&path, "fix", "fixed\n", "Fix");
    sandbox.task(&path, ["ready"]).ok();

    let mut watching = Watching::start(&sandbox, &dir, &[]);
    watching.says("task 'x' is ready");
    sandbox
        .task(&dir, ["watch"])
        .fails(128)
        .says(&format!("another 'git task watch' runs here (process {})", watching.child.id()));
    let tip = sandbox.commit(&dir, "more", "more\n", "More");
    watching.says(&format!("task 'docs' follows to {}", &tip[..12]));
    assert_eq!(sandbox.commit_id(&docs, "HEAD"), tip);
    sandbox.commit(&path, "fix", "fixed again\n", "Fix again");
    watching.says("task 'x' is open");
    sandbox.task(&dir, ["add", "new"]).ok();
    watching.says("task 'new' is open");
    sandbox.task(&dir, ["start", "x", "--background", "--", "sleep", "1000"]).ok();
    watching.says("task 'x' has a session (process ");
    sandbox.task(&dir, ["stop", "x"]).ok();
    watching.says("task 'x' has no session any more: it was killed by signal 15");

    // Uncommitted work that is in the way stays, and that is said once.
    sandbox.write(&docs, "README", "changed\n");
    sandbox.commit(&dir, "README", "new\n", "Change");
    watching.says("task 'docs' can't follow: ");
    sandbox.task(&path, ["block", "-m", "why"]).ok();
    watching.says("task 'x' is blocked");
    assert_eq!(watching.end(&sandbox, "INT"), 130);

    // Killed, it can be started again.
    let mut again = Watching::start(&sandbox, &dir, &[]);
    again.says("task 'docs' can't follow: ");
    assert_eq!(again.end(&sandbox, "KILL"), 9);
    let mut last = Watching::start(&sandbox, &dir, &[]);
    last.says("task 'docs' can't follow: ");
    assert_eq!(last.end(&sandbox, "TERM"), 130);
    assert_sound(&sandbox, &dir);
}

#[test]
#[cfg(target_os = "linux")]
fn without_anything_to_do_it_does_nothing() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let names: Vec<_> = (0..20).map(|i| format!("t{i}")).collect();
    sandbox.task(&dir, ["add", "-q"].into_iter().chain(names.iter().map(String::as_str))).ok();
    sandbox.task(&dir, ["block", "t0"]).ok();
    let mut watching = Watching::start(&sandbox, &dir, &[]);
    sandbox.task(&dir, ["reopen", "t0"]).ok();
    sandbox.task(&dir, ["block", "t1"]).ok();
    let line = watching.lines.next().unwrap().unwrap();
    assert!(line.contains("task 't"), "{line}");
    // Two more looks at most come of that change. Then it is measured over a time: there is nothing to wait for.
    let waited = sandbox.sh(&dir, &format!("timeout 3 tail -f /dev/null --pid={}", watching.child.id()));
    assert_eq!(waited.code, 124);
    let before = watching.ticks();
    sandbox.sh(&dir, &format!("timeout 4 tail -f /dev/null --pid={}", watching.child.id()));
    assert!(watching.ticks() - before <= 2, "{} clock ticks in 4 s", watching.ticks() - before);
    watching.end(&sandbox, "TERM");
}

#[test]
fn what_becomes_ready_lands_and_what_conflicts_or_fails_is_left_out() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "integrate.check", "test ! -e broken"]).ok();
    let ready = |name: &str, file: &str| {
        let path = sandbox.task(&dir, ["add", name]).ok().path();
        sandbox.commit(&path, file, name, name);
        path
    };
    let (good, clash, broken) = (ready("good", "file"), ready("clash", "file"), ready("broken", "broken"));
    let mut watching = Watching::start(&sandbox, &dir, &["--integrate"]);
    sandbox.task(&good, ["ready"]).ok();
    watching.until("task 'good' is integrated");
    assert_eq!(std::fs::read_to_string(dir.join("file")).unwrap(), "good");
    sandbox.task(&clash, ["ready"]).ok();
    watching.until("task 'clash' is blocked");
    sandbox.task(&broken, ["ready"]).ok();
    watching.until("task 'broken' is blocked");
    assert!(!dir.join("broken").exists());
    let last = ready("last", "other");
    sandbox.task(&last, ["ready"]).ok();
    watching.until("task 'last' is integrated");
    assert_eq!(watching.end(&sandbox, "TERM"), 130);
    assert_eq!(
        sandbox.task(&dir, ["list", "--format=%(task)=%(state)"]).ok().stdout,
        "broken=blocked\nclash=blocked\n"
    );
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_becomes_ready_is_checked_as_merged_and_a_failure_is_kept() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let ran = sandbox.home().join("ran");
    let check = format!("echo \"$GIT_TASK\" >>'{}'; test ! -e left -o ! -e right", ran.display());
    sandbox.git(&dir, ["config", "integrate.check", &check]).ok();
    sandbox.write(
        &dir,
        ".config/git-parallel.toml",
        "[[on]]\nevent = \"failed\"\nrun = \"echo $GIT_TASK >failed\"\n",
    );
    sandbox.git(&dir, ["add", "."]).ok();
    sandbox.git(&dir, ["commit", "-q", "-m", "Team"]).ok();
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    let ready = |name: &str, file: &str| {
        let path = sandbox.task(&dir, ["add", name]).ok().path();
        sandbox.commit(&path, file, name, name);
        path
    };
    let main = sandbox.commit_id(&dir, "main");
    let (left, clash) = (ready("left", "left"), ready("clash", "left"));
    // Each of the two passes alone: only the merged result fails.
    let right = ready("right", "right");
    let mut watching = Watching::start(&sandbox, &dir, &[]);
    sandbox.task(&left, ["ready"]).ok();
    watching.until("task 'left' passes the checks when merged into 'main'");
    sandbox.task(&clash, ["ready"]).ok();
    watching.until("task 'left' can't be merged into 'main': it conflicts");
    sandbox.task(&clash, ["reopen"]).ok();
    sandbox.task(&right, ["ready"]).ok();
    watching.until(&format!("task 'right' fails when merged into 'main': its check failed: {check}"));
    watching.until("task 'right' is blocked");
    assert_eq!(sandbox.commit_id(&dir, "main"), main, "nothing is published");
    assert_eq!(std::fs::read_to_string(dir.join("failed")).unwrap(), "right\n");
    let list = sandbox.task(&dir, ["list", "right"]).ok().stdout;
    assert!(list.contains("blocked: its check failed: echo"), "{list}");

    // An integration that waits for somebody is not disturbed.
    let bad = ready("bad", "bad");
    sandbox.git(&dir, ["config", "integrate.check", "test ! -e bad"]).ok();
    watching.until("task 'left' passes the checks when merged into 'main'");
    assert_eq!(watching.end(&sandbox, "TERM"), 130);
    sandbox.task(&bad, ["ready"]).ok();
    sandbox.integrate(&dir, ["bad"]).fails(1);
    let before = sandbox.integrate(&dir, ["--status"]).stdout;
    let mut again = Watching::start(&sandbox, &dir, &[]);
    again.until("task 'left' is ready");
    sandbox.task(&dir, ["block", "clash"]).ok();
    again.until("task 'clash' is blocked");
    assert_eq!(again.end(&sandbox, "TERM"), 130);
    assert_eq!(sandbox.integrate(&dir, ["--status"]).stdout, before);
    sandbox.integrate(&dir, ["--abort"]).ok();

    // What has passed is remembered.
    std::fs::remove_file(&ran).unwrap();
    sandbox.git(&dir, ["config", "integrate.check", &check]).ok();
    // Not by way of git, which puts a directory of its own first in PATH: a check could come to something else there.
    Run::of(sandbox.command(&dir, "git-integrate").arg("left"), b"")
        .ok()
        .says("has passed on this tree before");
    assert!(!ran.exists());
    assert_sound(&sandbox, &dir);
}
