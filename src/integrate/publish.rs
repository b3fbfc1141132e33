//! Moving the target: by compare-and-swap, and the worktrees that have it checked out follow.
//!
//! A worktree follows by a two-way `git read-tree -m -u`, which carries unrelated changes and refuses where one
//! overlaps. All of them are locked and asked first, so that nothing has moved when one refuses, and nobody commits
//! there before it has followed. What a kill leaves between the steps is gone on with by [`follow_again`].

use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::holder::Holder;
use super::place::Place;
use crate::desk::Desk;
use crate::error::{Failure, Kind, OrFatal, Result};
use crate::git::process::{Git, retry};
use crate::git::refs::{Old, short_name};
use crate::git::worktree::{Head, Worktree};
use crate::git::written;
use crate::paths::path_from;

/// What came of it.
#[derive(Debug)]
pub enum Moved {
    /// The target is where it should be, and the worktrees are too.
    Done,
    /// It was not where it was expected; nothing has moved.
    Elsewhere(Option<ObjectId>),
    /// A worktree is in the way; nothing has moved.
    Blocked(Failure),
}

/// The worktrees that have the target checked out.
///
/// # Errors
/// If one of them is in the middle of something that the target is part of.
pub fn holders(desk: &Desk<'_>, target: &str) -> Result<Vec<Worktree>> {
    let mut all = desk.repo.worktrees()?;
    all.retain(|w| !w.missing && w.branch().as_deref() == Some(target));
    for worktree in &all {
        let path = worktree.path.display();
        if let Some(operation) = worktree.operation() {
            return Err(Failure::fatal(format!(
                "'{}' is checked out in '{path}', and a {operation} is in progress there",
                short_name(target)
            ))
            .hint("integrateBusy", format!("Finish or abort the {operation} there first.")));
        }
    }
    all.retain(|w| matches!(w.head, Head::Branch(_)));
    Ok(all)
}

/// Moves the target of `place`, whose lock is held, from `from` to `to`, with the worktrees that have it checked out,
/// all or nothing.
///
/// # Errors
/// If git fails in another way than by refusing; some worktrees may then not have followed, which is said.
pub fn move_target(
    desk: &Desk<'_>,
    place: &Place,
    from: ObjectId,
    to: ObjectId,
    reason: &str,
) -> Result<Moved> {
    let target = place.target.as_str();
    let worktrees = match holders(desk, target) {
        Ok(worktrees) => worktrees,
        Err(failure) => return Ok(Moved::Blocked(failure)),
    };
    let limit = desk.settings.lock_timeout;
    let mut held = Vec::new();
    for (number, worktree) in worktrees.iter().enumerate() {
        let asked = Holder::take(&place.dir, number, worktree, limit).and_then(|holder| {
            refresh(&holder)?;
            read_tree(&holder, from, to, true).map(|()| holder)
        });
        match asked {
            Ok(holder) => held.push(holder),
            Err(failure) if failure.kind == Kind::Interrupted => return Err(failure),
            Err(failure) => return Ok(Moved::Blocked(in_the_way(target, &worktree.path, &failure))),
        }
    }
    let change = [(target.to_owned(), Some(to), Old::Is(from))];
    if let Err(failure) = retry(limit, || desk.repo.update_refs(reason, &change)) {
        let now = desk.repo.find_ref(target)?;
        if now == Some(from) {
            return Err(failure);
        }
        // Nobody else has these merges: git was killed when it had moved it.
        if now != Some(to) {
            return Ok(Moved::Elsewhere(now));
        }
    }
    for (at, holder) in held.iter().enumerate() {
        let Err(failure) = read_tree(holder, from, to, false) else { continue };
        // Somebody changed a file there since it was asked, or it was cut off half-way: all goes back. If that
        // fails too, the target stays where the journal says it goes.
        let blocked = in_the_way(target, &holder.path, &failure);
        for done in &held[..=at] {
            take_over(done, from, to)?;
            read_tree(done, to, from, false)?;
            check_out_missing(done, from, to)?;
        }
        let back = [(target.to_owned(), Some(from), Old::Is(to))];
        retry(limit, || desk.repo.update_refs("git integrate: taken back", &back))?;
        commit_all(held)?;
        return Ok(Moved::Blocked(blocked));
    }
    let followed: Vec<PathBuf> = held.iter().map(|holder| holder.path.clone()).collect();
    commit_all(held)?;
    follow_late(desk, place, (from, to), &followed)?;
    Ok(Moved::Done)
}

/// A worktree may have gone over to the target after they were listed, and before it moved: that would be left with
/// a difference that nobody has made. One that went over afterwards has what it should have.
fn follow_late(
    desk: &Desk<'_>,
    place: &Place,
    (from, to): (ObjectId, ObjectId),
    followed: &[PathBuf],
) -> Result<()> {
    let mut all = desk.repo.worktrees()?;
    all.retain(|w| !w.missing && matches!(&w.head, Head::Branch(name) if *name == place.target));
    all.retain(|w| !followed.contains(&w.path));
    follow_all(desk, place, from, to, &all, followed.len());
    Ok(())
}

fn commit_all(held: Vec<Holder>) -> Result<()> {
    held.into_iter().try_for_each(Holder::commit)
}

fn in_the_way(target: &str, path: &Path, failure: &Failure) -> Failure {
    let target = short_name(target);
    let shown = path.display();
    Failure::negative(format!("'{target}' is checked out in '{shown}': {}", failure.message()))
}

/// An entry whose file was only touched would count as changed.
fn refresh(holder: &Holder) -> Result<()> {
    holder.git().cmd(["update-index", "-q", "--refresh"]).output().map(drop)
}

/// The two-way merge of git-read-tree(1) in a worktree.
fn read_tree(holder: &Holder, from: ObjectId, to: ObjectId, dry_run: bool) -> Result<()> {
    let mut cmd = holder.git().cmd(["read-tree", "-m", "-u"]);
    if dry_run {
        cmd = cmd.arg("-n");
    }
    cmd.args([from.to_string(), to.to_string()]).leaving_others().run().map(drop)
}

/// Lets the worktrees follow after the target has moved and a kill came between. Each that can't is named.
///
/// # Errors
/// If the worktrees can't be listed.
pub fn follow_again(desk: &Desk<'_>, place: &Place, from: ObjectId, to: ObjectId) -> Result<()> {
    let target = place.target.as_str();
    let mut all = desk.repo.worktrees()?;
    all.retain(|w| !w.missing && matches!(&w.head, Head::Branch(name) if name == target));
    follow_all(desk, place, from, to, &all, 0);
    Ok(())
}

/// Each follows as far as it can; what it did already does no harm.
fn follow_all(desk: &Desk<'_>, place: &Place, from: ObjectId, to: ObjectId, all: &[Worktree], first: usize) {
    for (number, worktree) in (first..).zip(all) {
        let followed =
            Holder::take(&place.dir, number, worktree, desk.settings.lock_timeout).and_then(|holder| {
                take_over(&holder, from, to)?;
                refresh(&holder)?;
                read_tree(&holder, from, to, false)?;
                holder.commit()
            });
        if let Err(failure) = followed {
            let path = worktree.path.display();
            desk.observer.warn(&format!(
                "'{path}' has '{}' checked out and could not follow it ({failure}); see 'git -C \"{path}\" read-tree -m -u {from} {to}'",
                place.name()
            ));
        }
    }
}

/// Files that are as `to` has them already, because a kill came while git wrote them, become so in the index:
/// git would take them for changes of somebody's.
fn take_over(holder: &Holder, from: ObjectId, to: ObjectId) -> Result<()> {
    holder.unlock_copy()?;
    let git = holder.git();
    let written = written::between(&git, &holder.path, from, to)?;
    for (name, id) in &written.others {
        remove_beginning(&git, &holder.path.join(path_from(name)), *id)?;
    }
    written.take_over(&git)
}

/// Writes what git had removed already, when it was cut off, to write it anew: in the index nothing has changed, so that
/// on the way back git has nothing to do.
fn check_out_missing(holder: &Holder, from: ObjectId, to: ObjectId) -> Result<()> {
    let git = holder.git();
    let names = ["diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=a"];
    let names = git.cmd(names).args([from.to_string(), to.to_string()]).run()?;
    let is_missing =
        |name: &&[u8]| !name.is_empty() && holder.path.join(path_from(name)).symlink_metadata().is_err();
    let list: Vec<u8> =
        names.split(|b| *b == 0).filter(is_missing).flat_map(|name| [name, b"\0"].concat()).collect();
    if list.is_empty() {
        return Ok(());
    }
    git.cmd(["checkout-index", "-q", "-u", "-z", "--stdin"]).stdin(list).run().map(drop)
}

/// Removes a file that was not written to its end: git would take it for somebody's. There was no change when it was
/// asked whether it can be written.
fn remove_beginning(git: &Git, file: &Path, whole: ObjectId) -> Result<()> {
    let failed = || format!("could not remove '{}'", file.display());
    let there = std::fs::read(file).or_fatal(failed)?;
    let whole = git.cmd(["cat-file", "blob", &whole.to_string()]).run()?;
    if whole.starts_with(&there) { std::fs::remove_file(file).or_fatal(failed) } else { Ok(()) }
}
