//! A second look sees whatever was written since the first.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::super::{Look, is_same};
use super::*;

impl Case {
    /// A first look. A file that changed just now leaves a doubt, until the clock has ticked.
    fn look(&self) -> Look {
        (0..1000).find_map(|_| self.taken().look).expect("it leaves no doubt")
    }

    fn is_same(&self, first: &Look) -> bool {
        self.ask(|repo, request| is_same(repo, request, first).unwrap())
    }
}

/// What is done, in words and in fact.
type Deed = (&'static str, fn(&Case));

/// A worktree with a bit of everything.
fn case() -> Case {
    let mut case = Case::new();
    case.write("a", "x\n");
    case.write("new", "1\n");
    case.write("x.ignored", "1\n");
    case.write("cache/1", "1\n");
    case.kept = vec!["x.ignored".into(), "cache".into()];
    case
}

#[test]
fn what_did_not_change_is_the_same() {
    let case = case();
    let look = case.look();
    // In the beginning it may be in doubt, which is no change.
    assert!((0..1000).any(|_| case.is_same(&look)));
    // An ignored file that nobody keeps.
    case.write("y.ignored", "1\n");
    assert!(!case.is_same(&look), "git names it");
}

#[test]
fn whatever_is_written_is_seen() {
    let changes: [Deed; 14] = [
        ("a clean file", |case| case.write("dir/c", "d\n")),
        ("a changed file, as long as before", |case| case.write("a", "y\n")),
        ("an untracked file, as long as before", |case| case.write("new", "2\n")),
        ("another file", |case| case.write("newer", "1\n")),
        ("one less", |case| fs::remove_file(case.wt().join("new")).unwrap()),
        ("a kept file", |case| case.write("x.ignored", "2\n")),
        ("a file in a kept directory", |case| case.write("cache/2", "2\n")),
        ("permissions", |case| {
            fs::set_permissions(case.wt().join("new"), fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("an empty directory", |case| fs::create_dir(case.wt().join("empty")).unwrap()),
        ("a socket", |case| drop(UnixListener::bind(case.wt().join("socket")).unwrap())),
        ("the index", |case| drop(case.git(["add", "a"]))),
        ("a commit", |case| drop(case.git(["commit", "-q", "--allow-empty", "-m", "more"]))),
        ("the state of an operation", |case| {
            fs::write(case.git_dir().join("MERGE_MSG"), "more\n").unwrap();
        }),
        ("a repository inside", |case| drop(case.git(["init", "-q", "inside"]))),
    ];
    for (what, change) in changes {
        let case = case();
        let look = case.look();
        change(&case);
        assert!(!case.is_same(&look), "{what}");
    }
}

#[test]
fn where_something_can_hide_there_is_no_look() {
    let hides: [Deed; 4] = [
        ("a file that git takes for unchanged", |case| {
            drop(case.git(["update-index", "--assume-unchanged", "a"]));
        }),
        ("a file that is left alone", |case| drop(case.git(["update-index", "--skip-worktree", "a"]))),
        ("an intent to add", |case| {
            case.write("intended", "1\n");
            case.git(["add", "-N", "intended"]);
        }),
        ("half of the index", |case| drop(case.git(["update-index", "--split-index"]))),
    ];
    for (what, hide) in hides {
        let case = Case::new();
        assert!(case.taken().look.is_some(), "{what}");
        hide(&case);
        assert!(case.taken().look.is_none(), "{what}");
    }
}
