//! `git task overlap`: which tasks get in each other's way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;

/// Makes a task, does something in its worktree by a script and commits all.
fn work(sandbox: &Sandbox, dir: &Path, name: &str, options: &[&str], script: &str) -> PathBuf {
    let path = sandbox.task(dir, ["add", "-q", name].iter().chain(options)).ok().path();
    sandbox.sh(&path, &format!("set -e\n{script}\ngit add -A && git commit -qm 'Work on {name}'")).ok();
    path
}

fn begin(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    sandbox
        .sh(&dir, "seq 20 >text; mkdir d; seq 30 >d/x; seq 40 >d/y; git add -A; git commit -qm files")
        .ok();
    dir
}

#[test]
fn the_picture_is_relative_to_the_target() {
    let sandbox = Sandbox::new();
    let dir = begin(&sandbox);
    work(&sandbox, &dir, "a", &[], "sed -i 's/^3$/a/' text");
    work(&sandbox, &dir, "b", &[], "sed -i 's/^3$/b/' text");
    work(&sandbox, &dir, "c", &[], "sed -i 's/^18$/c/' text");
    work(&sandbox, &dir, "d", &["--scope", "src/**"], "echo d >alone");
    work(&sandbox, &dir, "e", &[], "echo mine >new");
    // The target did the same as one of them meanwhile, and something of its own.
    sandbox
        .sh(&dir, "git merge -q --squash c; git commit -qm c; echo ours >new; git add -A; git commit -qm new")
        .ok();
    let before = Frozen::of(&sandbox);
    let run = sandbox.task(&dir, ["overlap"]).ok();
    before.assert_unchanged(&sandbox, &run);
    assert_eq!(
        run.stdout,
        "TASK  WITH  RESULT             FILES\n\
         e     main  conflict           new (add/add)\n\
         a     b     conflict           text (content)\n\
         d           outside its scope  alone\n\
         \nFewest conflicts into main (1 task): a c d e b\n"
    );
    sandbox.task(&dir, ["overlap", "--exit-code"]).fails(1);
    sandbox.task(&dir, ["overlap", "--exit-code", "a", "c", "e"]).ok();
    let pairs = sandbox.task(&dir, ["overlap", "--porcelain", "a", "b"]).ok().stdout;
    let heads = ["a", "b"].map(|name| sandbox.commit_id(&dir, name));
    assert_eq!(
        pairs,
        format!(
            "task a\ntarget refs/heads/main\nhead {}\nposition 1\nfiles text\n\n\
             task b\ntarget refs/heads/main\nhead {}\nposition 2\nfiles text\n\n\
             task a\nwith b\nfiles text\nconflicts text\nkinds content\n\n",
            heads[0], heads[1]
        )
    );
    let json: Value =
        serde_json::from_str(&sandbox.task(&dir, ["overlap", "--json", "e"]).ok().stdout).unwrap();
    assert_eq!(json[0]["conflicts"][0], "new");
    let run = sandbox.task(&dir, ["overlap", "c", "d"]).ok();
    run.says("No two of 2 tasks have anything in common.");
}

#[test]
fn both_touch_but_merge_and_what_conflicts_with_the_target_is_unknown() {
    let sandbox = Sandbox::new();
    let dir = begin(&sandbox);
    work(&sandbox, &dir, "a", &[], "sed -i 's/^3$/a/' text");
    work(&sandbox, &dir, "b", &[], "sed -i 's/^15$/b/' text");
    let run = sandbox.task(&dir, ["overlap"]).ok();
    assert_eq!(run.stdout, "TASK  WITH  RESULT  FILES\na     b     merges  text\n");
    sandbox.sh(&dir, "sed -i 's/^3$/main/' text; git commit -qam main").ok();
    let run = sandbox.task(&dir, ["overlap"]).ok();
    assert_eq!(
        run.stdout,
        "TASK  WITH  RESULT    FILES\na     main  conflict  text (content)\n\
         a     b     unknown   'a' conflicts with 'main' itself; text\n"
    );
    sandbox.task(&dir, ["overlap", "--exit-code"]).ok();
}

/// Whether merging one result with the other conflicts, by git alone.
fn really_conflicts(sandbox: &Sandbox, dir: &Path, a: &str, b: &str) -> bool {
    let place = sandbox.path("real");
    let place = place.to_str().unwrap();
    sandbox.git(dir, ["worktree", "add", "-q", "--detach", place, "main"]).ok();
    sandbox.git(place, ["merge", "-q", "--no-ff", "--no-edit", a]).ok();
    let conflicts = sandbox.git(place, ["merge", "-q", "--no-edit", b]).code != 0;
    sandbox.git(dir, ["worktree", "remove", "--force", place]).ok();
    conflicts
}

#[test]
fn no_conflict_is_missed_where_no_path_is_shared() {
    let sandbox = Sandbox::new();
    let dir = begin(&sandbox);
    for (name, script) in [
        ("t1", "git mv d moved"),
        ("t2", "seq 9 >d/z"),
        ("t3", "echo x >new"),
        ("t4", "mkdir new; echo x >new/x"),
        ("t5", "sed -i 's/^3$/a/' d/x"),
        ("t6", "git mv d/x elsewhere"),
        ("t7", "git rm -q text"),
        ("t8", "sed -i 's/^9$/b/' text"),
        ("t9", "chmod +x text; mkdir d/sub; echo 1 >d/sub/1"),
    ] {
        work(&sandbox, &dir, name, &["--base", "main"], script);
    }
    let json: Value = serde_json::from_str(&sandbox.task(&dir, ["overlap", "--json"]).ok().stdout).unwrap();
    let foretold: BTreeSet<(String, String)> = json
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["with"].is_string() && r["conflicts"].is_array())
        .map(|r| (r["task"].as_str().unwrap().to_owned(), r["with"].as_str().unwrap().to_owned()))
        .collect();
    let mut real = BTreeSet::new();
    for a in 1..=9 {
        for b in a + 1..=9 {
            let (a, b) = (format!("t{a}"), format!("t{b}"));
            if really_conflicts(&sandbox, &dir, &a, &b) {
                real.insert((a, b));
            }
        }
    }
    assert_eq!(foretold, real);
    assert!(real.contains(&("t1".to_owned(), "t2".to_owned())), "a directory that was moved: {real:?}");
    assert!(real.contains(&("t3".to_owned(), "t4".to_owned())), "a file and a directory: {real:?}");
}

#[test]
fn scopes_are_compared_when_asked() {
    let sandbox = Sandbox::new();
    let dir = begin(&sandbox);
    for (name, scopes) in
        [("a", &["d/**", "new/**"][..]), ("b", &["d/x", "new/**"]), ("c", &["text"]), ("d", &[])]
    {
        let options: Vec<&str> = scopes.iter().flat_map(|scope| ["--scope", *scope]).collect();
        sandbox.task(&dir, ["add", "-q", name].iter().chain(&options)).ok();
    }
    sandbox.task(&dir, ["overlap"]).ok().prints("");
    let run = sandbox.task(&dir, ["overlap", "--scope"]).ok();
    assert_eq!(run.stdout, "TASK  WITH  RESULT  FILES\na     b     scope   new/**, 1 file in both\n");
    let keys = ["overlap", "--scope", "--format=%(task) %(with) %(scoped) %(pathspecs)"];
    assert!(sandbox.task(&dir, keys).ok().stdout.ends_with("a b 1 new/**\n"));
}

#[test]
fn who_can_be_compared() {
    let sandbox = Sandbox::new();
    let dir = begin(&sandbox);
    sandbox.task(&dir, ["overlap"]).ok().prints("").says("No two of 0 tasks");
    work(&sandbox, &dir, "a", &[], "echo a >>text");
    sandbox.git(&dir, ["branch", "dev"]).ok();
    work(&sandbox, &dir, "b", &["--base", "dev"], "echo b >>text");
    work(&sandbox, &dir, "c", &[], "echo c >>text");
    sandbox.task(&dir, ["add", "-q", "review", "--track", "main"]).ok();
    // Another target: not compared. Another one whose branch is gone: a warning.
    let keys = ["overlap", "--format=%(task) %(with) %(position)"];
    sandbox.task(&dir, keys).ok().prints("b  1\na  1\nc  2\na c \n");
    sandbox.git(&dir, ["config", "integrate.into", "main"]).ok();
    assert!(sandbox.task(&dir, keys).ok().stdout.contains("a b \n"));
    sandbox.refuses(&dir, ["overlap", "review"], 128, "follows another branch and has none to compare");
    sandbox.refuses(&dir, ["overlap", "nobody"], 128, "no such task: 'nobody'");
    sandbox.git(&dir, ["worktree", "remove", "--force", "../repo-worktrees/c"]).ok();
    sandbox.git(&dir, ["branch", "-D", "c"]).ok();
    sandbox.task(&dir, keys).ok().says("warning: the branch of task 'c' is gone");
    // The order keeps to --after.
    sandbox.git(&dir, ["config", "task.a.after", "b"]).ok();
    let run = sandbox.task(&dir, ["overlap"]).ok();
    assert!(run.stdout.ends_with("Fewest conflicts into main (1 task): b a\n"), "{run}");
}
