//! `git integrate --undo`.

use super::Args;
use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Failure, Hint, Result};
use crate::integrate::journal::Journal;
use crate::integrate::place::Place;
use crate::integrate::undo;
use crate::interrupt;
use crate::task::settle;

/// Runs it.
///
/// # Errors
/// If there is nothing to undo, or something came on top.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let place = last(cx, args)?;
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    interrupt::watch();
    settle::settle_all(&desk, false)?;
    let lock = place.lock(&desk)?;
    if Journal::load(&place)?.is_some() {
        let message = format!("an integration into '{}' is in progress", place.name());
        return Err(Failure::fatal(message)
            .hint("integrateState", "End it first: 'git integrate --continue' or '--abort'."));
    }
    let undone = lock.shared_while(|| undo::undo(&desk, &place))?;
    let (from, to) = (undone.from.to_hex_with_len(10), undone.to.to_hex_with_len(10));
    cx.ui.note(&format!("'{}' went back from {from} to {to}", place.name()));
    if !undone.ready.is_empty() {
        cx.ui.note(&format!("Ready again: {}", undone.ready.join(", ")));
    }
    if !undone.without_worktree.is_empty() {
        let names = undone.without_worktree.join(" ");
        cx.ui.hint(&Hint {
            key: "integrateRestore",
            text: format!("Who goes on with one needs a worktree: 'git task restore {names}'."),
        });
    }
    if !undone.restorable.is_empty() {
        let names = undone.restorable.join(" ");
        cx.ui.hint(&Hint {
            key: "integrateRestore",
            text: format!("Branch and worktree come back by 'git task restore {names}'."),
        });
    }
    if undone.pushed {
        cx.ui.warning(&format!("'{}' had been pushed; the remote is not undone", place.name()));
    }
    Ok(EXIT_DONE)
}

/// The one that landed last, or that of `--into`.
fn last(cx: &Cx, args: &Args) -> Result<Place> {
    if args.into.is_some() {
        return Ok(Place::of(&cx.repo, &super::target::resolve(cx, args)?));
    }
    let when = |place: &Place| place.last().metadata().and_then(|meta| meta.modified()).ok();
    let all = Place::all(&cx.repo)?.into_iter().filter(|place| when(place).is_some());
    all.max_by_key(when).ok_or_else(|| Failure::fatal("there is no integration to undo"))
}
