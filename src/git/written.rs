//! What git had written of another commit when it was cut off.
//!
//! git writes the files first and the index last (unpack-trees.c, check_updates()). Who comes next takes them for
//! somebody's changes, and refuses to overwrite them with what they are.

use std::collections::HashSet;
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::parse_id;
use super::process::Git;
use crate::error::Result;
use crate::paths::path_from;

/// The files of a worktree that differ between two commits.
#[derive(Debug, Default)]
pub struct Written {
    /// Those that are as the second commit has them, or gone as there.
    pub names: HashSet<BString>,
    /// Other files that are there, and what the second commit has in their place.
    pub others: Vec<(BString, ObjectId)>,
    /// For `git update-index --index-info`.
    script: Vec<u8>,
}

impl Written {
    /// They become so in the index too; git then goes on from there.
    ///
    /// # Errors
    /// If git can't write the index.
    pub fn take_over(&self, git: &Git) -> Result<()> {
        if self.script.is_empty() {
            return Ok(());
        }
        git.cmd(["update-index", "-z", "--index-info"]).stdin(self.script.clone()).run().map(drop)
    }

    fn add(&mut self, mode: &[u8], id: &[u8], name: &[u8]) {
        self.script.extend_from_slice(&[mode, b" ", id, b"\t", name, b"\0"].concat());
        self.names.insert(name.into());
    }
}

/// Looks at the files in `path` that differ between `from` and `to`.
///
/// # Errors
/// If git can't compare the commits or read a file.
pub fn between(git: &Git, path: &Path, from: ObjectId, to: ObjectId) -> Result<Written> {
    let raw = git.cmd(["diff-tree", "-r", "-z", "--no-renames", &from.to_string(), &to.to_string()]).run()?;
    let mut written = Written::default();
    let mut files: Vec<(BString, BString, ObjectId)> = Vec::new();
    let mut fields = raw.split_str("\0");
    while let (Some(meta), Some(name)) = (fields.next(), fields.next()) {
        let words: Vec<&[u8]> = meta.split_str(" ").collect();
        let [_, mode, _, id, _] = words[..] else { continue };
        let file = path.join(path_from(name));
        match file.symlink_metadata() {
            Err(_) if mode == b"000000" => written.add(b"0", id, name),
            Ok(meta) if meta.is_file() && mode.starts_with(b"100") => {
                files.push((name.into(), mode.into(), parse_id(id)?));
            }
            Ok(meta) if meta.is_symlink() && mode == b"120000" => {
                let target = std::fs::read_link(&file).unwrap_or_default();
                let kind = parse_id(id)?.kind();
                let blob = gix::objs::Kind::Blob;
                let is = gix::objs::compute_hash(kind, blob, target.as_os_str().as_encoded_bytes());
                if is.is_ok_and(|is| Ok(is) == parse_id(id).map_err(drop)) {
                    written.add(mode, id, name);
                }
            }
            _ => {}
        }
    }
    // A line end in a name would be two names there.
    files.retain(|(name, ..)| !name.contains(&b'\n'));
    if !files.is_empty() {
        let names: Vec<u8> = files.iter().flat_map(|(name, ..)| [name.as_slice(), b"\n"].concat()).collect();
        let hashes = git.cmd(["hash-object", "--stdin-paths"]).stdin(names).run()?;
        for ((name, mode, id), hash) in files.into_iter().zip(hashes.lines()) {
            if parse_id(hash)? == id {
                written.add(&mode, id.to_string().as_bytes(), &name);
            } else {
                written.others.push((name, id));
            }
        }
    }
    Ok(written)
}
