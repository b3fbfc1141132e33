//! What the process was given by its surroundings: directory, time, and the environment that counts.
//!
//! Everything that a test wants to fix comes from here; nothing below reads the environment itself.

#![expect(clippy::disallowed_methods, reason = "the environment is read here, once")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{OrFatal, Result};

/// Variables that say which tools are used, and how, in the languages that have such.
const TOOLS: &[&str] = &[
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "MAKEFLAGS",
    "RUSTUP_TOOLCHAIN",
    "RUSTFLAGS",
    "CARGO_HOME",
    "GOROOT",
    "GOFLAGS",
    "JAVA_HOME",
    "MAVEN_OPTS",
    "NODE_ENV",
    "NODE_OPTIONS",
    "NVM_BIN",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "RUBYOPT",
    "GEM_HOME",
    "DOTNET_ROOT",
];

/// The surroundings of one run.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where the user is, after `git -C`.
    pub cwd: PathBuf,
    /// `git -c key=value`, in the form that git hands it down.
    pub config_parameters: Option<OsString>,
    /// Seconds since the epoch if the clock is fixed, as git's own tests do it.
    fixed_now: Option<i64>,
    /// `GIT_TERMINAL_PROMPT` does not forbid prompts and the terminal is not dumb.
    pub prompts_allowed: bool,
    /// `NO_COLOR` is set to something.
    pub no_color: bool,
    /// git has started a pager for our output.
    pub pager_in_use: bool,
    /// `GIT_ADVICE` is not 0.
    pub advice: bool,
    /// The terminal understands no escape sequences.
    pub dumb_terminal: bool,
    /// The user's shell, for `git task shell`.
    pub shell: Option<OsString>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Where files of the user's programs lie: `XDG_DATA_HOME`, else `~/.local/share`.
    pub data_home: Option<PathBuf>,
    /// Where the user's configuration lies: `XDG_CONFIG_HOME`, else `~/.config`.
    pub config_home: Option<PathBuf>,
    /// Where temporary files go.
    pub temp_dir: PathBuf,
    /// Where programs are looked for.
    pub search_path: Vec<PathBuf>,
    /// Variables that choose the tools which a check runs, and their values: a pass with others says nothing.
    pub tools: Vec<(&'static str, OsString)>,
    /// The user's name as the system knows it, for `{user}` in templates.
    pub user: Option<String>,
}

impl Context {
    /// Reads the surroundings once.
    ///
    /// # Errors
    /// If the current directory is gone, as git: "Unable to read current working directory".
    pub fn from_env() -> Result<Self> {
        let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        // The specification says that what is not absolute counts as not set.
        let dir = |name: &str| var(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let home = dir("HOME");
        let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let dumb_terminal = var("TERM").is_none_or(|t| t == "dumb");
        Ok(Context {
            cwd: std::env::current_dir().or_fatal(|| "Unable to read current working directory")?,
            config_parameters: var("GIT_CONFIG_PARAMETERS"),
            fixed_now: var("GIT_TEST_DATE_NOW").and_then(|v| v.to_str()?.parse().ok()),
            prompts_allowed: !dumb_terminal && var("GIT_TERMINAL_PROMPT").is_none_or(|v| !is_false(&v)),
            no_color: var("NO_COLOR").is_some(),
            pager_in_use: var("GIT_PAGER_IN_USE").is_some_and(|v| !is_false(&v)),
            advice: var("GIT_ADVICE").is_none_or(|v| !is_false(&v)),
            dumb_terminal,
            shell: var("SHELL"),
            data_home: dir("XDG_DATA_HOME").or_else(|| below_home(".local/share")),
            config_home: dir("XDG_CONFIG_HOME").or_else(|| below_home(".config")),
            home,
            temp_dir: std::env::temp_dir(),
            search_path: var("PATH").map(|p| std::env::split_paths(&p).collect()).unwrap_or_default(),
            tools: TOOLS.iter().filter_map(|name| Some((*name, var(name)?))).collect(),
            user: var("USER").or_else(|| var("LOGNAME")).and_then(|v| v.into_string().ok()),
        })
    }

    /// The directory in which PATH finds this program under `name`, else the one that it really lies in: what
    /// a package manager links into a directory belongs to that one.
    ///
    /// # Errors
    /// If the system can't say which program this is.
    pub fn bin_dir(&self, name: &str) -> std::io::Result<PathBuf> {
        let program = std::env::current_exe()?.canonicalize()?;
        let is_this = |dir: &&PathBuf| dir.join(name).canonicalize().is_ok_and(|found| found == program);
        let dirs: Vec<PathBuf> = self.search_path.iter().map(|dir| self.cwd.join(dir)).collect();
        let found = dirs.iter().find(is_this).cloned();
        found.or_else(|| program.parent().map(PathBuf::from)).ok_or(std::io::ErrorKind::NotFound.into())
    }

    /// Who this is, for others: `user@host:process`.
    pub fn who(&self) -> String {
        let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let host =
            read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).filter(|h| !h.is_empty());
        let user = self.user.as_deref().unwrap_or("user");
        format!("{user}@{}:{}", host.as_deref().unwrap_or("localhost"), std::process::id())
    }

    /// Sixteen hexadecimal digits that nobody else gets: the system seeds them anew for each process.
    pub fn token(&self) -> String {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.write_i64(self.now());
        format!("{:016x}", hasher.finish())
    }

    /// Seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.fixed_now.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
        })
    }
}

fn is_false(value: &std::ffi::OsStr) -> bool {
    value.to_str().is_some_and(|v| ["0", "false", "no", "off"].contains(&v.to_ascii_lowercase().as_str()))
}

/// Goes to `home` from a directory that is being removed, by somebody else and at any moment: some libraries can't do
/// anything where there is none. False if neither is there.
pub fn leave_removed_directory(home: &std::path::Path) -> bool {
    std::env::set_current_dir(home).is_ok() || std::env::current_dir().is_ok()
}
