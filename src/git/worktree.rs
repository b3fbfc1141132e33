//! Worktrees as they are: where, on which branch, locked or gone, in the middle of what.
//!
//! Which task a worktree belongs to is noted in a file of its administrative directory, because only that
//! follows it through `git worktree move` and a detached HEAD, and vanishes with it.

mod lock;

use std::io;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Repo, parse_id};
use crate::bounded;
use crate::error::{Failure, OrFatal, Result};
use crate::paths::{inside, is_no_place, path_from, read_if_there};

pub use lock::{BEING_MADE, is_initializing, let_go};

/// The name of the file in a worktree's administrative directory that holds its task's name.
const TASK_MARK: &str = "git-task";

/// One worktree.
#[derive(Clone, Debug)]
pub struct Worktree {
    /// Its top level. It may not exist any more.
    pub path: PathBuf,
    /// Its administrative directory: `$GIT_DIR` inside it.
    pub git_dir: PathBuf,
    /// What is checked out.
    pub head: Head,
    /// Why it is locked, if it is; the reason may be empty.
    pub locked: Option<String>,
    /// Its directory is not there.
    pub missing: bool,
    /// Its directory is not there, but something else is at its place: another repository, a link, a file. Then
    /// it is missing too.
    pub replaced: bool,
    /// The first worktree, which `git worktree` never removes.
    pub is_main: bool,
    /// The task it was made for.
    pub task: Option<String>,
}

/// What a worktree has checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A branch, by full name.
    Branch(String),
    /// A commit.
    Detached(ObjectId),
    /// It can't be read.
    Unknown,
}

impl Worktree {
    /// The branch that git holds in use here: the one checked out, or the one a rebase or bisect will go
    /// back to.
    pub fn branch(&self) -> Option<String> {
        match &self.head {
            Head::Branch(name) => Some(name.clone()),
            _ => ["rebase-merge/head-name", "rebase-apply/head-name"]
                .iter()
                .find_map(|file| std::fs::read(self.git_dir.join(file)).ok())
                .map(|bytes| bytes.trim().to_str_lossy().into_owned())
                .or_else(|| {
                    let start = std::fs::read(self.git_dir.join("BISECT_START")).ok()?;
                    Some(format!("refs/heads/{}", start.trim().to_str_lossy()))
                })
                .filter(|name| name.starts_with("refs/heads/")),
        }
    }

    /// The operation that is under way here, in git's words.
    pub fn operation(&self) -> Option<&'static str> {
        operation_in(&self.git_dir)
    }

    /// git takes it for a repository: not one that was cut off before it had a HEAD. git writes one of zeroes
    /// first, and nothing is checked out before it has the real one.
    pub fn is_readable(&self) -> bool {
        if matches!(self.head, Head::Detached(id) if id.is_null()) {
            return false;
        }
        let written = |name| std::fs::metadata(self.git_dir.join(name)).is_ok_and(|meta| meta.len() > 0);
        written("commondir") && written("HEAD") && !self.missing
    }

    /// Its files are there, but their `.git` leads nowhere, as when the repository was moved: git can't be used there.
    pub fn is_unlinked(&self) -> bool {
        let dot_git = self.path.join(".git");
        let is_file = || std::fs::symlink_metadata(&dot_git).is_ok_and(|meta| meta.is_file());
        !self.missing && is_file() && matches!(leads_to(&dot_git), Ok(None))
    }

    /// Notes that this worktree belongs to `task`.
    ///
    /// # Errors
    /// If its administrative directory can't be written.
    pub fn mark(&self, task: &str) -> Result<()> {
        mark(&self.git_dir, task)
    }

    /// Forgets which task this worktree belongs to.
    ///
    /// # Errors
    /// If its administrative directory can't be written.
    pub fn unmark(&self) -> Result<()> {
        let path = self.git_dir.join(TASK_MARK);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).or_fatal(|| format!("could not remove '{}'", path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// Notes in a worktree's administrative directory which task it belongs to.
///
/// # Errors
/// If the directory can't be written.
pub fn mark(git_dir: &Path, task: &str) -> Result<()> {
    let path = git_dir.join(TASK_MARK);
    // By rename: half a mark would make it nobody's worktree. The temporary file is overwritten by the next.
    let new = git_dir.join(format!("{TASK_MARK}.new"));
    let written = std::fs::write(&new, format!("{task}\n")).and_then(|()| std::fs::rename(&new, &path));
    written.or_fatal(|| format!("could not write '{}'", path.display()))
}

/// The operation under way in the worktree with this git directory; see `wt-status.c`.
pub fn operation_in(git_dir: &Path) -> Option<&'static str> {
    const SIGNS: &[(&str, &str)] = &[
        ("rebase-merge", "rebase"),
        ("rebase-apply/applying", "am"),
        ("rebase-apply", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
        ("sequencer", "cherry-pick"),
        ("BISECT_LOG", "bisect"),
    ];
    SIGNS.iter().find(|(file, _)| git_dir.join(file).exists()).map(|(_, what)| *what)
}

impl Repo {
    /// All worktrees, the main one first, in the order of their administrative names.
    ///
    /// # Errors
    /// If the administrative directory can't be read.
    pub fn worktrees(&self) -> Result<Vec<Worktree>> {
        let mut all = Vec::new();
        if let Some(path) = self.main_worktree() {
            all.push(Worktree {
                path: path.to_owned(),
                git_dir: self.common_dir().to_owned(),
                head: read_head(self.common_dir()),
                locked: None,
                missing: is_missing(path),
                replaced: false,
                is_main: true,
                task: None,
            });
        }
        let root = self.common_dir().join("worktrees");
        for git_dir in inside(&root)? {
            all.extend(read_worktree(&git_dir)?);
        }
        if !self.has_files_backend() {
            self.heads_through_git(&mut all)?;
        }
        Ok(all)
    }

    /// Where the references are not files, HEAD is not one either.
    fn heads_through_git(&self, all: &mut [Worktree]) -> Result<()> {
        let out = self.at_home().cmd(["worktree", "list", "--porcelain", "-z"]).poll().run()?;
        for (path, head) in listed(&out)? {
            if let Some(worktree) = all.iter_mut().find(|w| w.path == path) {
                worktree.head = head;
            }
        }
        Ok(())
    }

    /// The worktree that an administrative directory belongs to; none if that is half made.
    ///
    /// # Errors
    /// If git can't be asked for its HEAD.
    pub fn worktree_of_admin(&self, git_dir: &Path) -> Result<Option<Worktree>> {
        let Some(mut worktree) = read_worktree(git_dir)? else { return Ok(None) };
        if !self.has_files_backend() {
            self.heads_through_git(std::slice::from_mut(&mut worktree))?;
        }
        Ok(Some(worktree))
    }

    /// The administrative directory of the worktree at `path`, as git knows it: its name there can't be
    /// computed.
    ///
    /// # Errors
    /// If there is no worktree of this repository.
    pub fn worktree_git_dir(&self, path: &Path) -> Result<PathBuf> {
        let all = self.common_dir().join("worktrees");
        if let Some(dir) = target_of(&path.join(".git")).filter(|dir| dir.parent() == Some(&all)) {
            return Ok(dir);
        }
        // Not one of ours, or something is wrong: git says what.
        super::Git::at(path).cmd(["rev-parse", "--absolute-git-dir"]).poll().path()
    }
}

/// The worktrees that have a HEAD in what `git worktree list --porcelain -z` prints.
fn listed(output: &[u8]) -> Result<Vec<(PathBuf, Head)>> {
    let mut all: Vec<(PathBuf, Head)> = Vec::new();
    let mut path = None;
    for line in output.split(|b| *b == 0) {
        if let Some(name) = line.strip_prefix(b"worktree ") {
            path = Some(path_from(name));
        } else if let Some(id) = line.strip_prefix(b"HEAD ") {
            all.extend(
                path.take()
                    .map(|path| Ok::<_, Failure>((path, Head::Detached(parse_id(id)?))))
                    .transpose()?,
            );
        } else if let (Some(name), Some((_, head))) = (line.strip_prefix(b"branch "), all.last_mut()) {
            *head = Head::Branch(name.to_str_lossy().into_owned());
        }
    }
    Ok(all)
}

/// A worktree from its administrative directory; none if that is half made.
fn read_worktree(git_dir: &Path) -> Result<Option<Worktree>> {
    let Some(gitdir) = read_if_there(&git_dir.join("gitdir"))? else { return Ok(None) };
    // Cut off while git wrote it, it is empty: then the files are somewhere, and certainly not in here.
    let dot_git = match gitdir.trim_end_with(|c| c == '\n') {
        b"" => git_dir.join("unknown/.git"),
        name => git_dir.join(path_from(name)),
    };
    let replaced = target_of(&dot_git).is_some_and(|target| target != canonical(git_dir));
    // What can't be looked at may be there.
    let missing = replaced || is_missing(&dot_git);
    // Links relative to this directory hold `..`; what git prints has none.
    let Some(path) = dot_git.parent() else { return Ok(None) };
    let path = match (path.parent(), path.file_name()) {
        // Somebody may have put a link there: where that leads is no place of ours.
        (Some(above), Some(name)) if missing => canonical(above).join(name),
        _ => canonical(path),
    };
    let is_other = || std::fs::symlink_metadata(&path).is_ok_and(|meta| !meta.is_dir());
    let replaced = replaced || missing && is_other();
    let locked = read_if_there(&git_dir.join("locked"))?;
    Ok(Some(Worktree {
        head: look_at_head(git_dir)?,
        missing,
        replaced,
        locked: locked
            .map(|reason| reason.trim().to_str_lossy().into_owned())
            .filter(|reason| !lock::is_ours(reason)),
        is_main: false,
        task: read_if_there(&git_dir.join(TASK_MARK))?
            .map(|t| t.trim().to_str_lossy().into_owned())
            .filter(|t| !t.is_empty()),
        git_dir: git_dir.to_owned(),
        path,
    }))
}

/// The administrative directory that the `.git` of a worktree leads to, without links in its name; none if it
/// leads nowhere.
pub fn target_of(dot_git: &Path) -> Option<PathBuf> {
    leads_to(dot_git).ok().flatten()
}

/// As [`target_of`].
///
/// # Errors
/// If there may be something that can't be read now.
pub fn leads_to(dot_git: &Path) -> io::Result<Option<PathBuf>> {
    /// Longer than any path.
    const LIMIT: u64 = 1 << 16;
    let target = match std::fs::metadata(dot_git) {
        Ok(meta) if meta.is_dir() => dot_git.canonicalize(),
        _ => bounded::read(dot_git, LIMIT).and_then(|text| {
            let target = text.trim_end_with(|c| c == '\n' || c == '\r').strip_prefix(b"gitdir: ");
            let (Some(target), Some(dir)) = (target, dot_git.parent()) else {
                return Err(io::ErrorKind::NotFound.into());
            };
            dir.join(path_from(target)).canonicalize()
        }),
    };
    match target {
        // What has no number comes not from the system: it is no regular file, or far too long.
        Err(e) if is_no_place(&e) || e.raw_os_error().is_none() => Ok(None),
        target => target.map(Some),
    }
}

/// A file where a directory should be leaves no place either.
fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| is_no_place(&error))
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// What the HEAD of a worktree says now.
pub fn read_head(git_dir: &Path) -> Head {
    look_at_head(git_dir).unwrap_or(Head::Unknown)
}

/// As [`read_head`]. A HEAD that can't be read must not be taken for one that leads elsewhere.
fn look_at_head(git_dir: &Path) -> Result<Head> {
    let Some(bytes) = read_if_there(&git_dir.join("HEAD"))? else { return Ok(Head::Unknown) };
    Ok(match bytes.trim().strip_prefix(b"ref:") {
        Some(name) => Head::Branch(name.trim().to_str_lossy().into_owned()),
        None => ObjectId::from_hex(bytes.trim()).map_or(Head::Unknown, Head::Detached),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn properties_worktrees_that_git_lists_are_read(
            written in vec((vec(1..=255_u8, 1..9), any::<[u8; 20]>(), 0..4_usize, "(locked( [a-z\n]{0,4})?\0)?"), 0..5),
            junk in vec(any::<u8>(), 0..40), cut in any::<prop::sample::Index>()
        ) {
            let (mut output, mut expected) = (Vec::new(), Vec::new());
            for (path, id, kind, more) in written {
                let id = ObjectId::from(id);
                output.extend([b"worktree ", &path[..], b"\0"].concat());
                let (text, head) = match kind {
                    0 => ("bare\0".to_owned(), None),
                    1 => (format!("HEAD {id}\0detached\0"), Some(Head::Detached(id))),
                    _ => {
                        let name = format!("refs/heads/{}", ["x", "HEAD {id}"][kind - 2]);
                        (format!("HEAD {id}\0branch {name}\0"), Some(Head::Branch(name)))
                    }
                };
                output.extend([text.as_bytes(), more.as_bytes(), b"\0"].concat());
                expected.extend(head.map(|head| (path_from(&path), head)));
            }
            prop_assert_eq!(listed(&output).unwrap(), expected);
            let _ = listed(&output[..cut.index(output.len() + 1)]);
            let _ = listed(&[&output[..], &junk].concat());
        }
    }
}
