//! A task that is isolated in a clone.

use std::fs;
use std::path::PathBuf;

use crate::restore_states::collect_garbage;
use crate::support::*;

/// A repository with a task `x` in a clone, with a commit.
#[track_caller]
fn begin(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--clone"]).ok().path();
    assert!(path.join(".git").is_dir());
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    (dir, path)
}

#[test]
fn a_dropped_clone_comes_back() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    for n in ["first", "second"] {
        sandbox.write(&path, "README", format!("{n}\n"));
        sandbox.git(&path, ["stash", "-q", "-m", n]).ok();
    }
    sandbox.git(&path, ["branch", "side"]).ok();
    sandbox.git(&path, ["switch", "-q", "side"]).ok();
    let side = sandbox.commit(&path, "side", "side\n", "Side");
    sandbox.write(&path, "mine", "changed\n");
    sandbox.write(&path, "staged", "staged\n");
    sandbox.git(&path, ["add", "staged"]).ok();
    sandbox.write(&path, "untracked", "untracked\n");
    let before = Picture::of(&sandbox, &path, &[]);
    sandbox.task(&dir, ["rm", "x"]).fails(128);
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    assert!(!path.exists());
    collect_garbage(&sandbox, &dir);
    sandbox.task(&dir, ["restore", "x"]).ok().prints(&format!("{}\n", path.display()));
    before.assert_is(&Picture::of(&sandbox, &path, &[]));
    assert_eq!(sandbox.commit_id(&path, "side"), side);
    sandbox.git(&path, ["show", "-s", "--format=%s", "x"]).ok().prints("Mine\n");
    sandbox.git(&path, ["fsck", "--no-dangling"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn its_branch_comes_back_by_ready() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    assert_ne!(sandbox.commit_id(&dir, "x"), sandbox.commit_id(&path, "x"));
    sandbox.task(&dir, ["ready", "x"]).ok();
    assert_eq!(sandbox.commit_id(&dir, "x"), sandbox.commit_id(&path, "x"));
    sandbox.git(&dir, ["merge", "-q", "x"]).ok();
    sandbox.task(&dir, ["rm", "x"]).ok();
    sandbox.task(&dir, ["list", "--all", "--format=%(state)"]).ok().prints("integrated\n");
}

#[test]
fn commits_that_only_the_clone_has_are_refused_also_after_ready() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["ready", "x"]).ok();
    sandbox.git(&dir, ["merge", "-q", "x"]).ok();
    sandbox.commit(&path, "later", "later\n", "Later");
    sandbox.task(&dir, ["rm", "x"]).fails(128).says("in no other branch");
    assert!(path.exists());
    // Another branch and a stash are work too.
    sandbox.task(&dir, ["ready", "x"]).ok();
    sandbox.git(&dir, ["merge", "-q", "x"]).ok();
    sandbox.git(&path, ["branch", "side"]).ok();
    sandbox.git(&path, ["switch", "-q", "side"]).ok();
    sandbox.commit(&path, "side", "side\n", "Side");
    sandbox.git(&path, ["switch", "-q", "x"]).ok();
    sandbox.task(&dir, ["rm", "x"]).fails(128);
    assert!(path.exists());
}

#[test]
fn a_repository_inside_a_clone_is_refused() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let inner = sandbox.init_with("repo-worktrees/x/inner", &[]);
    sandbox.task(&dir, ["rm", "-f", "x"]).fails(128).says("inner");
    assert!(inner.exists() && path.exists());
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert!(fs::read_dir(dir.join(".git/git-parallel/intents")).unwrap().next().is_none());
}

#[test]
fn inside_a_clone_the_name_may_be_left_out() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["add", "y"]).ok();
    sandbox.git(&path, ["branch", "side"]).ok();
    sandbox.git(&path, ["worktree", "add", "-q", "../beside", "side"]).ok();
    std::fs::create_dir(path.join("below")).unwrap();
    for here in [path.clone(), path.join("below"), sandbox.path("repo-worktrees/beside")] {
        sandbox.task(&here, ["path"]).ok().prints(&format!("{}\n", path.display()));
        sandbox.task(&here, ["list", "--format=%(task)"]).ok().prints("x\ny\n");
        sandbox.task(&here, ["diff", "--", "--name-only"]).ok().prints("mine\n");
    }
    // A hook there is told its repository.
    sandbox.write(&path, ".git/hooks/post-commit", "#!/bin/sh\ngit task path\n");
    sandbox.sh(&path, "chmod +x .git/hooks/post-commit").ok();
    let run = sandbox.git(&path, ["commit", "-q", "--allow-empty", "-m", "More"]).ok();
    assert!(run.stderr.contains(&path.display().to_string()), "{run}");
    let main = sandbox.commit(&dir, "m", "m\n", "Main");
    sandbox.task(&path, ["sync"]).ok();
    sandbox.git(&path, ["merge-base", "--is-ancestor", &main, "HEAD"]).ok();
    sandbox.task(&path, ["ready"]).ok();
    sandbox.task(&path, ["rename", "x", "z"]).ok();
    sandbox.task(&path, ["path"]).ok();
    // A clone that is no task's is a repository of its own.
    sandbox.git(sandbox.path(""), ["clone", "-q", "--shared", "repo", "other"]).ok();
    let other = sandbox.path("other");
    sandbox.task(&other, ["list", "--format=%(task)"]).ok().prints("");
    sandbox.task(&other, ["path"]).fails(129);
    // It goes from inside, too.
    sandbox.task(&path, ["rm", "-f", "z"]).ok();
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("y\n");
    assert_sound(&sandbox, &dir);
}

/// Somebody else's repository, which runs something when it is looked at.
fn somebody_s(sandbox: &Sandbox) -> PathBuf {
    let other = sandbox.init_with("other", &[]);
    sandbox.git(&other, ["branch", "x"]).ok();
    sandbox.write(&other, "precious", "work\n");
    sandbox.write(&other, "notes/x/status.md", "theirs\n");
    sandbox.write(&other, "monitor", "#!/bin/sh\ntouch \"$0.ran\"\n");
    sandbox.sh(&other, "chmod +x monitor").ok();
    let monitor = other.join("monitor");
    sandbox.git(&other, ["config", "core.fsmonitor", monitor.to_str().unwrap()]).ok();
    let _ = fs::remove_file(other.join("monitor.ran"));
    other
}

#[test]
fn what_takes_the_place_of_a_clone_is_left_alone() {
    for kind in ["link", "repository", "link to the clone", "directory", "file", "link to a directory"] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        let other = somebody_s(&sandbox);
        let aside = sandbox.path("aside");
        fs::rename(&path, &aside).unwrap();
        let link = |to: &std::path::Path| std::os::unix::fs::symlink(to, &path).unwrap();
        let mut theirs = other.clone();
        match kind {
            "link" => link(&other),
            "link to the clone" => link(&aside),
            "repository" => {
                fs::rename(&other, &path).unwrap();
                theirs.clone_from(&path);
            }
            "file" => fs::write(&path, "work\n").unwrap(),
            _ => {
                fs::remove_dir_all(other.join(".git")).unwrap();
                match kind {
                    "directory" => {
                        fs::rename(&other, &path).unwrap();
                        theirs.clone_from(&path);
                    }
                    _ => link(&other),
                }
            }
        }
        let list = |at: &std::path::Path| sandbox.sh(at, "find . | sort; cat .git/HEAD").stdout;
        let (before, beside) = (list(&theirs), list(&aside));
        for args in [&["list"][..], &["show", "x"], &["prune", "-n"], &["prune", "--expire=now"]] {
            sandbox.task(&dir, args).ok();
        }
        sandbox.task(&dir, ["list", "--format=%(dirty)%(goal)"]).ok().prints("\n");
        sandbox.task(&dir, ["repair"]);
        let work = [&["path", "x"][..], &["diff", "x"], &["sync", "x"], &["ready", "x"], &["prompt", "x"]];
        for args in work.into_iter().chain([&["note", "x", "--goal", "g"][..]]) {
            sandbox.task(&dir, args).fails(128).says("has no worktree");
        }
        sandbox.task(&dir, ["rename", "x", "y"]).ok();
        sandbox.task(&dir, ["rename", "y", "x"]).ok();
        if sandbox.task(&dir, ["rm", "x"]).code != 0 {
            sandbox.task(&dir, ["rm", "-f", "x"]).ok();
        }
        sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("x dropped\n");
        assert_eq!(list(&theirs), before, "{kind}");
        assert_eq!(list(&aside), beside, "{kind}");
        assert!(fs::symlink_metadata(&path).is_ok(), "{kind}");
        for name in sandbox.refs(&dir).lines().filter_map(|line| line.strip_prefix("refs/task-trash/")) {
            let name = format!("refs/task-trash/{}", name.split(' ').next().unwrap());
            let kept = sandbox.git(&dir, ["ls-tree", "-r", &name]).ok();
            assert!(!kept.stdout.contains("precious"), "{kind}: {kept}");
        }
        assert_sound(&sandbox, &dir);
    }
}
