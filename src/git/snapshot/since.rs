//! Whether a snapshot still holds what is in a worktree.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::contents;
use super::place::Place;
use super::restore::texts_of;
use crate::error::{OrFatal, Result};
use crate::git::worktree::Worktree;
use crate::git::{Repo, parse_id};
use crate::paths::{path_bytes, path_from};

/// The first file of a worktree that is not in `commit`, a snapshot of it, as it is on disk, if there is one: it was
/// written since. Ignored files are left out.
///
/// # Errors
/// If git or the file system refuses.
pub fn written_since(repo: &Repo, worktree: &Worktree, commit: ObjectId) -> Result<Option<PathBuf>> {
    let (path, git_dir) = (worktree.path.as_path(), worktree.git_dir.as_path());
    let place = Place::new(repo, Some(path), Some(git_dir))?;
    place.copy_index(&git_dir.join("index"), "index")?;
    let index = contents::read(&place)?;
    contents::status(&place, path, &index)?;
    place.with_index("disk", ["read-tree", "--reset", &format!("{commit}:worktree")]).run()?;
    // What differs is said by the next command.
    place.with_index("disk", ["update-index", "-q", "--refresh"]).output()?;
    let written = ["ls-files", "-z", "--modified", "--others", "--exclude-standard"];
    let written = place.with_index("disk", written).run()?;
    Ok(written.split(|b| *b == 0).find(|name| !name.is_empty()).map(path_from))
}

/// The tree of the files that a snapshot has, ignored ones left out.
///
/// # Errors
/// If it has none.
pub fn files_of(repo: &Repo, commit: ObjectId) -> Result<ObjectId> {
    let tree = format!("{commit}:worktree");
    parse_id(repo.at_home().cmd(["rev-parse", "--verify", &tree]).poll().line()?.as_bytes())
}

/// Whether a snapshot holds an ignored file as it is.
///
/// # Errors
/// If one of them can't be read.
pub fn holds_ignored(repo: &Repo, worktree: &Worktree, held: ObjectId, name: &Path) -> Result<bool> {
    let path = worktree.path.join(name);
    let failed = || format!("could not read '{}'", path.display());
    let meta = fs::symlink_metadata(&path).or_fatal(failed)?;
    let here = match meta.is_symlink() {
        true => path_bytes(&fs::read_link(&path).or_fatal(failed)?).to_vec(),
        false if meta.is_file() => fs::read(&path).or_fatal(failed)?,
        false => return Ok(false),
    };
    let part = Path::new("ignored").join(name);
    Ok(texts_of(&repo.at_home(), held, part)?.is_some_and(|there| there == here))
}
