//! The command line of `git pool`.

use clap::{Parser, Subcommand};

use super::report;
use crate::commands::pool::{claim, drain, fill, list, release, renew, repair};
use crate::commands::{Common, Cx};
use crate::context::Context;
use crate::error::Result;
use crate::ui::Ui;

/// Worktrees made ahead of need, handed out and taken back
#[derive(Parser, Debug)]
#[command(
    name = "git-pool",
    bin_name = "git pool",
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
    Init(fill::InitArgs),
    Fill(fill::FillArgs),
    List(list::Args),
    Claim(Box<claim::Args>),
    Release(release::Args),
    Renew(renew::Args),
    Drain(drain::Args),
    Repair(repair::Args),
}

/// Opens the repository and runs the command. Failures are shown with the user's own colours and advice.
pub fn run(cli: Cli, context: Context, ui: Ui) -> Result<u8> {
    let command = cli.command.unwrap_or_else(|| Command::List(list::Args::default()));
    let cx = Cx::open(context, ui, &cli.common, "color.pool")?;
    let outcome = match &command {
        Command::Init(args) => fill::init(&cx, args),
        Command::Fill(args) => fill::fill(&cx, args),
        Command::List(args) => list::run(&cx, args),
        Command::Claim(args) => claim::run(&cx, args),
        Command::Release(args) => release::run(&cx, args),
        Command::Renew(args) => renew::run(&cx, args),
        Command::Drain(args) => drain::run(&cx, args),
        Command::Repair(args) => repair::run(&cx, args),
    };
    report(&cx, outcome)
}
