//! `git task sync`.

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter};
use crate::config::Sync;
use crate::error::Result;
use crate::interrupt;
use crate::task::record::Tasks;
use crate::task::sync::{Outcome, sync};
use crate::task::{Observer, place, settle};

/// Bring the base, and the tasks it comes after, into a task
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The tasks; without any, the one whose worktree this is
    #[arg(value_name = "task")]
    pub tasks: Vec<String>,
    /// By a rebase
    #[arg(long, overrides_with = "merge")]
    pub rebase: bool,
    /// By a merge [default: task.sync]
    #[arg(long)]
    pub merge: bool,
}

/// Runs it.
///
/// # Errors
/// If a single task can't be synced; several are reported one by one.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    let how = match (args.rebase, args.merge) {
        (true, _) => Sync::Rebase,
        (false, true) => Sync::Merge,
        (false, false) => cx.settings.sync,
    };
    let names = place::named_or_current(&desk, &args.tasks, &Tasks::read(&cx.repo)?, &cx.repo.worktrees()?)?;
    cx.each(&names, |name| {
        let step = reporter.step(&format!("Syncing task '{name}'"));
        let outcome = cx.patiently(&desk, || {
            let (tasks, worktrees) = (Tasks::read(&cx.repo)?, cx.repo.worktrees()?);
            sync(&desk, tasks.require(name)?, &tasks, &worktrees, how)
        });
        drop(step);
        match outcome? {
            Outcome::UpToDate => cx.ui.note(&format!("Task '{name}' is up to date.")),
            Outcome::Synced => cx.ui.note(&format!("Task '{name}' has been brought up to date.")),
        }
        Ok(())
    })
}
