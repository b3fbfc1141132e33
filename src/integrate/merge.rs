//! One task's merge in the private worktree, by git itself, so that hooks, signing, drivers, attributes, rerere
//! and configuration are git's.
//!
//! What came of it is read from HEAD, from `MERGE_HEAD` and from the index: git's exit codes are ambiguous.

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::journal::{Car, How, Sign};
use super::submodules;
use super::workshop::Workshop;
use crate::config::integrate::Ff;
use crate::error::{Failure, OrFatal, Result};
use crate::git::Repo;
use crate::git::parse_id;
use crate::git::process::{Cmd, Git, Output};
use crate::git::scratch::Scratch;
use crate::git::unmerged::resolved;
use crate::interrupt;
use crate::paths::read_if_there;

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// HEAD is this commit now, which has the task's work.
    Commit(ObjectId),
    /// There was nothing to merge.
    Nothing,
    /// There are conflicts; they may all have been resolved by rerere.
    Conflict,
    /// git would not, or a hook or the signer refused: what they said.
    Refused(String),
}

/// Merges a task onto `onto`, which is checked out and clean.
///
/// # Errors
/// If git can't be started, or the user interrupts it.
pub fn merge(shop: &Workshop<'_>, how: &How, car: &Car, onto: ObjectId) -> Result<Made> {
    submodules::prepare(&shop.within(), onto, car.tip)?;
    let made = merge_it(shop, how, car, onto)?;
    submodules::follow(&shop.within())?;
    Ok(made)
}

fn merge_it(shop: &Workshop<'_>, how: &How, car: &Car, onto: ObjectId) -> Result<Made> {
    let output = match how.ff {
        Ff::Rebase => return rebase(shop, how, car, onto),
        Ff::Squash => squash(shop, how, car)?,
        Ff::No | Ff::Yes | Ff::Only => command(shop.git([""; 0]), shop, how, car)?.output()?,
    };
    outcome(shop, onto, output)
}

/// `git merge` of a task, added to a command that says where.
///
/// # Errors
/// If the task's commits can't be listed for the message.
pub(super) fn command(git: Cmd, shop: &Workshop<'_>, how: &How, car: &Car) -> Result<Cmd> {
    let ff = match how.ff {
        Ff::Yes => "--ff",
        Ff::Only => "--ff-only",
        _ => "--no-ff",
    };
    // git asks the first parent's side for attributes, and HEAD for no options: it is on no branch.
    let cmd = git.args(["merge", "--quiet", "--no-edit", ff, "--no-log", "-m"]).arg(message(shop, car)?);
    Ok(signing(cmd, how).args(strategy(how)).arg(car.tip.to_string()))
}

/// Commits what was resolved by somebody, or takes over what he has committed himself.
///
/// # Errors
/// As [`merge`]; or if what is there is not this task's merge.
pub fn conclude(shop: &Workshop<'_>, how: &How, car: &Car, onto: ObjectId) -> Result<Made> {
    if how.ff == Ff::Rebase {
        return match shop.operation() {
            Some("rebase") => {
                let output = shop.git(["rebase", "--continue"]).env("GIT_EDITOR", ":").output()?;
                rebased(shop, onto, output)
            }
            _ => committed(shop, how, car, onto),
        };
    }
    if shop.head()? != onto {
        return committed(shop, how, car, onto);
    }
    require_added(shop)?;
    if how.ff != Ff::Squash {
        restore_merge(shop, car)?;
    }
    let output = commit(shop, how, car)?;
    outcome(shop, onto, output)
}

/// The message of a task's merge or squash, with the list of commits that `merge.log` asks for. git would call the
/// task by its commit there.
fn message(shop: &Workshop<'_>, car: &Car) -> Result<String> {
    let gix = shop.repo.gix();
    let config = gix.config_snapshot();
    let asks = |key: &str| config.string(key).is_some();
    if !["merge.log", "merge.summary", "merge.branchdesc"].into_iter().any(asks) {
        return Ok(car.message.clone());
    }
    let head = format!("{}\t\tbranch '{}' of .\n", car.tip, car.slug);
    let made = shop.look(["fmt-merge-msg", "-m", &car.message]).stdin(head).run()?;
    Ok(made.trim_end().to_str_lossy().into_owned())
}

/// What is not added would be left behind.
fn require_added(shop: &Workshop<'_>) -> Result<()> {
    // What a submodule has checked out says nothing: only what was added of it does.
    let changed = shop.look(["diff", "--name-only", "-z", "--ignore-submodules=all"]).run()?;
    let Some(first) = changed.split(|b| *b == 0).next().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let name = crate::text::escape_controls(first);
    let path = shop.path.display();
    Err(Failure::negative(format!("'{name}' has changes that are not added")).hint(
        "integrateDirty",
        format!("Add what belongs to the merge in '{path}', then 'git integrate --continue'."),
    ))
}

/// A reset by hand, or a kill, takes away what says that the index is a merge; a plain commit would lose the
/// task's history.
fn restore_merge(shop: &Workshop<'_>, car: &Car) -> Result<()> {
    let head = shop.git_dir.join("MERGE_HEAD");
    if let Some(pending) = read_if_there(&head)? {
        if pending.lines().next() == Some(car.tip.to_string().as_bytes()) {
            return Ok(());
        }
        let path = shop.path.display();
        return Err(Failure::fatal(format!(
            "the merge in progress in '{path}' is not that of '{}'",
            car.slug
        ))
        .hint(
            "integrateElsewhere",
            format!("Give it up with 'git -C \"{path}\" merge --abort', then 'git integrate --continue'."),
        ));
    }
    let write = |name: &str, text: String| {
        let path = shop.git_dir.join(name);
        std::fs::write(&path, text).or_fatal(|| format!("could not write '{}'", path.display()))
    };
    write("MERGE_MSG", format!("{}\n", message(shop, car)?))?;
    write("MERGE_MODE", "no-ff".to_owned())?;
    write("MERGE_HEAD", format!("{}\n", car.tip))
}

/// What somebody has committed in the private worktree himself.
fn committed(shop: &Workshop<'_>, how: &How, car: &Car, onto: ObjectId) -> Result<Made> {
    let head = shop.head()?;
    let path = shop.path.display();
    if !shop.repo.is_ancestor(onto, head)? {
        return Err(Failure::fatal(format!("HEAD in '{path}' does not contain {onto} any more")).hint(
            "integrateElsewhere",
            format!("Go back there with 'git -C \"{path}\" reset --hard {onto}', or give up by 'git integrate --abort'."),
        ));
    }
    let merges = matches!(how.ff, Ff::No | Ff::Yes | Ff::Only);
    if head == onto || merges && !shop.repo.is_ancestor(car.tip, head)? {
        return Ok(Made::Nothing);
    }
    Ok(Made::Commit(head))
}

fn squash(shop: &Workshop<'_>, how: &How, car: &Car) -> Result<Output> {
    let cmd = shop.git(["merge", "--quiet", "--squash"]).args(strategy(how));
    let output = cmd.arg(car.tip.to_string()).output()?;
    if !output.status.success() || !unmerged(shop)?.is_empty() || is_index_unchanged(shop)? {
        return Ok(output);
    }
    commit(shop, how, car)
}

/// Commits the index: a merge with the message that git keeps for it, a squash with ours.
fn commit(shop: &Workshop<'_>, how: &How, car: &Car) -> Result<Output> {
    let message = match how.ff {
        Ff::Squash => None,
        _ => std::fs::read(shop.git_dir.join("MERGE_MSG")).ok(),
    };
    let message = match message {
        Some(kept) => without_hint(&kept).to_owned(),
        None => self::message(shop, car)?.into_bytes(),
    };
    // Comments are not stripped: a title may begin with what looks like one.
    let file = shop.git_dir.join("integrate-msg");
    std::fs::write(&file, message).or_fatal(|| format!("could not write '{}'", file.display()))?;
    let cmd = shop.git(["commit", "--quiet", "--cleanup=whitespace", "--file"]).arg(&file);
    signing(cmd, how).env("GIT_EDITOR", ":").output()
}

/// git's message for a merge, without the list of conflicts that it appends as a comment.
fn without_hint(message: &[u8]) -> &[u8] {
    let mut start = 0;
    for line in message.lines_with_terminator() {
        let is_hint = line.trim_end().ends_with(b" Conflicts:")
            && !line.starts_with(b" ")
            && line.find_byte(b' ').is_some_and(|at| at <= 4);
        if is_hint {
            return &message[..start];
        }
        start += line.len();
    }
    message
}

fn rebase(shop: &Workshop<'_>, how: &How, car: &Car, onto: ObjectId) -> Result<Made> {
    // None of the user's habits may move his branches, or open an editor.
    let habits = [
        "-c",
        "rebase.autoStash=false",
        "-c",
        "rebase.autoSquash=false",
        "-c",
        "rebase.updateRefs=false",
        "-c",
        "rebase.missingCommitsCheck=ignore",
    ];
    let cmd = shop.git(habits).args(["rebase", "--quiet", "--no-fork-point"]);
    let cmd = signing(cmd, how).args(strategy(how)).env("GIT_EDITOR", ":");
    let output = cmd.args([onto.to_string(), car.tip.to_string()]).output()?;
    rebased(shop, onto, output)
}

fn rebased(shop: &Workshop<'_>, onto: ObjectId, output: Output) -> Result<Made> {
    interrupt::check()?;
    if shop.operation() == Some("rebase") {
        return Ok(match unmerged(shop)?.is_empty() && !was_resolved(shop)? {
            true => Made::Refused(said(&output)),
            false => Made::Conflict,
        });
    }
    if !output.status.success() {
        return Ok(Made::Refused(said(&output)));
    }
    let head = shop.head()?;
    Ok(if head == onto { Made::Nothing } else { Made::Commit(head) })
}

/// What git left after a merge or a commit.
fn outcome(shop: &Workshop<'_>, onto: ObjectId, output: Output) -> Result<Made> {
    let head = shop.head()?;
    if head == onto || !output.status.success() {
        interrupt::check()?;
    }
    if head != onto {
        // It was made, and git killed before it forgot that it was at it: the next one would not begin.
        if shop.operation() == Some("merge") {
            shop.git(["merge", "--quit"]).run()?;
        }
        return Ok(Made::Commit(head));
    }
    // A squash that conflicts leaves no MERGE_HEAD.
    if !unmerged(shop)?.is_empty() || !output.status.success() && was_resolved(shop)? {
        return Ok(Made::Conflict);
    }
    Ok(if output.status.success() { Made::Nothing } else { Made::Refused(said(&output)) })
}

/// The paths that are unmerged in the index.
///
/// # Errors
/// If git can't list them.
pub fn unmerged(shop: &Workshop<'_>) -> Result<Vec<u8>> {
    shop.look(["ls-files", "--unmerged", "-z"]).run()
}

/// Conflicts that rerere has resolved and staged leave nothing unmerged, but the index remembers them: that tells
/// them from a hook that refused.
fn was_resolved(shop: &Workshop<'_>) -> Result<bool> {
    Ok(!resolved(&Git::at(&shop.path))?.is_empty())
}

fn is_index_unchanged(shop: &Workshop<'_>) -> Result<bool> {
    Ok(shop.look(["diff-index", "--cached", "--quiet", "HEAD"]).output()?.code() == 0)
}

/// What git and its hooks printed, as it is.
fn said(output: &Output) -> String {
    let both = [output.stderr.as_slice(), output.stdout.as_slice()].concat();
    let text = both.trim().to_str_lossy().into_owned();
    if text.is_empty() { format!("git ended with exit code {}", output.code()) } else { text }
}

fn strategy(how: &How) -> impl Iterator<Item = String> + '_ {
    how.strategy.iter().map(|option| format!("-X{option}"))
}

fn signing(cmd: Cmd, how: &How) -> Cmd {
    let cmd = match &how.sign {
        Some(Sign::With(key)) => cmd.arg(format!("-S{key}")),
        Some(Sign::Never) => cmd.arg("--no-gpg-sign"),
        None => cmd,
    };
    if how.signoff { cmd.arg("--signoff") } else { cmd }
}

/// Signs something that nobody will see, so that a signer that fails does so before anything is done.
///
/// # Errors
/// What the signer says.
pub fn try_signing(repo: &Repo, how: &How, commit: ObjectId) -> Result<()> {
    let key = match &how.sign {
        Some(Sign::Never) => return Ok(()),
        Some(Sign::With(key)) => key.clone(),
        None if repo.gix().config_snapshot().boolean("commit.gpgSign") == Some(true) => String::new(),
        None => return Ok(()),
    };
    let gix = repo.gix();
    let tree = gix.find_commit(commit).or_fatal(|| format!("could not read commit {commit}"))?;
    let tree = tree.tree_id().or_fatal(|| format!("could not read commit {commit}"))?.to_string();
    let scratch = Scratch::new(repo)?;
    let cmd = repo.at_home().cmd(["commit-tree", &format!("-S{key}"), "-m", "sign", &tree]);
    let output = scratch.lend(cmd).leaving_others().output()?;
    if output.status.success() {
        return parse_id(output.stdout.trim()).map(drop);
    }
    Err(output.into_failure().context("cannot sign"))
}
