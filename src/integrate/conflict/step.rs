//! The single changes that answers come to, each made by git in the index and then in the worktree.

use gix::bstr::{BStr, BString, ByteSlice};

use super::{Stopped, Whose};
use crate::error::{Failure, OrFatal, Result};
use crate::git::unmerged::{Entry, Unmerged, Version, entries, set_entries};
use crate::paths::path_bytes;
use crate::text::escape_controls;

/// One change on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This version in the index and in the worktree.
    Put(BString, Version),
    /// Neither in the index nor in the worktree.
    Remove(BString),
    /// The index takes what the worktree has.
    Add(BString),
    /// Another conflict, with these versions at the path of this one.
    Unmerge(Unmerged),
}

impl Step {
    pub(super) fn path(&self) -> &BString {
        match self {
            Step::Put(path, _) | Step::Remove(path) | Step::Add(path) => path,
            Step::Unmerge(entry) => &entry.path,
        }
    }
}

impl Stopped<'_> {
    pub(super) fn take(&self, step: &Step) -> Result<()> {
        let git = self.git();
        match step {
            Step::Put(path, version) => {
                let entry = Entry { stage: 0, version: *version, path: path.clone() };
                set_entries(&git, std::slice::from_ref(path), &[entry])?;
                if version.is_submodule() {
                    self.make_way_for_submodule(path.as_bstr())
                } else {
                    let mut input = path.to_vec();
                    input.push(0);
                    git.cmd(["checkout-index", "--force", "-u", "-z", "--stdin"]).stdin(input).run().map(drop)
                }
            }
            Step::Remove(path) => {
                set_entries(&git, std::slice::from_ref(path), &[])?;
                self.remove_file(path.as_bstr())
            }
            Step::Add(path) => {
                let mut input = path.to_vec();
                input.push(0);
                let cmd = git.cmd(["update-index", "--add", "--remove", "-z", "--stdin"]);
                cmd.stdin(input).run().map(drop)
            }
            Step::Unmerge(entry) => {
                let stages = [(1, entry.base), (2, entry.ours), (3, entry.theirs)];
                let of = |(stage, version): (u8, Option<Version>)| {
                    version.map(|version| Entry { stage, version, path: entry.path.clone() })
                };
                let stages: Vec<_> = stages.into_iter().filter_map(of).collect();
                set_entries(&git, std::slice::from_ref(&entry.path), &stages)?;
                self.merge_again(&entry.path)
            }
        }
    }

    /// Has git write the file of an unmerged path once more, with its markers.
    fn merge_again(&self, path: &BString) -> Result<()> {
        let cmd = self.git().cmd(["--literal-pathspecs", "checkout", "--quiet", "--merge", "--"]);
        cmd.arg(crate::paths::path_from(path)).leaving_others().run().map(drop)
    }

    /// An empty directory where a submodule's commit was chosen: git fills it when asked to.
    fn make_way_for_submodule(&self, path: &BStr) -> Result<()> {
        let file = self.require_file(path)?;
        if !file.is_dir() {
            self.remove_file(path)?;
            std::fs::create_dir_all(&file).or_fatal(|| format!("cannot create '{}'", file.display()))?;
        }
        Ok(())
    }

    /// All that is tracked in a directory.
    pub(super) fn require_tracked_only(&self, dir: &BString) -> Result<Vec<BString>> {
        let git = self.git();
        let cmd = git.cmd(["--literal-pathspecs", "ls-files", "--others", "-z", "--full-name", "--"]);
        let others = cmd.arg(crate::paths::path_from(dir)).poll().run()?;
        if let Some(other) = others.split_str("\0").find(|name| !name.is_empty()) {
            return Err(Failure::negative(format!(
                "'{}' is not tracked and would be in the way of '{}'",
                escape_controls(other),
                escape_controls(dir)
            )));
        }
        let inside = entries(&git, std::slice::from_ref(dir))?;
        Ok(inside.into_iter().map(|entry| entry.path).filter(|path| path != dir).collect())
    }

    /// A free name beside `path` for what one side has there: `~<side>` as git does it, but before the extension, so
    /// that attributes by pattern still apply. `aside` is where it lies now, and free for it.
    pub(super) fn beside(&self, path: &BString, whose: Whose, aside: &BString) -> Result<BString> {
        let name = self.head(whose).name.replace('/', "_");
        let (dir, file) = match path.rsplit_once_str("/") {
            Some((dir, file)) => (Some(dir), file),
            None => (None, path.as_slice()),
        };
        let (stem, extension) = match file.rfind_byte(b'.') {
            Some(at) if at > 0 => file.split_at(at),
            _ => (file, &b""[..]),
        };
        for count in 0.. {
            let mut free = BString::default();
            if let Some(dir) = dir {
                free.extend_from_slice(dir);
                free.push(b'/');
            }
            let suffix = if count == 0 { format!("~{name}") } else { format!("~{name}_{}", count - 1) };
            for part in [stem, suffix.as_bytes(), extension] {
                free.extend_from_slice(part);
            }
            let is_free = entries(&self.git(), std::slice::from_ref(&free))?.is_empty()
                && std::fs::symlink_metadata(self.require_file(free.as_bstr())?).is_err();
            if free == *aside || is_free {
                return Ok(free);
            }
        }
        unreachable!("one of endlessly many names is free")
    }

    /// Removes the file or link at a path, and the directories that it leaves empty.
    pub(super) fn remove_file(&self, path: &BStr) -> Result<()> {
        let file = self.require_file(path)?;
        match std::fs::symlink_metadata(&file) {
            Ok(meta) if !meta.is_dir() => {
                std::fs::remove_file(&file).or_fatal(|| format!("cannot remove '{}'", file.display()))?;
            }
            // A submodule's own worktree stays, as `git rm --cached` leaves it.
            _ => return Ok(()),
        }
        let mut dir = file.parent();
        while let Some(empty) = dir.filter(|dir| *dir != self.worktree && std::fs::remove_dir(dir).is_ok()) {
            dir = empty.parent();
        }
        Ok(())
    }

    /// The file of a path, unless that would be outside of the worktree.
    ///
    /// # Errors
    /// Negative, if a directory on the way is a link.
    pub(super) fn require_file(&self, path: &BStr) -> Result<std::path::PathBuf> {
        let file = self.file(path);
        let beyond = file
            .ancestors()
            .skip(1)
            .take_while(|dir| *dir != self.worktree)
            .any(|dir| std::fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_symlink()));
        debug_assert!(path_bytes(&file).ends_with(path), "a path of the index is relative");
        if beyond {
            return Err(Failure::negative(format!("'{}' is beyond a symbolic link", escape_controls(path))));
        }
        Ok(file)
    }
}
