//! A session in the foreground: its process group gets the terminal, as a shell gives it to a job.
//!
//! Ctrl-C and Ctrl-Z then reach the session and nobody else. When it is suspended, so are we, and the user is back
//! at the shell; when the shell lets us go on, so does the session. In a pipeline, where another one may read the
//! terminal, the session gets it only when it wants to read it itself, and signals that we get are passed on.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpgrp, waitpid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::process::{named, to_group};
use super::supervise;
use crate::desk::session::{How, Session};
use crate::error::{OrFatal, Result};

/// Starts a session with `leader`, and waits for its end.
///
/// # Errors
/// If it can't be started.
pub fn run(dir: &Path, session: &mut Session, leader: Command) -> Result<How> {
    let terminal = Terminal::find();
    let at_once = terminal.is_some() && !prints_to_another();
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP]).or_fatal(|| "cannot catch signals")?;
    if !at_once {
        // It comes to our job, of which the session is not a part.
        signals.add_signal(SIGTSTP).or_fatal(|| "cannot catch signals")?;
    }
    let child = supervise::start(dir, session, leader, |child| {
        let terminal = terminal.as_ref().filter(|t| at_once && t.is_ours());
        if let (Some(terminal), Some(group)) = (terminal, group_of(child.id())) {
            terminal.give_to(group);
        }
    })?;
    let Some(group) = group_of(child.id()) else { return Ok(How::Unknown) };
    let job = Job { group, terminal, at_once, asked: Arc::new(AtomicBool::new(false)) };
    let (handle, asked) = (signals.handle(), Arc::clone(&job.asked));
    let passing_on = std::thread::spawn(move || {
        for signal in signals.forever() {
            if signal == SIGTSTP {
                asked.store(true, Ordering::Relaxed);
                to_group(group, Signal::STOP);
            } else if let Some(signal) = named(signal) {
                to_group(group, signal);
            }
        }
    });
    let how = job.wait();
    handle.close();
    let _ = passing_on.join();
    job.take_terminal_back();
    Ok(how)
}

/// Whether what we print goes to another program.
#[expect(clippy::disallowed_methods, reason = "nothing is written")]
fn prints_to_another() -> bool {
    let kind = rustix::fs::fstat(std::io::stdout()).map(|s| FileType::from_raw_mode(s.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::Socket))
}

fn group_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// The session, as a shell sees a job.
struct Job {
    group: Pid,
    terminal: Option<Terminal>,
    /// It gets the terminal whenever we have it, and not only when it reads it.
    at_once: bool,
    /// Somebody wants us to be suspended.
    asked: Arc<AtomicBool>,
}

impl Job {
    /// Waits for the end of its first process, and is suspended when that is.
    fn wait(&self) -> How {
        loop {
            let status = match waitpid(Some(self.group), WaitOptions::UNTRACED) {
                Ok(Some((_, status))) => status,
                Ok(None) | Err(Errno::INTR) => continue,
                Err(_) => return How::Unknown,
            };
            if let Some(code) = status.exit_status() {
                return How::Exited(code);
            }
            if let Some(signal) = status.terminating_signal() {
                return How::Killed(signal);
            }
            if let Some(signal) = status.stopping_signal() {
                self.suspended(signal);
            }
        }
    }

    /// The session is suspended: so are we, until the shell lets us go on.
    fn suspended(&self, signal: i32) {
        let had_it = self.take_terminal_back();
        let is_ours = || self.terminal.as_ref().is_some_and(Terminal::is_ours);
        let wants_it = [libc::SIGTTIN, libc::SIGTTOU].contains(&signal);
        if self.asked.swap(false, Ordering::Relaxed) {
            // The others of our job have got the same signal.
            let _ = signal_hook::low_level::raise(libc::SIGSTOP);
        } else if had_it || wants_it && !is_ours() {
            // All of our job. If nobody is there to let it go on, the system does not suspend it.
            to_group(getpgrp(), if self.at_once { Signal::TSTP } else { Signal::STOP });
        } else if !wants_it {
            // Somebody holds it up from outside, and will let it go on.
            return;
        }
        if let Some(terminal) = self.terminal.as_ref().filter(|t| t.is_ours())
            && (self.at_once || had_it || wants_it)
        {
            terminal.give_to(self.group);
        }
        to_group(self.group, Signal::CONT);
    }

    /// Back to our own job, unless somebody else has taken it meanwhile. Whether the session had it.
    fn take_terminal_back(&self) -> bool {
        let Some(terminal) = self.terminal.as_ref().filter(|t| t.belongs_to(self.group)) else {
            return false;
        };
        ignore_background_output();
        terminal.give_to(terminal.own);
        true
    }
}

/// The terminal that we were started from.
struct Terminal {
    device: File,
    own: Pid,
}

impl Terminal {
    fn find() -> Option<Self> {
        let device = File::options().read(true).write(true).open("/dev/tty").ok()?;
        Some(Terminal { device, own: getpgrp() })
    }

    /// We are in its foreground.
    fn is_ours(&self) -> bool {
        self.belongs_to(self.own)
    }

    fn belongs_to(&self, group: Pid) -> bool {
        tcgetpgrp(&self.device).is_ok_and(|now| now == group)
    }

    fn give_to(&self, group: Pid) {
        let _ = tcsetpgrp(&self.device, group);
    }
}

/// Who is in the background and changes the terminal is suspended for it, unless the signal is ignored.
#[expect(unsafe_code, reason = "there is no safe way to ignore a signal")]
fn ignore_background_output() {
    // SAFETY: ignoring a signal needs no handler of ours. No child is started afterwards that would inherit it.
    unsafe {
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
    }
}
