//! Bytes that the clean filters don't give back.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;

use super::disk::{self, z_list};
use super::place::Place;
use crate::error::Result;
use crate::paths::{path_bytes, path_from};

/// Files that would come back with other bytes: line ends, `ident`, a filter that takes something away. They
/// are written once as a restore would write them, and compared.
///
/// # Errors
/// If git can't be asked.
pub fn altered_by_filters(place: &Place, top: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    const ATTRIBUTES: [&str; 6] = ["text", "eol", "crlf", "ident", "filter", "working-tree-encoding"];
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let always = place.cmd(["config", "--get", "core.autocrlf"]).output()?;
    let mut suspects = files.to_vec();
    if always.stdout.trim().is_empty() || always.stdout.trim() == b"false" {
        let args = ["check-attr", "-z", "--stdin"];
        let cmd = place.with_index("disk", args).args(ATTRIBUTES);
        let out = cmd.stdin(z_list(files)).run()?;
        let mut fields = out.split(|b| *b == 0);
        let mut marked: HashSet<PathBuf> = HashSet::new();
        while let (Some(path), Some(_), Some(value)) = (fields.next(), fields.next(), fields.next()) {
            if value != b"unspecified" && value != b"unset" {
                marked.insert(path_from(path));
            }
        }
        suspects.retain(|path| marked.contains(path));
    }
    if suspects.is_empty() {
        return Ok(suspects);
    }
    let written = place.file("written");
    let prefix = path_from(&[b"--prefix=".as_slice(), path_bytes(&written), b"/"].concat());
    let cmd = place.with_index("disk", ["checkout-index", "-f", "-q", "-z", "--stdin"]).arg(prefix);
    // What this can't write is different.
    cmd.stdin(z_list(&suspects)).output()?;
    suspects.retain(|path| !disk::same_bytes(&top.join(path), &written.join(path)).unwrap_or(false));
    let _ = fs::remove_dir_all(&written);
    Ok(suspects)
}
