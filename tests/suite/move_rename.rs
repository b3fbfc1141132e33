//! `git task move`, `rename`, `lock` and `unlock`, and what happens when several act at once.

use std::fs;
use std::path::PathBuf;

use crate::pool::{claim, with_pool};
use crate::support::*;

/// A repository with a task `x` that has a commit of its own.
#[track_caller]
fn begin(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--goal", "Get it done"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    (dir, path)
}

#[test]
fn the_note_follows_the_worktree() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let to = sandbox.path("far/away");
    fs::create_dir(sandbox.path("far")).unwrap();
    sandbox.task(&dir, ["move", "x", "../far/away"]).ok();
    assert!(!path.exists());
    assert_eq!(sandbox.task(&dir, ["path", "x"]).ok().path(), to);
    assert!(fs::read_to_string(dir.join("notes/x/status.md")).unwrap().contains("Get it done"));
    // Into a directory that is there.
    sandbox.task(&to, ["move", "x", ".."]).fails(128);
    sandbox.task(&dir, ["move", "x", sandbox.home().to_str().unwrap()]).ok();
    assert_eq!(sandbox.task(&dir, ["path", "x"]).ok().path(), sandbox.home().join("away"));
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
}

#[test]
fn a_move_is_refused_as_git_refuses_it() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(sandbox.path(""), "taken/x/file", "1\n");
    sandbox.task(&dir, ["move", "x", "../taken/x/file"]).fails(128);
    sandbox.task(&dir, ["move", "x", "../taken"]).fails(128);
    sandbox.task(&dir, ["lock", "x", "--reason", "why"]).ok();
    sandbox.task(&dir, ["lock", "x"]).fails(128).says("already locked");
    sandbox.task(&dir, ["move", "x", "../new"]).fails(128).says("lock reason: why");
    assert!(path.join("mine").exists());
    sandbox.task(&dir, ["move", "-f", "-f", "x", "../new"]).ok();
    sandbox.task(&dir, ["unlock", "x"]).ok();
    sandbox.task(&dir, ["unlock", "x"]).fails(128).says("not locked");
    sandbox.task(&dir, ["move", "nobody", "../other"]).fails(128).says("no such task");
}

#[test]
fn a_new_name_everywhere() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.task(&dir, ["add", "later", "--after", "x", "--after", "later2"]);
    sandbox.task(&dir, ["add", "later", "--after", "x"]);
    sandbox.git(&dir, ["config", "task.x.foreign", "kept"]).ok();
    sandbox.git(&dir, ["config", "branch.x.description", "words"]).ok();
    sandbox.write(&path, "untracked", "1\n");
    sandbox.task(&dir, ["rename", "x", "y"]).ok();
    sandbox.task(&dir, ["path", "x"]).fails(128);
    let path = sandbox.task(&dir, ["path", "y"]).ok().path();
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/y\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("?? untracked\n");
    sandbox.git(&dir, ["config", "task.y.foreign"]).ok().prints("kept\n");
    sandbox.git(&dir, ["config", "branch.y.description"]).ok().prints("words\n");
    sandbox.git(&dir, ["config", "--get-regexp", "^(task|branch)\\.x\\."]).fails(1);
    sandbox.git(&dir, ["config", "task.later.after"]).ok().prints("y\n");
    assert!(fs::read_to_string(dir.join("notes/y/status.md")).unwrap().contains("Get it done"));
    assert!(!path.join("notes/x").exists() && dir.join("notes/x").symlink_metadata().is_err());
    assert!(fs::read_dir(dir.join(".git/git-parallel/intents")).unwrap().next().is_none());
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn only_a_branch_that_the_template_named_is_renamed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x", "-b", "own/name"]).ok();
    sandbox.task(&dir, ["rename", "x", "y"]).ok();
    sandbox.task(&dir, ["list", "--format=%(task) %(branch)"]).ok().prints("y refs/heads/own/name\n");
    sandbox.task(&dir, ["add", "z", "--type", "fix"]).ok();
    sandbox.task(&dir, ["rename", "z", "w"]).ok();
    sandbox.task(&dir, ["list", "w", "--format=%(branch)"]).ok().prints("refs/heads/fix/w\n");
}

#[test]
fn a_name_that_is_taken() {
    let sandbox = Sandbox::new();
    let (dir, _) = begin(&sandbox);
    sandbox.task(&dir, ["add", "y"]).ok();
    sandbox.git(&dir, ["branch", "z"]).ok();
    let before = (sandbox.refs(&dir), fs::read_to_string(dir.join(".git/config")).unwrap());
    sandbox.task(&dir, ["rename", "x", "y"]).fails(128).says("already exists");
    sandbox.task(&dir, ["rename", "x", "Y"]).fails(128).says("already exists");
    sandbox.task(&dir, ["rename", "x", "z"]).fails(128).says("a branch named 'z' already exists");
    sandbox.task(&dir, ["rename", "x", "../z"]).fails(128);
    sandbox.task(&dir, ["rename", "nobody", "z2"]).fails(128).says("no such task");
    assert_eq!((sandbox.refs(&dir), fs::read_to_string(dir.join(".git/config")).unwrap()), before);
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
}

#[test]
fn a_removed_task_under_its_new_name_comes_back() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "untracked", "1\n");
    sandbox.task(&dir, ["rename", "x", "y"]).ok();
    sandbox.task(&dir, ["rm", "-f", "y"]).ok();
    let path = sandbox.task(&dir, ["restore", "y"]).ok().path();
    assert!(path.join("untracked").exists());
}

#[test]
fn twenty_removed_at_once_come_back() {
    const COUNT: usize = 20;
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let names: Vec<String> = (0..COUNT).map(|i| format!("t{i}")).collect();
    sandbox.git(&dir, ["config", "task.limit", "100"]).ok();
    sandbox.task(&dir, ["add"].into_iter().chain(names.iter().map(String::as_str))).ok();
    for name in &names {
        sandbox.write(sandbox.path(format!("repo-worktrees/{name}")), "untracked", format!("{name}\n"));
    }
    for run in at_once(COUNT, |i| sandbox.task(&dir, ["rm", "-f", &names[i]])) {
        run.ok();
    }
    assert_eq!(sandbox.refs(&dir).lines().filter(|l| l.contains("task-trash")).count(), COUNT);
    for run in at_once(COUNT, |i| sandbox.task(&dir, ["restore", &names[i]])) {
        run.ok();
    }
    for name in &names {
        let text = fs::read_to_string(sandbox.path(format!("repo-worktrees/{name}/untracked"))).unwrap();
        assert_eq!(text, format!("{name}\n"));
    }
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn rm_and_add_and_restore_of_one_name_at_once() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "untracked", "1\n");
    let tip = sandbox.commit_id(&dir, "x");
    let commands: [&[&str]; 4] =
        [&["rm", "-f", "x"], &["add", "--reuse", "x"], &["restore", "x"], &["rename", "x", "y"]];
    for _ in 0..3 {
        for run in at_once(8, |i| sandbox.task(&dir, commands[i % 4])) {
            assert!([0, 1, 128].contains(&run.code), "{run}");
        }
        sandbox.task(&dir, ["list", "--all"]).ok();
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
        assert_sound(&sandbox, &dir);
    }
    // Whatever won: the commit is still held by something.
    let held = sandbox.git(&dir, ["for-each-ref", "--contains", &tip]).ok().stdout;
    assert!(!held.is_empty());
}

#[test]
fn a_branch_that_moves_while_its_task_is_removed_stays() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    // The clean filter runs in the middle of the snapshot: another process commits just then.
    let commit = "git update-ref refs/heads/x $(git commit-tree -p x -m Meanwhile x^{tree})";
    sandbox.git(&dir, ["config", "filter.meanwhile.clean", &format!("{commit}; cat")]).ok();
    sandbox.write(&dir, ".git/info/attributes", "trigger filter=meanwhile\n");
    sandbox.write(&path, "trigger", "1\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    let subjects = sandbox.git(&dir, ["log", "--format=%s", "x"]).ok().stdout;
    assert!(subjects.contains("Meanwhile") && subjects.contains("Mine"), "{subjects}");
}

#[test]
fn what_another_process_is_making_is_not_moved() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let intent = ".git/git-parallel/intents/x";
    sandbox.write(&dir, intent, "[rm]\n\tpath = \"/nowhere\"\n");
    let at_work = std::fs::File::open(dir.join(intent)).unwrap();
    at_work.lock().unwrap();
    let moved = sandbox.task(&dir, ["move", "x", "../y"]).fails(128);
    moved.says("task 'x' is being changed by another process");
    assert!(!sandbox.path("y").exists());
}

#[test]
fn a_move_that_is_killed_when_git_has_moved_is_finished() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let from = claim(&sandbox, &dir, &["x"]);
    sandbox.task(&dir, ["note", "x", "--next", "go on"]).ok();
    let (git, wrapper) = (git_under_test().program.display(), sandbox.root().join("bin/git"));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'worktree move'*) '{git}' \"$@\"; kill -9 $PPID; exit ;; esac\nexec '{git}' \"$@\"\n"
    );
    std::fs::write(&wrapper, script).unwrap();
    sandbox.sh(&dir, &format!("chmod +x '{}'", wrapper.display())).ok();
    sandbox.run(&dir, "git-task", ["move", "x", "../y"]).fails(137);
    std::fs::remove_file(wrapper).unwrap();
    let to = sandbox.path("y");
    assert!(to.join("README").exists() && !from.exists());
    sandbox.task(&dir, ["repair"]).ok().prints("mended: task 'x': 'move' was cut off\n");
    let slots = sandbox.pool(&dir, ["list", "--format=%(state) %(worktree)"]).ok();
    slots.prints(&format!("claimed {}\n", to.display()));
    let note = std::fs::read_to_string(dir.join("notes/x/status.md")).unwrap();
    assert!(note.contains("go on"), "{note}");
    sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
}

/// A task whose file `a.seen` runs `script` once, whenever git reads it; it is to be read again.
fn when_read(sandbox: &Sandbox, script: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.seen filter=run\n", "Filter");
    sandbox.commit(&dir, "a.seen", "work\n", "Seen");
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let run = format!(
        "[ -e '{0}' ] || {{ unset $(git rev-parse --local-env-vars); cd '{1}'; {script}; }} >'{0}' 2>&1; cat",
        sandbox.path("said").display(),
        dir.display()
    );
    sandbox.git(&dir, ["config", "filter.run.clean", &run]).ok();
    sandbox.sh(&path, "touch -d 2001-01-01 a.seen").ok();
    (dir, path)
}

#[test]
fn a_task_that_is_locked_while_it_is_looked_at_is_not_removed() {
    let sandbox = Sandbox::new();
    let (dir, path) = when_read(&sandbox, "git task lock x");
    sandbox.task(&dir, ["rm", "x"]).fails(128).says("cannot remove a locked working tree");
    assert_eq!(std::fs::read_to_string(sandbox.path("said")).unwrap(), "");
    assert!(path.join("a.seen").exists());
    sandbox.task(&dir, ["unlock", "x"]).ok();
    sandbox.task(&dir, ["rm", "x"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_task_that_is_being_removed_can_not_be_locked_any_more() {
    for verb in ["lock", "unlock"] {
        let sandbox = Sandbox::new();
        let (dir, path) = when_read(&sandbox, &format!("git task {verb} x"));
        sandbox.task(&dir, ["rm", "-f", "x"]).ok();
        let said = std::fs::read_to_string(sandbox.path("said")).unwrap();
        assert!(said.contains("task 'x' is being changed by another process"), "{said}");
        assert!(!path.exists());
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    }
}
