//! What is on disk: the difference to the index as git sees it, and what git doesn't see.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::place::Place;
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::Output;
use crate::paths::{path_bytes, path_from};

/// What `git status` says of a worktree.
#[derive(Debug, Default)]
pub struct Status {
    /// The commit that is checked out.
    pub head: Option<ObjectId>,
    /// Tracked paths whose content on disk is not that of the index, and untracked files.
    pub changed: Vec<PathBuf>,
    /// Submodules and other repositories that are not as the index has them.
    pub repositories: Vec<PathBuf>,
    /// Ignored files and whole ignored directories.
    pub ignored: HashSet<PathBuf>,
    /// All that git said.
    pub raw: Vec<u8>,
}

/// Asks git, by an index of ours.
///
/// # Errors
/// If git can't read a directory: it only warns of that, and leaves out what is in there.
pub fn status(place: &Place, index: &str) -> Result<Status> {
    let args = [
        "status",
        "--porcelain=v2",
        "--branch",
        "--no-ahead-behind",
        "-z",
        "-uall",
        "--ignored=matching",
        "--ignore-submodules=none",
        "--no-renames",
    ];
    let output = place.with_index(index, args).output()?;
    if !output.status.success() {
        // A worktree that was killed in the making has a HEAD that names nothing.
        let no_head = output.stderr.contains_str("bad object HEAD");
        return if no_head { status_without_head(place, index) } else { Err(output.into_failure()) };
    }
    refuse_unreadable(&output)?;
    let mut status = Status::default();
    for record in output.stdout.split(|b| *b == 0).filter(|r| r.len() > 2) {
        let (kind, rest) = (record[0], &record[2..]);
        // The path is the last field, and may have spaces.
        let path = |fields| rest.splitn(fields, |b| *b == b' ').nth(fields - 1).map(path_from);
        match kind {
            b'#' => {
                let id = rest.strip_prefix(b"branch.oid ").and_then(|id| ObjectId::from_hex(id).ok());
                status.head = status.head.or(id);
            }
            b'1' | b'u' => {
                let Some(path) = path(if kind == b'1' { 8 } else { 10 }) else { continue };
                let (on_disk, submodule) = (rest.get(1), rest.get(3..7).unwrap_or_default());
                if submodule.starts_with(b"S") && submodule[1..].iter().any(|flag| *flag != b'.') {
                    status.repositories.push(path);
                } else if kind == b'u' || on_disk != Some(&b'.') {
                    status.changed.push(path);
                }
            }
            b'?' if rest.ends_with(b"/") => status.repositories.push(path_from(rest)),
            b'?' => status.changed.push(path_from(rest)),
            b'!' => {
                status.ignored.insert(path_from(rest.strip_suffix(b"/").unwrap_or(rest)));
            }
            _ => {}
        }
    }
    status.raw = output.stdout;
    Ok(status)
}

/// The same in several steps, none of which compares with a commit.
fn status_without_head(place: &Place, index: &str) -> Result<Status> {
    let mut status = Status::default();
    let ask = |args: &[&str]| {
        let output = place.with_index(index, []).args(args).output()?;
        refuse_unreadable(&output)?;
        if output.status.success() { Ok(output.stdout) } else { Err(output.into_failure()) }
    };
    let differences = ask(&["diff-files", "-z", "--raw", "--no-renames", "--ignore-submodules=none"])?;
    let mut fields = differences.split(|b| *b == 0);
    while let (Some(info), Some(name)) = (fields.next(), fields.next()) {
        // ":<mode> <mode on disk> …"
        let is_repository = info.get(8..14) == Some(b"160000");
        let into = if is_repository { &mut status.repositories } else { &mut status.changed };
        into.push(path_from(name));
    }
    for name in ask(&["ls-files", "-z", "-o", "--exclude-standard"])?.split(|b| *b == 0) {
        match name.last() {
            Some(b'/') => status.repositories.push(path_from(name)),
            Some(_) => status.changed.push(path_from(name)),
            None => {}
        }
    }
    let ignored = ask(&["ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory"])?;
    let names = ignored.split(|b| *b == 0).filter(|name| !name.is_empty());
    status.ignored.extend(names.map(|name| path_from(name.strip_suffix(b"/").unwrap_or(name))));
    status.changed.sort_unstable();
    status.changed.dedup();
    Ok(status)
}

/// git only warns of a directory that it can't read.
fn refuse_unreadable(output: &Output) -> Result<()> {
    match output.stderr.lines().find(|l| l.contains_str("could not open directory")) {
        Some(line) => {
            let line = line.strip_prefix(b"warning: ").unwrap_or(line);
            Err(Failure::fatal(line.to_str_lossy().into_owned()))
        }
        None => Ok(()),
    }
}

/// What is on disk and git says nothing of.
#[derive(Debug, Default)]
pub struct Unseen {
    /// Repositories inside this one, other than submodules.
    pub repositories: Vec<PathBuf>,
    /// Pipes, sockets and devices.
    pub special: Vec<PathBuf>,
    /// Directories with nothing in them.
    pub empty: Vec<PathBuf>,
}

/// Looks through all directories but ignored ones and submodules. git hides the `.git` of a repository whose
/// directory has tracked files, and all of one that it doesn't recognise.
///
/// # Errors
/// If a directory can't be read.
pub fn unseen(top: &Path, ignored: &HashSet<PathBuf>, submodules: &HashSet<PathBuf>) -> Result<Unseen> {
    let mut found = Unseen::default();
    let mut waiting = vec![PathBuf::new()];
    while let Some(dir) = waiting.pop() {
        let full = top.join(&dir);
        let failed = || format!("could not open directory '{}'", full.display());
        let mut is_empty = true;
        let mut inside = Vec::new();
        for entry in fs::read_dir(&full).or_fatal(failed)? {
            let entry = entry.or_fatal(failed)?;
            is_empty = false;
            let name = entry.file_name();
            if name == ".git" {
                if !dir.as_os_str().is_empty() {
                    found.repositories.push(dir.clone());
                    inside.clear();
                    break;
                }
                continue;
            }
            let path = dir.join(&name);
            let kind = entry.file_type().or_fatal(failed)?;
            if kind.is_dir() {
                if !ignored.contains(&path) && !submodules.contains(&path) {
                    inside.push(path);
                }
            } else if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
                found.special.push(path);
            }
        }
        waiting.append(&mut inside);
        if is_empty && !dir.as_os_str().is_empty() {
            found.empty.push(dir);
        }
    }
    Ok(found)
}

/// The permissions of a file that a tree can't tell: neither those of a plain nor of an executable file.
pub fn odd_permissions(meta: &fs::Metadata) -> Option<u32> {
    let mode = meta.permissions().mode() & 0o777;
    (meta.is_file() && ![0o644, 0o755, 0o664, 0o775].contains(&mode)).then_some(mode)
}

/// Whether two files have the same bytes.
///
/// # Errors
/// If one of them can't be read.
pub fn same_bytes(a: &Path, b: &Path) -> std::io::Result<bool> {
    use std::io::{BufReader, Read};
    if fs::metadata(a)?.len() != fs::metadata(b)?.len() {
        return Ok(false);
    }
    let mut a = BufReader::new(fs::File::open(a)?).bytes();
    let mut b = BufReader::new(fs::File::open(b)?).bytes();
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(true),
            (x, y) if x == y => {}
            _ => return Ok(false),
        }
    }
}

/// Paths separated by NUL.
pub fn z_list<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<u8> {
    paths.into_iter().flat_map(|p| path_bytes(p).iter().copied().chain([0])).collect()
}
