//! What the versions of a conflict hold, and what git makes of them line by line.

use std::ffi::OsString;
use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};

use super::markers::DEFAULT_SIZE;
use super::{Side, Stopped};
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::git::scratch::Scratch;
use crate::git::unmerged::{Unmerged, Version};
use crate::paths::{path_bytes, path_from};

/// How far git looks for a NUL before it takes something for text: `FIRST_FEW_BYTES` in its xdiff-interface.c.
const FIRST_FEW_BYTES: usize = 8000;

/// A text larger than this isn't merged: `MAX_XDIFF_SIZE` in git's xdiff-interface.h.
const MAX_TEXT: u64 = 1023 * 1024 * 1024;

/// A Git LFS pointer is smaller than this: its specification says so.
const MAX_POINTER: u64 = 1024;

/// How a pointer begins, by the same specification.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What `git merge-file` makes of three versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedText {
    /// The text, with markers where there are conflicts.
    pub text: Vec<u8>,
    /// How many conflicts are in it; none if a side was told to decide them.
    pub conflicts: usize,
}

impl Stopped<'_> {
    /// The content of a blob.
    ///
    /// # Errors
    /// If git can't read it.
    pub fn blob(&self, id: ObjectId) -> Result<Vec<u8>> {
        self.git().cmd(["cat-file", "blob", &id.to_string()]).poll().run()
    }

    /// The content of a version; nothing of none, or of a submodule's.
    ///
    /// # Errors
    /// If git can't read it.
    pub fn text_of(&self, version: Option<Version>) -> Result<Vec<u8>> {
        match version {
            Some(version) if !version.is_submodule() => self.blob(version.id),
            _ => Ok(Vec::new()),
        }
    }

    /// The size of a blob in bytes.
    ///
    /// # Errors
    /// If git can't read it.
    pub fn size(&self, id: ObjectId) -> Result<u64> {
        let line = self.git().cmd(["cat-file", "-s", &id.to_string()]).poll().line()?;
        line.parse().or_fatal(|| format!("git cat-file printed '{line}'"))
    }

    /// Whether git takes a blob for something else than text.
    pub(super) fn is_binary(&self, id: ObjectId) -> Result<bool> {
        if self.size(id)? > MAX_TEXT {
            return Ok(true);
        }
        let content = self.blob(id)?;
        Ok(content[..content.len().min(FIRST_FEW_BYTES)].contains(&0))
    }

    /// Whether a blob stands for another one that Git LFS has.
    pub(super) fn is_pointer(&self, id: ObjectId) -> Result<bool> {
        Ok(self.size(id)? < MAX_POINTER && self.blob(id)?.starts_with(POINTER))
    }

    /// What a commit has at a path.
    pub(super) fn at_commit(&self, commit: ObjectId, path: &BStr) -> Result<Option<Version>> {
        let cmd =
            self.git().cmd(["--literal-pathspecs", "ls-tree", "-z", "--full-tree", &commit.to_string()]);
        let output = cmd.arg("--").arg(path_from(path)).poll().run()?;
        let Some((facts, _)) = output.split_once_str("\t") else { return Ok(None) };
        let mut facts = facts.split_str(" ");
        let mode = facts.next().and_then(|mode| u32::from_str_radix(mode.to_str().ok()?, 8).ok());
        let (Some(mode), Some(_), Some(id)) = (mode, facts.next(), facts.next()) else { return Ok(None) };
        Ok(Some(Version { mode, id: parse_id(id)? }))
    }

    /// The value of an attribute of a path in that worktree, as `git check-attr` says it: `unspecified` for none.
    ///
    /// # Errors
    /// If git can't say.
    pub fn attribute(&self, name: &str, path: &BStr) -> Result<String> {
        let cmd = self.git().cmd(["check-attr", "-z", name, "--"]).arg(path_from(path));
        let output = cmd.poll().run()?;
        let value = output.split_str("\0").nth(2).unwrap_or(b"unspecified");
        Ok(value.to_str_lossy().into_owned())
    }

    /// How long git's markers are in a file.
    ///
    /// # Errors
    /// If git can't say.
    pub fn marker_size(&self, path: &BStr) -> Result<usize> {
        let size = self.attribute("conflict-marker-size", path)?.parse().ok().filter(|size| *size > 0);
        Ok(size.unwrap_or(DEFAULT_SIZE))
    }

    /// Whether a merge driver of the user's merges a file: what it does git can't do for him line by line.
    ///
    /// # Errors
    /// If git can't say.
    pub fn has_driver(&self, path: &BStr) -> Result<bool> {
        let driver = self.attribute("merge", path)?;
        if ["unspecified", "set", "unset", "text", "binary", "union"].contains(&driver.as_str()) {
            return Ok(false);
        }
        let key = format!("merge.{driver}.driver");
        Ok(self.git().cmd(["config", "--get", &key]).poll().output()?.status.success())
    }

    /// Merges the versions of a text, with markers of `size`, or with a side that decides where they conflict.
    ///
    /// # Errors
    /// If git fails, or finds that one of them is no text.
    pub fn merge_text(&self, entry: &Unmerged, size: usize, decides: Option<Side>) -> Result<MergedText> {
        let scratch = Scratch::new(self.repo)?;
        let mut files: Vec<OsString> = Vec::new();
        for (name, version) in [("ours", entry.ours), ("base", entry.base), ("theirs", entry.theirs)] {
            let file: PathBuf = scratch.dir().join(name);
            std::fs::write(&file, self.text_of(version)?).or_fatal(|| "could not write a temporary file")?;
            files.push(file.into());
        }
        let names = [self.ours.name.as_str(), "base", self.theirs.name.as_str()];
        let labels = names.iter().flat_map(|name| ["-L", *name]);
        let option = match decides {
            None => None,
            Some(Side::Ours) => Some("--ours"),
            Some(Side::Theirs) => Some("--theirs"),
            Some(Side::Union) => Some("--union"),
        };
        let run = |algorithm: &[&str]| {
            let cmd = self.git().cmd(["merge-file", "-p", "--quiet"]).args(algorithm).args(option);
            let cmd = cmd.arg(format!("--marker-size={size}")).args(labels.clone()).args(&files);
            cmd.poll().output()
        };
        // The algorithm of `git merge`, where this git takes it (2.44).
        let mut output = run(&["--diff-algorithm=histogram"])?;
        if output.code() == 129 {
            output = run(&[])?;
        }
        match output.code() {
            // More than 127 conflicts count as 127.
            count @ 0..=127 => {
                Ok(MergedText { text: output.stdout, conflicts: usize::try_from(count).unwrap_or(0) })
            }
            _ => Err(output.into_failure().context("cannot merge the versions")),
        }
    }

    /// The file of a path in that worktree.
    pub fn file(&self, path: &BStr) -> PathBuf {
        self.worktree.join(path_from(path))
    }

    /// What is in the file of a path; nothing if it isn't there or isn't a file.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn file_text(&self, path: &BStr) -> Result<Vec<u8>> {
        let file = self.file(path);
        match std::fs::symlink_metadata(&file) {
            Ok(meta) if meta.is_file() => {
                std::fs::read(&file).or_fatal(|| format!("could not read '{}'", file.display()))
            }
            Ok(meta) if meta.is_symlink() => {
                let target = std::fs::read_link(&file);
                Ok(path_bytes(&target.or_fatal(|| format!("could not read '{}'", file.display()))?)
                    .to_owned())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Writes content into the object database, as it is.
    pub(super) fn store(&self, content: Vec<u8>) -> Result<ObjectId> {
        let line = self.git().cmd(["hash-object", "-w", "--stdin"]).stdin(content).line()?;
        parse_id(line.as_bytes()).map_err(|failure: Failure| failure.context("git hash-object"))
    }
}
