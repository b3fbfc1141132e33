//! `setup.copy` and `.worktreeinclude`: untracked files that every new worktree gets.
//!
//! git decides which files match (`git ls-files --others --ignored`), so the patterns mean what they mean in
//! `.gitignore`. Tracked files are never copied, links are copied as links, and nothing is written through a
//! link or over a file that is there.

use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;

use super::Desk;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::Git;
use crate::interrupt;
use crate::paths::path_from;

/// The file with patterns that other tools know too.
const INCLUDE_FILE: &str = ".worktreeinclude";

/// Whether any file is to be copied at all.
pub fn is_configured(desk: &Desk<'_>) -> bool {
    !desk.settings.setup_copy().is_empty() || desk.repo.home().join(INCLUDE_FILE).is_file()
}

/// The untracked files of `source` that the patterns name, relative to it. With `ignored_only` those that
/// are untracked but not ignored are left out.
///
/// # Errors
/// If git can't list them.
pub fn matching(desk: &Desk<'_>, source: &Path, ignored_only: bool) -> Result<Vec<PathBuf>> {
    let include = desk.repo.home().join(INCLUDE_FILE);
    let patterns = desk.settings.setup_copy();
    let has_include = include.is_file();
    if patterns.is_empty() && !has_include {
        return Ok(Vec::new());
    }
    let mut cmd = Git::at(source).cmd(["ls-files", "-z", "--others", "--ignored"]);
    for pattern in patterns {
        cmd = cmd.arg("-x").arg(pattern);
    }
    if has_include {
        cmd = cmd.arg("-X").arg(&include);
    }
    let out = cmd.poll().run()?;
    // A name that ends in a slash is a repository inside this one; it is not a file of ours to copy.
    let listed = out.split(|b| *b == 0).filter(|name| !name.is_empty() && !name.ends_with(b"/"));
    let mut names: Vec<PathBuf> = listed.filter(|name| !name.starts_with(b"notes/")).map(path_from).collect();
    if ignored_only {
        let ignored = Git::at(source)
            .cmd(["ls-files", "-z", "--others", "--ignored", "--exclude-standard"])
            .poll()
            .run()?;
        let ignored: std::collections::HashSet<_> = ignored.split(|b| *b == 0).map(path_from).collect();
        names.retain(|name| ignored.contains(name));
    }
    Ok(names)
}

/// Copies what the patterns name from the main worktree into a new one.
///
/// # Errors
/// If one file can't be copied: the first, with its name.
pub fn copy_into(desk: &Desk<'_>, worktree: &Path) -> Result<usize> {
    let Some(source) = desk.repo.main_worktree().or(desk.repo.workdir()) else { return Ok(0) };
    let names = matching(desk, source, false)?;
    let mut copied = 0;
    for name in &names {
        interrupt::check()?;
        copied += usize::from(copy_one(source, worktree, name)?);
    }
    Ok(copied)
}

fn copy_one(source: &Path, worktree: &Path, name: &Path) -> Result<bool> {
    let (from, to) = (source.join(name), worktree.join(name));
    let failed = || format!("could not copy '{}'", name.display());
    let meta = match fs::symlink_metadata(&from) {
        Ok(meta) => meta,
        // It went away between listing and copying.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).or_fatal(failed),
    };
    make_parents(worktree, name)?;
    if fs::symlink_metadata(&to).is_ok() {
        return Ok(false);
    }
    if meta.is_symlink() {
        let target = fs::read_link(&from).or_fatal(failed)?;
        std::os::unix::fs::symlink(target, &to).or_fatal(failed)?;
    } else if meta.is_file() {
        reflink_copy::reflink_or_copy(&from, &to).or_fatal(failed)?;
        fs::set_permissions(&to, meta.permissions()).or_fatal(failed)?;
    } else {
        return Err(Failure::fatal(format!("could not copy '{}': not a regular file", name.display())));
    }
    Ok(true)
}

/// Makes the directories above `name`, each of which must be a real one.
fn make_parents(worktree: &Path, name: &Path) -> Result<()> {
    let mut dir = worktree.to_owned();
    for part in name.parent().into_iter().flat_map(Path::components) {
        dir.push(part);
        match fs::symlink_metadata(&dir) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                let message =
                    format!("could not copy '{}': '{}' is not a directory", name.display(), dir.display());
                return Err(Failure::fatal(message));
            }
            Err(_) => {
                fs::create_dir(&dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?
            }
        }
    }
    Ok(())
}

/// Ignored files of a worktree, whole directories as one name with a slash at the end.
///
/// # Errors
/// If git can't list them.
pub fn ignored(worktree: &Path) -> Result<Vec<String>> {
    let args = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
    let out = Git::at(worktree).cmd(args).poll().run()?;
    let names = out.split(|b| *b == 0).filter(|n| !n.is_empty());
    Ok(names.map(|n| n.to_str_lossy().into_owned()).collect())
}
