//! Settings: git config and the team file, resolved once into types.
//!
//! git config of the same meaning overrides the team file. What can't be understood is an error that names
//! the key, because a default in its place would do something the user didn't ask for.

pub mod integrate;
pub mod pool;
pub mod session;
pub mod team;
pub mod trust;

use std::path::PathBuf;
use std::time::Duration;

use gix::bstr::{BStr, ByteSlice};

use crate::bounded;
use crate::duration;
use crate::error::{Failure, OrFatal, Result};
use crate::git::Repo;
use crate::text::escape_controls;
use integrate::IntegrateSettings;
use pool::PoolSettings;
use session::SessionSettings;
use team::TeamFile;

/// Where the team file is, below the top of the main worktree.
pub const TEAM_FILE: &str = ".config/git-parallel.toml";

/// So many bytes a team file has at most: every command reads it.
const TEAM_FILE_LIMIT: u64 = 1 << 20;

/// How `git task sync` brings the base in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// By a merge.
    Merge,
    /// By a rebase.
    Rebase,
}

/// `branch.autoSetupMerge`; see git-config(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoSetupMerge {
    /// No upstream.
    Never,
    /// For a remote-tracking start.
    Remote,
    /// For a local one too.
    Always,
    /// What the start has itself.
    Inherit,
    /// For a remote-tracking start of the same name.
    Simple,
}

/// The settings of one run.
#[derive(Debug)]
pub struct Settings {
    /// `task.base`: what new tasks start from; absent means the current branch.
    pub base: Option<String>,
    /// `task.branchFormat`, if set.
    pub branch_format: Option<String>,
    /// `task.worktreeFormat`.
    pub worktree_format: String,
    /// `task.limit`: live tasks before a warning.
    pub limit: usize,
    /// `task.trackNotes`: notes belong to the branch.
    pub track_notes: bool,
    /// `task.sync`.
    pub sync: Sync,
    /// `task.lockTimeout`: how long to wait for our lock and for git's.
    pub lock_timeout: Duration,
    /// `task.trashExpire`: how long what was removed stays restorable.
    pub trash_expire: Duration,
    /// `branch.autoSetupMerge`.
    pub auto_setup_merge: AutoSetupMerge,
    /// `branch.autoSetupRebase` asks for rebase of a branch with a remote, or a local, upstream.
    pub auto_setup_rebase: (bool, bool),
    /// `pool.*`
    pub pool: PoolSettings,
    /// `integrate.*`
    pub integrate: IntegrateSettings,
    /// `session.*` and what bounds sessions.
    pub session: SessionSettings,
    /// The team file, if there is one.
    pub team: Option<TeamFile>,
    /// Where the team file is.
    pub team_path: PathBuf,
}

/// Typed reading of git config, with git's messages.
pub struct Reader<'a>(&'a gix::config::Snapshot<'a>);

impl<'a> Reader<'a> {
    /// Reads from this configuration.
    pub fn new(snapshot: &'a gix::config::Snapshot<'a>) -> Self {
        Reader(snapshot)
    }

    /// The last value of a key, if it has one that is text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self, key: &str) -> Result<Option<String>> {
        self.0
            .string(key)
            .map(|v| v.to_str().map(str::to_owned).or_fatal(|| bad("config", v.as_ref(), key)))
            .transpose()
    }

    /// All values of a key that are text.
    ///
    /// # Errors
    /// If one is not UTF-8.
    pub fn texts(&self, key: &str) -> Result<Vec<String>> {
        let values = self.0.plumbing().strings(key).unwrap_or_default();
        values
            .iter()
            .map(|v| v.to_str().map(str::to_owned).or_fatal(|| bad("config", v.as_ref(), key)))
            .collect()
    }

    /// A boolean.
    ///
    /// # Errors
    /// If the value is none.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>> {
        self.0.try_boolean(key).map_err(|_| self.bad("boolean config", key))
    }

    /// A number that is not negative.
    ///
    /// # Errors
    /// If the value is none.
    pub fn count(&self, key: &str) -> Result<Option<usize>> {
        let number = self.0.try_integer(key).map_err(|_| self.bad("numeric config", key))?;
        number.map(|n| usize::try_from(n).map_err(|_| self.bad("numeric config", key))).transpose()
    }

    /// A duration such as `10s`.
    ///
    /// # Errors
    /// If the value is none.
    pub fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let text = self.text(key)?;
        text.map(|t| duration::parse(&t).map_err(|e| e.context(format!("bad config value for '{key}'"))))
            .transpose()
    }

    fn bad(&self, what: &str, key: &str) -> Failure {
        Failure::fatal(bad(what, self.0.string(key).unwrap_or_default().as_ref(), key))
    }
}

fn bad(what: &str, value: &BStr, key: &str) -> String {
    format!("bad {what} value '{}' for '{key}'", escape_controls(value))
}

impl Settings {
    /// Reads git config and the team file.
    ///
    /// # Errors
    /// If a value is not what its key needs, with key or with file and line.
    pub fn load(repo: &Repo) -> Result<Self> {
        let gix = repo.gix();
        let snapshot = gix.config_snapshot();
        let read = Reader::new(&snapshot);
        let team_path = team_path(repo);
        let team = load_team(&team_path, |name| {
            snapshot.string(format!("session.{name}.command").as_str()).is_some()
        })?;
        let from_team = team.as_ref().map(|t| t.task.clone()).unwrap_or_default();
        let days = |n: u64| Duration::from_secs(n * 24 * 60 * 60);
        Ok(Settings {
            base: read.text("task.base")?.or(from_team.base),
            branch_format: read.text("task.branchFormat")?.or(from_team.branch_format),
            worktree_format: read
                .text("task.worktreeFormat")?
                .or(from_team.worktree_format)
                .unwrap_or_else(|| "../{repo}-worktrees/{task}".to_owned()),
            limit: read
                .count("task.limit")?
                .or(from_team.limit.and_then(|n| usize::try_from(n).ok()))
                .unwrap_or(5),
            track_notes: read.boolean("task.trackNotes")?.unwrap_or(false),
            sync: match read.text("task.sync")?.as_deref() {
                None | Some("merge") => Sync::Merge,
                Some("rebase") => Sync::Rebase,
                Some(_) => return Err(read.bad("config", "task.sync")),
            },
            lock_timeout: read.duration("task.lockTimeout")?.unwrap_or(Duration::from_secs(10)),
            trash_expire: read.duration("task.trashExpire")?.unwrap_or(days(30)),
            auto_setup_merge: match read.text("branch.autoSetupMerge")?.as_deref() {
                Some("always") => AutoSetupMerge::Always,
                Some("inherit") => AutoSetupMerge::Inherit,
                Some("simple") => AutoSetupMerge::Simple,
                _ => match read.boolean("branch.autoSetupMerge")? {
                    Some(false) => AutoSetupMerge::Never,
                    _ => AutoSetupMerge::Remote,
                },
            },
            auto_setup_rebase: match read.text("branch.autoSetupRebase")?.as_deref() {
                Some("always") => (true, true),
                Some("remote") => (true, false),
                Some("local") => (false, true),
                _ => (false, false),
            },
            pool: PoolSettings::load(&read)?,
            integrate: IntegrateSettings::load(&read, team.as_ref())?,
            session: SessionSettings::load(&read, team.as_ref())?,
            team,
            team_path,
        })
    }

    /// Gitignore patterns of the untracked files that each new worktree gets.
    pub fn setup_copy(&self) -> &[String] {
        self.team.as_ref().map_or(&[], |t| &t.setup.copy)
    }

    /// Commands that set a new worktree up.
    pub fn setup_run(&self) -> &[String] {
        self.team.as_ref().map_or(&[], |t| &t.setup.run)
    }
}

/// The sessions that there are, in git config and in the team file; what can't be read has none.
pub fn session_names(repo: &Repo) -> Vec<String> {
    let gix = repo.gix();
    let config = gix.config_snapshot();
    let sections = config.plumbing().sections_by_name("session").into_iter().flatten();
    let mut names: Vec<String> = sections
        .filter(|s| s.body().value("command").is_some())
        .filter_map(|s| s.header().subsection_name().map(|n| n.to_str_lossy().into_owned()))
        .collect();
    let team = load_team(&team_path(repo), |_| true).ok().flatten();
    names.extend(team.into_iter().flat_map(|t| t.sessions.into_keys()));
    names.sort();
    names.dedup();
    names
}

/// The stages of the team file, in order; what can't be read has none.
pub fn stage_names(repo: &Repo) -> Vec<String> {
    let team = load_team(&team_path(repo), |_| true).ok().flatten();
    team.into_iter().flat_map(|t| t.stages).map(|stage| stage.name).collect()
}

/// Where the team file of a repository is.
fn team_path(repo: &Repo) -> PathBuf {
    repo.main_worktree().or(repo.workdir()).unwrap_or(repo.common_dir()).join(TEAM_FILE)
}

fn load_team(path: &std::path::Path, session_known: impl Fn(&str) -> bool) -> Result<Option<TeamFile>> {
    let bytes = match bounded::read(path, TEAM_FILE_LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
    };
    let text = String::from_utf8(bytes).or_fatal(|| format!("could not read '{}'", path.display()))?;
    team::parse(&text, TEAM_FILE, session_known).map(Some)
}
