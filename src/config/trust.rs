//! Which commands of the tracked team file the user has seen and allowed.
//!
//! What is recorded is a hash over all commands of the file, so that any change to one asks again and a change
//! to a limit does not. The record is in the repository's own directory, which no branch can change.

use std::path::PathBuf;

use gix::bstr::ByteSlice;

use super::team::TeamFile;
use crate::error::{OrFatal, Result};
use crate::git::Repo;
use crate::store::atomic;

/// The hash that stands for all commands of a team file.
///
/// # Errors
/// If the hash function refuses its input.
pub fn fingerprint(team: &TeamFile) -> Result<String> {
    let kind = gix::hash::Kind::Sha256;
    let id = gix::objs::compute_hash(kind, gix::objs::Kind::Blob, team.manifest().as_bytes());
    Ok(id.or_fatal(|| "cannot hash the commands of the team file")?.to_hex().to_string())
}

/// Whether the user has allowed exactly these commands.
///
/// # Errors
/// If the record can't be read.
pub fn is_trusted(repo: &Repo, team: &TeamFile) -> Result<bool> {
    if team.commands().is_empty() {
        return Ok(true);
    }
    let wanted = fingerprint(team)?;
    Ok(load(repo)?.lines().any(|line| line == wanted.as_bytes()))
}

/// Remembers that the user has allowed these commands.
///
/// # Errors
/// If the record can't be written.
pub fn remember(repo: &Repo, team: &TeamFile) -> Result<()> {
    let mut text = load(repo)?;
    text.extend_from_slice(fingerprint(team)?.as_bytes());
    text.push(b'\n');
    atomic::write(&path(repo), &text)
}

fn load(repo: &Repo) -> Result<Vec<u8>> {
    match std::fs::read(path(repo)) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e).or_fatal(|| format!("could not read '{}'", path(repo).display())),
    }
}

fn path(repo: &Repo) -> PathBuf {
    repo.state_dir().join("trusted")
}
