//! A worktree in whatever state, removed by force, is the same again after `restore`, even if everything
//! that is not held has been collected in between.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::*;

/// Forgets whatever nothing holds.
#[track_caller]
pub fn collect_garbage(sandbox: &Sandbox, dir: &Path) {
    sandbox.git(dir, ["reflog", "expire", "--expire=now", "--all"]).ok();
    sandbox.git(dir, ["gc", "--quiet", "--prune=now"]).ok();
}

/// A repository with a task `x`. Returns both directories.
#[track_caller]
fn begin(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let dir = sandbox.init();
    for (name, text) in [("a", "1\n2\n3\n4\n5\n6\n7\n8\n"), ("b", "b\n"), ("sub/c", "c\n")] {
        sandbox.commit(&dir, name, text, name);
    }
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    (dir, path)
}

/// Removes, collects, restores, and compares.
#[track_caller]
fn round_trip_with(sandbox: &Sandbox, dir: &Path, path: &Path, ignored: &[&str]) {
    let before = Picture::of(sandbox, path, ignored);
    let stashes = sandbox.git(dir, ["stash", "list"]).ok().stdout;
    sandbox.task(dir, ["rm", "-f", "-f", "x"]).ok();
    assert!(!path.exists());
    collect_garbage(sandbox, dir);
    let back = sandbox.task(dir, ["restore", "x"]).ok().path();
    assert_eq!(back, path);
    before.assert_is(&Picture::of(sandbox, path, ignored));
    assert_eq!(sandbox.git(dir, ["stash", "list"]).ok().stdout, stashes);
    assert_sound(sandbox, dir);
}

#[track_caller]
fn round_trip(sandbox: &Sandbox, dir: &Path, path: &Path) {
    round_trip_with(sandbox, dir, path, &[]);
}

#[test]
fn staged_unstaged_both_untracked_renamed_and_deleted() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "a", "staged\n");
    sandbox.git(&path, ["add", "a"]).ok();
    sandbox.write(&path, "a", "staged and changed again\n");
    sandbox.write(&path, "b", "only changed\n");
    sandbox.git(&path, ["mv", "sub/c", "sub/renamed"]).ok();
    fs::remove_file(path.join("mine")).unwrap();
    sandbox.git(&path, ["rm", "-q", "--cached", "README"]).ok();
    sandbox.write(&path, "new/deep/file", "untracked\n");
    sandbox.write(&path, "staged-new", "1\n");
    sandbox.git(&path, ["add", "staged-new"]).ok();
    sandbox.write(&path, "staged-gone", "1\n");
    sandbox.git(&path, ["add", "staged-gone"]).ok();
    fs::remove_file(path.join("staged-gone")).unwrap();
    round_trip(&sandbox, &dir, &path);
}

#[test]
fn odd_names_modes_and_links() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "line\nbreak", "1\n");
    sandbox.write(&path, "\"quoted\"", "2\n");
    sandbox.write(&path, Path::new(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "3\n");
    sandbox.write(&path, " lead", "4\n");
    sandbox.write(&path, ":colon", "5\n");
    sandbox.write(&path, "-dash", "");
    sandbox.write(&path, "run", "#!/bin/sh\n");
    fs::set_permissions(path.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(path.join("b"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("nowhere at all", path.join("link")).unwrap();
    fs::remove_file(path.join("a")).unwrap();
    symlink("b", path.join("a")).unwrap();
    // A directory where a file was, and the other way round.
    fs::remove_dir_all(path.join("sub")).unwrap();
    sandbox.write(&path, "sub", "now a file\n");
    fs::remove_file(path.join("mine")).unwrap();
    sandbox.write(&path, "mine/inside", "now a directory\n");
    round_trip(&sandbox, &dir, &path);
}

#[test]
fn line_ends_come_back_byte_for_byte() {
    for setting in ["true", "input"] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.git(&dir, ["config", "core.autocrlf", setting]).ok();
        // As a checkout under this setting would have it.
        sandbox.sh(&path, "git rm -rq --cached . && git reset -q --hard").ok();
        sandbox.write(&path, "a", "one\r\ntwo\r\n");
        sandbox.write(&path, "mixed", "one\r\ntwo\nthree\r\n");
        sandbox.write(&path, "lf", "one\ntwo\n");
        sandbox.write(&path, "with\nnewline", "one\r\n");
        round_trip(&sandbox, &dir, &path);
    }
}

#[test]
fn files_that_git_takes_for_unchanged_stay_so() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    // Every file has another size when it is checked out again.
    sandbox.git(&dir, ["config", "core.autocrlf", "true"]).ok();
    sandbox.write(&path, "b", "changed\r\n");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints(" M b\n");
}

#[test]
fn filters_that_lose_something_lose_nothing() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(
        &path,
        ".gitattributes",
        "*.nb filter=strip\n*.id ident\n*.utf working-tree-encoding=UTF-16\n",
        "Attributes",
    );
    sandbox.git(&dir, ["config", "filter.strip.clean", "sed -e s/secret.*//"]).ok();
    sandbox.write(&path, "new.nb", "kept\nsecret result\n");
    sandbox.write(&path, "new.id", "$Id: what was here $\n");
    sandbox.write(&path, "text.utf", b"\xff\xfea\0\n\0");
    round_trip(&sandbox, &dir, &path);
}

#[test]
fn a_filter_of_large_files_is_not_stored_twice() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&path, ".gitattributes", "*.bin filter=store\n", "Attributes");
    let store = sandbox.path("store");
    fs::create_dir(&store).unwrap();
    let clean = format!(
        "t=$(mktemp); cat >$t; s=$(sha1sum <$t | cut -c1-40); mv $t {0}/$s; echo $s",
        store.display()
    );
    sandbox.git(&dir, ["config", "filter.store.clean", &clean]).ok();
    sandbox.git(&dir, ["config", "filter.store.smudge", &format!("read s; cat {}/$s", store.display())]).ok();
    sandbox.git(&dir, ["config", "filter.store.required", "true"]).ok();
    let content = "0123456789".repeat(5_000);
    sandbox.write(&path, "large.bin", &content);
    let id = sandbox.sh(&path, "git hash-object --no-filters large.bin").ok().line().to_owned();
    round_trip(&sandbox, &dir, &path);
    sandbox.git(&dir, ["cat-file", "-e", &id]).fails(1);
}

#[test]
fn marks_in_the_index() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "intended", "not yet added\n");
    sandbox.git(&path, ["add", "--intent-to-add", "intended"]).ok();
    sandbox.git(&path, ["update-index", "--assume-unchanged", "a"]).ok();
    sandbox.write(&path, "a", "changed behind git's back\n");
    sandbox.git(&path, ["update-index", "--skip-worktree", "b", "sub/c", "mine"]).ok();
    sandbox.write(&path, "b", "changed where git does not look\n");
    fs::remove_file(path.join("mine")).unwrap();
    sandbox.git(&path, ["update-index", "--assume-unchanged", "sub/c"]).ok();
    sandbox.write(&path, "sub/c", "both marks\n");
    round_trip(&sandbox, &dir, &path);
}

#[test]
fn a_split_index() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.git(&path, ["update-index", "--split-index"]).ok();
    sandbox.git(&path, ["update-index", "--assume-unchanged", "a"]).ok();
    sandbox.write(&path, "b", "staged\n");
    sandbox.git(&path, ["add", "b"]).ok();
    sandbox.write(&path, "intended", "\n");
    sandbox.git(&path, ["add", "-N", "intended"]).ok();
    round_trip(&sandbox, &dir, &path);
    sandbox.git(&dir, ["config", "core.splitIndex", "true"]).ok();
    sandbox.git(&path, ["add", "intended"]).ok();
    round_trip(&sandbox, &dir, &path);
}

#[test]
fn a_sparse_checkout() {
    for cone in ["--cone", "--no-cone"] {
        for index in ["--no-sparse-index", "--sparse-index"] {
            let sandbox = Sandbox::new();
            let (dir, path) = begin(&sandbox);
            sandbox.commit(&path, "other/d", "d\n", "Other");
            if cone == "--no-cone" && index == "--sparse-index" {
                continue;
            }
            sandbox.git(&path, ["sparse-checkout", "set", cone, index, "sub"]).ok();
            assert!(!path.join("other/d").exists());
            sandbox.write(&path, "sub/c", "changed\n");
            sandbox.write(&path, "other/untracked", "outside of the patterns\n");
            round_trip(&sandbox, &dir, &path);
            assert!(!path.join("other/d").exists());
            sandbox.git(&path, ["sparse-checkout", "disable"]).ok();
            assert!(path.join("other/d").exists());
        }
    }
}

#[test]
fn the_whole_tree_stays_whole_where_the_main_worktree_is_sparse() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let before = Picture::of(&sandbox, &path, &[]);
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.git(&dir, ["sparse-checkout", "set", "sub"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    before.assert_is(&Picture::of(&sandbox, &path, &[]));
    sandbox.git(&path, ["ls-files", "-v"]).ok().prints("H README\nH a\nH b\nH mine\nH sub/c\n");
}

#[test]
fn ignored_files_that_are_named() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&path, ".gitignore", ".env*\n*.o\n", "Ignore");
    sandbox.write(&dir, ".worktreeinclude", ".env*\n");
    sandbox.write(&path, ".env", "SECRET=1\r\n");
    sandbox.write(&path, "sub/.env\n2", "SECRET=2\n");
    symlink("../elsewhere", path.join(".env-link")).unwrap();
    fs::set_permissions(path.join(".env"), fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.write(&path, "a.o", "made\n");
    round_trip_with(&sandbox, &dir, &path, &[".env", "sub/.env\n2", ".env-link"]);
    assert!(!path.join("a.o").exists());
}

#[test]
fn a_merge_with_conflicts() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.commit(&dir, "b", "theirs\n", "Theirs");
    sandbox.commit(&dir, "a", "theirs\n", "Theirs too");
    sandbox.commit(&path, "b", "ours\n", "Ours");
    sandbox.commit(&path, "a", "ours\n", "Ours too");
    sandbox.git(&path, ["merge", "main"]).fails(1);
    // One of the two is resolved already; git can still take that back.
    sandbox.write(&path, "a", "resolved a\n");
    sandbox.git(&path, ["add", "a"]).ok();
    round_trip(&sandbox, &dir, &path);
    sandbox.git(&path, ["checkout", "--merge", "a"]).ok();
    sandbox.git(&path, ["diff", "--name-only", "--diff-filter=U"]).ok().prints("a\nb\n");
    sandbox.write(&path, "a", "resolved a\n");
    sandbox.write(&path, "b", "resolved b\n");
    sandbox.git(&path, ["add", "a", "b"]).ok();
    sandbox.sh(&path, "GIT_EDITOR=true git merge --continue").ok();
    sandbox.git(&path, ["rev-list", "--parents", "-n1", "HEAD"]).ok();
    assert_eq!(sandbox.commit_id(&path, "HEAD^2"), sandbox.commit_id(&dir, "main"));
}

#[test]
fn a_rebase_with_conflicts() {
    for how in [
        &["rebase"][..],
        &["rebase", "-i"],
        &["rebase", "--apply"],
        &["rebase", "--autostash", "--rebase-merges"],
    ] {
        let sandbox = Sandbox::new();
        let (dir, path) = begin(&sandbox);
        sandbox.commit(&path, "b", "ours\n", "Ours");
        sandbox.commit(&path, "last", "last\n", "Last");
        sandbox.commit(&dir, "b", "theirs\n", "Theirs");
        let stashes = how.contains(&"--autostash");
        if stashes {
            sandbox.write(&path, "sub/c", "not committed\n");
        }
        let mut rebase = sandbox.git_command(&path, how);
        Run::of(rebase.arg("main").env("GIT_EDITOR", "true"), b"").fails(1);
        round_trip(&sandbox, &dir, &path);
        sandbox.write(&path, "b", "resolved\n");
        sandbox.git(&path, ["add", "b"]).ok();
        sandbox.sh(&path, "GIT_EDITOR=true git rebase --continue").ok();
        sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
        sandbox.git(&path, ["log", "--format=%s", "main.."]).ok().prints("Last\nOurs\nMine\n");
        let expected = if stashes { " M sub/c\n" } else { "" };
        sandbox.git(&path, ["status", "--porcelain"]).ok().prints(expected);
    }
}

#[test]
fn a_cherry_pick_of_several_with_a_conflict() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    // The commits that are still to be picked are on no branch any more.
    sandbox.git(&dir, ["switch", "-q", "-c", "gone"]).ok();
    sandbox.commit(&dir, "b", "picked\n", "One");
    sandbox.commit(&dir, "sub/c", "picked\n", "Two");
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    sandbox.commit(&path, "b", "ours\n", "Ours");
    sandbox.git(&path, ["cherry-pick", "main..gone"]).fails(1);
    sandbox.git(&dir, ["branch", "-q", "-D", "gone"]).ok();
    round_trip(&sandbox, &dir, &path);
    sandbox.write(&path, "b", "resolved\n");
    sandbox.git(&path, ["add", "b"]).ok();
    sandbox.sh(&path, "GIT_EDITOR=true git cherry-pick --continue").ok();
    sandbox.git(&path, ["log", "-n3", "--format=%s"]).ok().prints("Two\nOne\nOurs\n");
}

#[test]
fn a_bisect() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    for n in 0..6 {
        sandbox.commit(&path, "n", format!("{n}\n"), &format!("n {n}"));
    }
    sandbox.git(&path, ["bisect", "start", "HEAD", "HEAD~6"]).ok();
    sandbox.git(&path, ["bisect", "good"]).ok();
    round_trip(&sandbox, &dir, &path);
    sandbox.git(&path, ["bisect", "bad"]).ok();
    sandbox.git(&path, ["bisect", "log"]).ok();
    sandbox.git(&path, ["bisect", "reset"]).ok();
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
}

#[test]
fn refs_of_the_worktree_and_a_detached_head_with_commits_of_its_own() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.git(&path, ["update-ref", "refs/worktree/mark", "HEAD~1"]).ok();
    sandbox.git(&path, ["switch", "-q", "--detach"]).ok();
    let own = sandbox.commit(&path, "detached", "1\n", "On no branch");
    round_trip(&sandbox, &dir, &path);
    assert_eq!(sandbox.commit_id(&path, "HEAD"), own);
    assert_ne!(sandbox.commit_id(&path, "x"), own);
}

#[test]
fn what_only_a_reflog_knows_stays_reachable() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    let first = sandbox.commit(&path, "f", "1\n", "First try");
    sandbox.git(&path, ["commit", "-q", "--amend", "-m", "Second try"]).ok();
    let second = sandbox.commit(&path, "f", "2\n", "More");
    sandbox.git(&path, ["reset", "-q", "--hard", "HEAD~2"]).ok();
    round_trip(&sandbox, &dir, &path);
    for id in [first, second] {
        sandbox.git(&dir, ["merge-base", "--is-ancestor", &id, "refs/task-trash/x/1"]).ok();
    }
}

#[test]
fn the_stash_of_the_repository_is_nobody_elses() {
    let sandbox = Sandbox::new();
    let (dir, path) = begin(&sandbox);
    sandbox.write(&path, "a", "stashed in the task\n");
    sandbox.git(&path, ["stash", "-q"]).ok();
    sandbox.write(&dir, "a", "stashed in main\n");
    sandbox.git(&dir, ["stash", "-q"]).ok();
    sandbox.write(&path, "a", "not stashed\n");
    let before = sandbox.git(&dir, ["stash", "list", "--format=%H"]).ok().stdout;
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    sandbox.task(&dir, ["restore", "x"]).ok();
    sandbox.git(&dir, ["stash", "list", "--format=%H"]).ok().prints(&before);
}
