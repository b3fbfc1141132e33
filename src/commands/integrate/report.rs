//! What an integration did, for eyes and for scripts.

use gix::bstr::{BString, ByteSlice};
use serde_json::{Map, Value as Json};

use super::Args;
use super::result::{Line, porcelain};
use crate::commands::Cx;
use crate::error::{EXIT_DONE, Hint, Kind, Result};
use crate::integrate::execute::{Ended, Fared, Report, Stop};
use crate::integrate::journal::Cause;
use crate::integrate::place::Place;
use crate::task::Slug;
use crate::text::escape_controls;
use crate::ui::listing;
use crate::ui::table::{self, Cell};

/// The exit code of what has landed although some tasks were left out.
const LEFT_OUT: u8 = 2;

/// Prints it; the exit code says how it ended.
///
/// # Errors
/// If standard output can't be written.
pub fn render(cx: &Cx, args: &Args, place: &Place, report: &Report) -> Result<u8> {
    if args.json {
        cx.write(listing::json_text(&document(place, report)))?;
    } else if args.porcelain.is_some() {
        cx.data(porcelain(&lines(place, report), args.nul))?;
    } else {
        table(cx, place, report)?;
    }
    cx.ui.flush().ok();
    tell(cx, place, report);
    Ok(exit_code(report))
}

fn exit_code(report: &Report) -> u8 {
    let is_out = |fared: &Fared| matches!(fared, Fared::Conflict(_) | Fared::Failed(_) | Fared::Skipped(_));
    let left_out = report.fared.iter().any(|(_, fared)| is_out(fared));
    match &report.ended {
        Ended::Landed { pushed: Some(Err(_)), .. } => Kind::Negative.exit_code(),
        Ended::Landed { .. } if left_out => LEFT_OUT,
        Ended::Landed { .. } => EXIT_DONE,
        Ended::Nothing if left_out => Kind::Negative.exit_code(),
        Ended::Nothing => EXIT_DONE,
        Ended::Stopped(_) | Ended::Aborted => Kind::Negative.exit_code(),
    }
}

fn lines(place: &Place, report: &Report) -> Vec<Line> {
    let of_task = |(slug, fared): &(Slug, Fared)| {
        let task = slug.to_string();
        match fared {
            Fared::Merged(commit) => vec![Line::Merged(task, Some(*commit))],
            Fared::Contained => vec![Line::Contained(task)],
            Fared::Empty => vec![Line::Empty(task)],
            Fared::Conflict(all) => all
                .iter()
                .map(|(kind, path)| Line::Conflict(task.clone(), kind.clone(), path.clone()))
                .collect(),
            Fared::Failed(check) => vec![Line::Failed(task, check.clone())],
            Fared::Skipped(why) => vec![Line::Skipped(task, why.clone())],
            Fared::Waiting => vec![],
        }
    };
    let mut lines: Vec<Line> = report.fared.iter().flat_map(of_task).collect();
    if let Ended::Landed { old, new, .. } = &report.ended {
        lines.push(Line::Landed(place.target.clone(), *old, *new));
    }
    lines
}

fn document(place: &Place, report: &Report) -> Json {
    let text = |text: &BString| Json::String(text.to_str_lossy().into_owned());
    let tasks = report.fared.iter().map(|(slug, fared)| {
        let mut fields = Map::new();
        fields.insert("task".into(), slug.as_str().into());
        let (result, more): (&str, Vec<(&str, Json)>) = match fared {
            Fared::Merged(commit) => ("merged", vec![("commit", commit.to_string().into())]),
            Fared::Contained => ("contained", vec![]),
            Fared::Empty => ("empty", vec![]),
            Fared::Conflict(all) => {
                let conflict = |(kind, path): &(String, BString)| {
                    serde_json::json!({ "kind": kind, "paths": [text(path)] })
                };
                ("conflict", vec![("conflicts", all.iter().map(conflict).collect())])
            }
            Fared::Failed(check) => ("failed", vec![("check", check.as_str().into())]),
            Fared::Skipped(why) => ("skipped", vec![("why", why.as_str().into())]),
            Fared::Waiting => ("waiting", vec![]),
        };
        fields.insert("result".into(), result.into());
        fields.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        Json::Object(fields)
    });
    let mut all = Map::new();
    all.insert("target".into(), place.target.as_str().into());
    let state = match &report.ended {
        Ended::Landed { .. } => "landed",
        Ended::Nothing => "nothing",
        Ended::Stopped(_) => "stopped",
        Ended::Aborted => "aborted",
    };
    all.insert("state".into(), state.into());
    match &report.ended {
        Ended::Landed { old, new, .. } => {
            all.insert("old".into(), old.to_string().into());
            all.insert("new".into(), new.to_string().into());
        }
        Ended::Stopped(stop) => {
            all.insert("waits".into(), stop.cause.as_str().into());
            all.insert("worktree".into(), stop.worktree.to_string_lossy().into_owned().into());
        }
        Ended::Nothing | Ended::Aborted => {}
    }
    all.insert("tasks".into(), tasks.collect());
    Json::Object(all)
}

/// For eyes.
fn table(cx: &Cx, place: &Place, report: &Report) -> Result<()> {
    if report.fared.is_empty() {
        return Ok(());
    }
    let landed = matches!(report.ended, Ended::Landed { .. });
    let rows: Vec<Vec<Cell>> = report
        .fared
        .iter()
        .map(|(slug, fared)| {
            let (result, detail) = match fared {
                Fared::Merged(commit) => {
                    let word = if landed { "landed" } else { "merged, not landed" };
                    (word, commit.to_hex_with_len(10).to_string())
                }
                Fared::Contained => ("contained", format!("'{}' has its work already", place.name())),
                Fared::Empty => ("empty", "it has no commit of its own".to_owned()),
                Fared::Conflict(all) => {
                    let paths: Vec<String> = all
                        .iter()
                        .map(|(kind, path)| format!("{} ({kind})", escape_controls(path)))
                        .collect();
                    ("conflict", crate::text::shortened(&paths))
                }
                Fared::Failed(check) => ("failed", check.clone()),
                Fared::Skipped(why) => ("left out", why.clone()),
                Fared::Waiting => ("waiting", String::new()),
            };
            vec![Cell::new(slug.as_str()), Cell::new(result), Cell::new(detail)]
        })
        .collect();
    cx.write(table::render(&["TASK", "RESULT", "DETAIL"], &rows, None, cx.ui.color_out))
}

/// What comes next.
fn tell(cx: &Cx, place: &Place, report: &Report) {
    let name = place.name();
    match &report.ended {
        Ended::Landed { old, new, pushed } => {
            let (old, new) = (old.to_hex_with_len(10), new.to_hex_with_len(10));
            cx.ui.note(&format!("'{name}' went from {old} to {new}"));
            match pushed {
                Some(Ok(())) => cx.ui.note(&format!("'{name}' was pushed")),
                Some(Err(failure)) => cx.ui.failure(failure),
                None => {}
            }
            for kept in &report.kept {
                cx.ui.warning(&format!("kept worktree and branch of '{}': {}", kept.task, kept.why));
            }
            left_out(cx, report);
        }
        Ended::Nothing => {
            cx.ui.note(&format!("Nothing to land; '{name}' is as it was"));
            match report.fared.is_empty() {
                true => cx.ui.hint(&Hint {
                    key: "integrateReady",
                    text: "Say which tasks can be integrated with 'git task ready <task>'.".to_owned(),
                }),
                false => left_out(cx, report),
            }
        }
        Ended::Aborted => {
            cx.ui.note(&format!("Aborted; '{name}' is as it was"));
            cx.ui.hint(&Hint {
                key: "integrateNext",
                text: "The tasks are as they were; begin again with 'git integrate'.".to_owned(),
            });
        }
        Ended::Stopped(stop) => stopped(cx, name, stop),
    }
}

/// What can be done about the first of those that were left out by a fault of their own.
fn left_out(cx: &Cx, report: &Report) {
    let is_fault = |fared: &Fared| matches!(fared, Fared::Conflict(_) | Fared::Failed(_));
    let Some((slug, fared)) = report.fared.iter().find(|(_, fared)| is_fault(fared)) else { return };
    let first = match fared {
        Fared::Conflict(_) => format!("Bring the target into '{slug}' with 'git task sync {slug}', resolve"),
        _ => format!("Mend '{slug}' in 'git task path {slug}'"),
    };
    cx.ui.hint(&Hint {
        key: "integrateNext",
        text: format!("{first}, and say 'git task ready {slug}'; then 'git integrate' again."),
    });
}

fn stopped(cx: &Cx, name: &str, stop: &Stop) {
    let path = stop.worktree.display();
    if !stop.said.is_empty() {
        cx.ui.note_always(&stop.said);
    }
    let task = stop.task.as_ref().map(|slug| slug.to_string()).unwrap_or_default();
    let (what, next) = match stop.cause {
        Cause::Conflict => (
            format!("merging '{task}' into '{name}' has conflicts"),
            format!("Resolve them in '{path}' and add them there"),
        ),
        Cause::Merge => {
            (format!("'{task}' could not be merged into '{name}'"), format!("Mend it in '{path}'"))
        }
        Cause::Check => (
            format!("a check of '{task}' fails on top of '{name}'"),
            format!("Mend and commit it in '{path}'"),
        ),
        Cause::Publish => {
            let advice = "Commit or stash there what is in the way, or wait until nobody else moves it";
            (format!("'{name}' could not be moved"), advice.to_owned())
        }
        Cause::Interrupted => ("interrupted".to_owned(), "Go on".to_owned()),
    };
    cx.ui.failure(&crate::error::Failure::negative(what));
    let skip = match stop.cause {
        Cause::Conflict | Cause::Merge | Cause::Check => " leave the task out with 'git integrate --skip',\n",
        Cause::Publish | Cause::Interrupted => "\n",
    };
    cx.ui.hint(&Hint {
        key: "integrateStopped",
        text: format!(
            "{next}, then 'git integrate --continue';{skip}\
             or give up with 'git integrate --abort'. Nothing has landed."
        ),
    });
}
