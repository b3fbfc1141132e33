//! `git task stop`.

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Failure, Result};
use crate::interrupt;
use crate::schedule::session::{self, GRACE, Stopped};
use crate::task::place;
use crate::task::record::Tasks;

/// End a task's session
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
}

/// Runs it.
///
/// # Errors
/// If no session of the task runs (1), or it does not end.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let tasks = Tasks::read(&cx.repo)?;
    let named: Vec<String> = args.task.iter().cloned().collect();
    let name = place::named_or_current(&desk, &named, &tasks, &cx.repo.worktrees()?)?.remove(0);
    let task = tasks.require(&name)?;
    interrupt::watch();
    let step = crate::task::Observer::step(&reporter, &format!("Ending the session of task '{name}'"));
    let stopped = session::stop(&cx.repo.state_dir(), task.slug.as_str(), GRACE)?;
    drop(step);
    match stopped {
        None => Err(Failure::negative(format!("task '{name}' has no running session"))),
        Some((session, Stopped::Politely)) => {
            cx.ui.note(&format!("The session of task '{name}' has ended ({})", session.who()));
            Ok(EXIT_DONE)
        }
        Some((session, Stopped::Killed)) => {
            cx.ui.note(&format!(
                "The session of task '{name}' did not end when asked to, and was killed ({})",
                session.who()
            ));
            Ok(EXIT_DONE)
        }
    }
}
