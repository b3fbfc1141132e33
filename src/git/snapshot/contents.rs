//! What is on disk and in the index, as trees and blobs.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Scratch, z_paths};
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::git::process::Git;
use crate::paths::path_bytes;

/// Entries of the snapshot's top tree: mode and kind, name, object.
type Top<'a> = Vec<(&'a str, &'a str, ObjectId)>;

/// Repositories inside this one with something that only they hold: untracked ones always, submodules if they
/// have changes, commits that no remote has, or stashes.
pub fn other_repositories(git: &Git) -> Result<Vec<PathBuf>> {
    let untracked = git.cmd(["ls-files", "-z", "--others", "--exclude-standard"]).poll().run()?;
    let mut found: Vec<PathBuf> = z_paths(&untracked).filter(|p| path_bytes(p).ends_with(b"/")).collect();
    let staged = git.cmd(["ls-files", "-z", "--stage"]).poll().run()?;
    let links = staged.split(|b| *b == 0).filter(|line| line.starts_with(b"160000 "));
    let names =
        links.filter_map(|line| line.split_once_str("\t")).map(|(_, path)| crate::paths::path_from(path));
    let top = git.cmd(["rev-parse", "--show-toplevel"]).poll().path()?;
    for name in names {
        let path = top.join(&name);
        if path.join(".git").exists() && has_work_of_its_own(&path)? {
            found.push(name);
        }
    }
    Ok(found)
}

fn has_work_of_its_own(submodule: &Path) -> Result<bool> {
    let git = Git::at(submodule);
    let dirty = git.cmd(["status", "--porcelain", "--ignore-submodules=none"]).poll().output()?;
    if !dirty.status.success() || !dirty.stdout.is_empty() {
        return Ok(true);
    }
    let args = ["rev-list", "-n1", "HEAD", "--branches", "--glob=refs/stash", "--not", "--remotes", "--tags"];
    let own = git.cmd(args).poll().output()?;
    Ok(!own.status.success() || !own.stdout.is_empty())
}

/// The index: stage 0 as a tree, unmerged stages as trees of their own, and the file as it is.
pub fn index(scratch: &Scratch, index: &Path, top: &mut Top<'_>) -> Result<()> {
    let staged = scratch.git.cmd(["ls-files", "-z", "--stage"]).poll().run()?;
    let mut stages: [Vec<u8>; 4] = Default::default();
    for line in staged.split(|b| *b == 0).filter(|l| !l.is_empty()) {
        let Some((head, path)) = line.split_once_str("\t") else { continue };
        let mut words = head.splitn(3, |b| *b == b' ');
        let (Some(mode), Some(id), Some(stage)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let stage = usize::from(stage.first().unwrap_or(&b'0').saturating_sub(b'0')).min(3);
        let out = &mut stages[stage];
        for part in [mode, b" ", id, b"\t", path, b"\0"] {
            out.extend_from_slice(part);
        }
    }
    for (lines, name) in stages.into_iter().zip(["index", "stage-1", "stage-2", "stage-3"]) {
        if lines.is_empty() && name != "index" {
            continue;
        }
        let info = ["update-index", "--add", "-z", "--index-info"];
        if !lines.is_empty() {
            scratch.with_index(name, info).stdin(lines).run()?;
        }
        // Objects that a partial clone or an intent to add lacks must not keep the tree from being written.
        let tree = scratch.with_index(name, ["write-tree", "--missing-ok"]).line()?;
        top.push(("040000 tree", name, parse_id(tree.as_bytes())?));
    }
    // A split index is of no use without the file that it refers to.
    let git_dir = index.parent().expect("an index is in a git directory");
    let split = fs::read_dir(git_dir).is_ok_and(|all| {
        all.flatten().any(|e| e.file_name().as_encoded_bytes().starts_with(b"sharedindex."))
    });
    if !split {
        top.push(("100644 blob", "index-file", scratch.blob(index)?));
    }
    Ok(())
}

/// The files on disk, tracked and untracked, as a tree.
pub fn worktree(scratch: &Scratch, index: &Path, top: &mut Top<'_>) -> Result<()> {
    let copy = scratch.dir.join("worktree");
    fs::copy(index, &copy).or_fatal(|| format!("could not copy '{}'", index.display()))?;
    // `ls-files -v` has small letters for files that git was told to take as unchanged.
    let flags = scratch.with_index("worktree", ["ls-files", "-v", "-z"]).run()?;
    let assumed: Vec<u8> = flags
        .split(|b| *b == 0)
        .filter(|line| line.first().is_some_and(u8::is_ascii_lowercase))
        .flat_map(|line| line[2..].iter().copied().chain([0]))
        .collect();
    if !assumed.is_empty() {
        let args = ["update-index", "--no-assume-unchanged", "-z", "--stdin"];
        scratch.with_index("worktree", args).stdin(assumed).run()?;
    }
    add_all(scratch, "worktree")?;
    top.push(("040000 tree", "worktree", scratch.tree_of("worktree")?));
    Ok(())
}

/// `git add --all` into an index of ours, without the user's checks of it.
pub fn add_all(scratch: &Scratch, index: &str) -> Result<()> {
    let cmd = scratch.git.cmd([
        "-c",
        "core.safecrlf=false",
        "-c",
        "core.fsmonitor=false",
        "add",
        "--all",
        "--sparse",
    ]);
    cmd.env("GIT_INDEX_FILE", scratch.dir.join(index)).env("GIT_ADVICE", "0").run().map(drop)
}

/// Ignored files that the caller names, byte for byte.
pub fn ignored(scratch: &Scratch, top_dir: &Path, names: &[PathBuf], top: &mut Top<'_>) -> Result<()> {
    let mut files = Vec::new();
    let mut entries = Vec::new();
    for name in names {
        let path = top_dir.join(name);
        let meta = fs::symlink_metadata(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
        if meta.is_symlink() {
            let target = fs::read_link(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
            entries.push((path_bytes(name).to_vec(), "120000", scratch.text(path_bytes(&target))?));
        } else if meta.is_file() {
            use std::os::unix::fs::PermissionsExt;
            let mode = if meta.permissions().mode() & 0o100 != 0 { "100755" } else { "100644" };
            files.push((path_bytes(name).to_vec(), mode, path));
        } else {
            return Err(Failure::fatal(format!("cannot preserve '{}': not a regular file", path.display())));
        }
    }
    let paths: Vec<PathBuf> = files.iter().map(|(_, _, path)| path.clone()).collect();
    if !paths.is_empty() {
        let ids = scratch.blobs(&paths)?;
        entries.extend(files.into_iter().zip(ids).map(|((name, mode, _), id)| (name, mode, id)));
    }
    if !entries.is_empty() {
        top.push(("040000 tree", "ignored", scratch.tree("ignored", &entries)?));
    }
    Ok(())
}

/// Files and directories of a git directory that say what is under way in its worktree; see
/// gitrepository-layout(5) and `remove_merge_branch_state` in git's branch.c.
pub const STATE_FILES: &[&str] = &[
    "MERGE_HEAD",
    "MERGE_MSG",
    "MERGE_MODE",
    "MERGE_RR",
    "MERGE_AUTOSTASH",
    "AUTO_MERGE",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "ORIG_HEAD",
    "SQUASH_MSG",
    "COMMIT_EDITMSG",
    "BISECT_LOG",
    "BISECT_NAMES",
    "BISECT_START",
    "BISECT_TERMS",
    "BISECT_EXPECTED_REV",
    "BISECT_ANCESTORS_OK",
    "BISECT_FIRST_PARENT",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "config.worktree",
    "info/sparse-checkout",
];

/// The state of an operation in progress.
pub fn operation(scratch: &Scratch, git_dir: &Path, top: &mut Top<'_>) -> Result<()> {
    let mut names = Vec::new();
    for name in STATE_FILES {
        walk(git_dir, Path::new(name), &mut names)?;
    }
    if names.is_empty() {
        return Ok(());
    }
    let paths: Vec<PathBuf> = names.iter().map(|name| git_dir.join(name)).collect();
    let ids = scratch.blobs(&paths)?;
    let entries: Vec<_> =
        names.iter().zip(ids).map(|(name, id)| (path_bytes(name).to_vec(), "100644", id)).collect();
    top.push(("040000 tree", "gitdir", scratch.tree("gitdir", &entries)?));
    Ok(())
}

/// Regular files at or below `name`.
pub fn walk(root: &Path, name: &Path, out: &mut Vec<PathBuf>) -> Result<()> {
    let path = root.join(name);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => out.push(name.to_owned()),
        Ok(meta) if meta.is_dir() => {
            let entries = fs::read_dir(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
            for entry in entries.flatten() {
                walk(root, &name.join(entry.file_name()), out)?;
            }
        }
        _ => {}
    }
    Ok(())
}
