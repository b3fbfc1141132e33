//! Files that would not come back from git as they are: mixed line ends, a filter that leaves something out.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Scratch, z_paths};
use crate::error::{OrFatal, Result};
use crate::paths::path_bytes;

/// An entry of the snapshot's top tree with the bytes of files whose `found` content differs from what is
/// `staged`, and that a checkout of `found` would write otherwise than they are on disk. None if there are no
/// such files. The content of large files that a filter keeps elsewhere is not stored a second time.
pub fn of(
    scratch: &Scratch,
    top: &Path,
    staged: ObjectId,
    found: ObjectId,
) -> Result<Option<(&'static str, &'static str, ObjectId)>> {
    let range = [staged.to_string(), found.to_string()];
    let diff = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=AMT"];
    let changed = scratch.git.cmd(diff).args(range).run()?;
    let names: Vec<PathBuf> =
        z_paths(&changed).filter(|n| fs::symlink_metadata(top.join(n)).is_ok_and(|m| m.is_file())).collect();
    if names.is_empty() || !anything_is_converted(scratch, &names)? {
        return Ok(None);
    }
    let written = scratch.dir.join("written");
    fs::create_dir_all(&written).or_fatal(|| format!("could not create '{}'", written.display()))?;
    let mut prefix = std::ffi::OsString::from("--prefix=");
    prefix.push(&written);
    prefix.push("/");
    let list: Vec<u8> = names.iter().flat_map(|n| path_bytes(n).iter().copied().chain([0])).collect();
    // A file that a filter can't write is one that differs.
    scratch
        .with_index("worktree", ["checkout-index", "-z", "--stdin", "-q"])
        .arg(prefix)
        .stdin(list)
        .output()?;
    let mut files = Vec::new();
    for name in names {
        let path = top.join(&name);
        if !same(&path, &written.join(&name)) {
            let meta = fs::metadata(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
            let mode = if meta.permissions().mode() & 0o100 != 0 { "100755" } else { "100644" };
            files.push((name, mode, path));
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    let paths: Vec<PathBuf> = files.iter().map(|(_, _, path)| path.clone()).collect();
    let ids = scratch.blobs(&paths)?;
    let entries: Vec<_> = files
        .into_iter()
        .zip(ids)
        .map(|((name, mode, _), id)| (path_bytes(&name).to_vec(), mode, id))
        .collect();
    Ok(Some(("040000 tree", "raw", scratch.tree("raw", &entries)?)))
}

/// Whether git converts line ends or runs a filter anywhere among these: mostly it does not.
fn anything_is_converted(scratch: &Scratch, names: &[PathBuf]) -> Result<bool> {
    let eol = scratch.git.cmd(["config", "--get-regexp", r"^core\.(autocrlf|eol)$"]).poll().output()?;
    if eol.status.success() {
        return Ok(true);
    }
    let list: Vec<u8> = names.iter().flat_map(|n| path_bytes(n).iter().copied().chain([0])).collect();
    let attributes = ["text", "crlf", "eol", "ident", "filter", "working-tree-encoding"];
    let said = scratch.git.cmd(["check-attr", "-z", "--stdin"]).args(attributes).stdin(list).poll().run()?;
    // Path, attribute, value.
    Ok(said.split(|b| *b == 0).skip(2).step_by(3).any(|value| value.as_bstr() != "unspecified"))
}

fn same(left: &Path, right: &Path) -> bool {
    let (Ok(left), Ok(right)) = (fs::File::open(left), fs::File::open(right)) else { return false };
    let (mut left, mut right) = (BufReader::new(left), BufReader::new(right));
    loop {
        let (Ok(a), Ok(b)) = (left.fill_buf(), right.fill_buf()) else { return false };
        let count = a.len().min(b.len());
        if a[..count] != b[..count] {
            return false;
        }
        if count == 0 {
            return a.len() == b.len();
        }
        left.consume(count);
        right.consume(count);
    }
}
