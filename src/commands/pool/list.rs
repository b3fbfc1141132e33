//! `git pool list`.

use clap::Args as ClapArgs;
use console::{Style, Term};

use crate::commands::{Cx, ListingArgs, Reporter};
use crate::desk::slot::Lease;
use crate::duration;
use crate::error::{EXIT_DONE, Result};
use crate::paths::path_bytes;
use crate::pool::State;
use crate::pool::refill;
use crate::pool::survey::{Standing, survey};
use crate::ui::listing::Record;
use crate::ui::table::{self, Cell};

/// Show which slots are free, and who holds the others
#[derive(ClapArgs, Debug, Default)]
pub struct Args {
    /// Also how many bytes each takes on disk
    #[arg(long)]
    pub disk: bool,
    #[command(flatten)]
    pub listing: ListingArgs,
}

/// The keys of a listing of slots.
pub const KEYS: &[&str] = &[
    "slot", "worktree", "state", "lease", "holder", "since", "expires", "task", "base", "behind", "dirty",
    "head", "disk", "reason",
];

/// Runs it.
///
/// # Errors
/// If the pool can't be read, or the format names an unknown key.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let for_scripts = args.listing.for_scripts()?;
    let standings = survey(&desk, args.disk)?;
    if for_scripts {
        let records: Vec<_> = standings.iter().map(record).collect();
        cx.write(args.listing.render(&cx.ui, &records, KEYS)?)?;
        return Ok(EXIT_DONE);
    }
    cx.write(draw(cx, &standings))?;
    if standings.is_empty() && cx.ui.stdout_is_terminal() {
        cx.ui.note("No slots. Make some with 'git pool init'.");
    }
    if let Some(log) = refill::failed(&desk) {
        cx.ui.warning(&format!("the last refill in the background failed; see '{}'", log.display()));
    }
    Ok(EXIT_DONE)
}

/// The record of a slot.
fn record(standing: &Standing) -> Record {
    let slot = &standing.slot;
    let mut r = Record::default();
    r.text("slot", slot.name.as_str());
    r.text("worktree", path_bytes(&slot.path));
    r.text("state", standing.state.as_str());
    if let Some(held) = &slot.lease {
        lease(&mut r, held);
    }
    r.maybe("task", slot.task.clone());
    r.maybe("base", standing.base.clone());
    if let Some(n) = standing.behind {
        r.number("behind", n);
    }
    if let Some(n) = standing.dirty.filter(|n| *n > 0) {
        r.number("dirty", n);
    }
    r.maybe("head", standing.head.map(|id| id.to_string()));
    if let Some(n) = standing.disk {
        r.number("disk", n);
    }
    r.maybe("reason", standing.reason.clone());
    r
}

/// What a record says of a lease.
pub fn lease(record: &mut Record, lease: &Lease) {
    record.text("lease", lease.id.as_str());
    record.text("holder", lease.holder.as_str());
    record.number("since", lease.since);
    if let Some(expires) = lease.expires {
        record.number("expires", expires);
    }
}

fn draw(cx: &Cx, standings: &[Standing]) -> String {
    let terminal = cx.ui.stdout_is_terminal();
    let width = terminal.then(|| usize::from(Term::stdout().size().1));
    if standings.is_empty() {
        return String::new();
    }
    let header =
        ["", "SLOT", "STATE", "HOLDER", "SINCE", "ENDS", "BEHIND", "CHANGES", "DISK", "WORKTREE", "ABOUT"];
    let rows: Vec<Vec<Cell>> = standings.iter().map(|s| row(cx, s)).collect();
    table::render(&header, &rows, width, cx.ui.color_out)
}

fn row(cx: &Cx, standing: &Standing) -> Vec<Cell> {
    let slot = &standing.slot;
    let now = cx.context.now();
    let here = cx.repo.workdir() == Some(slot.path.as_path());
    let color = match standing.state {
        State::Idle => Style::new().green(),
        State::Claimed => Style::new(),
        State::Expired | State::Preparing => Style::new().yellow(),
        State::Broken => Style::new().red(),
    };
    let who = match (&slot.task, &slot.lease) {
        (Some(task), Some(_)) => format!("task {task}"),
        (None, Some(lease)) => lease.holder.clone(),
        _ => String::new(),
    };
    let ago = |seconds: i64| duration::ago(seconds.max(0)).trim_end_matches(" ago").to_owned();
    let lease = slot.lease.as_ref();
    let ends = match lease.and_then(|l| l.expires) {
        Some(end) if end > now => format!("in {}", ago(end - now)),
        Some(end) => duration::ago(now - end),
        None => String::new(),
    };
    let number = |n: Option<usize>| n.filter(|n| *n > 0).map(|n| n.to_string()).unwrap_or_default();
    let behind = if standing.state == State::Broken { None } else { standing.behind };
    vec![
        Cell::new(if here { "*" } else { "" }).style(Style::new().green()),
        Cell::new(&slot.name),
        Cell::new(standing.state.as_str()).style(color),
        Cell::new(who),
        Cell::new(lease.map(|l| ago(now - l.since)).unwrap_or_default()),
        Cell::new(ends),
        Cell::new(number(behind)),
        Cell::new(number(standing.dirty)).style(Style::new().yellow()),
        Cell::new(standing.disk.map(bytes).unwrap_or_default()),
        Cell::new(slot.path.display().to_string()),
        Cell::new(standing.reason.clone().unwrap_or_default()),
    ]
}

/// "1.5 MiB"
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(count) * 10;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}
