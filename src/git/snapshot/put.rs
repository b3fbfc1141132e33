//! Files written where they belong and nowhere else: a snapshot may be forged.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use crate::error::{Failure, OrFatal, Result};
use crate::paths::path_from;

/// Sets permissions of files that are there.
///
/// # Errors
/// If the file system refuses.
pub fn permissions(top: &Path, modes: &HashMap<PathBuf, u32>) -> Result<()> {
    for (name, mode) in modes {
        let path = top.join(name);
        let is_file = || fs::symlink_metadata(&path).is_ok_and(|m| m.is_file());
        if is_plain(name) && has_directories(top, name.parent()) && is_file() {
            let mode = fs::Permissions::from_mode(*mode);
            fs::set_permissions(&path, mode)
                .or_fatal(|| format!("could not restore '{}'", path.display()))?;
        }
    }
    Ok(())
}

/// Whether a name stays where it is put: no `..`, and nothing of git's own.
pub fn is_plain(name: &Path) -> bool {
    name.components()
        .all(|part| matches!(part, Component::Normal(part) if !part.eq_ignore_ascii_case(".git")))
}

fn has_directories(top: &Path, dir: Option<&Path>) -> bool {
    let mut path = top.to_owned();
    dir.into_iter().flat_map(Path::components).all(|part| {
        path.push(part);
        fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir())
    })
}

/// The directories of this name below `top`, each of which must be a real one.
///
/// # Errors
/// If one is not, or can't be made.
pub fn make_directories(top: &Path, name: &Path) -> Result<()> {
    let mut dir = top.to_owned();
    for part in name.components() {
        dir.push(part);
        match fs::symlink_metadata(&dir) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(Failure::fatal(format!("'{}' is not a directory", dir.display()))),
            Err(_) => {
                fs::create_dir(&dir)
                    .or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
            }
        }
    }
    Ok(())
}

/// A file without the filters, with its permissions from its first byte: it may hold a secret.
///
/// # Errors
/// If it can't be written.
pub fn file(top: &Path, name: &Path, mode: &str, bytes: &[u8], permissions: Option<u32>) -> Result<()> {
    if !is_plain(name) {
        return Ok(());
    }
    make_directories(top, name.parent().unwrap_or(Path::new("")))?;
    let path = top.join(name);
    match mode {
        "120000" => {
            remove_if_there(&path)?;
            let made = std::os::unix::fs::symlink(path_from(bytes), &path);
            made.or_fatal(|| format!("could not restore '{}'", path.display()))
        }
        "100755" => write_over(&path, bytes, permissions.unwrap_or(0o777)),
        _ => write_over(&path, bytes, permissions.unwrap_or(0o666)),
    }
}

/// A new file in place of an old one, so that nothing is written through a link.
///
/// # Errors
/// If the file system refuses.
pub fn write_over(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    remove_if_there(path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .or_fatal(|| format!("could not write '{}'", path.display()))
}

/// Removes a file, or a link itself.
///
/// # Errors
/// If the file system refuses.
pub fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).or_fatal(|| format!("could not remove '{}'", path.display()))
        }
        _ => Ok(()),
    }
}
