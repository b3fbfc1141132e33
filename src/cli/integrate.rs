//! The command line of `git integrate`.

use clap::Parser;

use crate::commands::integrate::{self, Args};
use crate::commands::{Common, Cx};
use crate::context::Context;
use crate::error::Result;
use crate::ui::Ui;

/// Merge the tasks that are ready: built in private, published at once
#[derive(Parser, Debug)]
#[command(name = "git-integrate", bin_name = "git integrate", version)]
pub struct Cli {
    #[command(flatten)]
    args: Args,
    #[command(flatten)]
    common: Common,
}

/// Opens the repository and runs it. Failures are shown with the user's own colours and advice.
pub fn run(cli: Cli, context: Context, ui: Ui) -> Result<u8> {
    let cx = Cx::open(context, ui, &cli.common, "color.integrate")?;
    let outcome = integrate::run(&cx, &cli.args);
    super::report(&cx, outcome)
}
