//! Repositories inside a worktree, whose objects are not in this one's database.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;

use crate::error::Result;
use crate::git::process::Git;
use crate::paths::{inside, is_there};

/// Submodules of the worktree with changes, or whose commits would be lost, and those that aren't there but
/// have files in their place, which git never looks at. That one is at another commit is the status's to find.
///
/// # Errors
/// If a directory can't be read.
pub fn submodules_with_work(
    top: &Path,
    git_dir: Option<&Path>,
    submodules: &HashSet<PathBuf>,
) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let is_link = |dir: &Path| fs::symlink_metadata(top.join(dir)).is_ok_and(|meta| meta.is_symlink());
    for name in submodules {
        // What is behind a link is not in this worktree.
        if name.ancestors().any(is_link) {
            continue;
        }
        let path = top.join(name);
        let dot_git = path.join(".git");
        // The status of the worktree around it goes by what its configuration hides.
        if is_there(&dot_git)? && has_changes(&path)? {
            found.push(name.clone());
        } else if dot_git.is_dir() {
            // Made by hand, or long ago: its repository is in the worktree itself.
            if has_commits_of_its_own(&dot_git)? {
                found.push(name.clone());
            }
        } else if !is_there(&dot_git)? && !inside(&path)?.is_empty() {
            found.push(name.clone());
        }
    }
    if let Some(git_dir) = git_dir {
        for name in modules_with_work(git_dir)? {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    Ok(found)
}

/// The names of submodules with commits that would be lost with this administrative directory: their repositories are in
/// it and go with it, also of those that are no longer checked out.
///
/// # Errors
/// If a directory can't be read.
pub fn modules_with_work(git_dir: &Path) -> Result<Vec<PathBuf>> {
    let modules = git_dir.join("modules");
    let mut found = Vec::new();
    for repository in repositories_below(&modules)? {
        if has_commits_of_its_own(&repository)? {
            found.push(repository.strip_prefix(&modules).unwrap_or(&repository).to_owned());
        }
    }
    Ok(found)
}

fn has_changes(submodule: &Path) -> Result<bool> {
    let args = ["status", "--porcelain", "-unormal", "--ignore-submodules=none"];
    let output = Git::at(submodule).cmd(args).poll().output()?;
    Ok(!output.status.success() || !output.stdout.is_empty())
}

/// The repositories of submodules, and of their submodules; a submodule's name may have slashes.
fn repositories_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in inside(dir)? {
        if is_there(&path.join("HEAD"))? && is_there(&path.join("objects"))? {
            found.extend(repositories_below(&path.join("modules"))?);
            found.push(path);
        } else if path.is_dir() {
            found.extend(repositories_below(&path)?);
        }
    }
    Ok(found)
}

/// Whether there are commits that were never fetched from anywhere. What can't be told counts as yes.
fn has_commits_of_its_own(git_dir: &Path) -> Result<bool> {
    // A commit that was fetched by its id alone is on no remote-tracking branch.
    let fetched = fs::read(git_dir.join("FETCH_HEAD")).unwrap_or_default();
    let known: Vec<u8> = fetched
        .lines()
        .filter_map(|line| line.fields().next())
        .flat_map(|id| [b"^".as_slice(), id, b"\n"].concat())
        .collect();
    // Tags come along with a clone, and one of the user's own names a commit that the reflog has too.
    let args = [
        "rev-list",
        "-n1",
        "--ignore-missing",
        "--stdin",
        "--exclude=refs/tags/*",
        "--exclude=refs/remotes/*",
        "--all",
        "--reflog",
        "--not",
        "--remotes",
    ];
    // The worktree that its configuration names may be gone.
    let git = Git::with_git_dir(git_dir, git_dir);
    let own = git.cmd(args).env("GIT_WORK_TREE", git_dir).stdin(known).poll().output()?;
    Ok(!own.status.success() || !own.stdout.is_empty())
}
