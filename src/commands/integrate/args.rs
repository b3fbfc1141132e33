//! The options of `git integrate`.

use clap::{ArgGroup, Args as ClapArgs};

use crate::config::integrate::Ff;
use crate::error::{Failure, Result};
use crate::integrate::journal::OnConflict;
use crate::text::escape_controls;

/// What to integrate, and how
#[derive(ClapArgs, Clone, Debug, Default)]
#[command(group = ArgGroup::new("action").args(["go_on", "skip", "abort", "quit", "status", "undo"]))]
pub struct Args {
    /// The tasks; without any, all that are ready and whose target this is
    #[arg(value_name = "task", conflicts_with = "action")]
    pub tasks: Vec<String>,
    /// The branch that they go into [default: integrate.into, else their base]
    #[arg(long, value_name = "branch")]
    pub into: Option<String>,
    /// Always by a merge commit
    #[arg(long, overrides_with_all = ["ff", "ff_only", "squash", "rebase"], help_heading = MERGING)]
    pub no_ff: bool,
    /// Forward where that is possible, else by a merge commit
    #[arg(long, overrides_with_all = ["no_ff", "ff_only", "squash", "rebase"], help_heading = MERGING)]
    pub ff: bool,
    /// Forward, or not at all
    #[arg(long, overrides_with_all = ["no_ff", "ff", "squash", "rebase"], help_heading = MERGING)]
    pub ff_only: bool,
    /// Each task as one commit
    #[arg(long, overrides_with_all = ["no_ff", "ff", "ff_only", "rebase"], help_heading = MERGING)]
    pub squash: bool,
    /// Commit by commit on top of the target
    #[arg(long, overrides_with_all = ["no_ff", "ff", "ff_only", "squash"], help_heading = MERGING)]
    pub rebase: bool,
    /// Template of the merge message's subject [default: integrate.message]
    #[arg(short, long, value_name = "template", help_heading = MERGING)]
    pub message: Option<String>,
    /// An option for the merge strategy, as in git-merge(1); may be given several times
    #[arg(short = 'X', long, value_name = "option", help_heading = MERGING)]
    pub strategy_option: Vec<String>,
    /// Sign the commits
    #[arg(short = 'S', long, value_name = "keyid", num_args = 0..=1, require_equals = true, default_missing_value = "", overrides_with = "no_gpg_sign", help_heading = MERGING)]
    pub gpg_sign: Option<String>,
    /// Don't sign them, whatever commit.gpgSign says
    #[arg(long, overrides_with = "gpg_sign", help_heading = MERGING)]
    pub no_gpg_sign: bool,
    /// Add a Signed-off-by trailer
    #[arg(long, help_heading = MERGING)]
    pub signoff: bool,
    /// A command that must succeed on the merged result, instead of integrate.check; may be given several times
    #[arg(long, value_name = "cmd", overrides_with = "no_check")]
    pub check: Vec<String>,
    /// Without checks
    #[arg(long, overrides_with = "check")]
    pub no_check: bool,
    /// Check so many merged results of the train at once, in idle slots of the pool
    #[arg(short, long, value_name = "n")]
    pub jobs: Option<usize>,
    /// Leave out what conflicts or fails, and land the rest
    #[arg(long, overrides_with = "no_keep_going")]
    pub keep_going: bool,
    #[arg(long, hide = true, overrides_with = "keep_going")]
    pub no_keep_going: bool,
    /// What to do on a conflict: ask, stop, skip, ours, theirs or union
    #[arg(long, value_name = "how")]
    pub on_conflict: Option<String>,
    /// Keep worktrees, branches and notes of what has landed
    #[arg(long, overrides_with = "no_keep")]
    pub keep: bool,
    #[arg(long, hide = true, overrides_with = "keep")]
    pub no_keep: bool,
    /// Push the target when it has moved
    #[arg(long)]
    pub push: bool,
    /// Say what would happen, and do nothing
    #[arg(short = 'n', long, conflicts_with = "action")]
    pub dry_run: bool,

    /// Go on with an integration that stopped
    #[arg(long = "continue", help_heading = STOPPED)]
    pub go_on: bool,
    /// Go on without this task and those that come after it
    #[arg(long, help_heading = STOPPED)]
    pub skip: bool,
    /// Give it up; nothing has landed
    #[arg(long, help_heading = STOPPED)]
    pub abort: bool,
    /// Give it up, but leave the private worktree as it is
    #[arg(long, help_heading = STOPPED)]
    pub quit: bool,
    /// Tell whether one is in progress, and where it stands
    #[arg(long, help_heading = STOPPED)]
    pub status: bool,
    /// Put the target of the last integration back
    #[arg(long, help_heading = STOPPED)]
    pub undo: bool,

    /// For scripts: a line for each result
    #[arg(long, value_name = "version", num_args = 0..=1, require_equals = true, default_missing_value = "v1", conflicts_with = "json", help_heading = FORMATS)]
    pub porcelain: Option<String>,
    /// With --porcelain: end lines with NUL instead of a newline
    #[arg(short = 'z', requires = "porcelain", help_heading = FORMATS)]
    pub nul: bool,
    /// One JSON document
    #[arg(long, help_heading = FORMATS)]
    pub json: bool,
}

const MERGING: &str = "Merge options";
const STOPPED: &str = "When it has stopped";
const FORMATS: &str = "Format options";

/// What to do with an integration that was begun already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `--continue`
    Continue,
    /// `--skip`
    Skip,
    /// `--abort`
    Abort,
    /// `--quit`
    Quit,
    /// `--status`
    Status,
    /// `--undo`
    Undo,
}

impl Action {
    /// The option that asks for it.
    pub fn option(self) -> &'static str {
        match self {
            Action::Continue => "--continue",
            Action::Skip => "--skip",
            Action::Abort => "--abort",
            Action::Quit => "--quit",
            Action::Status => "--status",
            Action::Undo => "--undo",
        }
    }
}

impl Args {
    /// What clap can't see.
    ///
    /// # Errors
    /// If a value is none of those that its option takes.
    pub fn require_sense(&self) -> Result<()> {
        self.on_conflict()?;
        if self.jobs == Some(0) {
            return Err(Failure::usage("option `jobs' expects a number above 0"));
        }
        match self.porcelain.as_deref() {
            None | Some("v1" | "1") => Ok(()),
            Some(other) => {
                let shown = escape_controls(other.as_bytes());
                Err(Failure::fatal(format!("unsupported porcelain version '{shown}'")))
            }
        }
    }

    /// What is to be done with an integration that was begun already, if anything.
    pub fn action(&self) -> Option<Action> {
        let given = [
            (self.go_on, Action::Continue),
            (self.skip, Action::Skip),
            (self.abort, Action::Abort),
            (self.quit, Action::Quit),
            (self.status, Action::Status),
            (self.undo, Action::Undo),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, action)| action)
    }

    /// How the commits come onto the target, if an option says it; the last one does.
    pub fn ff(&self) -> Option<Ff> {
        let given = [
            (self.no_ff, Ff::No),
            (self.ff, Ff::Yes),
            (self.ff_only, Ff::Only),
            (self.squash, Ff::Squash),
            (self.rebase, Ff::Rebase),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, ff)| ff)
    }

    /// Whether to leave out what conflicts or fails, if an option says it.
    pub fn keep_going(&self) -> Option<bool> {
        (self.keep_going || self.no_keep_going).then_some(self.keep_going)
    }

    /// Whether to keep what belongs to the tasks, if an option says it.
    pub fn keep(&self) -> Option<bool> {
        (self.keep || self.no_keep).then_some(self.keep)
    }

    /// What to do on a conflict, if the option is given.
    ///
    /// # Errors
    /// If it is none of the words.
    pub fn on_conflict(&self) -> Result<Option<OnConflict>> {
        let Some(word) = &self.on_conflict else { return Ok(None) };
        match OnConflict::from_word(word) {
            Some(how) => Ok(Some(how)),
            None => {
                let shown = escape_controls(word.as_bytes());
                let words = OnConflict::WORDS.join(", ");
                Err(Failure::usage(format!("option `on-conflict' expects one of {words}, and not '{shown}'")))
            }
        }
    }
}
