//! One of those who work at once: it does what was drawn, and writes down what came of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Instant;

use super::act::{self, Act, Chosen};
use super::history::{History, Span};
use super::random::Random;
use super::verdict::{self, Ended};
use crate::support::*;

/// What all share.
pub struct Ground<'a> {
    pub sandbox: &'a Sandbox,
    /// The main worktree.
    pub dir: PathBuf,
    /// Held open for writing by every process that is started, so that its end tells when all have ended.
    pub pipe: PathBuf,
    pub seed: u64,
    pub started: Instant,
    /// Held for writing while nobody may be in the middle of something, as `git gc --prune=now` demands.
    pub quiet: RwLock<()>,
    /// Held for writing while a foreign hand renames a task's branch, and for reading while somebody commits: a
    /// `git branch -m` that sees that the branch has moved puts it back to where it was (files_copy_or_rename_ref()
    /// in git's refs/files-backend.c), and the commit is lost without any command of ours.
    pub branches: RwLock<()>,
    pub ids: AtomicU64,
    /// Everything that was run, in the order of its end; GIT_PARALLEL_KEEP=1 keeps it.
    pub log: Mutex<std::fs::File>,
}

/// Something written, which must be found again.
#[derive(Clone, Debug)]
pub struct Written {
    pub name: String,
    pub content: String,
    /// git said that it is committed.
    pub committed: bool,
}

impl Ground<'_> {
    pub fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// Runs a command whose descendants, too, hold the pipe open.
    pub fn run(&self, dir: &Path, program: &str, args: &[String]) -> Run {
        // Its own directory may be gone by now; git says so in its words.
        let mut command = self.sandbox.command(self.sandbox.root(), "sh");
        command
            .args(["-c", r#"p=$1; shift; exec 9>>"$p"; exec "$@""#, "sh"])
            .arg(&self.pipe)
            .arg(program)
            .arg("-C")
            .arg(dir);
        let begin = self.now();
        let run = Run::of(command.args(args), b"");
        let run = Run { what: format!("(in {}) {program} {}", dir.display(), args.join(" ")), ..run };
        self.note(begin, &format!("{run}"));
        run
    }

    /// Writes something into the log.
    pub fn note(&self, begin: u64, what: &str) {
        let mut log = self.log.lock().expect("nobody panics while writing");
        writeln!(log, "{begin}..{} {what}", self.now()).expect("the log is writable");
    }
}

/// What one worker knows and did.
pub struct Worker<'a> {
    ground: &'a Ground<'a>,
    number: usize,
    /// Slots that it holds without a task: slot, lease and worktree.
    mine: Vec<((String, String), PathBuf)>,
    pub written: Vec<Written>,
    pub history: History,
}

impl<'a> Worker<'a> {
    pub fn new(ground: &'a Ground<'a>, number: usize) -> Self {
        Worker { ground, number, mine: Vec::new(), written: Vec::new(), history: History::default() }
    }

    /// Does the step that the seed gives to this number.
    pub fn step(&mut self, step: usize) {
        let ground = self.ground;
        let _in_the_middle = ground.quiet.read().expect("nobody panics while writing");
        let mut random = Random::of(ground.seed, self.number, step);
        let serial = format!("w{}s{step}", self.number);
        let Chosen { act, program, mut args } = act::choose(&mut random, &serial);
        let at = random.below(97);
        let lease = match act {
            Act::ReleaseMine | Act::RenewMine | Act::WorkInMine { .. } => {
                if self.mine.is_empty() {
                    return;
                }
                let at = at % self.mine.len();
                Some(if act == Act::ReleaseMine { self.mine.remove(at) } else { self.mine[at].clone() })
            }
            _ => None,
        };
        match (&act, &lease) {
            (Act::Work { task, commit, shared }, _) => {
                let path = ground.run(&ground.dir, "git", &["task", "path", task].map(str::to_owned));
                if path.code == 0 {
                    self.work(&path.path(), &serial, *commit, *shared);
                }
                return;
            }
            (Act::Intrude { slot, commit }, _) => {
                let path = ground.sandbox.path(format!("repo-worktrees/pool-{slot}"));
                if path.is_dir() {
                    self.work(&path, &serial, *commit, false);
                }
                return;
            }
            (Act::WorkInMine { commit }, Some((_, path))) => return self.work(path, &serial, *commit, false),
            (_, Some(((slot, lease), _))) => {
                args.extend([slot.clone(), "--lease".to_owned(), lease.clone()]);
            }
            _ => {}
        }
        let begin = ground.now();
        let run = ground.run(&ground.dir, program, &args);
        let span = Span { begin, end: ground.now() };
        self.count(&args, run.code);
        if run.code == 0 && act == Act::Claim(None) {
            let made: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_default();
            let text = |key: &str| made[0][key].as_str().unwrap_or_default().to_owned();
            self.mine.push(((text("slot"), text("lease")), text("worktree").into()));
        }
        // Refused: it is held still.
        if let (Act::ReleaseMine, Some(mine)) = (&act, &lease)
            && run.code != 0
            && !run.stderr.contains("does not hold any more")
        {
            self.mine.push(mine.clone());
        }
        let id = ground.ids.fetch_add(1, Ordering::Relaxed);
        let lease = lease.as_ref().map(|(pair, _)| pair);
        verdict::record(&mut self.history, &Ended { act: &act, span, id, run: &run, lease });
    }

    fn count(&mut self, args: &[String], code: i32) {
        let what = args[..2.min(args.len())].join(" ");
        *self.history.counts.entry((what, code)).or_default() += 1;
    }

    /// Puts a file in place, all at once, and commits it perhaps.
    fn work(&mut self, dir: &Path, serial: &str, commit: bool, shared: bool) {
        let name = if shared { "shared.txt".to_owned() } else { format!("work-{serial}.txt") };
        let content = format!("{serial} of {}\n", self.ground.seed);
        let temporary = dir.join(format!(".{name}.{}", self.number));
        let begin = self.ground.now();
        let put = std::fs::write(&temporary, &content);
        // Whoever takes the directory away between the two has seen nothing of it.
        if put.and_then(|()| std::fs::rename(&temporary, dir.join(&name))).is_err() {
            self.history.touched(dir, Span { begin, end: self.ground.now() });
            return;
        }
        self.ground.note(self.ground.now(), &format!("wrote {}", dir.join(&name).display()));
        let ground = self.ground;
        let mut git = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|s| (*s).to_owned()).collect();
            let code = ground.run(dir, "git", &args).code;
            self.count(&["git".to_owned(), args[0].clone()], code);
            code == 0
        };
        let committed = commit && git(&["add", "--", &name]) && {
            let _nobody_renames = ground.branches.read().expect("nobody panics while writing");
            git(&["commit", "--quiet", "--message", &format!("Work {serial}"), "--", &name])
        };
        self.history.touched(dir, Span { begin, end: ground.now() });
        if !shared {
            self.written.push(Written { name, content, committed });
        }
    }
}
