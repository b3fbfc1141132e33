//! `git integrate --continue` and its like.

use super::args::Action;
use super::{Args, report, status, undo};
use crate::commands::{Cx, Reporter, trust};
use crate::config::team::Event;
use crate::error::{EXIT_DONE, Failure, Result};
use crate::integrate::execute::{self, Execution};
use crate::integrate::journal::{Journal, OnConflict, Phase};
use crate::integrate::place::Place;
use crate::integrate::rebuild;
use crate::integrate::workshop::{self, Workshop};
use crate::interrupt;
use crate::pool;
use crate::store::lock::FileLock;
use crate::task::Desk;
use crate::task::settle;

/// Runs it.
///
/// # Errors
/// If there is none, or it can't be gone on with.
pub fn run(cx: &Cx, args: &Args, action: Action) -> Result<u8> {
    match action {
        Action::Status => return status::run(cx, args),
        Action::Undo => return undo::run(cx, args),
        Action::Continue | Action::Skip | Action::Abort | Action::Quit => {}
    }
    let place = place(cx, args)?;
    let hooks = cx.settings.team.as_ref().map_or(&[][..], |team| &team.hooks);
    let raises = hooks.iter().any(|hook| matches!(hook.event, Event::Integrated | Event::Failed));
    trust::require(cx, raises && matches!(action, Action::Continue | Action::Skip), None)?;
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    interrupt::watch();
    settle::settle_all(&desk, false)?;
    // One that was killed may have had slots for its checks.
    if let Err(failure) = pool::settle::settle_all(&desk, false) {
        cx.ui.warning(&format!("a slot of the pool is not given back yet: {failure}"));
    }
    let lock = place.lock(&desk)?;
    lock.shared_while(|| locked(cx, args, &desk, &place, &lock, action))
}

/// With the target's lock, which every git command holds with us.
fn locked(
    cx: &Cx,
    args: &Args,
    desk: &Desk<'_>,
    place: &Place,
    lock: &FileLock,
    action: Action,
) -> Result<u8> {
    // Another may have ended it while we waited.
    let Some(mut journal) = Journal::load(place)? else { return Err(nothing(args)) };
    if action == Action::Quit {
        rebuild::forget(desk, place)?;
        let kept = workshop::find(&cx.repo, place)?;
        cx.ui.note(&match kept {
            Some(kept) => format!(
                "Forgot the integration into '{}'; '{}' is as it was",
                place.name(),
                kept.path.display()
            ),
            None => format!("Forgot the integration into '{}'", place.name()),
        });
        return Ok(EXIT_DONE);
    }
    if action == Action::Abort && matches!(journal.phase, Phase::Building | Phase::Stopped) {
        // A worktree that was never made needs not be made for this.
        let shop = match workshop::find(&cx.repo, place)? {
            Some(_) => Some(Workshop::open(desk, place, lock, journal.onto)?),
            None => None,
        };
        execute::abort(desk, place, shop.as_ref(), &journal)?;
        return Ok(aborted(cx, place));
    }
    // A conflict that was to be asked about on a terminal that is gone is one to stop at.
    if journal.on_conflict == OnConflict::Ask && !cx.ui.can_prompt() {
        journal.on_conflict = OnConflict::Stop;
    } else if journal.on_conflict == OnConflict::Stop && cx.ui.can_prompt() {
        journal.on_conflict = OnConflict::Ask;
    }
    let shop = Workshop::open(desk, place, lock, journal.onto)?;
    let mut resolver = super::resolver(cx);
    let execution = Execution::new(desk, place, &shop, &mut journal, &mut *resolver)?;
    let report = match action {
        Action::Skip => execution.skip()?,
        Action::Abort => match execution.abort_published()? {
            Some(landed) => landed,
            None => return Ok(aborted(cx, place)),
        },
        _ => execution.resume()?,
    };
    report::render(cx, args, place, &report)
}

/// As it was asked for.
fn aborted(cx: &Cx, place: &Place) -> u8 {
    cx.ui.note(&format!("Aborted; '{}' is as it was", place.name()));
    EXIT_DONE
}

/// The integration that is meant: that of `--into`, else the only one in progress.
fn place(cx: &Cx, args: &Args) -> Result<Place> {
    let all = Place::in_progress(&cx.repo)?;
    if args.into.is_some() {
        let wanted = Place::of(&cx.repo, &super::target::resolve(cx, args)?);
        return all.into_iter().find(|place| *place == wanted).ok_or_else(|| nothing(args));
    }
    match all.as_slice() {
        [] => Err(nothing(args)),
        [one] => Ok(one.clone()),
        several => {
            let names: Vec<_> = several.iter().map(|place| format!("'{}'", place.name())).collect();
            Err(Failure::fatal(format!("several integrations are in progress: into {}", names.join(", ")))
                .hint("integrateState", "Say which one with --into <branch>."))
        }
    }
}

fn nothing(args: &Args) -> Failure {
    Failure::fatal(match &args.into {
        Some(name) => format!("there is no integration into '{name}' in progress"),
        None => "there is no integration in progress".to_owned(),
    })
}
