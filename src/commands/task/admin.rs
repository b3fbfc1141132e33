//! `git task repair`, `move`, `rename`, `lock` and `unlock`: looking after worktrees.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::place;
use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Failure, Kind, Result};
use crate::integrate::{self, place::Place};
use crate::interrupt;
use crate::pool;
use crate::task::{Desk, Slug, hold, relocate, rename, repair, settle};

/// Find and mend what was half done, or changed by hand
#[derive(ClapArgs, Debug)]
pub struct RepairArgs {
    /// Only report; exit 1 if there is anything
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Move a task's worktree
#[derive(ClapArgs, Debug)]
pub struct MoveArgs {
    /// The task
    #[arg(value_name = "task")]
    pub task: String,
    /// Where to; into it if it is a directory
    #[arg(value_name = "new-path")]
    pub path: PathBuf,
    /// Twice: also a locked worktree
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub force: u8,
}

/// Rename a task, and its branch if the template made its name
#[derive(ClapArgs, Debug)]
pub struct RenameArgs {
    /// The task
    #[arg(value_name = "task")]
    pub task: String,
    /// Its new name
    #[arg(value_name = "new")]
    pub new: String,
}

/// Keep a task's worktree from being removed or moved
#[derive(ClapArgs, Debug)]
pub struct LockArgs {
    /// The tasks
    #[arg(value_name = "task", required = true)]
    pub tasks: Vec<String>,
    /// Why
    #[arg(long, value_name = "text")]
    pub reason: Option<String>,
}

/// Let a task's worktree be removed and moved again
#[derive(ClapArgs, Debug)]
pub struct UnlockArgs {
    /// The tasks
    #[arg(value_name = "task", required = true)]
    pub tasks: Vec<String>,
}

/// `git task repair`
///
/// # Errors
/// If something can't be read or mended.
pub fn repair(cx: &Cx, args: &RepairArgs) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    // First: another's lock on an index would be in the way of what follows.
    let mut found = Vec::new();
    for place in Place::all(&cx.repo)? {
        let Some(left) = integrate::repair::repair(&desk, &place, args.dry_run)? else { continue };
        found.extend(left);
        if place.journal().exists() {
            cx.ui.note(&format!(
                "An integration into '{}' is not finished; see 'git integrate --status'",
                place.name()
            ));
        }
    }
    found.extend(repair::repair(&desk, args.dry_run)?);
    found.extend(pool::settle::settle_all(&desk, args.dry_run)?);
    for line in &found {
        let what = if args.dry_run { "" } else { "mended: " };
        cx.print(format!("{what}{}", crate::text::escape_controls(line.as_bytes())))?;
    }
    Ok(if args.dry_run && !found.is_empty() { Kind::Negative.exit_code() } else { EXIT_DONE })
}

/// `git task move`
///
/// # Errors
/// In git's words, if it can't be moved.
pub fn move_(cx: &Cx, args: &MoveArgs) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    cx.patiently(&desk, || move_now(cx, &desk, args))?;
    Ok(EXIT_DONE)
}

fn move_now(cx: &Cx, desk: &Desk<'_>, args: &MoveArgs) -> Result<()> {
    let (task, from) = place::find(cx, Some(&args.task))?;
    let to = crate::paths::normalise(&cx.context.cwd.join(&args.path));
    // One of us who was killed may have left the rest to be done: said again, it is.
    let is_there = to == from;
    let into = to.is_dir() && !is_there;
    let to = if into { to.join(from.file_name().unwrap_or_default()) } else { to };
    // git would move it into a directory of that name once more.
    if !is_there && to.symlink_metadata().is_ok() {
        return Err(Failure::fatal(format!("target '{}' already exists", to.display())));
    }
    if task.clone.is_some() {
        return Err(Failure::fatal(format!("task '{}' is in a clone, which git does not move", task.slug)));
    }
    relocate::relocate(desk, &task, &from, &to, args.force)
}

/// `git task rename`
///
/// # Errors
/// If the new name is taken.
pub fn rename(cx: &Cx, args: &RenameArgs) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    let (old, new) = (Slug::try_from(args.task.as_str())?, Slug::try_from(args.new.as_str())?);
    cx.patiently(&desk, || rename::rename(&desk, &old, &new))?;
    Ok(EXIT_DONE)
}

/// `git task lock`
///
/// # Errors
/// In git's words; several are refused one by one.
pub fn lock(cx: &Cx, args: &LockArgs) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    cx.each(&args.tasks, |name| {
        cx.patiently(&desk, || {
            let (task, path) = place::find(cx, Some(name))?;
            hold::lock(&desk, &task, &path, args.reason.as_deref())
        })
    })
}

/// `git task unlock`
///
/// # Errors
/// In git's words; several are refused one by one.
pub fn unlock(cx: &Cx, args: &UnlockArgs) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    cx.each(&args.tasks, |name| {
        cx.patiently(&desk, || {
            let (task, path) = place::find(cx, Some(name))?;
            hold::unlock(&desk, &task, &path)
        })
    })
}
