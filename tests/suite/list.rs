//! `git task list`: what it says, in which form, and what it leaves out.

use crate::support::*;

fn porcelain(run: Run) -> Vec<(String, String)> {
    let split = |line: &str| {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        (key.to_owned(), value.to_owned())
    };
    run.ok().stdout.lines().map(split).collect()
}

/// A repository with a task about which there is much to say.
fn full(sandbox: &Sandbox) -> (std::path::PathBuf, std::path::PathBuf) {
    let dir = sandbox.init();
    sandbox.commit(&dir, "shared", "0\n", "Shared");
    sandbox.task(&dir, ["add", "before"]).ok();
    let args = ["add", "x", "--title", "A | title", "--scope", "a/**", "--scope", "b", "--after", "before"];
    let path =
        sandbox.task(&dir, args.iter().chain(&["--priority", "7", "--session", "s", "--goal", "Done"])).ok();
    let path = path.path();
    sandbox.commit(&path, "shared", "theirs\n", "Change it");
    sandbox.commit(&path, "own", "own\n", "Own work");
    sandbox.commit(&dir, "shared", "ours\n", "Change it too");
    sandbox.write(&path, "own", "changed\n");
    sandbox.write(&path, "new/file", "new\n");
    sandbox.task(&path, ["note", "--blocker", "The weather", "--next", "Wait"]).ok();
    (dir, path)
}

#[test]
fn every_key_has_its_value() {
    let sandbox = Sandbox::new();
    let (dir, path) = full(&sandbox);
    let start = sandbox.commit_id(&dir, "main~1");
    let expected = [
        ("task", "x"),
        ("state", "open"),
        ("branch", "refs/heads/x"),
        ("worktree", path.to_str().unwrap()),
        ("base", "refs/heads/main"),
        ("start", &start),
        ("head", &sandbox.commit_id(&path, "HEAD")),
        ("ahead", "2"),
        ("behind", "1"),
        ("dirty", "2"),
        ("after", "before"),
        ("scope", "a/**"),
        ("scope", "b"),
        ("conflicts", "shared"),
        ("priority", "7"),
        ("title", "A | title"),
        ("goal", "Done"),
        ("blocker", "The weather"),
        ("next", "Wait"),
        ("session", "s"),
        ("created", &NOW.to_string()),
    ];
    let listed = porcelain(sandbox.task(&dir, ["list", "x", "--porcelain"]));
    for (key, value) in expected {
        assert!(listed.contains(&(key.to_owned(), value.to_owned())), "{key} {value} is not in {listed:#?}");
    }
    assert_eq!(listed.last(), Some(&(String::new(), String::new())), "a record ends by an empty line");
    let lines = sandbox.task(&dir, ["list", "--porcelain=v1"]).ok().stdout;
    let nul = sandbox.task(&dir, ["list", "--porcelain", "-z"]).ok().stdout;
    assert_eq!(nul, lines.replace('\n', "\0"));
    sandbox.refuses(&dir, ["list", "--porcelain=v9"], 128, "unsupported porcelain version 'v9'");

    let json: serde_json::Value =
        serde_json::from_str(&sandbox.task(&dir, ["list", "--json"]).ok().stdout).unwrap();
    let x = json.as_array().unwrap().iter().find(|t| t["task"] == "x").unwrap();
    for (key, value) in expected {
        let value_of = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let found: Vec<String> = match &x[key] {
            serde_json::Value::Array(all) => all.iter().map(value_of).collect(),
            one => vec![value_of(one)],
        };
        assert!(found.iter().any(|v| v == value), "{key} in {x}");
    }
    let format = "%(task)%09%(ahead)/%(behind)%% %(scope)%(running)|%(slot)";
    let formatted = sandbox.task(&dir, ["list", "x", &format!("--format={format}")]).ok();
    formatted.prints("x\t2/1% a/** b|\n");
    sandbox.refuses(&dir, ["list", "--format=%(nope)"], 128, "unknown field name: nope").says("running");
}

#[test]
fn the_table_answers_at_a_glance() {
    let sandbox = Sandbox::new();
    let (dir, path) = full(&sandbox);
    let table = sandbox.task(&dir, ["list"]).ok().does_not_say("warning").stdout;
    let row = table.lines().find(|l| l.starts_with("x ")).unwrap_or_else(|| panic!("{table}"));
    for part in ["open", "+2 -1", " 2 ", "shared", "blocked: The weather"] {
        assert!(row.contains(part), "{part} in {table}");
    }
    sandbox.task(&dir, [""; 0]).ok().prints(&table);
    let inside = sandbox.task(&path, ["list"]).ok().stdout;
    assert!(inside.lines().any(|l| l.starts_with("*  x ")), "{inside}");
    let markdown = sandbox.task(&dir, ["list", "--markdown", "x"]).ok().stdout;
    assert!(markdown.lines().count() == 3 && markdown.starts_with("| TASK | STATE |"), "{markdown}");
    sandbox.task(&path, ["note", "--blocker", ""]).ok();
    let markdown = sandbox.task(&dir, ["list", "--markdown", "x"]).ok().stdout;
    assert!(markdown.contains("A \\| title |"), "{markdown}");
}

#[test]
fn the_forecast_is_what_the_merge_does() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.commit(&dir, "kept", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "Kept");
    sandbox.commit(&dir, "renamed", "a\nb\nc\nd\ne\n", "Renamed");
    sandbox.commit(&dir, "gone", "x\n", "Gone");
    let tasks = ["clean", "text", "deleted", "moved", "nothing"];
    sandbox.task(&dir, ["add"].iter().chain(&tasks)).ok();
    let at = |task: &str| sandbox.path(format!("repo-worktrees/{task}"));
    sandbox.commit(at("clean"), "kept", "1\n2\n3\n4\n5\n6\n7\n8\nnine\n", "End");
    sandbox.commit(at("text"), "kept", "eins\n2\n3\n4\n5\n6\n7\n8\n9\n", "Begin");
    sandbox.commit(at("deleted"), "gone", "y\n", "Changed there");
    sandbox.git(at("moved"), ["mv", "renamed", "elsewhere"]).ok();
    sandbox.git(at("moved"), ["commit", "-qm", "Move"]).ok();
    sandbox.commit(&dir, "kept", "one\n2\n3\n4\n5\n6\n7\n8\n9\n", "Begin");
    sandbox.git(&dir, ["rm", "-q", "gone"]).ok();
    sandbox.git(&dir, ["commit", "-qm", "Remove"]).ok();
    sandbox.commit(&dir, "renamed", "a\nb\nc\nd\nE\n", "Changed here");
    for task in tasks {
        let forecast = sandbox.task(&dir, ["list", task, "--format=%(conflicts)"]).ok().stdout;
        let merge = sandbox.git(at(task), ["merge", "-q", "main"]);
        let unmerged = sandbox.git(at(task), ["diff", "--name-only", "--diff-filter=U"]).ok().stdout;
        assert_eq!(forecast.trim_end(), unmerged.trim_end(), "{task}\n{merge}");
    }
    let busy = sandbox.task(&dir, ["list", "text", "--format=%(operation)"]).ok();
    busy.prints("merge\n");
}

#[test]
fn a_later_commit_unreadies() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    let state = || sandbox.task(&dir, ["list", "--format=%(state)"]).ok().stdout;
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.task(&dir, ["ready", "x"]).ok();
    assert_eq!(state(), "ready\n");
    sandbox.commit(&path, "a", "b\n", "More");
    assert_eq!(state(), "open\n");
    sandbox.task(&dir, ["list", "--state=ready", "--format=%(task)"]).ok().prints("");
    sandbox.task(&dir, ["list", "--state=open", "--format=%(task)"]).ok().prints("x\n");
    sandbox.git(&path, ["reset", "-q", "--hard", "HEAD~1"]).ok();
    assert_eq!(state(), "ready\n", "the tip that was said to be ready is back");
}

#[test]
fn finished_tasks_are_left_out_unless_asked_for() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "a", "b"]).ok();
    sandbox.task(&dir, ["rm", "b"]).ok();
    let list = |args: &[&str]| {
        sandbox.task(&dir, ["list", "--format=%(task) %(state)"].iter().chain(args)).ok().stdout
    };
    assert_eq!(list(&[]), "a open\n");
    assert_eq!(list(&["--all"]), "a open\nb dropped\n");
    assert_eq!(list(&["-a", "--state", "dropped"]), "b dropped\n");
    assert_eq!(list(&["--state", "dropped", "--state", "open"]), "a open\nb dropped\n");
    assert_eq!(list(&["b"]), "b dropped\n");
    sandbox.refuses(&dir, ["list", "nobody"], 128, "no such task: 'nobody'");
    sandbox.task(&dir, ["add", "bug-login", "--type", "fix"]).ok();
    let near = |name: &str, hint: &str| {
        let run = sandbox.refuses(&dir, ["show", name], 128, &format!("no such task: '{name}'"));
        run.says(&format!("hint: {hint}\n"));
    };
    near("bug-lgoin", "Did you mean 'bug-login'?");
    near("fix/bug-login", "That is the branch of task 'bug-login'.");
    sandbox.refuses(&dir, ["list", "--state", "odd"], 129, "unknown state 'odd'").says("integrated");
}

#[test]
fn sections_by_hand_and_of_other_tools() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "good"]).ok();
    let config = |key: &str, value: &str| drop(sandbox.git(&dir, ["config", key, value]).ok());
    config("task.ref", "refs/tasks/main");
    config("task.status.open", "1");
    config("task.half.branch", "main");
    config("task.gone.branch", "no-such-branch");
    config("task.gone.worktree", "elsewhere");
    config("task.bad.branch", "x");
    config("task.bad.priority", "high");
    config("task.worse name.branch", "x");
    let run = sandbox.task(&dir, ["list", "--format=%(task) %(state) %(ahead)"]).ok();
    run.clone().prints("gone open \ngood open 0\nhalf open \n");
    run.clone()
        .says("bad config value 'high' for 'task.bad.priority'")
        .says("'worse name' is not a valid task name");
    assert_eq!(run.stderr.lines().filter(|l| l.starts_with("warning: ")).count(), 2, "{run}");
    sandbox.task(&dir, ["list"]).ok();
    sandbox.task(&dir, ["show", "gone"]).ok();
    sandbox.refuses(&dir, ["show", "bad"], 128, "task.bad.priority");
    // Its name is taken, though nobody can read what it is.
    sandbox.refuses(&dir, ["add", "bad", "-b", "other"], 128, "task.bad.priority");
    sandbox.task(&dir, ["add", "status"]).ok();
    sandbox.git(&dir, ["config", "task.status.open"]).ok().prints("1\n");
}

#[test]
fn a_note_that_is_none_says_nothing() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    sandbox.task(&dir, ["add", "a", "b", "c"]).ok();
    sandbox.write(sandbox.path("elsewhere"), "secret", "## Blockers\n\nsecret\n");
    for (task, link) in [("a", true), ("b", false)] {
        let note = sandbox.path(format!("repo-worktrees/{task}/notes/{task}/status.md"));
        std::fs::remove_file(&note).unwrap();
        if link {
            std::os::unix::fs::symlink(sandbox.path("elsewhere/secret"), note).unwrap();
        } else {
            std::fs::create_dir(note).unwrap();
        }
    }
    let run = sandbox.task(&dir, ["list", "--format=%(task)[%(blocker)]"]).ok();
    run.prints("a[]\nb[]\nc[]\n");
    sandbox.refuses(&dir, ["note", "a"], 128, "is a symbolic link");
    sandbox.refuses(&dir, ["note", "b", "--goal", "x"], 128, "is not a regular file");
}

#[test]
fn outside_of_a_repository() {
    let sandbox = Sandbox::new();
    for args in [&[][..], &["list"], &["add", "x"], &["note"]] {
        sandbox.refuses(sandbox.path(""), args, 128, "fatal: not a git repository");
    }
}

#[test]
fn colour_follows_git_and_the_user() {
    let mut sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x"]).ok().path();
    sandbox.commit(&path, "a", "a\n", "Work");
    sandbox.task(&path, ["ready"]).ok();
    let colored = |sandbox: &Sandbox, args: &[&str]| sandbox.git(&dir, args).ok().stdout.contains('\x1b');
    assert!(!colored(&sandbox, &["task", "list"]));
    assert!(colored(&sandbox, &["task", "list", "--color"]));
    assert!(colored(&sandbox, &["task", "list", "--color=always"]));
    assert!(colored(&sandbox, &["-c", "color.ui=always", "task", "list"]));
    assert!(!colored(&sandbox, &["-c", "color.ui=always", "-c", "color.task=never", "task", "list"]));
    assert!(!colored(&sandbox, &["-c", "color.task=always", "task", "list", "--color=never"]));
    assert!(
        !colored(&sandbox, &["-c", "color.task=always", "task", "list", "--porcelain"]),
        "never for scripts"
    );
    sandbox.set("NO_COLOR", "1");
    assert!(!colored(&sandbox, &["-c", "color.ui=always", "task", "list"]));
    assert!(colored(&sandbox, &["-c", "color.task=always", "task", "list"]));
    sandbox.refuses(&dir, ["list", "--color=maybe"], 129, "option `color' expects");
    let on = |args: &[&str], term: &str| {
        let mut pty = Pty::spawn_with(&sandbox, &dir, args, |c| {
            c.env("TERM", term).env_remove("NO_COLOR");
        });
        assert_eq!(pty.wait(), 0);
        pty.raw().contains(&0x1b)
    };
    assert!(on(&["git", "--no-pager", "task", "list"], "xterm"));
    assert!(!on(&["git", "--no-pager", "task", "list"], "dumb"));
}

#[test]
fn a_narrow_terminal_gets_lines_that_fit() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let long = "任务 ".repeat(60);
    sandbox.task(&dir, ["add", "wide-漢字", "--title", &long]).ok();
    sandbox.task(&dir, ["add", &"n".repeat(60), "--title", &long]).ok();
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "--no-pager", "task", "list", "--color=never"]);
    assert_eq!(pty.wait(), 0);
    for line in pty.text().lines() {
        assert!(console::measure_text_width(line) <= 80, "{line}");
    }
    assert!(pty.text().contains("wide-漢字") && pty.text().contains('…'), "{}", pty.text());
    let piped = sandbox.task(&dir, ["list"]).ok().stdout;
    assert!(piped.contains(long.trim_end()), "a pipe gets all of it");
}

#[test]
fn watching_redraws_until_ctrl_c() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let many: Vec<_> = (0..40).map(|i| format!("t{i:02}")).collect();
    sandbox.task(&dir, ["add", "first"]).ok();
    let mut pty = Pty::spawn(&sandbox, &dir, ["git", "task", "list", "--watch=1"]);
    pty.expect("first");
    sandbox.task(&dir, ["add", "-q"].into_iter().chain(many.iter().map(String::as_str))).ok();
    pty.expect("more").send("\x03");
    assert_eq!(pty.wait(), 130);
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(raw.contains("\x1b[?25l") && raw.trim_end().ends_with("\x1b[?25h"), "the cursor is shown again");
    let last = raw.rsplit("\x1b[H").next().unwrap();
    assert!(last.matches('\n').count() < 24, "a picture is never taller than the terminal:\n{last}");
    assert!(last.contains("first") && last.contains("more"), "what is left out is counted:\n{last}");
    sandbox.refuses(&dir, ["list", "--watch=0"], 129, "--watch");
    sandbox.refuses(&dir, ["list", "--watch=soon"], 128, "soon");
    sandbox.refuses(&dir, ["list", "--watch", "--json"], 129, "--watch");
}

#[test]
fn verbose_shows_heads_branches_and_worktrees() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "--type", "fix", "x"]).ok().path();
    let head = &sandbox.commit_id(&dir, "HEAD")[..7];
    let run = sandbox.task(&dir, ["list", "-v"]).ok();
    for part in ["HEAD", "BRANCH", "WORKTREE", head, "fix/x", path.to_str().unwrap()] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    assert!(!sandbox.task(&dir, ["list"]).ok().stdout.contains("fix/x"));
}
