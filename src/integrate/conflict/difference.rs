//! What a person wants to see before he decides: what each side did, and how two versions are related.

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Conflict, MergedText, Side, Stopped, Whose};
use crate::error::Result;
use crate::git::parse_id;
use crate::git::process::Git;
use crate::git::unmerged::Version;
use crate::paths::path_from;

/// How the commits of a submodule are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// This side's contains the other's.
    Contains(Whose),
    /// Each has something that the other lacks.
    Diverged,
    /// The submodule isn't here, or not both commits.
    Unknown,
}

impl Stopped<'_> {
    /// The difference of two blobs, from the first hunk header on; nothing if they are equal.
    ///
    /// # Errors
    /// If git fails.
    pub fn difference(&self, from: ObjectId, to: ObjectId) -> Result<Vec<u8>> {
        let cmd = self.git().cmd(["diff", "--no-ext-diff", "--no-textconv", "--no-color"]);
        let output = cmd.args([from.to_string(), to.to_string()]).poll().run()?;
        let start =
            output.find("\n@@").map(|at| at + 1).or_else(|| output.find("\nBinary files").map(|at| at + 1));
        Ok(start.map_or_else(Vec::new, |start| output[start..].to_vec()))
    }

    /// What one side changed since the common ancestor; without one, all that it has.
    ///
    /// # Errors
    /// If git fails.
    pub fn changes_of(&self, conflict: &Conflict, whose: Whose) -> Result<Vec<u8>> {
        let Some(version) = conflict.version_of(whose).and_then(|entry| entry.of(whose)) else {
            return Ok(Vec::new());
        };
        let base = conflict.entries.iter().find_map(|entry| entry.base);
        let base = match base {
            Some(base) if !base.is_submodule() => base.id,
            _ => self.store(Vec::new())?,
        };
        if version.is_submodule() { Ok(Vec::new()) } else { self.difference(base, version.id) }
    }

    /// What the file in the worktree makes of the conflicts of a text: from git's markers to what stands there now.
    ///
    /// # Errors
    /// If git fails.
    pub fn resolution(&self, conflict: &Conflict) -> Result<Vec<u8>> {
        let marked = self.merge_text(&conflict.entries[0], super::markers::DEFAULT_SIZE, None::<Side>)?;
        let marked = self.store(marked.text)?;
        // With the filters of its path, as it would be added.
        let path = path_from(&conflict.path);
        let cmd = self.git().cmd(["hash-object", "-w", "--stdin", "--path"]).arg(path);
        let now = cmd.stdin(self.file_text(conflict.path.as_bstr())?).line()?;
        self.difference(marked, parse_id(now.as_bytes())?)
    }

    /// The conflicts of a text with markers so long that no line of its own looks like one.
    ///
    /// # Errors
    /// If git fails.
    pub fn marked(&self, conflict: &Conflict, size: usize) -> Result<MergedText> {
        self.merge_text(&conflict.entries[0], size, None)
    }

    /// Whether the file in the worktree holds no marker: somebody, or rerere, has resolved it already.
    ///
    /// # Errors
    /// If git fails or the file can't be read.
    pub fn is_resolved_in_place(&self, conflict: &Conflict) -> Result<bool> {
        let entry = &conflict.entries[0];
        let there =
            std::fs::symlink_metadata(self.file(entry.path.as_bstr())).is_ok_and(|meta| meta.is_file());
        Ok(there
            && super::action::marked_line(self, entry, &self.file_text(entry.path.as_bstr())?)?.is_none())
    }

    /// How the commits of a submodule are related, if it is checked out somewhere here.
    ///
    /// # Errors
    /// If git can't be started.
    pub fn relation(&self, ours: Version, theirs: Version, conflict: &Conflict) -> Result<Relation> {
        let path = path_from(&conflict.path);
        let mut places = vec![self.worktree.join(&path), self.repo.home().join(&path)];
        if let Ok(git_dir) = self.git().cmd(["rev-parse", "--absolute-git-dir"]).poll().path() {
            places.push(git_dir.join("modules").join(&path));
        }
        places.push(self.repo.common_dir().join("modules").join(&path));
        for place in places {
            let git = match (place.join(".git").exists(), place.join("HEAD").exists()) {
                (true, _) => Git::at(&place),
                (false, true) => Git::with_git_dir(&place, &place),
                _ => continue,
            };
            let contains = |outer: ObjectId, inner: ObjectId| {
                let cmd = git.cmd(["merge-base", "--is-ancestor", &inner.to_string(), &outer.to_string()]);
                Ok::<_, crate::error::Failure>(cmd.poll().output()?.code())
            };
            match (contains(ours.id, theirs.id)?, contains(theirs.id, ours.id)?) {
                (0, _) => return Ok(Relation::Contains(Whose::Ours)),
                (_, 0) => return Ok(Relation::Contains(Whose::Theirs)),
                (1, 1) => return Ok(Relation::Diverged),
                _ => {}
            }
        }
        Ok(Relation::Unknown)
    }
}
