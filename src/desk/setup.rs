//! Command lines of the team file and of git config: how one of them is run.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::ExitStatus;

use crate::error::{Failure, Result};
use crate::git::process::{code_of, shell};
use crate::interrupt;

/// Runs one command line as [`run_one`] does; what it prints is also written to `log`.
///
/// # Errors
/// The command and how it ended.
pub fn run_one_logged(
    vars: impl IntoIterator<Item = (&'static str, OsString)>,
    dir: &Path,
    command: &str,
    log: File,
) -> Result<()> {
    judge(command, shell(command, dir, vars).shown_and_kept(log)?)
}

/// Runs one command line in `dir` with these variables added, its output on standard error.
///
/// # Errors
/// The command and how it ended.
pub fn run_one(
    vars: impl IntoIterator<Item = (&'static str, OsString)>,
    dir: &Path,
    command: &str,
) -> Result<()> {
    judge(command, shell(command, dir, vars).shown()?)
}

fn judge(command: &str, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    interrupt::check()?;
    Err(Failure::fatal(format!("'{command}' ended with exit code {}", code_of(status))))
}
