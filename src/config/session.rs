//! `session.*` and what bounds sessions: the commands that work on tasks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gix::bstr::ByteSlice;

use super::Reader;
use super::team::TeamFile;
use crate::error::{OrFatal, Result};

/// A command that works on a task, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The command line, with placeholders.
    pub command: String,
    /// It comes from the tracked team file, so that it needs `git task trust`.
    pub from_team: bool,
}

/// The settings of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// `session.<name>.command` of git config, else of the team file, by name.
    pub all: BTreeMap<String, Session>,
    /// `task.maxSessions`: sessions at once.
    pub max: usize,
    /// `task.logLimit`: bytes that a session's log may have.
    pub log_limit: usize,
    /// `task.promptFormat`: the file with the template of `git task prompt`.
    pub prompt_format: Option<PathBuf>,
}

impl SessionSettings {
    /// Reads them.
    ///
    /// # Errors
    /// If a value makes no sense, with its key.
    pub fn load(read: &Reader<'_>, team: Option<&TeamFile>) -> Result<Self> {
        let of_team = team.into_iter().flat_map(|t| &t.sessions);
        let mut all: BTreeMap<String, Session> = of_team
            .map(|(name, command)| (name.clone(), Session { command: command.clone(), from_team: true }))
            .collect();
        for name in read.subsections("session") {
            if let Some(command) = read.text(&format!("session.{name}.command"))? {
                all.insert(name, Session { command, from_team: false });
            }
        }
        Ok(SessionSettings {
            all,
            max: read.count("task.maxSessions")?.unwrap_or(3),
            log_limit: read.count("task.logLimit")?.unwrap_or(64 << 20),
            prompt_format: read.path("task.promptFormat")?,
        })
    }
}

impl Reader<'_> {
    /// The names in `[<section> "<name>"]`.
    fn subsections(&self, section: &str) -> Vec<String> {
        let sections = self.0.plumbing().sections_by_name(section).into_iter().flatten();
        let names =
            sections.filter_map(|s| s.header().subsection_name().map(|n| n.to_str_lossy().into_owned()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names.dedup();
        names
    }

    /// A path, with `~/` understood as git does.
    fn path(&self, key: &str) -> Result<Option<PathBuf>> {
        self.0.trusted_path(key).or_fatal(|| format!("bad config value for '{key}'"))
    }
}
