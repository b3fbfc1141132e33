//! Commits that nothing else holds.

use super::*;

#[test]
fn commits_of_a_detached_head() {
    let case = Case::new();
    case.git(["checkout", "-q", "--detach"]);
    let first = case.commit("one", "1\n");
    case.git(["checkout", "-q", "--detach", "main"]);
    let second = case.commit("two", "2\n");
    let commit = case.round_trip();
    for id in [first, second] {
        case.git(["cat-file", "-e", &id.to_string()]);
        assert!(case.parents(commit).contains(&id));
    }
}

#[test]
fn commits_that_were_amended_or_reset_away_and_their_reflogs() {
    let case = Case::new();
    let mut gone = Vec::new();
    for n in 0..5 {
        case.commit("x", &format!("{n}\n"));
        gone.push(case.commit("y", &format!("{n}\n")));
        case.git(["reset", "-q", "--hard", "HEAD~2"]);
    }
    case.commit("kept", "k\n");
    // In the branch's reflog alone.
    let elsewhere = case.commit("z", "z\n");
    case.git(["update-ref", BRANCH, "HEAD~1"]);
    case.git(["reset", "-q", "--hard"]);
    fs::remove_file(case.git_dir().join("logs/HEAD")).unwrap();
    let logs = |case: &Case| case.git(["log", "-g", "--format=%H %gs", "task"]);
    let before = logs(&case);
    let commit = case.round_trip();
    let parents = case.parents(commit);
    assert_eq!(parents.len(), 1 + gone.len() + 1, "only the newest of each line");
    for id in gone.iter().chain([&elsewhere]) {
        assert!(parents.contains(id));
        case.git(["cat-file", "-e", &id.to_string()]);
    }
    assert_eq!(logs(&case), before);
    // Also when the entry is gone.
    case.sandbox.git(["update-ref", "-d", ENTRY]);
    case.sandbox.git(["gc", "-q", "--prune=now"]);
    case.git(["cat-file", "-e", &gone[0].to_string()]);
}

#[test]
fn hundreds_of_them() {
    let case = Case::new();
    let tree = case.id("HEAD^{tree}").to_string();
    let script: String = (0..600)
        .map(|n| {
            format!("commit refs/worktree/n{n}\ncommitter U <u@e> {n} +0000\ndata 1\nx\nfrom {}\nM 040000 {tree} \n\n", case.id("main"))
        })
        .collect();
    Git::at(case.wt()).cmd(["fast-import", "--quiet"]).stdin(script).run().unwrap();
    let commit = case.round_trip();
    assert_eq!(case.parents(commit).len(), 601);
    assert_eq!(case.git(["for-each-ref", "refs/worktree"]).lines().count(), 600);
}

#[test]
fn what_an_operation_needs_is_held_even_if_a_branch_has_it_now() {
    let case = Case::new();
    let theirs = case.sandbox.commit("theirs", "t\n");
    case.commit("mine", "m\n");
    assert_eq!(case.try_git(&["merge", "--no-commit", "main"]), 0);
    let commit = case.taken().commit;
    assert_eq!(case.parents(commit), [case.id("task"), theirs]);
}

#[test]
fn a_branch_that_is_not_where_head_is() {
    let case = Case::new();
    let tip = case.commit("one", "1\n");
    case.git(["checkout", "-q", "--detach", "main"]);
    let commit = case.round_trip();
    assert_eq!(case.id("task"), tip);
    assert_eq!(case.parents(commit)[0], tip);
}

#[test]
fn stashes_are_everybodys_and_stay() {
    let case = Case::new();
    case.write("a", "stashed\n");
    case.git(["stash", "-q"]);
    let stash = case.id("refs/stash");
    case.write("a", "changed\n");
    let (seen, tip) = (case.seen(), case.repo().find_ref(BRANCH).unwrap());
    let commit = case.taken().commit;
    assert_eq!(case.id("refs/stash"), stash);
    assert_eq!(case.git(["stash", "list"]).lines().count(), 1);
    fs::remove_dir_all(case.wt()).unwrap();
    fs::remove_dir_all(case.git_dir()).unwrap();
    case.restore(commit, &seen, tip);
    assert_eq!(case.git(["stash", "list"]).lines().count(), 1);
    assert_eq!(case.seen(), seen);
}

#[test]
fn a_fetched_commit_that_is_on_no_branch() {
    let case = Case::new();
    let other = Sandbox::new();
    let id = other.commit("theirs", "t\n");
    case.git(["fetch", "-q", other.top().to_str().unwrap(), "main"]);
    case.round_trip();
    assert_eq!(case.id("FETCH_HEAD"), id);
}
