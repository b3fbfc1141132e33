//! Names and texts made to move a terminal's cursor, in all places that take one, and every command that prints: on a
//! terminal there is nothing but what can be seen, and a script gets what is there.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use git_parallel::cli::Program;
use git_parallel::text::is_hidden;

use crate::support::*;

/// Sets the title, blinks, clears, overwrites and turns round. Nothing of ours blinks.
pub const EVIL: &str = "e\u{1b}]0;own\u{7}\u{1b}[5;41m\u{9b}2J\rover\u{202e}dlrow";

/// The same as far as git takes it for a branch or a remote.
const NAME: &str = "n\u{9b}2J\u{202e}";

/// A terminal so wide that no table is cut.
const WIDE: [&str; 4] = ["sh", "-c", "stty cols 4000 && exec git \"$@\"", "git"];

struct Stage {
    sandbox: Sandbox,
    dir: PathBuf,
    /// What was looked at: the command's name, and the options that make it print something else.
    seen: RefCell<BTreeSet<String>>,
    /// What should not have been seen.
    wrong: RefCell<Vec<String>>,
}

/// What a terminal shows, if it is nothing but text in colours of our own; else why not.
fn plain(raw: &[u8]) -> Result<String, String> {
    let mut text = std::str::from_utf8(raw).map_err(|e| format!("{e}: {raw:?}"))?.to_owned();
    while let Some(at) = text.find("\u{1b}[") {
        let end = text[at + 2..].find(|c: char| !c.is_ascii_digit() && c != ';').map(|end| at + 2 + end);
        match end.filter(|end| text[*end..].starts_with('m') && !text[at..*end].contains("5;41")) {
            Some(end) => text.replace_range(at..=end, ""),
            None => return Err(format!("{text:?}")),
        }
    }
    let text = text.replace("\r\n", "\n");
    match text.chars().find(|c| is_hidden(*c) && !"\n\t".contains(*c)) {
        Some(bad) => Err(format!("{bad:?} in {text:?}")),
        None => Ok(text),
    }
}

impl Stage {
    fn note(&self, args: &[&str]) {
        let mut words = vec![args[0]];
        let program = [Program::Task, Program::Pool, Program::Integrate]
            .map(Program::command)
            .into_iter()
            .find(|p| p.get_name() == format!("git-{}", args[0]))
            .unwrap();
        let sub = args.get(1).and_then(|word| program.find_subcommand(word)).map(|s| s.get_name().to_owned());
        words.extend(sub.as_deref());
        let name = words.join(" ");
        let mut seen = self.seen.borrow_mut();
        let options = args.iter().filter_map(|word| word.strip_prefix("--"));
        let options = options.map(|word| word.split('=').next().unwrap_or_default());
        let short = args.iter().filter_map(|word| (*word == "-n").then_some("dry-run"));
        seen.extend(options.chain(short).map(|option| format!("{name} --{option}")));
        seen.insert(name);
    }

    /// Runs it on a terminal where nothing is asked or drawn. Returns what it shows.
    fn see(&self, args: &[&str]) -> String {
        self.see_in(&self.dir, args, |_| ())
    }

    fn see_in(&self, dir: &Path, args: &[&str], change: impl FnOnce(&mut std::process::Command)) -> String {
        self.note(args);
        let words = WIDE.iter().chain(args);
        let mut pty = Pty::spawn_with(&self.sandbox, dir, words, |command| {
            command.env("GIT_TERMINAL_PROMPT", "0");
            change(command);
        });
        let code = pty.wait();
        let mut raw = pty.raw().to_vec();
        if args.contains(&"log") {
            // A session may have colours.
            let color = b"\x1b[5;41m";
            while let Some(at) = raw.windows(color.len()).position(|part| part == color) {
                raw.drain(at..at + color.len());
            }
        }
        let text = plain(&raw).unwrap_or_else(|why| {
            self.is_wrong(args, &why);
            String::new()
        });
        if text.contains("panicked") || code > 130 {
            self.is_wrong(args, &format!("exit code {code}: {text}"));
        }
        text
    }

    fn is_wrong(&self, args: &[&str], why: &str) {
        self.wrong.borrow_mut().push(format!("{args:?}: {why}"));
    }

    /// The same, and something was there to be escaped.
    fn shows(&self, args: &[&str]) -> String {
        let text = self.see(args);
        // JSON has escapes of its own.
        if !text.contains("\\u{9b}2J") && !text.contains("\\u009b2J") {
            self.is_wrong(args, &format!("nothing to escape in {text}"));
        }
        text
    }

    /// With what is asked and drawn, which moves the cursor itself: nothing of the hostile text is in it.
    #[track_caller]
    fn talks(&self, args: &[&str], talk: impl FnOnce(&mut Pty)) {
        self.note(args);
        let mut pty = Pty::spawn(&self.sandbox, &self.dir, WIDE.iter().chain(args));
        // One that never says what is waited for doesn't hide what the others show.
        let talked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            talk(&mut pty);
            pty.wait();
        }));
        if talked.is_err() {
            self.is_wrong(args, "it does not talk as expected");
        }
        let text = std::str::from_utf8(pty.raw()).unwrap();
        for part in ["\u{1b}]", "\u{1b}[5", "\u{7}", "\u{9b}", "\u{202e}", "\rover"] {
            if text.contains(part) {
                self.is_wrong(args, &format!("{part:?} in {text:?}"));
            }
        }
    }

    fn task_path(&self, task: &str) -> PathBuf {
        self.sandbox.task(&self.dir, ["path", task]).ok().path()
    }
}

fn toml(text: &str) -> String {
    let escaped =
        text.chars().map(|c| if is_hidden(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() });
    format!("\"{}\"", escaped.collect::<String>())
}

fn stage() -> Stage {
    let sandbox = Sandbox::new();
    let dir = sandbox.init_with("re\u{1b}]0;own\u{7}\u{9b}2Jpo", &[]);
    sandbox.git(&dir, ["switch", "-qc", NAME]).ok();
    sandbox.commit(&dir, EVIL, "base\n", EVIL);
    let says = |code: u8| toml(&format!("printf %s '{EVIL}'; exit {code}"));
    let team = format!(
        "[setup]\nrun = [{}]\n[session.default]\ncommand = {}\n[[stage]]\nname = 'build'\ngate = {}\n\
         [[on]]\nevent = 'dropped'\nrun = {}\n",
        toml(&format!(": '{EVIL}'")),
        says(0),
        says(1),
        toml(&format!(": '{EVIL}'")),
    );
    sandbox.commit(&dir, ".config/git-parallel.toml", &team, "Team");
    Stage { sandbox, dir, seen: RefCell::default(), wrong: RefCell::default() }
}

const FORMATS: [&[&str]; 4] = [&["--porcelain"], &["--porcelain", "-z"], &["--json"], &[]];

/// `show` and the like in all their formats.
#[track_caller]
fn all_formats(stage: &Stage, args: &[&str], format: Option<&str>) {
    for more in FORMATS {
        // A NUL is what -z asks for.
        if more.contains(&"-z") {
            let all = [args, more].concat();
            stage.note(&all);
            let quietly = |command: &mut std::process::Command| {
                command.env("GIT_TERMINAL_PROMPT", "0");
            };
            let mut pty = Pty::spawn_with(&stage.sandbox, &stage.dir, WIDE.iter().chain(&all), quietly);
            pty.wait();
            let raw: Vec<u8> = pty.raw().iter().copied().filter(|b| *b != 0).collect();
            if let Err(why) = plain(&raw) {
                stage.is_wrong(&all, &why);
            }
            assert!(pty.raw().contains(&0), "{all:?}");
        } else {
            stage.shows(&[args, more].concat());
        }
    }
    if let Some(format) = format {
        stage.shows(&[args, &[format]].concat());
    }
}

#[test]
fn nothing_reaches_a_terminal_but_what_is_seen() {
    let stage = stage();
    let (sandbox, dir) = (&stage.sandbox, &stage.dir);
    stage.shows(&["task", "trust", "--yes"]);
    stage.shows(&["task", "add", "a", "--title", EVIL, "--goal", EVIL, "--scope", EVIL]);
    stage.see(&["task", "add", "b", "--after", "a", "--title", EVIL]);
    stage.shows(&["task", "add", "n", "-n", "--title", EVIL]);
    stage.shows(&["task", "add", "n", "-n", "--json", "--title", EVIL]);
    for (task, content) in [("a", "ours\n"), ("b", "theirs\n")] {
        sandbox.commit(stage.task_path(task), EVIL, content, EVIL);
    }
    sandbox.write(stage.task_path("a"), format!("new {EVIL}"), "new\n");
    let file = sandbox.path("plan.toml");
    std::fs::write(&file, format!("[[task]]\nname = 'p'\n{} = 1\n", toml(EVIL))).unwrap();
    stage.shows(&["task", "add", "--from", file.to_str().unwrap()]);
    stage.see(&["task", "block", "b", "-m", EVIL]);
    stage.see(&["task", "note", "b", "--blocker", EVIL, "--next", EVIL]);
    stage.shows(&["task", "note", "b"]);
    stage.see_in(dir, &["task", "note", "b", "--edit"], |c| {
        c.env("GIT_EDITOR", "true");
    });
    stage.see(&["task", "lock", "b", "--reason", EVIL]);
    stage.see(&["task", "rm", "-f", "b"]);
    all_formats(&stage, &["task", "show", "b"], Some("--format=%(goal) %(blocker) %(reason)"));
    all_formats(&stage, &["task", "list", "-v"], Some("--format=%(worktree) %(title)"));
    stage.shows(&["task", "list", "--all", "--markdown"]);
    stage.talks(&["task", "list", "--watch=60"], |pty| {
        pty.expect("TASK").expect("blocked").send("\x03");
    });
    stage.see(&["task", "unlock", "b"]);
    stage.shows(&["task", "path", "a"]);
    stage.see_in(dir, &["task", "shell", "a"], |c| {
        c.env("SHELL", "true");
    });
    stage.shows(&["task", "prompt", "a"]);
    stage.see_in(dir, &["task", "diff", "a", "--", "--stat"], |c| {
        c.env("GIT_PAGER", "cat");
    });
    stage.shows(&["task", "patch", "a", "-o", EVIL]);
    stage.see(&["task", "ready", "a"]);
    std::fs::remove_file(stage.task_path("a").join(format!("new {EVIL}"))).unwrap();
    stage.see(&["task", "reopen", "b"]);
    all_formats(&stage, &["task", "overlap", "--scope"], Some("--format=%(files) %(conflicts)"));
    stage.see(&["task", "start", "a", "--background", "--", "printf", EVIL]);
    let text = stage.see(&["task", "log", "-f", "a"]);
    stage.see(&["task", "stop", "a"]);
    if !text.contains("dlrow\nThe session") {
        stage.is_wrong(&["task", "log"], &text);
    }
    stage.see(&["task", "run", "a", "--session", EVIL]);
    stage.see(&["task", "run", "a"]);
    stage.see(&["task", "run", "a", "--json"]);
    let says = "printf %s \"$0\"; read x; exit 3";
    stage.talks(&["task", "run", "a", "--", "sh", "-c", says, EVIL], |_| ());
    sandbox.task(dir, ["ready", "a", "b"]).ok();
    sandbox.git(dir, ["config", "integrate.check", &format!("printf %s '{EVIL}'; exit 1")]).ok();
    stage.talks(&["task", "watch"], |pty| {
        pty.expect("Watching").expect("fails when merged into").send("\x03");
    });
    sandbox.git(dir, ["config", "--unset", "integrate.check"]).ok();
    // What fails is blocked.
    sandbox.task(dir, ["ready", "a", "b"]).ok();
    all_formats_of_integrate(&stage);
    stage.see(&["task", "sync", "b"]);
    sandbox.git(stage.task_path("b"), ["merge", "--abort"]);
    stage.see(&["task", "rename", "b", "bb"]);
    let elsewhere = sandbox.path(format!("else{EVIL}"));
    stage.see(&["task", "move", "bb", elsewhere.to_str().unwrap()]);
    std::fs::rename(&elsewhere, sandbox.path(format!("gone{EVIL}"))).unwrap();
    std::fs::write(&elsewhere, "").unwrap();
    sandbox.task(dir, ["add", "m"]).ok();
    stage.shows(&["task", "move", "m", elsewhere.to_str().unwrap()]);
    stage.shows(&["task", "repair", "-n"]);
    stage.shows(&["task", "repair"]);
    stage.see(&["task", "rm", "-f", "bb"]);
    stage.shows(&["task", "restore", "bb"]);
    stage.see(&["task", "rm", "-f", "bb"]);
    stage.see(&["task", "prune", "-n", "--expire=now"]);
    stage.see(&["task", "prune", "--expire=now"]);
    the_pool(&stage);
    stage.see(&["task", "completion", "bash"]);
    stage.shows(&["task", "install-man", &format!("man{EVIL}")]);
    let home = sandbox.path(format!("home{EVIL}"));
    std::fs::create_dir(&home).unwrap();
    let at_home = |c: &mut std::process::Command| {
        c.env("HOME", &home).env_remove("XDG_DATA_HOME");
    };
    stage.see_in(dir, &["task", "install-completions"], at_home);
    what_is_wrong(&stage);
    every_command_was_seen(&stage);
    let wrong = stage.wrong.take();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn all_formats_of_integrate(stage: &Stage) {
    let (sandbox, dir) = (&stage.sandbox, &stage.dir);
    for more in FORMATS {
        if more.contains(&"-z") {
            continue;
        }
        stage.shows(&[&["integrate", "-n"], more].concat());
        stage.shows(&[&["integrate", "--on-conflict=stop"], more].concat());
        stage.shows(&[&["integrate", "--status"], more].concat());
        stage.shows(&[&["integrate", "--continue"], more].concat());
        stage.see(&[&["integrate", "--skip"], more].concat());
        stage.see(&[&["integrate", "--undo"], more].concat());
        sandbox.task(dir, ["ready", "a", "b"]);
        stage.see(&["integrate", "--abort"]);
    }
    stage.talks(&["integrate", "--on-conflict=ask"], |pty| {
        pty.expect("1 conflict");
        for key in ["d", "?", "x", "q"] {
            pty.expect("[1,2,3,").send(&format!("{key}\r"));
        }
    });
    stage.see(&["integrate", "--quit"]);
    let check = format!("printf %s '{EVIL}'; exit 1");
    stage.see(&["integrate", "a", "--check", "true", "-m", EVIL, "--keep", "--no-check"]);
    stage.shows(&["integrate", "b", "--check", &check, "--on-conflict=ours"]);
    stage.see(&["integrate", "--abort"]);
    let path = sandbox.task(dir, ["add", "h"]).ok().path();
    sandbox.commit(&path, "h", "h\n", EVIL);
    sandbox.task(&path, ["ready"]).ok();
    let program = |file: &Path| {
        let text = format!("#!/bin/sh\nprintf '%s\\n' '{EVIL}' >&2\nexit 1\n");
        std::fs::write(file, text).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let hook = dir.join(".git/hooks/pre-merge-commit");
    program(&hook);
    stage.shows(&["integrate", "h"]);
    stage.shows(&["integrate", "--status"]);
    stage.shows(&["integrate", "--abort"]);
    std::fs::remove_file(hook).unwrap();
    let remote = sandbox.publish(dir);
    program(&remote.bare.join("hooks/pre-receive"));
    sandbox.git(dir, ["remote", "rename", "origin", NAME]).ok();
    sandbox.git(dir, ["branch", "-u", &format!("{NAME}/{NAME}")]).ok();
    let text = stage.shows(&["integrate", "h", "--push"]);
    if !text.contains("remote: e\\x1b]0;own") {
        stage.is_wrong(&["integrate", "--push"], &text);
    }
}

fn the_pool(stage: &Stage) {
    stage.see(&["pool", "init", "2"]);
    stage.shows(&["pool", "claim", "--holder", EVIL, "--no-refill"]);
    stage.shows(&["pool", "claim", "--holder", EVIL, "--no-refill", "--json"]);
    all_formats(stage, &["pool", "list", "--disk"], Some("--format=%(holder) %(worktree)"));
    let list = stage.sandbox.pool(&stage.dir, ["list", "--format=%(slot) %(worktree)"]).ok().stdout;
    let path = list.lines().next().unwrap().split_once(' ').unwrap().1.to_owned();
    std::fs::write(Path::new(&path).join(EVIL.replace('e', "x")), "").unwrap();
    stage.shows(&["pool", "release", &path]);
    stage.shows(&["pool", "renew", EVIL]);
    stage.see(&["pool", "fill", "1"]);
    stage.see(&["pool", "drain"]);
    stage.see(&["pool", "repair", "-n"]);
}

/// Every command with a hostile name, option and value: what is wrong with them is said.
fn what_is_wrong(stage: &Stage) {
    let option = format!("--{EVIL}");
    for program in [Program::Task, Program::Pool, Program::Integrate].map(Program::command) {
        let name = program.get_name().strip_prefix("git-").unwrap().to_owned();
        stage.shows(&[&name, EVIL]);
        stage.shows(&[&name, &option]);
        for sub in program.get_subcommands() {
            // What an editor, a shell or a session prints is theirs.
            stage.shows(&[&name, sub.get_name(), &option]);
            stage.see(&[&name, sub.get_name(), EVIL]);
            for arg in sub.get_arguments().filter(|arg| arg.get_action().takes_values() && !arg.is_hide_set())
            {
                let Some(long) = arg.get_long().filter(|long| *long != "color") else { continue };
                stage.see(&[&name, sub.get_name(), &format!("--{long}={EVIL}"), EVIL]);
            }
        }
    }
}

/// A new command, or a new way of one to print, is to be looked at above.
fn every_command_was_seen(stage: &Stage) {
    const WAYS: [&str; 10] = [
        "porcelain",
        "json",
        "format",
        "markdown",
        "watch",
        "dry-run",
        "status",
        "continue",
        "skip",
        "abort",
    ];
    let seen = stage.seen.borrow();
    for program in [Program::Task, Program::Pool, Program::Integrate].map(Program::command) {
        let name = program.get_name().strip_prefix("git-").unwrap().to_owned();
        let subs: Vec<_> = program.get_subcommands().cloned().collect();
        let all = subs.iter().map(|sub| (format!("{name} {}", sub.get_name()), sub));
        for (name, command) in all.chain(subs.is_empty().then_some((name.clone(), &program))) {
            assert!(seen.contains(&name), "git {name} was not looked at");
            let ways = command.get_arguments().filter_map(|arg| arg.get_long());
            for way in ways.filter(|way| WAYS.contains(way)) {
                assert!(seen.contains(&format!("{name} --{way}")), "git {name} --{way} was not looked at");
            }
        }
    }
}

#[test]
fn a_script_gets_what_is_there() {
    let stage = stage();
    let (sandbox, dir) = (&stage.sandbox, &stage.dir);
    sandbox.task(dir, ["trust", "--yes"]).ok();
    sandbox.task(dir, ["add", "a", "--title", EVIL, "--scope", EVIL]).ok();
    sandbox.task(dir, ["block", "a", "-m", EVIL]).ok();
    let path = stage.task_path("a");
    assert!(path.exists(), "{path:?}");
    let (path, base) = (path.to_str().unwrap(), format!("refs/heads/{NAME}"));
    for command in ["list", "show"] {
        let args = |more| [command, "a", more];
        let text = sandbox.task(dir, args("--format=%(title)|%(scope)|%(base)|%(worktree)")).ok().stdout;
        assert_eq!(text, format!("{EVIL}|{EVIL}|{base}|{path}\n"));
        let text = sandbox.task(dir, [command, "a", "--porcelain", "-z"]).ok().stdout;
        for line in [format!("title {EVIL}"), format!("base {base}"), format!("worktree {path}")] {
            assert!(text.split('\0').any(|have| have == line), "{line:?} in {text:?}");
        }
        let text = sandbox.task(dir, args("--json")).ok().stdout;
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json[0]["title"], &json[0]["base"]), (&EVIL.into(), &base.as_str().into()));
        assert_eq!(json[0]["worktree"], path);
    }
    assert!(
        sandbox.task(dir, ["prompt", "a"]).ok().raw_stdout.windows(EVIL.len()).any(|w| w == EVIL.as_bytes())
    );
}
