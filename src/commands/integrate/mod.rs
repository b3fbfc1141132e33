//! `git integrate`.

pub mod args;
pub mod dialogue;
pub mod plan;
pub mod preview;
pub mod report;
pub mod result;
pub mod resume;
pub mod start;
pub mod status;
pub mod target;
pub mod undo;

pub use args::Args;

use crate::commands::Cx;
use crate::error::Result;
use crate::integrate::conflict::Resolver;
use crate::integrate::plan::Request;
use dialogue::Dialogue;

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
fn resolver(cx: &Cx) -> Box<dyn Resolver + '_> {
    Box::new(Dialogue::new(&cx.ui))
}

/// What the options and the settings together ask for.
pub fn request(cx: &Cx, args: &Args) -> Request {
    let settings = &cx.settings.integrate;
    Request {
        tasks: args.tasks.clone(),
        into: args.into.clone(),
        ff: args.ff().unwrap_or(settings.ff),
        message: args.message.clone().or_else(|| settings.message.clone()),
        strategy: args.strategy_option.clone(),
        scope: settings.scope,
    }
}
