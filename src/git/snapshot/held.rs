//! The commits that nothing but a worktree and its branch holds.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::Request;
use super::contents::{PRIVATE_REFS, STATE_FILES, walk};
use crate::error::Result;
use crate::git::process::{Cmd, Git};

/// The tip first, then what the worktree can't be made again without, then commits that only a reflog knows.
pub fn commits(git: &Git, request: &Request<'_>) -> Result<Vec<ObjectId>> {
    let mut needed: BTreeSet<String> = BTreeSet::new();
    let private: &[&str] = if request.clone { &["refs"] } else { PRIVATE_REFS };
    if request.path.is_some() || request.git_dir.is_some() {
        collect(git.cmd(["rev-parse", "--verify", "-q", "HEAD"]), &mut needed)?;
        collect(git.cmd(["for-each-ref", "--format=%(objectname)"]).args(private), &mut needed)?;
    }
    if let Some(git_dir) = request.git_dir {
        needed.extend(in_state_files(git_dir)?);
    }
    let mut logged: BTreeSet<String> = BTreeSet::new();
    if let Some(git_dir) = request.git_dir {
        collect(git.cmd(["log", "-g", "--format=%H", "HEAD", "--"]), &mut logged)?;
        // git shows no reflog of a HEAD whose branch is gone.
        logged.extend(ids_in(&fs::read(git_dir.join("logs/HEAD")).unwrap_or_default()));
    }
    if let Some(branch) = request.branch {
        collect(git.cmd(["log", "-g", "--format=%H", branch, "--"]), &mut logged)?;
    }
    if request.clone {
        collect(git.cmd(["log", "-g", "--format=%H", "refs/stash", "--"]), &mut logged)?;
    }
    let tip: Vec<ObjectId> = request.tip.into_iter().collect();
    let needed = commits_among(git, &needed)?;
    let mut parents = tip.clone();
    // Another branch may have these now and be gone when the worktree is to be restored.
    parents.extend(heads(git.cmd(["rev-list", "--parents", "--stdin"]), &needed, &tip)?);
    let mut cmd = git.cmd(["rev-list", "--parents", "--stdin", "--not"]);
    if !request.clone {
        if let Some(branch) = request.branch {
            cmd = cmd.arg(format!("--exclude={}", branch.trim_start_matches("refs/heads/")));
        }
        cmd = cmd.args(["--branches", "--tags"]);
    }
    let held = parents.clone();
    parents.extend(heads(cmd.arg("--remotes"), &commits_among(git, &logged)?, &held)?);
    Ok(parents)
}

/// Ids that a command prints; one that fails, because there is no such reference or reflog, prints none.
fn collect(cmd: Cmd, into: &mut BTreeSet<String>) -> Result<()> {
    let output = cmd.poll().output()?;
    if output.status.success() {
        into.extend(ids_in(&output.stdout));
    }
    Ok(())
}

/// Words that are object ids in full.
fn ids_in(text: &[u8]) -> impl Iterator<Item = String> {
    let words = text.split(|b| !b.is_ascii_hexdigit()).filter(|w| w.len() == 40 || w.len() == 64);
    words.map(|w| w.to_str_lossy().into_owned()).collect::<Vec<_>>().into_iter()
}

/// Everything that looks like an object id in the state of an operation: heads, the autostash, the todo list.
fn in_state_files(git_dir: &Path) -> Result<Vec<String>> {
    const SHORTEST: usize = 4;
    let mut names: Vec<PathBuf> = Vec::new();
    for name in STATE_FILES {
        walk(git_dir, Path::new(name), &mut names)?;
    }
    let mut ids = Vec::new();
    for name in names {
        let text = fs::read(git_dir.join(&name)).unwrap_or_default();
        ids.extend(ids_in(&text));
        if name.ends_with("todo") || name.ends_with("git-rebase-todo") {
            // Here git abbreviates: "pick 1234567 Subject".
            let second = text.lines().filter_map(|line| line.split(|b| *b == b' ').nth(1));
            let short = second.filter(|w| w.len() >= SHORTEST && w.iter().all(u8::is_ascii_hexdigit));
            ids.extend(short.map(|w| w.to_str_lossy().into_owned()));
        }
    }
    Ok(ids)
}

/// What is no commit, or was collected long ago, has nothing to hold.
fn commits_among(git: &Git, ids: &BTreeSet<String>) -> Result<Vec<ObjectId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let checked = git.cmd(["cat-file", "--batch-check=%(objectname) %(objecttype)"]).stdin(list).run()?;
    let commits = checked.lines().filter_map(|line| line.strip_suffix(b" commit"));
    Ok(commits.filter_map(|id| ObjectId::from_hex(id).ok()).collect())
}

/// Those commits that `without` does not reach and no other one of them either.
fn heads(cmd: Cmd, commits: &[ObjectId], without: &[ObjectId]) -> Result<Vec<ObjectId>> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let mut revs: String = commits.iter().map(|id| format!("{id}\n")).collect();
    revs.extend(without.iter().map(|id| format!("^{id}\n")));
    let out = cmd.stdin(revs).run()?;
    let mut found = Vec::new();
    let mut parents = HashSet::new();
    for line in out.lines() {
        let mut ids = line.split(|b| *b == b' ').filter_map(|id| ObjectId::from_hex(id).ok());
        found.extend(ids.next());
        parents.extend(ids);
    }
    found.retain(|id| !parents.contains(id));
    Ok(found)
}
