//! `git task repair`: what was cut off, or changed behind our back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::*;

/// A repository with a task `x` that has a commit of its own and an uncommitted change.
#[track_caller]
fn begin(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.write(&path, "README", "changed\n");
    (dir, path)
}

/// Asserts that this, and no more, is found; that `-n` changes nothing; and that it is mended at once.
#[track_caller]
fn mends(sandbox: &Sandbox, dir: &Path, finding: &str) {
    let state = || (sandbox.refs(dir), fs::read_to_string(dir.join(".git/config")).unwrap());
    let before = state();
    let run = sandbox.task(dir, ["repair", "-n"]).fails(1);
    assert!(run.stdout.contains(finding) && run.stdout.lines().count() == 1, "{run}");
    assert_eq!(state(), before);
    let run = sandbox.task(dir, ["repair"]).ok();
    assert!(run.stdout.starts_with("mended: ") && run.stdout.contains(finding), "{run}");
    sandbox.task(dir, ["repair", "-n"]).ok().prints("");
    sandbox.task(dir, ["repair"]).ok().prints("");
    assert_sound(sandbox, dir);
}

#[track_caller]
fn is_whole(sandbox: &Sandbox, dir: &Path) {
    let path = sandbox.task(dir, ["path", "x"]).ok().path();
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints(" M README\n");
    sandbox.git(&path, ["log", "-n1", "--format=%s"]).ok().prints("Mine\n");
}

#[test]
fn a_sound_repository() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    sandbox.task(&dir, ["add", "t", "--track", "main"]).ok();
    sandbox.task(&dir, ["add", "c", "--clone"]).ok();
    sandbox.task(&dir, ["add", "gone"]).ok();
    sandbox.task(&dir, ["rm", "gone"]).ok();
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.task(&dir, ["repair"]).ok().prints("");
}

#[test]
fn a_worktree_moved_by_hand() {
    for relative in [false, true] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        if relative {
            fs::write(path.join(".git"), "gitdir: ../../repo/.git/worktrees/x\n").unwrap();
            fs::write(dir.join(".git/worktrees/x/gitdir"), "../../../../repo-worktrees/x/.git\n").unwrap();
        }
        let moved = sandbox.path("repo-worktrees/elsewhere");
        fs::rename(&path, &moved).unwrap();
        mends(&sandbox, &dir, "was moved to");
        assert_eq!(sandbox.task(&dir, ["path", "x"]).ok().path(), moved);
        is_whole(&sandbox, &dir);
        assert!(dir.join("notes/x/status.md").exists());
    }
}

#[test]
fn a_worktree_moved_far_away_is_mended_from_inside() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    fs::create_dir_all(sandbox.home().join("a/b")).unwrap();
    let moved = sandbox.home().join("a/b/x");
    fs::rename(&path, &moved).unwrap();
    sandbox.task(&moved, ["repair"]).ok();
    assert_eq!(sandbox.task(&dir, ["path", "x"]).ok().path(), moved);
    is_whole(&sandbox, &dir);
}

#[test]
fn a_worktree_of_which_git_does_not_know_where_it_is() {
    for first in ["rm", "repair"] {
        let sandbox = Sandbox::new();
        let (dir, _) = begin(&sandbox);
        // As a kill in the middle of `git worktree repair` leaves it.
        fs::write(dir.join(".git/worktrees/x/gitdir"), "").unwrap();
        if first == "rm" {
            sandbox.task(&dir, ["path", "x"]).fails(128);
            sandbox.task(&dir, ["rm", "x"]).fails(128);
            assert!(dir.join(".git/worktrees/x/HEAD").exists());
        }
        sandbox.task(&dir, ["repair"]).ok();
        is_whole(&sandbox, &dir);
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    }
}

#[test]
fn a_worktree_deleted_by_hand() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    fs::remove_dir_all(&path).unwrap();
    let run = sandbox.task(&dir, ["repair"]).ok();
    assert!(run.stdout.contains("is gone"), "{run}");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.git(&dir, ["log", "-n1", "--format=%s", "x"]).ok().prints("Mine\n");
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert!(path.join("mine").exists());
}

#[test]
fn one_that_is_away_and_locked_is_waited_for() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["lock", "x"]).ok();
    let stick = sandbox.home().join("stick");
    fs::rename(&path, &stick).unwrap();
    sandbox.task(&dir, ["repair"]).ok().says("away and locked");
    fs::rename(&stick, &path).unwrap();
    is_whole(&sandbox, &dir);
}

#[test]
fn a_branch_renamed_by_hand() {
    for inside in [true, false] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.git(if inside { &path } else { &dir }, ["branch", "-m", "x", "other"]).ok();
        mends(&sandbox, &dir, "its branch was renamed to 'other'");
        sandbox.task(&dir, ["list", "--format=%(branch)"]).ok().prints("refs/heads/other\n");
        is_whole(&sandbox, &dir);
    }
}

#[test]
fn a_branch_deleted_by_hand() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    sandbox.git(&dir, ["update-ref", "-d", "refs/heads/x"]).ok();
    mends(&sandbox, &dir, "its branch 'x' was deleted; it was at");
    is_whole(&sandbox, &dir);
}

#[test]
fn a_branch_deleted_with_its_worktree() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    fs::remove_dir_all(&path).unwrap();
    sandbox.git(&dir, ["update-ref", "-d", "refs/heads/x"]).ok();
    sandbox.task(&dir, ["repair"]).ok();
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert!(path.join("mine").exists());
}

#[test]
fn a_branch_of_which_nothing_is_known() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.git(&dir, ["worktree", "remove", "--force", path.to_str().unwrap()]).ok();
    sandbox.git(&dir, ["branch", "-q", "-D", "x"]).ok();
    sandbox.task(&dir, ["repair"]).ok();
    sandbox.task(&dir, ["list", "--all", "--format=%(state)"]).ok().prints("dropped\n");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
}

#[test]
fn settings_of_other_tools() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.git(&dir, ["config", "core.bare", "true"]).ok();
    sandbox.git(&dir, ["config", "core.hooksPath", "/nonexistent/hooks"]).ok();
    let run = sandbox.task(&path, ["repair"]).ok();
    assert!(run.stdout.contains("core.bare") && run.stdout.contains("core.hooksPath"), "{run}");
    sandbox.git(&dir, ["status", "--porcelain"]).ok();
    sandbox.git(&dir, ["config", "core.hooksPath"]).fails(1);
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    // A directory that exists, and a relative one, are the user's.
    for hooks in [sandbox.home().to_str().unwrap(), ".husky"] {
        sandbox.git(&dir, ["config", "core.hooksPath", hooks]).ok();
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    }
    is_whole(&sandbox, &dir);
}

#[test]
fn a_bare_repository_stays_bare() {
    let sandbox = Sandbox::new();
    let origin = sandbox.init();
    for name in ["plain.git", "hidden/.git"] {
        let bare = sandbox.path(name);
        sandbox.git(&origin, ["clone", "-q", "--bare", ".", bare.to_str().unwrap()]).ok();
        sandbox.task(&bare, ["add", "x"]).ok();
        sandbox.task(&bare, ["repair", "-n"]).ok().prints("");
        sandbox.git(&bare, ["config", "core.bare"]).ok().prints("true\n");
    }
}

#[test]
fn locks_of_the_configuration() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    // Ours, as a kill leaves it.
    sandbox.write(&dir, ".git/git-parallel/config.new", "half");
    fs::hard_link(dir.join(".git/git-parallel/config.new"), dir.join(".git/config.lock")).unwrap();
    mends(&sandbox, &dir, "a write of the configuration was cut off");
    // The next command recognises it too.
    sandbox.write(&dir, ".git/git-parallel/config.new", "half");
    fs::hard_link(dir.join(".git/git-parallel/config.new"), dir.join(".git/config.lock")).unwrap();
    sandbox.task(&dir, ["block", "x", "-m", "why"]).ok();
    assert!(!dir.join(".git/config.lock").exists());
    // Anybody else's is not ours to remove.
    sandbox.write(&dir, ".git/config.lock", "theirs");
    sandbox.git(&dir, ["-c", "task.lockTimeout=1", "task", "repair"]).ok().prints("");
    sandbox.git(&dir, ["-c", "task.lockTimeout=1", "task", "reopen", "x"]).fails(128).says("config.lock");
    assert_eq!(fs::read_to_string(dir.join(".git/config.lock")).unwrap(), "theirs");
}

#[test]
fn temporary_files() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    // No process has an id that large.
    for name in [
        dir.join(".git/git-parallel/.used-names.tmp-999999999"),
        dir.join(".git/git-parallel/snapshot.tmp-999999999-ThreadId(1)/index"),
        dir.join(".git/git-parallel/sweep/.x-1.tmp-999999999"),
        dir.join("notes/x/.status.md.tmp-999999999"),
        path.join("notes/x/.status.md.tmp-999999999"),
    ] {
        sandbox.write("", &name, "half");
        let parent = name.parent().unwrap();
        let left = if parent.ends_with("snapshot.tmp-999999999-ThreadId(1)") { parent } else { &name };
        mends(&sandbox, &dir, "was left behind");
        assert!(!left.exists());
    }
    // Files of the user's, with names that only look like ours.
    sandbox.write(&path, "notes/x/.tmp-notes", "mine\n");
    sandbox.write(&path, "notes/x/draft.tmp-1", "mine\n");
    sandbox.task(&dir, ["repair"]).ok().prints("");
    assert!(path.join("notes/x/draft.tmp-1").exists() && path.join("notes/x/.tmp-notes").exists());
}

#[test]
fn links_and_marks() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    let link = dir.join("notes/x/status.md");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    mends(&sandbox, &dir, "the link to its note leads nowhere");
    assert!(link.exists());
    fs::remove_file(dir.join(".git/worktrees/x/git-task")).unwrap();
    mends(&sandbox, &dir, "but not marked so");
    is_whole(&sandbox, &dir);
}

#[test]
fn an_add_that_is_under_way_is_left_alone() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(
        &dir,
        ".config/git-parallel.toml",
        "[setup]\nrun = [\"git task repair -n >found; git task repair\"]\n",
        "Team",
    );
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    assert_eq!(fs::read_to_string(path.join("found")).unwrap(), "");
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    // And one whose checkout is still going on: a hook of git's runs in the middle of it.
    let hook = dir.join(".git/hooks/post-checkout");
    sandbox.write(
        "",
        &hook,
        "#!/bin/sh\nunset GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE\ngit task repair >/dev/null\n",
    );
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = sandbox.task(&dir, ["add", "y"]).ok().path();
    assert!(path.join("README").exists());
    sandbox.task(&dir, ["path", "y"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_another_process_just_begins_to_make_is_not_taken_for_what_was_cut_off() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = |name: &str| sandbox.path("repo-worktrees").join(name).display().to_string();
    let state = ".git/git-parallel/intents";
    for name in ["t1", "t12"] {
        sandbox.write(&dir, format!("{state}/{name}"), format!("[add]\n\tpath = \"{}\"\n", path(name)));
        // As git begins: locked, and it doesn't say yet where its files are.
        sandbox.write(&dir, format!(".git/worktrees/{name}/locked"), "initializing\n");
    }
    let at_work = std::fs::File::open(dir.join(state).join("t12")).unwrap();
    at_work.lock().unwrap();
    sandbox.task(&dir, ["repair"]).ok().prints("mended: task 't1': 'add' was cut off\n");
    assert!(!dir.join(".git/worktrees/t1").exists());
    assert!(dir.join(".git/worktrees/t12/locked").exists());
    drop(at_work);
    sandbox.task(&dir, ["repair"]).ok().prints("mended: task 't12': 'add' was cut off\n");
    assert!(!dir.join(".git/worktrees").exists());
    assert_sound(&sandbox, &dir);
}

#[test]
fn looking_needs_no_writable_disk() {
    let sandbox = Sandbox::new();
    let Some(disk) = FullDisk::mount(&sandbox, "disk", "8m") else { return };
    let dir = sandbox.init_with("disk/repo", &[]);
    sandbox.task(&dir, ["add", "x"]).ok();
    let path = sandbox.path("disk/repo-worktrees/x");
    sandbox.write(&path, "new", "new\n");
    sandbox.write(&dir, ".git/git-parallel/intents/y", "[add]\n\tpath = \"/nowhere\"\n");
    disk.make_read_only(&sandbox);
    sandbox.task(&dir, ["repair", "-n"]).fails(1).prints("task 'y': 'add' was cut off\n");
    sandbox.task(&dir, ["list", "--format=%(task) %(dirty)"]).ok().prints("x 1\n");
    sandbox.task(&path, ["diff", "--", "--name-only"]).ok().prints("new\n");
    sandbox.refuses(&dir, ["repair"], 128, "Read-only file system");
}

#[cfg(target_os = "linux")]
#[test]
fn what_can_not_be_looked_at_is_not_taken_for_gone() {
    if !CAN_REFUSE {
        return skip("system calls can't be refused on this kind of machine");
    }
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let slot = sandbox.pool(&dir, ["claim", "s"]).ok().path();
    sandbox.write(&slot, "README", "changed\n");
    let moved = |name: &str| sandbox.path("repo-worktrees").join(name);
    fs::rename(&path, moved("moved-task")).unwrap();
    fs::rename(&slot, moved("moved-slot")).unwrap();
    for (program, name, within) in
        [("git-task", "x", "moved-task"), ("git-task", "s", "moved-slot"), ("git-pool", "s", "moved-slot")]
    {
        let failing = Failing { errno: libc::EIO, ours: true, from_then_on: false, within: moved(within) };
        let command = || {
            let mut command = sandbox.command(&dir, program);
            command.arg("repair");
            command
        };
        let tried = faulted_at_every(
            &sandbox,
            0,
            Points::All,
            command,
            |n| Fault::Fail(failing.clone(), n),
            |faulted| {
                if faulted.run.code != 0 {
                    assert!(faulted.run.stderr.contains("Input/output error"), "{}", faulted.run);
                }
                sandbox.task(&dir, ["repair"]).ok();
                sandbox.pool(&dir, ["repair"]).ok();
                assert_eq!(sandbox.task(&dir, ["path", name]).ok().path(), moved(within));
                sandbox.git(moved(within), ["status", "--porcelain"]).ok().prints(" M README\n");
            },
        );
        assert!(tried > 0, "nothing was looked at in {within}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_said_to_have_failed_has_not_been_written() {
    if !CAN_REFUSE {
        return skip("system calls can't be refused on this kind of machine");
    }
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    let failing = Failing { errno: libc::EIO, ours: true, from_then_on: false, within: dir.clone() };
    let command = || {
        let mut command = sandbox.command(&dir, "git-task");
        command.args(["block", "x", "-m", "why"]);
        command
    };
    let mut refused = 0;
    faulted_at_every(
        &sandbox,
        0,
        Points::All,
        command,
        |n| Fault::Fail(failing.clone(), n),
        |faulted| {
            let state = sandbox.git(&dir, ["config", "task.x.state"]).ok();
            let is_unwritten = faulted.run.stderr.contains("could not write config file");
            refused += usize::from(is_unwritten);
            if is_unwritten || faulted.run.code == 0 {
                let expected = if is_unwritten { "open\n" } else { "blocked\n" };
                assert_eq!(state.stdout, expected, "{}", faulted.run);
            }
        },
    );
    assert!(refused > 0, "it can't fail");
}
