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

use crate::commands::{Cx, Reporter};
use crate::error::{Failure, Result};
use crate::integrate::conflict::Resolver;
use crate::integrate::execute::{Execution, Report};
use crate::integrate::journal::{Journal, Phase};
use crate::integrate::place::Place;
use crate::integrate::plan::Request;
use crate::integrate::workshop::Workshop;
use crate::task::record::Tasks;
use dialogue::Dialogue;

/// Runs it.
///
/// # Errors
/// If the whole is refused; nothing is touched then.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    args.require_sense()?;
    require_no_action_among_names(cx, args)?;
    match args.action() {
        None if args.dry_run => preview::run(cx, args),
        None => start::run(cx, args),
        Some(action) => resume::run(cx, args, action),
    }
}

/// `git integrate continue` is neither a task nor the option that was meant.
fn require_no_action_among_names(cx: &Cx, args: &Args) -> Result<()> {
    const ACTIONS: [&str; 6] = ["continue", "skip", "abort", "quit", "status", "undo"];
    let [word] = args.tasks.as_slice() else { return Ok(()) };
    if !ACTIONS.contains(&word.as_str()) || Tasks::read(&cx.repo)?.find(word).is_some() {
        return Ok(());
    }
    Err(Failure::fatal(format!("no such task: '{word}'"))
        .hint("integrateOption", format!("Did you mean 'git integrate --{word}'?")))
}

/// Goes on with an integration that was cut off while it was built, if one into this target was. One that has
/// stopped waits for a person.
///
/// # Errors
/// If it can't be gone on with.
pub fn go_on(cx: &Cx, target: &str) -> Result<Option<Report>> {
    let place = Place::of(&cx.repo, target);
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let lock = place.lock(&desk)?;
    lock.shared_while(|| {
        let journal = Journal::load(&place)?.filter(|journal| journal.phase == Phase::Building);
        let Some(mut journal) = journal else { return Ok(None) };
        let shop = Workshop::open(&desk, &place, &lock, journal.onto)?;
        let mut resolver = resolver(cx);
        Execution::new(&desk, &place, &shop, &mut journal, &mut *resolver)?.resume().map(Some)
    })
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
