//! Bad input: names, text and branches made to do harm, and repositories in the middle of something.

use crate::support::*;

#[test]
fn names_that_are_none() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let long = "x".repeat(300);
    for name in [
        "",
        ".",
        "..",
        "-rf",
        "../x",
        "a/../b",
        "/etc",
        "x.lock",
        "X.LOCK",
        "HEAD",
        "head",
        "@",
        "a..b",
        "a b",
        "a\nb",
        "a\tb",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "a@{1}",
        ".git",
        ".hidden",
        "end.",
        "\u{202e}x",
        "\u{200b}",
        "\u{9b}31m",
        "\u{1b}[31m",
        &long,
        &"a".repeat(40),
        &"0".repeat(64),
    ] {
        let run = sandbox.refuses(&dir, ["add", "--", name], 128, "is not a valid task name");
        assert!(
            !run.stderr.contains('\u{1b}')
                && !run.stderr.contains('\u{202e}')
                && !run.stderr.contains('\u{9b}')
        );
        for command in ["show", "rm", "ready", "path", "restore", "lock"] {
            sandbox.refuses(&dir, [command, "--", name], 128, "");
        }
    }
    sandbox.refuses(&dir, ["add", "-rf"], 129, "error: ");
    sandbox.task(&dir, ["list", "--all"]).ok().prints("");
}

#[test]
fn text_never_moves_the_terminal_s_cursor() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\rover\u{202e}dlrow";
    let branch = "evil\u{9b}2J\u{202e}";
    sandbox
        .task(&dir, ["add", "x", "--title", evil, "--goal", evil, "--session", evil, "--scope", evil])
        .ok();
    let quiet = |run: &Run| {
        for text in [&run.stdout, &run.stderr] {
            let bad = text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\r', '\u{202e}']);
            assert!(!bad, "{:?}\n{run:?}", run.what);
        }
    };
    sandbox.git(&dir, ["branch", branch]).ok();
    sandbox.task(&dir, ["add", "t", "--track", branch]).ok();
    sandbox.git(&dir, ["config", "--add", "task.t.after", evil]).ok();
    sandbox.task(&dir, ["add", "b", "--base", branch]).ok();
    sandbox.task(&dir, ["block", "x", "-m", evil]).ok();
    sandbox.task(&dir, ["note", "t", "--blocker", evil]).ok();
    sandbox.git(&dir, ["config", "task.odd.branch", "odd"]).ok();
    sandbox.git(&dir, ["config", "--add", "task.odd.after", evil]).ok();
    sandbox.git(&dir, ["config", &format!("task.{evil}.branch").replace('\r', ""), "x"]).ok();
    for args in [
        &["list"][..],
        &["list", "--all", "--markdown"],
        &["show", "x"],
        &["show", "t"],
        &["show", "b"],
        &["show", "odd"],
        &["list", evil],
        &["add", "y", "--base", evil],
        &["add", "y", "--track", evil],
        &["add", "y", "-b", evil],
        &["add", "y", "--after", evil],
        &["add", "y", "--path", &format!("../{evil}"), "-n"],
        &["add", "y", "--from", evil],
        &["list", "--format", &format!("%({evil})")],
        &["list", "--state", evil],
        &["list", &format!("--porcelain={evil}")],
        &["sync", "b"],
        &["repair", "-n"],
        &["add", "z", "--base", branch, "-n"],
    ] {
        quiet(&sandbox.task(&dir, args));
    }
    // The library that reads the command line says itself what is wrong with it.
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", &format!("nonsense{evil}")]);
    assert_eq!(pty.wait(), 129);
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(!raw.contains("\u{1b}]0;") && !raw.contains('\u{9b}'), "{raw:?}");
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "note", "t"]);
    assert_eq!(pty.wait(), 0);
    assert!(!pty.raw().contains(&0x1b), "{:?}", pty.text());
}

#[test]
fn a_branch_s_own_team_file_is_not_the_team_s() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, ".config/git-parallel.toml", "[setup\nrun = ['touch pwned']\n", "Hostile");
    for at in [&dir, &path] {
        sandbox.task(at, ["list", "--format=%(task)"]).ok().prints("x\n");
        sandbox.task(at, ["show", "x"]).ok();
    }
    sandbox.task(&path, ["ready"]).ok();
    let second = sandbox.task(&path, ["add", "y"]).ok().path();
    assert!(!second.join("pwned").exists());
}

#[test]
fn a_repository_in_the_middle_of_something() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.git(&dir, ["switch", "-qc", "other"]).ok();
    sandbox.commit(&dir, "README", "theirs\n", "Theirs");
    sandbox.git(&dir, ["switch", "-q", "main"]).ok();
    let main = sandbox.commit(&dir, "README", "ours\n", "Ours");
    sandbox.git(&dir, ["merge", "-q", "other"]).fails(1);
    // As with git worktree add, the branch's tip counts and the merge stays what it is.
    let unmerged = sandbox.git(&dir, ["ls-files", "-u"]).ok().stdout;
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    assert_eq!(sandbox.commit_id(&path, "HEAD"), main);
    sandbox.git(&path, ["status", "--porcelain"]).ok().prints("");
    sandbox.git(&dir, ["ls-files", "-u"]).ok().prints(&unmerged);
    sandbox.git(&dir, ["rev-parse", "-q", "--verify", "MERGE_HEAD"]).ok();
    sandbox.task(&dir, ["list"]).ok();
    sandbox.git(&dir, ["merge", "--abort"]).ok();
    sandbox.git(&dir, ["rebase", "-q", "other"]).fails(1);
    sandbox.refuses(&dir, ["add", "y"], 128, "HEAD is detached");
    sandbox.task(&dir, ["add", "y", "--base", "main"]).ok();
    sandbox.task(&dir, ["rm", "y"]).ok();
    assert!(dir.join(".git/rebase-merge").exists());
}

#[test]
fn a_configuration_that_git_can_t_read() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let config = std::fs::read_to_string(dir.join(".git/config")).unwrap();
    for bad in ["[task \"a\nb\"]\n\tbranch = x\n", "[task \"open\n", "[task\n", "nonsense !\n"] {
        std::fs::write(dir.join(".git/config"), format!("{config}{bad}")).unwrap();
        for args in [&["list"][..], &["add", "y"], &["rm", "x"], &["ready", "x"]] {
            sandbox.refuses(&dir, args, 128, "fatal: ").says("config");
        }
    }
    std::fs::write(dir.join(".git/config"), config).unwrap();
    sandbox.task(&dir, ["list"]).ok();
}

#[test]
fn a_repository_of_another_user() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let pwned = sandbox.path("pwned");
    let touch = format!("touch '{}';:", pwned.display());
    for key in ["fsmonitor", "sshCommand", "editor", "pager", "askPass", "gitProxy", "alternateRefsCommand"] {
        sandbox.git(&dir, ["config", &format!("core.{key}"), &touch]).ok();
    }
    for key in
        ["filter.x.process", "filter.x.clean", "merge.x.driver", "diff.x.command", "pager.task", "alias.x"]
    {
        sandbox.git(&dir, ["config", key, &touch]).ok();
    }
    sandbox.git(&dir, ["config", "core.hooksPath", "hooks"]).ok();
    for hook in ["post-checkout", "post-index-change", "reference-transaction", "pre-commit"] {
        sandbox.write(&dir, format!("hooks/{hook}"), format!("#!/bin/sh\n{touch}\n"));
    }
    sandbox.write(&dir, ".gitattributes", "* filter=x merge=x diff=x\n");
    sandbox.sh(&dir, "chmod +x hooks/*").ok();
    let _ = std::fs::remove_file(&pwned);
    if std::os::unix::fs::chown(&dir, Some(65534), None).is_err() {
        skip("only root can give a directory away");
        return;
    }
    for entry in ["", ".git", ".git/config"] {
        std::os::unix::fs::chown(dir.join(entry), Some(65534), None).unwrap();
    }
    sandbox.write(&dir, ".config/git-parallel.toml", "[setup]\nrun = ['touch pwned']\n");
    for args in [&["list"][..], &["add", "y"], &["rm", "-f", "x"], &["trust", "--yes"]] {
        sandbox.refuses(&dir, args, 128, "detected dubious ownership");
    }
    for (program, args) in
        [("pool", &["list"][..]), ("pool", &["init"]), ("integrate", &[]), ("integrate", &["-n"])]
    {
        Run::of(sandbox.git_command(&dir, [program]).args(args), b"").fails(128).says("dubious ownership");
    }
    let complete = |sandbox: &Sandbox, words: &[&str]| {
        let mut command = sandbox.command(&dir, "git-task");
        command.env("_GIT_PARALLEL_COMPLETE", "bash").arg("--").arg("git-task").args(words);
        Run::of(&mut command, b"").ok()
    };
    for words in [&["show", ""][..], &["add", "--base", ""], &["start", "--session", ""]] {
        complete(&sandbox, words).prints("");
    }
    assert!(!pwned.exists(), "something of theirs was run");
    let safe = sandbox.home().join("config");
    std::fs::write(&safe, format!("[safe]\n\tdirectory = {}\n", dir.display())).unwrap();
    let mut sandbox = sandbox;
    sandbox.set("GIT_CONFIG_GLOBAL", &safe);
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("x\n");
    assert_eq!(complete(&sandbox, &["show", ""]).stdout, "x\n");
    sandbox.git(&dir, ["status"]);
    assert!(pwned.exists(), "it would have been run");
    sandbox.git(&dir, ["config", "--unset", "core.hooksPath"]).ok();
    sandbox.git(&dir, ["config", "--remove-section", "filter.x"]).ok();
    sandbox.task(&dir, ["add", "y", "--no-setup"]).ok();
}

#[test]
fn a_repository_that_can_t_be_written() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "a", "a\n", "Work");
    // Even root can't make a directory where a file is.
    std::fs::remove_dir_all(dir.join(".git/git-parallel")).unwrap();
    sandbox.write(&dir, ".git/git-parallel", "a file\n");
    for args in [&["add", "y"][..], &["ready", "x"], &["rm", "-f", "x"], &["block", "x"]] {
        sandbox.refuses(&dir, args, 128, "git-parallel");
    }
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("x\n");
}

#[test]
fn somebody_else_s_lock_is_named_in_the_end() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    sandbox.git(&dir, ["config", "task.lockTimeout", "1"]).ok();
    sandbox.write(&dir, ".git/config.lock", "");
    sandbox.refuses(&dir, ["block", "x"], 128, "could not lock config file").says("config.lock");
    let run = sandbox.task(&dir, ["add", "y"]).fails(128).prints("").says("config.lock");
    run.assert_one_error();
    assert!(!sandbox.refs(&dir).contains("refs/heads/y") && !sandbox.path("repo-worktrees/y").exists());
    std::fs::remove_file(dir.join(".git/config.lock")).unwrap();
    sandbox.task(&dir, ["add", "y"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn a_configuration_that_includes_itself() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "x"]).ok();
    let config = std::fs::read_to_string(dir.join(".git/config")).unwrap();
    for include in ["[include]\n\tpath = config\n", "[includeIf \"gitdir:/\"]\n\tpath = config\n"] {
        std::fs::write(dir.join(".git/config"), format!("{config}{include}")).unwrap();
        // As git says it.
        sandbox.git(&dir, ["status"]).fails(128).says("exceeded maximum include depth");
        for args in [&["list"][..], &["add", "y"], &["rm", "x"]] {
            sandbox.task(&dir, args).fails(128).prints("");
        }
    }
    std::fs::write(dir.join(".git/config"), format!("{config}[include]\n\tpath = none\n")).unwrap();
    sandbox.task(&dir, ["list", "--format=%(task)"]).ok().prints("x\n");
}
