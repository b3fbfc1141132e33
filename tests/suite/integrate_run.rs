//! `git integrate`: building, checking, publishing and tidying up.

use std::path::{Path, PathBuf};

use crate::support::*;

/// A task with one commit that writes `file`, said to be ready.
#[track_caller]
pub fn ready(sandbox: &Sandbox, dir: &Path, name: &str, file: &str, text: &str) -> PathBuf {
    let path = sandbox.task(dir, ["add", name]).ok().path();
    sandbox.commit(&path, file, text, &format!("Work on {name}"));
    sandbox.task(dir, ["ready", name]).ok();
    path
}

/// The private worktree.
pub fn workshop(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("repo-worktrees/.integrate-repo-main")
}

#[track_caller]
pub fn subjects(sandbox: &Sandbox, dir: &Path, revision: &str) -> String {
    sandbox.git(dir, ["log", "--first-parent", "--format=%s", revision]).ok().stdout
}

/// Nothing of an integration is left but the private worktree.
#[track_caller]
pub fn over(sandbox: &Sandbox, dir: &Path) {
    sandbox.integrate(dir, ["--status"]).ok();
    let refs = sandbox.refs(dir);
    assert!(!refs.contains("refs/integrate/"), "{refs}");
    assert_sound(sandbox, dir);
}

#[test]
fn ready_tasks_land_and_are_tidied_up() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    sandbox.task(&dir, ["add", "open"]).ok();
    let run = sandbox.integrate(&dir, ["--porcelain"]).ok();
    let (before, after) = (sandbox.commit_id(&dir, "main~2"), sandbox.commit_id(&dir, "main"));
    let first = sandbox.commit_id(&dir, "main~1");
    run.prints(&format!("merged a {first}\nmerged b {after}\nlanded refs/heads/main {before} {after}\n"));
    assert_eq!(subjects(&sandbox, &dir, "main"), "Merge task 'b'\nMerge task 'a'\nBegin\n");
    // The worktree that has the target checked out followed.
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints("");
    assert!(dir.join("a").exists() && dir.join("b").exists());
    sandbox
        .git(&dir, ["for-each-ref", "--format=%(refname:short)", "refs/heads"])
        .ok()
        .prints("main\nopen\n");
    assert!(!sandbox.path("repo-worktrees/a").exists());
    let list = sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok();
    list.prints("a integrated\nb integrated\nopen open\n");
    let landed = sandbox.git(&dir, ["config", "task.a.integrated"]).ok();
    assert_eq!(landed.line(), first);
    over(&sandbox, &dir);
    // What was tidied up can be brought back.
    sandbox.task(&dir, ["restore", "a"]).ok();
    sandbox.integrate(&dir, ["--porcelain"]).ok().prints("");
}

#[test]
fn the_private_worktree_is_nobodys_task_and_stays_warm() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, ".git/info/exclude", "cache\n");
    ready(&sandbox, &dir, "a", "a", "1\n");
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    let shop = workshop(&sandbox);
    sandbox.write(&shop, "cache", "warm\n");
    sandbox.write(&shop, "stray", "cold\n");
    sandbox.task(&dir, ["list", "--all", "--format=%(task)"]).ok().prints("a\n");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.git(&dir, ["worktree", "prune", "--expire=now"]).ok();
    ready(&sandbox, &dir, "b", "b", "1\n");
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    assert!(shop.join("cache").exists() && !shop.join("stray").exists() && shop.join("b").exists());
    sandbox.git(&shop, ["symbolic-ref", "-q", "HEAD"]).fails(1);
    let list = sandbox.git(&dir, ["worktree", "list", "--porcelain"]).ok().stdout;
    assert_eq!(list.matches("worktree ").count(), 2, "{list}");
    // Deleted by hand, it is made again.
    std::fs::remove_dir_all(&shop).unwrap();
    ready(&sandbox, &dir, "c", "c", "1\n");
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    assert!(shop.join("c").exists());
    over(&sandbox, &dir);
}

#[test]
fn unrelated_changes_are_carried_and_an_overlapping_one_stops_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, "other", "1\n", "Other");
    ready(&sandbox, &dir, "a", "README", "changed\n");
    sandbox.write(&dir, "other", "mine\n");
    sandbox.write(&dir, "README", "mine too\n");
    let before = sandbox.commit_id(&dir, "main");
    let run = sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
    run.says("README").says("--continue").assert_one_error();
    assert_eq!(sandbox.commit_id(&dir, "main"), before);
    sandbox.integrate(&dir, ["--status"]).fails(1);
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints(" M README\n M other\n");
    sandbox.git(&dir, ["checkout", "-q", "README"]).ok();
    sandbox.integrate(&dir, ["--continue"]).ok();
    sandbox.git(&dir, ["status", "--porcelain"]).ok().prints(" M other\n");
    assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "changed\n");
    over(&sandbox, &dir);
}

#[test]
fn a_conflict_stops_it_and_a_person_goes_on() {
    for how in ["add", "commit", "merge --continue"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        ready(&sandbox, &dir, "a", "README", "a\n");
        ready(&sandbox, &dir, "b", "README", "b\n");
        ready(&sandbox, &dir, "c", "c", "c\n");
        let before = sandbox.commit_id(&dir, "main");
        let run = sandbox.integrate(&dir, ["--porcelain"]).fails(1);
        assert!(run.stdout.contains("conflict b content README\n"), "{run}");
        let shop = workshop(&sandbox);
        run.says(&shop.display().to_string());
        assert_eq!(sandbox.commit_id(&dir, "main"), before);
        let status = sandbox.integrate(&dir, ["--status", "--porcelain"]).fails(1).stdout;
        assert!(status.contains("task b\nwaits conflict\n"), "{status}");
        sandbox.integrate(&dir, [] as [&str; 0]).fails(128).says("in progress");
        sandbox.integrate(&dir, ["--continue"]).fails(1).says("still unmerged");
        sandbox.write(&shop, "README", "both\n");
        sandbox.git(&shop, ["add", "README"]).ok();
        match how {
            "commit" => drop(sandbox.git(&shop, ["commit", "-q", "-m", "By hand"]).ok()),
            "merge --continue" => {
                let mut command = sandbox.git_command(&shop, ["merge", "--continue"]);
                Run::of(command.env("GIT_EDITOR", "true"), b"").ok();
            }
            _ => {}
        }
        sandbox.integrate(&dir, ["--continue"]).ok();
        let second = if how == "commit" { "By hand" } else { "Merge task 'b'" };
        let expected = format!("Merge task 'c'\n{second}\nMerge task 'a'\nBegin\n");
        assert_eq!(subjects(&sandbox, &dir, "main"), expected);
        assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), "both\n");
        let message = sandbox.git(&dir, ["log", "-1", "--format=%B", "main~1"]).ok().stdout;
        assert!(!message.contains("Conflicts"), "{message}");
        over(&sandbox, &dir);
    }
}

#[test]
fn skip_leaves_a_task_and_its_dependents_out() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "README", "a\n");
    ready(&sandbox, &dir, "b", "README", "b\n");
    let path = sandbox.task(&dir, ["add", "d", "--after", "b"]).ok().path();
    sandbox.commit(&path, "d", "d\n", "D");
    sandbox.task(&dir, ["ready", "d"]).ok();
    ready(&sandbox, &dir, "e", "e", "e\n");
    sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
    let run = sandbox.integrate(&dir, ["--skip", "--porcelain"]).fails(2);
    assert!(run.stdout.contains("skipped b "), "{run}");
    assert!(run.stdout.contains("skipped d "), "{run}");
    assert!(run.stdout.contains("merged e "), "{run}");
    sandbox.git(&dir, ["rev-parse", "--verify", "-q", "b"]).ok();
    over(&sandbox, &dir);
}

#[test]
fn abort_and_quit_land_nothing() {
    for option in ["--abort", "--quit"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        ready(&sandbox, &dir, "a", "README", "a\n");
        ready(&sandbox, &dir, "b", "README", "b\n");
        let (before, tasks) = (sandbox.refs(&dir), sandbox.git(&dir, ["config", "--list", "--local"]).ok());
        sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
        sandbox.integrate(&dir, [option]).ok();
        assert_eq!(sandbox.refs(&dir), before);
        sandbox.git(&dir, ["config", "--list", "--local"]).ok().prints(&tasks.stdout);
        let unmerged = sandbox.git(workshop(&sandbox), ["ls-files", "-u"]).ok().stdout;
        assert_eq!(unmerged.is_empty(), option == "--abort");
        over(&sandbox, &dir);
        sandbox.integrate(&dir, ["--continue"]).fails(128).says("no integration in progress");
    }
}

#[test]
fn keep_going_leaves_what_conflicts_out_and_marks_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "README", "a\n");
    ready(&sandbox, &dir, "b", "README", "b\n");
    ready(&sandbox, &dir, "c", "c", "c\n");
    let run = sandbox.integrate(&dir, ["--keep-going", "--porcelain"]).fails(2);
    assert!(run.stdout.contains("conflict b content README\n"), "{run}");
    assert_eq!(subjects(&sandbox, &dir, "main"), "Merge task 'c'\nMerge task 'a'\nBegin\n");
    let reason = sandbox.git(&dir, ["config", "task.b.reason"]).ok().stdout;
    assert!(reason.contains("conflicts with 'main' in README"), "{reason}");
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("b blocked\n");
    over(&sandbox, &dir);
}

#[test]
fn a_side_decides_if_it_is_asked_to() {
    for (side, expected) in [("ours", "a\n"), ("theirs", "b\n")] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        ready(&sandbox, &dir, "a", "README", "a\n");
        ready(&sandbox, &dir, "b", "README", "b\n");
        sandbox.integrate(&dir, [format!("--on-conflict={side}")]).ok();
        assert_eq!(std::fs::read_to_string(dir.join("README")).unwrap(), expected);
        assert_eq!(sandbox.git(&dir, ["log", "-1", "--format=%B"]).ok().stdout.trim(), "Merge task 'b'");
        over(&sandbox, &dir);
    }
}

#[test]
fn asking_without_a_terminal_is_refused() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "a\n");
    let before = Frozen::of(&sandbox);
    let run = sandbox.integrate(&dir, ["--on-conflict=ask"]).fails(128).says("--on-conflict=<");
    before.assert_unchanged(&sandbox, &run);
}

#[test]
fn checks_run_on_each_merged_result_and_are_remembered() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    let log = sandbox.path("runs");
    let check = format!("test -f a && echo \"$GIT_TASK $PWD\" >>{}", log.display());
    sandbox.git(&dir, ["config", "integrate.check", &check]).ok();
    // Stopped after the checks, so that they have passed on what did not land.
    sandbox.write(&dir, "b", "in the way\n");
    sandbox.integrate(&dir, [] as [&str; 0]).fails(1);
    std::fs::remove_file(dir.join("b")).unwrap();
    let shop = workshop(&sandbox);
    let runs = format!("a {0}\nb {0}\n", shop.display());
    assert_eq!(std::fs::read_to_string(&log).unwrap(), runs);
    sandbox.integrate(&dir, ["--abort"]).ok();
    let run = sandbox.integrate(&dir, [] as [&str; 0]).ok();
    run.says("has passed on this tree before");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), runs);
    over(&sandbox, &dir);
}

#[test]
fn a_failing_check_is_tried_twice_and_then_stops_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    ready(&sandbox, &dir, "b", "b", "1\n");
    let runs = sandbox.path("runs");
    let check = format!("echo $GIT_TASK >>{}; echo looking at b; ! test -f b", runs.display());
    let run = sandbox.integrate(&dir, ["--check", &check, "--porcelain"]).fails(1);
    let run = run.says("looking at b").says("logs/b-1");
    assert!(run.stdout.contains(&format!("failed b {check}\n")), "{run}");
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "a\nb\nb\n");
    assert_eq!(subjects(&sandbox, &dir, "main"), "Begin\n");
    // A person mends it there.
    let shop = workshop(&sandbox);
    sandbox.write(&shop, "b", "1\n2\n");
    sandbox.integrate(&dir, ["--continue"]).fails(1).says("uncommitted changes");
    sandbox.git(&shop, ["rm", "-q", "-f", "b"]).ok();
    sandbox.git(&shop, ["commit", "-q", "-m", "Mend"]).ok();
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(subjects(&sandbox, &dir, "main"), "Mend\nMerge task 'b'\nMerge task 'a'\nBegin\n");
    over(&sandbox, &dir);
}

#[test]
fn keep_going_leaves_what_fails_out() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b", "c"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    let run = sandbox.integrate(&dir, ["--keep-going", "--check=! test -f b", "--porcelain"]).fails(2);
    assert!(run.stdout.contains("failed b ! test -f b\n"), "{run}");
    assert_eq!(subjects(&sandbox, &dir, "main"), "Merge task 'c'\nMerge task 'a'\nBegin\n");
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("b blocked\n");
    over(&sandbox, &dir);
}

#[test]
fn a_check_that_fails_once_blames_nobody() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    ready(&sandbox, &dir, "a", "a", "1\n");
    let flag = sandbox.path("flag");
    let check = format!("test -f {0} || {{ touch {0}; exit 1; }}", flag.display());
    sandbox.integrate(&dir, ["--check", &check]).ok().says("passed when it was tried again");
}

#[test]
fn a_slot_is_given_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.pool(&dir, ["init", "1"]).ok();
    let path = ready(&sandbox, &dir, "a", "a", "1\n");
    let claimed = sandbox.pool(&dir, ["list", "--format=%(state) %(task)"]).ok().stdout;
    assert!(claimed.contains("claimed a\n"), "{claimed}");
    sandbox.integrate(&dir, [] as [&str; 0]).ok();
    let list = sandbox.pool(&dir, ["list", "--format=%(state) %(task)"]).ok().stdout;
    assert!(!list.contains("claimed"), "{list}");
    assert!(path.exists() && !dir.join(".git/refs/heads/a").exists());
}

#[test]
fn a_later_phase_is_left_out_with_what_is_skipped() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b", "c"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    sandbox.git(&dir, ["config", "task.a.phase", "1"]).ok();
    sandbox.git(&dir, ["config", "task.b.phase", "2"]).ok();
    sandbox.integrate(&dir, ["--check", "test ! -f a"]).fails(1);
    let run = sandbox.integrate(&dir, ["--skip", "--porcelain"]).fails(2);
    assert!(
        run.stdout.contains("\nskipped b it comes after 'a'") || run.stdout.starts_with("skipped b"),
        "{run}"
    );
    assert_eq!(subjects(&sandbox, &dir, "main"), "Merge task 'c'\nBegin\n");
    over(&sandbox, &dir);
}

#[test]
fn what_keeps_the_target_from_moving_is_no_task_to_skip() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    sandbox.write(&dir, "a", "mine\n");
    sandbox.integrate(&dir, [] as [&str; 0]).fails(1).does_not_say("--skip");
    sandbox.integrate(&dir, ["--skip"]).fails(128).says("has not stopped at a task");
    std::fs::remove_file(dir.join("a")).unwrap();
    sandbox.integrate(&dir, ["--continue"]).ok();
    assert_eq!(subjects(&sandbox, &dir, "main"), "Merge task 'b'\nMerge task 'a'\nBegin\n");
    over(&sandbox, &dir);
}

#[test]
fn a_check_may_switch_to_a_branch_and_that_stays_where_it_is() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for name in ["a", "b"] {
        ready(&sandbox, &dir, name, name, "1\n");
    }
    sandbox.integrate(&dir, ["--check", "git switch -q -c made-for-$GIT_TASK"]).ok();
    for (name, revision) in [("a", "main~1"), ("b", "main")] {
        let made = sandbox.commit_id(&dir, &format!("made-for-{name}"));
        assert_eq!(made, sandbox.commit_id(&dir, revision));
    }
    over(&sandbox, &dir);
}
