//! `git pool claim`.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;

use super::seat::{self, Taken};
use crate::commands::{Cx, Reporter, trust};
use crate::config::team::Event;
use crate::desk::slot::{Lease, base, base_named};
use crate::error::{EXIT_DONE, Failure, Result};
use crate::interrupt;
use crate::paths::path_bytes;
use crate::pool::choose::{Chooser, Occupied};
use crate::pool::{self, Pool, queue};
use crate::task::record::Tasks;
use crate::task::request::{self, Request, View};
use crate::task::{Desk, Slug, Task, create, events, place, reseat};
use crate::ui::listing::{self, Record};

/// Hand out a slot, to a task or to whoever asks
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The task that gets it: a new one, or one without a worktree
    #[arg(value_name = "task")]
    pub task: Option<String>,
    /// Stand at this branch or commit [default: pool.base, else task.base, else the current branch]
    #[arg(long, value_name = "rev")]
    pub base: Option<String>,
    /// The new task's branch; one that exists is taken over as it is
    #[arg(short, long, value_name = "branch", requires = "task")]
    pub branch: Option<String>,
    /// Who has it (by default user@host:process)
    #[arg(long, value_name = "who")]
    pub holder: Option<String>,
    /// The lease ends by itself after this time
    #[arg(long, value_name = "time")]
    pub ttl: Option<String>,
    /// Wait for a slot, for 10 minutes or this long
    #[arg(long, value_name = "time", num_args = 0..=1, require_equals = true, default_missing_value = "10m")]
    pub wait: Option<String>,
    /// Refill the pool in the background afterwards; this is the default
    #[arg(long, hide = true, overrides_with = "no_refill")]
    pub refill: bool,
    /// Don't refill the pool in the background
    #[arg(long)]
    pub no_refill: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Who gets the slot.
enum Claimant {
    /// A task that is made.
    New(Box<request::NewTask>),
    /// A task without a worktree.
    Parked(Box<reseat::Parked>),
    /// Whoever asks, at this commit.
    Anyone(gix::ObjectId),
}

/// Runs it.
///
/// # Errors
/// What stands in the way; with 1 if there is no slot to be had.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let ttl = args.ttl.as_deref().map(crate::duration::parse).transpose()?;
    let wait = args.wait.as_deref().map(crate::duration::parse).transpose()?;
    let holder = args.holder.clone().unwrap_or_else(|| cx.context.who());
    let lease = pool::claim::new_lease(&desk, holder, ttl);
    interrupt::watch();
    super::settle(cx, &desk)?;
    let end = wait.map(|time| Instant::now() + time.min(LONGEST));
    let taken = cx.patiently(&desk, || {
        let claimant = claimant(cx, &desk, args)?;
        let wanted = match &claimant {
            Claimant::New(new) => new.start,
            Claimant::Parked(parked) => parked.at,
            Claimant::Anyone(at) => *at,
        };
        let chooser = Chooser::new(&desk, wanted, lease.clone())?;
        seat::obtain(cx, &desk, end, |before, occupied| reserve(&desk, &claimant, &chooser, before, occupied))
    })?;
    let mut failed = None;
    let (task, path) = match taken {
        Taken::New(reserved) => {
            let built = reserved.build(&desk)?.commit(&desk)?;
            let new = built.into_iter().next().expect("one was reserved");
            let (task, path) = (new.task.clone(), new.path.clone());
            // It exists, and is reported, also if what comes last fails.
            let done = new.finish(&desk, true).and_then(|(task, path)| raise(&desk, &task, &path));
            failed = done.err();
            (Some(task), path)
        }
        Taken::Parked(promised) => {
            let (task, path) = promised.carry_out(&desk)?;
            (Some(task), path)
        }
        Taken::Slot(reserved) => (None, reserved.carry_out(&desk)?),
    };
    if args.json {
        cx.write(listing::json(&[record(&desk, &path, task.as_ref(), &lease)?]))?;
    } else {
        cx.print(path_bytes(&path))?;
    }
    if !args.no_refill {
        seat::refill_later(cx, &desk);
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(EXIT_DONE),
    }
}

/// Nobody means more than this.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Who is to get the slot, everything being looked at that could stand in the way.
fn claimant(cx: &Cx, desk: &Desk<'_>, args: &Args) -> Result<Claimant> {
    let Some(name) = &args.task else {
        let base = match &args.base {
            Some(name) => base_named(desk, name)?,
            None => base(desk)?,
        };
        return Ok(Claimant::Anyone(base.commit));
    };
    let slug = Slug::try_from(name.as_str())?;
    let view = View::read(desk)?;
    match view.tasks.find(slug.as_str()).filter(|t| t.state.is_live()) {
        Some(task) => {
            if args.branch.is_some() || args.base.is_some() {
                return Err(Failure::fatal(format!(
                    "task '{slug}' exists, with a branch and a base of its own"
                )));
            }
            Ok(Claimant::Parked(Box::new(reseat::plan(desk, task, &view.worktrees)?)))
        }
        None => {
            let hooks =
                cx.settings.team.as_ref().is_some_and(|t| t.hooks.iter().any(|h| h.event == Event::Added));
            trust::require(cx, hooks, None)?;
            // What slots stand at, where `git task add` would take the current branch.
            let from = args.base.clone().or_else(|| cx.settings.pool.base.clone());
            let request =
                Request { branch: args.branch.clone(), base: from, pooled: true, ..Request::default() };
            Ok(Claimant::New(Box::new(request::plan(desk, &view, &[], slug, &request)?)))
        }
    }
}

fn reserve(
    desk: &Desk<'_>,
    claimant: &Claimant,
    chooser: &Chooser,
    before: usize,
    occupied: Occupied,
) -> Result<Option<Taken>> {
    match claimant {
        Claimant::New(new) => {
            let mut none = false;
            let reserved = create::reserve_with(desk, vec![(**new).clone()], true, |under_way, new| {
                match chooser.seat(desk, under_way, &[], before, occupied)? {
                    Some(seat) => {
                        new.take_seat(seat);
                        Ok(())
                    }
                    None => {
                        none = true;
                        Err(Failure::negative("no slot is idle"))
                    }
                }
            });
            if none { Ok(None) } else { reserved.map(|r| Some(Taken::New(r))) }
        }
        Claimant::Parked(parked) => {
            let reserved = reseat::reserve(desk, parked, |under_way| {
                chooser.seat(desk, under_way, &[], before, occupied)
            })?;
            Ok(reserved.map(|promised| Taken::Parked(Box::new(promised))))
        }
        Claimant::Anyone(at) => {
            Ok(pool::claim::reserve(desk, chooser, *at, before, occupied)?.map(|r| Taken::Slot(Box::new(r))))
        }
    }
}

fn raise(desk: &Desk<'_>, task: &Task, path: &Path) -> Result<()> {
    let has_hooks = desk.settings.team.as_ref().is_some_and(|t| !t.hooks.is_empty());
    if !has_hooks {
        return Ok(());
    }
    let head = place::head_of(desk.repo, task, &desk.repo.worktrees()?)?;
    events::raise(desk, Event::Added, task, Some(path), head)
}

/// What `--json` says: as `git pool list` says of the slot.
fn record(desk: &Desk<'_>, path: &Path, task: Option<&Task>, lease: &Lease) -> Result<Record> {
    let pool = Pool::read(desk.repo)?;
    let slot = pool.slots.iter().find(|s| s.path == path);
    let mut record = Record::default();
    record.maybe("slot", slot.map(|s| s.name.clone()));
    record.text("worktree", path_bytes(path));
    record.text("state", pool::State::Claimed.as_str());
    super::list::lease(&mut record, lease);
    if let Some(task) = task {
        record.text("task", task.slug.as_str());
        record.maybe("branch", Tasks::read(desk.repo)?.find(task.slug.as_str()).and_then(Task::branch_ref));
    }
    Ok(record)
}

/// How long `--wait` waits by itself is said in the help too.
const _: () = assert!(queue::DEFAULT_WAIT.as_secs() == 10 * 60);
