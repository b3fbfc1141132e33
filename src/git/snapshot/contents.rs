//! The index and the files of a worktree, as parts of a snapshot.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::index::entry::{Flags, Stage};

use super::disk::{self, Status, z_list};
use super::place::{Content, EXECUTABLE, FILE, LINK, Mode, Part, Place, TREE};
use super::{put, raw};
use crate::error::{Failure, OrFatal, Result};
use crate::paths::{inside, is_there, path_bytes, path_from};

/// What of an index no tree can say.
#[derive(Debug, Default)]
pub struct Index {
    /// Paths of submodules.
    pub submodules: HashSet<PathBuf>,
    /// What is merged, as a tree.
    tree: Option<ObjectId>,
    /// Mode, object and path of unmerged entries, by stage.
    unmerged: Vec<(Stage, Mode, ObjectId, Vec<u8>)>,
    /// Files that git was told to take as unchanged.
    assumed: Vec<PathBuf>,
    /// Files that git was told to leave alone, on disk or not.
    skipped: Vec<PathBuf>,
    /// Whether there are any such files, or whole directories of them.
    pub is_sparse: bool,
    /// Whether only the file itself tells everything.
    needs_file: bool,
    /// Whether a part of it is in another file.
    is_split: bool,
    /// Objects that nothing but the file names.
    objects: Vec<ObjectId>,
}

impl Index {
    /// Whether it hides nothing: each file is as the status says, which one without submodules needs no more than
    /// the index for.
    pub fn is_plain(&self) -> bool {
        let hides = self.needs_file || self.is_sparse || self.is_split || !self.submodules.is_empty();
        !hides && self.tree.is_some()
    }
}

/// Reads the index and adds it: stage 0 as a tree, the stages of unmerged entries as trees of their own, and
/// the file where it says more than that. An index without flags comes back from its tree as it was.
///
/// # Errors
/// If it can't be read, or names objects that are missing.
pub fn index(place: &Place, git_dir: &Path, parts: &mut Vec<Part>) -> Result<Index> {
    let file = git_dir.join("index");
    if !is_there(&file)? {
        // git takes that as an empty one.
        let tree = place.tree_of("index")?;
        parts.push((b"index".to_vec(), TREE, Content::Object(tree)));
        return Ok(Index::default());
    }
    place.copy_index(&file, "index")?;
    let split =
        |path: &PathBuf| path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"sharedindex."));
    let is_split = inside(git_dir)?.iter().any(split);
    if is_split {
        place.with_index("index", ["update-index", "--force-write-index"]).run()?;
    }
    let mut found = read(place)?;
    found.is_split = is_split;
    let mut merged = "index";
    if !found.unmerged.is_empty() {
        merged = "merged";
        place.copy_index(&place.file("index"), merged)?;
        let null = ObjectId::null(place.hash());
        let lines = found
            .unmerged
            .iter()
            .flat_map(|(.., path)| [format!("0 {null} 0\t").as_bytes(), path, b"\0"].concat());
        let args = ["update-index", "-z", "--index-info"];
        place.with_index(merged, args).stdin(lines.collect::<Vec<_>>()).run()?;
    }
    let tree = place.tree_of(merged)?;
    found.tree = Some(tree);
    parts.push((b"index".to_vec(), TREE, Content::Object(tree)));
    for (stage, mode, id, path) in &found.unmerged {
        let path = [format!("stages/{}/", *stage as u8).as_bytes(), path].concat();
        parts.push((path, mode, Content::Object(*id)));
    }
    if found.needs_file {
        let file = place.file("index");
        let bytes = fs::read(&file).or_fatal(|| format!("could not read '{}'", file.display()))?;
        let bytes = super::index_file::without_stat(bytes, place.hash());
        parts.push((b"index-file".to_vec(), FILE, Content::Bytes(bytes)));
    }
    for id in &found.objects {
        let name = format!("objects/{id}").into_bytes();
        if *id == ObjectId::empty_blob(place.hash()) {
            // An intent to add names it, whether it is there or not.
            parts.push((name, FILE, Content::Bytes(Vec::new())));
        } else {
            parts.push((name, FILE, Content::Object(*id)));
        }
    }
    Ok(found)
}

/// Reads the index of ours that is called `index`.
///
/// # Errors
/// If it can't be read.
pub fn read(place: &Place) -> Result<Index> {
    let options = gix::index::decode::Options::default();
    let index = gix::index::File::at(place.file("index"), place.hash(), false, options)
        .or_fatal(|| "could not read the index")?;
    let mut found = Index::default();
    for entry in index.entries() {
        let path = entry.path(&index);
        if entry.mode.is_submodule() {
            found.submodules.insert(path_from(path));
        }
        if entry.stage() != Stage::Unconflicted {
            let mode = match entry.mode.bits() {
                0o100_755 => EXECUTABLE,
                0o120_000 => LINK,
                0o160_000 => "160000 commit",
                _ => FILE,
            };
            found.unmerged.push((entry.stage(), mode, entry.id, path.to_vec()));
        }
        if entry.flags.contains(Flags::ASSUME_VALID) {
            found.assumed.push(path_from(path));
        }
        if entry.flags.contains(Flags::SKIP_WORKTREE) {
            found.needs_file = true;
            found.is_sparse = true;
            if !entry.mode.is_sparse() {
                found.skipped.push(path_from(path));
            }
        }
        if entry.flags.contains(Flags::INTENT_TO_ADD) {
            found.needs_file = true;
            found.objects.push(entry.id);
        }
    }
    found.needs_file |= !found.unmerged.is_empty() || !found.assumed.is_empty();
    if index.resolve_undo().is_some_and(|all| !all.is_empty()) {
        found.needs_file = true;
        let out = place.with_index("index", ["ls-files", "-z", "--resolve-undo"]).run()?;
        let ids = out.split(|b| *b == 0).filter_map(|line| line.splitn(3, |b| *b == b' ').nth(1));
        found.objects.extend(ids.filter_map(|id| ObjectId::from_hex(id).ok()));
    }
    found.objects.sort_unstable();
    found.objects.dedup();
    Ok(found)
}

/// The state of the files, by an index of ours that pretends nothing.
///
/// # Errors
/// If the worktree can't be read.
pub fn status(place: &Place, top: &Path, index: &Index) -> Result<Status> {
    let copy = place.file("index");
    if copy.exists() {
        place.copy_index(&copy, "disk")?;
    }
    if !index.assumed.is_empty() {
        let args = ["update-index", "--no-assume-unchanged", "-z", "--stdin"];
        place.with_index("disk", args).stdin(z_list(&index.assumed)).run()?;
    }
    // Those that aren't there keep what the index has of them.
    let here: Vec<_> =
        index.skipped.iter().filter(|p| fs::symlink_metadata(top.join(p)).is_ok()).cloned().collect();
    if !here.is_empty() {
        let args = ["update-index", "--no-skip-worktree", "-z", "--stdin"];
        place.with_index("disk", args).stdin(z_list(&here)).run()?;
    }
    disk::status(place, "disk")
}

/// Brings the index of ours that is called `disk` to what is on disk. Gives it as a tree, and the files that
/// are not as the index has them.
///
/// # Errors
/// If a file can't be read, or a filter fails.
pub fn found(place: &Place, top: &Path, status: &Status) -> Result<(ObjectId, Vec<PathBuf>)> {
    let mut gone = Vec::new();
    let mut there = Vec::new();
    let mut files = Vec::new();
    for path in &status.changed {
        match fs::symlink_metadata(top.join(path)) {
            // A directory that is now a symbolic link has none of the files that were in it.
            Ok(_) if is_beyond_a_link(top, path) => gone.push(path),
            Ok(meta) if meta.is_symlink() => there.push(path),
            Ok(meta) if meta.is_file() => {
                there.push(path);
                files.push(path.clone());
            }
            Ok(_) => gone.push(path),
            Err(e) if is_absent(&e) => gone.push(path),
            Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
        }
    }
    if !gone.is_empty() {
        let null = ObjectId::null(place.hash());
        let lines =
            gone.iter().flat_map(|path| [format!("0 {null}\t").as_bytes(), path_bytes(path), b"\0"].concat());
        let args = ["update-index", "-z", "--index-info"];
        place.with_index("disk", args).stdin(lines.collect::<Vec<_>>()).run()?;
    }
    if !there.is_empty() {
        let args = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
        place.with_index("disk", args).stdin(z_list(there)).run()?;
    }
    Ok((place.tree_of("disk")?, files))
}

/// Adds the files as they are on disk, tracked or not. Content goes through the clean filters; where it doesn't
/// come back the same, its bytes are added as well.
///
/// # Errors
/// If a file can't be read, or a filter fails.
pub fn worktree(
    place: &Place,
    top: &Path,
    status: &Status,
    index: &Index,
    parts: &mut Vec<Part>,
) -> Result<()> {
    let (tree, files) = match index.tree {
        Some(tree) if status.changed.is_empty() => (tree, Vec::new()),
        _ => found(place, top, status)?,
    };
    parts.push((b"worktree".to_vec(), TREE, Content::Object(tree)));
    if index.is_sparse {
        // It says which files of the tree are not on disk.
        parts.push((b"disk-index".to_vec(), FILE, Content::File(place.file("disk"))));
    }
    let mut permissions = Vec::new();
    for path in &files {
        let meta =
            fs::metadata(top.join(path)).or_fatal(|| format!("could not read '{}'", path.display()))?;
        if let Some(mode) = disk::odd_permissions(&meta) {
            permissions.extend_from_slice(format!("{mode:o} ").as_bytes());
            permissions.extend_from_slice(path_bytes(path));
            permissions.push(0);
        }
    }
    if !permissions.is_empty() {
        parts.push((b"permissions".to_vec(), FILE, Content::Bytes(permissions)));
    }
    for path in raw::altered_by_filters(place, top, &files)? {
        let name = [b"raw/", path_bytes(&path)].concat();
        parts.push((name, mode_of(&top.join(&path))?, Content::File(top.join(&path))));
    }
    Ok(())
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn is_beyond_a_link(top: &Path, path: &Path) -> bool {
    let above = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty());
    above.into_iter().any(|dir| fs::symlink_metadata(top.join(dir)).is_ok_and(|m| m.is_symlink()))
}

fn mode_of(path: &Path) -> Result<Mode> {
    use std::os::unix::fs::PermissionsExt;
    let meta = fs::metadata(path).or_fatal(|| format!("could not read '{}'", path.display()))?;
    Ok(if meta.permissions().mode() & 0o100 == 0 { FILE } else { EXECUTABLE })
}

/// Adds ignored files that the caller names, byte for byte; of a directory, everything in it.
///
/// # Errors
/// If one can't be read, is no file, or is beyond a symbolic link.
pub fn ignored(top: &Path, names: &[PathBuf], parts: &mut Vec<Part>) -> Result<()> {
    let mut permissions = Vec::new();
    let mut waiting: Vec<PathBuf> = names.to_vec();
    while let Some(name) = waiting.pop() {
        let path = top.join(&name);
        let failed = || format!("could not read '{}'", path.display());
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(e) if is_absent(&e) => continue,
            Err(e) => return Err(e).or_fatal(failed),
        };
        if !put::is_plain(&name) || is_beyond_a_link(top, &name) {
            return Err(Failure::fatal(format!(
                "cannot preserve '{}': not inside the worktree",
                path.display()
            )));
        }
        let part = [b"ignored/", path_bytes(&name)].concat();
        if meta.is_dir() {
            for entry in fs::read_dir(&path).or_fatal(failed)? {
                waiting.push(name.join(entry.or_fatal(failed)?.file_name()));
            }
        } else if meta.is_symlink() {
            let target = fs::read_link(&path).or_fatal(failed)?;
            parts.push((part, LINK, Content::Bytes(path_bytes(&target).to_vec())));
        } else if meta.is_file() {
            if let Some(mode) = disk::odd_permissions(&meta) {
                permissions.extend_from_slice(format!("{mode:o} ").as_bytes());
                permissions.extend_from_slice(path_bytes(&name));
                permissions.push(0);
            }
            parts.push((part, mode_of(&path)?, Content::File(path)));
        } else {
            return Err(Failure::fatal(format!("cannot preserve '{}': not a regular file", path.display())));
        }
    }
    if !permissions.is_empty() {
        parts.push((b"permissions-ignored".to_vec(), FILE, Content::Bytes(permissions)));
    }
    Ok(())
}
