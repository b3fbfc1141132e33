//! `git pool renew`.

use clap::Args as ClapArgs;

use super::which;
use crate::commands::{Cx, Reporter};
use crate::desk::slot::hand_out;
use crate::error::{EXIT_DONE, Failure, Result};
use crate::pool::Pool;
use crate::pool::release::require_lease;

/// Prolong a lease
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The slot, its path or its task [default: the one you are in]
    #[arg(value_name = "slot")]
    pub what: Option<String>,
    /// From now on for this time [default: as long as before]
    #[arg(long, value_name = "time")]
    pub ttl: Option<String>,
    /// Only if this lease still holds
    #[arg(long, value_name = "id")]
    pub lease: Option<String>,
}

/// Runs it.
///
/// # Errors
/// With 1 if nobody holds the slot, or not by that lease.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let ttl = args.ttl.as_deref().map(crate::duration::parse).transpose()?;
    let found = which::require(cx, args.what.as_deref())?;
    let now = cx.context.now();
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        let slot = Pool::of(file).require(&found.name)?.clone();
        require_lease(&slot, args.lease.as_deref())?;
        let name = &slot.name;
        let Some(mut lease) = slot.lease else {
            return Err(Failure::negative(format!("slot {name} is {}: nobody holds it", slot.state(now))));
        };
        // One without an end needs none.
        let seconds = match ttl {
            Some(ttl) => Some(ttl.as_secs()),
            None => lease.ttl,
        };
        lease.ttl = seconds;
        lease.expires = seconds.map(|seconds| now.saturating_add_unsigned(seconds));
        hand_out(file, name, &lease, slot.task.as_deref())
    })?;
    Ok(EXIT_DONE)
}
