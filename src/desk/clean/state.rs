//! What the administrative directory of a worktree remembers of its holder: operations, references of its own,
//! settings, files that the index says are not to be looked at.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use crate::desk::Desk;
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::git::process::Git;
use crate::git::switch::git_in;
use crate::git::worktree::Worktree;
use crate::paths::{inside, path_from, read_if_there};
use crate::store::atomic;

/// Directories of an operation that is under way; what else is of one is in capitals.
const OPERATIONS: &[&str] = &["rebase-merge", "rebase-apply", "sequencer", "NOTES_MERGE_WORKTREE"];

/// Settings that a worktree may have of its own, and where they are remembered as they were when it was new.
const SETTINGS: &[(&str, &str)] =
    &[("config.worktree", "git-pool.config"), ("info/sparse-checkout", "git-pool.sparse")];

/// Removes what says where an operation is, and what the last one left: `ORIG_HEAD`, `FETCH_HEAD` and the like.
pub fn remove_operation(worktree: &Worktree) -> Result<()> {
    let dir = &worktree.git_dir;
    for path in inside(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let capitals = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && name != "HEAD";
        let failed = || format!("could not remove '{}'", path.display());
        if OPERATIONS.contains(&name.as_ref()) {
            fs::remove_dir_all(&path).or_fatal(failed)?;
        } else if capitals && path.is_file() {
            fs::remove_file(&path).or_fatal(failed)?;
        }
    }
    Ok(())
}

fn has_private_refs(worktree: &Worktree) -> bool {
    fn any_file(dir: &Path) -> bool {
        // git tells, where this can't.
        inside(dir).map_or(true, |all| all.iter().any(|path| !path.is_dir() || any_file(path)))
    }
    worktree.git_dir.join("reftable").exists() || any_file(&worktree.git_dir.join("refs"))
}

fn list_private_refs(worktree: &Worktree, format: &str) -> Result<Vec<u8>> {
    if !has_private_refs(worktree) {
        return Ok(Vec::new());
    }
    let args = ["for-each-ref", format, "refs/worktree", "refs/bisect", "refs/rewritten"];
    git_in(worktree).cmd(args).poll().run()
}

/// The commits that references of this worktree's own name.
pub fn private_refs(_desk: &Desk<'_>, worktree: &Worktree) -> Result<Vec<ObjectId>> {
    let out = list_private_refs(worktree, "--format=%(objecttype) %(objectname)")?;
    out.lines().filter_map(|line| line.strip_prefix(b"commit ")).map(parse_id).collect()
}

/// Deletes them.
pub fn remove_private_refs(worktree: &Worktree) -> Result<()> {
    let out = list_private_refs(worktree, "--format=delete %(refname)")?;
    if out.is_empty() {
        return Ok(());
    }
    git_in(worktree).cmd(["update-ref", "--stdin"]).stdin(out).run().map(drop)
}

/// Remembers the settings of a worktree that was just made.
///
/// # Errors
/// If they can't be copied.
pub fn remember_settings(git_dir: &Path) -> Result<()> {
    for (name, kept) in SETTINGS {
        let (from, to) = (git_dir.join(name), git_dir.join(kept));
        if from.exists() {
            fs::copy(&from, &to).or_fatal(|| format!("could not write '{}'", to.display()))?;
        }
    }
    Ok(())
}

/// Gives the worktree the settings back that it had when it was new.
pub fn reset_settings(worktree: &Worktree) -> Result<()> {
    let dir = &worktree.git_dir;
    let text = |name: &str| read_if_there(&dir.join(name));
    let mut differs = false;
    for (name, kept) in SETTINGS {
        differs |= text(name)? != text(kept)?;
    }
    if !differs {
        return Ok(());
    }
    let git = git_in(worktree);
    // Files that the patterns left out come back first.
    git.cmd(["sparse-checkout", "disable"]).run()?;
    for (name, kept) in SETTINGS {
        let path = dir.join(name);
        match text(kept)? {
            Some(text) => atomic::write(&path, &text)?,
            None if path.exists() => {
                fs::remove_file(&path).or_fatal(|| format!("could not remove '{}'", path.display()))?;
            }
            None => {}
        }
    }
    if text(SETTINGS[1].1)?.is_some() {
        git.cmd(["sparse-checkout", "reapply"]).run()?;
    }
    Ok(())
}

/// Files that the index says are not to be looked at: assumed unchanged (a small letter), or left out (`S`)
/// where nothing is sparse.
fn flagged(worktree: &Worktree) -> Result<Vec<Vec<u8>>> {
    let out = git_in(worktree).cmd(["ls-files", "-v", "-z"]).poll().run()?;
    let sparse = worktree.git_dir.join("info/sparse-checkout").exists();
    let lines = out.split(|b| *b == 0).filter_map(|line| line.split_once_str(" "));
    let is_flagged = |tag: &[u8]| tag.iter().any(u8::is_ascii_lowercase) || (tag == b"S" && !sparse);
    Ok(lines.filter(|(tag, _)| is_flagged(tag)).map(|(_, name)| name.to_vec()).collect())
}

/// Asks git with an index in which no file is left out of sight.
pub fn without_flags<T>(worktree: &Worktree, ask: impl Fn(&Git) -> Result<T>) -> Result<T> {
    let names = flagged(worktree)?;
    let git = git_in(worktree);
    if names.is_empty() {
        return ask(&git);
    }
    let index = worktree.git_dir.join("index");
    let other = worktree.git_dir.join(format!(".index.tmp-{}", std::process::id()));
    let asked = fs::copy(&index, &other).or_fatal(|| format!("could not write '{}'", other.display()));
    let asked = asked.and_then(|_| {
        let git = git.with_index(&other);
        unflag(&git, &names)?;
        ask(&git)
    });
    let _ = fs::remove_file(&other);
    asked
}

/// Lets git look at all files again.
pub fn clear_flags(worktree: &Worktree) -> Result<()> {
    let names = flagged(worktree)?;
    if names.is_empty() { Ok(()) } else { unflag(&git_in(worktree), &names) }
}

fn unflag(git: &Git, names: &[Vec<u8>]) -> Result<()> {
    let list = names.join(&0);
    for flag in ["--no-assume-unchanged", "--no-skip-worktree"] {
        git.cmd(["update-index", "-z", flag, "--stdin"]).stdin([list.as_slice(), b"\0"].concat()).run()?;
    }
    Ok(())
}

/// Submodules become what they are in a new worktree: not checked out. Their repositories stay, and so does what the
/// configuration says of them, which `git submodule deinit` would take away from all worktrees.
///
/// # Errors
/// If one has changes, unless `force`; or git or the file system refuses.
pub fn leave_submodules(worktree: &Worktree, force: bool) -> Result<()> {
    if !worktree.git_dir.join("modules").exists() || !worktree.path.join(".gitmodules").exists() {
        return Ok(());
    }
    let git = git_in(worktree);
    let listed = git.cmd(["ls-files", "--stage", "-z"]).poll().run()?;
    let links = listed.split(|b| *b == 0).filter_map(|entry| entry.strip_prefix(b"160000 "));
    let names = links.filter_map(|entry| entry.split_once_str("\t")).map(|(_, name)| path_from(name));
    // What is behind a link is elsewhere, and nothing of ours.
    let top = worktree.path.canonicalize().unwrap_or_else(|_| worktree.path.clone());
    let is_here = |name: &PathBuf| {
        let dir = top.join(name);
        dir.join(".git").exists() && dir.canonicalize().is_ok_and(|real| real == dir)
    };
    let here: Vec<PathBuf> = names.filter(is_here).collect();
    if here.is_empty() {
        return Ok(());
    }
    if !force {
        let status =
            git.cmd(["--literal-pathspecs", "status", "--porcelain", "--ignore-submodules=none", "--"]);
        if !status.args(&here).poll().run()?.is_empty() {
            let path = worktree.path.display();
            return Err(Failure::fatal(format!("a submodule in '{path}' contains local modifications")));
        }
    }
    // One that has its repository within it would lose that.
    git.cmd(["--literal-pathspecs", "submodule", "--quiet", "absorbgitdirs", "--"]).args(&here).run()?;
    for name in here {
        let dir = worktree.path.join(name);
        let failed = || format!("could not empty '{}'", dir.display());
        fs::remove_dir_all(&dir).and_then(|()| fs::create_dir(&dir)).or_fatal(failed)?;
    }
    Ok(())
}
