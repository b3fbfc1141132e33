//! In the middle of something.

use super::*;

/// Two sides that change the same lines.
fn conflicting() -> Case {
    let case = Case::new();
    case.sandbox.commit("b", "main\nb2\nb3\nb4\n");
    case.sandbox.git(["rm", "-q", "a"]);
    case.sandbox.git(["commit", "-q", "-m", "rm a"]);
    case.commit("b", "task\nb2\nb3\nb4\n");
    case.commit("a", "changed\n");
    case
}

#[test]
fn a_merge_with_conflicts() {
    let case = conflicting();
    case.write("other", "before\n");
    assert_eq!(case.try_git(&["merge", "main"]), 1);
    case.write("dir/c", "by the way\n");
    case.round_trip();
    assert!(case.git_dir().join("MERGE_HEAD").exists());
    case.write("b", "both\nb2\nb3\nb4\n");
    case.git(["add", "b", "a"]);
    assert_eq!(case.try_git(&["merge", "--continue"]), 0);
    assert_eq!(case.parents(case.id("HEAD")), [case.id("HEAD^1"), case.sandbox.id("main")]);
}

#[test]
fn a_merge_that_is_half_resolved() {
    let case = conflicting();
    assert_eq!(case.try_git(&["merge", "main"]), 1);
    case.write("b", "resolved\n");
    case.git(["add", "b"]);
    case.round_trip();
    // git still knows what the conflict was.
    case.git(["checkout", "-m", "b"]);
    assert!(fs::read(case.wt().join("b")).unwrap().contains_str("<<<<<<<"));
}

#[test]
fn the_stages_come_back_without_the_index_file_too() {
    let case = conflicting();
    assert_eq!(case.try_git(&["merge", "main"]), 1);
    let (seen, tip) = (case.seen(), case.repo().find_ref(BRANCH).unwrap());
    let taken = case.taken().commit;
    // An index of a version to come.
    let junk = case.sandbox.path("junk");
    fs::write(&junk, "DIRC\0\0\0\x09nothing that this git knows").unwrap();
    let blob = case.sandbox.git(["hash-object", "-w", "--", junk.to_str().unwrap()]);
    let tree = case.sandbox.git(["ls-tree", &taken.to_string()]);
    let changed = tree.lines().map(|line| match line.ends_with(b"\tindex-file") {
        true => [b"100644 blob ", blob.trim(), b"\tindex-file\n"].concat(),
        false => [line, b"\n"].concat(),
    });
    let input = changed.collect::<Vec<_>>().concat();
    let tree = Git::at(case.sandbox.top()).cmd(["mktree"]).stdin(input).line().unwrap();
    let commit = case.sandbox.git(["commit-tree", "-m", "x", "-p", &taken.to_string(), &tree]);
    let commit = crate::git::parse_id(commit.trim()).unwrap();
    fs::remove_dir_all(case.wt()).unwrap();
    fs::remove_dir_all(case.git_dir()).unwrap();
    case.restore(commit, &seen, tip);
    assert_eq!(case.seen(), seen);
}

#[test]
fn a_rebase() {
    let case = conflicting();
    case.commit("last", "l\n");
    let before = case.id("task");
    case.write("dir/c", "uncommitted\n");
    assert_ne!(case.try_git(&["rebase", "--autostash", "main"]), 0);
    let autostash = fs::read_to_string(case.git_dir().join("rebase-merge/autostash")).unwrap();
    case.round_trip();
    case.git(["cat-file", "-e", autostash.trim()]);
    assert_eq!(case.id("ORIG_HEAD"), before);
    case.write("b", "both\nb2\nb3\nb4\n");
    case.git(["add", "b"]);
    assert_ne!(case.try_git(&["rebase", "--continue"]), 0, "a was removed and changed");
    case.git(["add", "a"]);
    assert_eq!(case.try_git(&["rebase", "--continue"]), 0);
    assert_eq!(case.git(["symbolic-ref", "HEAD"]).trim(), BRANCH.as_bytes());
    assert_eq!(
        case.git(["log", "--format=%s", "main.."]).lines().collect::<Vec<_>>(),
        [b"last", b"a".as_slice(), b"b"]
    );
    assert_eq!(fs::read(case.wt().join("dir/c")).unwrap(), b"uncommitted\n");
}

#[test]
fn a_cherry_pick_of_several() {
    let case = conflicting();
    case.sandbox.commit("picked", "p\n");
    assert_eq!(case.try_git(&["cherry-pick", "main~2", "main"]), 1);
    case.round_trip();
    case.write("b", "both\nb2\nb3\nb4\n");
    case.git(["add", "b"]);
    assert_eq!(case.try_git(&["cherry-pick", "--continue"]), 0);
    assert_eq!(case.git(["log", "-1", "--format=%s"]), b"picked\n");
}

#[test]
fn a_bisect() {
    let case = Case::new();
    for n in 0..6 {
        case.commit("n", &format!("{n}\n"));
    }
    case.git(["bisect", "start", "HEAD", "HEAD~5"]);
    let middle = case.id("HEAD");
    case.round_trip();
    assert_eq!(case.id("refs/bisect/bad"), case.id("task"));
    assert_eq!(case.id("HEAD"), middle);
    assert_eq!(case.try_git(&["bisect", "bad"]), 0);
    case.git(["bisect", "reset"]);
    assert_eq!(case.git(["symbolic-ref", "HEAD"]).trim(), BRANCH.as_bytes());
}

#[test]
fn the_merge_of_a_tag_that_is_gone() {
    let case = conflicting();
    case.sandbox.git(["tag", "-a", "-m", "tagged", "v1", "main"]);
    let tag = case.sandbox.id("v1");
    assert_eq!(case.try_git(&["merge", "v1"]), 1);
    case.sandbox.git(["tag", "-d", "v1"]);
    assert!(fs::read(case.git_dir().join("MERGE_HEAD")).unwrap().contains_str(tag.to_string()));
    case.round_trip();
    case.git(["cat-file", "tag", &tag.to_string()]);
    case.write("b", "both\nb2\nb3\nb4\n");
    case.git(["add", "b", "a"]);
    assert_eq!(case.try_git(&["merge", "--continue"]), 0);
}
