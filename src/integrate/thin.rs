//! Merging without the files, where nobody could tell.
//!
//! `git merge` looks at each file of its worktree twice, to be sure that it is what the index says; in a
//! large tree that takes nearly all of its time. Here the same command merges in the same repository, with the HEAD
//! of the private worktree, but in another directory, and with an index of its own that says of each file that it
//! is not there (`skip-worktree`, see git-update-index(1)). Only the files that hold attributes are: a merge reads
//! them there. So what is merged is what would have been; the content of both sides comes from objects.
//!
//! The files of the private worktree follow at the end, in one go. Only what runs in a worktree could tell: hooks,
//! merge drivers, filters, checks, signers. With any of these, and for whatever does not merge cleanly, it is done
//! where the files are. HEAD says what is done in either case, so that a kill needs no care of its own.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::index::entry::{Flags, Mode};

use super::journal::{Car, How, Journal, Sign};
use super::merge;
use super::workshop::Workshop;
use crate::config::integrate::Ff;
use crate::error::{OrFatal, Result};
use crate::git::Repo;
use crate::git::process::{Cmd, Git};
use crate::interrupt;
use crate::paths::{inside, path_from};

/// The directory of all this in the administrative directory of the private worktree.
const DIR: &str = "integrate-thin";

/// The private worktree, with its HEAD and without its files.
#[derive(Debug)]
pub struct Thin {
    dir: PathBuf,
    git: Git,
    files: PathBuf,
}

impl Thin {
    /// Stands on what the journal begins with. None if somebody could tell.
    ///
    /// # Errors
    /// If the file system or git refuses.
    pub fn begin(shop: &Workshop<'_>, journal: &Journal) -> Result<Option<Self>> {
        if !journal.checks.is_empty() || shop.operation().is_some() || !is_unseen(shop.repo, &journal.how) {
            return Ok(None);
        }
        let dir = shop.git_dir.join(DIR);
        clear(&dir)?;
        let files = dir.join("files");
        fs::create_dir_all(&files).or_fatal(|| format!("could not create '{}'", files.display()))?;
        let index = dir.join("index");
        let Some(attributes) = write_index(shop.repo, journal.onto, &index) else { return Ok(None) };
        let git = Git::with_git_dir(&files, &shop.git_dir).with_index(&index);
        let thin = Thin { dir, git, files };
        if !attributes.is_empty() {
            thin.cmd().args(["checkout-index", "-u", "-z", "--stdin"]).stdin(attributes).run()?;
        }
        if shop.head()? != journal.onto {
            shop.git(["update-ref", "--no-deref", "HEAD", &journal.onto.to_string()]).run()?;
        }
        Ok(Some(thin))
    }

    /// Merges a task onto `onto`. None if there is more to it than a clean merge: what git has left is to be reset.
    ///
    /// # Errors
    /// If git can't be started, or the user interrupts it.
    pub fn merge(
        &self,
        shop: &Workshop<'_>,
        how: &How,
        car: &Car,
        onto: ObjectId,
    ) -> Result<Option<ObjectId>> {
        if merge::command(self.cmd(), shop, how, car)?.output()?.code() != 0 {
            // A git that was killed leaves them, be it before or after HEAD moved.
            shop.remove_locks()?;
        }
        let head = shop.head()?;
        if head == onto {
            interrupt::check()?;
            return Ok(None);
        }
        Ok(Some(head))
    }

    /// Takes away what is not needed any more.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn end(self) -> Result<()> {
        clear(&self.dir)
    }

    fn cmd(&self) -> Cmd {
        let settings = ["gc.auto=0", "maintenance.auto=false", "index.skipHash=true"];
        let cmd = self.git.cmd(settings.iter().flat_map(|setting| ["-c", setting]));
        cmd.env("GIT_WORK_TREE", &self.files).leaving_others()
    }
}

fn clear(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).or_fatal(|| format!("could not remove '{}'", dir.display()))
        }
        _ => Ok(()),
    }
}

/// The index of a commit in which no file is there, but those that hold attributes: their names, each ended by NUL.
/// None if there are submodules, or gix can't write it.
fn write_index(repo: &Repo, commit: ObjectId, path: &Path) -> Option<Vec<u8>> {
    let gix = repo.gix();
    let (mut state, _) = gix.index_from_tree(&repo.tree_of(commit).ok()?).ok()?.into_parts();
    // Of a submodule more is looked at than the commit.
    if state.entries().iter().any(|entry| entry.mode == Mode::COMMIT) {
        return None;
    }
    let mut attributes = Vec::new();
    for (entry, path) in state.entries_mut_with_paths() {
        // A merge takes them from files and from nowhere else.
        if path.rsplit(|byte| *byte == b'/').next() == Some(b".gitattributes") {
            attributes.extend([path.as_bytes(), b"\0"].concat());
        } else {
            entry.flags.insert(Flags::EXTENDED | Flags::SKIP_WORKTREE);
        }
    }
    gix::index::File::from_state(state, path.to_owned()).write(Default::default()).ok()?;
    Some(attributes)
}

/// Nothing but git itself would see that the files are not there.
fn is_unseen(repo: &Repo, how: &How) -> bool {
    if !matches!(how.ff, Ff::No | Ff::Yes | Ff::Only) || matches!(how.sign, Some(Sign::With(_))) {
        return false;
    }
    let gix = repo.gix();
    let config = gix.config_snapshot();
    let is_on = |key: &str| config.boolean(key) == Some(true);
    let mut keys =
        ["commit.gpgSign", "merge.verifySignatures", "core.sparseCheckout", "submodule.recurse"].iter();
    // A hook, or the builtin daemon.
    if keys.any(|key| is_on(key)) || config.string("core.fsmonitor").is_some() {
        return false;
    }
    let has = |section: &str| {
        config.plumbing().sections_by_name(section).is_some_and(|mut all| all.next().is_some())
    };
    let mut of_merge = config.plumbing().sections_by_name("merge").into_iter().flatten();
    // A driver is a subsection, and so is a hook of the configuration.
    if has("filter") || has("hook") || of_merge.any(|section| section.header().subsection_name().is_some()) {
        return false;
    }
    let hooks = match config.string("core.hooksPath") {
        Some(path) => path_from(&path),
        None => repo.common_dir().join("hooks"),
    };
    hooks.is_absolute() && has_no_hook(&hooks)
}

fn has_no_hook(dir: &Path) -> bool {
    let is_sample = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "sample");
    inside(dir).is_ok_and(|all| all.iter().all(is_sample))
}
