//! `git pool repair`.

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Kind, Result};
use crate::interrupt;
use crate::pool::repair;
use crate::task;

/// Find and mend what was half done, or changed by hand
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// Only report; exit 1 if there is anything
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Runs it.
///
/// # Errors
/// If something can't be read or mended.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    interrupt::watch();
    let mut found = task::settle::settle_all(&desk, args.dry_run)?;
    found.extend(repair::repair(&desk, args.dry_run)?);
    for line in &found {
        let what = if args.dry_run { "" } else { "mended: " };
        cx.print(format!("{what}{}", crate::text::escape_controls(line.as_bytes())))?;
    }
    Ok(if args.dry_run && !found.is_empty() { Kind::Negative.exit_code() } else { EXIT_DONE })
}
