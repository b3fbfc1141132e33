//! The repository of the sweep, and looking at what a terminal shows.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git_parallel::cli::Program;
use git_parallel::text::is_hidden;

use crate::support::*;

/// Sets the title, blinks, clears, overwrites and turns round. Nothing of ours blinks.
pub const EVIL: &str = "e\u{1b}]0;own\u{7}\u{1b}[5;41m\u{9b}2J\rover\u{202e}dlrow";

/// The same as far as git takes it for a branch or a remote.
pub const NAME: &str = "n\u{9b}2J\u{202e}";

/// A terminal so wide that no table is cut.
pub const WIDE: [&str; 4] = ["sh", "-c", "stty cols 4000 && exec git \"$@\"", "git"];

/// A repository in which all that has a name has a hostile one.
pub struct Stage {
    pub sandbox: Sandbox,
    pub dir: PathBuf,
    /// What was looked at: the command's name, and the options that make it print something else.
    pub seen: RefCell<BTreeSet<String>>,
    /// What should not have been seen.
    pub wrong: RefCell<Vec<String>>,
}

/// What a terminal shows, if it is nothing but text in colours of our own; else why not.
pub fn plain(raw: &[u8]) -> Result<String, String> {
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
    pub fn note(&self, args: &[&str]) {
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
    pub fn see(&self, args: &[&str]) -> String {
        self.see_in(&self.dir, args, |_| ())
    }

    pub fn see_in(
        &self,
        dir: &Path,
        args: &[&str],
        change: impl FnOnce(&mut std::process::Command),
    ) -> String {
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

    pub fn is_wrong(&self, args: &[&str], why: &str) {
        self.wrong.borrow_mut().push(format!("{args:?}: {why}"));
    }

    /// The same, and something was there to be escaped.
    pub fn shows(&self, args: &[&str]) -> String {
        let text = self.see(args);
        // JSON has escapes of its own.
        if !text.contains("\\u{9b}2J") && !text.contains("\\u009b2J") {
            self.is_wrong(args, &format!("nothing to escape in {text}"));
        }
        text
    }

    /// With what is asked and drawn, which moves the cursor itself: nothing of the hostile text is in it.
    #[track_caller]
    pub fn talks(&self, args: &[&str], talk: impl FnOnce(&mut Pty)) {
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

    pub fn task_path(&self, task: &str) -> PathBuf {
        self.sandbox.task(&self.dir, ["path", task]).ok().path()
    }
}

/// A TOML basic string.
pub fn toml(text: &str) -> String {
    let escaped =
        text.chars().map(|c| if is_hidden(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() });
    format!("\"{}\"", escaped.collect::<String>())
}

/// The team's file too.
pub fn stage() -> Stage {
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
