//! Where a worktree went that somebody moved by hand, and not with `git worktree move`.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::worktree::{self, Worktree};
use crate::error::{OrFatal, Result};
use crate::paths::is_no_place;

/// The directory whose `.git` leads to the administrative directory of a worktree: `first`, or one right inside
/// one of `places`.
///
/// # Errors
/// If something there can't be looked at: what is not found then may be there, and must not be taken for gone.
pub fn search(
    worktree: &Worktree,
    first: &Path,
    places: impl IntoIterator<Item = PathBuf>,
) -> Result<Option<PathBuf>> {
    let unknown =
        |at: &Path| format!("could not look for '{}' in '{}'", worktree.path.display(), at.display());
    let wanted = match worktree.git_dir.canonicalize() {
        // It was removed meanwhile, and nothing leads there any more.
        Err(e) if is_no_place(&e) => return Ok(None),
        wanted => wanted.or_fatal(|| unknown(&worktree.git_dir))?,
    };
    let leads_there = |dir: &Path| match worktree::leads_to(&dir.join(".git")) {
        Err(e) if !is_of_others(&e, dir) => Err(e).or_fatal(|| unknown(dir)),
        target => Ok(target.ok().flatten().as_ref() == Some(&wanted)),
    };
    if leads_there(first)? {
        return Ok(Some(first.to_owned()));
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort();
    places.dedup();
    for place in places {
        for dir in inside(&place).or_fatal(|| unknown(&place))? {
            if leads_there(&dir)? {
                return Ok(Some(dir));
            }
        }
    }
    Ok(None)
}

fn inside(place: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(place).and_then(|entries| entries.map(|e| Ok(e?.path())).collect());
    match entries {
        Err(e) if is_no_place(&e) || is_of_others(&e, place) => Ok(Vec::new()),
        entries => entries,
    }
}

/// Another user's directory that this one must not look into holds no worktree of this one.
fn is_of_others(error: &io::Error, dir: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    error.kind() == ErrorKind::PermissionDenied && fs::metadata(dir).is_ok_and(|meta| meta.uid() != me)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::Sandbox;

    #[test]
    fn a_worktree_that_was_removed_meanwhile_is_nowhere() {
        let sandbox = Sandbox::new();
        sandbox.commit("a", "a\n");
        sandbox.git(["worktree", "add", "-q", "../wt"]);
        let worktrees = sandbox.repo().worktrees().unwrap();
        sandbox.git(["worktree", "remove", "../wt"]);
        let above = sandbox.top().parent().unwrap().to_owned();
        assert_eq!(search(&worktrees[1], &sandbox.top(), [above]).unwrap(), None);
    }
}
