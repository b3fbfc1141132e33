use std::fs;
use std::path::PathBuf;

use super::*;
use crate::git::process::Git;
use crate::git::snapshot::restore_into;
use crate::git::testing::{Sandbox, git_at, write};

fn removal<'a>(task: &'a Record, meta: &'a Record, now: i64) -> Removal<'a> {
    Removal {
        slug: "x",
        task,
        meta,
        note: Some(b"# Goal\n"),
        path: None,
        git_dir: None,
        clone: false,
        branch: None,
        tip: None,
        kept: &[],
        now,
    }
}

fn put(repo: &Repo, removal: &Removal<'_>) -> Entry {
    match keep(repo, removal).unwrap() {
        Kept::InTrash { entry, .. } => entry,
        Kept::NeedsDirectory(paths) => panic!("{paths:?}"),
    }
}

#[test]
fn what_is_put_in_is_found_read_and_expires() {
    let sandbox = Sandbox::new();
    let tip = sandbox.commit("a", "a\n");
    let repo = sandbox.repo();
    assert_eq!(entries(&repo).unwrap(), []);
    let (task, meta) = (Record::new("task").with("branch", "x"), Record::new("meta").with("path", "/a\n b"));
    let first = put(&repo, &Removal { tip: Some(tip), ..removal(&task, &meta, 100) });
    let second = put(&repo, &removal(&task, &meta, 200));
    let other = put(&repo, &Removal { slug: "other", ..removal(&task, &meta, 150) });
    assert_eq!((first.number, second.number, other.number), (1, 2, 1));
    assert_eq!(entries(&repo).unwrap(), [other.clone(), first.clone(), second.clone()]);
    assert_eq!(latest(&repo, "x").unwrap(), Some(second.clone()));
    assert_eq!(latest(&repo, "y").unwrap(), None);
    let contents = read(&repo, &first).unwrap();
    assert_eq!((&contents.task, &contents.meta), (&task, &meta));
    assert_eq!(contents.note.as_deref(), Some(b"# Goal\n".as_slice()));
    assert_eq!(expire(&repo, 151, true).unwrap().len(), 2);
    assert_eq!(entries(&repo).unwrap().len(), 3);
    assert_eq!(expire(&repo, 151, false).unwrap(), [other, first]);
    assert_eq!(entries(&repo).unwrap(), [second]);
}

#[test]
fn of_several_at_once_each_has_its_own_number() {
    let sandbox = Sandbox::new();
    sandbox.commit("a", "a\n");
    let (task, meta) = (Record::new("task"), Record::new("meta"));
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let put_one = |n| {
            let (sandbox, task, meta) = (&sandbox, &task, &meta);
            scope.spawn(move || put(&sandbox.repo(), &removal(task, meta, n)).number)
        };
        let threads: Vec<_> = (0..8).map(put_one).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}

#[test]
fn a_clone_comes_home_with_all_that_only_it_held() {
    let sandbox = Sandbox::new();
    sandbox.commit("a", "a\n");
    sandbox.git(["tag", "-a", "-m", "of main", "v1"]);
    let clone: PathBuf = sandbox.top().with_file_name("clo:ne");
    let make = || {
        sandbox.git(["clone", "-q", "--shared", "--no-checkout", ".", clone.to_str().unwrap()]);
        for (key, value) in [("user.name", "U"), ("user.email", "u@e")] {
            git_at(&clone, ["config", key, value]);
        }
    };
    make();
    let git = |args: &[&str]| git_at(&clone, args.iter().copied());
    let id = |rev: &str| parse_id(git(&["rev-parse", "--verify", rev]).trim()).unwrap();
    git(&["checkout", "-q", "-b", "x"]);
    write(&clone, "b", b"b\n");
    git(&["add", "b"]);
    git(&["commit", "-q", "-m", "b"]);
    let amended = id("HEAD");
    git(&["commit", "-q", "--amend", "-m", "b again"]);
    let tip = id("HEAD");
    git(&["branch", "side", "HEAD~1"]);
    git(&["commit", "-q", "--allow-empty", "-m", "side"]);
    git(&["tag", "-a", "-m", "of the clone", "v2"]);
    let (side, tag) = (id("HEAD"), id("v2"));
    git(&["reset", "-q", "--hard", "HEAD~1"]);
    let mut stashes = Vec::new();
    for text in ["one\n", "two\n"] {
        write(&clone, "a", text.as_bytes());
        git(&["stash", "-q"]);
        stashes.push(id("refs/stash"));
    }
    write(&clone, "a", b"staged\n");
    git(&["add", "a"]);
    write(&clone, "new", b"new\n");
    write(&clone, ".git/lfs/objects/ab/cd/abcd", b"large\n");
    let status = git(&["status", "--porcelain", "-uall"]);
    let (task, meta) = (Record::new("task"), Record::new("meta"));
    let git_dir = clone.join(".git");
    let kept = Removal {
        path: Some(&clone),
        git_dir: Some(&git_dir),
        clone: true,
        branch: Some("refs/heads/x"),
        tip: Some(tip),
        ..removal(&task, &meta, 1)
    };
    let repo = sandbox.repo();
    let entry = put(&repo, &kept);
    assert!(git(&["for-each-ref", "refs/task-snapshot"]).is_empty());
    fs::remove_dir_all(&clone).unwrap();
    sandbox.git(["gc", "-q", "--prune=now"]);
    sandbox.git(["fsck", "--full", "--strict"]);
    for id in [amended, tip, side, stashes[0], stashes[1]] {
        sandbox.git(["merge-base", "--is-ancestor", &id.to_string(), &entry.ref_name]);
    }
    let tags = sandbox.git(["ls-tree", "--name-only", &format!("{}:tags", entry.ref_name)]);
    assert_eq!(tags.trim(), tag.to_string().as_bytes(), "only that of the clone");
    assert_eq!(fs::read(repo.common_dir().join("lfs/objects/ab/cd/abcd")).unwrap(), b"large\n");
    make();
    git(&["update-ref", "refs/heads/x", &tip.to_string()]);
    git(&["update-ref", "refs/stash", &stashes[1].to_string()]);
    git(&["symbolic-ref", "HEAD", "refs/heads/x"]);
    restore_into(entry.commit, &clone, &git_dir).unwrap();
    assert_eq!(git(&["status", "--porcelain", "-uall"]), status);
    assert_eq!(git(&["stash", "list", "--format=%H"]).lines().count(), 2);
    Git::at(&clone).cmd(["fsck", "--full"]).run().unwrap();
}
