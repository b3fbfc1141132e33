//! The one place that starts other programs: git, and the commands that the user configured.
//!
//! Every child gets an argument vector and an environment without git's repository-local variables, so that a
//! hook's `GIT_DIR` or `GIT_INDEX_FILE` never leads it to the wrong repository; `git -c` and
//! `GIT_CONFIG_COUNT` reach it. See `git rev-parse --local-env-vars`.

#![expect(
    clippy::disallowed_methods,
    reason = "processes are started here, and their output may go to our stderr"
)]

mod at;
mod contention;
mod group;
mod index_lock;
mod kept;
mod output;
mod reader;
#[cfg(test)]
mod tests;

pub use at::Git;
pub use contention::{is_contention, retry, retry_while};
pub use index_lock::IndexLock;
pub use kept::{keeping_open, last as kept_open};
pub use output::{Output, code_of};

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use self::group::end_group;
use self::reader::Reader;
use crate::error::{Failure, OrFatal, Result};
use crate::interrupt;

/// `git rev-parse --local-env-vars` without the three that carry `git -c`.
const LOCAL_ENV_VARS: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
];

/// Every command begins here: without the variables that would lead it to another repository.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    without_repository(&mut command);
    command
}

/// Takes the variables away that would lead a child to another repository.
pub fn without_repository(command: &mut Command) {
    for name in LOCAL_ENV_VARS {
        command.env_remove(name);
    }
}

/// A command that is about to run.
#[derive(Debug)]
pub struct Cmd {
    command: Command,
    stdin: Option<Vec<u8>>,
    leaves_others: bool,
    keeps_open: bool,
}

impl Cmd {
    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Sets several variables.
    #[must_use]
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, vars: impl IntoIterator<Item = (K, V)>) -> Self {
        self.command.envs(vars);
        self
    }

    /// What it reads.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// It may run hooks or filters, and is done when it has ended itself: a daemon that one of them started, or a
    /// hook that outlived it, may hold its streams for as long as it likes. What those printed is in between, so
    /// it is good for messages only.
    #[must_use]
    pub fn leaving_others(mut self) -> Self {
        self.leaves_others = true;
        self
    }

    /// This command only looks: it takes no lock that the user's own command could run into.
    #[must_use]
    pub fn poll(self) -> Self {
        self.env("GIT_OPTIONAL_LOCKS", "0")
    }

    /// Runs it and captures what it prints, whatever its status.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn output(mut self) -> Result<Output> {
        let name = self.name();
        let failed = || format!("cannot run {name}");
        let (stdout, stderr) = (Reader::new().or_fatal(failed)?, Reader::new().or_fatal(failed)?);
        self.command.stdout(stdout.writer().or_fatal(failed)?).stderr(stderr.writer().or_fatal(failed)?);
        // Not a pipe: a child that ends without having read would kill us by SIGPIPE, which has its default
        // action so that a reader of our own output can end us. A socket of the standard library doesn't raise it.
        let (ours, theirs) = match self.stdin {
            Some(_) => UnixStream::pair().map(|(ours, theirs)| (Some(ours), OwnedFd::from(theirs).into())),
            None => Ok((None, self.no_input())),
        }
        .or_fatal(failed)?;
        self.command.stdin(theirs);
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(e) => return Err(not_started(&self.command, &name, e)),
        };
        // As long as the child's ends are open here too, nobody sees that the child is gone.
        drop(self.command);
        // A writer of its own: a child that prints before it has read everything would block us both.
        let writer = self
            .stdin
            .zip(ours)
            .map(|(bytes, mut socket)| std::thread::spawn(move || socket.write_all(&bytes)));
        let status = child.wait().or_fatal(|| format!("cannot wait for {name}"))?;
        if let Some(writer) = writer.filter(std::thread::JoinHandle::is_finished) {
            // A child that doesn't read to the end says so by its status, not by our broken pipe.
            let _ = writer.join();
        }
        let all = if self.leaves_others { Reader::until_now } else { Reader::until_end };
        Ok(Output { status, stdout: all(stdout), stderr: all(stderr), name })
    }

    /// Nothing to read: from a file that is to be kept open, or from none.
    fn no_input(&self) -> Stdio {
        kept::last().filter(|_| self.keeps_open).map_or_else(Stdio::null, Stdio::from)
    }

    /// Runs it and gives its standard output.
    ///
    /// # Errors
    /// If it fails: its own last words, as a fatal failure.
    pub fn run(self) -> Result<Vec<u8>> {
        let output = self.output()?;
        if output.status.success() { Ok(output.stdout) } else { Err(output.into_failure()) }
    }

    /// As [`Cmd::run`], as text without the line end. A path is asked for by [`Cmd::path`].
    pub fn line(self) -> Result<String> {
        let bytes = self.run()?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned())
    }

    /// As [`Cmd::run`], as a path, which need not be UTF-8 and may end in a newline of its own.
    ///
    /// # Errors
    /// As [`Cmd::run`].
    pub fn path(self) -> Result<PathBuf> {
        let bytes = self.run()?;
        Ok(crate::paths::path_from(bytes.strip_suffix(b"\n").unwrap_or(&bytes)))
    }

    /// Runs it for its status; what it prints goes to our standard error, because standard output is for
    /// results only.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn shown(mut self) -> Result<ExitStatus> {
        let name = self.name();
        self.command.stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr()));
        self.command.status().or_fatal(|| format!("cannot run {name}"))
    }

    /// As [`Cmd::shown`], and what it prints is also written to `keep`. A process that it leaves behind is not
    /// waited for.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn shown_and_kept(mut self, mut keep: impl Write) -> Result<ExitStatus> {
        let name = self.name();
        let failed = || format!("cannot run {name}");
        let reader = Reader::new().or_fatal(failed)?;
        let end = || reader.writer().or_fatal(failed);
        self.command.stdin(Stdio::null()).stdout(end()?).stderr(end()?);
        let mut child = self.command.spawn().or_fatal(failed)?;
        // It holds the pipe open for writing.
        drop(self);
        let ended = reader.while_waiting(
            || child.wait(),
            |piece| {
                // What can't be kept, or shown, is no reason to end the command.
                let _ = keep.write_all(piece);
                let _ = std::io::stderr().write_all(piece);
            },
        );
        ended.or_fatal(failed)
    }

    /// Runs it to its end with all that it prints appended to `log`, in a process group of its own, which is
    /// ended when the user asks us to stop.
    ///
    /// # Errors
    /// If it can't be started; or interrupted.
    pub fn logged(mut self, log: &File) -> Result<ExitStatus> {
        let name = self.name();
        let copy = || log.try_clone().or_fatal(|| "cannot share a log");
        self.command.stdin(Stdio::null()).stdout(copy()?).stderr(copy()?).process_group(0);
        let mut child = self.command.spawn().or_fatal(|| format!("cannot run {name}"))?;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = child.try_wait().or_fatal(|| format!("cannot wait for {name}"))? {
                return Ok(status);
            }
            if interrupt::requested() {
                end_group(&mut child);
                return Err(Failure::interrupted());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Runs it with the terminal handed over, but for what it prints: that goes to our standard error, because
    /// standard output is for results only.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn on_terminal(mut self) -> Result<ExitStatus> {
        let name = self.name();
        self.command.stdout(Stdio::from(std::io::stderr()));
        self.command.status().or_fatal(|| format!("cannot run {name}"))
    }

    /// Runs it with the terminal handed over: all three streams are ours.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn foreground(mut self) -> Result<ExitStatus> {
        let name = self.name();
        self.command.status().or_fatal(|| format!("cannot run {name}"))
    }

    fn name(&self) -> String {
        let program = self.command.get_program().to_string_lossy().into_owned();
        // `git -c key=value sub`: the value is not the subcommand.
        let mut args = self.command.get_args();
        let sub = loop {
            match args.next() {
                Some(arg) if arg == "-c" => drop(args.next()),
                Some(arg) if arg.as_encoded_bytes().starts_with(b"-") => {}
                other => break other,
            }
        };
        match (program.as_str(), sub) {
            ("git", Some(sub)) => format!("git {}", sub.to_string_lossy()),
            _ => program,
        }
    }
}

/// Why a command could not be started. The system says of a missing directory what it says of a missing program.
fn not_started(command: &Command, name: &str, error: std::io::Error) -> Failure {
    match command.get_current_dir() {
        Some(dir) if error.kind() == std::io::ErrorKind::NotFound && !dir.exists() => {
            Failure::fatal(format!("cannot run {name}: '{}' is gone", dir.display()))
        }
        _ => match Err::<(), _>(error).or_fatal(|| format!("cannot run {name}")) {
            Err(failure) => failure,
            Ok(()) => unreachable!("it was made from an error"),
        },
    }
}

/// A command line of the user's, run by `sh` in `dir` with these variables added.
///
/// The text is the user's own or was shown and trusted; names inside it are quoted by whoever made it.
pub fn shell<K, V>(line: &str, dir: &Path, vars: impl IntoIterator<Item = (K, V)>) -> Cmd
where
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let mut command = command("sh");
    command.arg("-c").arg(line).current_dir(dir).envs(vars);
    Cmd { command, stdin: None, leaves_others: false, keeps_open: false }
}

/// Runs a script of ours with these arguments (`$1` and so on) to its end.
///
/// # Errors
/// If it fails: its last words.
pub fn run_shell(script: &str, args: &[&OsStr]) -> Result<()> {
    let mut command = command("sh");
    command.args(["-c", script, "sh"]).args(args).current_dir("/");
    Cmd { command, stdin: None, leaves_others: false, keeps_open: false }.run().map(drop)
}

/// Starts a script of ours that goes on when we end, and when the terminal closes.
///
/// # Errors
/// If it can't be started.
pub fn detached(script: &str, args: &[&OsStr]) -> Result<()> {
    let mut command = command("sh");
    command.args(["-c", script, "sh"]).args(args).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop).or_fatal(|| "cannot run sh")
}

/// A program of the user's with its arguments, in `dir`.
pub fn program<K, V>(
    name: &OsStr,
    args: &[OsString],
    dir: &Path,
    vars: impl IntoIterator<Item = (K, V)>,
) -> Cmd
where
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let mut command = command(name);
    command.args(args).current_dir(dir).envs(vars);
    Cmd { command, stdin: None, leaves_others: false, keeps_open: false }
}
