//! `git integrate`.

pub mod args;
pub mod plan;
pub mod preview;
pub mod report;
pub mod resume;
pub mod start;
pub mod status;
pub mod target;
pub mod undo;

pub use args::Args;

use crate::commands::Cx;
use crate::error::Result;

/// Runs it.
///
/// # Errors
/// If the whole is refused; nothing is touched then.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    args.require_sense()?;
    match args.action() {
        None if args.dry_run => preview::run(cx, args),
        None => start::run(cx, args),
        Some(action) => resume::run(cx, args, action),
    }
}

/// Who decides a conflict that is to be asked about.
fn resolver(_cx: &Cx) -> Box<dyn crate::integrate::conflict::Resolver + '_> {
    Box::new(Nobody)
}

/// Nobody is there to decide.
struct Nobody;

impl crate::integrate::conflict::Resolver for Nobody {
    fn resolve(
        &mut self,
        _stopped: &crate::integrate::conflict::Stopped<'_>,
    ) -> Result<crate::integrate::conflict::Decision> {
        Ok(crate::integrate::conflict::Decision::Stop)
    }
}
