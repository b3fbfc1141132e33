//! `git task rm`, `restore` and `prune`: taking away, and bringing back.

use clap::{ArgAction, Args as ClapArgs};

use crate::commands::{Cx, Reporter};
use crate::config::team::Event;
use crate::error::{EXIT_DONE, Result};
use crate::interrupt;
use crate::paths::path_bytes;
use crate::task::remove::{self, Options};
use crate::task::{State, events, prune, restore, settle, setup};

/// Remove tasks: worktree and branch go, and can be restored
#[derive(ClapArgs, Debug)]
pub struct RemoveArgs {
    /// The tasks
    #[arg(value_name = "task", required = true)]
    pub tasks: Vec<String>,
    /// Also with uncommitted or unmerged work, which stays restorable; twice: also a locked worktree
    #[arg(short, long, action = ArgAction::Count)]
    pub force: u8,
    /// Keep the branch
    #[arg(long)]
    pub keep_branch: bool,
}

/// Bring removed tasks back, as they were
#[derive(ClapArgs, Debug)]
pub struct RestoreArgs {
    /// The tasks
    #[arg(value_name = "task", required = true)]
    pub tasks: Vec<String>,
    /// Run the setup of the team file; --no-setup goes without
    #[arg(long, hide = true, overrides_with = "no_setup")]
    pub setup: bool,
    /// Go without the setup of the team file
    #[arg(long)]
    pub no_setup: bool,
}

/// Forget removed work that has expired, and delete what is left of it
#[derive(ClapArgs, Debug)]
pub struct PruneArgs {
    /// What was removed before this [default: task.trashExpire ago]
    #[arg(long, value_name = "time")]
    pub expire: Option<String>,
    /// Only print what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// `git task rm`
///
/// # Errors
/// If a single task is refused; several are refused one by one.
pub fn remove(cx: &Cx, args: &RemoveArgs) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let hooks = cx.settings.team.as_ref().map_or(&[][..], |t| &t.hooks);
    let raises = hooks.iter().any(|h| matches!(h.event, Event::Dropped | Event::Integrated));
    crate::commands::trust::require(cx, raises, None)?;
    interrupt::watch();
    settle::settle_all(&desk, false)?;
    let options = Options { force: args.force, keep_branch: args.keep_branch, landed: None };
    cx.each(&args.tasks, |name| {
        let removed = cx.patiently(&desk, || remove::remove(&desk, name, &cx.repo.worktrees()?, options))?;
        cx.ui.note(&format!("Removed task '{name}' ({})", removed.task.state));
        if !removed.lost.is_empty() {
            cx.ui
                .note(&format!("Ignored files that went with it: {}", crate::text::shortened(&removed.lost)));
        }
        let event = if removed.task.state == State::Integrated { Event::Integrated } else { Event::Dropped };
        events::raise(&desk, event, &removed.task, removed.path.as_deref(), removed.head)
    })
}

/// `git task restore`
///
/// # Errors
/// If a single task can't be brought back; several are refused one by one.
pub fn restore(cx: &Cx, args: &RestoreArgs) -> Result<u8> {
    let wanted = !args.no_setup;
    crate::commands::trust::require(cx, wanted && !cx.settings.setup_run().is_empty(), Some("--no-setup"))?;
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    cx.each(&args.tasks, |name| {
        let restored = cx.patiently(&desk, || restore::restore(&desk, name, wanted))?;
        cx.ui.note(&format!("Restored task '{name}' ({})", restored.task.state));
        cx.print(path_bytes(&restored.path))?;
        restored.setup.map_err(|failure| setup::failed(failure, &restored.task.slug, &restored.path))
    })
}

/// `git task prune`
///
/// # Errors
/// If the time makes no sense, or something can't be deleted.
pub fn prune(cx: &Cx, args: &PruneArgs) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let now = cx.context.now();
    let before = match &args.expire {
        Some(text) => crate::duration::parse_expiry(text, now)?,
        None => now.saturating_sub_unsigned(cx.settings.trash_expire.as_secs()),
    };
    if !args.dry_run {
        settle::settle_all(&desk, false)?;
    }
    for line in prune::prune(&desk, before, args.dry_run)? {
        let would = if args.dry_run { "Would forget" } else { "Forgot" };
        cx.print(format!("{would} {}", crate::text::escape_controls(line.as_bytes())))?;
    }
    Ok(EXIT_DONE)
}
