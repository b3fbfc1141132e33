//! `git task rm` while others are at work: in the worktree that goes, in the repository, on the branch.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::meanwhile::ours;
use crate::remove::begin;
use crate::support::*;

/// Has git run `script` in the instant in which a removal is in the trash and its directory still in place.
fn meanwhile(sandbox: &Sandbox, dir: &Path, script: &str) {
    let hook = ".git/hooks/reference-transaction";
    let text = format!("#!/bin/sh\n[ $1 = committed ] && grep -q refs/task-trash/ || exit 0\n{script}\n");
    sandbox.write(dir, hook, text);
    fs::set_permissions(dir.join(hook), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_written_meanwhile_comes_back_too() {
    for add in [&["add", "y"][..], &["add", "y", "--clone"]] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        let path = sandbox.task(&dir, add).ok().path();
        sandbox.write(&path, "early", "early\n");
        let at = path.display();
        meanwhile(
            &sandbox,
            &dir,
            &format!("[ -d {at} ] && echo late >{at}/late && echo late >{at}/notes/y/status.md"),
        );
        sandbox.task(&dir, ["rm", "-f", "y"]).ok();
        assert!(!path.exists());
        sandbox.task(&dir, ["restore", "y"]).ok();
        for (name, text) in [("early", "early\n"), ("late", "late\n"), ("notes/y/status.md", "late\n")] {
            assert_eq!(fs::read_to_string(path.join(name)).unwrap(), text);
        }
        assert_sound(&sandbox, &dir);
    }
}

#[test]
fn what_is_held_already_is_held_once() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "untracked", "1\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    let trash = ["for-each-ref", "--format=%(refname)", "refs/task-trash"];
    sandbox.git(&dir, trash).ok().prints("refs/task-trash/x/1\n");
}

#[test]
fn a_repository_made_meanwhile_stops_the_removal() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let at = path.display();
    let make = format!("[ -d {at} ] && env -u GIT_DIR git init -q {at}/new && echo 1 >{at}/new/work");
    meanwhile(&sandbox, &dir, &make);
    sandbox.task(&dir, ["rm", "-f", "x"]).fails(128).says("meanwhile: new");
    assert_eq!(fs::read_to_string(path.join("new/work")).unwrap(), "1\n");
    sandbox.git(&path, ["log", "-1", "--format=%s"]).ok().prints("Mine\n");
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\n");
    sandbox.task(&dir, ["repair", "-n"]).ok();
    fs::remove_file(dir.join(".git/hooks/reference-transaction")).unwrap();
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(fs::read_to_string(path.join("new/work")).unwrap(), "1\n");
}

#[test]
fn a_worktree_on_its_way_out_is_not_pruned_by_others() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.seen filter=prune\n", "Filter");
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    // Whenever one of its files is read, the directory aside or not, somebody prunes.
    let prune = format!(
        "env -u GIT_DIR -u GIT_INDEX_FILE -u GIT_WORK_TREE git -C '{}' worktree prune; cat",
        dir.display()
    );
    sandbox.git(&dir, ["config", "filter.prune.clean", &prune]).ok();
    sandbox.write(&path, "a.seen", "work\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(std::fs::read_to_string(path.join("a.seen")).unwrap(), "work\n");
    sandbox.task(&dir, ["unlock", "x"]).fails(128).says("is not locked");
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_lands_while_it_is_removed_stays_landed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.seen filter=land\n", "Filter");
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "work.txt", "work\n", "Work");
    // As an integration says it that ends between the first look and the last step.
    let land = format!("git config -f '{}' task.x.state integrated; cat", dir.join(".git/config").display());
    sandbox.git(&dir, ["config", "filter.land.clean", &land]).ok();
    sandbox.write(&path, "a.seen", "more\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["list", "--all", "--format=%(task) %(state)"]).ok().prints("x integrated\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_worktree_on_its_way_out_is_not_brought_back_by_a_repair() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.seen filter=repair\n", "Filter");
    sandbox.task(&dir, ["add", "other"]).ok();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let (said, at) = (sandbox.path("said"), dir.display());
    // Whenever one of its files is read, the directory aside or not.
    let repair = format!(
        "unset $(git rev-parse --local-env-vars); git -C '{at}' task repair >>'{0}' 2>&1; cat",
        said.display()
    );
    sandbox.git(&dir, ["config", "filter.repair.clean", &repair]).ok();
    sandbox.write(&path, "a.seen", "work\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    assert_eq!(std::fs::read_to_string(said).unwrap(), "");
    sandbox.task(&dir, ["restore", "x"]).ok();
    assert_eq!(std::fs::read_to_string(path.join("a.seen")).unwrap(), "work\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_is_checked_out_in_the_middle_of_it_is_what_is_restored() {
    for pooled in [false, true] {
        let sandbox = Sandbox::new();
        let dir = sandbox.init();
        sandbox.git(&dir, ["config", "pool.max", "1"]).ok();
        sandbox.pool(&dir, ["init", "-q", "1"]).ok();
        let options: &[&str] = if pooled { &[] } else { &["--no-pool"] };
        let path = sandbox.task(&dir, ["add", "x"].iter().chain(options)).ok().path();
        sandbox.commit(&path, "x", "1\n", "Work");
        sandbox.write(&path, "mine", "mine\n");
        let head = format!(
            "\"$git\" --git-dir '{}' update-ref --no-deref HEAD x~",
            sandbox.git(&path, ["rev-parse", "--absolute-git-dir"]).ok().line()
        );
        sandbox.before_git("true", &head);
        ours(&sandbox, &dir, "git-task rm -f x").ok();
        let back = sandbox.task(&dir, ["restore", "x"]).ok().path();
        sandbox.git(&back, ["symbolic-ref", "-q", "HEAD"]).fails(1);
        assert_eq!(sandbox.commit_id(&back, "HEAD"), sandbox.commit_id(&dir, "x~"), "{pooled}");
    }
}
