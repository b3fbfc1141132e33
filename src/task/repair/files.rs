//! Files that only exist while a process of ours writes them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::git::worktree::Worktree;

/// A name that we give: `.<name>.tmp-<process>`, or `snapshot.tmp-<process>-<thread>`.
fn is_temporary(name: &str) -> bool {
    let hidden = name.starts_with('.') || name.starts_with("snapshot.");
    // Those of `git::scratch` begin so.
    let scratch = name.starts_with("tmp-");
    scratch
        || hidden
            && name
                .rsplit_once(".tmp-")
                .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// What was cut off beside a note. A branch may have anything in `notes`, links to elsewhere too; ours are files
/// and links of one name, in directories.
pub fn temporary_notes(worktree: &Worktree) -> Vec<PathBuf> {
    let is_dir = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let notes = worktree.path.join("notes");
    if worktree.missing || !is_dir(&notes) {
        return Vec::new();
    }
    let dirs = fs::read_dir(&notes).into_iter().flatten().flatten().map(|e| e.path()).filter(|p| is_dir(p));
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".status.md.tmp-"));
        name && !is_dir(path)
    };
    dirs.flat_map(|dir| temporary_files(&dir)).filter(is_ours).collect()
}

/// A directory with all below it that are no temporary ones themselves.
pub fn directories(top: PathBuf) -> Vec<PathBuf> {
    let mut all = vec![top];
    let mut seen = 0;
    while let Some(dir) = all.get(seen) {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let real = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
        let inside: Vec<_> =
            real.filter(|e| !is_temporary(&e.file_name().to_string_lossy())).map(|e| e.path()).collect();
        all.extend(inside);
        seen += 1;
    }
    all
}

/// Files that only exist while a process writes them. One that is younger than a minute may be in use.
pub fn temporary_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    entries
        .filter(|p| p.file_name().is_some_and(|n| is_temporary(&n.to_string_lossy())) && is_left(p))
        .collect()
}

/// Whether it is there, and nobody writes it any more.
fn is_left(path: &Path) -> bool {
    let modified = |path: &Path| fs::symlink_metadata(path).and_then(|m| m.modified()).ok();
    // A process id in the name tells better than the time, where /proc can be asked.
    let owner = path
        .to_string_lossy()
        .rsplit("tmp-")
        .next()
        .and_then(|rest| rest.split('-').next().and_then(|pid| pid.parse::<i32>().ok()));
    let over = match owner {
        Some(pid) if Path::new("/proc/self").exists() => !crate::desk::pid::runs(pid),
        _ => modified(path).and_then(|t| t.elapsed().ok()).is_some_and(|age| age.as_secs() >= 60),
    };
    // Whoever has just ended took it away before.
    over && fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_took_away_before_it_ended_is_not_left() {
        let dir = tempfile::tempdir().unwrap();
        // More than any process has.
        let path = dir.path().join(format!("tmp-{}-0", i32::MAX));
        fs::create_dir(&path).unwrap();
        assert!(is_left(&path));
        fs::remove_dir(&path).unwrap();
        assert!(!is_left(&path));
    }
}
