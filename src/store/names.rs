//! Names that were used by tasks whose metadata has expired.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::atomic;
use super::lock::StateLock;
use crate::error::{OrFatal, Result};
use crate::git::Repo;

/// The names.
///
/// # Errors
/// If the list can't be read.
pub fn used(repo: &Repo) -> Result<BTreeSet<String>> {
    match fs::read_to_string(path(repo)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(e) => Err(e).or_fatal(|| format!("could not read '{}'", path(repo).display())),
    }
}

/// Adds names.
///
/// # Errors
/// If the list can't be written.
pub fn remember(repo: &Repo, _held: &StateLock, names: &[String]) -> Result<()> {
    let mut all = used(repo)?;
    all.extend(names.iter().cloned());
    let text: String = all.iter().map(|name| format!("{name}\n")).collect();
    atomic::write(&path(repo), text.as_bytes())
}

fn path(repo: &Repo) -> PathBuf {
    repo.state_dir().join("used-names")
}
