//! The commits that nothing but a worktree and its branch holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::Request;
use super::contents::{STATE_FILES, walk};
use crate::error::Result;
use crate::git::process::Git;

/// The tip first, then all others that no other branch, remote-tracking branch or tag reaches.
pub fn commits(git: &Git, request: &Request<'_>) -> Result<Vec<ObjectId>> {
    let mut named: BTreeSet<ObjectId> = BTreeSet::new();
    collect(git.cmd(["rev-parse", "--verify", "-q", "HEAD"]), &mut named)?;
    collect(git.cmd(["log", "-g", "--format=%H", "HEAD", "--"]), &mut named)?;
    if let Some(branch) = request.branch {
        collect(git.cmd(["log", "-g", "--format=%H", branch, "--"]), &mut named)?;
    }
    let private: &[&str] = match request.clone {
        true => &["refs"],
        false => &["refs/worktree", "refs/bisect", "refs/rewritten"],
    };
    collect(git.cmd(["for-each-ref", "--format=%(objectname)"]).args(private), &mut named)?;
    if request.clone {
        collect(git.cmd(["log", "-g", "--format=%H", "refs/stash", "--"]), &mut named)?;
    }
    if let Some(git_dir) = request.git_dir {
        named.extend(in_state_files(git_dir)?);
    }
    let mut parents: Vec<ObjectId> = request.tip.into_iter().collect();
    parents.extend(only_here(git, request, &named)?);
    Ok(parents)
}

/// Ids that a command prints; one that fails, because there is no such reference or reflog, prints none.
fn collect(cmd: crate::git::process::Cmd, into: &mut BTreeSet<ObjectId>) -> Result<()> {
    let output = cmd.poll().output()?;
    if output.status.success() {
        into.extend(output.stdout.lines().filter_map(|line| ObjectId::from_hex(line).ok()));
    }
    Ok(())
}

/// Everything that looks like an object id in the state of an operation: heads, the autostash, the todo list.
fn in_state_files(git_dir: &Path) -> Result<Vec<ObjectId>> {
    let mut names: Vec<PathBuf> = Vec::new();
    for name in STATE_FILES {
        walk(git_dir, Path::new(name), &mut names)?;
    }
    let mut ids = Vec::new();
    for name in names {
        let text = fs::read(git_dir.join(name)).unwrap_or_default();
        let words = text.split(|b| !b.is_ascii_hexdigit());
        ids.extend(
            words.filter(|w| w.len() == 40 || w.len() == 64).filter_map(|w| ObjectId::from_hex(w).ok()),
        );
    }
    Ok(ids)
}

/// Those of the named commits that nothing else reaches.
fn only_here(git: &Git, request: &Request<'_>, named: &BTreeSet<ObjectId>) -> Result<Vec<ObjectId>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    // What is no commit, or was collected long ago, has nothing to hold.
    let list: String = named.iter().map(|id| format!("{id}\n")).collect();
    let checked = git.cmd(["cat-file", "--batch-check=%(objectname) %(objecttype)"]).stdin(list).run()?;
    let commits: Vec<&[u8]> = checked.lines().filter_map(|line| line.strip_suffix(b" commit")).collect();
    let mut args = Vec::new();
    for id in &commits {
        args.extend_from_slice(id);
        args.push(b'\n');
    }
    args.extend(request.tip.into_iter().flat_map(|tip| format!("^{tip}\n").into_bytes()));
    let mut cmd = git.cmd(["rev-list", "--stdin", "--not"]);
    if !request.clone {
        if let Some(branch) = request.branch {
            cmd = cmd.arg(format!("--exclude={}", branch.trim_start_matches("refs/heads/")));
        }
        cmd = cmd.arg("--branches");
    }
    let cmd = cmd.args(["--remotes", "--tags"]);
    let out = cmd.stdin(args).run()?;
    Ok(out.lines().filter_map(|line| ObjectId::from_hex(line).ok()).collect())
}
