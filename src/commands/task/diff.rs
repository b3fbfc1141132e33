//! `git task diff` and `git task patch`: what a task has done.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::place;
use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Failure, Result};
use crate::git::diff::with_untracked;
use crate::git::process::{Git, code_of};
use crate::task::own;

/// Show a task's changes since its start, uncommitted ones included
#[derive(ClapArgs, Debug)]
pub struct DiffArgs {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
    /// Options and paths for git diff
    #[arg(last = true, value_name = "git-diff-option")]
    pub rest: Vec<String>,
}

/// Write a task's commits as mails
#[derive(ClapArgs, Debug)]
pub struct PatchArgs {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
    /// Write them into this directory
    #[arg(short, long, value_name = "dir")]
    pub output: Option<PathBuf>,
}

/// `git task diff`
///
/// # Errors
/// If there is no such task or git fails.
pub fn diff(cx: &Cx, args: &DiffArgs) -> Result<u8> {
    let (task, path) = place::find(cx, args.task.as_deref())?;
    let git = Git::at(&path);
    let reporter = Reporter::new(&cx.ui);
    let from = own::tree_before(&git, &own::beginnings(&cx.desk(&reporter), &task, &git)?)?;
    // A file that git doesn't know yet is part of the work too; an index of our own shows it without adding it.
    let status = with_untracked(&cx.repo, &path, from, &args.rest, cx.ui.color_out)?;
    Ok(u8::try_from(code_of(status)).unwrap_or(1))
}

/// `git task patch`
///
/// # Errors
/// If there is no such task, nothing to write, or git fails.
pub fn patch(cx: &Cx, args: &PatchArgs) -> Result<u8> {
    let (task, path) = place::find(cx, args.task.as_deref())?;
    let git = Git::at(&path);
    let reporter = Reporter::new(&cx.ui);
    let not: Vec<_> =
        own::beginnings(&cx.desk(&reporter), &task, &git)?.iter().map(|id| format!("^{id}")).collect();
    if git.cmd(["rev-list", "--count", "-n1", "--no-merges", "HEAD"]).args(&not).line()? == "0" {
        return Err(Failure::negative(format!("task '{}' has no commit of its own", task.slug)));
    }
    // As git format-patch: into the current directory, their names on standard output.
    let dir = args.output.as_ref().map_or_else(|| cx.context.cwd.clone(), |dir| cx.context.cwd.join(dir));
    let cmd = git.cmd(["format-patch", "-o"]).arg(dir).arg("HEAD").args(&not);
    cx.data(cmd.run()?)?;
    Ok(EXIT_DONE)
}
