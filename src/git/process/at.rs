//! Which repository a git command works on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Cmd, command};

/// Where git commands of one repository run.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
    git_dir: Option<PathBuf>,
    index: Option<PathBuf>,
}

impl Git {
    /// git works on the worktree whose top level is `dir`, and on no other: if its `.git` is missing or broken
    /// that is an error, where looking upwards could find the repository around it.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Git { git_dir: Some(dir.join(".git")), dir, index: None }
    }

    /// git looks for the repository from `dir` upwards.
    pub fn discovering(dir: impl Into<PathBuf>) -> Self {
        Git { dir: dir.into(), git_dir: None, index: None }
    }

    /// git runs in `dir` and is told its repository.
    pub fn with_git_dir(dir: impl Into<PathBuf>, git_dir: impl Into<PathBuf>) -> Self {
        Git { dir: dir.into(), git_dir: Some(git_dir.into()), index: None }
    }

    /// The same with another index.
    #[must_use]
    pub fn with_index(&self, index: &Path) -> Self {
        Git { index: Some(index.to_owned()), ..self.clone() }
    }

    /// A git command with settings of our own. `git -c` would take a key to end at the first `=`, and the name of
    /// a branch may have one.
    pub fn configured<I, S>(&self, settings: &[(&str, &str)], args: I) -> Cmd
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let numbered =
            || settings.iter().enumerate().map(|(n, setting)| (format!("GIT_PARALLEL_VALUE_{n}"), setting));
        let options = numbered().map(|(var, (key, _))| format!("--config-env={key}={var}"));
        self.cmd(options).args(args).envs(numbered().map(|(var, (_, value))| (var, value)))
    }

    /// A git command, not yet started.
    pub fn cmd<I, S>(&self, args: I) -> Cmd
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = command("git");
        command.current_dir(&self.dir);
        if let Some(git_dir) = &self.git_dir {
            command.env("GIT_DIR", git_dir);
        }
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        // Messages are read, so they must be in git's own words; LC_ALL would also change how an editor or a
        // hook treats characters.
        command.env("LANGUAGE", "C").env("LC_MESSAGES", "C");
        command.args(args);
        Cmd { command, stdin: None, leaves_others: false, keeps_open: true }
    }
}
