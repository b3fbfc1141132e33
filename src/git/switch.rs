//! Moving a worktree that is known to be clean: its files by a two-way merge of git's, its HEAD in process.
//!
//! Where references are files and no hook wants to hear of them, HEAD is written here as git writes it: a lock
//! file, the rename, a line in the reflog. Everywhere else git does it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use gix::ObjectId;

use super::Repo;
use super::process::{Cmd, Git};
use super::refs::short_name;
use super::worktree::{Head, Worktree, read_head, target_of};
use crate::error::{Failure, OrFatal, Result};

/// git in a worktree, told its repository, so that a broken `.git` leads it nowhere else.
pub fn git_in(worktree: &Worktree) -> Git {
    Git::with_git_dir(&worktree.path, &worktree.git_dir)
}

impl Repo {
    /// Whether a reference may be written without git: they are files, and no hook is to be asked.
    fn writes_refs_itself(&self) -> bool {
        self.has_files_backend() && !self.may_have_hook("reference-transaction")
    }

    /// Whether there may be such a hook. With hooks elsewhere git is asked each time.
    fn may_have_hook(&self, name: &str) -> bool {
        let gix = self.gix();
        let elsewhere = gix.config_snapshot().string("core.hooksPath").is_some();
        elsewhere || self.common_dir().join("hooks").join(name).exists()
    }

    /// Brings index and files of a clean worktree from one commit to another; only what differs is written. The
    /// network is not used: objects that are not here are missing.
    ///
    /// # Errors
    /// In git's words: a file is in the way, or an object is missing.
    pub fn update_files(&self, worktree: &Worktree, from: ObjectId, to: ObjectId) -> Result<()> {
        let args = ["read-tree", "-m", "-u", &from.to_string(), &to.to_string()];
        let merge =
            || git_in(worktree).cmd(args).env("GIT_NO_LAZY_FETCH", "1").leaving_others().run().map(drop);
        match merge() {
            // It believes the times in the index, and these may be those of files that were touched or copied.
            Err(failure) if failure.message().contains("not uptodate") => {
                git_in(worktree).cmd(["update-index", "-q", "--refresh"]).output()?;
                merge()
            }
            done => done,
        }
    }

    /// Moves the HEAD of a worktree, and nothing else. `to` is a branch by full name, or a commit.
    ///
    /// # Errors
    /// If it can't be written, or is not what `worktree` says any more: a commit that somebody has made there
    /// meanwhile may be on no branch. It is then as it was.
    pub fn move_head(&self, worktree: &Worktree, from: ObjectId, to: &Head, at: ObjectId) -> Result<()> {
        let target = match to {
            Head::Branch(full) => short_name(full).to_owned(),
            _ => at.to_string(),
        };
        let was = match &worktree.head {
            Head::Branch(full) => short_name(full).to_owned(),
            _ => from.to_string(),
        };
        let reason = format!("checkout: moving from {was} to {target}");
        if let Some(who) = self.configured_committer().filter(|_| self.writes_refs_itself()) {
            return self.write_head(worktree, from, to, at, &who, &reason);
        }
        let git = git_in(worktree);
        let cmd = match to {
            Head::Branch(full) => git.cmd(["symbolic-ref", "-m", &reason, "HEAD", full]),
            _ => {
                let cmd = git.cmd(["update-ref", "--no-deref", "-m", &reason, "HEAD", &at.to_string()]);
                match &worktree.head {
                    Head::Detached(was) => cmd.arg(was.to_string()),
                    _ => cmd,
                }
            }
        };
        cmd.run().map(drop)
    }

    /// Name, address and time for a reflog. None if the user has configured nobody: what git then makes up of the
    /// account and the machine is its own affair.
    fn configured_committer(&self) -> Option<Vec<u8>> {
        let gix = self.gix();
        let mut line = Vec::new();
        gix.committer()?.ok()?.trim().write_to(&mut line).ok()?;
        Some(line)
    }

    /// See `create_symref_lock()` and `files_log_ref_write()` in git's refs/files-backend.c.
    fn write_head(
        &self,
        worktree: &Worktree,
        from: ObjectId,
        to: &Head,
        at: ObjectId,
        who: &[u8],
        reason: &str,
    ) -> Result<()> {
        let git_dir = &worktree.git_dir;
        let text = match to {
            Head::Branch(full) => format!("ref: {full}\n"),
            _ => format!("{at}\n"),
        };
        let (head, lock) = (git_dir.join("HEAD"), git_dir.join("HEAD.lock"));
        let shown = lock.display().to_string();
        let created = OpenOptions::new().write(true).create_new(true).open(&lock);
        let mut file = created.or_fatal(|| format!("cannot lock ref 'HEAD': Unable to create '{shown}'"))?;
        // With the lock held nobody commits there any more.
        if worktree.head != Head::Unknown && read_head(git_dir) != worktree.head {
            let _ = fs::remove_file(&lock);
            let shown = worktree.path.display();
            return Err(Failure::fatal(format!("HEAD of '{shown}' was moved by another process meanwhile")));
        }
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let logged = written.or_fatal(|| format!("could not write '{shown}'")).and_then(|()| {
            self.log_head(git_dir, from, at, who, reason)?;
            fs::rename(&lock, &head).or_fatal(|| format!("could not write '{}'", head.display()))
        });
        if logged.is_err() {
            let _ = fs::remove_file(&lock);
        }
        logged
    }

    /// A line in the reflog, if there is one or git would begin one.
    fn log_head(&self, git_dir: &Path, from: ObjectId, to: ObjectId, who: &[u8], reason: &str) -> Result<()> {
        let path = git_dir.join("logs/HEAD");
        let gix = self.gix();
        let config = gix.config_snapshot();
        let wanted = match config.boolean("core.logAllRefUpdates") {
            Some(wanted) => wanted,
            None if config.string("core.logAllRefUpdates").is_some() => true,
            None => !config.boolean("core.bare").unwrap_or(false),
        };
        if !wanted && !path.exists() {
            return Ok(());
        }
        let line = [format!("{from} {to} ").as_bytes(), who, b"\t", reason.as_bytes(), b"\n"].concat();
        let failed = || format!("could not append to '{}'", path.display());
        fs::create_dir_all(git_dir.join("logs")).or_fatal(failed)?;
        let mut file = OpenOptions::new().append(true).create(true).open(&path).or_fatal(failed)?;
        file.write_all(&line).or_fatal(failed)
    }

    /// Runs the post-checkout hook as `git worktree add` does: in the new worktree, with the null id, the commit
    /// and 1. What it prints goes to standard error. False if it failed.
    ///
    /// # Errors
    /// If it can't be run.
    pub fn run_post_checkout(&self, path: &Path, commit: ObjectId) -> Result<bool> {
        if !self.may_have_hook("post-checkout") {
            return Ok(true);
        }
        let null = ObjectId::null(commit.kind()).to_string();
        let args =
            ["hook", "run", "--ignore-missing", "post-checkout", "--", &null, &commit.to_string(), "1"];
        let cmd: Cmd = Git::discovering(path).cmd(args);
        Ok(cmd.shown()?.success())
    }
}

/// The worktree whose top is `path`, by its `.git` file: without a look at all the others.
///
/// # Errors
/// If it is no linked worktree of this repository, or gone.
pub fn worktree_at(repo: &Repo, path: &Path) -> Result<Worktree> {
    let not_one = || Failure::fatal(format!("'{}' is not a working tree", path.display()));
    let git_dir = target_of(&path.join(".git")).ok_or_else(not_one)?;
    if git_dir.parent() != Some(repo.common_dir().join("worktrees").as_path()) {
        return Err(not_one());
    }
    repo.worktree_of_admin(&git_dir)?.filter(|w| w.path == path).ok_or_else(not_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testing::{Sandbox, git_at, write};

    #[test]
    fn a_commit_that_was_made_meanwhile_is_not_left_behind() {
        let sandbox = Sandbox::new();
        let first = sandbox.commit("a", "a\n");
        sandbox.git(["worktree", "add", "-q", "--detach", "../wt"]);
        let repo = sandbox.repo();
        let path = sandbox.top().with_file_name("wt").canonicalize().unwrap();
        let worktree = worktree_at(&repo, &path).unwrap();
        write(&path, "b", b"b\n");
        git_at(&path, ["add", "b"]);
        git_at(&path, ["commit", "-q", "-m", "only here"]);
        let made = std::fs::read(worktree.git_dir.join("HEAD")).unwrap();
        let moved = repo.move_head(&worktree, first, &Head::Detached(first), first);
        moved.unwrap_err();
        assert_eq!(std::fs::read(worktree.git_dir.join("HEAD")).unwrap(), made);
        assert!(!worktree.git_dir.join("HEAD.lock").exists());
        let now = worktree_at(&repo, &path).unwrap();
        repo.move_head(&now, first, &Head::Branch("refs/heads/new".to_owned()), first).unwrap();
        assert_eq!(std::fs::read(worktree.git_dir.join("HEAD")).unwrap(), b"ref: refs/heads/new\n");
    }
}
