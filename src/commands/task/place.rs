//! `git task path` and `git task shell`: going there.

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Result};
use crate::git::process::{code_of, program};
use crate::paths::path_bytes;
use crate::task::record::Tasks;
use crate::task::{Task, place, setup};

/// The task that a command is about
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
}

/// Finds a task and where its files are, and waits for whoever is just making them.
///
/// # Errors
/// If there is no such task, or it has no worktree now.
pub fn find(cx: &Cx, name: Option<&str>) -> Result<(Task, std::path::PathBuf)> {
    cx.desk(&Reporter::new(&cx.ui)).patiently(|| Ok(()), || look(cx, name))
}

/// As [`find`], without waiting: for whoever holds a lock that others wait for.
///
/// # Errors
/// As [`find`]; or if somebody is just making the files.
pub fn look(cx: &Cx, name: Option<&str>) -> Result<(Task, std::path::PathBuf)> {
    let reporter = Reporter::new(&cx.ui);
    let named: Vec<String> = name.map(str::to_owned).into_iter().collect();
    let tasks = Tasks::read(&cx.repo)?;
    let worktrees = cx.repo.worktrees()?;
    let name = place::named_or_current(&cx.desk(&reporter), &named, &tasks, &worktrees)?.remove(0);
    let task = tasks.require(&name)?.clone();
    let path = place::require_path(&cx.repo, &task, &worktrees)?;
    Ok((task, path))
}

/// `git task path`
///
/// # Errors
/// As [`find`].
pub fn path(cx: &Cx, args: &Args) -> Result<u8> {
    let (_, path) = find(cx, args.task.as_deref())?;
    cx.print(path_bytes(&path))?;
    Ok(EXIT_DONE)
}

/// `git task shell`: a shell of the user's in the worktree; its exit code is ours.
///
/// # Errors
/// As [`find`]; or if the shell can't be started.
pub fn shell(cx: &Cx, args: &Args) -> Result<u8> {
    let (task, path) = find(cx, args.task.as_deref())?;
    let reporter = Reporter::new(&cx.ui);
    let vars = setup::environment(&cx.desk(&reporter), &task, Some(&path));
    let shell = cx.context.shell.clone().unwrap_or_else(|| "sh".into());
    cx.ui.note(&format!("A shell in '{}'; leave it with 'exit'.", path.display()));
    let status = program(&shell, &[], &path, vars).foreground()?;
    Ok(u8::try_from(code_of(status)).unwrap_or(1))
}
