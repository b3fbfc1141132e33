//! `git task add`: its options, its refusals, and several names at once.

use crate::support::*;

#[test]
fn what_is_said_of_a_task_is_kept() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let run = sandbox.task(
        &dir,
        [
            "add",
            "x",
            "--type",
            "fix",
            "--title",
            "fix: it's \"odd\" # really; yes\\",
            "--goal",
            "It works",
            "--scope",
            "src/**",
            "--scope",
            "docs",
            "--priority",
            "-3",
            "--session",
            "builder",
            "--lock",
            "-q",
        ],
    );
    let path = run.ok().path();
    let keys = "%(task)|%(state)|%(branch)|%(type)|%(title)|%(goal)|%(scope)|%(priority)|%(session)";
    sandbox.task(&dir, ["list", &format!("--format={keys}")]).ok().prints(
        "x|open|refs/heads/fix/x|fix|fix: it's \"odd\" # really; yes\\|It works|src/** docs|-3|builder\n",
    );
    sandbox.git(&dir, ["config", "task.x.title"]).ok().prints("fix: it's \"odd\" # really; yes\\\n");
    let listed = sandbox.git(&dir, ["worktree", "list", "--porcelain"]).ok().stdout;
    assert!(listed.contains(&format!("{}\nHEAD", path.display())) && listed.contains("\nlocked"), "{listed}");
    assert!(std::fs::read_to_string(path.join("notes/x/status.md")).unwrap().starts_with("# fix: it's"));
}

#[test]
fn templates_name_branch_and_directory() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["config", "task.branchFormat", "{user}/{type}/{task}"]).ok();
    sandbox.git(&dir, ["config", "task.worktreeFormat", "../wt/{repo}.{base}.{task}"]).ok();
    sandbox.refuses(&dir, ["add", "x"], 128, "task.branchFormat").says("--type");
    let path = sandbox.task(&dir, ["add", "x", "--type", "fix"]).ok().path();
    assert_eq!(path, sandbox.path("wt/repo.main.x"));
    sandbox.git(&path, ["symbolic-ref", "--short", "HEAD"]).ok().prints("user/fix/x\n");
    sandbox.git(&dir, ["config", "task.branchFormat", "{tsak}"]).ok();
    sandbox.refuses(&dir, ["add", "y"], 128, "unknown placeholder '{tsak}'").says("task.branchFormat");
    sandbox.git(&dir, ["config", "task.branchFormat", "same"]).ok();
    sandbox.task(&dir, ["add", "one"]).ok();
    sandbox.refuses(&dir, ["add", "two"], 128, "branch 'same' is that of task 'one'");
}

#[test]
fn a_path_is_relative_to_where_the_user_is() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    std::fs::create_dir(dir.join("sub")).unwrap();
    let path = sandbox.task(dir.join("sub"), ["add", "x", "--path", "../../here/./a/../b"]).ok().path();
    assert_eq!(path, sandbox.path("here/b"));
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    assert!(dir.join("notes/x/status.md").exists());
}

#[test]
fn one_json_document() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let out = sandbox.task(&dir, ["add", "x", "y", "--json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&out).expect("one document");
    assert_eq!(json[0]["task"], "x");
    assert_eq!(json[1]["branch"], "refs/heads/y");
    assert_eq!(json[1]["worktree"], sandbox.path("repo-worktrees/y").to_str().unwrap());
    let listed = sandbox.task(&dir, ["list", "--json"]).ok().stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    for key in ["task", "state", "branch", "worktree", "base", "start"] {
        assert_eq!(json[0][key], listed[0][key], "{key}: same names, same values");
    }
}

#[test]
fn a_dry_run_says_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, ".config/git-parallel.toml", "[setup]\nrun = ['touch ran']\n");
    let before = Frozen::of(&sandbox);
    let run = sandbox.task(&dir, ["add", "x", "y", "-n"]).ok();
    before.assert_unchanged(&sandbox, &run);
    assert!(
        run.stdout.contains("'x'") && run.stdout.contains("'y'") && run.stdout.contains("repo-worktrees/y"),
        "{run}"
    );
    sandbox.refuses(&dir, ["add", "x", "--base", "nowhere", "-n"], 128, "nowhere");
}

#[test]
fn quiet_says_nothing_but_the_path() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let run = sandbox.task(&dir, ["add", "-q", "x"]).ok();
    assert_eq!(run.stderr, "");
    run.path();
}

#[test]
fn too_many_tasks_are_a_warning() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "a", "b", "c", "d", "e"]).ok().does_not_say("warning");
    sandbox.task(&dir, ["add", "f"]).ok().says("warning: 6 tasks are live; task.limit is 5");
    sandbox.git(&dir, ["config", "task.limit", "9"]).ok();
    sandbox.task(&dir, ["add", "g"]).ok().does_not_say("warning");
    sandbox.git(&dir, ["config", "task.limit", "many"]).ok();
    sandbox.refuses(&dir, ["add", "h"], 128, "bad numeric config value 'many' for 'task.limit'");
}

#[test]
fn one_refused_among_several_does_not_keep_the_others() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["branch", "b"]).ok();
    let run = sandbox.task(&dir, ["add", "a", "b", "c", "a"]).fails(1);
    assert_eq!(run.stderr.lines().filter(|l| l.starts_with("error: ")).count(), 2, "{run}");
    assert!(!run.stderr.contains("fatal:"), "{run}");
    run.clone()
        .says("error: a branch named 'b' already exists")
        .says("error: a task named 'a' already exists");
    let paths: Vec<_> =
        ["a", "c"].map(|t| format!("{}\n", sandbox.path("repo-worktrees").join(t).display())).into();
    run.prints(&paths.concat());
    for (option, value) in [("-b", "x"), ("--path", "../p"), ("--title", "t"), ("--adopt", "p")] {
        sandbox.refuses(&dir, ["add", "p", "q", option, value], 129, option);
    }
}

#[test]
fn a_name_is_used_once() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--title", "old"]).ok().path();
    sandbox
        .refuses(&dir, ["add", "x"], 128, "a task named 'x' already exists: open, on branch 'x'")
        .says("task path x");
    sandbox.refuses(&dir, ["add", "X"], 128, "a task named 'x' already exists");
    sandbox.refuses(&dir, ["add", "x", "--reuse"], 128, "a task named 'x' already exists");
    let tip = sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.task(&dir, ["rm", "-f", "x"]).ok();
    // What was removed is deleted in the background, so only the refusal itself is looked at.
    let run = sandbox.task(&dir, ["add", "x"]).fails(128).prints("").says("the name 'x' was used before");
    run.says("restore x").says("--reuse").assert_one_error();
    assert!(!path.exists());
    let path = sandbox.task(&dir, ["add", "x", "--reuse"]).ok().path();
    assert_ne!(sandbox.commit_id(&path, "HEAD"), tip);
    sandbox.task(&dir, ["list", "--format=%(task) %(state)[%(title)]"]).ok().prints("x open[]\n");
    assert_sound(&sandbox, &dir);
}

#[test]
fn what_is_in_the_way_stays() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(sandbox.path("repo-worktrees"), "full/file", "mine\n");
    sandbox.write(sandbox.path("repo-worktrees"), "file", "mine\n");
    std::fs::create_dir(sandbox.path("repo-worktrees/empty")).unwrap();
    std::os::unix::fs::symlink("nowhere", sandbox.path("repo-worktrees/link")).unwrap();
    for name in ["full", "file", "link"] {
        sandbox.refuses(&dir, ["add", name], 128, "already exists").says("--path");
    }
    sandbox.task(&dir, ["add", "empty"]).ok();
    sandbox.refuses(&dir, ["add", "below", "--path", "../repo-worktrees/file/below"], 128, "file");
    sandbox.refuses(&dir, ["add", "dev", "--path", "/dev/null/x"], 128, "/dev/null");
    // A branch of git's can't lie below another.
    sandbox.git(&dir, ["branch", "fix"]).ok();
    let before = sandbox.refs(&dir);
    let run = sandbox.task(&dir, ["add", "leak", "--type", "fix"]).fails(128).says("refs/heads/fix");
    run.assert_one_error();
    assert_eq!(sandbox.refs(&dir), before);
    assert!(!sandbox.path("repo-worktrees/leak").exists() && !dir.join("notes/leak").exists());
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_tracking_task_has_no_branch() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "review", "--track", "main"]).ok().path();
    sandbox.git(&path, ["symbolic-ref", "-q", "HEAD"]).fails(1);
    sandbox.git(&dir, ["config", "task.review.track"]).ok().prints("main\n");
    assert!(!sandbox.refs(&dir).contains("refs/heads/review"));
    let tip = sandbox.commit(&dir, "a", "a\n", "Main goes on");
    let list = ["list", "--format=%(track) %(branch)[%(behind)]"];
    sandbox.task(&dir, list).ok().prints("refs/heads/main [1]\n");
    sandbox.task(&path, ["sync"]).ok();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), tip);
    sandbox.refuses(&dir, ["ready", "review"], 128, "has none to integrate");
    sandbox.refuses(&dir, ["add", "y", "--track", "nowhere"], 128, "no such branch: 'nowhere'");
    sandbox.task(&dir, ["add", "y", "--track", "main", "--clone"]).fails(129);
}

#[test]
fn a_clone_borrows_objects_and_gives_its_branch_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--clone"]).ok().path();
    assert!(path.join(".git").is_dir());
    let borrowed = std::fs::read_to_string(path.join(".git/objects/info/alternates")).unwrap();
    assert_eq!(borrowed.trim(), dir.join(".git/objects").to_str().unwrap());
    sandbox.git(&path, ["symbolic-ref", "--short", "HEAD"]).ok().prints("x\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    let start = sandbox.commit_id(&dir, "x");
    let tip = sandbox.commit(&path, "a", "a\n", "Work in the clone");
    assert_eq!(sandbox.commit_id(&dir, "x"), start);
    sandbox.task(&dir, ["list", "--format=%(state) %(ahead) %(dirty)"]).ok().prints("open 1 \n");
    sandbox.task(&dir, ["ready", "x"]).ok();
    assert_eq!(sandbox.commit_id(&dir, "x"), tip);
    sandbox.git(&dir, ["cat-file", "-e", &tip]).ok();
    sandbox.task(&dir, ["list", "--format=%(state)"]).ok().prints("ready\n");
    // Something under way there is not ready, as in a worktree.
    sandbox.commit(&path, "b", "b\n", "More");
    sandbox.git(&path, ["rebase", "-q", "-x", "false", "HEAD~1"]).fails(1);
    sandbox.refuses(&dir, ["ready", "x"], 128, "a rebase is in progress");
    sandbox.refuses(&dir, ["sync", "x"], 128, "a rebase is in progress");
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_worktree_made_by_hand_is_adopted_as_it_is() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let fork = sandbox.commit_id(&dir, "HEAD");
    sandbox.git(&dir, ["worktree", "add", "-q", "-b", "hand", "../hand"]).ok();
    let hand = sandbox.path("hand");
    sandbox.commit(&hand, "a", "a\n", "By hand");
    sandbox.write(&hand, "dirty", "x\n");
    sandbox.commit(&dir, "m", "m\n", "Main goes on");
    assert_eq!(sandbox.task(&dir, ["add", "x", "--adopt", "../hand"]).ok().path(), hand);
    sandbox.git(&dir, ["config", "task.x.start"]).ok().prints(&format!("{fork}\n"));
    sandbox.task(&dir, ["list", "--format=%(branch) %(ahead) %(dirty)"]).ok().prints("refs/heads/hand 1 1\n");
    sandbox.refuses(&dir, ["add", "y", "--adopt", "../hand"], 128, "is the worktree of task 'x'");
    let main = format!("'{}' is the main working tree", dir.display());
    sandbox.refuses(&dir, ["add", "y", "--adopt", "."], 128, &main);
    sandbox.refuses(&dir, ["add", "y", "--adopt", "../nowhere"], 128, "is not a working tree");
    sandbox.git(&dir, ["worktree", "add", "-q", "--detach", "../loose"]).ok();
    sandbox
        .refuses(&dir, ["add", "y", "--adopt", "../loose"], 128, "no branch checked out")
        .says("switch -c");
}

#[test]
fn setup_can_be_left_out() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.write(&dir, ".config/git-parallel.toml", "[setup]\ncopy = ['.env']\nrun = ['touch ran']\n");
    sandbox.write(&dir, ".env", "secret\n");
    let path = sandbox.task(&dir, ["add", "x", "--no-setup"]).ok().path();
    assert!(!path.join("ran").exists() && !path.join(".env").exists());
}

#[test]
fn a_name_is_not_used_again_while_its_last_worktree_is_there() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.task(&dir, ["ready", "x"]).ok();
    sandbox.integrate(&dir, ["--keep"]).ok();
    // Its branch is called otherwise now, and so it is in nobody's way.
    sandbox.git(&dir, ["branch", "-m", "x", "mine"]).ok();
    let run = sandbox.task(&dir, ["add", "x", "--reuse", "--path", "../other"]).fails(128);
    run.says("is still the worktree of task 'x', integrated").says("git task reopen x");
    sandbox.task(&dir, ["path", "x"]).ok().prints(&format!("{}\n", path.display()));
}
