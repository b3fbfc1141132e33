//! `integrate.*`: where work goes, how it is merged and what must succeed before.

use super::Reader;
use super::team::TeamFile;
use crate::error::Result;

/// How a task's commits come onto the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ff {
    /// By a merge commit, always.
    No,
    /// Forward where that is possible, else by a merge commit.
    Yes,
    /// Forward, or not at all.
    Only,
    /// As one commit without a second parent.
    Squash,
    /// Commit by commit on top of the target.
    Rebase,
}

/// What is done about changes outside of a task's scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing.
    Ignore,
    /// They are named.
    Warn,
    /// The task is left out.
    Refuse,
}

/// A command that the merged result must pass, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The command line.
    pub command: String,
    /// It comes from the tracked team file, so that it needs `git task trust`.
    pub from_team: bool,
}

/// The settings of an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrateSettings {
    /// `integrate.into`: the target; absent means each task's base.
    pub into: Option<String>,
    /// `integrate.ff`.
    pub ff: Ff,
    /// `integrate.message`: template of the merge message's subject.
    pub message: Option<String>,
    /// `integrate.check` of git config if it has one, else of the team file.
    pub checks: Vec<Check>,
    /// `integrate.keepGoing`.
    pub keep_going: bool,
    /// `integrate.cleanup`: worktree, branch and note are cleaned up afterwards.
    pub cleanup: bool,
    /// `integrate.scope`.
    pub scope: Scope,
}

impl IntegrateSettings {
    /// Reads them.
    ///
    /// # Errors
    /// If a value makes no sense, with its key.
    pub fn load(read: &Reader<'_>, team: Option<&TeamFile>) -> Result<Self> {
        let own = read.texts("integrate.check")?;
        let of_team = team.map_or(&[][..], |team| &team.checks);
        let (checks, from_team) = if own.is_empty() { (of_team, true) } else { (&own[..], false) };
        Ok(IntegrateSettings {
            into: read.text("integrate.into")?,
            ff: match read.text("integrate.ff")?.as_deref() {
                None | Some("no" | "false") => Ff::No,
                Some("yes" | "true") => Ff::Yes,
                Some("only") => Ff::Only,
                Some("squash") => Ff::Squash,
                Some("rebase") => Ff::Rebase,
                Some(_) => return Err(read.bad("config", "integrate.ff")),
            },
            message: read.text("integrate.message")?,
            checks: checks.iter().map(|c| Check { command: c.clone(), from_team }).collect(),
            keep_going: read.boolean("integrate.keepGoing")?.unwrap_or(false),
            cleanup: read.boolean("integrate.cleanup")?.unwrap_or(true),
            scope: match read.text("integrate.scope")?.as_deref() {
                None | Some("warn") => Scope::Warn,
                Some("ignore") => Scope::Ignore,
                Some("refuse") => Scope::Refuse,
                Some(_) => return Err(read.bad("config", "integrate.scope")),
            },
        })
    }
}
