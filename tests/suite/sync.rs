//! `git task sync`.

use crate::meanwhile::ours;
use crate::support::*;

fn begin(sandbox: &Sandbox) -> (std::path::PathBuf, std::path::PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    (dir, path)
}

#[test]
fn the_base_comes_in_by_merge_or_rebase() {
    for (how, parents) in [(&["--merge"][..], 3), (&["--rebase"], 2), (&[], 3)] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.commit(&path, "a", "a\n", "Work");
        sandbox.task(&path, ["sync"]).ok().prints("").says("up to date");
        let main = sandbox.commit(&dir, "m", "m\n", "Main");
        sandbox.task(&dir, ["sync", "x"].iter().chain(how)).ok();
        let ids = sandbox.git(&path, ["rev-list", "--parents", "-n1", "HEAD"]).ok().stdout;
        assert_eq!(ids.split_whitespace().count(), parents, "{how:?}");
        assert!(path.join("m").exists() && path.join("a").exists());
        sandbox.git(&path, ["merge-base", "--is-ancestor", &main, "HEAD"]).ok();
        sandbox.task(&path, ["sync"]).ok().says("up to date");
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        // Only its own work is its own, whichever way the base came in.
        let diff = sandbox.task(&dir, ["diff", "x", "--", "--name-only"]).ok().stdout;
        assert_eq!(diff, "a\n", "{how:?}");
    }
}

#[test]
fn configuration_for_pulls_does_not_stop_it() {
    for (key, value) in [
        ("merge.ff", "only"),
        ("merge.ff", "false"),
        ("branch.x.mergeOptions", "--no-commit"),
        ("branch.x.mergeOptions", "--squash"),
        ("pull.rebase", "true"),
    ] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.git(&dir, ["config", key, value]).ok();
        let main = sandbox.commit(&dir, "m", "m\n", "Main");
        sandbox.task(&path, ["sync"]).ok();
        assert_eq!(sandbox.commit_id(&path, "HEAD"), main, "{key}={value}: an empty task is moved along");
        sandbox.commit(&path, "a", "a\n", "Work");
        sandbox.commit(&dir, "m", "n\n", "More");
        sandbox.task(&path, ["sync"]).ok();
        assert_eq!(sandbox.commit_id(&path, "HEAD^2"), sandbox.commit_id(&dir, "main"), "{key}={value}");
    }
}

#[test]
fn a_branch_may_have_any_name_that_git_allows() {
    for branch in ["a=b", "=", "b.c", "quo'te\"", "sp;a#ce"] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let path = sandbox.task(&dir, ["add", "x", "-b", branch]).ok().path();
        sandbox.commit(&path, "a", "a\n", "Work");
        sandbox.commit(&dir, "m", "m\n", "Main");
        sandbox.git(&dir, ["config", &format!("branch.{branch}.mergeOptions"), "--strategy=none"]).ok();
        // Another setting of the command line is still heard.
        sandbox.run(&path, "git", ["-c", "user.name=Someone", "task", "sync"]).ok();
        assert_eq!(sandbox.commit_id(&path, "HEAD^2"), sandbox.commit_id(&dir, "main"), "{branch}");
    }
}

#[test]
fn a_task_without_work_stays_empty() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&dir, "m", "m\n", "Main");
    sandbox.task(&path, ["sync"]).ok();
    sandbox.refuses(&path, ["ready"], 128, "no commit of its own");
    sandbox.task(&dir, ["list", "--format=%(ahead) %(behind)"]).ok().prints("0 0\n");
    sandbox.task(&dir, ["rm", "x"]).ok();
    sandbox.task(&dir, ["list", "-a", "--format=%(state)"]).ok().prints("dropped\n");
}

#[test]
fn a_conflict_is_left_as_git_leaves_it() {
    for how in ["merge", "rebase"] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.commit(&path, "README", "theirs\n", "Work");
        sandbox.commit(&dir, "README", "ours\n", "Main");
        let run = sandbox.task(&dir, ["sync", "x", &format!("--{how}")]).fails(1).prints("");
        run.clone().says("error: ").says(&path.display().to_string()).says(&format!("git {how} --continue"));
        run.says("README").assert_one_error();
        sandbox.git(&path, ["ls-files", "-u"]).ok().says("");
        assert!(std::fs::read_to_string(path.join("README")).unwrap().contains("<<<<<<<"));
        sandbox.task(&dir, ["list", "--format=%(operation)"]).ok().prints(&format!("{how}\n"));
        sandbox.refuses(&dir, ["sync", "x"], 128, &format!("a {how} is in progress"));
        sandbox.write(&path, "README", "both\n");
        sandbox.git(&path, ["add", "README"]).ok();
        sandbox.sh(&path, &format!("GIT_EDITOR=true git {how} --continue")).ok();
        sandbox.task(&path, ["sync"]).ok().says("up to date");
        sandbox.task(&path, ["ready"]).ok();
        let diff = sandbox.task(&dir, ["diff", "x", "--", "--numstat"]).ok().stdout;
        assert_eq!(diff, "1\t1\tREADME\n", "{how}");
    }
}

#[test]
fn uncommitted_work_is_not_touched() {
    for how in ["--merge", "--rebase"] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.commit(&path, "a", "a\n", "Work");
        sandbox.commit(&dir, "README", "ours\n", "Main");
        sandbox.write(&path, "README", "mine\n");
        let head = sandbox.commit_id(&path, "HEAD");
        sandbox.task(&path, ["sync", how]).fails(128).prints("").assert_one_error();
        assert_eq!(std::fs::read_to_string(path.join("README")).unwrap(), "mine\n");
        assert_eq!(sandbox.commit_id(&path, "HEAD"), head);
        sandbox.task(&dir, ["list", "--format=%(dirty)%(operation)"]).ok().prints("1\n");
    }
}

#[test]
fn files_that_a_git_had_written_when_it_was_cut_off_are_no_obstacle() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let tracking = sandbox.task(&dir, ["add", "t", "--track", "main"]).ok().path();
    sandbox.commit(&dir, "new", "new\n", "New");
    sandbox.commit(&dir, "README", "changed\n", "Change");
    sandbox.commit(&dir, "later", "later\n", "Later");
    for (task, path) in [("x", &path), ("t", &tracking)] {
        // git writes the files, and the index at the end.
        sandbox.write(path, "new", "new\n");
        sandbox.write(path, "README", "changed\n");
        sandbox.task(&dir, ["sync", task]).ok();
        sandbox.git(path, ["status", "--porcelain"]).ok().prints("");
        assert_eq!(sandbox.commit_id(path, "HEAD"), sandbox.commit_id(&dir, "main"));
        assert_eq!(std::fs::read_to_string(path.join("later")).unwrap(), "later\n");
    }
    // What is somebody's own is, and then all is as it was.
    sandbox.commit(&dir, "new", "newer\n", "Newer");
    sandbox.commit(&dir, "mine", "theirs\n", "Theirs");
    for (task, path) in [("x", &path), ("t", &tracking)] {
        sandbox.write(path, "new", "newer\n");
        sandbox.write(path, "mine", "mine\n");
        sandbox.task(&dir, ["sync", task]).fails(128).says("would be overwritten");
        sandbox.git(path, ["status", "--porcelain"]).ok().prints(" M new\n?? mine\n");
        assert_eq!(std::fs::read_to_string(path.join("mine")).unwrap(), "mine\n");
    }
}

#[test]
fn predecessors_come_in_too_and_are_not_its_own_work() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let a = sandbox.task(&dir, ["add", "a"]).ok().path();
    let b = sandbox.task(&dir, ["add", "b"]).ok().path();
    sandbox.commit(&a, "a1", "1\n", "A1");
    let c = sandbox.task(&dir, ["add", "c", "--after", "a", "--after", "b"]).ok().path();
    let d = sandbox.task(&dir, ["add", "d", "--after", "a"]).ok().path();
    for (path, file) in [(&b, "b1"), (&a, "a2"), (&c, "c1"), (&d, "d1"), (&dir, "m1")] {
        sandbox.commit(path, file, "1\n", "More");
    }
    for (task, path, files) in
        [("c", &c, ["a1", "a2", "b1", "c1", "m1"]), ("d", &d, ["a1", "a2", "d1", "d1", "m1"])]
    {
        sandbox.task(&dir, ["sync", task]).ok();
        for file in files {
            assert!(path.join(file).exists(), "{file} in {task}");
        }
        let own = sandbox.task(&dir, ["diff", task, "--", "--name-only"]).ok().stdout;
        assert_eq!(own, format!("{task}1\n"), "what was brought in is not the task's own");
        let mails = sandbox.task(&dir, ["patch", task, "-o", &format!("../mails-{task}")]).ok().stdout;
        assert_eq!(mails.lines().count(), 1, "{mails}");
    }
    // One that has landed came in with the base.
    sandbox.git(&dir, ["merge", "-q", "a"]).ok();
    sandbox.task(&dir, ["rm", "a"]).ok();
    sandbox.task(&dir, ["sync", "d"]).ok();
    sandbox.git(&d, ["merge-base", "--is-ancestor", "main", "HEAD"]).ok();
}

#[test]
fn several_and_what_stops_one() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "a", "b", "c"]).ok();
    sandbox.commit(sandbox.path("repo-worktrees/b"), "README", "theirs\n", "Work");
    let main = sandbox.commit(&dir, "README", "ours\n", "Main");
    sandbox.task(&dir, ["sync", "a", "b", "c"]).fails(1).prints("").assert_one_error();
    assert_eq!(sandbox.commit_id(&dir, "a"), main);
    assert_eq!(sandbox.commit_id(&dir, "c"), main);
    sandbox.git(&dir, ["config", "task.sync", "odd"]).ok();
    sandbox.refuses(&dir, ["sync", "a"], 128, "bad config value 'odd' for 'task.sync'");
}

#[test]
fn a_tracking_task_moves_forwards_only() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "t", "--track", "main"]).ok().path();
    let own = sandbox.commit(&path, "t", "t\n", "A commit in it");
    sandbox.task(&path, ["sync"]).ok();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), own);
    sandbox.commit(&dir, "m", "m\n", "Main");
    sandbox.task(&path, ["sync"]).fails(128).assert_one_error();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), own);
}

#[test]
fn a_base_that_is_gone_is_named() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["branch", "dev"]).ok();
    let path = sandbox.task(&dir, ["add", "x", "--base", "dev"]).ok().path();
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.git(&dir, ["branch", "-qD", "dev"]).ok();
    sandbox.refuses(&path, ["sync"], 128, "the base of task 'x' is gone: 'dev'");
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("x\n");
    sandbox.task(&path, ["diff"]).ok();
}

#[test]
fn a_worktree_that_is_gone_is_no_riddle() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    std::fs::remove_dir_all(&path).unwrap();
    let run = sandbox.refuses(&dir, ["sync", "x"], 128, "task 'x' has no worktree");
    run.says("hint: ").says("git task repair -n");
}

#[test]
fn a_merge_that_would_be_refused_is_not_begun() {
    use std::os::unix::fs::MetadataExt;

    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&dir, "README", "theirs\n", "Theirs");
    // git would take it away and bring it back, and with it whatever comes in that moment.
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    for add in [false, true] {
        sandbox.write(&path, "README", "ours\n");
        if add {
            sandbox.git(&path, ["add", "README"]).ok();
        }
        let inode = || std::fs::metadata(path.join("README")).unwrap().ino();
        let before = inode();
        let run = sandbox.refuses(&dir, ["sync", "x"], 128, "would be overwritten by merge");
        run.says("'README'");
        assert_eq!(inode(), before);
    }
    sandbox.git(&path, ["reset", "-q"]).ok();
    sandbox.git(&path, ["checkout", "README"]).ok();
    sandbox.write(&path, "unrelated", "1\n");
    sandbox.task(&dir, ["sync", "x"]).ok();
    assert!(path.join("unrelated").exists());
}

fn read(dir: &std::path::Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// A merge driver is what can be made to run in the middle of a merge.
fn in_the_middle(sandbox: &Sandbox, dir: &std::path::Path, path: &std::path::Path, script: &str) {
    let line = |name: &str| format!("1\n2\n3\n{name}\n");
    sandbox.commit(dir, ".gitattributes", "driven merge=script\n", "Name a driver");
    sandbox.commit(dir, "driven", "1\n2\n3\n", "Add a file");
    sandbox.task(dir, ["sync", "x"]).ok();
    sandbox.commit(dir, "driven", line("theirs"), "Theirs");
    sandbox.commit(dir, "README", "theirs\n", "More of theirs");
    sandbox.commit(path, "driven", line("ours"), "Ours");
    let script = format!("cp %B %A && cd '{}' && {{ {script}\n}} >&2", path.display());
    sandbox.git(dir, ["config", "merge.script.driver", &script]).ok();
}

#[test]
fn what_is_edited_or_staged_in_the_middle_of_it_stays() {
    for commit in [false, true] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        let edit = "echo mine >README; echo new >new; git add new || :";
        in_the_middle(&sandbox, &dir, &path, edit);
        let run = sandbox.task(&dir, ["sync", "x"]).fails(128);
        run.says("your local changes to 'README', 'new' would be overwritten by merge");
        assert_eq!(read(&path, "README"), "mine\n");
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints(" M README\nA  new\n");
        // Nothing was half done: without what was in the way it goes on.
        sandbox.git(&dir, ["config", "merge.script.driver", "cp %B %A"]).ok();
        if commit {
            sandbox.git(&path, ["commit", "-q", "-m", "New"]).ok();
        } else {
            sandbox.git(&path, ["reset", "-q", "new"]).ok();
        }
        sandbox.git(&path, ["checkout", "README"]).ok();
        sandbox.task(&dir, ["sync", "x"]).ok();
        assert_eq!(read(&path, "driven"), "1\n2\n3\ntheirs\n");
        assert_eq!(read(&path, "new"), "new\n");
        assert_eq!(sandbox.commit_id(&path, "HEAD^2"), sandbox.commit_id(&dir, "main"));
    }
}

#[test]
fn what_is_committed_in_the_middle_of_it_is_merged_too() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let commit = "[ -e new ] || { echo new >new; git add new; git commit -q -m Meanwhile; }";
    in_the_middle(&sandbox, &dir, &path, commit);
    sandbox.task(&dir, ["sync", "x"]).ok();
    sandbox.git(&path, ["log", "-1", "--format=%s", "HEAD^1"]).ok().prints("Meanwhile\n");
    assert_eq!(sandbox.commit_id(&path, "HEAD^2"), sandbox.commit_id(&dir, "main"));
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
}

#[test]
fn it_is_the_merge_that_git_would_have_made() {
    let made = |prepare: &dyn Fn(&Sandbox, &std::path::Path)| {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.commit(&path, "a", "a\n", "Work");
        sandbox.commit(&dir, "m", "m\n", "Main");
        prepare(&sandbox, &dir);
        sandbox.task(&dir, ["sync", "x"]).ok();
        let log = sandbox.git(&path, ["reflog", "-1", "--format=%gs"]).ok().stdout;
        let tip = sandbox.commit_id(&dir, "main");
        assert!(log.starts_with(&format!("merge {tip}: ")), "{log}");
        sandbox.git(&path, ["log", "-1", "--format=%B"]).ok().stdout
    };
    let subject = "Merge branch 'main' into x\n\n";
    assert_eq!(made(&|_, _| ()), subject);
    let log = made(&|sandbox, dir| drop(sandbox.git(dir, ["config", "merge.log", "true"]).ok()));
    assert!(log.starts_with("Merge branch 'main' into x\n\n") && log.contains("  Main\n"), "{log}");
    let hook = "printf '#!/bin/sh\\necho Seen: yes >>\"$1\"\\n' >";
    for script in [
        format!("h=.git/hooks/commit-msg; {hook} $h; chmod +x $h"),
        format!("h=../commit-msg; {hook} $h; chmod +x $h; git config core.hooksPath \"$PWD/..\""),
        // This is in the task's worktree, and not where the command is given.
        format!(
            "h=../repo-worktrees/hooks/commit-msg; mkdir ${{h%/*}}; {hook} $h; chmod +x $h; git config core.hooksPath ../hooks"
        ),
    ] {
        let log = made(&|sandbox, dir| drop(sandbox.sh(dir, &script).ok()));
        assert!(log.contains("Seen: yes"), "{script}: {log}");
    }
}

#[test]
fn it_is_not_said_to_be_done_where_git_has_read_nothing() {
    // git takes what the file system refuses it for merged, and succeeds.
    for track in [false, true] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        let path = match track {
            true => sandbox.task(&dir, ["add", "--track", "main", "y"]).ok().path(),
            false => path,
        };
        sandbox.commit(&dir, "m", "m\n", "Main");
        sandbox.before_git("case \" $* \" in *' merge '*) ;; *) false ;; esac", "exit 0");
        let name = if track { "y" } else { "x" };
        let run = ours(&sandbox, &dir, &format!("git-task sync {name}")).fails(128);
        run.says("was not merged: git could not read it");
        assert!(!path.join("m").exists());
        sandbox.task(&dir, ["sync", name]).ok();
        assert!(path.join("m").exists());
    }
}
