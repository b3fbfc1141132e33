//! Paths as bytes: what git prints, what config and porcelain formats hold. A path need not be UTF-8.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::error::{OrFatal, Result};

/// A path from the bytes that git prints or a file holds.
pub fn path_from(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

/// The bytes of a path, as git config and the porcelain formats hold them.
pub fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Takes `.` and `..` out of an absolute path without asking the file system, and resolves links in the
/// part of it that exists, as git shows worktree paths.
pub fn normalise(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    let mut rest = Vec::new();
    let mut existing = out.clone();
    while !existing.exists() {
        match (existing.file_name().map(ToOwned::to_owned), existing.pop()) {
            (Some(name), true) => rest.push(name),
            _ => return out,
        }
    }
    let mut real = existing.canonicalize().unwrap_or(existing);
    real.extend(rest.into_iter().rev());
    real
}

/// What lies right in a directory, in the order of names; nothing if there is no such directory.
///
/// # Errors
/// If it can't be read: what is in it must not be taken for gone.
pub fn inside(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> { fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect() };
    match read() {
        Ok(mut found) => {
            found.sort_unstable();
            Ok(found)
        }
        Err(e) if is_no_place(&e) => Ok(Vec::new()),
        Err(e) => Err(e).or_fatal(|| format!("could not read '{}'", dir.display())),
    }
}

/// What a file holds; nothing if there is no file.
///
/// # Errors
/// If it can't be read.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if is_no_place(&e) || e.kind() == io::ErrorKind::IsADirectory => Ok(None),
        Err(e) => Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
    }
}

/// Whether there is a file or a directory of this name, links followed.
///
/// # Errors
/// If that can't be told.
pub fn is_there(path: &Path) -> Result<bool> {
    match path.try_exists() {
        Err(e) if !is_no_place(&e) => Err(e).or_fatal(|| format!("could not look for '{}'", path.display())),
        there => Ok(there.unwrap_or(false)),
    }
}

/// Whether a directory can be made here: there is nothing, or an empty one.
pub fn is_free(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => is_no_place(&e) && fs::symlink_metadata(path).is_err_and(|e| is_no_place(&e)),
    }
}

/// Whether an error says that there is nothing of a name, and not that it can't be looked at.
pub fn is_no_place(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
        || error.raw_os_error() == Some(libc::ELOOP)
}
