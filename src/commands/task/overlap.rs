//! `git task overlap`.

use clap::Args as ClapArgs;
use console::{Style, Term};

use crate::commands::{Cx, ListingArgs, Reporter};
use crate::error::{EXIT_DONE, Kind, Result};
use crate::git::forecast::Conflict;
use crate::git::refs::short_name;
use crate::integrate::overlap::{Entry, Overlap, Pair, overlap};
use crate::integrate::suggest;
use crate::interrupt;
use crate::text::escape_controls;
use crate::ui::listing::Record;
use crate::ui::table::{self, Cell};

/// Show which tasks get in each other's way, and in what order they do so least
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The tasks; without any, all that are alive
    #[arg(value_name = "task")]
    pub tasks: Vec<String>,
    /// Compare the declared scopes too
    #[arg(long)]
    pub scope: bool,
    /// End with 1 if two of them would conflict
    #[arg(long)]
    pub exit_code: bool,
    #[command(flatten)]
    pub listing: ListingArgs,
}

/// The keys of the listing.
pub const KEYS: &[&str] = &[
    "task",
    "with",
    "target",
    "head",
    "position",
    "files",
    "conflicts",
    "kinds",
    "unknown",
    "outside",
    "scoped",
    "pathspecs",
];

/// Runs it.
///
/// # Errors
/// If a name is not that of a task with a branch.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let found = overlap(&cx.desk(&reporter), &args.tasks, args.scope)?;
    if args.listing.for_scripts()? {
        let entries = found.entries.iter().map(of_entry);
        let pairs = found.pairs.iter().map(|pair| of_pair(&found, pair));
        let records: Vec<_> = entries.chain(pairs).collect();
        cx.write(args.listing.render(&cx.ui, &records, KEYS)?)?;
    } else {
        cx.write(table_of(cx, &found))?;
        if found.pairs.is_empty() {
            let count = found.entries.len();
            cx.ui.note(&format!("No two of {count} tasks have anything in common."));
        }
        cx.write(order_of(&found))?;
    }
    let conflicts = found.pairs.iter().any(|pair| !pair.conflicts.is_empty());
    Ok(if args.exit_code && conflicts { Kind::Negative.exit_code() } else { EXIT_DONE })
}

fn of_entry(entry: &Entry) -> Record {
    let mut record = Record::default();
    record.text("task", entry.task.slug.as_str());
    record.text("target", entry.target.as_str());
    record.text("head", entry.tip.to_string());
    record.number("position", entry.position);
    record.list("files", entry.changes.iter().map(|change| change.path.clone()));
    put_conflicts(&mut record, &entry.conflicts);
    record.list("outside", entry.outside.iter().cloned());
    record
}

fn of_pair(found: &Overlap, pair: &Pair) -> Record {
    let mut record = Record::default();
    let name = |at: usize| found.entries[at].task.slug.as_str();
    record.text("task", name(pair.tasks.0));
    record.text("with", name(pair.tasks.1));
    record.list("files", pair.shared.iter().cloned());
    put_conflicts(&mut record, &pair.conflicts);
    record.maybe("unknown", pair.unknown.as_deref());
    if pair.scoped > 0 {
        record.number("scoped", pair.scoped);
    }
    record.list("pathspecs", pair.pathspecs.iter().map(String::as_str));
    record
}

fn put_conflicts(record: &mut Record, conflicts: &[Conflict]) {
    record.list("conflicts", conflicts.iter().flat_map(|conflict| conflict.paths.iter().cloned()));
    let mut kinds: Vec<&str> = conflicts.iter().map(|conflict| conflict.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    record.list("kinds", kinds);
}

/// For people: what is worst first.
fn table_of(cx: &Cx, found: &Overlap) -> String {
    let name = |at: usize| found.entries[at].task.slug.as_str();
    let red = || Style::new().red();
    let yellow = || Style::new().yellow();
    let mut rows: Vec<(u8, Vec<Cell>)> = Vec::new();
    let mut row = |rank: u8, one: &str, other: &str, what: &str, style: Style, files: String| {
        let cells = vec![Cell::new(one), Cell::new(other), Cell::new(what).style(style), Cell::new(files)];
        rows.push((rank, cells));
    };
    for entry in found.entries.iter().filter(|entry| !entry.conflicts.is_empty()) {
        let target = escape_controls(short_name(&entry.target).as_bytes());
        row(0, entry.task.slug.as_str(), &target, "conflict", red(), in_words(&entry.conflicts));
    }
    for pair in &found.pairs {
        let (a, b) = (name(pair.tasks.0), name(pair.tasks.1));
        let shared = || shown(pair.shared.iter().map(|path| escape_controls(path)));
        if !pair.conflicts.is_empty() {
            row(1, a, b, "conflict", red(), in_words(&pair.conflicts));
        } else if let Some(why) = &pair.unknown {
            let files = [escape_controls(why.as_bytes()), shared()];
            let files: Vec<_> = files.into_iter().filter(|text| !text.is_empty()).collect();
            row(2, a, b, "unknown", yellow(), files.join("; "));
        } else if !pair.shared.is_empty() {
            row(3, a, b, "merges", Style::new().green(), shared());
        }
        if pair.scoped > 0 || !pair.pathspecs.is_empty() {
            let mut what = pair.pathspecs.iter().map(|p| escape_controls(p.as_bytes())).collect::<Vec<_>>();
            what.push(format!("{} {} in both", pair.scoped, if pair.scoped == 1 { "file" } else { "files" }));
            row(4, a, b, "scope", yellow(), shown(what.into_iter()));
        }
    }
    for entry in found.entries.iter().filter(|entry| !entry.outside.is_empty()) {
        let outside = shown(entry.outside.iter().map(|path| escape_controls(path)));
        row(5, entry.task.slug.as_str(), "", "outside its scope", yellow(), outside);
    }
    rows.sort_by_key(|(rank, _)| *rank);
    let rows: Vec<_> = rows.into_iter().map(|(_, cells)| cells).collect();
    if rows.is_empty() {
        return String::new();
    }
    let width = cx.ui.stdout_is_terminal().then(|| usize::from(Term::stdout().size().1));
    table::render(&["TASK", "WITH", "RESULT", "FILES"], &rows, width, cx.ui.color_out)
}

fn in_words(conflicts: &[Conflict]) -> String {
    shown(conflicts.iter().map(|conflict| {
        let paths: Vec<_> = conflict.paths.iter().map(|path| escape_controls(path)).collect();
        format!("{} ({})", paths.join(", "), conflict.kind)
    }))
}

/// The first few, and how many more there are.
fn shown(all: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 4;
    let all: Vec<_> = all.collect();
    let mut text = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN {
        text.push_str(&format!(" and {} more", all.len() - SHOWN));
    }
    text
}

/// A line for each target that has conflicts: in which order there are the fewest.
fn order_of(found: &Overlap) -> String {
    let mut targets: Vec<&str> = found.entries.iter().map(|entry| entry.target.as_str()).collect();
    targets.dedup();
    let mut text = String::new();
    for target in targets {
        let here = |at: &usize| found.entries[*at].target == target;
        let mut order: Vec<usize> = (0..found.entries.len()).filter(here).collect();
        order.sort_by_key(|at| found.entries[*at].position);
        let in_conflict = |pair: &&Pair| !pair.conflicts.is_empty() && here(&pair.tasks.0);
        let conflicts: Vec<_> = found.pairs.iter().filter(in_conflict).map(|pair| pair.tasks).collect();
        if conflicts.is_empty() {
            continue;
        }
        let clashes = suggest::clashes(&order, &conflicts);
        let names: Vec<_> = order.iter().map(|at| found.entries[*at].task.slug.as_str()).collect();
        let target = escape_controls(short_name(target).as_bytes());
        let plural = if clashes == 1 { "" } else { "s" };
        text.push_str(&format!(
            "\nFewest conflicts into {target} ({clashes} task{plural}): {}\n",
            names.join(" ")
        ));
    }
    text
}
