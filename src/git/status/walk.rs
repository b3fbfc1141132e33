//! One pass over a worktree's directories that finds both the tracked files that can't have changed and what
//! is untracked, by git's rules for `-unormal` (`treat_path()` and `treat_directory()` in dir.c).
//!
//! gix-dir and gix-status make a pass each, look everything up by its whole path and go to the bottom of
//! untracked directories; this one asks for each file's data relative to its open directory.

use std::fs::{DirEntry, Metadata};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gix::AttributeStack;
use gix::bstr::{BString, ByteSlice};
use gix::index::entry::{Mode, Stat, stat};
use gix::worktree::stack::state::ignore::Source;

/// What was found.
pub(super) struct Found {
    /// Places in the index of entries that are as git last saw them.
    pub(super) clean: Vec<usize>,
    /// Entries of `git status` for what is not tracked.
    pub(super) untracked: usize,
}

/// Walks the worktree that `repo` is set to. None if something can't be read: git is asked then.
pub(super) fn walk(repo: &gix::Repository, index: &gix::index::State) -> Option<Found> {
    let fs = repo.filesystem_options().ok()?;
    let mut walk = Walk {
        repo,
        index,
        stat: repo.stat_options().ok()?,
        symlinks: fs.symlink,
        executable_bit: fs.executable_bit,
        excludes: None,
        path: BString::default(),
        found: Found { clean: Vec::with_capacity(index.entries().len()), untracked: 0 },
    };
    let mut top = repo.workdir()?.to_owned();
    walk.tracked_directory(&mut top, 0..index.entries().len())?;
    Some(walk.found)
}

struct Walk<'a> {
    repo: &'a gix::Repository,
    index: &'a gix::index::State,
    stat: stat::Options,
    symlinks: bool,
    executable_bit: bool,
    /// Made when the first untracked thing is met: most worktrees have none.
    excludes: Option<AttributeStack<'a>>,
    /// Where the walk is, relative to the top.
    path: BString,
    found: Found,
}

impl Walk<'_> {
    /// A directory with entries in the index, which are those in `range`.
    fn tracked_directory(&mut self, dir: &mut PathBuf, range: Range<usize>) -> Option<()> {
        let (entries, backing) = (self.index.entries(), self.index.path_backing());
        let length = self.path.len();
        for child in dir.read_dir().ok()? {
            let child = child.ok()?;
            if !self.enter(&child, length) {
                continue;
            }
            let kind = child.file_type().ok()?;
            let known = &entries[range.clone()];
            match known.binary_search_by(|entry| entry.path_in(backing).cmp(self.path.as_bstr())) {
                // A directory where a tracked file was: the file is missed, and git doesn't show the directory
                // (`index_name_is_other()`).
                Ok(_) if kind.is_dir() => {}
                Ok(at) => {
                    if self.is_clean(&known[at], &child.metadata().ok()?) {
                        self.found.clean.push(range.start + at);
                    }
                }
                Err(at) if kind.is_dir() => {
                    self.path.push(b'/');
                    let from = at + known[at..].partition_point(|e| e.path_in(backing) < self.path.as_bstr());
                    let below = known[from..].partition_point(|e| e.path_in(backing).starts_with(&self.path));
                    dir.push(child.file_name());
                    if below > 0 {
                        let from = range.start + from;
                        self.tracked_directory(dir, from..from + below)?;
                    } else {
                        self.path.pop();
                        self.found.untracked += usize::from(self.is_untracked_directory(dir)?);
                    }
                    dir.pop();
                }
                Err(_) if kind.is_file() || kind.is_symlink() => {
                    self.found.untracked += usize::from(!self.is_excluded(Mode::FILE)?);
                }
                // git has no eyes for sockets, pipes and devices.
                Err(_) => {}
            }
        }
        self.path.truncate(length);
        Some(())
    }

    /// Whether git would show this directory without tracked files: not if it is excluded, empty, or full of
    /// excluded files.
    fn is_untracked_directory(&mut self, dir: &mut PathBuf) -> Option<bool> {
        if self.is_excluded(Mode::DIR)? {
            return Some(false);
        }
        if is_repository(dir) {
            return Some(true);
        }
        self.path.push(b'/');
        let length = self.path.len();
        for child in dir.read_dir().ok()? {
            let child = child.ok()?;
            if !self.enter(&child, length) {
                continue;
            }
            let kind = child.file_type().ok()?;
            let shown = if kind.is_dir() {
                dir.push(child.file_name());
                let shown = self.is_untracked_directory(dir)?;
                dir.pop();
                shown
            } else {
                (kind.is_file() || kind.is_symlink()) && !self.is_excluded(Mode::FILE)?
            };
            if shown {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Goes to a child of the directory whose path is the first `length` bytes; not to `.git`.
    fn enter(&mut self, child: &DirEntry, length: usize) -> bool {
        let name = child.file_name();
        self.path.truncate(length);
        self.path.extend_from_slice(name.as_bytes());
        name != ".git"
    }

    fn is_excluded(&mut self, mode: Mode) -> Option<bool> {
        if self.excludes.is_none() {
            let source = Source::WorktreeThenIdMappingIfNotSkipped;
            self.excludes = Some(self.repo.excludes(self.index, None, source).ok()?);
        }
        let excludes = self.excludes.as_mut()?;
        Some(excludes.at_entry(self.path.as_bstr(), Some(mode)).ok()?.is_excluded())
    }

    /// Whether the file is as the index has it, without a look into it: `ie_match_stat()`.
    fn is_clean(&self, entry: &gix::index::Entry, meta: &Metadata) -> bool {
        let kind = meta.file_type();
        let executable = kind.is_file() && meta.mode() & 0o100 != 0;
        let change = entry.mode.change_to_match_fs_with_values(
            kind.is_file(),
            false,
            kind.is_symlink(),
            executable,
            self.symlinks,
            self.executable_bit,
        );
        let stat = stat_of(meta);
        change.is_none()
            && (kind.is_file() || kind.is_symlink())
            && stat.matches(&entry.stat, self.stat)
            && (!stat.is_racy(self.index.timestamp(), self.stat)
                || self.is_older_by_nanoseconds(&stat, entry))
    }

    /// A file that was written in the second in which the index was, or later, may have changed unseen, and
    /// git reads it. That is every file of a fresh worktree, for as long as nobody writes its index. So here
    /// the nanoseconds count, as they do for a git that is built with `USE_NSEC`, if the file system of the
    /// worktree has them: one that has none keeps zeros.
    fn is_older_by_nanoseconds(&self, stat: &Stat, entry: &gix::index::Entry) -> bool {
        let fine = stat::Options { use_nsec: true, trust_ctime: true, ..self.stat };
        self.stat.check_stat
            && stat.mtime.nsecs != 0
            && stat.matches(&entry.stat, fine)
            && !stat.is_racy(self.index.timestamp(), fine)
    }
}

/// The data that the index keeps, cut to 32 bits as git cuts it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the index has 32 bits for each")]
fn stat_of(meta: &Metadata) -> Stat {
    let time = |secs: i64, nsecs: i64| stat::Time { secs: secs as u32, nsecs: nsecs as u32 };
    Stat {
        mtime: time(meta.mtime(), meta.mtime_nsec()),
        ctime: time(meta.ctime(), meta.ctime_nsec()),
        dev: meta.dev() as u32,
        ino: meta.ino() as u32,
        uid: meta.uid(),
        gid: meta.gid(),
        size: meta.len() as u32,
    }
}

/// `is_nonbare_repository_dir()` in git's setup.c.
fn is_repository(dir: &Path) -> bool {
    let dot_git = dir.join(".git");
    dot_git.symlink_metadata().is_ok() && gix::discover::is_git(&dot_git).is_ok()
}
