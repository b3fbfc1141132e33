//! A merge that is made without the worktree it is for.
//!
//! `git merge` looks at the files, merges, and only then writes them: what somebody edits meanwhile is overwritten. Or
//! it finds out then that something is in its way, resets the worktree and brings back what it had seen when it began:
//! what somebody has staged since is gone (see `restore_state()` in git's builtin/merge.c). A fast-forward looks and
//! writes in one go, with the index locked, and touches nothing if it can't be done. So a merge is made beside the
//! worktree, and that is moved forwards to it; or to [where it stops](super::stopped_merge).

use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::parse_id;
use super::process::Git;
use crate::error::Result;

/// What makes `git merge` do more than merge and commit: to sign, to verify, to write another message.
const MORE: &str = r"^(commit\.gpgsign|merge\.(verifysignatures|log|summary|branchdesc)|hook\..*)$";

/// The hooks that `git merge` asks before it commits.
const HOOKS: [&str; 3] = ["pre-merge-commit", "prepare-commit-msg", "commit-msg"];

/// What came of it.
#[derive(Debug)]
pub enum Merged {
    /// This commit. No reference was moved.
    Clean(ObjectId),
    /// Conflicts.
    Conflicts(Conflicts),
    /// There is more to it: git has to do it in the worktree.
    Other,
}

/// Where a merge stops.
#[derive(Debug)]
pub struct Conflicts {
    /// What the files are like then, with conflict markers in some.
    pub tree: ObjectId,
    /// The paths that are unmerged.
    pub names: Vec<BString>,
    /// What the index says of these, for `git update-index -z --index-info`.
    pub stages: Vec<u8>,
}

/// Makes what `git merge -m <message>` would make of `theirs` in the worktree at `path`, where `ours` is checked out.
///
/// # Errors
/// If git can't be started, or the commit can't be written.
pub fn merge_beside(
    git: &Git,
    path: &Path,
    ours: ObjectId,
    theirs: ObjectId,
    message: &str,
) -> Result<Merged> {
    if has_more(git, path)? {
        return Ok(Merged::Other);
    }
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let merge = |name: &str| git.cmd(["merge-tree", "--write-tree", "-z", name, &theirs]).output();
    let merged = merge(&ours)?;
    match merged.code() {
        0 => {}
        // git brings conflicts into a sparse worktree that are outside of it.
        1 if is_sparse(git)? => return Ok(Merged::Other),
        // Conflict markers call it by this name; who comes next sees whether it was another commit.
        1 => return Ok(conflicts(&merge("HEAD")?.stdout).map_or(Merged::Other, Merged::Conflicts)),
        // Nothing in common: git merge says what there is to say.
        _ => return Ok(Merged::Other),
    }
    let tree = parse_id(merged.stdout.split(|b| *b == 0).next().unwrap_or_default())?.to_string();
    let commit = ["commit-tree", "-p", &ours, "-p", &theirs, "-m", message, &tree];
    parse_id(git.cmd(commit).line()?.as_bytes()).map(Merged::Clean)
}

/// From what `git merge-tree -z` prints: the tree, the conflicted entries as `git ls-files -s` has them, and an empty
/// one before the messages.
fn conflicts(output: &[u8]) -> Option<Conflicts> {
    let mut parts = output.split(|b| *b == 0);
    let tree = parse_id(parts.next()?).ok()?;
    let (mut names, mut entries): (Vec<BString>, Vec<u8>) = Default::default();
    for entry in parts.take_while(|part| !part.is_empty()) {
        let (_, name) = entry.split_once_str("\t")?;
        if names.last().is_none_or(|last| last != name) {
            names.push(name.into());
        }
        entries.extend_from_slice(&[entry, b"\0"].concat());
    }
    let null = ObjectId::null(tree.kind());
    let gone = names.iter().flat_map(|name| [format!("0 {null}\t").as_bytes(), name, b"\0"].concat());
    let stages = gone.chain(entries).collect();
    (!names.is_empty()).then_some(Conflicts { tree, names, stages })
}

fn is_sparse(git: &Git) -> Result<bool> {
    let asked = git.cmd(["config", "--type=bool", "--get", "core.sparseCheckout"]).poll().output()?;
    Ok(asked.stdout.trim_ascii_end() == b"true")
}

fn has_more(git: &Git, path: &Path) -> Result<bool> {
    // Its exit code is 1 if there is none.
    if git.cmd(["config", "--name-only", "--get-regexp", MORE]).poll().output()?.code() != 1 {
        return Ok(true);
    }
    let hooks = git.cmd(["rev-parse", "--git-path", "hooks"]).poll().path()?;
    Ok(HOOKS.iter().any(|name| path.join(&hooks).join(name).exists()))
}
