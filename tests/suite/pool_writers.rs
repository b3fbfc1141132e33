//! Somebody writes in a slot while it is given back: nothing of that is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::pool::{claim, states, with_pool};
use crate::support::*;

/// Has git run `script` in the slot in the instant in which it was kept and is still as it was.
fn once_kept(sandbox: &Sandbox, dir: &Path, slot: &Path, script: &str) {
    let hook = ".git/hooks/reference-transaction";
    let text = format!(
        "#!/bin/sh\n[ $1 = committed ] && grep -q refs/task-trash/ || exit 0\ncd '{}'\n{script}\n",
        slot.display()
    );
    sandbox.write(dir, hook, text);
    fs::set_permissions(dir.join(hook), fs::Permissions::from_mode(0o755)).unwrap();
}

/// A slot with a task `x` and work in it, in a repository in which copied files go along.
fn with_work(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitignore", "*.local\n", "Ignore");
    sandbox.write(&dir, ".worktreeinclude", "*.local\n");
    sandbox.write(&dir, "my.local", "mine\n");
    sandbox.pool(&dir, ["init", "-q", "1"]).ok();
    let path = claim(sandbox, &dir, &["x"]);
    sandbox.commit(&path, "committed", "1\n", "Work");
    sandbox.write(&path, "README", "changed\n");
    sandbox.write(&path, "early", "early\n");
    sandbox.write(&path, "my.local", "changed\n");
    sandbox.git(&path, ["add", "early"]).ok();
    (dir, path)
}

const LATE: &str = "[ -e ../once ] && exit 0; >../once; echo late >late; echo late >>README; rm early
    echo late >>my.local; echo late >>notes/x/status.md; echo late >notes/x/plan";

#[track_caller]
fn has_all(path: &Path) {
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(read("late"), "late\n");
    assert_eq!(read("README"), "changed\nlate\n");
    assert_eq!(read("my.local"), "changed\nlate\n");
    assert_eq!(read("committed"), "1\n");
    assert!(!path.join("early").exists());
}

#[test]
fn what_is_written_meanwhile_comes_back_with_the_task() {
    for remove in [["release", "-f"], ["rm", "-f"]] {
        let sandbox = Sandbox::new();
        let (dir, path) = with_work(&sandbox);
        once_kept(&sandbox, &dir, &path, LATE);
        match remove[0] {
            "rm" => sandbox.task(&dir, ["rm", "-f", "x"]).ok(),
            _ => sandbox.pool(&dir, ["release", "-f", "x"]).ok(),
        };
        assert_eq!(states(&sandbox, &dir), "1 idle\n");
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
        sandbox.git(&path, ["status", "--porcelain", "--ignored"]).ok().prints("");
        sandbox.task(&dir, ["restore", "x"]).ok();
        let back = sandbox.task(&dir, ["path", "x"]).ok().path();
        has_all(&back);
        assert!(fs::read_to_string(back.join("notes/x/status.md")).unwrap().ends_with("late\n"));
        assert_eq!(fs::read_to_string(back.join("notes/x/plan")).unwrap(), "late\n");
        sandbox.git(&back, ["status", "--porcelain"]).ok().prints(" M README\nAD early\n?? late\n");
        sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
        sandbox.pool(&dir, ["repair", "-n"]).ok().prints("");
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_written_meanwhile_comes_back_without_a_task_too() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &[]);
    sandbox.write(&path, "README", "changed\n");
    once_kept(
        &sandbox,
        &dir,
        &path,
        "[ -e ../once ] && exit 0; >../once; echo late >late; echo late >>README",
    );
    sandbox.pool(&dir, ["release", "-f", "1"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    // The first look is kept under the first name, and what it became under the next.
    sandbox.task(&dir, ["restore", "slot-1-2"]).ok();
    let back = sandbox.task(&dir, ["path", "slot-1-2"]).ok().path();
    assert_eq!(fs::read_to_string(back.join("late")).unwrap(), "late\n");
    assert_eq!(fs::read_to_string(back.join("README")).unwrap(), "changed\nlate\n");
}

#[test]
fn who_does_not_stop_writing_keeps_the_slot() {
    let sandbox = Sandbox::new();
    let dir = with_pool(&sandbox, 1);
    let path = claim(&sandbox, &dir, &[]);
    sandbox.git(&path, ["checkout", "-q", "-b", "mine"]).ok();
    sandbox.write(&path, "README", "changed\n");
    once_kept(&sandbox, &dir, &path, "echo more >>log");
    let refused = sandbox.pool(&dir, ["release", "-f", "1"]).fails(128);
    refused
        .says(&format!("fatal: 'log' in '{}' is being written\n", path.display()))
        .says("hint: Stop whoever");
    assert_eq!(states(&sandbox, &dir), "1 claimed\n");
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/mine\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints(" M README\n?? log\n");
    fs::remove_file(dir.join(".git/hooks/reference-transaction")).unwrap();
    sandbox.pool(&dir, ["release", "-f", "1"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
}

#[test]
fn what_is_written_at_the_last_moment_stays_until_it_is_kept() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.seen filter=late\n", "Filter");
    sandbox.commit(&dir, "a.seen", "a\n", "Seen");
    sandbox.pool(&dir, ["init", "-q", "1"]).ok();
    let path = claim(&sandbox, &dir, &["x"]);
    sandbox.write(&path, "a.seen", "changed\n");
    // When git writes the file, and has removed the old one before.
    let late = "[ -e {0}/a.seen ] || { echo late >{0}/late; echo late >>{0}/README; }; cat";
    let late = late.replace("{0}", &path.display().to_string());
    sandbox.git(&dir, ["config", "filter.late.smudge", &late]).ok();
    let readme = fs::read_to_string(path.join("README")).unwrap();
    sandbox.pool(&dir, ["release", "-f", "x"]).fails(128).says("is not clean");
    assert_eq!(fs::read_to_string(path.join("late")).unwrap(), "late\n");
    assert_eq!(fs::read_to_string(path.join("README")).unwrap(), format!("{readme}late\n"));
    sandbox.git(&dir, ["config", "--unset", "filter.late.smudge"]).ok();
    sandbox.pool(&dir, ["repair"]).ok();
    assert_eq!(states(&sandbox, &dir), "1 idle\n");
    let kept = sandbox.sh(&dir, "git for-each-ref --format='%(refname)' refs/task-trash").ok();
    let holds = |name: &str, text: &str| {
        kept.stdout.lines().any(|kept| {
            let show = sandbox.git(&dir, ["cat-file", "-p", &format!("{kept}:worktree/{name}")]);
            show.stdout == text
        })
    };
    assert!(holds("a.seen", "changed\n") && holds("late", "late\n"), "{kept}");
    assert!(holds("README", &format!("{readme}late\n")), "{kept}");
}

#[test]
fn who_does_not_stop_writing_keeps_the_task_too() {
    for way in [["task", "rm", "-f", "x"], ["pool", "release", "-f", "x"]] {
        let sandbox = Sandbox::new();
        let (dir, path) = with_work(&sandbox);
        once_kept(&sandbox, &dir, &path, "echo more >>log");
        sandbox.git(&dir, way).fails(128).says("is being written");
        fs::remove_file(dir.join(".git/hooks/reference-transaction")).unwrap();
        // Nobody finishes it later on.
        sandbox.task(&dir, ["repair"]).ok().prints("");
        sandbox.pool(&dir, ["repair"]).ok().prints("");
        sandbox.task(&dir, ["list", "--format=%(task) %(state) %(slot)"]).ok().prints("x open 1\n");
        let status = " M README\nA  early\n?? log\n";
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints(status);
        sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
        assert!(path.join("notes/x/status.md").exists());
    }
}
