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
