//! A directory with a home of its own and an environment in which nothing comes from outside.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::run::Run;

/// What git and our commands take for the present: 2025-01-01T12:00:00Z.
pub const NOW: u64 = 1_735_732_800;

/// The date of the first commit, twelve hours before [`NOW`]. Each further one is a minute later.
const FIRST_COMMIT: u64 = NOW - 12 * 60 * 60;

/// Names another git than the one on PATH.
const TEST_GIT: &str = "GIT_PARALLEL_TEST_GIT";

/// Under this variable the directory of a failed test stays, and its name is printed.
const KEEP: &str = "GIT_PARALLEL_KEEP";

/// Our commands as cargo has just built them.
pub const BINARIES: [(&str, &str); 3] = [
    ("git-task", env!("CARGO_BIN_EXE_git-task")),
    ("git-pool", env!("CARGO_BIN_EXE_git-pool")),
    ("git-integrate", env!("CARGO_BIN_EXE_git-integrate")),
];

/// The git under test.
pub struct Git {
    /// The program.
    pub program: PathBuf,
    /// Its version, as far as features depend on it.
    pub version: (u32, u32),
}

/// The git that `GIT_PARALLEL_TEST_GIT` names, else the first on PATH.
///
/// # Panics
/// If there is none, if its exec path belongs to another version, or if a command of ours lies
/// there: git looks there first, so the tests would run that one.
pub fn git_under_test() -> &'static Git {
    static GIT: OnceLock<Git> = OnceLock::new();
    GIT.get_or_init(|| {
        let program = match std::env::var_os(TEST_GIT) {
            Some(path) => PathBuf::from(path),
            None => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                find_in(std::env::split_paths(&path), "git").expect("git is on PATH")
            }
        };
        assert!(
            program.is_absolute() && program.ends_with("git"),
            "{TEST_GIT} is the absolute path of a program called git, not {}",
            program.display()
        );
        let ask = |program: &Path, arg: &str| {
            let mut command = Command::new(program);
            command.arg(arg).env_remove("GIT_EXEC_PATH");
            Run::of(&mut command, b"").ok().line().to_owned()
        };
        let version = ask(&program, "--version");
        let exec_path = PathBuf::from(ask(&program, "--exec-path"));
        let inner = ask(&exec_path.join("git"), "--version");
        assert!(inner == version, "{} is {version}, but its exec path has {inner}", program.display());
        for (name, _) in BINARIES {
            let other = exec_path.join(name);
            assert!(!other.exists(), "git would run {} instead of ours", other.display());
        }
        let numbers = version.strip_prefix("git version ").expect("git says its version");
        let mut numbers = numbers.split('.').map(|n| n.parse().expect("a version has numbers"));
        let version = (numbers.next().expect("major"), numbers.next().expect("minor"));
        Git { program, version }
    })
}

/// Where programs are looked for inside a sandbox, after our own.
fn search_path() -> Vec<PathBuf> {
    let git = git_under_test().program.parent().expect("an absolute path of a file has a parent");
    vec![git.to_owned(), "/usr/bin".into(), "/bin".into()]
}

/// A program as a sandbox would find it.
pub fn find_program(name: &str) -> Option<PathBuf> {
    find_in(search_path(), name)
}

fn find_in(dirs: impl IntoIterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    let executable =
        |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    dirs.into_iter().map(|dir| dir.join(name)).find(executable)
}

/// A temporary directory: `work` for repositories, `home` for the user, `bin` for our commands.
pub struct Sandbox {
    /// Removes the directory at the end.
    temp: tempfile::TempDir,
    /// The same without symbolic links, as git prints it.
    root: PathBuf,
    env: BTreeMap<OsString, OsString>,
    commits: AtomicU64,
}

impl Sandbox {
    /// An empty sandbox.
    pub fn new() -> Self {
        let temp = tempfile::Builder::new().prefix("git-parallel-").tempdir().expect("a temporary directory");
        let root = temp.path().canonicalize().expect("it exists");
        for dir in ["work", "home", "bin", "tmp"] {
            std::fs::create_dir(root.join(dir)).expect("an empty directory takes a new one");
        }
        for (name, program) in BINARIES {
            symlink(program, root.join("bin").join(name)).expect("an empty directory takes a link");
        }
        let path = std::env::join_paths([root.join("bin")].into_iter().chain(search_path()))
            .expect("no directory of ours has a colon in its name");
        let date = format!("{FIRST_COMMIT} +0000");
        let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "A U Thor"),
            ("GIT_AUTHOR_EMAIL", "author@example.com"),
            ("GIT_AUTHOR_DATE", date.as_str()),
            ("GIT_COMMITTER_NAME", "C O Mitter"),
            ("GIT_COMMITTER_EMAIL", "committer@example.com"),
            ("GIT_COMMITTER_DATE", date.as_str()),
            ("GIT_TEST_DATE_NOW", &NOW.to_string()),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_EDITOR", "false"),
            ("GIT_ASKPASS", "false"),
            ("TZ", "UTC"),
            ("LC_ALL", "C"),
            ("TERM", "dumb"),
        ] {
            env.insert(name.into(), value.into());
        }
        env.insert("PATH".into(), path);
        env.insert("HOME".into(), root.join("home").into());
        env.insert("TMPDIR".into(), root.join("tmp").into());
        env.insert("GIT_CEILING_DIRECTORIES".into(), root.clone().into());
        for (name, dir) in [
            ("XDG_CONFIG_HOME", "home/.config"),
            ("XDG_DATA_HOME", "home/.local/share"),
            ("XDG_STATE_HOME", "home/.local/state"),
            ("XDG_CACHE_HOME", "home/.cache"),
            ("XDG_RUNTIME_DIR", "tmp"),
        ] {
            env.insert(name.into(), root.join(dir).into());
        }
        Sandbox { temp, root, env, commits: AtomicU64::new(0) }
    }

    /// Where everything of this sandbox lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below `work`, where repositories lie.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join("work").join(name)
    }

    /// The user's home directory.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Sets a variable for every command started from now on.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets what git and our commands take for the present, in seconds since 1970.
    pub fn set_now(&mut self, seconds: u64) -> &mut Self {
        self.set("GIT_TEST_DATE_NOW", seconds.to_string())
    }

    /// A program with this sandbox's environment and no other, to be run in `dir`.
    pub fn command(&self, dir: impl AsRef<Path>, program: impl AsRef<OsStr>) -> Command {
        let program = program.as_ref();
        // Rust would look a bare name up in the PATH of the test, not in the sandbox's.
        let in_bin = self.root.join("bin").join(program);
        let found = if Path::new(program).components().count() > 1 {
            program.to_owned()
        } else if in_bin.exists() {
            in_bin.into_os_string()
        } else {
            find_program(&program.to_string_lossy()).map_or(program.to_owned(), PathBuf::into_os_string)
        };
        let mut command = Command::new(found);
        command.env_clear().envs(&self.env).current_dir(dir);
        command
    }

    /// [`Sandbox::command`] for git with arguments.
    pub fn git_command(
        &self,
        dir: impl AsRef<Path>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Command {
        let mut command = self.command(dir, &git_under_test().program);
        command.args(args);
        command
    }

    /// Runs any program.
    #[track_caller]
    pub fn run(
        &self,
        dir: impl AsRef<Path>,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Run {
        Run::of(self.command(dir, program).args(args), b"")
    }

    /// Runs a shell script.
    #[track_caller]
    pub fn sh(&self, dir: impl AsRef<Path>, script: &str) -> Run {
        self.run(dir, "sh", ["-c", script])
    }

    /// Runs git.
    #[track_caller]
    pub fn git(&self, dir: impl AsRef<Path>, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        Run::of(&mut self.git_command(dir, args), b"")
    }

    /// Runs `git task`, found by git as a user's would be.
    #[track_caller]
    pub fn task(&self, dir: impl AsRef<Path>, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        Run::of(self.git_command(dir, ["task"]).args(args), b"")
    }

    /// Runs `git pool`.
    #[track_caller]
    pub fn pool(&self, dir: impl AsRef<Path>, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        Run::of(self.git_command(dir, ["pool"]).args(args), b"")
    }

    /// Runs `git integrate`.
    #[track_caller]
    pub fn integrate(&self, dir: impl AsRef<Path>, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        Run::of(self.git_command(dir, ["integrate"]).args(args), b"")
    }

    /// Has `script` run once, in the instant before one of our commands starts a git for which `condition` holds. Both
    /// are shell: `$git` is the real one, `$*` its arguments, `$input` a file with what it reads. The command is to be
    /// started by its own name, because git looks for git in its own directory first.
    pub fn before_git(&self, condition: &str, script: &str) {
        let text = format!(
            "#!/bin/sh\ngit='{}' input='{}'\ncase \" $* \" in *' --stdin '*) cat >\"$input\"; exec <\"$input\" ;; esac\n\
             if ({condition}) && mkdir '{}' 2>/dev/null; then\n{script}\nfi\nexec \"$git\" \"$@\"\n",
            git_under_test().program.display(),
            self.root.join("tmp/input").display(),
            self.root.join("tmp/once").display()
        );
        let program = self.root.join("bin/git");
        std::fs::write(&program, text).expect("the sandbox is writable");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(program, mode).expect("it was just written");
    }

    /// The date of the next commit, in git's raw form.
    pub(super) fn tick(&self) -> String {
        let minutes = self.commits.fetch_add(1, Ordering::Relaxed);
        format!("{} +0000", FIRST_COMMIT + 60 * minutes)
    }

    /// Whether the directory of a failed test stays.
    pub fn is_kept() -> bool {
        std::env::var_os(KEEP).is_some_and(|v| v == "1")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() && Sandbox::is_kept() {
            self.temp.disable_cleanup(true);
            super::skip::say(&format!("kept: {}", self.root.display()));
        }
    }
}
