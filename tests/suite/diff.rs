//! `git task diff` and `git task patch`.

use crate::support::*;

#[test]
fn uncommitted_and_untracked_work_is_shown_and_nothing_is_staged() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "committed", "1\n", "Work");
    sandbox.write(&path, "staged", "2\n");
    sandbox.git(&path, ["add", "staged"]).ok();
    sandbox.write(&path, "README", "changed\n");
    sandbox.write(&path, "new dir/untracked", "3\n");
    sandbox.write(&path, ".git-ignored", "4\n");
    sandbox.write(&path, ".gitignore", ".git-ignored\n");
    let before = Frozen::of(&sandbox);
    let run = sandbox.task(&dir, ["diff", "x", "--", "--name-status"]).ok();
    run.clone().prints("A\t.gitignore\nM\tREADME\nA\tcommitted\nA\tnew dir/untracked\nA\tstaged\n");
    before.assert_unchanged(&sandbox, &run);
    sandbox.task(&path, ["diff", "--", "--stat", "README"]).ok();
    let from_below = sandbox.task(path.join("new dir"), ["diff"]).ok().stdout;
    assert!(from_below.contains("+3"), "{from_below}");
    sandbox.task(&path, ["diff", "--", "--exit-code", "--quiet"]).fails(1);
    assert_sound(&sandbox, &dir);
}

#[test]
fn the_diff_of_a_task_in_the_middle_of_something() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.task(&path, ["diff"]).ok().prints("");
    sandbox.commit(&path, "README", "theirs\n", "Work");
    sandbox.commit(&dir, "README", "ours\n", "Main");
    sandbox.task(&path, ["sync"]).fails(1);
    let diff = sandbox.task(&path, ["diff"]).ok().stdout;
    assert!(diff.contains("theirs") && diff.contains("<<<<<<<"), "{diff}");
}

#[test]
fn a_patch_makes_the_same_work_elsewhere() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let other = sandbox.path("other");
    sandbox.git(sandbox.path(""), ["clone", "-q", "repo", "other"]).ok();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.task(&path, ["patch"]).fails(1).prints("").says("error: task 'x' has no commit of its own");
    sandbox.commit(&path, "a", "a\n", "First");
    sandbox.commit(&path, "dir/b", b"binary\0\xff", "Second");
    sandbox.commit(&dir, "m", "m\n", "Main");
    sandbox.task(&path, ["sync"]).ok();
    sandbox.commit(&path, "a", "aa\n", "Third");
    let run = sandbox.task(&dir, ["patch", "x", "-o", "../mails"]).ok();
    let mails: Vec<_> = run.stdout.lines().map(str::to_owned).collect();
    assert_eq!(mails.len(), 3, "{run}");
    assert!(mails.iter().all(|m| std::path::Path::new(m).exists()), "{run}");
    sandbox.git(&other, ["am", "-q"].iter().copied().chain(mails.iter().map(String::as_str))).ok();
    for file in ["a", "dir/b"] {
        assert_eq!(std::fs::read(other.join(file)).unwrap(), std::fs::read(path.join(file)).unwrap());
    }
    assert!(!other.join("m").exists(), "the base's work is not the task's");
    // Without a directory they go where the user is, as with git format-patch.
    std::fs::create_dir(path.join("here")).unwrap();
    let run = sandbox.task(path.join("here"), ["patch"]).ok();
    assert_eq!(std::fs::read_dir(path.join("here")).unwrap().count(), 3, "{run}");
    assert_eq!(
        std::fs::read_dir(&path)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "patch"))
            .count(),
        0
    );
}

#[test]
fn the_work_of_a_clone_is_seen_where_it_is() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--clone"]).ok().path();
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.write(&path, "b", "b\n");
    sandbox.task(&dir, ["diff", "x", "--", "--name-only"]).ok().prints("a\nb\n");
    assert_eq!(sandbox.task(&dir, ["patch", "x", "-o", "../m"]).ok().stdout.lines().count(), 1);
    let tip = sandbox.commit(&dir, "m", "m\n", "Main");
    sandbox.git(&path, ["stash", "-qu"]).ok();
    sandbox.task(&dir, ["sync", "x"]).ok();
    sandbox.git(&path, ["merge-base", "--is-ancestor", &tip, "HEAD"]).ok();
    sandbox.task(&dir, ["diff", "x", "--", "--name-only"]).ok().prints("a\n");
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_killed_diff_left_is_swept() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.write(&path, "new", "new\n");
    let state = dir.join(".git/git-parallel");
    let names = || {
        let all = std::fs::read_dir(&state).unwrap().map(|e| e.unwrap().file_name());
        all.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    // Whoever has started git is killed while git has the copy of the index.
    let kill = "read -r _ _ _ us _ <\"/proc/$PPID/stat\"; kill -9 \"$us\"; true";
    sandbox.git(&dir, ["config", "diff.external", kill]).ok();
    sandbox.task(&dir, ["diff", "x", "--", "--ext-diff"]).fails(137);
    assert_ne!(names(), before, "it was killed too late");
    sandbox.task(&dir, ["repair"]).ok().says("");
    assert_eq!(names(), before);
}
