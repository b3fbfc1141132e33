//! `git integrate -j` where a person has to decide, and where it is cut off in the middle of its checks.

use std::path::Path;

use crate::integrate_checks::{are_idle, check, landed, runs, with_tasks};
use crate::integrate_run::{over, ready, subjects, workshop};
use crate::pool::states;
use crate::support::*;

/// Kills the integration that runs this check, once.
fn killing(sandbox: &Sandbox, task: &str, signal: &str) -> String {
    let once = sandbox.path("once");
    format!(
        "if test $GIT_TASK = {task} && mkdir {} 2>/dev/null; then kill -{signal} $PPID; fi",
        once.display()
    )
}

/// Waits for the checks that a killed integration has left: they hold a lock until they end.
#[track_caller]
fn wait_for_checks(sandbox: &Sandbox) {
    sandbox.sh(sandbox.path(""), "flock alive true").ok();
}

fn holding(sandbox: &Sandbox, script: &str) -> String {
    format!("exec 9>>{}; flock -s 9; {script}", sandbox.path("alive").display())
}

/// The conflict at a task is resolved by hand, in a way that nothing else would come to.
#[track_caller]
fn resolve(sandbox: &Sandbox, dir: &Path, task: &str) {
    let status = sandbox.integrate(dir, ["--status", "--porcelain"]).fails(1).stdout;
    assert!(status.contains(&format!("task {task}\nwaits conflict\n")), "{status}");
    sandbox.write(workshop(sandbox), "README", "by hand\n");
    sandbox.git(workshop(sandbox), ["add", "README"]).ok();
}

#[test]
fn nobody_is_asked_on_top_of_what_fails() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 2);
    ready(&sandbox, &dir, "t3", "README", "three\n");
    ready(&sandbox, &dir, "t4", "README", "four\n");
    ready(&sandbox, &dir, "t5", "t5", "1\n");
    ready(&sandbox, &dir, "t6", "t6", "1\n");
    let command = check(&sandbox, "! test -f t2 && ! test -f t6");
    let run = sandbox.integrate(&dir, ["-j2", "--porcelain", "--check", &command]).fails(1);
    assert!(run.stdout.contains("failed t2 ") && !run.stdout.contains("conflict"), "{run}");
    // What was good before the conflict is not checked again after it.
    sandbox.integrate(&dir, ["--skip"]).fails(1);
    resolve(&sandbox, &dir, "t4");
    let before = runs(&sandbox);
    assert!(!before.contains(&"t4".to_owned()), "{before:?}");
    let run = sandbox.integrate(&dir, ["--continue", "--porcelain"]).fails(1);
    assert!(run.stdout.contains("failed t6 "), "{run}");
    let after = runs(&sandbox);
    let count = |all: &[String], task: &str| all.iter().filter(|run| *run == task).count();
    for task in ["t1", "t2", "t3"] {
        assert_eq!(count(&after, task), count(&before, task), "{after:?}");
    }
    assert_eq!(std::fs::read_to_string(workshop(&sandbox).join("README")).unwrap(), "by hand\n");
    sandbox.integrate(&dir, ["--skip"]).fails(2);
    landed(&sandbox, &dir, &[1, 3, 4, 5]);
    assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "by hand\n");
}

#[test]
fn what_a_person_has_changed_meanwhile_is_checked_again() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 1);
    ready(&sandbox, &dir, "t2", "README", "two\n");
    ready(&sandbox, &dir, "t3", "README", "three\n");
    let command = check(&sandbox, "! test -f bad");
    sandbox.integrate(&dir, ["-j2", "--check", &command]).fails(1);
    let shop = workshop(&sandbox);
    sandbox.git(&shop, ["merge", "--abort"]).ok();
    sandbox.write(&shop, "bad", "1\n");
    sandbox.git(&shop, ["add", "bad"]).ok();
    sandbox.git(&shop, ["commit", "-q", "--amend", "--no-edit"]).ok();
    let run = sandbox.integrate(&dir, ["--continue", "--porcelain"]).fails(1);
    assert!(run.stdout.contains("failed t2 ") && !run.stdout.contains("conflict"), "{run}");
    assert_eq!(subjects(&sandbox, &dir, "main"), "Ignore\nFile\nBegin\n");
}

#[test]
fn who_only_conflicts_with_what_fails_lands() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 1);
    ready(&sandbox, &dir, "t2", "README", "two\n");
    ready(&sandbox, &dir, "t3", "README", "three\n");
    ready(&sandbox, &dir, "t4", "t4", "1\n");
    let command = check(&sandbox, "! grep -q two README");
    let args = ["-j3", "--keep-going", "--porcelain", "--check", &command];
    let run = sandbox.integrate(&dir, args).fails(2);
    assert!(run.stdout.contains("failed t2 ") && !run.stdout.contains("conflict"), "{run}");
    landed(&sandbox, &dir, &[1, 3, 4]);
}

#[test]
fn a_kill_in_the_middle_lands_nothing_and_is_gone_on_from() {
    for (option, slots) in [("--continue", 1), ("--continue", 0), ("--abort", 1)] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, slots, 4);
        let script = format!("{}; ! test -f t5", killing(&sandbox, "t2", "KILL"));
        let command = check(&sandbox, &holding(&sandbox, &script));
        sandbox.integrate(&dir, ["-j2", "--check", &command]).fails(137);
        wait_for_checks(&sandbox);
        assert_eq!(subjects(&sandbox, &dir, "main"), "Ignore\nFile\nBegin\n");
        if slots == 1 {
            assert_eq!(states(&sandbox, &dir), "1 preparing\n");
        }
        sandbox.integrate(&dir, [] as [&str; 0]).fails(128).says("in progress");
        let before = runs(&sandbox).len();
        sandbox.integrate(&dir, [option]).ok();
        if option == "--abort" {
            assert_eq!(subjects(&sandbox, &dir, "main"), "Ignore\nFile\nBegin\n");
            are_idle(&sandbox, &dir);
            over(&sandbox, &dir);
        } else {
            landed(&sandbox, &dir, &[1, 2, 3, 4]);
            // With the number that was asked for at first: no more than t2 and t4.
            assert!(runs(&sandbox).len() - before <= 2, "{:?}", runs(&sandbox));
        }
    }
}

#[test]
fn what_was_resolved_by_hand_outlives_a_kill_in_the_middle_of_checks() {
    for slots in [0, 1] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, slots, 1);
        ready(&sandbox, &dir, "t2", "README", "two\n");
        ready(&sandbox, &dir, "t3", "README", "three\n");
        for name in ["t4", "t5"] {
            ready(&sandbox, &dir, name, name, "1\n");
        }
        // The first that is checked is not the last that is merged.
        let command = check(&sandbox, &holding(&sandbox, &killing(&sandbox, "t3", "KILL")));
        sandbox.integrate(&dir, ["-j3", "--check", &command]).fails(1);
        resolve(&sandbox, &dir, "t3");
        sandbox.integrate(&dir, ["--continue"]).fails(137);
        wait_for_checks(&sandbox);
        sandbox.integrate(&dir, ["--continue"]).ok();
        landed(&sandbox, &dir, &[1, 2, 3, 4, 5]);
        assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "by hand\n");
    }
}

#[test]
fn ctrl_c_ends_all_checks_and_keeps_the_state() {
    for signal in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, 1, 2);
        sandbox.sh(sandbox.path(""), "mkfifo p").ok();
        let (p, once) = (sandbox.path("p"), sandbox.path("once"));
        // Each has a child, and neither would end by itself.
        let script = format!(
            "test -d {once} || {{ touch stray; tail -f /dev/null & \
             if test $GIT_TASK = t1; then echo x >{p}; else read x <{p}; mkdir {once}; kill -{signal} $PPID; fi; wait; }}",
            p = p.display(),
            once = once.display()
        );
        let command = check(&sandbox, &holding(&sandbox, &script));
        sandbox.integrate(&dir, ["-j2", "--check", &command]).fails(130);
        wait_for_checks(&sandbox);
        are_idle(&sandbox, &dir);
        let status = sandbox.integrate(&dir, ["--status"]).fails(1);
        assert!(status.stdout.contains("was interrupted"), "{status}");
        assert_eq!(subjects(&sandbox, &dir, "main"), "Ignore\nFile\nBegin\n");
        sandbox.git(workshop(&sandbox), ["status", "--porcelain"]).ok().prints("");
        sandbox.integrate(&dir, ["--continue"]).ok();
        landed(&sandbox, &dir, &[1, 2]);
    }
}

#[test]
fn a_slot_in_use_is_nobody_elses() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 2);
    sandbox.git(&dir, ["config", "pool.max", "1"]).ok();
    sandbox.git(&dir, ["config", "task.lockTimeout", "1"]).ok();
    let seen = sandbox.path("seen");
    // In the slot and in the private worktree at once; each looks while neither is at its end.
    sandbox.sh(sandbox.path(""), "mkfifo p q").ok();
    let script = format!(
        "case $GIT_TASK in t1) echo >{p}; read x <{q} ;; t2) read x <{p}; \
         {{ git -C {dir} pool list --format='%(state)'; git -C {dir} pool claim; echo $?; \
         git -C {dir} pool drain; git -C {dir} pool list --format='%(slot)'; }} >{seen} 2>&1; echo >{q} ;; esac",
        p = sandbox.path("p").display(),
        q = sandbox.path("q").display(),
        dir = dir.display(),
        seen = seen.display()
    );
    sandbox.integrate(&dir, ["-j2", "--check", &check(&sandbox, &script)]).ok();
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.starts_with("preparing\nerror: no slot is idle"), "{seen}");
    assert!(seen.contains("\n1\n") && seen.ends_with("\n1\n"), "{seen}");
    landed(&sandbox, &dir, &[1, 2]);
}

/// What a check does in the slot once, as somebody does who thinks that the slot is his still.
fn writing(sandbox: &Sandbox, script: &str) -> String {
    let once = sandbox.path("written");
    format!(
        "case $GIT_TASK_PATH in */pool-1) if mkdir {} 2>/dev/null; then {script}; fi ;; esac",
        once.display()
    )
}

#[test]
fn what_somebody_does_in_a_lent_slot_is_kept() {
    let commit = "git commit -q --allow-empty -m mine";
    for (script, cut) in [
        ("echo mine >mine; echo mine >README", "true"),
        ("echo mine >mine; git add mine; git commit -q -m mine", "true"),
        ("echo mine >mine; git add mine; git commit -q -m mine", "kill -KILL $PPID"),
        ("echo mine >mine; git add mine; echo more >mine", "kill -KILL $PPID"),
        (
            "echo mine >mine; git add mine; git commit -q -m mine; git update-ref refs/worktree/mine HEAD; \
          git checkout -q HEAD~",
            "true",
        ),
    ] {
        let sandbox = Sandbox::new();
        let dir = with_tasks(&sandbox, 1, 4);
        let script = writing(&sandbox, &format!("{script}; {commit}; {cut}"));
        let command = format!("{}; {}", check(&sandbox, "true"), holding(&sandbox, &script));
        let run = sandbox.integrate(&dir, ["-j2", "--check", &command]);
        let run = if cut == "true" {
            run.ok()
        } else {
            run.fails(137);
            wait_for_checks(&sandbox);
            sandbox.integrate(&dir, ["--continue"]).ok()
        };
        run.says("files found in '").says("pool-1' are kept: 'git task restore slot-1'");
        landed(&sandbox, &dir, &[1, 2, 3, 4]);
        let back = sandbox.task(&dir, ["restore", "slot-1"]).ok().path();
        let found = sandbox.sh(&back, "cat mine || git show refs/worktree/mine:mine").ok();
        assert!(["mine\n", "more\n"].contains(&found.stdout.as_str()), "{script}");
        sandbox.git(&back, ["log", "--format=%s", "-1"]).ok().prints("mine\n");
    }
}

#[test]
fn a_slot_that_nobody_writes_to_has_nothing_to_be_kept() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 4);
    let command = check(&sandbox, &holding(&sandbox, &killing(&sandbox, "t2", "KILL")));
    sandbox.integrate(&dir, ["-j2", "--check", &command]).fails(137);
    wait_for_checks(&sandbox);
    sandbox.integrate(&dir, ["--abort"]).ok().does_not_say("kept");
    are_idle(&sandbox, &dir);
    sandbox.integrate(&dir, ["-j2", "--check", &command]).ok().does_not_say("kept");
    sandbox.git(&dir, ["for-each-ref", "refs/task-trash/slot-1"]).ok().prints("");
}

#[test]
fn a_slot_that_cannot_be_brought_further_is_done_without() {
    let sandbox = Sandbox::new();
    let dir = with_tasks(&sandbox, 1, 8);
    sandbox.sh(sandbox.path(""), "mkfifo p").ok();
    // Both places are used at first, and both are wanted again to find out who fails.
    let fifo = sandbox.path("p");
    let repository = format!(
        "read x <{}; git init -q inner && git -C inner commit -q --allow-empty -m mine",
        fifo.display()
    );
    let meet =
        format!("if mkdir {} 2>/dev/null; then echo >{}; fi", sandbox.path("met").display(), fifo.display());
    let script = writing(&sandbox, &repository).replace("esac", &format!("*) {meet} ;; esac"));
    let command = format!("{script}; ! test -f t1");
    let run = sandbox.integrate(&dir, ["-j2", "--keep-going", "--check", &command]).fails(2);
    run.says("warning: nothing more is checked in slot 1: repositories inside slot 1 hold work of their own");
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("t1 blocked\n");
    assert_eq!(subjects(&sandbox, &dir, "main").lines().count(), 3 + 7);
    // It is for a person to look into.
    let inner = sandbox.path("repo-worktrees/pool-1/inner");
    sandbox.git(&inner, ["log", "--format=%s"]).ok().prints("mine\n");
    assert_eq!(states(&sandbox, &dir), "1 broken\n");
}
