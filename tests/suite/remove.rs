//! `git task rm`: what it refuses, what it takes away, and what stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::*;

/// A repository with a task `x` that has a commit of its own.
#[track_caller]
pub fn begin(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    (dir, path)
}

/// Asserts that `rm` refuses with this message and changes nothing: no reference, no byte of configuration,
/// no file.
#[track_caller]
fn refuses(sandbox: &Sandbox, dir: &Path, args: &[&str], why: &str) {
    let state = || {
        let script = "find . \\( -path '*/git-parallel/*' -o -path '*/objects/*' -o -name '.*.removed-*' \\) -prune -o -type f -exec sha1sum {} + | grep -v '/index$' | sort";
        let files = sandbox.sh(sandbox.path(""), script).ok();
        (sandbox.refs(dir), fs::read(dir.join(".git/config")).unwrap(), files.stdout)
    };
    let before = state();
    sandbox.task(dir, ["rm"].iter().chain(args)).fails(128).says(why);
    assert_eq!(state(), before);
    assert_sound(sandbox, dir);
}

#[test]
fn work_in_place_is_refused() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    refuses(&sandbox, &dir, &["x"], "are in no other branch");
    sandbox.git(&dir, ["merge", "-q", "x"]).ok();
    sandbox.write(&path, "untracked", "1\n");
    refuses(&sandbox, &dir, &["x"], "modified or untracked");
    for setting in [["status.showUntrackedFiles", "no"], ["diff.ignoreSubmodules", "all"]] {
        sandbox.git(&dir, ["config"].iter().chain(&setting)).ok();
    }
    refuses(&sandbox, &dir, &["x"], "modified or untracked");
    fs::remove_file(path.join("untracked")).unwrap();
    sandbox.write(&path, "mine", "changed\n");
    refuses(&sandbox, &dir, &["x"], "modified or untracked");
    sandbox.git(&path, ["add", "-A"]).ok();
    refuses(&sandbox, &dir, &["x"], "modified or untracked");
    sandbox.git(&path, ["reset", "-q", "--hard"]).ok();
    sandbox.task(&dir, ["rm", "x"]).ok();
    refuses(&sandbox, &dir, &["x"], "already");
    refuses(&sandbox, &dir, &["nobody"], "no such task");
}

#[test]
fn an_operation_in_progress_is_refused() {
    let stops: [(&str, &[&str]); 4] = [
        ("merge", &["merge", "main"]),
        ("rebase", &["rebase", "main"]),
        ("cherry-pick", &["cherry-pick", "main"]),
        ("bisect", &["bisect", "start"]),
    ];
    for (what, args) in stops {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.commit(&dir, "mine", "theirs\n", "Theirs");
        sandbox.git(&path, args);
        refuses(&sandbox, &dir, &["x"], &format!("a {what} is in progress"));
    }
}

#[test]
fn a_lock_takes_two_forces() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["lock", "x", "--reason", "on a stick"]).ok();
    refuses(&sandbox, &dir, &["x"], "lock reason: on a stick");
    refuses(&sandbox, &dir, &["-f", "x"], "lock reason: on a stick");
    sandbox.task(&dir, ["rm", "-f", "-f", "x"]).ok();
    assert!(!path.exists());
    sandbox.task(&dir, ["restore", "x"]).ok();
    let listed = sandbox.git(&dir, ["worktree", "list", "--porcelain"]).ok();
    assert!(listed.stdout.contains("locked on a stick"), "{listed}");
}

#[test]
fn the_main_worktree_stays() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["branch", "x"]).ok();
    let path = sandbox.task(&dir, ["add", "x", "-b", "x"]).ok().path();
    sandbox.git(&dir, ["worktree", "remove", "--force", path.to_str().unwrap()]).ok();
    sandbox.git(&dir, ["switch", "-q", "x"]).ok();
    for force in ["-q", "-f", "-ff"] {
        refuses(&sandbox, &dir, &[force, "x"], "is a main working tree");
    }
}

#[test]
fn commits_on_no_branch_are_refused() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.git(&path, ["switch", "-q", "--detach"]).ok();
    sandbox.commit(&path, "f", "1\n", "On no branch");
    refuses(&sandbox, &dir, &["x"], "in no branch");
    let path = sandbox.task(&dir, ["add", "t", "--track", "main"]).ok().path();
    sandbox.commit(&path, "g", "1\n", "On no branch either");
    refuses(&sandbox, &dir, &["t"], "in no branch");
}

#[test]
fn what_is_elsewhere_goes_without_force() {
    let ways: [(&str, &str); 4] = [
        ("git merge -q --no-edit x", "integrated"),
        ("git merge -q --squash x && git commit -qm Squashed", "integrated"),
        ("git cherry-pick x~1 x", "integrated"),
        ("git push -q origin x", "dropped"),
    ];
    for (way, state) in ways {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.publish(&dir);
        sandbox.commit(&path, "more", "more\n", "More");
        sandbox.commit(&dir, "other", "other\n", "Other");
        sandbox.sh(&dir, way).ok();
        sandbox.task(&dir, ["rm", "x"]).ok();
        sandbox.task(&dir, ["list", "--all", "--format=%(state)"]).ok().prints(&format!("{state}\n"));
        sandbox.git(&dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
    }
}

#[test]
fn a_branch_without_commits_was_never_integrated() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    sandbox.commit(&dir, "other", "other\n", "Other");
    sandbox.task(&dir, ["rm", "x"]).ok();
    sandbox.task(&dir, ["list", "--all", "--format=%(state)"]).ok().prints("dropped\n");
}

#[test]
fn the_branch_can_stay() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let tip = sandbox.commit_id(&dir, "x");
    sandbox.git(&dir, ["config", "branch.x.description", "words"]).ok();
    sandbox.task(&dir, ["rm", "--keep-branch", "x"]).ok();
    assert!(!path.exists());
    assert_eq!(sandbox.commit_id(&dir, "x"), tip);
    sandbox.git(&dir, ["config", "branch.x.description"]).ok().prints("words\n");
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), tip);
}

#[test]
fn of_several_each_is_for_itself() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let other = sandbox.task(&dir, ["add", "y"]).ok().path();
    sandbox.task(&dir, ["rm", "x", "nobody", "y"]).fails(1).says("error: the commits of task 'x'");
    assert!(path.exists() && !other.exists());
}

#[test]
fn from_inside_what_goes() {
    for format in [&[][..], &["--ref-format=reftable"]] {
        if !format.is_empty() && git_under_test().version < (2, 45) {
            continue;
        }
        let sandbox = Sandbox::new();
        let dir = sandbox.init_with("repo", format);
        let path = sandbox.task(&dir, ["add", "x"]).ok().path();
        sandbox.commit(&path, "sub/mine", "mine\n", "Mine");
        let other = sandbox.task(&dir, ["add", "y"]).ok().path();
        sandbox.task(path.join("sub"), ["rm", "-f", "x", "y"]).ok();
        assert!(!path.exists() && !other.exists());
        sandbox.task(&dir, ["restore", "x"]).ok();
        assert!(path.join("sub/mine").exists());
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_left_to_do_after_ones_own_worktree_is_refused_as_ever() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let other = sandbox.task(&dir, ["add", "y"]).ok().path();
    sandbox.commit(&other, "mine", "mine\n", "Mine");
    sandbox.task(&path, ["rm", "x", "y"]).fails(1).says("the commits of task 'y' are in no other branch");
    assert!(!path.exists() && other.exists());
    // What was removed before is not in the way of what is removed now.
    let again = sandbox.task(&dir, ["restore", "x"]).ok().path();
    for _ in 0..2 {
        sandbox.task(&dir, ["rm", "-f", "y"]).ok();
        sandbox.task(&dir, ["restore", "y"]).ok();
    }
    sandbox.task(&again, ["rm", "-f", "x", "y"]).ok();
    sandbox.task(&dir, ["restore", "y"]).ok();
    assert!(other.join("mine").exists());
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_directory_made_again_by_who_is_still_at_work_is_left_alone() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "early", "early\n");
    let (at, git) = (path.display(), git_under_test().program.display());
    // What a build would do that nobody stopped, in the instant before git forgets the worktree.
    let wrapper = format!(
        "#!/bin/sh\ncase \"$*\" in *'worktree remove'*) mkdir -p {at}/out && echo 1 >{at}/out/file;; esac\n\
         exec {git} \"$@\"\n"
    );
    let name = sandbox.root().join("bin/git");
    fs::write(&name, wrapper).unwrap();
    fs::set_permissions(&name, fs::Permissions::from_mode(0o755)).unwrap();
    // Through git, another git would be found.
    sandbox.run(&dir, "git-task", ["rm", "-f", "x"]).ok();
    fs::remove_file(&name).unwrap();
    assert_eq!(fs::read_to_string(path.join("out/file")).unwrap(), "1\n");
    sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("x dropped\n");
    sandbox.task(&dir, ["repair", "-n"]).ok();
    sandbox.sh(&path, "rm -r ../x").ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(fs::read_to_string(path.join("early")).unwrap(), "early\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn ignored_files_are_kept_or_named() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&dir, ".git/info/exclude", ".env\n*.log\nout/\n");
    sandbox.write(&dir, ".worktreeinclude", ".env\n");
    sandbox.write(&path, ".env", "SECRET=1\n");
    sandbox.write(&path, "a.log", "1\n");
    sandbox.write(&path, "out/b", "1\n");
    let run = sandbox.task(&dir, ["rm", "-f", "x"]).ok().says("a.log").says("out/");
    run.does_not_say(".env").does_not_say("notes");
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(fs::read_to_string(path.join(".env")).unwrap(), "SECRET=1\n");
}

#[test]
fn configuration_of_the_branch_goes_and_comes_back() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    let config = "git config branch.x.remote . && git config --add branch.x.merge refs/heads/main && \
                  git config --add branch.x.merge refs/heads/other && git config branch.x.description 'a = b \"c\" # d'";
    sandbox.sh(&dir, config).ok();
    let before = sandbox.git(&dir, ["config", "--get-regexp", "^branch\\.x\\."]).ok().stdout;
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.git(&dir, ["config", "--get-regexp", "^branch\\.x\\."]).fails(1);
    sandbox.task(&dir, ["restore", "x"]).ok();
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let after = sandbox.git(&dir, ["config", "--get-regexp", "^branch\\.x\\."]).ok().stdout;
    assert_eq!(sorted(&before), sorted(&after));
}

#[test]
fn a_directory_that_went_before() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let later = sandbox.task(&dir, ["add", "y", "--after", "x"]).ok().path();
    fs::remove_dir_all(&path).unwrap();
    // Its commits are in the branch of the one that comes after it.
    sandbox.task(&dir, ["rm", "x"]).ok();
    assert!(later.exists());
    sandbox.git(&dir, ["config", "task.y.after"]).ok().prints("x\n");
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert!(path.join("mine").exists());
}

#[test]
fn a_directory_whose_link_to_git_went_is_not_the_repository_around_it() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "task.worktreeFormat", "inside/{task}"]).ok();
    sandbox.write(&dir, ".git/info/exclude", "inside/\n");
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.write(&path, "untracked", "only here\n");
    fs::remove_file(path.join(".git")).unwrap();
    let run = sandbox.task(&dir, ["rm", "-f", "x"]);
    if run.code == 0 {
        sandbox.task(&dir, ["restore", "x"]).ok();
    }
    assert_eq!(fs::read_to_string(path.join("untracked")).unwrap(), "only here\n", "{run}");
}

#[test]
fn events() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    sandbox.task(&dir, ["add", "y"]).ok();
    let team = "[[on]]\nevent = \"dropped\"\nrun = \"echo dropped $GIT_TASK >>events\"\n\
                [[on]]\nevent = \"integrated\"\nrun = \"echo integrated $GIT_TASK >>events\"\n";
    sandbox.write(&dir, ".config/git-parallel.toml", team);
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    sandbox.git(&dir, ["merge", "-q", "x"]).ok();
    sandbox.task(&dir, ["rm", "x", "y"]).ok();
    assert_eq!(fs::read_to_string(dir.join("events")).unwrap(), "integrated x\ndropped y\n");
}

#[test]
fn read_only_directories_go_too_and_what_was_cut_off_is_swept() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, ".gitignore", "cache/\n");
    sandbox.write(&path, "cache/deep/file", "1\n");
    fs::set_permissions(path.join("cache/deep"), fs::Permissions::from_mode(0o555)).unwrap();
    // A removal whose deletion never began: the directory and its record are there.
    let left = sandbox.path("repo-worktrees/.x.removed-1");
    fs::create_dir_all(left.join("deep")).unwrap();
    fs::set_permissions(left.join("deep"), fs::Permissions::from_mode(0o555)).unwrap();
    sandbox.write(&dir, ".git/git-parallel/sweep/x-1", left.to_str().unwrap());
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    assert!(!path.exists());
    sandbox.task(&dir, ["prune", "-n"]).ok();
    assert!(left.exists());
    sandbox.task(&dir, ["prune"]).ok();
    assert!(!left.exists());
    sandbox.sh(sandbox.path(""), "find . -name '.*.removed-*'").ok().prints("");
    // A record that names something else is no order to delete it.
    sandbox.write(&dir, ".git/git-parallel/sweep/y-1", dir.to_str().unwrap());
    sandbox.task(&dir, ["prune"]).ok();
    assert!(dir.join("README").exists());
}

#[test]
fn what_cannot_be_read_is_not_taken_away() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.git(&dir, ["config", "filter.bad.clean", "false"]).ok();
    sandbox.git(&dir, ["config", "filter.bad.required", "true"]).ok();
    sandbox.write(&path, ".gitattributes", "*.bad filter=bad\n");
    sandbox.write(&path, "x.bad", "1\n");
    refuses(&sandbox, &dir, &["-f", "-f", "x"], "x.bad");
    fs::remove_file(path.join("x.bad")).unwrap();
    // A fifo has no content.
    sandbox.sh(&path, "mkfifo fifo").ok();
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
}
