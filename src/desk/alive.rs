//! Who is at work in a directory, as far as the system says it.

use std::fs;
use std::path::{Path, PathBuf};

/// The processes that have their current directory in `dir` or below it, this one left out. Where there is no
/// `/proc`, nobody can be seen.
pub fn processes_in(dir: &Path) -> Vec<u32> {
    pids().filter(|pid| cwd_of(*pid).is_some_and(|cwd| cwd.starts_with(dir))).collect()
}

/// The processes that are in `dir` and don't wait for this one: those that [`processes_in`] gives, less the ones
/// that this one descends from, such as the shell that the command was typed into.
pub fn others_in(dir: &Path) -> Vec<u32> {
    let there = processes_in(dir);
    if there.is_empty() {
        return there;
    }
    let waiting = ancestors();
    there.into_iter().filter(|pid| !waiting.contains(pid)).collect()
}

/// Where the processes of this machine are, as it was at one moment: to ask about many directories at once. This
/// one and those it descends from are left out.
#[derive(Clone, Debug)]
pub struct Occupants(Vec<(u32, PathBuf)>);

impl Occupants {
    /// Looks.
    pub fn look() -> Self {
        let waiting = ancestors();
        let others = pids().filter(|pid| !waiting.contains(pid));
        Occupants(others.filter_map(|pid| Some((pid, cwd_of(pid)?))).collect())
    }

    /// One that has its current directory in `dir` or below it.
    pub fn in_dir(&self, dir: &Path) -> Option<u32> {
        self.0.iter().find(|(_, cwd)| cwd.starts_with(dir)).map(|(pid, _)| *pid)
    }
}

/// All processes but this one.
fn pids() -> impl Iterator<Item = u32> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok()).filter(move |pid| *pid != own)
}

/// None of another user's, which only he sees.
fn cwd_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
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
