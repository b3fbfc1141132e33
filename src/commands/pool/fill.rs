//! `git pool init` and `fill`: slots made ahead of need.

use clap::Args as ClapArgs;

use super::seat;
use crate::commands::{Cx, Reporter};
use crate::desk::Desk;
use crate::desk::slot::{SECTION, base, base_named};
use crate::error::{EXIT_DONE, Failure, Kind, Result};
use crate::interrupt;
use crate::pool::{make, refill, refresh};

/// How many slots `init` makes if neither it nor `pool.size` says.
const DEFAULT_SIZE: usize = 3;

/// Make slots now, and keep so many idle from then on
#[derive(ClapArgs, Debug)]
pub struct InitArgs {
    /// How many [default: pool.size, else 3]
    #[arg(value_name = "n")]
    pub count: Option<usize>,
    /// What they stand at while nobody has them
    #[arg(long, value_name = "branch")]
    pub base: Option<String>,
}

/// Make slots until so many are idle, and bring idle ones up to the base
#[derive(ClapArgs, Debug)]
pub struct FillArgs {
    /// How many [default: pool.size]
    #[arg(value_name = "n")]
    pub count: Option<usize>,
    /// As a claim starts it: only if no other refill is under way
    #[arg(long, hide = true)]
    pub background: bool,
}

/// `git pool init`
///
/// # Errors
/// If the base does not exist, or there can't be so many.
pub fn init(cx: &Cx, args: &InitArgs) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let count = args.count.or(cx.settings.pool.size).unwrap_or(DEFAULT_SIZE);
    let max = cx.settings.pool.max;
    if count > max {
        return Err(Failure::fatal(format!("{count} slots are more than pool.max ({max})"))
            .hint("poolMax", format!("Raise it first: 'git config pool.max {count}'.")));
    }
    let start = match &args.base {
        Some(name) => base_named(&desk, name)?,
        None => base(&desk)?,
    };
    seat::require_trust(cx)?;
    interrupt::watch();
    super::settle(cx, &desk)?;
    let held = desk.lock()?;
    desk.edit(&held, |file| {
        file.set_plain(SECTION, "size", Some(&count.to_string()))?;
        match &args.base {
            Some(name) => file.set_plain(SECTION, "base", Some(name)),
            None => Ok(()),
        }
    })?;
    drop(held);
    let reserved = make::reserve(&desk, start.commit, |now| count.saturating_sub(now.idle))?;
    report(cx, reserved.make(&desk))
}

/// `git pool fill`
///
/// # Errors
/// If it is not known to how many.
pub fn fill(cx: &Cx, args: &FillArgs) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let Some(count) = args.count.or(cx.settings.pool.size) else {
        return Err(Failure::fatal("it is not known how many slots to make: pool.size is not set")
            .hint("poolSize", "Say how many, or set up a pool with 'git pool init'."));
    };
    seat::require_trust(cx)?;
    interrupt::watch();
    if !args.background {
        let failures = fill_to(cx, &desk, count)?;
        if failures.is_empty() {
            refill::forget_log(&desk);
        }
        return report(cx, failures);
    }
    // Who claims while another refills finds that one at work; so it looks again when it is done.
    loop {
        let Some(turn) = refill::take_turn(&desk)? else { return Ok(EXIT_DONE) };
        let failures = fill_to(cx, &desk, count)?;
        if !failures.is_empty() {
            return report(cx, failures);
        }
        refill::forget_log(&desk);
        drop(turn);
        if !refill::is_needed(&desk)? {
            return Ok(EXIT_DONE);
        }
    }
}

fn fill_to(cx: &Cx, desk: &Desk<'_>, count: usize) -> Result<Vec<Failure>> {
    super::settle(cx, desk)?;
    let start = base(desk)?;
    let mut failures = refresh::refresh(desk, start.commit)?;
    let reserved = make::reserve(desk, start.commit, |now| count.saturating_sub(now.idle))?;
    failures.extend(reserved.make(desk));
    Ok(failures)
}

/// A line for each that failed; the others are there.
fn report(cx: &Cx, failures: Vec<Failure>) -> Result<u8> {
    let mut code = EXIT_DONE;
    for failure in failures {
        if failure.kind == Kind::Interrupted {
            return Err(failure);
        }
        let failure = failure.as_item();
        code = failure.kind.exit_code();
        cx.ui.failure(&failure);
    }
    Ok(code)
}
