//! Many `git task add` at once, with others writing the configuration meanwhile.

use std::path::Path;

use crate::support::*;

const MANY: usize = 50;

/// All of them are there, and nothing besides.
#[track_caller]
fn assert_exactly(sandbox: &Sandbox, dir: &Path, tasks: &[String]) {
    let mut expected = tasks.to_vec();
    expected.sort();
    let lines = |run: Run| run.ok().stdout.lines().map(str::to_owned).collect::<Vec<_>>();
    let branches = sandbox.git(dir, ["for-each-ref", "--format=%(refname:short)", "refs/heads/"]);
    let branches: Vec<_> = lines(branches).into_iter().filter(|b| b != "main").collect();
    assert_eq!(branches, expected, "branches");
    let listed = lines(sandbox.task(dir, ["list", "--format=%(task) %(branch) %(state)%(missing)%(dirty)"]));
    let wanted: Vec<_> = expected.iter().map(|t| format!("{t} refs/heads/{t} open")).collect();
    assert_eq!(listed, wanted, "tasks");
    let worktrees = lines(sandbox.git(dir, ["worktree", "list", "--porcelain"]));
    let mut worktrees: Vec<_> = worktrees
        .iter()
        .filter_map(|l| l.strip_prefix("branch refs/heads/"))
        .filter(|b| *b != "main")
        .collect();
    worktrees.sort();
    assert_eq!(worktrees, expected, "worktrees");
    let dirs = std::fs::read_dir(sandbox.path("repo-worktrees")).unwrap();
    assert_eq!(dirs.count(), expected.len(), "directories");
    for task in &expected {
        assert!(dir.join(format!("notes/{task}/status.md")).exists(), "the note of {task}");
    }
    let intents = std::fs::read_dir(dir.join(".git/git-parallel/intents")).unwrap();
    assert_eq!(intents.count(), 0, "nothing is left half done");
    sandbox.task(dir, ["repair", "-n"]).ok();
    assert_sound(sandbox, dir);
}

fn add_many(sandbox: &Sandbox, dir: &Path, base: &[&str]) -> Vec<String> {
    let names: Vec<_> = (0..MANY).map(|i| format!("t{i:02}")).collect();
    let runs = at_once(MANY, |i| sandbox.task(dir, ["add", &names[i]].iter().chain(base)));
    for (name, run) in names.iter().zip(runs) {
        assert_eq!(run.ok().path(), sandbox.path("repo-worktrees").join(name));
    }
    names
}

#[test]
fn fifty_at_once_on_a_local_base() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let names = add_many(&sandbox, &dir, &[]);
    assert_exactly(&sandbox, &dir, &names);
}

#[test]
fn fifty_at_once_on_a_remote_base_while_others_write_the_configuration() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.publish(&dir);
    let writer = ForeignConfigWriter::start(&sandbox, &dir);
    let before = writer.written();
    let names = add_many(&sandbox, &dir, &["--base", "origin/main"]);
    assert!(writer.written() > before, "the other program got its turn");
    drop(writer);
    assert_exactly(&sandbox, &dir, &names);
    for i in 0..MANY {
        sandbox.git(&dir, ["config", &format!("branch.t{i:02}.merge")]).ok().prints("refs/heads/main\n");
    }
}

#[test]
fn of_twenty_with_the_same_name_exactly_one_wins() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let runs = at_once(20, |_| sandbox.task(&dir, ["add", "same"]));
    let (won, lost): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.code == 0);
    assert_eq!(won.len(), 1);
    for run in lost {
        assert!(run.code == 128 && run.stdout.is_empty(), "{run}");
        run.assert_one_error();
        assert!(!run.stderr.contains("a branch named"), "it is the task that exists: {run}");
        let why =
            run.stderr.contains("already exists") || run.stderr.contains("being changed by another process");
        assert!(why, "{run}");
    }
    assert_exactly(&sandbox, &dir, &["same".to_owned()]);
}

#[test]
fn one_directory_or_branch_goes_to_one_task() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let one_path =
        at_once(8, |i| sandbox.task(&dir, ["add", &format!("p{i}"), "--path", "../repo-worktrees/p"]));
    let one_branch = at_once(8, |i| sandbox.task(&dir, ["add", &format!("b{i}"), "-b", "b"]));
    for runs in [one_path, one_branch] {
        assert_eq!(runs.iter().filter(|run| run.code == 0).count(), 1, "{runs:#?}");
    }
    assert_eq!(sandbox.task(&dir, ["list", "--format=x"]).ok().stdout, "x\nx\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn twins_by_case_are_one_name() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let names = ["case", "Case", "CASE", "cAsE"];
    let runs = at_once(4, |i| sandbox.task(&dir, ["add", names[i]]));
    assert_eq!(runs.iter().filter(|run| run.code == 0).count(), 1, "{runs:#?}");
    assert_sound(&sandbox, &dir);
}

#[test]
fn adds_and_removals_and_listings_do_not_disturb_each_other() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let old: Vec<_> = (0..8).map(|i| format!("old{i}")).collect();
    sandbox.task(&dir, ["add"].into_iter().chain(old.iter().map(String::as_str))).ok();
    at_once(24, |i| match i % 3 {
        0 => sandbox.task(&dir, ["add", &format!("new{}", i / 3)]).ok(),
        1 => sandbox.task(&dir, ["rm", &old[i / 3]]).ok(),
        _ => sandbox.task(&dir, ["list", "--porcelain"]).ok().does_not_say("warning"),
    });
    let expected: Vec<_> = (0..8).map(|i| format!("new{i}")).collect();
    let listed = sandbox.task(&dir, ["list", "--format=%(task)"]).ok().stdout;
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_git_still_writes_is_not_taken_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitattributes", "*.slow filter=slow\n", "Slow files");
    sandbox.commit(&dir, "a.slow", "1\n", "One of them");
    sandbox.sh(sandbox.path(""), "mkfifo begun go").ok();
    let (begun, go) = (sandbox.path("begun"), sandbox.path("go"));
    let filter = format!("echo >{}; cat {} >/dev/null; cat", begun.display(), go.display());
    sandbox.git(&dir, ["config", "filter.slow.smudge", &filter]).ok();
    let mut command = sandbox.command(&dir, "git-task");
    let mut child = command.args(["add", "x", "-q"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    sandbox.sh(sandbox.path(""), "cat begun").ok();
    // It alone is killed: git goes on with the checkout.
    child.kill().unwrap();
    child.wait().unwrap();
    let path = sandbox.path("repo-worktrees/x");
    sandbox.task(&dir, ["repair"]).ok().prints("");
    sandbox.task(&dir, ["add", "x"]).fails(128);
    assert!(path.join(".git").exists());
    sandbox.sh(sandbox.path(""), "echo >go").ok();
    let intent = std::fs::File::open(dir.join(".git/git-parallel/intents/x")).unwrap();
    intent.lock().unwrap();
    drop(intent);
    sandbox.task(&dir, ["repair"]).ok().prints("mended: task 'x': 'add' was cut off\n");
    assert!(!path.exists());
    sandbox.git(&dir, ["rev-parse", "-q", "--verify", "refs/heads/x"]).fails(1);
    sandbox.git(&dir, ["config", "--unset", "filter.slow.smudge"]).ok();
    sandbox.task(&dir, ["add", "x"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_task_that_is_being_made_is_not_taken_for_a_branch() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    // As it is between the branch and the metadata.
    sandbox.git(&dir, ["branch", "x"]).ok();
    let intent = ".git/git-parallel/intents/x";
    sandbox.write(&dir, intent, "[add]\n\tbranch = x\n\tpath = \"/nowhere\"\n");
    let at_work = std::fs::File::open(dir.join(intent)).unwrap();
    at_work.lock().unwrap();
    sandbox.refuses(&dir, ["add", "x"], 128, "task 'x' is being changed by another process");
}

#[test]
fn a_worktree_that_is_being_made_is_nobodys_yet() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    sandbox.task(&dir, ["rm", "x"]).ok();
    let said = sandbox.path("said");
    let ask = format!(
        "#!/bin/sh\nunset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE\ncd '{}'\ngit task path x >'{}' 2>&1\n",
        dir.display(),
        said.display()
    );
    sandbox.write(&dir, ".git/hooks/post-checkout", ask);
    sandbox.sh(&dir, "chmod +x .git/hooks/post-checkout").ok();
    for again in [&["add", "x", "--reuse"][..], &["restore", "x"]] {
        let path = sandbox.task(&dir, again).ok().path();
        let text = std::fs::read_to_string(&said).unwrap();
        assert!(text.starts_with("fatal: task 'x' is being changed by another process"), "{again:?}: {text}");
        assert_eq!(sandbox.task(&dir, ["path", "x"]).ok().path(), path);
        sandbox.task(&dir, ["rm", "x"]).ok();
    }
}
