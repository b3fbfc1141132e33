//! A pseudo-terminal, for prompts. It waits for text, with a deadline, and never sleeps.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::run::{DEADLINE, describe, exit_code};
use super::sandbox::Sandbox;

/// A command that believes to be run by a person.
pub struct Pty {
    what: String,
    terminal: File,
    child: Child,
    /// All that came, escape sequences and all.
    raw: Vec<u8>,
    /// How much of the plain text was already expected.
    seen: usize,
}

impl Pty {
    /// Runs `command` in `dir` with all three streams on a terminal of 24 lines and 80 columns.
    #[track_caller]
    pub fn spawn(
        sandbox: &Sandbox,
        dir: impl AsRef<Path>,
        command: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        Self::spawn_with(sandbox, dir, command, |_| ())
    }

    /// The same, with a last change to the command: a variable, or a stream that is no terminal.
    #[track_caller]
    pub fn spawn_with(
        sandbox: &Sandbox,
        dir: impl AsRef<Path>,
        command: impl IntoIterator<Item = impl AsRef<OsStr>>,
        change: impl FnOnce(&mut std::process::Command),
    ) -> Self {
        let mut words = command.into_iter();
        let program = words.next().expect("a command has a program");
        let mut command = sandbox.command(dir, program);
        // Prompts are off in a sandbox, for a test must never hang on one. Here they are wanted.
        command.args(words).env("TERM", "xterm").env_remove("GIT_TERMINAL_PROMPT");
        let (terminal, inner) = open_terminal();
        let stream = || Stdio::from(inner.try_clone().expect("a descriptor can be copied"));
        command.stdin(stream()).stdout(stream()).stderr(stream());
        change(&mut command);
        take_terminal(&mut command, inner.as_raw_fd());
        let what = describe(&command);
        let child = command.spawn().unwrap_or_else(|e| panic!("cannot start {what}: {e}"));
        Pty { what, terminal: terminal.into(), child, raw: Vec::new(), seen: 0 }
    }

    /// Waits until `text` has come, after what was expected before. Colours and cursor movements
    /// don't count.
    ///
    /// # Panics
    /// If the command ends before, or takes longer than a busy machine explains.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Self {
        let end = Instant::now() + DEADLINE / 4;
        loop {
            let plain = self.text();
            if let Some(at) = plain.get(self.seen..).and_then(|new| new.find(text)) {
                self.seen += at + text.len();
                return self;
            }
            if !self.read_more(end) {
                panic!("{}: the terminal never showed {text:?}; it showed\n{}", self.what, self.text());
            }
        }
    }

    /// Types. Return is `\r`, Ctrl-C is `\x03`, cursor down is `\x1b[B`.
    #[track_caller]
    pub fn send(&mut self, keys: &str) -> &mut Self {
        self.terminal.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self
    }

    /// Waits for the end of the command. Returns its exit code, as a shell would give it.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let end = Instant::now() + DEADLINE / 4;
        // The terminal ends when the last process that holds it does.
        while self.read_more(end) {}
        match self.child.try_wait().expect("a child of ours can be asked") {
            Some(status) => exit_code(status),
            None if Instant::now() < end => {
                exit_code(self.child.wait().expect("a child of ours can be waited for"))
            }
            None => panic!("{}: still running; the terminal shows\n{}", self.what, self.text()),
        }
    }

    /// What the terminal showed so far, without colours and cursor movements, with plain newlines.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.raw);
        console::strip_ansi_codes(&text).replace("\r\n", "\n")
    }

    /// What came from the command, escape sequences and all.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Reads what there is, waiting for it until `end`. False at the end of time or of the terminal.
    fn read_more(&mut self, end: Instant) -> bool {
        let mut buffer = [0; 4096];
        if !wait_readable(&self.terminal, end.saturating_duration_since(Instant::now())) {
            return false;
        }
        // Linux reports the end of a terminal as an error, others as nothing read.
        match self.terminal.read(&mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.raw.extend_from_slice(&buffer[..length]);
                true
            }
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // After a failed test nothing may go on waiting for keys. It is ours: not yet waited for.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Opens both ends: ours, and the one for the command.
#[expect(unsafe_code, reason = "openpty has no safe wrapper in the standard library")]
fn open_terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let mut size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointers are to locals that outlive the call; name and termios may be null. Both
    // descriptors are fresh and nobody else's.
    unsafe {
        let result = libc::openpty(
            &mut ours,
            &mut theirs,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            (&raw mut size).cast(),
        );
        assert!(result == 0, "openpty: {}", std::io::Error::last_os_error());
        // A child of another test that inherited our end would keep the terminal open for ever.
        for end in [ours, theirs] {
            libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    }
}

/// Makes the terminal the controlling one, so that /dev/tty opens it and Ctrl-C reaches the command.
#[expect(unsafe_code, reason = "code between fork and exec has no safe form")]
fn take_terminal(command: &mut std::process::Command, terminal: i32) {
    // SAFETY: setsid, ioctl and signal are async-signal-safe, and nothing is allocated. The descriptor is
    // open there: it is closed by exec, not by fork.
    unsafe {
        command.pre_exec(move || {
            // A script that runs the tests with `&` has them ignored, which is inherited; a person's shell has not.
            for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP] {
                libc::signal(signal, libc::SIG_DFL);
            }
            if libc::setsid() < 0 || libc::ioctl(terminal, libc::TIOCSCTTY as _, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

#[expect(unsafe_code, reason = "poll has no safe wrapper in the standard library")]
fn wait_readable(file: &File, timeout: Duration) -> bool {
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = timeout.as_millis().try_into().unwrap_or(i32::MAX);
    // SAFETY: one entry, which outlives the call.
    unsafe { libc::poll(&mut poll, 1, milliseconds) > 0 }
}
