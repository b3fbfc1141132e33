//! `git integrate --status`.

use super::Args;
use crate::commands::Cx;
use crate::error::{EXIT_DONE, Kind, Result};
use crate::integrate::journal::{Cause, Journal, Phase};
use crate::integrate::place::Place;
use crate::integrate::workshop;
use crate::paths::path_bytes;
use crate::ui::listing::{self, Record};

/// Runs it: 0 if nothing waits for a person, else 1.
///
/// # Errors
/// If the journal can't be read.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    crate::git::scratch::sweep(&cx.repo.state_dir());
    let mut places = Place::in_progress(&cx.repo)?;
    Place::sweep_all(&cx.repo)?;
    if args.into.is_some() {
        let wanted = Place::of(&cx.repo, &super::target::resolve(cx, args)?);
        places.retain(|place| *place == wanted);
    }
    let mut records = Vec::new();
    let mut waits = false;
    let for_scripts = args.porcelain.is_some() || args.json;
    for place in places {
        let Some(journal) = Journal::load(&place)? else { continue };
        // One that has stopped waits for a person, also while somebody looks whether he may go on with it.
        let running = journal.phase != Phase::Stopped && place.is_running();
        waits |= !running;
        let worktree = workshop::find(&cx.repo, &place)?.map(|w| w.path);
        let state = match (running, journal.phase) {
            (true, _) => "running",
            (false, Phase::Stopped) => "stopped",
            (false, _) => "interrupted",
        };
        let mut record = Record::default();
        record.text("target", journal.target.as_str());
        record.text("state", state);
        let at = journal.stopped.as_ref().filter(|_| !running);
        record.maybe("task", at.filter(|(_, c)| *c != Cause::Publish).map(|(slug, _)| slug.as_str()));
        record.maybe("waits", at.map(|(_, cause)| cause.as_str()));
        record.maybe("worktree", worktree.as_deref().map(path_bytes));
        records.push(record);
        if for_scripts {
            continue;
        }
        let name = place.name();
        match (state, at) {
            ("running", _) => cx.print(format!("An integration into '{name}' is running."))?,
            (_, Some((slug, cause))) => {
                let why = match cause {
                    Cause::Conflict => format!("the merge of '{slug}' has conflicts"),
                    Cause::Merge => format!("git would not merge '{slug}'"),
                    Cause::Check => format!("a check of '{slug}' fails"),
                    Cause::Publish => "the target could not be moved".to_owned(),
                    Cause::Interrupted => "it was interrupted".to_owned(),
                };
                cx.print(format!("The integration into '{name}' has stopped: {why}."))?;
            }
            ("stopped", None) => cx.print(format!("The integration into '{name}' was interrupted."))?,
            _ => cx.print(format!("The integration into '{name}' was cut off."))?,
        }
        if !running {
            for line in journal.said.lines() {
                cx.print(format!("  {}", crate::text::escape_controls(line.as_bytes())))?;
            }
            if let Some(worktree) = &worktree {
                cx.print(format!("  private worktree: {}", worktree.display()))?;
            }
            let at_task = at.is_some_and(|(_, cause)| !matches!(cause, Cause::Publish | Cause::Interrupted));
            let skip = if at_task { ", \"--skip\"" } else { "" };
            cx.print(format!("  (use \"git integrate --continue\"{skip} or \"--abort\")"))?;
        }
    }
    if args.json {
        cx.write(listing::json(&records))?;
    } else if args.porcelain.is_some() {
        cx.data(listing::porcelain(&records, args.nul))?;
    } else if records.is_empty() {
        cx.print("No integration is in progress.")?;
    }
    Ok(if waits { Kind::Negative.exit_code() } else { EXIT_DONE })
}
