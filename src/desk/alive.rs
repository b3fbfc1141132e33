//! Who is at work in a directory, as far as the system says it.

use std::fs;
use std::path::Path;

/// The processes that have their current directory in `dir` or below it, this one left out. Where there is no
/// `/proc`, nobody can be seen.
pub fn processes_in(dir: &Path) -> Vec<u32> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok()).filter(|pid| *pid != own);
    let is_there =
        |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    pids.filter(is_there).collect()
}

/// When a process began, in clock ticks since the machine did: with its number it names one process for good.
/// See `starttime` in proc_pid_stat(5).
pub fn began(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may hold anything.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}
