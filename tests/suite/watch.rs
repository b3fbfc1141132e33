//! `git task watch`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::support::*;

/// How long anything that is waited for may take. Generous: a busy machine is no defect.
const DEADLINE: Duration = Duration::from_secs(120);

/// A `git task watch` whose lines are read one by one.
struct Watching {
    child: Child,
    lines: mpsc::Receiver<String>,
}

/// One whose test has failed does not go on for ever.
impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Watching {
    fn start(sandbox: &Sandbox, dir: &Path, options: &[&str]) -> Self {
        let mut command = sandbox.command(dir, "git-task");
        command.arg("watch").args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Watching { child, lines }
    }

    /// The next line. `wanted` and `passed` are for the message if none comes.
    #[track_caller]
    fn next(&self, wanted: &str, passed: &[String]) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("nothing more was said for {DEADLINE:?}\nexpected: {wanted}\ngot: {passed:#?}")
            }
            Err(RecvTimeoutError::Disconnected) => {
                panic!("it has ended\nexpected: {wanted}\ngot: {passed:#?}")
            }
        }
    }

    /// The next line, without the time.
    #[track_caller]
    fn says(&mut self, expected: &str) {
        let line = self.next(expected, &[]);
        let line = line.strip_prefix("2025-01-01T12:00:00+00:00 ").expect(&line);
        assert!(line.starts_with(expected), "expected: {expected}\ngot: {line}");
    }

    /// Waits for a line.
    #[track_caller]
    fn until(&mut self, expected: &str) {
        let begun = Instant::now();
        let mut passed = Vec::new();
        while begun.elapsed() < DEADLINE {
            let line = self.next(expected, &passed);
            let is_it = line.ends_with(expected);
            passed.push(line);
            if is_it {
                return;
            }
        }
        panic!("it was not said in {DEADLINE:?}\nexpected: {expected}\ngot: {passed:#?}");
    }

    /// A number from a file that the system keeps about it.
    #[cfg(target_os = "linux")]
    fn number(&self, file: &str, key: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("the system counts it");
        line.trim().parse().unwrap()
    }

    /// Waits until it has gone to sleep so many times more. It says nothing meanwhile.
    #[cfg(target_os = "linux")]
    #[track_caller]
    fn sleeps(&self, times: u64) {
        let slept = || self.number("status", "voluntary_ctxt_switches:");
        let (begun, until) = (Instant::now(), slept() + times);
        while slept() < until {
            assert!(begun.elapsed() < DEADLINE, "it does not go to sleep");
            let said = self.lines.recv_timeout(Duration::from_millis(20));
            assert_eq!(said, Err(RecvTimeoutError::Timeout));
        }
    }

    fn end(&mut self, sandbox: &Sandbox, signal: &str) -> i32 {
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
fn without_anything_to_do_it_reads_nothing() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let names: Vec<_> = (0..20).map(|i| format!("t{i}")).collect();
    sandbox.task(&dir, ["add", "-q"].into_iter().chain(names.iter().map(String::as_str))).ok();
    let path = sandbox.path("repo-worktrees/t0");
    sandbox.commit(&path, "work", "work\n", "Work");
    sandbox.task(&path, ["ready"]).ok();
    let mut watching = Watching::start(&sandbox, &dir, &[]);
    watching.says("task 't0' is ready");
    // A look reads the configuration; seeing that there is nothing to look at reads no byte.
    let read = || watching.number("io", "rchar:");
    let is_quiet = || {
        let before = read();
        watching.sleeps(2);
        read() == before
    };
    assert!((0..5).any(|_| is_quiet()), "it goes on reading, although nothing happens");
    watching.end(&sandbox, "TERM");
}

/// What a `git task watch` that is killed while it begins leaves is no burden to the next one.
#[test]
#[cfg(target_os = "linux")]
fn one_that_is_killed_while_it_begins_can_be_started_again() {
    use crate::sweep::model::{as_git_advises, settled, usable};
    for victim in [Victim::Ours, Victim::All] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.git(&dir, ["config", "integrate.check", "test -f work"]).ok();
        let docs = sandbox.task(&dir, ["add", "-q", "docs", "--track", "main"]).ok().path();
        let path = sandbox.task(&dir, ["add", "-q", "x"]).ok().path();
        sandbox.commit(&path, "work", "work\n", "Work");
        sandbox.task(&path, ["ready"]).ok();
        let tip = sandbox.commit(&dir, "more", "more\n", "More");
        // Its first lines are waited for, then it is ended.
        let script = "rm -f ../lines; mkfifo ../lines; git-task watch >../lines 2>/dev/null & \
                      while read line; do case $line in *passes*) kill -TERM $! ;; esac; done <../lines; wait $!; \
                      test $? = 130";
        let command = || {
            let mut command = sandbox.command(&dir, "sh");
            command.args(["-c", script]);
            command
        };
        killed_at_every(&sandbox, victim, Points::AtMost(7), command, |_| {
            if matches!(victim, Victim::All) {
                as_git_advises(&sandbox, &dir);
            }
            usable(&sandbox, &dir);
            let mut again = Watching::start(&sandbox, &dir, &[]);
            again.until("task 'x' passes the checks when merged into 'main'");
            assert_eq!(again.end(&sandbox, "TERM"), 130);
            assert_eq!(sandbox.commit_id(&docs, "HEAD"), tip, "it has followed");
            sandbox.git(&docs, ["status", "--porcelain"]).ok().prints("");
            // Where nothing came of it, there is none.
            let _ = std::fs::remove_file(sandbox.path("lines"));
            settled(&sandbox, &dir);
        });
    }
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
    // By way of git, which puts a directory of its own first in PATH.
    sandbox.integrate(&dir, ["left"]).ok().says("has passed on this tree before");
    assert!(!ran.exists());
    assert_sound(&sandbox, &dir);
}
