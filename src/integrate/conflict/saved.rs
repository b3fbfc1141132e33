//! What some paths were before an answer, index and files: the way back from it.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::Stopped;
use crate::error::{OrFatal, Result};
use crate::git::unmerged::{Entry, entries, set_entries};

/// What was at some paths. It is taken back by [`Saved::restore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    paths: Vec<BString>,
    entries: Vec<Entry>,
    files: Vec<(BString, File)>,
}

/// What was in the worktree; nothing, or a directory, is not noted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum File {
    /// The content is in the object database: it may be large, and it may be all there is of somebody's work.
    Regular { content: ObjectId, mode: u32 },
    /// What it points to.
    Link(OsString),
}

impl Saved {
    /// Notes what is at these paths now.
    ///
    /// # Errors
    /// If a file can't be read or git can't take it.
    pub fn of(stopped: &Stopped<'_>, paths: Vec<BString>) -> Result<Self> {
        let git = stopped.git();
        let mut entries = if paths.is_empty() { Vec::new() } else { entries(&git, &paths)? };
        entries.retain(|entry| paths.contains(&entry.path));
        let mut files = Vec::new();
        for path in &paths {
            let file = stopped.require_file(path.as_bstr())?;
            let could = || format!("could not read '{}'", file.display());
            match std::fs::symlink_metadata(&file) {
                Ok(meta) if meta.is_file() => {
                    let content = stopped.store(std::fs::read(&file).or_fatal(could)?)?;
                    let mode = meta.permissions().mode();
                    files.push((path.clone(), File::Regular { content, mode }));
                }
                Ok(meta) if meta.is_symlink() => {
                    let target = std::fs::read_link(&file).or_fatal(could)?;
                    files.push((path.clone(), File::Link(target.into_os_string())));
                }
                _ => {}
            }
        }
        Ok(Saved { paths, entries, files })
    }

    /// Puts all of it back.
    ///
    /// # Errors
    /// If the index or a file can't be written.
    pub fn restore(&self, stopped: &Stopped<'_>) -> Result<()> {
        if self.paths.is_empty() {
            return Ok(());
        }
        let git = stopped.git();
        set_entries(&git, &self.paths, &self.entries)?;
        for path in &self.paths {
            stopped.remove_file(path.as_bstr())?;
        }
        for (path, was) in &self.files {
            let file = stopped.require_file(path.as_bstr())?;
            let dir = file.parent().unwrap_or(&stopped.worktree);
            std::fs::create_dir_all(dir).or_fatal(|| format!("cannot create '{}'", dir.display()))?;
            let written = match was {
                File::Regular { content, mode } => {
                    let permissions = std::fs::Permissions::from_mode(*mode);
                    let content = stopped.blob(*content)?;
                    std::fs::write(&file, content).and_then(|()| std::fs::set_permissions(&file, permissions))
                }
                File::Link(target) => std::os::unix::fs::symlink(target, &file),
            };
            written.or_fatal(|| format!("could not write '{}'", file.display()))?;
        }
        // git looks at the time of files whose content it knows; its status is about others too.
        let refresh = git.cmd(["update-index", "-q", "--unmerged", "--refresh"]);
        refresh.output().map(drop)
    }

    /// The paths that are put back.
    pub fn paths(&self) -> &[BString] {
        &self.paths
    }
}
