//! What somebody writes into a slot, or commits there, in the middle of its being given back.

use std::path::Path;

use crate::meanwhile::ours;
use crate::pool::{claim, with_pool};
use crate::support::*;

/// The ways to give a slot back by force, the first two with a task in it.
const WAYS: [&[&str]; 3] =
    [&["task", "rm", "-f", "x"], &["pool", "release", "-f", "x"], &["pool", "release", "-f", "1"]];

/// A slot with work in it, for such a way.
fn begin(sandbox: &Sandbox, way: &[&str]) -> (std::path::PathBuf, std::path::PathBuf) {
    let dir = with_pool(sandbox, 1);
    let path = claim(sandbox, &dir, if way.contains(&"x") { &["x"] } else { &[] });
    sandbox.write(&path, "early", "early\n");
    sandbox.write(&path, "README", "changed early\n");
    (dir, path)
}

/// Lets git run `script` once, in the transaction of a reference that this pattern finds.
fn once_committed(sandbox: &Sandbox, dir: &Path, pattern: &str, script: &str) {
    let hook = ".git/hooks/reference-transaction";
    let flag = sandbox.path("done").display().to_string();
    let text = format!(
        "#!/bin/sh\n[ $1 = committed ] && grep -q '{pattern}' && [ ! -e {flag} ] || exit 0\n>{flag}\n{script}\n"
    );
    sandbox.write(dir, hook, text);
    sandbox.sh(dir, &format!("chmod +x {hook}")).ok();
}

/// Gives it back, and has done by somebody else what that left to be done.
fn give_back(sandbox: &Sandbox, dir: &Path, way: &[&str]) {
    let run = sandbox.git(dir, way);
    assert!(run.code == 0 || run.code == 128, "{run}");
    sandbox.task(dir, ["repair"]).ok();
    sandbox.pool(dir, ["repair"]).ok();
    assert!(sandbox.path("done").exists(), "nothing came in between");
}

/// A file with this content is in a commit that something refers to, or in the slot still.
#[track_caller]
fn is_kept(sandbox: &Sandbox, dir: &Path, path: &Path, name: &str, content: &str) {
    let id = Run::of(&mut sandbox.git_command(dir, ["hash-object", "--stdin"]), content.as_bytes());
    let id = id.ok().line().to_owned();
    let kept = sandbox.git(dir, ["rev-list", "--objects", "--all"]).ok().stdout;
    let is_there = std::fs::read_to_string(path.join(name)).is_ok_and(|text| text == content);
    assert!(kept.contains(&id) || is_there, "'{name}' is lost");
}

#[test]
fn what_is_written_after_it_was_preserved_is_preserved_too() {
    for way in WAYS {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox, way);
        let write = format!("cd {} && echo late >late && echo changed late >README", path.display());
        once_committed(&sandbox, &dir, "refs/task-trash/", &write);
        give_back(&sandbox, &dir, way);
        for (name, text) in [("early", "early\n"), ("README", "changed early\n"), ("late", "late\n")] {
            is_kept(&sandbox, &dir, &path, name, text);
        }
        is_kept(&sandbox, &dir, &path, "README", "changed late\n");
        sandbox.pool(&dir, ["list", "--format=%(slot) %(state)"]).ok().prints("1 idle\n");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_written_while_files_are_brought_back_is_not_taken_for_ours() {
    for way in WAYS {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox, way);
        // What the base has by now is checked out through a filter.
        sandbox.commit(&dir, ".gitattributes", "*.seen filter=write\n", "Filter");
        sandbox.commit(&dir, "a.seen", "1\n", "Seen");
        let flag = sandbox.path("done");
        let write = format!(
            "[ -e {0} ] || {{ >{0}; echo late >{1}/late; echo changed late >{1}/src/deep/file; }}; cat",
            flag.display(),
            path.display()
        );
        sandbox.git(&dir, ["config", "filter.write.smudge", &write]).ok();
        give_back(&sandbox, &dir, way);
        is_kept(&sandbox, &dir, &path, "early", "early\n");
        is_kept(&sandbox, &dir, &path, "late", "late\n");
        is_kept(&sandbox, &dir, &path, "src/deep/file", "changed late\n");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_committed_when_its_branch_is_left_is_not_left_behind() {
    for way in WAYS {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox, way);
        let commit = format!(
            "unset GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE; cd {} && echo late >late && git add late && git commit -q -m Late",
            path.display()
        );
        sandbox.commit(&dir, "newer", "newer\n", "Newer");
        once_committed(&sandbox, &dir, " HEAD$", &commit);
        give_back(&sandbox, &dir, way);
        is_kept(&sandbox, &dir, &path, "late", "late\n");
        // Where the slot stands is nothing that keeps it: the next one takes it from there.
        let log = sandbox.git(&dir, ["log", "--single-worktree", "--all", "--format=%s"]).ok().stdout;
        let here = sandbox.git(&path, ["log", "-1", "--format=%s"]).stdout;
        let late = |text: &str| text.lines().any(|subject| subject == "Late");
        let is_last = way == WAYS[2];
        assert!(late(&log) || is_last && late(&here), "{way:?}: {log}{here}");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_committed_after_it_was_cut_off_is_not_left_behind() {
    for way in WAYS {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox, way);
        sandbox.commit(&dir, "newer", "newer\n", "Newer");
        once_committed(&sandbox, &dir, " HEAD$", &format!("echo late >'{}/late'", path.display()));
        sandbox.git(&dir, way).fails(128).says("is not clean");
        sandbox.git(&path, ["add", "late"]).ok();
        sandbox.git(&path, ["commit", "-qm", "Late"]).ok();
        sandbox.task(&dir, ["repair"]).ok();
        sandbox.pool(&dir, ["repair"]).ok();
        let log = sandbox.git(&dir, ["log", "--single-worktree", "--all", "--format=%s"]).ok().stdout;
        assert!(log.lines().any(|subject| subject == "Late"), "{way:?}: {log}");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_committed_in_a_slot_that_a_task_is_about_to_have_can_be_restored() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    sandbox.commit(&dir, "new", "new\n", "The slot is to be brought here");
    let slot = sandbox.path("repo-worktrees/pool-1");
    let commit = format!(
        "cd '{}' && env -u GIT_DIR -u GIT_WORK_TREE \"$git\" commit -q --allow-empty -m Mine",
        slot.display()
    );
    sandbox.before_git("case \" $* \" in *' read-tree '*) ;; *) false ;; esac", &commit);
    ours(&sandbox, &dir, "git-task add x").fails(128).says("moved by another process meanwhile");
    sandbox.task(&dir, ["repair"]).ok();
    let back = sandbox.task(&dir, ["restore", "x"]).ok().path();
    sandbox.git(&back, ["log", "-1", "--format=%s"]).ok().prints("Mine\n");
}
