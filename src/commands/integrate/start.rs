//! `git integrate [<task>...]`: the train is built and published.

use super::{Args, report};
use crate::commands::{Cx, Reporter, trust};
use crate::config::team::Event;
use crate::error::{Failure, Result};
use crate::integrate::execute::{self, Ended, Execution, Report};
use crate::integrate::journal::{Car, Fate, How, Journal, OnConflict, Phase, Sign};
use crate::integrate::place::Place;
use crate::integrate::train::{Outcome, Train};
use crate::integrate::workshop::Workshop;
use crate::integrate::{merge, publish, pushing};
use crate::interrupt;
use crate::store::lock::FileLock;
use crate::task::{Desk, settle};

/// Runs it.
///
/// # Errors
/// If the whole is refused, with nothing touched; or interrupted, with the state kept.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let (place, report) = execute(cx, args)?;
    report::render(cx, args, &place, &report)
}

/// Builds and publishes the train; for whoever shows the result in another way.
///
/// # Errors
/// As [`run`].
pub fn execute(cx: &Cx, args: &Args) -> Result<(Place, Report)> {
    let on_conflict = on_conflict(cx, args)?;
    let checks = checks(cx, args)?;
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    interrupt::watch();
    settle::settle_all(&desk, false)?;
    let target = super::target::resolve(cx, args)?;
    let place = Place::of(&cx.repo, &target);
    let lock = place.lock(&desk)?;
    let report = lock.shared_while(|| locked(cx, args, &desk, &place, &lock, on_conflict, checks))?;
    Ok((place, report))
}

/// With the target's lock, which every git command holds with us.
fn locked(
    cx: &Cx,
    args: &Args,
    desk: &Desk<'_>,
    place: &Place,
    lock: &FileLock,
    on_conflict: OnConflict,
    checks: Vec<String>,
) -> Result<Report> {
    let target = place.target.clone();
    if let Some(mut journal) = Journal::load(place)? {
        if !matches!(journal.phase, Phase::Publishing | Phase::Finishing) {
            return Err(in_progress(place));
        }
        // It was killed when all was decided: what is left is done first.
        cx.ui.note(&format!("Finishing an integration into '{}' that was cut off", place.name()));
        let shop = Workshop::open(desk, place, lock, journal.onto)?;
        let mut resolver = super::resolver(cx);
        let report = Execution::new(desk, place, &shop, &mut journal, &mut *resolver)?.resume()?;
        if matches!(report.ended, Ended::Stopped(_)) {
            return Ok(report);
        }
    }
    // Whoever is in the middle of something there keeps the target.
    publish::holders(desk, &target)?;
    let train = super::plan::plan(cx, desk, args, &target)?;
    let mut journal = journal(cx, args, desk, &train, on_conflict, checks)?;
    let is_work = journal.cars.iter().any(|car| car.fate == Fate::Open);
    if !is_work {
        let fared = execute::without_work(&journal);
        return Ok(Report { ended: Ended::Nothing, fared, kept: Vec::new() });
    }
    merge::try_signing(&cx.repo, &journal.how, journal.onto)?;
    execute::begin(desk, place, &journal)?;
    let shop = Workshop::open(desk, place, lock, journal.onto)?;
    let mut resolver = super::resolver(cx);
    Execution::new(desk, place, &shop, &mut journal, &mut *resolver)?.start()
}

fn in_progress(place: &Place) -> Failure {
    let name = place.name();
    Failure::fatal(format!("an integration into '{name}' is in progress")).hint(
        "integrateState",
        "See 'git integrate --status'. Go on with 'git integrate --continue', or '--skip' a task,\n\
         or give up with 'git integrate --abort'.",
    )
}

/// What to do on a conflict, known before anything is done.
fn on_conflict(cx: &Cx, args: &Args) -> Result<OnConflict> {
    let keep_going = args.keep_going().unwrap_or(cx.settings.integrate.keep_going);
    Ok(match args.on_conflict()? {
        Some(OnConflict::Ask) if !cx.ui.can_prompt() => {
            return Err(Failure::fatal("cannot ask: not on a terminal").hint(
                "integrateConflict",
                "Say by --on-conflict=<stop|skip|ours|theirs|union> what to do on a conflict.",
            ));
        }
        Some(asked) => asked,
        None if keep_going => OnConflict::Skip,
        None if cx.ui.can_prompt() => OnConflict::Ask,
        None => OnConflict::Stop,
    })
}

/// The commands that each result must pass. Those of the team are trusted afterwards, and so are its events.
fn checks(cx: &Cx, args: &Args) -> Result<Vec<String>> {
    let (checks, of_team) = match (args.no_check, args.check.is_empty()) {
        (true, _) => (Vec::new(), false),
        (false, false) => (args.check.clone(), false),
        (false, true) => {
            let configured = &cx.settings.integrate.checks;
            let commands = configured.iter().map(|check| check.command.clone()).collect();
            (commands, configured.iter().any(|check| check.from_team))
        }
    };
    trust::require(cx, of_team, Some("--no-check"))?;
    let hooks = cx.settings.team.as_ref().map_or(&[][..], |team| &team.hooks);
    let raises = hooks.iter().any(|hook| matches!(hook.event, Event::Integrated | Event::Failed));
    trust::require(cx, raises, None)?;
    Ok(checks)
}

fn journal(
    cx: &Cx,
    args: &Args,
    desk: &Desk<'_>,
    train: &Train,
    on_conflict: OnConflict,
    checks: Vec<String>,
) -> Result<Journal> {
    let sign = match (&args.gpg_sign, args.no_gpg_sign) {
        (Some(key), _) => Some(Sign::With(key.clone())),
        (None, true) => Some(Sign::Never),
        (None, false) => None,
    };
    let push = match args.push {
        true => Some(pushing::plan(desk, &train.target.ref_name, train.target.tip)?),
        false => None,
    };
    let cars = train.cars.iter().map(|car| Car {
        slug: car.task.slug.clone(),
        tip: car.tip,
        message: car.message.clone(),
        fate: match &car.outcome {
            Outcome::Contained(_) => Fate::Contained,
            Outcome::Empty => Fate::Empty,
            Outcome::Skipped { why } => Fate::LeftOut(why.clone()),
            Outcome::Merged { .. } | Outcome::Conflict { .. } | Outcome::Unknown { .. } => Fate::Open,
        },
    });
    Ok(Journal {
        target: train.target.ref_name.clone(),
        onto: train.target.tip,
        new: None,
        how: How { ff: train.ff, strategy: args.strategy_option.clone(), sign, signoff: args.signoff },
        checks,
        jobs: args.jobs.unwrap_or(1),
        keep_going: args.keep_going().unwrap_or(cx.settings.integrate.keep_going),
        keep: args.keep().unwrap_or(!cx.settings.integrate.cleanup),
        on_conflict,
        push,
        phase: Phase::Building,
        stopped: None,
        said: String::new(),
        without: Vec::new(),
        cars: cars.collect(),
    })
}
