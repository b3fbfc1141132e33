//! Sessions: started, known to run, read, ended.

use std::path::{Path, PathBuf};

use crate::support::*;

/// A repository with a task `x`, and where that works.
fn ground() -> (Sandbox, PathBuf, PathBuf) {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    (sandbox, dir, path)
}

/// A session that runs until [`let_go`]: it opens a pipe with a name to read from it.
pub fn start_waiting(sandbox: &Sandbox, dir: &Path, task: &str, script: &str) -> Run {
    let pipe = pipe(sandbox, task);
    sandbox.sh(dir, &format!("mkfifo '{}'", pipe.display())).ok();
    let script = format!("read go <'{}'; {script}", pipe.display());
    sandbox.task(dir, ["start", task, "--background", "--", "sh", "-c", &script])
}

fn pipe(sandbox: &Sandbox, task: &str) -> PathBuf {
    sandbox.home().join(format!("{task}.pipe"))
}

/// Returns when the session has read it.
pub fn let_go(sandbox: &Sandbox, task: &str) {
    sandbox.sh(sandbox.home(), &format!("echo go >'{}'", pipe(sandbox, task).display())).ok();
}

fn sessions(dir: &Path, task: &str) -> PathBuf {
    dir.join(".git/git-parallel/sessions").join(task)
}

/// The process of the session that runs.
fn pid(sandbox: &Sandbox, dir: &Path, task: &str) -> String {
    sandbox.task(dir, ["list", task, "--format=%(pid)"]).ok().line().to_owned()
}

#[test]
fn a_session_in_the_background_is_seen_read_and_ended() {
    let (sandbox, dir, path) = ground();
    start_waiting(&sandbox, &dir, "x", "echo out; echo err >&2; exit 3").ok().prints("").says("task 'x'");
    let pid = pid(&sandbox, &dir, "x");
    assert!(pid.parse::<u32>().is_ok(), "{pid}");
    let listed = sandbox.task(&dir, ["list", "--porcelain"]).ok();
    assert!(listed.stdout.contains(&format!("\nrunning {NOW}\npid {pid}\n")), "{listed}");
    assert!(sandbox.task(&dir, ["list"]).ok().stdout.contains("SESSION"));
    assert!(sandbox.task(&path, ["show"]).ok().stdout.contains(&format!("process {pid}, since")));
    let again = sandbox.task(&path, ["start", "--background", "--", "true"]).fails(128);
    again.says("already has a session").says(&format!("process {pid}")).says("git task stop x");
    sandbox.task(&path, ["start", "--", "true"]).fails(128).says("already has a session");

    let follower = std::thread::scope(|scope| {
        let follower = scope.spawn(|| sandbox.task(&path, ["log", "-f"]));
        let_go(&sandbox, "x");
        follower.join().unwrap()
    });
    follower.ok().prints("out\nerr\n").says("ended with exit code 3");
    sandbox.task(&dir, ["log", "x", "-q"]).ok().prints("out\nerr\n").does_not_say("exit code");
    assert!(!sandbox.task(&dir, ["list", "--porcelain"]).ok().stdout.contains("running"));
    assert!(!sandbox.task(&dir, ["list"]).ok().stdout.contains("SESSION"));

    sandbox.task(&dir, ["stop", "x"]).fails(1).says("error: task 'x' has no running session");
    sandbox.task(&dir, ["stop", "nope"]).fails(128).says("no such task");
    sandbox.task(&dir, ["start", "x", "--background", "--", "sleep", "1000"]).ok();
    sandbox.task(&path, ["stop"]).ok().prints("").says("has ended");
    sandbox.task(&path, ["log"]).ok().prints("").says("was killed by signal 15");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_session_works_in_its_worktree_with_its_variables_and_no_repository_of_a_hook() {
    let (mut sandbox, dir, path) = ground();
    sandbox.set("GIT_DIR", dir.join(".git")).set("GIT_INDEX_FILE", "/nowhere");
    let script = "pwd; env | grep -E '^GIT_(TASK|DIR|INDEX|PAGER)' | sort; git rev-parse --show-toplevel";
    for how in [&["--background"][..], &[]] {
        let start = [&["start", "x"], how, &["--", "sh", "-c", script]].concat();
        let run = sandbox.task(&dir, start).ok();
        let printed =
            if how.is_empty() { run.stdout } else { sandbox.task(&dir, ["log", "x", "-f"]).ok().stdout };
        let (at, main) = (path.display(), dir.display());
        let expected = format!(
            "{at}\nGIT_TASK=x\nGIT_TASK_BASE=main\nGIT_TASK_BRANCH=x\nGIT_TASK_MAIN={main}\n\
             GIT_TASK_NOTE={at}/notes/x/status.md\nGIT_TASK_PATH={at}\n{at}\n"
        );
        assert_eq!(printed, expected);
    }
}

#[test]
fn the_command_is_given_named_the_task_s_own_or_the_default() {
    let (sandbox, dir, path) = ground();
    let start = |args: &[&str]| sandbox.task(&path, ["start"].iter().chain(args));
    start(&[])
        .fails(128)
        .says("no such session: 'default'")
        .says("define the session:\nhint: git config session.default.command");
    sandbox.git(&dir, ["config", "session.default.command", "echo default {task}"]).ok();
    sandbox.git(&dir, ["config", "session.other.command", "echo other"]).ok();
    start(&[]).ok().prints("default x\n");
    start(&["--session", "other"]).ok().prints("other\n");
    start(&["--session=third"]).fails(128).says("no such session: 'third'").says("'default', 'other'");
    start(&["--", "echo", "{task}", "a b"]).ok().prints("{task} a b\n");
    start(&["--session=other", "--", "true"]).fails(129);
    sandbox.git(&dir, ["config", "task.x.session", "other"]).ok();
    start(&[]).ok().prints("other\n");
    // One that comes from a branch is shown first.
    sandbox.write(&dir, ".config/git-parallel.toml", "[session.team]\ncommand = 'touch ran'\n");
    start(&["--session=team"]).fails(128).says("are not trusted");
    assert!(!path.join("ran").exists() && !sessions(&dir, "x").join("9.session").exists());
    start(&["--session=other"]).ok().prints("other\n");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    start(&["--session=team"]).ok();
    assert!(path.join("ran").exists());
}

#[test]
fn what_a_branch_supplies_is_one_argument_and_never_a_command() {
    let (sandbox, dir, _) = ground();
    let evil = "a'; touch pwned; echo \"$(touch pwned)\" `touch pwned` \\";
    let path = sandbox.task(&dir, ["add", "e", "--title", evil, "--goal", evil]).ok().path();
    let line = "printf '%s\\n' {title} pre{goal} {task} {branch} {path} {prompt}";
    sandbox.git(&dir, ["config", "session.default.command", line]).ok();
    let out = sandbox.task(&dir, ["start", "e"]).ok().stdout;
    assert!(out.starts_with(&format!("{evil}\npre{evil}\ne\ne\n{}\n", path.display())), "{out}");
    assert!(!path.join("pwned").exists());
    sandbox.git(&dir, ["config", "session.default.command", "echo '{title}'"]).ok();
    sandbox.task(&dir, ["start", "e"]).fails(128).says("stands inside quotes");
    sandbox.task(&dir, ["list", "--format=%(running)"]).ok().prints("\n\n");
}

#[test]
fn the_exit_code_is_that_of_the_session() {
    let (sandbox, dir, path) = ground();
    let start = |args: &[&str]| sandbox.task(&path, ["start", "--"].iter().chain(args));
    start(&["true"]).ok();
    start(&["sh", "-c", "exit 7"]).fails(7);
    start(&["sh", "-c", "kill -9 $$"]).fails(137);
    start(&["no-such-program", "x"])
        .fails(127)
        .says("fatal: cannot run 'no-such-program': command not found");
    start(&["./README"]).fails(126).says("fatal: cannot run './README': permission denied");
    start(&["./missing"]).fails(127).says("cannot run './missing': command not found");
    sandbox.git(&dir, ["config", "session.default.command", "no-such-program | no-such-program"]).ok();
    sandbox.task(&path, ["start"]).fails(127).says("not found");
    sandbox.task(&path, ["start", "--background"]).ok();
    let log = sandbox.task(&path, ["log", "-f"]).ok().says("exit code 127: a command was not found");
    assert!(log.stdout.contains("not found"), "{log}");
    sandbox.task(&path, ["start", "--background", "--", "nope"]).fails(127).says("command not found");
    sandbox.task(&path, ["start", "--background", "--", "sh", "-c", "kill -9 $$"]).ok();
    sandbox.task(&path, ["log", "-f"]).ok().says("was killed by signal 9");
    sandbox.task(&dir, ["list"]).ok();
}

#[test]
fn all_of_the_group_ends_also_what_outlived_its_leader() {
    let (sandbox, dir, _) = ground();
    let pid_file = sandbox.home().join("child.pid");
    let leave = format!("sleep 1000 & echo $! >'{}'", pid_file.display());
    sandbox.task(&dir, ["start", "x", "--background", "--", "sh", "-c", &leave]).ok();
    // A process that is left behind and holds the log is not waited for.
    sandbox.task(&dir, ["log", "x", "-f"]).ok().says("The session succeeded").says("left running: 1");
    let child = std::fs::read_to_string(&pid_file).unwrap();
    // Who has ended and was not yet waited for counts as dead.
    let state = format!("ps -o stat= -p {} || true", child.trim());
    let alive = || sandbox.sh(&dir, &state).ok().stdout.starts_with(['S', 'R']);
    assert!(alive(), "it is left alone");
    sandbox.task(&dir, ["stop", "x"]).ok();
    assert!(!alive());
    sandbox.task(&dir, ["stop", "x"]).fails(1);
}

#[test]
fn who_does_not_listen_is_killed() {
    let (sandbox, dir, _) = ground();
    start_waiting(&sandbox, &dir, "x", "trap '' TERM; echo deaf; while :; do sleep 100; done").ok();
    let_go(&sandbox, "x");
    let log = sessions(&dir, "x").join("1.log");
    sandbox.sh(&dir, &format!("tail -F '{}' 2>/dev/null | grep -qm1 deaf", log.display())).ok();
    sandbox.task(&dir, ["stop", "x"]).ok().says("was killed");
    sandbox.task(&dir, ["log", "x"]).ok().prints("deaf\n").says("killed by signal 9");
}

#[test]
fn gigabytes_of_output_stay_within_the_limit() {
    let (sandbox, dir, _) = ground();
    sandbox.git(&dir, ["config", "task.logLimit", "100k"]).ok();
    sandbox.task(&dir, ["start", "x", "--background", "--", "seq", "300000"]).ok();
    sandbox.task(&dir, ["log", "x", "-f"]).ok();
    let kept: u64 =
        std::fs::read_dir(sessions(&dir, "x")).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!((75_000..104_000).contains(&kept), "{kept}");
    let log = sandbox.task(&dir, ["log", "x"]).ok().says("that came before this are gone (task.logLimit)");
    assert!(log.stdout.ends_with("\n299999\n300000\n") && log.stdout.len() >= 75_000);
    sandbox.git(&dir, ["config", "task.logLimit", "0"]).ok();
    sandbox.task(&dir, ["start", "x", "--background", "--", "seq", "300000"]).ok();
    sandbox.task(&dir, ["log", "x", "-f"]).ok().prints("").says("The session succeeded");
}

#[test]
fn the_ground_is_not_pulled_from_under_a_session() {
    let (sandbox, dir, path) = ground();
    start_waiting(&sandbox, &dir, "x", "echo still here").ok();
    for args in [&["rm", "x"][..], &["rm", "-f", "-f", "x"], &["rename", "x", "y"], &["move", "x", "../y"]] {
        let run = sandbox.task(&dir, args).fails(128);
        run.says(&format!("cannot {} task 'x': its session is running", args[0].replace("rm", "remove")))
            .says("git task stop x");
    }
    assert!(path.exists());
    let_go(&sandbox, "x");
    sandbox.task(&dir, ["log", "x", "-f"]).ok().prints("still here\n");
    // What it printed goes along, and goes when the task is forgotten.
    sandbox.task(&dir, ["rename", "x", "y"]).ok();
    sandbox.task(&dir, ["log", "y"]).ok().prints("still here\n");
    sandbox.task(&dir, ["rm", "y", "-f"]).ok();
    sandbox.task(&dir, ["log", "y"]).ok().prints("still here\n");
    sandbox.task(&dir, ["start", "y", "--", "true"]).fails(128).says("has no worktree");
    sandbox.task(&dir, ["prune", "--expire=now"]).ok();
    assert!(!sessions(&dir, "y").exists());
}

#[test]
fn of_twenty_at_once_one_starts_and_of_twenty_tasks_as_many_as_allowed() {
    let (sandbox, dir, _) = ground();
    let start = |task: String| sandbox.task(&dir, ["start", "--background", &task, "--", "sleep", "1000"]);
    let runs = at_once(20, |_| start("x".to_owned()));
    assert_eq!(runs.iter().filter(|r| r.code == 0).count(), 1, "{runs:?}");
    runs.iter()
        .filter(|r| r.code != 0)
        .for_each(|r| drop(r.clone().fails(128).says("already has a session")));
    sandbox.task(&dir, ["stop", "x"]).ok();

    let names: Vec<_> = (0..20).map(|i| format!("t{i}")).collect();
    sandbox.task(&dir, ["add", "-q"].into_iter().chain(names.iter().map(String::as_str))).ok();
    let runs = at_once(20, |i| start(names[i].clone()));
    assert_eq!(runs.iter().filter(|r| r.code == 0).count(), 3, "{runs:?}");
    let refused = runs.iter().find(|r| r.code != 0).unwrap().clone().fails(128);
    refused.says("3 sessions are running, and task.maxSessions is 3: t").says("raise task.maxSessions");
    // A person at a terminal is not held back.
    sandbox.task(&dir, ["start", "x", "--", "true"]).ok();
    let running = sandbox.task(&dir, ["list", "--format=%(task) %(running)"]).ok().stdout;
    let running =
        running.lines().filter(|l| l.contains(&NOW.to_string())).map(|l| l.split(' ').next().unwrap());
    running.for_each(|task| drop(sandbox.task(&dir, ["stop", task]).ok()));
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_session_is_known_by_more_than_its_number() {
    let (sandbox, dir, _) = ground();
    sandbox.task(&dir, ["start", "x", "--background", "--", "sleep", "1000"]).ok();
    let session = pid(&sandbox, &dir, "x");
    let parent = format!("ps -o ppid= -p {session} | tr -d ' '");
    let supervisor = sandbox.sh(&dir, &parent).ok().line().to_owned();
    // Who watches over it is killed: it is still known, and can be ended.
    sandbox.sh(&dir, &format!("kill -9 {supervisor}")).ok();
    assert_eq!(pid(&sandbox, &dir, "x"), session);
    sandbox.task(&dir, ["start", "x", "--", "true"]).fails(128).says("already has a session");
    sandbox.task(&dir, ["rm", "x"]).fails(128).says("is running");
    sandbox.task(&dir, ["stop", "x"]).ok();
    sandbox.task(&dir, ["stop", "x"]).fails(1);
    sandbox.task(&dir, ["log", "x"]).ok().says("was cut off");

    // After a restart of the machine another process has its number.
    let record = sessions(&dir, "x").join("running");
    let text = std::fs::read_to_string(&record).unwrap();
    let own = std::process::id().to_string();
    std::fs::write(&record, text.replace(&session, &own)).unwrap();
    sandbox.task(&dir, ["list", "--format=%(running)"]).ok().prints("\n");
    sandbox.task(&dir, ["stop", "x"]).fails(1);
    sandbox.task(&dir, ["start", "x", "--", "true"]).ok();
    // Half a record, as a power cut may leave one.
    std::fs::write(&record, "").unwrap();
    sandbox.task(&dir, ["list", "--format=%(running)"]).ok().prints("\n");
    sandbox.task(&dir, ["start", "x", "--", "true"]).ok();
}

#[test]
fn everything_works_from_a_bare_repository_a_hook_and_odd_paths() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init_with("a b'\n\"c", &[]);
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox
        .git(&dir, ["config", "session.default.command", "cd {path} && pwd && echo {prompt} >/dev/null"])
        .ok();
    sandbox.task(&dir, ["start", "x", "--background"]).ok();
    sandbox.task(&dir, ["log", "x", "-f"]).ok().prints(&format!("{}\n", path.display()));
    let hook = dir.join(".git/hooks/post-commit");
    sandbox.write(&dir, &hook, "#!/bin/sh\nexec git task start x --background -- git rev-parse HEAD\n");
    sandbox.run(&dir, "chmod", ["+x".as_ref(), hook.as_os_str()]).ok();
    sandbox.commit(&dir, "more", "more\n", "More");
    sandbox
        .task(&dir, ["log", "x", "-f"])
        .ok()
        .prints(&sandbox.git(&path, ["rev-parse", "HEAD"]).ok().stdout);
    std::fs::remove_file(hook).unwrap();

    let bare = sandbox.path("bare.git");
    sandbox.git(&dir, ["clone", "-q", "--bare", ".", bare.to_str().unwrap()]).ok();
    sandbox.task(&bare, ["add", "y", "--path", sandbox.path("y").to_str().unwrap()]).ok();
    sandbox.task(&bare, ["start", "y", "--background", "--", "echo", "bare"]).ok();
    sandbox.task(sandbox.path("y"), ["log", "-f"]).ok().prints("bare\n");
    let git_dir = format!("--git-dir={}", bare.display());
    sandbox.git(sandbox.home(), [&git_dir, "task", "log", "y"]).ok().prints("bare\n");
}

#[test]
fn a_worker_is_told_all_that_it_needs() {
    let (sandbox, dir, _) = ground();
    let args =
        ["add", "api", "--title", "feat: API", "--goal", "Serve it", "--scope", "src/**", "--after", "x"];
    let path = sandbox.task(&dir, args).ok().path();
    let prompt = sandbox.task(&path, ["prompt"]).ok().stdout;
    let at = path.display().to_string();
    for part in [
        "'api'",
        "feat: API",
        "Serve it",
        "src/**",
        "x: open",
        &at,
        "branch api",
        "notes/api/status.md",
        "git task ready",
        "git task block -m",
        "Don't merge",
        "yours alone",
    ] {
        assert!(prompt.contains(part), "{part}: {prompt}");
    }
    let plain = sandbox.task(&dir, ["prompt", "x"]).ok().stdout;
    assert!(
        !plain.contains("after these") && !plain.contains("pathspecs") && !plain.contains("Goal"),
        "{plain}"
    );
    sandbox.write(&dir, "prompt.txt", "{task} on {branch} from {base}: {title} {{x}}\n{after}\n");
    sandbox.git(&dir, ["config", "task.promptFormat", "prompt.txt"]).ok();
    sandbox.task(&path, ["prompt"]).ok().prints("api on api from main: feat: API {x}\nx: open\n");
    sandbox.write(&dir, "prompt.txt", "{tsak}");
    sandbox.task(&dir, ["prompt", "x"]).fails(128).says("unknown placeholder '{tsak}'").says("prompt.txt");
    std::fs::remove_file(dir.join("prompt.txt")).unwrap();
    sandbox.task(&dir, ["prompt", "x"]).fails(128).says("prompt.txt");
}

#[test]
fn what_events_print_is_kept() {
    let (sandbox, dir, path) = ground();
    let team = "[[on]]\nevent = 'blocked'\nrun = 'echo out; echo err >&2; exit 3'\n\
                [[on]]\nevent = 'blocked'\nrun = 'sleep 1000 & echo $! >pid; echo second'\n";
    sandbox.write(&dir, ".config/git-parallel.toml", team);
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    let run = sandbox.task(&path, ["block", "-m", "why"]).ok().prints("");
    run.says("out\nerr\n").says("warning: event 'blocked' of task 'x'").says("exit code 3").says("second");
    sandbox.sh(&dir, "kill $(cat pid)").ok();
    let log = std::fs::read_to_string(sessions(&dir, "x").join("events.log")).unwrap();
    assert!(
        log.contains("blocked: echo out") && log.contains("\nout\nerr\n") && log.ends_with("\nsecond\n"),
        "{log}"
    );
}
