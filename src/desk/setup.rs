//! Command lines of the team file and of git config: how one of them is run.

use std::ffi::OsString;
use std::path::Path;

use crate::error::{Failure, Result};
use crate::git::process::{code_of, shell};
use crate::interrupt;

/// Runs one command line in `dir` with these variables added, its output on standard error.
///
/// # Errors
/// The command and how it ended.
pub fn run_one(
    vars: impl IntoIterator<Item = (&'static str, OsString)>,
    dir: &Path,
    command: &str,
) -> Result<()> {
    let status = shell(command, dir, vars).shown()?;
    if status.success() {
        return Ok(());
    }
    interrupt::check()?;
    Err(Failure::fatal(format!("'{command}' ended with exit code {}", code_of(status))))
}
