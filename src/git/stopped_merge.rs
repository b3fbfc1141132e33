//! A merge that stops at conflicts, brought into a worktree as `git merge` leaves it there.
//!
//! With the index locked, git looks at the files and writes them in one go; if something is in its way, nothing has
//! changed. See [`merge_beside`](super::merge_beside) for why.

use std::fs;
use std::path::Path;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::merge_beside::Conflicts;
use super::process::{Git, IndexLock};
use super::scratch::Scratch;
use super::{Repo, parse_id};
use crate::error::{Failure, OrFatal, Result};

/// What is to be left there.
#[derive(Clone, Copy, Debug)]
pub struct Stopped<'a> {
    /// What is checked out.
    pub ours: ObjectId,
    /// What is being merged.
    pub theirs: ObjectId,
    /// The message of the commit to be.
    pub message: &'a str,
    /// Where it stops.
    pub conflicts: &'a Conflicts,
}

/// Leaves the worktree, whose administrative directory is `git_dir`, in the middle of the merge.
///
/// # Errors
/// In git's words, if the index is locked, HEAD has moved, or something is in the way: then nothing has changed.
pub fn leave(repo: &Repo, git: &Git, git_dir: &Path, stopped: &Stopped<'_>) -> Result<()> {
    let Stopped { ours, theirs, message, conflicts } = *stopped;
    let held = IndexLock::take(git_dir)?;
    if parse_id(git.cmd(["rev-parse", "--verify", "HEAD"]).poll().line()?.as_bytes())? != ours {
        return Err(Failure::fatal("HEAD was moved by another process meanwhile"));
    }
    let scratch = Scratch::new(repo)?;
    let (moved, unmerged) = (scratch.dir().join("index"), scratch.dir().join("unmerged"));
    let copy = |from: &Path, to: &Path| {
        fs::copy(from, to).map(drop).or_fatal(|| format!("could not write '{}'", to.display()))
    };
    copy(&git_dir.join("index"), &moved)?;
    let there = git.with_index(&moved);
    let go = |from: ObjectId, to: ObjectId| {
        let args = ["read-tree", "-m", "-u", &from.to_string(), &to.to_string()];
        there.cmd(args).leaving_others().run().map(drop)
    };
    let staged = there.cmd(["diff-index", "--cached", "--quiet", &ours.to_string(), "--"]).poll().output()?;
    if !staged.status.success() {
        // It would be committed with the merge.
        return Err(Failure::fatal("something was staged meanwhile"));
    }
    // It believes the times in the index.
    there.cmd(["update-index", "-q", "--refresh"]).output()?;
    let says = [
        ("MERGE_HEAD", format!("{theirs}\n").into_bytes()),
        ("MERGE_MODE", Vec::new()),
        ("MERGE_MSG", with_names(git, message, conflicts)?),
    ];
    go(ours, conflicts.tree)?;
    let written = copy(&moved, &unmerged).and_then(|()| {
        let update = git.with_index(&unmerged).cmd(["update-index", "-z", "--index-info"]);
        update.stdin(conflicts.stages.clone()).run()?;
        for (name, text) in &says {
            let path = scratch.dir().join(name);
            fs::write(&path, text).or_fatal(|| format!("could not write '{}'", path.display()))?;
        }
        held.commit(&unmerged)
    });
    if let Err(failure) = written {
        // Nobody has looked at it yet.
        let _ = go(conflicts.tree, ours);
        return Err(failure);
    }
    // From here on it is unmerged and can't be committed, whatever becomes of us.
    for (name, _) in &says {
        let (from, to) = (scratch.dir().join(name), git_dir.join(name));
        // A clone may be on another file system.
        let put = fs::rename(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop));
        put.or_fatal(|| format!("could not write '{}'", to.display()))?;
    }
    // For comparisons only.
    let refs = format!("update ORIG_HEAD {ours}\nupdate AUTO_MERGE {}\n", conflicts.tree);
    git.cmd(["update-ref", "--stdin"]).stdin(refs).output()?;
    // It knows itself whether it is wanted.
    git.cmd(["rerere"]).leaving_others().output().map(drop)
}

/// With the conflicts named in comments, as `append_conflicts_hint()` in git's sequencer.c does.
fn with_names(git: &Git, message: &str, conflicts: &Conflicts) -> Result<Vec<u8>> {
    let configured = git.cmd(["config", "--get-regexp", r"^core\.comment(char|string)$"]).poll().output()?;
    let last = configured.stdout.lines().next_back().and_then(|line| line.split_once_str(" "));
    let mark = last.map(|(_, mark)| mark).filter(|mark| !mark.is_empty() && *mark != b"auto");
    let mark = mark.unwrap_or(b"#");
    let mut text = [message.as_bytes(), b"\n\n", mark, b" Conflicts:\n"].concat();
    for name in &conflicts.names {
        text.extend_from_slice(&[mark, b"\t", name, b"\n"].concat());
    }
    Ok(text)
}
