//! From a snapshot back to a worktree.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::AS_IT_IS;
use super::contents::STATE_FILES;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::Git;
use crate::paths::path_from;

/// A text of a snapshot by name, if it has it.
///
/// # Errors
/// If git can't read it.
pub fn texts_of(git: &Git, commit: ObjectId, name: &str) -> Result<Option<Vec<u8>>> {
    let object = format!("{commit}:{name}");
    let output = git.cmd(["cat-file", "-e", &object]).poll().output()?;
    if !output.status.success() {
        return Ok(None);
    }
    git.cmd(["cat-file", "blob", &object]).poll().run().map(Some)
}

/// Fills a worktree from a snapshot: files, index, named ignored files, the operation that was under way.
///
/// The worktree must have been made without a checkout (`git worktree add --no-checkout`), with the branch or
/// commit that it had as its HEAD; `git_dir` is its git directory.
///
/// # Errors
/// If git or the file system refuses; the snapshot stays as it is.
pub fn restore_into(commit: ObjectId, path: &Path, git_dir: &Path) -> Result<()> {
    let git = Git::at(path);
    let listing = git.cmd(["ls-tree", "-z", &commit.to_string()]).poll().run()?;
    let has = |name: &str| listing.split(|b| *b == 0).any(|l| l.ends_with(format!("\t{name}").as_bytes()));
    // The patterns of a sparse checkout come first: they decide which files are written.
    if has("index") {
        forget_sparse_checkout(git_dir)?;
    }
    if has("gitdir") {
        restore_state(&git, commit, git_dir)?;
    }
    if has("worktree") {
        // Exactly what was on disk, whatever the patterns say.
        git.cmd(AS_IT_IS).args(["read-tree", "--reset", "-u", &format!("{commit}:worktree")]).run()?;
    } else {
        git.cmd(["read-tree", "--reset", "-u", "HEAD"]).run()?;
    }
    if has("raw") {
        restore_raw(&git, commit, path)?;
    }
    if has("index") {
        restore_index(&git, commit, git_dir, has("index-file"))?;
    }
    if has("refs") {
        restore_refs(&git, commit)?;
    }
    if has("ignored") {
        restore_ignored(&git, commit, path, has("ignored-modes"))?;
    }
    Ok(())
}

/// `git worktree add` takes over those of the main worktree.
fn forget_sparse_checkout(git_dir: &Path) -> Result<()> {
    for name in ["config.worktree", "info/sparse-checkout"] {
        let path = git_dir.join(name);
        if path.exists() {
            fs::remove_file(&path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
        }
    }
    Ok(())
}

/// Bytes that a checkout does not give.
fn restore_raw(git: &Git, commit: ObjectId, top: &Path) -> Result<()> {
    for (_, id, name) in entries(git, commit, "raw")? {
        if is_plain(&name) {
            let bytes = git.cmd(["cat-file", "blob", &id]).poll().run()?;
            make_parents(top, &name)?;
            write(&top.join(&name), &bytes)?;
        }
    }
    Ok(())
}

fn restore_refs(git: &Git, commit: ObjectId) -> Result<()> {
    let text = git.cmd(["cat-file", "blob", &format!("{commit}:refs")]).poll().run()?;
    for line in text.lines() {
        if let Some((id, name)) = line.to_str_lossy().split_once(' ') {
            git.cmd(["update-ref", "-m", "git task restore", name, id]).run()?;
        }
    }
    Ok(())
}

fn restore_index(git: &Git, commit: ObjectId, git_dir: &Path, has_file: bool) -> Result<()> {
    let index = git_dir.join("index");
    if has_file {
        let bytes = git.cmd(["cat-file", "blob", &format!("{commit}:index-file")]).poll().run()?;
        // Beside it first: half an index would be none, and git would not even look at the repository.
        let new = git_dir.join("index.restored");
        write(&new, &bytes)?;
        // An index of an extension that this git does not know is refused; the tree then has to do.
        let read = git.cmd(["ls-files", "--stage"]).env("GIT_INDEX_FILE", &new).poll().output()?;
        let moved = if read.status.success() { fs::rename(&new, &index) } else { fs::remove_file(&new) };
        moved.or_fatal(|| format!("could not write '{}'", index.display()))?;
        if read.status.success() {
            return git.cmd(["update-index", "-q", "--refresh"]).output().map(drop);
        }
    }
    git.cmd(["read-tree", "--reset", &format!("{commit}:index")]).run()?;
    git.cmd(["update-index", "-q", "--refresh"]).output().map(drop)
}

fn restore_state(git: &Git, commit: ObjectId, git_dir: &Path) -> Result<()> {
    for (_, id, name) in entries(git, commit, "gitdir")? {
        // Only names that a snapshot takes, so that a forged one writes nothing else.
        let known = STATE_FILES.iter().any(|s| name.starts_with(s));
        if !known || !is_plain(&name) {
            continue;
        }
        let bytes = git.cmd(["cat-file", "blob", &id]).poll().run()?;
        let path = git_dir.join(&name);
        let dir = path.parent().expect("a name below a directory has a parent");
        fs::create_dir_all(dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
        write(&path, &bytes)?;
    }
    Ok(())
}

fn restore_ignored(git: &Git, commit: ObjectId, top: &Path, has_modes: bool) -> Result<()> {
    let mut modes = Vec::new();
    if has_modes {
        modes = git.cmd(["cat-file", "blob", &format!("{commit}:ignored-modes")]).poll().run()?;
    }
    let exact = |name: &Path| -> Option<u32> {
        let mut lines = modes.split(|b| *b == 0).filter_map(|line| line.split_once_str(" "));
        let (mode, _) = lines.find(|(_, found)| path_from(found) == name)?;
        u32::from_str_radix(mode.to_str().ok()?, 8).ok()
    };
    for (mode, id, name) in entries(git, commit, "ignored")? {
        if !is_plain(&name) {
            continue;
        }
        let bytes = git.cmd(["cat-file", "blob", &id]).poll().run()?;
        let path = top.join(&name);
        make_parents(top, &name)?;
        if fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        let failed = || format!("could not restore '{}'", path.display());
        if mode == "120000" {
            std::os::unix::fs::symlink(path_from(&bytes), &path).or_fatal(failed)?;
        } else {
            // Narrow from the beginning: it may be a secret.
            let narrow = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            narrow.and_then(|mut file| file.write_all(&bytes)).or_fatal(failed)?;
            let plain = if mode == "100755" { 0o755 } else { 0o644 };
            let mode = exact(&name).unwrap_or(plain);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).or_fatal(failed)?;
        }
    }
    Ok(())
}

/// Mode, object and name of the files below a tree of the snapshot.
fn entries(git: &Git, commit: ObjectId, tree: &str) -> Result<Vec<(String, String, PathBuf)>> {
    let out = git.cmd(["ls-tree", "-r", "-z", &format!("{commit}:{tree}")]).poll().run()?;
    let lines = out.split(|b| *b == 0).filter_map(|line| line.split_once_str("\t"));
    let parsed = lines.filter_map(|(head, name)| {
        let head = head.to_str().ok()?;
        let mut words = head.split(' ');
        let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
        Some((mode.to_owned(), id.to_owned(), path_from(name)))
    });
    Ok(parsed.collect())
}

fn is_plain(name: &Path) -> bool {
    name.components()
        .all(|part| matches!(part, Component::Normal(part) if !part.eq_ignore_ascii_case(".git")))
}

/// The directories above `name`, each of which must be a real one.
fn make_parents(top: &Path, name: &Path) -> Result<()> {
    let mut dir = top.to_owned();
    for part in name.parent().into_iter().flat_map(Path::components) {
        dir.push(part);
        match fs::symlink_metadata(&dir) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(Failure::fatal(format!("'{}' is not a directory", dir.display()))),
            Err(_) => {
                fs::create_dir(&dir).or_fatal(|| format!("could not create directory '{}'", dir.display()))?
            }
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("could not write '{}'", path.display());
    let mut file = fs::File::create(path).or_fatal(failed)?;
    file.write_all(bytes).or_fatal(failed)
}
