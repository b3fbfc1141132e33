//! What `git task add` starts from, and what its branch follows.

use crate::support::*;

#[test]
fn the_base_may_be_anything_that_names_a_commit() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let first = sandbox.commit_id(&dir, "HEAD");
    let second = sandbox.commit(&dir, "a", "a\n", "Second");
    sandbox.git(&dir, ["tag", "light", &first]).ok();
    sandbox.git(&dir, ["tag", "-m", "annotated", "heavy", &first]).ok();
    sandbox.git(&dir, ["branch", "topic/deep", &first]).ok();
    for (n, (rev, commit, base)) in [
        ("topic/deep", &first, "topic/deep"),
        ("refs/heads/topic/deep", &first, "topic/deep"),
        ("light", &first, "main"),
        ("heavy", &first, "main"),
        ("refs/tags/heavy", &first, "main"),
        ("HEAD", &second, "main"),
        ("HEAD~1", &first, "main"),
        ("main^{commit}", &second, "main"),
        (":/Second", &second, "main"),
        (first.as_str(), &first, "main"),
        (&second[..10], &second, "main"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("t{n}");
        let path = sandbox.task(&dir, ["add", &name, "--base", rev]).ok().path();
        assert_eq!(sandbox.commit_id(&path, "HEAD"), **commit, "{rev}");
        let key = |key: &str| sandbox.git(&dir, ["config", &format!("task.{name}.{key}")]).stdout;
        assert_eq!(key("start").trim_end(), commit.as_str(), "{rev}");
        assert_eq!(key("base").trim_end(), base, "{rev}");
    }
    for (bad, message) in [
        ("nowhere", "not a valid object name: 'nowhere'"),
        ("HEAD~99", "not a valid object name: 'HEAD~99'"),
        ("HEAD:a", "not a valid"),
        ("-x", "not a valid object name: '-x'"),
        ("", "not a valid object name: ''"),
        ("\u{1b}[31m", "'\\x1b[31m'"),
    ] {
        sandbox.refuses(&dir, ["add", "bad", &format!("--base={bad}")], 128, message);
    }
}

#[test]
fn a_branch_goes_before_a_tag_of_its_name() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let first = sandbox.commit_id(&dir, "HEAD");
    let second = sandbox.commit(&dir, "a", "a\n", "Second");
    sandbox.git(&dir, ["branch", "both"]).ok();
    sandbox.git(&dir, ["tag", "both", &first]).ok();
    sandbox.git(&dir, ["tag", "x", &first]).ok();
    let path = sandbox.task(&dir, ["add", "x", "--base", "both"]).ok().path();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), second);
    sandbox.git(&path, ["symbolic-ref", "HEAD"]).ok().prints("refs/heads/x\n");
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
}

#[test]
fn without_a_branch_to_go_back_to_it_asks_for_one() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["switch", "-q", "--detach"]).ok();
    sandbox.refuses(&dir, ["add", "x"], 128, "HEAD is detached").says("--base");
    sandbox.task(&dir, ["add", "x", "--base", "main"]).ok();
    sandbox.git(&dir, ["config", "task.base", "main"]).ok();
    sandbox.task(&dir, ["add", "y"]).ok();
    sandbox.git(&dir, ["-c", "task.base=nowhere", "task", "add", "z"]).fails(128).says("'nowhere'");

    let empty = sandbox.init_empty("empty", &[]);
    sandbox.refuses(&empty, ["add", "x"], 128, "your current branch 'main' does not have any commits yet");
    sandbox.task(&empty, ["list"]).ok().prints("");
}

#[test]
fn configuration_comes_from_every_place_that_git_reads() {
    let mut sandbox = Sandbox::new();
    let dir = sandbox.init();
    let first = sandbox.commit_id(&dir, "HEAD");
    sandbox.git(&dir, ["branch", "old"]).ok();
    sandbox.commit(&dir, "a", "a\n", "Second");
    let path = sandbox.git(&dir, ["-c", "task.base=old", "task", "add", "x"]).ok().path();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), first);
    sandbox
        .set("GIT_CONFIG_COUNT", "1")
        .set("GIT_CONFIG_KEY_0", "task.base")
        .set("GIT_CONFIG_VALUE_0", "old");
    let path = sandbox.task(&dir, ["add", "y"]).ok().path();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), first);
    sandbox.set("GIT_CONFIG_COUNT", "0");
    let global = sandbox.home().join("config");
    std::fs::write(&global, "[task]\n\tbase = old\n").unwrap();
    sandbox.set("GIT_CONFIG_GLOBAL", &global);
    let path = sandbox.task(&dir, ["add", "z"]).ok().path();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), first);
}

#[test]
fn the_upstream_is_what_git_branch_would_configure() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let remote = sandbox.publish(&dir);
    remote.commit("topic", "t", "t\n", "Topic");
    sandbox.git(&dir, ["fetch", "-q"]).ok();
    sandbox.git(&dir, ["branch", "-q", "--track", "followed", "origin/topic"]).ok();
    let mut n = 0;
    for merge in ["true", "false", "always", "simple", "inherit"] {
        for rebase in ["never", "always", "remote", "local"] {
            if rebase != "never" && !["true", "always"].contains(&merge) {
                continue;
            }
            for base in ["main", "followed", "origin/main", "origin/topic", "HEAD"] {
                n += 1;
                let name = if base == "origin/topic" { "topic".to_owned() } else { format!("t{n}") };
                let settings =
                    [format!("branch.autoSetupMerge={merge}"), format!("branch.autoSetupRebase={rebase}")];
                let settings = ["-c", &settings[0], "-c", &settings[1]];
                let follows = || {
                    let get = |key| sandbox.git(&dir, ["config", &format!("branch.{name}.{key}")]).stdout;
                    [get("remote"), get("merge"), get("rebase")]
                };
                let with = |args: &[&str]| sandbox.git(&dir, settings.iter().chain(args)).ok();
                with(&["branch", "-q", &name, base]);
                let expected = follows();
                sandbox.git(&dir, ["branch", "-qD", &name]).ok();
                with(&["task", "add", &name, "--base", base, "--reuse"]);
                assert_eq!(follows(), expected, "autoSetupMerge {merge}, autoSetupRebase {rebase}, {base}");
                sandbox.task(&dir, ["rm", "-f", &name]).ok();
                sandbox.git(&dir, ["config", "--remove-section", &format!("branch.{name}")]);
            }
        }
    }
}

#[test]
fn an_existing_branch_starts_where_it_left_the_base() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let fork = sandbox.commit_id(&dir, "HEAD");
    sandbox.git(&dir, ["switch", "-qc", "old"]).ok();
    let tip = sandbox.commit(&dir, "o", "o\n", "Old work");
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    sandbox.commit(&dir, "m", "m\n", "Main goes on");
    sandbox.refuses(&dir, ["add", "old"], 128, "a branch named 'old' already exists").says("-b old");
    let path = sandbox.task(&dir, ["add", "x", "-b", "old"]).ok().path();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), tip);
    sandbox.git(&dir, ["config", "task.x.start"]).ok().prints(&format!("{fork}\n"));
    sandbox.git(&dir, ["config", "task.x.branch"]).ok().prints("old\n");
    sandbox.task(&dir, ["list", "--format=%(ahead) %(behind)"]).ok().prints("1 1\n");
    sandbox.refuses(&dir, ["add", "y", "-b", "old"], 128, "branch 'old' is that of task 'x'");
    sandbox.refuses(&dir, ["add", "y", "-b", "main"], 128, "already checked out at");
    sandbox.refuses(&dir, ["add", "y", "-b", "bad..name"], 128, "'bad..name' is not a valid branch name");
    sandbox.refuses(&dir, ["add", "y", "-b", "@{-1}"], 128, "is not a valid branch name");
    let new = sandbox.task(&dir, ["add", "y", "-b", "feat/new"]).ok().path();
    assert_eq!(new, sandbox.path("repo-worktrees/y"));
    sandbox.git(&new, ["symbolic-ref", "--short", "HEAD"]).ok().prints("feat/new\n");
}

#[test]
fn a_branch_that_a_rebase_holds_is_in_use() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["switch", "-qc", "held"]).ok();
    sandbox.commit(&dir, "h", "h\n", "Held");
    sandbox.git(&dir, ["rebase", "-q", "-x", "false", "main"]).fails(1);
    sandbox.refuses(&dir, ["add", "x", "-b", "held", "--base", "main"], 128, "already checked out at");
}

#[test]
fn one_predecessor_is_the_start_and_several_are_not() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let main = sandbox.commit_id(&dir, "HEAD");
    let a = sandbox.task(&dir, ["add", "a"]).ok().path();
    let tip = sandbox.commit(&a, "a", "a\n", "A");
    sandbox.task(&dir, ["add", "b"]).ok();
    let c = sandbox.task(&dir, ["add", "c", "--after", "a"]).ok().path();
    assert_eq!(sandbox.commit_id(&c, "HEAD"), tip);
    sandbox.git(&dir, ["config", "task.c.start"]).ok().prints(&format!("{tip}\n"));
    sandbox.git(&dir, ["config", "task.c.base"]).ok().prints("main\n");
    let d = sandbox.task(&dir, ["add", "d", "--after", "a", "--after", "b"]).ok().path();
    assert_eq!(sandbox.commit_id(&d, "HEAD"), main);
    sandbox.git(&dir, ["config", "--get-all", "task.d.after"]).ok().prints("a\nb\n");
    sandbox.refuses(&dir, ["add", "e", "--after", "nobody"], 128, "no such task: 'nobody'");
    sandbox.refuses(&dir, ["add", "e", "--after", "e"], 128, "no such task: 'e'");
    // From inside a task's worktree the predecessor's base counts, not the task's branch.
    sandbox.task(&c, ["add", "f", "--after", "b"]).ok();
    sandbox.git(&dir, ["config", "task.f.base"]).ok().prints("main\n");
}
