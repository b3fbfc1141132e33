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

/// Repositories inside this one with something that only they hold: untracked ones always, submodules unless
/// they are as the index has them, with nothing that no remote has.
pub fn other_repositories(git: &Git, top: &Path) -> Result<Vec<PathBuf>> {
    let untracked = git.cmd(["ls-files", "-z", "--others", "--exclude-standard"]).poll().run()?;
    let mut found: Vec<PathBuf> = z_paths(&untracked).filter(|p| path_bytes(p).ends_with(b"/")).collect();
    let staged = git.cmd(["ls-files", "-z", "--stage"]).poll().run()?;
    for line in staged.split(|b| *b == 0).filter_map(|line| line.strip_prefix(b"160000 ")) {
        let Some((head, name)) = line.split_once_str("\t") else { continue };
        let (name, id) = (crate::paths::path_from(name), head.split(|b| *b == b' ').next());
        let path = top.join(&name);
        if path.join(".git").exists() && has_work_of_its_own(&path, id.unwrap_or_default())? {
            found.push(name);
        }
    }
    found.dedup();
    Ok(found)
}

fn has_work_of_its_own(submodule: &Path, staged: &[u8]) -> Result<bool> {
    let git = Git::at(submodule);
    let head = git.cmd(["rev-parse", "--verify", "-q", "HEAD"]).poll().output()?;
    if head.stdout.trim_ascii_end() != staged {
        return Ok(true);
    }
    let status = ["status", "--porcelain", "-unormal", "--ignore-submodules=none"];
    let dirty = git.cmd(status).poll().output()?;
    if !dirty.status.success() || !dirty.stdout.is_empty() {
        return Ok(true);
    }
    // Stashes are entries of a reflog.
    let args = ["rev-list", "-n1", "HEAD", "--branches", "--reflog", "--not", "--remotes", "--tags"];
    let own = git.cmd(args).poll().output()?;
    Ok(!own.status.success() || !own.stdout.is_empty())
}

/// The index: stage 0 as a tree, which is returned, unmerged and resolved stages as trees of their own, and
/// the file with its marks.
pub fn index(scratch: &Scratch, index: &Path, top: &mut Top<'_>) -> Result<ObjectId> {
    let copy = scratch.dir.join("index-file");
    fs::copy(index, &copy).or_fatal(|| format!("could not copy '{}'", index.display()))?;
    // Whole again, if it was split.
    scratch.with_index("index-file", ["update-index", "--no-split-index", "--force-write-index"]).run()?;
    let staged = scratch.with_index("index-file", ["ls-files", "-z", "--stage"]).run()?;
    let names = ["index", "stage-1", "stage-2", "stage-3"];
    stage_trees(scratch, &staged, names, top)?;
    let resolved = scratch.with_index("index-file", ["ls-files", "-z", "--resolve-undo"]).run()?;
    stage_trees(scratch, &resolved, ["", "undo-1", "undo-2", "undo-3"], top)?;
    let bytes = fs::read(&copy).or_fatal(|| format!("could not read '{}'", copy.display()))?;
    let bytes = super::index_file::without_stat(bytes, scratch.hash);
    top.push(("100644 blob", "index-file", scratch.text(&bytes)?));
    Ok(top.iter().find(|(_, name, _)| *name == "index").expect("there is always a tree of stage 0").2)
}

/// A tree for each stage of a listing; that of stage 0 also if it is empty.
fn stage_trees<'a>(scratch: &Scratch, listing: &[u8], names: [&'a str; 4], top: &mut Top<'a>) -> Result<()> {
    let mut stages: [Vec<u8>; 4] = Default::default();
    for line in listing.split(|b| *b == 0).filter(|l| !l.is_empty()) {
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
    for (lines, name) in stages.into_iter().zip(names) {
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
    Ok(())
}

/// The files on disk, tracked and untracked, as a tree: no more and no less.
pub fn worktree(scratch: &Scratch, index: &Path) -> Result<ObjectId> {
    let copy = scratch.dir.join("worktree");
    fs::copy(index, &copy).or_fatal(|| format!("could not copy '{}'", index.display()))?;
    // git was told not to look at some files. They are work like any other, so here it looks.
    let flags = scratch.with_index("worktree", ["ls-files", "-v", "-z"]).run()?;
    let marked = |wanted: fn(u8) -> bool| -> Vec<u8> {
        let lines = flags.split(|b| *b == 0).filter(|line| line.len() > 2 && wanted(line[0]));
        lines.flat_map(|line| line[2..].iter().copied().chain([0])).collect()
    };
    let assumed = marked(|mark| mark.is_ascii_lowercase());
    let skipped = marked(|mark| mark.eq_ignore_ascii_case(&b'S'));
    for (option, names) in [("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)] {
        if !names.is_empty() {
            let args = ["update-index", option, "-z", "--stdin"];
            scratch.with_index("worktree", args).stdin(names).run()?;
        }
    }
    add_all(scratch, "worktree")?;
    scratch.tree_of("worktree")
}

/// `git add --all` into an index of ours, without the user's checks of it.
pub fn add_all(scratch: &Scratch, index: &str) -> Result<()> {
    let args = ["-c", "advice.addEmbeddedRepo=false", "add", "--all", "--sparse"];
    scratch.with_index(index, args).run().map(drop)
}

/// Ignored files that the caller names, byte for byte.
pub fn ignored(scratch: &Scratch, top_dir: &Path, names: &[PathBuf], top: &mut Top<'_>) -> Result<()> {
    let mut files = Vec::new();
    let mut entries = Vec::new();
    let mut modes = Vec::new();
    for name in names {
        let path = top_dir.join(name);
        let meta = fs::symlink_metadata(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
        if meta.is_symlink() {
            let target = fs::read_link(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
            entries.push((path_bytes(name).to_vec(), "120000", scratch.text(path_bytes(&target))?));
        } else if meta.is_file() {
            use std::os::unix::fs::PermissionsExt;
            let exact = meta.permissions().mode() & 0o777;
            // A secret must not come back readable for all.
            modes.extend_from_slice(format!("{exact:o} ").as_bytes());
            modes.extend_from_slice(path_bytes(name));
            modes.push(0);
            let mode = if exact & 0o100 != 0 { "100755" } else { "100644" };
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
        top.push(("100644 blob", "ignored-modes", scratch.text(&modes)?));
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
    "BISECT_HEAD",
    "BISECT_RUN",
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

/// References that each worktree has for itself; `BISECT_HEAD` and its like are files, except where no
/// reference is one.
pub const PRIVATE_REFS: &[&str] = &["refs/bisect", "refs/worktree", "refs/rewritten"];

/// What git keeps as references instead of files under the reftable format.
const PSEUDO_REFS: &[&str] = &[
    "ORIG_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "AUTO_MERGE",
    "BISECT_HEAD",
    "BISECT_EXPECTED_REV",
    "MERGE_AUTOSTASH",
];

/// The references of this worktree alone, as lines `<id> <name>`, and the tree that `AUTO_MERGE` names.
pub fn refs(scratch: &Scratch, git_dir: &Path, top: &mut Top<'_>) -> Result<()> {
    let format = "--format=%(objectname) %(refname)";
    let mut lines = scratch.git.cmd(["for-each-ref", format]).args(PRIVATE_REFS).poll().run()?;
    for name in PSEUDO_REFS {
        let id = scratch.git.cmd(["rev-parse", "--verify", "-q", name]).poll().output()?;
        if !id.status.success() {
            continue;
        }
        if !git_dir.join(name).exists() {
            lines.extend_from_slice(
                format!("{} {name}\n", id.stdout.trim_ascii_end().to_str_lossy()).as_bytes(),
            );
        }
        if *name == "AUTO_MERGE" {
            let tree =
                scratch.git.cmd(["rev-parse", "--verify", "-q", "AUTO_MERGE^{tree}"]).poll().output()?;
            if tree.status.success() {
                top.push(("040000 tree", "auto-merge", parse_id(tree.stdout.trim_ascii_end())?));
            }
        }
    }
    if !lines.is_empty() {
        top.push(("100644 blob", "refs", scratch.text(&lines)?));
    }
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
