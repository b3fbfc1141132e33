//! References: found in process where they are files, through git where gix can't read them (reftable).

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};

use super::{Repo, parse_id};
use crate::error::{Failure, OrFatal, Result};

/// What a reference is expected to hold before it is changed: the compare of a compare-and-swap.
#[derive(Clone, Copy, Debug)]
pub enum Old {
    /// It does not exist.
    Absent,
    /// It holds this.
    Is(ObjectId),
}

impl Repo {
    /// The object that a full reference name points to.
    ///
    /// # Errors
    /// If the reference store can't be read.
    pub fn find_ref(&self, full_name: &str) -> Result<Option<ObjectId>> {
        if !self.has_files_backend() {
            let output = self.at_home().cmd(["rev-parse", "--verify", "-q", full_name]).poll().output()?;
            return if output.status.success() { parse_id(output.stdout.trim()).map(Some) } else { Ok(None) };
        }
        match find_in(&self.gix(), full_name)? {
            None => self.steadily(|| find_in(&self.gix(), full_name)),
            found => Ok(found),
        }
    }

    /// Several references at once, in one pass.
    ///
    /// # Errors
    /// As [`Repo::find_ref`].
    pub fn find_refs<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<&'a str, ObjectId>> {
        if !self.has_files_backend() {
            let all = self.all_through_git()?;
            return Ok(names
                .into_iter()
                .filter_map(|n| Some((n, *all.get(n.as_bytes().as_bstr())?)))
                .collect());
        }
        let gix = self.gix();
        let mut found = HashMap::new();
        for name in names {
            let id = match find_in(&gix, name)? {
                None => self.steadily(|| find_in(&gix, name))?,
                found => found,
            };
            found.extend(id.map(|id| (name, id)));
        }
        Ok(found)
    }

    /// The full name of the branch that a short name means: a local one first, then a remote-tracking one.
    ///
    /// # Errors
    /// As [`Repo::find_ref`].
    pub fn find_branch(&self, short: &str) -> Result<Option<(String, ObjectId)>> {
        let candidates = if ["refs/heads/", "refs/remotes/"].iter().any(|p| short.starts_with(p)) {
            vec![short.to_owned()]
        } else if short.starts_with("refs/") {
            // A tag or a note is something to start from, but no branch.
            Vec::new()
        } else {
            vec![format!("refs/heads/{short}"), format!("refs/remotes/{short}")]
        };
        for name in candidates {
            if let Some(id) = self.find_ref(&name)? {
                return Ok(Some((name, id)));
            }
        }
        Ok(None)
    }

    /// The branch that is checked out where the user is: its full name, also when it is unborn.
    ///
    /// # Errors
    /// If HEAD can't be read.
    pub fn head_branch(&self) -> Result<Option<String>> {
        if let Some(full) = self.plain_head_branch() {
            return Ok(Some(full));
        }
        let output = self.cmd(["symbolic-ref", "-q", "HEAD"]).output()?;
        match output.code() {
            0 => Ok(Some(output.stdout.trim_end().to_str_lossy().into_owned())),
            1 => Ok(None),
            _ => Err(output.into_failure()),
        }
    }

    /// The branch that the HEAD file names, if git would say the same: that it is no reference to another one.
    fn plain_head_branch(&self) -> Option<String> {
        let path = self.git_dir().join("HEAD");
        if !self.has_files_backend() || !std::fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let bytes = std::fs::read(path).ok()?;
        let full = bytes.strip_prefix(b"ref: ")?.strip_suffix(b"\n")?.to_str().ok()?;
        let is_branch =
            full.starts_with("refs/heads/") && gix::validate::reference::branch_name(full.into()).is_ok();
        let gix = self.gix();
        let found = gix.try_find_reference(full).ok()?;
        let is_link = found.is_some_and(|r| r.target().try_name().is_some());
        (is_branch && !is_link).then(|| full.to_owned())
    }

    /// Whether git would take this as a branch name (`git check-ref-format --branch`).
    ///
    /// # Errors
    /// In git's words if it would not.
    pub fn require_branch_name(&self, name: &str) -> Result<()> {
        let shown = crate::text::escape_controls(name.as_bytes());
        let refuse = || Failure::fatal(format!("'{shown}' is not a valid branch name"));
        if name.starts_with('-') || name.starts_with("refs/") || name.contains('\0') {
            return Err(refuse());
        }
        // What is asked about otherwise may stand for another name, or for what a later version refuses.
        let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
        let full = format!("refs/heads/{name}");
        if is_plain && gix::validate::reference::branch_name(full.as_str().into()).is_ok() {
            return Ok(());
        }
        let output = self.cmd(["check-ref-format", "--branch", name]).output()?;
        // `@{-1}` is answered with the branch that it stands for: a name of ours says itself.
        if output.status.success() && output.stdout.trim_end() == name.as_bytes() {
            Ok(())
        } else {
            Err(refuse())
        }
    }

    /// Moves, makes or (with `new` absent) deletes references, all or none, by compare-and-swap. They are those
    /// that all worktrees share: the one that the user is in may be the one that is going.
    ///
    /// # Errors
    /// If one of them does not hold what was expected.
    pub fn update_refs(&self, reason: &str, changes: &[(String, Option<ObjectId>, Old)]) -> Result<()> {
        self.change_refs(&[], reason, changes)
    }

    /// As [`Repo::update_refs`], and they are on the disk when this returns: what they keep is about to go. git
    /// syncs references only if it is told to.
    ///
    /// # Errors
    /// As [`Repo::update_refs`].
    pub fn update_refs_for_good(
        &self,
        reason: &str,
        changes: &[(String, Option<ObjectId>, Old)],
    ) -> Result<()> {
        self.change_refs(&["-c", "core.fsync=reference"], reason, changes)
    }

    fn change_refs(
        &self,
        options: &[&str],
        reason: &str,
        changes: &[(String, Option<ObjectId>, Old)],
    ) -> Result<()> {
        let null = ObjectId::null(self.gix().object_hash());
        let mut script = b"start\0".to_vec();
        for (name, new, old) in changes {
            let old = match old {
                Old::Absent => null,
                Old::Is(id) => *id,
            };
            match new {
                Some(new) => script.extend_from_slice(format!("update {name}\0{new}\0{old}\0").as_bytes()),
                None => script.extend_from_slice(format!("delete {name}\0{old}\0").as_bytes()),
            }
        }
        script.extend_from_slice(b"prepare\0commit\0");
        let cmd = self.at_home().cmd(options).args(["update-ref", "-m", reason, "--stdin", "-z"]);
        cmd.stdin(script).run().map(drop)
    }

    /// The short names of the local branches, and with `remote` of the remote-tracking ones after them.
    ///
    /// # Errors
    /// If the reference store can't be read.
    pub fn branch_names(&self, remote: bool) -> Result<Vec<BString>> {
        let prefixes = if remote { &["refs/heads/", "refs/remotes/"][..] } else { &["refs/heads/"][..] };
        let short = |full: &BStr, prefix: &str| {
            let short = full.strip_prefix(prefix.as_bytes()).filter(|s| !s.ends_with(b"/HEAD"));
            short.map(BString::from)
        };
        if self.has_files_backend() {
            let gix = self.gix();
            let failed = || "cannot read the references";
            let read = |strictly: bool| {
                let platform = gix.references().or_fatal(failed)?;
                let mut names = Vec::new();
                for prefix in prefixes {
                    for one in platform.prefixed(*prefix).or_fatal(failed)? {
                        match one {
                            Ok(one) => names.extend(short(one.name().as_bstr(), prefix)),
                            Err(e) if strictly => return Err(Failure::fatal(e.to_string()).context(failed())),
                            Err(_) => {}
                        }
                    }
                }
                Ok(names)
            };
            return self.steadily(|| read(true)).or_else(|_| read(false));
        }
        let mut all: Vec<_> = self.all_through_git()?.into_keys().collect();
        all.sort();
        let with = |prefix: &&'static str| {
            let prefix = *prefix;
            all.iter().filter_map(move |name| short(name.as_bstr(), prefix))
        };
        Ok(prefixes.iter().flat_map(with).collect())
    }

    fn all_through_git(&self) -> Result<HashMap<BString, ObjectId>> {
        let out = self.at_home().cmd(["for-each-ref", "--format=%(objectname) %(refname)"]).poll().run()?;
        let lines = out.lines().filter_map(|line| line.split_once_str(" "));
        lines.map(|(id, name)| Ok((BString::from(name), parse_id(id)?))).collect()
    }
}

fn find_in(gix: &gix::Repository, full_name: &str) -> Result<Option<ObjectId>> {
    // What no reference can be called is a revision, such as HEAD~1, and no reference is called that.
    if gix::validate::reference::name(BStr::new(full_name)).is_err() {
        return Ok(None);
    }
    let found =
        gix.try_find_reference(BStr::new(full_name)).or_fatal(|| format!("cannot read '{full_name}'"))?;
    // Followed, but not peeled: a branch is a commit, and the trash has commits too.
    Ok(match found {
        Some(mut reference) => reference.follow_to_object().ok().map(gix::Id::detach),
        None => None,
    })
}

/// `refs/heads/x` as `x`, `refs/remotes/origin/x` as `origin/x`.
pub fn short_name(full: &str) -> &str {
    full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/remotes/")).unwrap_or(full)
}
