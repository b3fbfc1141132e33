//! `git integrate -j`: several merged results checked at once, and who is blamed for one that fails.

use std::path::{Path, PathBuf};

use crate::integrate_run::{over, ready, subjects, workshop};
use crate::pool::{claim, states, with_pool};
use crate::support::*;

/// A repository with so many slots and the tasks `t1`, `t2` and so on, each with a file of its name.
#[track_caller]
pub fn with_tasks(sandbox: &Sandbox, slots: usize, tasks: usize) -> PathBuf {
    let dir = with_pool(sandbox, slots);
    // They have worktrees of their own and leave the slots alone.
    sandbox.git(&dir, ["config", "task.pool", "false"]).ok();
    for n in 1..=tasks {
        let name = format!("t{n}");
        ready(sandbox, &dir, &name, &name, "1\n");
    }
    dir
}

/// A check: `script`, which notes for which task it runs, and on which tree it has passed.
pub fn check(sandbox: &Sandbox, script: &str) -> String {
    let (runs, passed) = (sandbox.path("runs"), sandbox.path("passed"));
    format!(
        "echo $GIT_TASK >>{}; {{ {script}; }} && git rev-parse 'HEAD^{{tree}}' >>{}",
        runs.display(),
        passed.display()
    )
}

/// For which tasks checks ran, sorted.
pub fn runs(sandbox: &Sandbox) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.path("runs")).unwrap_or_default();
    let mut all: Vec<_> = text.lines().map(str::to_owned).collect();
    all.sort();
    all
}

/// These have landed, in this order, and a check has passed on just that; nobody has a slot.
#[track_caller]
pub fn landed(sandbox: &Sandbox, dir: &Path, tasks: &[usize]) {
    let merges: String = tasks.iter().rev().map(|n| format!("Merge task 't{n}'\n")).collect();
    assert_eq!(subjects(sandbox, dir, "main"), format!("{merges}Ignore\nFile\nBegin\n"));
    let tree = sandbox.git(dir, ["rev-parse", "main^{tree}"]).ok();
    let passed = std::fs::read_to_string(sandbox.path("passed")).unwrap_or_default();
    assert!(passed.lines().any(|line| line == tree.line()), "it was never checked: {passed}");
    are_idle(sandbox, dir);
    over(sandbox, dir);
}

/// Nobody has a slot, and each is clean.
#[track_caller]
pub fn are_idle(sandbox: &Sandbox, dir: &Path) {
    let listed = states(sandbox, dir);
    assert!(listed.lines().all(|line| line.ends_with(" idle")), "{listed}");
    for line in listed.lines() {
        let path = sandbox.path(format!("repo-worktrees/pool-{}", line.split(' ').next().unwrap()));
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        sandbox.git(&path, ["symbolic-ref", "-q", "HEAD"]).fails(1);
    }
    let intents = std::fs::read_dir(dir.join(".git/git-parallel/intents")).into_iter().flatten().count();
    assert_eq!(intents, 0);
}

/// Lets `t1` and `t2` wait for one another.
fn meeting(sandbox: &Sandbox) -> String {
    sandbox.sh(sandbox.path(""), "mkfifo p q").ok();
    let (p, q) = (sandbox.path("p"), sandbox.path("q"));
    let (p, q) = (p.display(), q.display());
    format!("case $GIT_TASK in t1) echo >{p}; read x <{q} ;; t2) read x <{p}; echo >{q} ;; esac")
}

#[test]
fn checks_run_at_the_same_time_each_where_its_result_is() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 2);
    let places = sandbox.path("places");
    let script = format!(
        "{}; echo I am $GIT_TASK; test -f $GIT_TASK && {{ test $GIT_TASK = t2 || test ! -f t2; }} && \
         test \"$PWD\" = \"$GIT_TASK_PATH\" && pwd >>{}",
        meeting(&sandbox),
        places.display()
    );
    sandbox.integrate(&dir, ["-j", "2", "--check", &check(&sandbox, &script)]).ok().does_not_say("one after");
    landed(&sandbox, &dir, &[1, 2]);
    let mut places: Vec<_> = std::fs::read_to_string(places).unwrap().lines().map(PathBuf::from).collect();
    places.sort();
    assert_eq!(places, [workshop(&sandbox), sandbox.path("repo-worktrees/pool-1")]);
    for n in [1, 2] {
        let log = dir.join(format!(".git/git-parallel/integrate/main/logs/t{n}-1"));
        let said = std::fs::read_to_string(log).unwrap();
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("I am")).collect();
        assert_eq!(lines, [format!("I am t{n}")], "{said}");
    }
}

#[test]
fn where_all_pass_there_are_fewer_checks_than_tasks() {
    for (jobs, expected) in [("2", vec!["t4", "t8"]), ("3", vec!["t2", "t5", "t8"])] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, 3, 8);
        sandbox.integrate(&dir, ["-j", jobs, "--check", &check(&sandbox, "true")]).ok();
        landed(&sandbox, &dir, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(runs(&sandbox), expected);
    }
}

#[test]
fn one_at_a_time_is_as_without() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 3);
    sandbox.integrate(&dir, ["-j1", "--check", &check(&sandbox, "! test -f t3")]).fails(1);
    assert_eq!(runs(&sandbox), ["t1", "t2", "t3", "t3"]);
    sandbox.integrate(&dir, ["--skip"]).fails(2);
    landed(&sandbox, &dir, &[1, 2]);
}

#[test]
fn who_fails_is_found_among_many() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 8);
    for jobs in ["2", "3", "9"] {
        for guilty in 1..=8 {
            std::fs::write(sandbox.path("runs"), "").unwrap();
            let command = check(&sandbox, &format!("! test -f t{guilty}"));
            let run = sandbox.integrate(&dir, ["-j", jobs, "--porcelain", "--check", &command]).fails(1);
            assert!(run.stdout.contains(&format!("failed t{guilty} ")), "{run}");
            assert_eq!(run.stdout.lines().count(), guilty, "{run}");
            // Not one for each task: those that fail are looked at twice.
            assert!(jobs == "9" || runs(&sandbox).len() < 10, "{:?}", runs(&sandbox));
            let last = sandbox.git(workshop(&sandbox), ["log", "-1", "--format=%s"]).ok();
            last.prints(&format!("Merge task 't{guilty}'\n"));
            sandbox.integrate(&dir, ["--abort"]).ok();
        }
    }
    are_idle(&sandbox, &dir);
    over(&sandbox, &dir);
}

#[test]
fn who_fails_is_left_out() {
    for (jobs, guilty) in [("2", 4), ("3", 6)] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, 1, 8);
        let command = check(&sandbox, &format!("! test -f t{guilty}"));
        let args = ["-j", jobs, "--keep-going", "--porcelain", "--check", &command];
        let run = sandbox.integrate(&dir, args).fails(2);
        assert!(run.stdout.contains(&format!("failed t{guilty} ")), "{run}");
        assert_eq!(run.stdout.matches("failed").count(), 1, "{run}");
        let others: Vec<usize> = (1..=8).filter(|n| *n != guilty).collect();
        landed(&sandbox, &dir, &others);
        let list = sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok();
        list.prints(&format!("t{guilty} blocked\n"));
    }
}

#[test]
fn it_stops_at_who_fails_and_goes_on_from_there() {
    for (jobs, option) in [("2", "--skip"), ("3", "--continue"), ("3", "--abort")] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, 2, 8);
        let command = check(&sandbox, "echo looking at t5; ! test -f t5");
        let run = sandbox.integrate(&dir, ["-j", jobs, "--porcelain", "--check", &command]).fails(1);
        assert!(run.stdout.contains("failed t5 ") && !run.stdout.contains("\nmerged t6 "), "{run}");
        run.says("looking at t5").says("logs/t5-1").says("--continue");
        let status = sandbox.integrate(&dir, ["--status", "--porcelain"]).fails(1).stdout;
        assert!(status.contains("task t5\nwaits check\n"), "{status}");
        are_idle(&sandbox, &dir);
        // What comes after it is not merged any more.
        let shop = workshop(&sandbox);
        sandbox.git(&shop, ["log", "-1", "--format=%s"]).ok().prints("Merge task 't5'\n");
        sandbox.git(&shop, ["status", "--porcelain"]).ok().prints("");
        assert!(shop.join("t5").exists() && !shop.join("t6").exists());
        match option {
            "--skip" => {
                sandbox.integrate(&dir, ["--skip"]).fails(2);
                landed(&sandbox, &dir, &[1, 2, 3, 4, 6, 7, 8]);
            }
            "--continue" => {
                sandbox.integrate(&dir, ["--continue"]).fails(1).says("looking at t5");
                sandbox.git(&shop, ["mv", "t5", "mended"]).ok();
                sandbox.git(&shop, ["commit", "-q", "--amend", "--no-edit"]).ok();
                let before = runs(&sandbox).len();
                sandbox.integrate(&dir, ["--continue"]).ok();
                landed(&sandbox, &dir, &[1, 2, 3, 4, 5, 6, 7, 8]);
                // That of t5, and as many as it has places.
                assert_eq!(runs(&sandbox).len() - before, 4, "{:?}", runs(&sandbox));
            }
            _ => {
                sandbox.integrate(&dir, ["--abort"]).ok();
                assert_eq!(subjects(&sandbox, &dir, "main"), "Ignore\nFile\nBegin\n");
                over(&sandbox, &dir);
            }
        }
    }
}

#[test]
fn several_that_fail_are_found_one_after_the_other_with_those_that_come_after_them() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 6);
    sandbox.git(&dir, ["config", "task.t5.after", "t2"]).ok();
    let command = check(&sandbox, "! test -f t2 && ! test -f t6");
    let run = sandbox.integrate(&dir, ["-j2", "--keep-going", "--porcelain", "--check", &command]).fails(2);
    assert!(run.stdout.contains("failed t2 ") && run.stdout.contains("failed t6 "), "{run}");
    assert!(run.stdout.contains("skipped t5 it comes after 't2'"), "{run}");
    landed(&sandbox, &dir, &[1, 3, 4]);
}

#[test]
fn however_the_commits_come_there_who_fails_is_left_out() {
    for how in ["--ff", "--squash", "--rebase"] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, 1, 5);
        let command = check(&sandbox, "! test -f t3");
        sandbox.integrate(&dir, ["-j2", how, "--check", &command]).fails(1);
        assert!(workshop(&sandbox).join("t3").exists() && !workshop(&sandbox).join("t4").exists());
        sandbox.integrate(&dir, ["--abort"]).ok();
        let args = ["-j2", how, "--keep-going", "--check", &command];
        sandbox.integrate(&dir, args).fails(2);
        for n in 1..=5 {
            assert_eq!(dir.join(format!("t{n}")).exists(), n != 3, "{how} {n}");
        }
        are_idle(&sandbox, &dir);
        over(&sandbox, &dir);
    }
}

#[test]
fn a_check_that_fails_once_blames_nobody() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 4);
    let flag = sandbox.path("flag");
    let script = format!("test -f {0}-$GIT_TASK || {{ touch {0}-$GIT_TASK; false; }}", flag.display());
    let run = sandbox.integrate(&dir, ["-j2", "--check", &check(&sandbox, &script)]).ok();
    run.says("for 't2' and passed when it was tried again").says("for 't4' and passed");
    assert_eq!(runs(&sandbox), ["t2", "t2", "t4", "t4"]);
    landed(&sandbox, &dir, &[1, 2, 3, 4]);
}

#[test]
fn passes_that_come_at_once_are_all_remembered() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 3, 4);
    // Stopped after the checks, so that they have passed on what did not land.
    sandbox.write(&dir, "t4", "in the way\n");
    let command = check(&sandbox, "true");
    let args = ["-j4", "--check", &command, "--check", "true"];
    sandbox.integrate(&dir, args).fails(1);
    sandbox.integrate(&dir, ["--abort"]).ok();
    let passes = std::fs::read_to_string(dir.join(".git/git-parallel/integrate/main/passes")).unwrap();
    assert_eq!(passes.lines().count(), 8, "{passes}");
    std::fs::remove_file(dir.join("t4")).unwrap();
    sandbox.integrate(&dir, args).ok();
    assert_eq!(runs(&sandbox), ["t1", "t2", "t3", "t4"]);
    landed(&sandbox, &dir, &[1, 2, 3, 4]);
}

#[test]
fn without_an_idle_slot_the_private_worktree_is_enough() {
    for slots in [0, 1] {
        let sandbox = Sandbox::new();
        let dir = if slots == 0 { sandbox.init() } else { with_tasks(&sandbox, slots, 0) };
        for n in 1..=4 {
            ready(&sandbox, &dir, &format!("t{n}"), &format!("t{n}"), "1\n");
        }
        let claimed = (slots == 1).then(|| claim(&sandbox, &dir, &[]));
        let places = sandbox.path("places");
        let script = format!("pwd >>{}", places.display());
        let run = sandbox.integrate(&dir, ["-j3", "--check", &check(&sandbox, &script)]).ok();
        run.says("There is no idle slot in the pool: checks run one after the other\n");
        assert_eq!(runs(&sandbox), ["t1", "t2", "t4"]);
        let shop = format!("{}\n", workshop(&sandbox).display());
        assert_eq!(std::fs::read_to_string(places).unwrap(), shop.repeat(3));
        if let Some(path) = claimed {
            assert_eq!(states(&sandbox, &dir), "1 claimed\n");
            sandbox.pool(&path, ["release"]).ok();
        } else {
            sandbox.pool(&dir, ["list"]).ok().prints("");
        }
        over(&sandbox, &dir);
    }
}

#[test]
fn what_checks_write_goes_and_build_caches_stay() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 4);
    let slot = sandbox.path("repo-worktrees/pool-1");
    sandbox.write(&slot, "target/warm", "warm\n");
    let head = sandbox.commit_id(&slot, "HEAD");
    // What one of them has changed, none of the others finds; not even a branch to be on.
    let script = "test -z \"$(git status --porcelain)\" && echo x >>README && rm src/deep/file && touch stray && \
                  git add stray && mkdir -p target && touch target/$GIT_TASK && git switch -q -c b-$GIT_TASK";
    sandbox.integrate(&dir, ["-j4", "--check", &check(&sandbox, script)]).ok();
    landed(&sandbox, &dir, &[1, 2, 3, 4]);
    assert_eq!(sandbox.commit_id(&slot, "HEAD"), head);
    let caches = [slot.join("target"), workshop(&sandbox).join("target")];
    let in_caches = |name: &str| caches.iter().filter(|dir| dir.join(name).exists()).count();
    assert!(caches[0].join("warm").exists());
    for n in 1..=4 {
        assert_eq!(in_caches(&format!("t{n}")), 1);
        // It stayed where it was when it was made.
        let made = sandbox.commit_id(&dir, &format!("b-t{n}"));
        assert_eq!(made, sandbox.commit_id(&dir, &format!("main~{}", 4 - n)));
    }
}

#[test]
fn a_number_that_makes_no_sense_is_refused_and_a_rehearsal_needs_none() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 1);
    let before = Frozen::of(&sandbox);
    for (number, said) in [
        ("0", "option `jobs' expects a number above 0"),
        ("x", "option `jobs' expects a numerical value"),
        ("", "option `jobs' expects a numerical value"),
    ] {
        let run = sandbox.integrate(&dir, ["-j", number, "--check", "true"]).fails(129).says(said);
        before.assert_unchanged(&sandbox, &run);
    }
    sandbox.integrate(&dir, ["-j", "-1", "--check", "true"]).fails(129);
    let run = sandbox.integrate(&dir, ["-n", "-j2", "--check", "false", "--porcelain"]).ok();
    before.assert_unchanged(&sandbox, &run.prints("merged t1\n"));
}
