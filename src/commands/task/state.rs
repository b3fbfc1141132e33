//! `git task ready`, `block` and `reopen`.

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter, trust};
use crate::config::team::Event;
use crate::error::{Failure, Result};
use crate::interrupt;
use crate::task::record::Tasks;
use crate::task::state::Action;
use crate::task::{events, life, place, settle};

/// Tasks to change the state of
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The tasks; without any, the one whose worktree this is
    #[arg(value_name = "task")]
    pub tasks: Vec<String>,
    /// Why
    #[arg(short = 'm', long = "message", value_name = "reason")]
    pub reason: Option<String>,
}

/// Runs one of the three.
///
/// # Errors
/// If a single task is refused; several are refused one by one.
pub fn run(cx: &Cx, args: &Args, action: Action) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let event = match action {
        Action::Ready => Some(Event::Ready),
        Action::Block => Some(Event::Blocked),
        _ => None,
    };
    if args.reason.as_deref().is_some_and(|r| r.contains('\0')) {
        return Err(Failure::usage("a reason is text"));
    }
    let hooks = cx.settings.team.as_ref().map_or(&[][..], |t| &t.hooks);
    trust::require(cx, hooks.iter().any(|h| Some(h.event) == event), None)?;
    interrupt::watch();
    settle::settle_all(&desk, false)?;
    let mut worktrees = cx.repo.worktrees()?;
    let names = place::named_or_current(&desk, &args.tasks, &Tasks::read(&cx.repo)?, &worktrees)?;
    cx.each(&names, |name| {
        let (task, raised) = cx
            .patiently(&desk, || life::change(&desk, name, action, args.reason.as_deref(), &mut worktrees))?;
        cx.ui.note(&format!("Task '{}' is {}", task.slug, task.state));
        match raised {
            Some(event) => {
                place::look_again(&cx.repo, &task, &mut worktrees)?;
                let path = place::path_of(&cx.repo, &task, &worktrees)?;
                let head = place::head_of(&cx.repo, &task, &worktrees)?;
                events::raise(&desk, event, &task, path.as_deref(), head)
            }
            None => Ok(()),
        }
    })
}
