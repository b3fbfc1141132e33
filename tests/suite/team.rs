//! The team file: setup, trust and events.

use crate::support::*;

fn team(sandbox: &Sandbox, dir: &std::path::Path, text: &str) {
    sandbox.write(dir, ".config/git-parallel.toml", text);
}

#[test]
fn untrusted_commands_do_not_run_and_nothing_is_done() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    team(&sandbox, &dir, "[setup]\nrun = ['touch ran']\n");
    let run =
        sandbox.refuses(&dir, ["add", "x"], 128, "the commands in .config/git-parallel.toml are not trusted");
    run.says("git task trust").says("--no-setup");
    sandbox.refuses(&dir, ["trust"], 128, "not on a terminal").says("touch ran").says("--yes");
    sandbox.task(&dir, ["trust", "--yes"]).ok().prints("").says("setup.run[1]: touch ran");
    sandbox.task(&dir, ["trust"]).ok().says("are trusted");
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    assert!(path.join("ran").exists());
    // Another limit runs nothing; another command does.
    team(&sandbox, &dir, "[task]\nlimit = 9\n# new\n[setup]\nrun = ['touch ran']\n");
    sandbox.task(&dir, ["add", "y"]).ok();
    team(&sandbox, &dir, "[setup]\nrun = ['touch  ran']\n");
    sandbox.refuses(&dir, ["add", "z"], 128, "are not trusted");
    team(&sandbox, &dir, "[setup]\nrun = ['touch ran']\n[[on]]\nevent = 'ready'\nrun = 'true'\n");
    sandbox.refuses(&dir, ["add", "z"], 128, "are not trusted");
    team(&sandbox, &dir, "[task]\nlimit = 1\n");
    sandbox.task(&dir, ["add", "z"]).ok().says("warning:");
    sandbox.task(&dir, ["trust"]).ok().says("no commands");
}

#[test]
fn what_is_shown_cannot_deceive() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    team(&sandbox, &dir, "[setup]\nrun = [\"curl evil\\u001b[2K\\rtrue\\u202e\\nsecond\"]\n");
    let run = sandbox.task(&dir, ["trust", "--yes"]).ok().says("curl evil\\x1b[2K\\rtrue\\u{202e}\\nsecond");
    assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\u{202e}'), "{run:?}");
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "add", "--no-setup", "x"]);
    assert_eq!(pty.wait(), 0);
}

#[test]
fn a_terminal_is_asked() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    team(&sandbox, &dir, "[setup]\nrun = ['touch ran']\n");
    let add = ["git", "task", "add", "x"];
    let before = Frozen::of(&sandbox);
    let mut pty = Pty::spawn(&sandbox, &dir, add);
    assert_eq!(pty.expect("touch ran").expect("Allow them?").send("n\r").wait(), 128, "{}", pty.text());
    before.assert_unchanged(&sandbox, &pty.text());
    let mut pty = Pty::spawn(&sandbox, &dir, add);
    assert_eq!(pty.expect("Allow them?").send("\x03").wait(), 130, "{}", pty.text());
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(raw.rfind("\x1b[?25h") >= raw.rfind("\x1b[?25l"), "the cursor is shown again: {raw:?}");
    before.assert_unchanged(&sandbox, &pty.text());
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "trust"]);
    assert_eq!(pty.expect("Allow them?").send("\r").wait(), 1, "no is the answer of an empty line");
    for (name, value) in [("TERM", "dumb"), ("GIT_TERMINAL_PROMPT", "0")] {
        let mut pty = Pty::spawn_with(&sandbox, &dir, add, |c| {
            c.env(name, value);
        });
        assert_eq!(pty.wait(), 128, "{name}={value}: {}", pty.text());
        assert!(!pty.text().contains("Allow them?"));
    }
    let mut pty = Pty::spawn(&sandbox, &dir, add);
    assert_eq!(pty.expect("Allow them?").send("y\r").wait(), 0, "{}", pty.text());
    assert!(sandbox.path("repo-worktrees/x/ran").exists());
    sandbox.task(&dir, ["add", "y"]).ok();
}

#[test]
fn setup_is_seen_and_knows_its_task() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let script = "[setup]\nrun = ['echo \"out $GIT_TASK $GIT_TASK_BRANCH $GIT_TASK_BASE\"; env >vars; pwd -P >where', 'git add -N where && cat where']\n";
    team(&sandbox, &dir, script);
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    // From inside a hook, whose variables belong to another worktree.
    let hook = dir.join(".git/hooks/pre-commit");
    sandbox.write(&dir, ".git/hooks/pre-commit", "#!/bin/sh\ngit task add x --type fix >/dev/null\n");
    sandbox.sh(&dir, &format!("chmod +x '{}'", hook.display())).ok();
    let run = sandbox.sh(&dir, "git commit -q --allow-empty -m 'Run the hook'").ok();
    let path = sandbox.path("repo-worktrees/x");
    run.says("out x fix/x main\n").says(&format!("{}\n", path.display()));
    let vars = std::fs::read_to_string(path.join("vars")).unwrap();
    for (name, value) in [
        ("GIT_TASK_PATH", path.display().to_string()),
        ("GIT_TASK_MAIN", dir.display().to_string()),
        ("GIT_TASK_NOTE", path.join("notes/x/status.md").display().to_string()),
    ] {
        assert!(vars.lines().any(|l| l == format!("{name}={value}")), "{name} in\n{vars}");
    }
    for name in ["GIT_DIR=", "GIT_INDEX_FILE=", "GIT_WORK_TREE=", "GIT_PREFIX="] {
        assert!(!vars.lines().any(|l| l.starts_with(name)), "{name} in\n{vars}");
    }
    sandbox.git(&dir, ["status", "--porcelain", "--", "where", "vars"]).ok().prints("");
}

#[test]
fn a_failing_setup_keeps_the_task_and_says_so() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    team(&sandbox, &dir, "[setup]\nrun = ['echo started', 'echo broken >&2; exit 7', 'touch never']\n");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    let run = sandbox.task(&dir, ["add", "x"]).fails(1).says("started").says("broken").says("exit code 7");
    let path = run.path();
    run.assert_one_error();
    assert!(!path.join("never").exists());
    let listed = sandbox.task(&dir, ["list", "--format=%(state) %(reason)"]).ok().stdout;
    assert!(listed.starts_with("blocked ") && listed.contains("exit code 7"), "{listed}");
    let json = sandbox.task(&dir, ["add", "y", "z", "--json"]).fails(1);
    let made: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&made[0]["state"], &made[1]["task"]), (&"blocked".into(), &"z".into()));
    sandbox.task(&dir, ["repair", "-n"]).ok();
    let kill = "[setup]\nrun = ['kill -9 $$']\n";
    team(&sandbox, &dir, kill);
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    sandbox.task(&dir, ["add", "k"]).fails(1).says("137");
}

#[test]
fn a_worktree_that_is_restored_is_set_up_like_a_new_one() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, ".gitignore", "built\n", "Ignore what is built");
    team(&sandbox, &dir, "[setup]\nrun = ['echo $GIT_TASK >built']\n");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    sandbox.task(&dir, ["add", "x", "y"]).ok();
    let remove = || sandbox.task(&dir, ["rm", "-f", "x", "y"]).ok();
    remove();
    let paths = sandbox.task(&dir, ["restore", "x", "y"]).ok().stdout;
    for path in paths.lines() {
        let built = std::fs::read_to_string(std::path::Path::new(path).join("built")).unwrap();
        assert!(path.ends_with(built.trim_end()), "{path}: {built}");
    }
    remove();
    let path = sandbox.task(&dir, ["restore", "--no-setup", "x"]).ok().path();
    assert!(!path.join("built").exists());
    // Another version of the file is not trusted; nothing is begun.
    team(&sandbox, &dir, "[setup]\nrun = ['exit 7']\n");
    let run = sandbox.refuses(&dir, ["restore", "y"], 128, "not trusted");
    run.says("git task trust").says("--no-setup");
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    let run = sandbox.task(&dir, ["restore", "y"]).fails(1).says("exit code 7").says("git task reopen y");
    assert!(run.path().join(".gitignore").exists());
    run.assert_one_error();
    sandbox.task(&dir, ["list", "--format=%(task) %(state)"]).ok().prints("x open\ny blocked\n");
    sandbox.task(&dir, ["reopen", "y"]).ok();
    sandbox.task(&dir, ["repair", "-n"]).ok().prints("");
    assert_sound(&sandbox, &dir);
}

#[test]
fn ctrl_c_during_setup_leaves_a_task_that_says_so() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    team(&sandbox, &dir, "[setup]\nrun = ['echo waiting; cat <\"$GIT_TASK_MAIN/fifo\"']\n");
    sandbox.sh(&dir, "mkfifo fifo").ok();
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "add", "x"]);
    assert_eq!(pty.expect("waiting\n").send("\x03").wait(), 130, "{}", pty.text());
    let listed = sandbox.task(&dir, ["list", "--format=%(task) %(state) %(reason)"]).ok().stdout;
    assert!(listed.starts_with("x blocked ") && listed.trim_end() != "x blocked", "{listed}");
    sandbox.task(&dir, ["repair", "-n"]).ok();
    assert_sound(&sandbox, &dir);
}

#[test]
fn events_run_where_and_when_they_should() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let on = |event: &str, paths: &str, text: &str| {
        format!(
            "[[on]]\nevent = '{event}'\n{paths}run = 'echo \"{text} $GIT_TASK $PWD\" >>\"$GIT_TASK_MAIN/events\"'\n"
        )
    };
    let all = [
        on("added", "", "added"),
        on("ready", "paths = ['src/**']\n", "source"),
        on("ready", "paths = ['docs', '*.md']\n", "docs"),
        on("ready", "", "ready"),
        on("blocked", "", "blocked"),
        "[[on]]\nevent = 'blocked'\nrun = 'echo no luck >&2; exit 5'\n".to_owned(),
        on("blocked", "", "after"),
    ];
    team(&sandbox, &dir, &all.concat());
    sandbox.task(&dir, ["trust", "-y"]).ok();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "src/deep/a", "a\n", "Work");
    sandbox.task(&path, ["ready"]).ok();
    sandbox.task(&path, ["block"]).ok().says("no luck").says("warning:").says("exit code 5");
    let here = dir.display();
    let expected =
        ["added", "source", "ready", "blocked", "after"].map(|text| format!("{text} x {here}\n")).concat();
    assert_eq!(std::fs::read_to_string(dir.join("events")).unwrap(), expected);
}

#[test]
fn a_mistake_is_named_with_file_and_line() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    for (text, place) in [
        ("[setup\n", "git-parallel.toml:1"),
        ("[setup]\ncopy = 'x'\n", "git-parallel.toml:2"),
        ("[setup]\nrun = ['']\n", "git-parallel.toml:2"),
        ("[tsak]\n", "git-parallel.toml:1"),
        ("[task]\nlimit = -1\n", "git-parallel.toml:2"),
        ("[[on]]\nevent = 'never'\nrun = 'x'\n", "git-parallel.toml:2"),
        ("[task]\n\"\u{1b}[31m\" = 1\n", "git-parallel.toml:2"),
    ] {
        if !text.contains('\u{1b}') {
            team(&sandbox, &dir, text);
        } else {
            team(&sandbox, &dir, "[task]\n\"\\u001b[31m\" = 1\n");
        }
        for args in [&["add", "x"][..], &["list"]] {
            let run = sandbox.refuses(&dir, args, 128, place);
            assert!(!run.stderr.contains('\u{1b}'), "{run:?}");
        }
    }
    // A directory, or a file that is no text, is no team file, and not silently none.
    std::fs::remove_file(dir.join(".config/git-parallel.toml")).unwrap();
    std::fs::create_dir(dir.join(".config/git-parallel.toml")).unwrap();
    sandbox.refuses(&dir, ["list"], 128, "could not read");
}

#[test]
fn events_of_a_removal_know_what_the_task_touched() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let on = |event: &str| {
        format!("[[on]]\nevent = '{event}'\npaths = ['api/**']\nrun = 'echo {event} $GIT_TASK >>said'\n")
    };
    team(&sandbox, &dir, &format!("{}{}", on("dropped"), on("integrated")));
    sandbox.task(&dir, ["trust", "--yes"]).ok();
    for (name, file) in [("api", "api/a"), ("gone", "api/b"), ("other", "docs/c")] {
        let path = sandbox.task(&dir, ["add", name]).ok().path();
        sandbox.commit(&path, file, "x\n", name);
    }
    sandbox.git(&dir, ["merge", "-q", "api"]).ok();
    sandbox.task(&dir, ["rm", "-f", "api", "gone", "other"]).ok();
    assert_eq!(std::fs::read_to_string(dir.join("said")).unwrap(), "integrated api\ndropped gone\n");
}
