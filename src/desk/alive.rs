//! Who is at work in a directory, as far as the system says it.
//!
//! Where there is no `/proc`, nobody can be seen. Neither can another user's processes, nor those that the system
//! hides from their own user, such as one with keys in its memory: they are in nobody's way. But not to be able to
//! look is not to see nobody.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{OrFatal, Result};

const PROC: &str = "/proc";

/// The processes that have their current directory in `dir` or below it, this one left out.
///
/// # Errors
/// If that can't be looked at now.
pub fn processes_in(dir: &Path) -> Result<Vec<u32>> {
    let all = places(Path::new(PROC))?;
    Ok(all.into_iter().filter(|(_, cwd)| cwd.starts_with(dir)).map(|(pid, _)| pid).collect())
}

/// The processes that are in `dir` and don't wait for this one: those that [`processes_in`] gives, less the ones
/// that this one descends from, such as the shell that the command was typed into.
///
/// # Errors
/// As [`processes_in`].
pub fn others_in(dir: &Path) -> Result<Vec<u32>> {
    let there = processes_in(dir)?;
    if there.is_empty() {
        return Ok(there);
    }
    let waiting = ancestors();
    Ok(there.into_iter().filter(|pid| !waiting.contains(pid)).collect())
}

/// Where the processes of this machine are, as it was at one moment: to ask about many directories at once. This
/// one and those it descends from are left out.
#[derive(Clone, Debug)]
pub struct Occupants(Vec<(u32, PathBuf)>);

impl Occupants {
    /// Looks.
    ///
    /// # Errors
    /// As [`processes_in`].
    pub fn look() -> Result<Self> {
        let waiting = ancestors();
        let all = places(Path::new(PROC))?;
        Ok(Occupants(all.into_iter().filter(|(pid, _)| !waiting.contains(pid)).collect()))
    }

    /// One that has its current directory in `dir` or below it.
    pub fn in_dir(&self, dir: &Path) -> Option<u32> {
        self.0.iter().find(|(_, cwd)| cwd.starts_with(dir)).map(|(pid, _)| *pid)
    }
}

/// All processes but this one that can be seen, and where each is.
fn places(proc: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let failed = || format!("could not look in '{}' for who is at work", proc.display());
    let entries = match fs::read_dir(proc) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.or_fatal(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.or_fatal(failed)?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == std::process::id() {
            continue;
        }
        match fs::read_link(proc.join(name).join("cwd")) {
            Ok(cwd) => found.push((pid, cwd)),
            Err(e) if is_unseen(&e) => {}
            Err(e) => return Err(e).or_fatal(failed),
        }
    }
    Ok(found)
}

/// It has ended, or is not for us to see.
fn is_unseen(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
        || error.raw_os_error() == Some(libc::ESRCH)
}

/// Whether this process descends from that one, which then waits for it.
pub fn is_ancestor(pid: u32) -> bool {
    ancestors().contains(&pid)
}

/// The parent of this process, its parent, and so on.
fn ancestors() -> Vec<u32> {
    let parent = |pid: &u32| stat(*pid, 1).and_then(|n| u32::try_from(n).ok()).filter(|pid| *pid != 0);
    std::iter::successors(parent(&std::process::id()), parent).collect()
}

/// When a process began, in clock ticks since the machine did: with its number it names one process for good.
/// See `starttime` in proc_pid_stat(5).
pub fn began(pid: u32) -> Option<u64> {
    stat(pid, 19)
}

/// A number of `/proc/<pid>/stat`, counted from what comes after the program's name.
fn stat(pid: u32, at: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_to_be_able_to_look_is_not_to_see_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let proc = dir.path();
        assert_eq!(places(&proc.join("none")).unwrap(), []);
        fs::create_dir_all(proc.join("1")).unwrap();
        fs::create_dir_all(proc.join("2")).unwrap();
        std::os::unix::fs::symlink("/work", proc.join("2/cwd")).unwrap();
        // The first has ended meanwhile.
        assert_eq!(places(proc).unwrap(), [(2, PathBuf::from("/work"))]);
        // No link: what this one can't say is no answer.
        fs::write(proc.join("1/cwd"), "").unwrap();
        assert!(places(proc).is_err());
        assert!(places(&proc.join("1/cwd")).is_err());
    }
}
