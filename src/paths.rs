//! Paths as bytes: what git prints, what config and porcelain formats hold. A path need not be UTF-8.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

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
