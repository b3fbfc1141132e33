//! The command line of `git task`.

use clap::{Parser, Subcommand};

use crate::commands::task::{
    add, admin, diff, list, log, note, overlap, place, prompt, remove, run, show, start, state, stop, sync,
    watch,
};
use crate::commands::trust::{self, TrustArgs};
use crate::commands::{Common, Cx, completion, install};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::task::state::Action;
use crate::ui::Ui;

/// Many pieces of work in one repository: each with its branch, its worktree and its note
#[derive(Parser, Debug)]
#[command(
    name = "git-task",
    bin_name = "git task",
    version,
    subcommand_help_heading = "Commands",
    subcommand_value_name = "command"
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    Add(Box<add::Args>),
    List(list::Args),
    Show(show::Args),
    /// Print where a task's worktree is
    Path(place::Args),
    /// Start a shell in a task's worktree
    Shell(place::Args),
    Note(note::Args),
    /// Say that a task's commits can be integrated
    Ready(state::Args),
    /// Say that a task waits for something
    Block(state::Args),
    /// Take a task back to work
    Reopen(state::Args),
    Sync(sync::Args),
    Overlap(overlap::Args),
    /// Print what a worker needs to know about a task
    Prompt(place::Args),
    Start(start::Args),
    Run(Box<run::Args>),
    Stop(stop::Args),
    Log(log::Args),
    Watch(watch::Args),
    Rm(remove::RemoveArgs),
    Restore(remove::RestoreArgs),
    Prune(remove::PruneArgs),
    Repair(admin::RepairArgs),
    Move(admin::MoveArgs),
    Rename(admin::RenameArgs),
    Lock(admin::LockArgs),
    Unlock(admin::UnlockArgs),
    Diff(diff::DiffArgs),
    Patch(diff::PatchArgs),
    Trust(TrustArgs),
    Completion(completion::Args),
    InstallCompletions(install::CompletionsArgs),
    InstallMan(install::ManArgs),
}

/// Opens the repository and runs the command. Failures are shown with the user's own colours and advice.
pub fn run(cli: Cli, context: Context, ui: Ui) -> Result<u8> {
    let command = cli.command.unwrap_or_else(|| Command::List(list::Args::default()));
    if let Some(outcome) = anywhere(&command, &cli.common, &context) {
        return outcome;
    }
    let cx = Cx::open(context, ui, &cli.common, "color.task")?;
    let outcome = match &command {
        Command::Add(args) => add::run(&cx, args),
        Command::List(args) => list::run(&cx, args),
        Command::Show(args) => show::run(&cx, args),
        Command::Path(args) => place::path(&cx, args),
        Command::Shell(args) => place::shell(&cx, args),
        Command::Note(args) => note::run(&cx, args),
        Command::Ready(args) => state::run(&cx, args, Action::Ready),
        Command::Block(args) => state::run(&cx, args, Action::Block),
        Command::Reopen(args) => state::run(&cx, args, Action::Reopen),
        Command::Sync(args) => sync::run(&cx, args),
        Command::Overlap(args) => overlap::run(&cx, args),
        Command::Prompt(args) => prompt::run(&cx, args),
        Command::Start(args) => start::run(&cx, args),
        Command::Run(args) => run::run(&cx, args),
        Command::Stop(args) => stop::run(&cx, args),
        Command::Log(args) => log::run(&cx, args),
        Command::Watch(args) => watch::run(&cx, args),
        Command::Rm(args) => remove::remove(&cx, args),
        Command::Restore(args) => remove::restore(&cx, args),
        Command::Prune(args) => remove::prune(&cx, args),
        Command::Repair(args) => admin::repair(&cx, args),
        Command::Move(args) => admin::move_(&cx, args),
        Command::Rename(args) => admin::rename(&cx, args),
        Command::Lock(args) => admin::lock(&cx, args),
        Command::Unlock(args) => admin::unlock(&cx, args),
        Command::Diff(args) => diff::diff(&cx, args),
        Command::Patch(args) => diff::patch(&cx, args),
        Command::Trust(args) => trust::run(&cx, args),
        Command::Completion(_) | Command::InstallCompletions(_) | Command::InstallMan(_) => {
            unreachable!("they are done without a repository")
        }
    };
    super::report(&cx, outcome)
}

/// The commands that need no repository; none if it is another.
fn anywhere(command: &Command, common: &Common, context: &Context) -> Option<Result<u8>> {
    let mut ui = Ui::plain();
    ui.quiet = common.quiet;
    let advice = context.advice;
    ui.set_advice(move |_| advice);
    let outcome = match command {
        Command::Completion(args) => completion::run(&ui, args),
        Command::InstallCompletions(args) => install::completions(context, &ui, args),
        Command::InstallMan(args) => install::man(context, &ui, args),
        _ => return None,
    };
    Some(outcome.and_then(|code| match ui.flush() {
        Ok(()) => Ok(code),
        Err(_) => Err(Failure::fatal("could not write to standard output")),
    }))
}
