//! Running a command to its end, with a deadline, and judging what it did.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything may take before it counts as hanging. Generous: a busy machine is no defect.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// What a command did.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command line, for messages.
    pub what: String,
    /// The exit code; 128 plus the signal if one ended it, as shells say it.
    pub code: i32,
    /// Standard output, with invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, with invalid UTF-8 replaced.
    pub stderr: String,
    /// Standard output as it was.
    pub raw_stdout: Vec<u8>,
}

impl Run {
    /// Puts together what is known about a finished command.
    pub fn new(what: String, status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        Run {
            what,
            code: exit_code(status),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            raw_stdout: stdout,
        }
    }

    /// Runs `command` with `input` on its standard input.
    ///
    /// # Panics
    /// If it can't be started, or if its output isn't closed before [`DEADLINE`]: then it hangs, or
    /// something that it left behind holds its output open.
    #[track_caller]
    pub fn of(command: &mut Command, input: &[u8]) -> Run {
        let what = describe(command);
        command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {what}: {e}"));
        if let Some(mut stdin) = child.stdin.take() {
            let input = input.to_vec();
            // A command that doesn't read its input to the end closes the pipe; that is its right.
            std::thread::spawn(move || {
                let _ = stdin.write_all(&input);
            });
        }
        let stdout = read_aside(child.stdout.take().expect("stdout is piped"));
        let stderr = read_aside(child.stderr.take().expect("stderr is piped"));
        let end = Instant::now() + DEADLINE;
        let mut until_end = |stream: mpsc::Receiver<Vec<u8>>| {
            stream.recv_timeout(end.saturating_duration_since(Instant::now())).unwrap_or_else(|_| {
                let state = child.try_wait();
                let _ = child.kill();
                panic!("{what}: output still open after {DEADLINE:?}; the command itself: {state:?}")
            })
        };
        let (stdout, stderr) = (until_end(stdout), until_end(stderr));
        let status = child.wait().expect("a child of ours can be waited for");
        Run::new(what, status, stdout, stderr)
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.fails(0)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit code {code}\n{self}");
        self
    }

    /// Asserts that standard output is exactly this.
    #[track_caller]
    pub fn prints(self, expected: &str) -> Self {
        assert!(self.stdout == expected, "expected on stdout:\n{expected}\n{self}");
        self
    }

    /// Asserts that standard error contains this.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "expected on stderr: {part}\n{self}");
        self
    }

    /// Asserts that standard error doesn't contain this.
    #[track_caller]
    pub fn does_not_say(self, part: &str) -> Self {
        assert!(!self.stderr.contains(part), "not expected on stderr: {part}\n{self}");
        self
    }

    /// The one line on standard output, without its end.
    #[track_caller]
    pub fn line(&self) -> &str {
        let line = self.stdout.strip_suffix('\n').unwrap_or(&self.stdout);
        assert!(!line.is_empty() && !line.contains('\n'), "expected one line on stdout\n{self}");
        line
    }

    /// Standard output as a path: all of it but the last newline, which a path may contain too.
    #[track_caller]
    pub fn path(&self) -> PathBuf {
        let Some(bytes) = self.raw_stdout.strip_suffix(b"\n") else {
            panic!("expected a path and a newline on stdout\n{self}")
        };
        PathBuf::from(OsString::from_vec(bytes.to_vec()))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Run { what, code, stdout, stderr, .. } = self;
        write!(f, "$ {what}\nexit code {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// The command line and its directory, quoted as Rust quotes them.
pub fn describe(command: &Command) -> String {
    let mut text = String::new();
    if let Some(dir) = command.get_current_dir() {
        text += &format!("(in {}) ", dir.display());
    }
    text += &command.get_program().to_string_lossy();
    for arg in command.get_args() {
        let arg = arg.to_string_lossy();
        let plain = !arg.is_empty() && !arg.contains(|c: char| c.is_whitespace() || "'\"\\$".contains(c));
        text += &if plain { format!(" {arg}") } else { format!(" {arg:?}") };
    }
    text
}

/// The exit code as a shell gives it.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|s| 128 + s)).expect("a process ends by exit or by signal")
}

/// Reads a stream in a thread of its own, so that neither of two pipes can fill up unread.
fn read_aside(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}
