//! `git pool release`.

use clap::{ArgAction, Args as ClapArgs};

use super::{seat, which};
use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Failure, Result};
use crate::interrupt;

/// Give a slot back to the pool
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The slot, its path or its task [default: the one you are in]
    #[arg(value_name = "slot|path|task")]
    pub what: Option<String>,
    /// Only if this lease still holds
    #[arg(long, value_name = "id")]
    pub lease: Option<String>,
    /// Also with work that is not committed or on no branch, which stays restorable; twice: also a locked worktree
    #[arg(short, long, action = ArgAction::Count)]
    pub force: u8,
    /// Ignored files go too
    #[arg(long)]
    pub scrub: bool,
}

/// Runs it.
///
/// # Errors
/// If work would be taken out of place; with 1 if nobody holds the slot, or not by that lease.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    interrupt::watch();
    super::settle(cx, &desk)?;
    let options = seat::Options {
        force: args.force > 0,
        locked: args.force > 1,
        scrub: args.scrub,
        lease: args.lease.as_deref(),
    };
    let (name, kept) = cx.patiently(&desk, || {
        let slot = which::require(cx, args.what.as_deref())?;
        if slot.lease.is_none() && slot.broken.is_none() {
            return Err(Failure::negative(format!("slot {} is idle: nobody holds it", slot.name)));
        }
        let kept = seat::give_back(&desk, &slot, options)?;
        Ok((slot.name, kept))
    })?;
    cx.ui.note(&format!("Released slot {name}"));
    seat::tell(cx, kept.as_deref());
    Ok(EXIT_DONE)
}
