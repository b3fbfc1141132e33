//! `git pool drain`.

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Result};
use crate::interrupt;
use crate::pool::drain;

/// Remove idle slots
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// How many [default: all]
    #[arg(value_name = "n")]
    pub count: Option<usize>,
}

/// Runs it.
///
/// # Errors
/// If the pool can't be read or written.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    interrupt::watch();
    super::settle(cx, &desk)?;
    let drained = drain::drain(&desk, args.count)?;
    for name in &drained.removed {
        cx.ui.note(&format!("Removed slot {name}"));
    }
    let mut code = EXIT_DONE;
    for failure in drained.stayed {
        let failure = failure.as_item();
        code = failure.kind.exit_code();
        cx.ui.failure(&failure);
    }
    Ok(code)
}
