//! The processes of a session: programs to be found, and signals to be sent.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::desk::session::Session;
use crate::text::escape_controls;

/// The exit code for a command that is there and can't be run, as shells have it.
pub const CANNOT_RUN: u8 = 126;

/// The exit code for a command that isn't there, as shells have it.
const NOT_FOUND: u8 = 127;

/// Sends a signal to all processes of a session, also if the first of them has ended. False if there is none.
pub fn signal(session: &Session, signal: Signal) -> bool {
    if session.processes().is_empty() {
        return false;
    }
    session.process.as_ref().and_then(|p| Pid::from_raw(p.pid)).is_some_and(|pid| to_group(pid, signal))
}

/// Sends a signal to a process group. False if there is none.
pub fn to_group(group: Pid, signal: Signal) -> bool {
    kill_process_group(group, signal).is_ok()
}

/// A signal by its number, if it has a name.
pub fn named(number: i32) -> Option<Signal> {
    Signal::from_named_raw(number)
}

/// Looks for a program as execvp(3) does from `dir`.
///
/// # Errors
/// Why it can't be run.
pub fn find_program(program: &OsStr, dir: &Path, search_path: &[PathBuf]) -> std::io::Result<()> {
    let is_path = Path::new(program).components().count() > 1 || program.as_encoded_bytes().contains(&b'/');
    let candidates: Vec<PathBuf> = match is_path {
        true => vec![dir.join(program)],
        false => search_path.iter().map(|p| dir.join(p).join(program)).collect(),
    };
    let mut denied = false;
    for candidate in candidates {
        let Ok(meta) = candidate.metadata() else { continue };
        if meta.is_file() && rustix::fs::access(&candidate, rustix::fs::Access::EXEC_OK).is_ok() {
            return Ok(());
        }
        denied = true;
    }
    Err(if denied { std::io::ErrorKind::PermissionDenied } else { std::io::ErrorKind::NotFound }.into())
}

/// Why a program can't be run, with the exit code that shells give for it.
pub fn cannot_run(program: &OsStr, error: &std::io::Error) -> (u8, String) {
    let (code, why) = match error.kind() {
        std::io::ErrorKind::NotFound => (NOT_FOUND, "command not found".to_owned()),
        std::io::ErrorKind::PermissionDenied => (CANNOT_RUN, "permission denied".to_owned()),
        _ => (CANNOT_RUN, error.to_string()),
    };
    (code, format!("cannot run '{}': {why}", escape_controls(program.as_encoded_bytes())))
}
