//! The private worktree that merges are made in: on no branch, kept between integrations so that it is warm.
//!
//! Nothing in it is anybody's work but what a person did there while an integration waited for him. So between
//! two merges it may be reset and cleaned at any time; ignored files, such as build caches, stay.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::place::Place;
use super::submodules::{self, Within};
use crate::desk::half;
use crate::desk::{Desk, template};
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::{Cmd, Git, retry};
use crate::git::worktree::{BEING_MADE, Head, Worktree, let_go, operation_in};
use crate::git::{Repo, parse_id};
use crate::paths::{inside, is_there, normalise, path_bytes, path_from, read_if_there};
use crate::store::atomic;
use crate::store::lock::FileLock;

/// The name of the file in its administrative directory that says whose private worktree it is.
const MARK: &str = "git-integrate";

/// The file beside the journal that says where the private worktree is being made.
const RECORD: &str = "workshop";

/// The private worktree of a target, whose lock is held; or a slot of the pool that is lent for checks.
#[derive(Clone)]
pub struct Workshop<'a> {
    /// The repository.
    pub repo: &'a Repo,
    /// Its top level.
    pub path: PathBuf,
    /// Its administrative directory.
    pub git_dir: PathBuf,
    /// It is a slot.
    pub is_lent: bool,
}

impl<'a> Workshop<'a> {
    /// The one there is, else a new one at `commit`. Locks of git's that a killed process left in it are gone
    /// afterwards; what is checked out is as it was.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn open(desk: &Desk<'a>, place: &Place, _held: &FileLock, commit: ObjectId) -> Result<Self> {
        let worktree = match find(desk.repo, place)? {
            Some(worktree) => worktree,
            None => make(desk, place, commit)?,
        };
        if worktree.is_unlinked() {
            desk.relink(&worktree)?;
        }
        // Who made it may have been killed just before.
        worktree.let_go()?;
        let shop =
            Workshop { repo: desk.repo, path: worktree.path, git_dir: worktree.git_dir, is_lent: false };
        shop.remove_locks()?;
        shop.detach()?;
        Ok(shop)
    }

    /// A git command in it that may change something.
    pub fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Cmd {
        // A worktree's own gc would only be in the way; the user's next git does it.
        let quiet = ["-c", "gc.auto=0", "-c", "maintenance.auto=false"];
        Git::at(&self.path).cmd(quiet).args(args).leaving_others()
    }

    /// A git command in it that only looks.
    pub fn look<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Cmd {
        Git::at(&self.path).cmd(args).poll()
    }

    /// It as its submodules need it.
    pub fn within(&self) -> Within<'_> {
        Within { repo: self.repo, path: &self.path, git_dir: &self.git_dir, is_lent: self.is_lent }
    }

    /// What is checked out.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn head(&self) -> Result<ObjectId> {
        if self.repo.has_files_backend()
            && let Ok(bytes) = std::fs::read(self.git_dir.join("HEAD"))
            && let Ok(id) = ObjectId::from_hex(bytes.trim())
        {
            return Ok(id);
        }
        parse_id(self.look(["rev-parse", "--verify", "HEAD"]).line()?.as_bytes())
    }

    /// The operation under way in it, in git's words.
    pub fn operation(&self) -> Option<&'static str> {
        operation_in(&self.git_dir)
    }

    /// Checks `commit` out, on no branch, whatever was there: nothing of a merge, and no untracked file, is
    /// left. A branch that somebody has switched to stays where it is.
    ///
    /// # Errors
    /// If git refuses.
    pub fn reset(&self, commit: ObjectId) -> Result<()> {
        match self.operation() {
            // They would keep their directory, and a later command would run into it.
            Some(operation @ ("rebase" | "am" | "cherry-pick" | "revert")) => {
                self.git([operation, "--quit"]).output()?;
            }
            Some("bisect") => drop(self.git(["bisect", "reset"]).output()?),
            _ => {}
        }
        // A check may have switched to one, and it is not ours to move.
        self.detach()?;
        self.git(["-c", "submodule.recurse=false", "reset", "--quiet", "--hard", &commit.to_string()])
            .run()?;
        self.git(["clean", "-ffdq"]).run()?;
        submodules::follow(&self.within())
    }

    /// A branch that somebody has checked out here must not be moved by what we do.
    fn detach(&self) -> Result<()> {
        let head = std::fs::read(self.git_dir.join("HEAD")).unwrap_or_default();
        if self.repo.has_files_backend() && ObjectId::from_hex(head.trim()).is_ok() {
            return Ok(());
        }
        if self.look(["symbolic-ref", "-q", "HEAD"]).output()?.status.success() {
            let at = self.look(["rev-parse", "--verify", "HEAD"]).line()?;
            self.git(["update-ref", "--no-deref", "HEAD", &at]).run()?;
        }
        Ok(())
    }

    /// Locks that a git which is dead left behind. Ours is held, and a git that lives holds it with us: so none
    /// lives here.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn remove_locks(&self) -> Result<()> {
        remove_locks_in(&self.git_dir)
    }
}

fn remove_locks_in(dir: &Path) -> Result<()> {
    for path in inside(dir)? {
        let is_dir = path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        // Submodules are repositories of their own, and their commands may be anybody's.
        if is_dir && !path.ends_with("modules") {
            remove_locks_in(&path)?;
        } else if !is_dir && path.extension().is_some_and(|e| e == "lock") {
            std::fs::remove_file(&path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
        }
    }
    Ok(())
}

/// The private worktree of a target, if there is a usable one.
///
/// # Errors
/// If the worktrees can't be read.
pub fn find(repo: &Repo, place: &Place) -> Result<Option<Worktree>> {
    let mut all = repo.worktrees()?.into_iter().filter(|w| w.is_readable());
    Ok(all.find(|w| target_of(w).as_deref() == Some(place.target.as_str())))
}

/// The target whose private worktree this is, by full name.
pub fn target_of(worktree: &Worktree) -> Option<String> {
    let text = std::fs::read(worktree.git_dir.join(MARK)).ok()?;
    Some(text.trim().to_str_lossy().into_owned()).filter(|t| !t.is_empty())
}

/// Makes it. Where it is to be is written first, so that what a killed process left there is known as ours.
fn make(desk: &Desk<'_>, place: &Place, commit: ObjectId) -> Result<Worktree> {
    let record = place.dir.join(RECORD);
    if let Some(bytes) = read_if_there(&record)? {
        clear(desk, place, &path_from(&bytes))?;
    }
    let home = desk.repo.at_home();
    let path = loop {
        let path = free_path(desk, place)?;
        atomic::write(&record, path_bytes(&path))?;
        let add = || {
            let add = ["worktree", "add", "--quiet", "--detach", "--no-checkout", "--lock", "--reason"];
            let add = home.cmd(add).arg(BEING_MADE);
            add.arg(&path).arg(commit.to_string()).leaving_others().run()
        };
        match retry(desk.settings.lock_timeout, add) {
            // Somebody was quicker there: another place will do as well.
            Err(failure) if failure.message().ends_with("already exists") => {}
            made => break made.map(|_| path)?,
        }
    };
    let git_dir = desk.repo.worktree_git_dir(&path)?;
    atomic::write(&git_dir.join(MARK), format!("{}\n", place.target).as_bytes())?;
    let_go(&git_dir)?;
    find(desk.repo, place)?
        .ok_or_else(|| Failure::fatal(format!("could not make a private worktree in '{}'", path.display())))
}

/// Takes away one that was not made to its end, unless `dry_run`, and says where it is. The target's lock is held.
///
/// # Errors
/// If it can't be removed.
pub fn clear_half(
    desk: &Desk<'_>,
    place: &Place,
    _held: &FileLock,
    dry_run: bool,
) -> Result<Option<PathBuf>> {
    let Some(bytes) = read_if_there(&place.dir.join(RECORD))? else { return Ok(None) };
    let path = path_from(&bytes);
    let worktrees = desk.repo.worktrees()?;
    // It was made, and there may be work in it, even where it can't be read now.
    if worktrees.iter().any(|w| target_of(w).is_some_and(|target| target == place.target)) {
        return Ok(None);
    }
    let there = worktrees.iter().any(|w| w.path == path) || is_there(&path)?;
    if !is_ours(&worktrees, place, &path)? {
        return Ok(None);
    }
    if !dry_run {
        clear(desk, place, &path)?;
        half::remove_half_admin(desk, &path)?;
    }
    Ok(there.then_some(path))
}

/// Whether what is at a place where we began to make one, or had one, may go. What has our mark may, or what git was
/// making for us; there is nothing in that yet, because it is made without a checkout.
fn is_ours(worktrees: &[Worktree], place: &Place, path: &Path) -> Result<bool> {
    let known = worktrees.iter().find(|w| w.path == path);
    if known.is_some_and(|w| {
        w.is_main || w.task.is_some() || !matches!(w.head, Head::Detached(_) | Head::Unknown)
    }) {
        return Ok(false);
    }
    match (known, known.and_then(target_of)) {
        (_, Some(target)) => Ok(target == place.target),
        (Some(worktree), None) => worktree.is_being_made(),
        // A directory of that name would be a repository.
        (None, None) => Ok(inside(path)?.iter().all(|entry| entry.ends_with(".git") && entry.is_file())),
    }
}

/// Takes away what is there and [`is_ours`].
fn clear(desk: &Desk<'_>, place: &Place, path: &Path) -> Result<()> {
    if !is_ours(&desk.repo.worktrees()?, place, path)? {
        return Ok(());
    }
    half::clear_unreadable(desk, path)?;
    if let Some(known) = desk.repo.worktrees()?.iter().find(|w| w.path == path) {
        let remove = ["worktree", "remove", "--force", "--force"];
        let removed = retry(desk.settings.lock_timeout, || desk.repo.at_home().cmd(remove).arg(path).run());
        if removed.is_err() && known.missing {
            retry(desk.settings.lock_timeout, || desk.repo.at_home().cmd(["worktree", "prune"]).run())?;
        } else {
            removed?;
        }
    }
    if path.exists() {
        std::fs::remove_dir_all(path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
    }
    Ok(())
}

/// Beside the tasks' worktrees, hidden, and called after repository and target.
fn free_path(desk: &Desk<'_>, place: &Place) -> Result<PathBuf> {
    let repo_name = desk.repo.name();
    let target = place.name().replace('/', "-");
    let name = format!(".integrate-{repo_name}-{target}");
    let user = desk.context.user.clone().unwrap_or_else(|| "user".to_owned());
    let values = [
        ("task", name.as_str()),
        ("type", "task"),
        ("repo", repo_name.as_str()),
        ("base", place.name()),
        ("user", user.as_str()),
    ];
    let path = template::expand(&desk.settings.worktree_format, &values)
        .map_err(|e| e.context("bad value of 'task.worktreeFormat'"))?;
    let path = normalise(&desk.repo.home().join(path));
    let numbered = |n: u32| match n {
        1 => path.clone(),
        n => path.with_file_name(format!("{}-{n}", path.file_name().unwrap_or_default().to_string_lossy())),
    };
    let free = (1..).map(numbered).find(|p| p.symlink_metadata().is_err());
    Ok(free.expect("one of the numbers is free"))
}
