//! `git task list`.

use std::time::Duration;

use clap::Args as ClapArgs;
use console::Term;

use super::view;
use crate::commands::{Cx, ListingArgs, Reporter};
use crate::error::{EXIT_DONE, Failure, OrFatal, Result};
use crate::interrupt;
use crate::task::record::Tasks;
use crate::task::survey::{Standing, Wanted, survey};
use crate::task::{State, Task, place};
use crate::text::escape_controls;
use crate::ui::table;

/// Show where every task stands
#[derive(ClapArgs, Debug, Default)]
pub struct Args {
    /// Only these tasks
    #[arg(value_name = "task")]
    pub tasks: Vec<String>,
    /// Also those that are integrated or dropped
    #[arg(short, long)]
    pub all: bool,
    /// Only tasks in this state; may be given several times
    #[arg(long, value_name = "state")]
    pub state: Vec<String>,
    /// Redraw every so many seconds until Ctrl-C
    #[arg(long, value_name = "sec", num_args = 0..=1, require_equals = true, default_missing_value = "2", conflicts_with_all = ["porcelain", "json", "format", "markdown"])]
    pub watch: Option<String>,
    /// As a Markdown table, for a status file
    #[arg(long, conflicts_with_all = ["porcelain", "json", "format"])]
    pub markdown: bool,
    #[command(flatten)]
    pub listing: ListingArgs,
}

/// Runs it.
///
/// # Errors
/// If a name is not that of a task.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let states = args.state.iter().map(|s| parse_state(s)).collect::<Result<Vec<_>>>()?;
    if let Some(seconds) = &args.watch {
        return watch(cx, args, &states, crate::duration::parse(seconds)?);
    }
    let (standings, here) = look(cx, args, &states, &Tasks::read(&cx.repo)?)?;
    if args.listing.for_scripts()? {
        let records: Vec<_> = standings.iter().map(view::record).collect();
        cx.write(args.listing.render(&cx.ui, &records, view::KEYS)?)?;
    } else if args.markdown {
        cx.write(markdown(&standings, cx.context.now()))?;
    } else {
        cx.write(draw(cx, &standings, here.as_deref()))?;
        if standings.is_empty() && args.tasks.is_empty() && cx.ui.stdout_is_terminal() {
            cx.ui.note("No tasks. Make one with 'git task add <task>'.");
        }
    }
    Ok(EXIT_DONE)
}

fn parse_state(text: &str) -> Result<State> {
    State::try_from(text).map_err(|_| {
        let known: Vec<_> = State::ALL.iter().map(|s| s.as_str()).collect();
        let shown = escape_controls(text.as_bytes());
        Failure::usage(format!("unknown state '{shown}'; it is one of {}", known.join(", ")))
    })
}

/// Finds out what is to be shown, and the task in whose worktree the user is.
fn look(cx: &Cx, args: &Args, states: &[State], tasks: &Tasks) -> Result<(Vec<Standing>, Option<String>)> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    for (_, failure) in &tasks.bad {
        cx.ui.warning(&format!("leaving a task out: {failure}"));
    }
    let chosen: Vec<Task> = if args.tasks.is_empty() {
        // A stored state of a ready task may turn out as open, never as finished.
        let wanted = |t: &&Task| args.all || !states.is_empty() || t.state.is_live();
        tasks.all.iter().filter(wanted).cloned().collect()
    } else {
        args.tasks.iter().map(|name| tasks.require(name).cloned()).collect::<Result<_>>()?
    };
    let worktrees = cx.repo.worktrees()?;
    let mut standings = survey(&desk, &chosen, &worktrees, Wanted::ALL)?;
    if !states.is_empty() {
        standings.retain(|s| states.contains(&s.state));
    }
    let here = place::current(&desk, tasks, &worktrees).map(|slug| slug.to_string());
    Ok((standings, here))
}

fn draw(cx: &Cx, standings: &[Standing], here: Option<&str>) -> String {
    if standings.is_empty() {
        return String::new();
    }
    let header = if cx.ui.verbose { view::verbose_header() } else { view::HEADER.to_vec() };
    let row = if cx.ui.verbose { view::verbose_row } else { view::row };
    let now = cx.context.now();
    let rows: Vec<_> = standings.iter().map(|s| row(s, here == Some(s.task.slug.as_str()), now)).collect();
    // Without a task of its own the mark has no column; it is the first, which is always laid out.
    let skip = usize::from(here.is_none());
    let rows: Vec<_> = rows.into_iter().map(|r| r[skip..].to_vec()).collect();
    let width = cx.ui.stdout_is_terminal().then(|| usize::from(Term::stdout().size().1));
    table::render(&header[skip..], &rows, width, cx.ui.color_out)
}

/// Draws over the last picture instead of clearing the screen first, so that nothing flickers.
fn watch(cx: &Cx, args: &Args, states: &[State], pause: Duration) -> Result<u8> {
    if pause.is_zero() {
        return Err(Failure::usage("--watch needs more than 0 seconds"));
    }
    let ended = interrupt::channel()?;
    let term = Term::stdout();
    let is_terminal = cx.ui.stdout_is_terminal();
    if is_terminal {
        term.hide_cursor().or_fatal(|| "could not write to the terminal")?;
        term.clear_screen().or_fatal(|| "could not write to the terminal")?;
    }
    let shown = loop {
        let tasks = match crate::store::config::load(&cx.repo) {
            Ok(file) => Tasks::of(&file),
            Err(failure) => break Err(failure),
        };
        let picture = match look(cx, args, states, &tasks) {
            Ok((standings, here)) => draw(cx, &standings, here.as_deref()),
            Err(failure) => break Err(failure),
        };
        let frame = if is_terminal {
            over_the_last(&picture, usize::from(term.size().0))
        } else {
            format!("{picture}\n")
        };
        if let Err(failure) =
            cx.write(frame).and_then(|()| cx.ui.flush().or_fatal(|| "could not write to standard output"))
        {
            break Err(failure);
        }
        if ended.recv_timeout(pause).is_ok() {
            break Err(Failure::interrupted());
        }
    };
    if is_terminal {
        let _ = term.show_cursor();
    }
    shown
}

/// Home, each line followed by "clear to the end of the line", then "clear to the end of the screen". What
/// is taller than the terminal would scroll, and the next picture would not cover it: it is cut and counted.
fn over_the_last(picture: &str, height: usize) -> String {
    let lines = picture.lines().count();
    // One line for the cursor and, if need be, one for the count.
    let room = height.saturating_sub(1).max(2);
    let shown = if lines > room { room - 1 } else { lines };
    let mut frame = String::from("\x1b[H");
    for line in picture.lines().take(shown) {
        frame.push_str(line);
        frame.push_str("\x1b[K\r\n");
    }
    if shown < lines {
        frame.push_str(&format!("… and {} more\x1b[K\r\n", lines - shown));
    }
    frame.push_str("\x1b[J");
    frame
}

/// A table for a file that people read: no widths, pipes escaped.
fn markdown(standings: &[Standing], now: i64) -> String {
    let columns = &view::HEADER[1..];
    let mut out = format!("| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len()));
    for standing in standings {
        let cells = view::row(standing, false, now);
        let cells: Vec<_> = cells[1..].iter().map(|c| c.text().replace('|', "\\|")).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}
