//! A worktree that goes: out of the way first, by a rename, then deleted.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::git::process::run_shell;

/// Deletes the directory `$1`, and after it the file `$2`, if one is named. Directories may have been made read-only by a
/// build; a directory that can't be written can't be emptied.
pub const DELETE: &str =
    r#"chmod -R u+w -- "$1" 2>/dev/null; rm -rf -- "$1" && if [ "${2-}" ]; then rm -f -- "$2"; fi"#;

/// A name beside the worktree, so that a rename is enough, and hidden; `what` has become of it. A process id comes again.
pub fn aside_of(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = std::process::id();
    let mut names = (1..).map(|n| path.with_file_name(format!(".{name}.{what}-{id}-{n}")));
    names.find(|p| fs::symlink_metadata(p).is_err()).expect("one of the numbers is free")
}

/// Its name until it was looked at again, where nobody writes any more who only knows its place.
pub fn unseen_of(aside: &Path) -> PathBuf {
    let mut name = aside.file_name().unwrap_or_default().to_owned();
    name.push("-unseen");
    aside.with_file_name(name)
}

/// Deletes a directory, whatever the permissions in it.
///
/// # Errors
/// If something in it can't be deleted.
pub fn delete(dir: &Path) -> Result<()> {
    run_shell(DELETE, &[dir.as_os_str()]).map(drop)
}
