//! Work found in a slot that no task has, put into the trash as a task that follows the base.

use gix::ObjectId;

use crate::desk::slot::base;
use crate::desk::{Desk, clean, copy};
use crate::error::{Failure, Result};
use crate::git::process::retry;
use crate::git::refs::short_name;
use crate::git::worktree::{Head, Worktree};
use crate::store::config;
use crate::store::record::Record;
use crate::store::trash::{self, Kept, Removal};

/// What was put into the trash.
pub struct InTrash {
    /// The name that `git task restore` knows it by.
    pub name: String,
    /// The snapshot.
    pub commit: ObjectId,
}

/// Puts what is in the worktree into the trash.
///
/// # Errors
/// If it can't be kept: then nothing must be taken away.
pub fn keep(desk: &Desk<'_>, slot: &str, worktree: &Worktree) -> Result<InTrash> {
    let name = free_name(desk, slot)?;
    let follows = match base(desk).ok().and_then(|b| b.branch) {
        Some(full) => short_name(&full).to_owned(),
        None => "HEAD".to_owned(),
    };
    let now = desk.context.now();
    let task =
        Record::new("task").with("track", follows).with("state", "open").with("created", now.to_string());
    let head = clean::head_of(desk, worktree)?;
    let meta = Record::new("removal").with("version", "1");
    let meta = match (&worktree.head, head) {
        (Head::Branch(full), _) => meta.with("head", full.as_str()),
        (_, Some(id)) => meta.with("head", id.to_string()),
        _ => meta,
    };
    let mut kept = clean::worth_keeping(desk, worktree, None)?;
    kept.extend(copy::matching(desk, &worktree.path, true)?);
    kept.sort();
    kept.dedup();
    let branch = match &worktree.head {
        Head::Branch(full) => Some(full.as_str()),
        _ => None,
    };
    let removal = Removal {
        slug: &name,
        task: &task,
        meta: &meta,
        note: None,
        path: Some(&worktree.path),
        git_dir: Some(&worktree.git_dir),
        clone: false,
        branch,
        tip: head,
        kept: &kept,
        now,
    };
    match retry(desk.settings.lock_timeout, || trash::keep(desk.repo, &removal))? {
        Kept::InTrash { entry, lost, .. } => {
            for name in lost {
                desk.observer.warn(&format!("not kept: '{}' is not a file", name.display()));
            }
            Ok(InTrash { name, commit: entry.commit })
        }
        Kept::NeedsDirectory(inside) => {
            let names: Vec<_> = inside.iter().map(|p| p.display().to_string()).collect();
            let message =
                format!("repositories inside slot {slot} hold work of their own: {}", names.join(", "));
            Err(Failure::fatal(message).hint("taskInside", "Push or move that work first."))
        }
    }
}

/// `slot-3`, or the next one that was never used.
fn free_name(desk: &Desk<'_>, slot: &str) -> Result<String> {
    let file = config::load(desk.repo)?;
    let trash = trash::entries(desk.repo)?;
    let used = crate::store::names::used(desk.repo)?;
    let first = format!("slot-{slot}");
    let others = (2..).map(|n| format!("{first}-{n}"));
    let is_free = |name: &String| {
        file.find("task", name).is_none() && !trash.iter().any(|e| e.slug == *name) && !used.contains(name)
    };
    let found = std::iter::once(first.clone()).chain(others).find(is_free);
    Ok(found.expect("one of the numbers is free"))
}
