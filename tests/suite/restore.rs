//! `git task restore`: what it brings back, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use crate::restore_states::collect_garbage;
use crate::support::*;

/// A repository with a task `x` that has a commit and an untracked file.
#[track_caller]
fn begin(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--title", "feat: x", "--goal", "Get it done"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.write(&path, "untracked", "untracked\n");
    (dir, path)
}

/// Asserts a refusal that changes nothing.
#[track_caller]
fn refuses(sandbox: &Sandbox, dir: &Path, why: &str) {
    let state = || {
        let worktrees = sandbox.git(dir, ["worktree", "list", "--porcelain"]).ok().stdout;
        (sandbox.refs(dir), fs::read_to_string(dir.join(".git/config")).unwrap(), worktrees)
    };
    let before = state();
    sandbox.task(dir, ["restore", "x"]).fails(128).says(why);
    assert_eq!(state(), before);
    sandbox.task(dir, ["repair", "-n"]).ok().prints("");
}

#[test]
fn metadata_state_and_note() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    fs::remove_file(path.join("untracked")).unwrap();
    sandbox.task(&dir, ["note", "x", "--blocker", "The weather", "--next", "Wait"]).ok();
    sandbox.sh(&path, "printf 'a line of mine\\r\\n' >>notes/x/status.md").ok();
    sandbox.git(&dir, ["config", "task.x.foreign", "kept"]).ok();
    sandbox.task(&dir, ["ready", "x"]).ok();
    let note = fs::read(path.join("notes/x/status.md")).unwrap();
    let config = || sandbox.sh(&dir, "git config --get-regexp '^task\\.x\\.' | sort").ok().stdout;
    let before = config();
    for _ in 0..2 {
        sandbox.task(&dir, ["rm", "-f", "x"]).ok();
        assert_eq!(fs::read(dir.join("notes/x/status.md")).unwrap(), note);
        collect_garbage(&sandbox, &dir);
        sandbox.task(&dir, ["restore", "x"]).ok().prints(&format!("{}\n", path.display()));
        assert_eq!(fs::read(path.join("notes/x/status.md")).unwrap(), note);
        assert_eq!(fs::read(dir.join("notes/x/status.md")).unwrap(), note);
        assert!(dir.join("notes/x/status.md").is_symlink());
        assert_eq!(config(), before);
        sandbox.task(&dir, ["list", "--format=%(state)"]).ok().prints("ready\n");
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    }
    assert_sound(&sandbox, &dir);
}

#[test]
fn an_empty_note_stays_empty() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "notes/x/status.md", "");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(fs::read_to_string(path.join("notes/x/status.md")).unwrap(), "");
}

#[test]
fn again_and_again_with_new_work() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    for n in 1..4 {
        sandbox.commit(&path, "n", format!("{n}\n"), &format!("n {n}"));
        sandbox.write(&path, "untracked", format!("{n}\n"));
        sandbox.task(&dir, ["rm", "-f", "x"]).ok();
        collect_garbage(&sandbox, &dir);
        sandbox.task(&dir, ["restore", "x"]).ok();
        assert_eq!(fs::read_to_string(path.join("untracked")).unwrap(), format!("{n}\n"));
        sandbox.git(&path, ["log", "-n1", "--format=%s"]).ok().prints(&format!("n {n}\n"));
    }
}

#[test]
fn what_is_not_removed_or_not_known() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    refuses(&sandbox, &dir, "is not removed");
    sandbox.task(&dir, ["restore", "nobody"]).fails(128).says("no such task");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.git(&dir, ["update-ref", "-d", "refs/task-trash/x/1"]).ok();
    refuses(&sandbox, &dir, "nothing of task 'x' is kept");
}

#[test]
fn a_branch_of_that_name_elsewhere() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.git(&dir, ["branch", "x", "main"]).ok();
    refuses(&sandbox, &dir, "already exists, and not where it was");
    sandbox.git(&dir, ["branch", "-D", "x"]).ok();
    sandbox.task(&dir, ["add", "other", "-b", "x"]).ok();
    refuses(&sandbox, &dir, "is now that of task 'other'");
    sandbox.task(&dir, ["rm", "-f", "other"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert!(path.join("untracked").exists());
}

#[test]
fn the_branch_checked_out_somewhere_else() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["rm", "-f", "--keep-branch", "x"]).ok();
    sandbox.git(&dir, ["switch", "-q", "x"]).ok();
    refuses(&sandbox, &dir, "x");
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(fs::read_to_string(path.join("untracked")).unwrap(), "untracked\n");
}

#[test]
fn a_directory_in_the_way() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.write(&path, "theirs", "theirs\n");
    refuses(&sandbox, &dir, "already exists");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    fs::remove_file(path.join("theirs")).unwrap();
    sandbox.task(&dir, ["restore", "x"]).ok();
}

#[test]
fn a_live_task_whose_worktree_was_deleted_by_hand() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "staged", "staged\n");
    sandbox.git(&path, ["add", "staged"]).ok();
    fs::remove_dir_all(&path).unwrap();
    sandbox.task(&dir, ["repair"]).ok();
    collect_garbage(&sandbox, &dir);
    sandbox.task(&dir, ["restore", "x"]).ok();
    // What only the disk had is gone; what git had is not.
    sandbox.git(&path, ["show", ":staged"]).ok().prints("staged\n");
    assert!(path.join("mine").exists());
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
}

#[test]
fn a_repository_inside_keeps_the_directory() {
    for inner_commit in [true, false] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        let inner = sandbox.init_empty("repo-worktrees/x/inner", &[]);
        sandbox.write(&inner, "file", "only here\n");
        if inner_commit {
            sandbox.commit(&inner, "file", "only here\n", "Only here");
        }
        for _ in 0..2 {
            sandbox.task(&dir, ["rm", "-f", "x"]).ok().says("work in repositories inside: inner");
            assert!(!path.exists());
            sandbox.git(&dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
            collect_garbage(&sandbox, &dir);
            sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
            sandbox.task(&dir, ["restore", "x"]).ok();
            assert_eq!(fs::read_to_string(inner.join("file")).unwrap(), "only here\n");
            sandbox.git(&path, ["status", "--porcelain"]).ok().prints("?? inner/\n?? untracked\n");
            sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
        }
        assert_sound(&sandbox, &dir);
    }
}

/// A task whose worktree has an initialised submodule `sub`.
#[track_caller]
fn with_submodule(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let library = sandbox.init_with("library", &[]);
    let (dir, path) = begin(sandbox);
    let add = format!(
        "git -c protocol.file.allow=always submodule --quiet add {} sub && git commit -qm Sub",
        library.display()
    );
    sandbox.sh(&path, &add).ok();
    (dir, path)
}

#[test]
fn a_clean_submodule_is_no_reason() {
    let sandbox = Sandbox::new();
    let (dir, path) = with_submodule(&sandbox);
    sandbox.task(&dir, ["rm", "-f", "x"]).ok().does_not_say("inside");
    assert!(!path.exists() && !sandbox.path("repo-worktrees/.x.kept-1").exists());
    collect_garbage(&sandbox, &dir);
    sandbox.task(&dir, ["restore", "x"]).ok();
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("?? untracked\n");
    sandbox.git(&path, ["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init"]).ok();
    assert!(path.join("sub/README").exists());
}

#[test]
fn a_submodule_with_work_of_its_own_keeps_the_directory() {
    for work in [
        "echo 1 >sub/new",
        "echo 1 >sub/README",
        "git -C sub commit -q --allow-empty -m Unpushed",
        "git -C sub commit -q --allow-empty -m Unpushed && git -C sub reset -q --hard HEAD~1",
        "echo 1 >sub/README && git -C sub stash -q",
        "git -C sub branch other && git -C sub update-ref refs/heads/other $(git -C sub commit-tree -m X HEAD^{tree})",
    ] {
        let sandbox = Sandbox::new();
        let (dir, path) = with_submodule(&sandbox);
        sandbox.git(&dir, ["config", "status.showUntrackedFiles", "no"]).ok();
        sandbox.sh(&path, work).ok();
        let status = sandbox.git(&path, ["status", "--porcelain", "-unormal"]).ok().stdout;
        sandbox.task(&dir, ["rm", "-f", "x"]).ok().says("work in repositories inside: sub");
        assert!(!path.exists());
        sandbox.task(&dir, ["restore", "x"]).ok();
        sandbox.git(&path, ["status", "--porcelain", "-unormal"]).ok().prints(&status);
        sandbox.git(path.join("sub"), ["log", "-n1"]).ok();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_kept_directory_survives_a_kill() {
    let commands: [&[&str]; 2] = [&["rm", "-f", "x"], &["restore", "x"]];
    for args in commands {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        let inner = sandbox.init_with("repo-worktrees/x/inner", &[]);
        sandbox.write(&inner, "file", "only here\n");
        if args[0] == "restore" {
            sandbox.task(&dir, ["rm", "-f", "x"]).ok();
            // Waits for what is deleted in the background.
            sandbox.task(&dir, ["prune"]).ok();
        }
        let command = || {
            let mut command = sandbox.command(&dir, "git-task");
            command.args(args);
            command
        };
        killed_at_every(&sandbox, Victim::Ours, Points::AtMost(40), command, |_| {
            sandbox.task(&dir, ["repair"]).ok();
            if !path.exists() {
                sandbox.task(&dir, ["restore", "x"]).ok();
            }
            assert_eq!(fs::read_to_string(inner.join("file")).unwrap(), "only here\n");
            sandbox.git(&path, ["status", "--porcelain"]).ok().prints("?? inner/\n?? untracked\n");
            sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
            assert_sound(&sandbox, &dir);
        });
    }
}

#[test]
fn what_was_removed_twice_comes_back_open() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.task(&dir, ["rm", "-f", "--keep-branch", "x"]).ok();
    // Now the branch goes too.
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    sandbox.task(&dir, ["ready", "x"]).ok();
    assert_sound(&sandbox, &dir);
}
