//! `git integrate`.

pub mod args;
pub mod preview;
pub mod resume;
pub mod start;

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
