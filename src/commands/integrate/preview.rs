//! `git integrate -n`: the train is printed and nothing is changed.

use console::Style;
use serde_json::json;

use super::result::{Line, json_of, porcelain};
use super::{Args, request};
use crate::commands::{Cx, Reporter};
use crate::config::integrate::Scope;
use crate::error::{EXIT_DONE, Kind, Result};
use crate::integrate::plan::plan;
use crate::integrate::train::{Car, Outcome, Train};
use crate::interrupt;
use crate::text::escape_controls;
use crate::ui::listing::json_text;
use crate::ui::table::{self, Cell};

/// Runs it.
///
/// # Errors
/// If the integration would be refused.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    interrupt::watch();
    let reporter = Reporter::new(&cx.ui);
    let train = plan(&cx.desk(&reporter), &request(cx, args))?;
    let cars = train.as_ref().map_or(&[][..], |train| &train.cars);
    if args.porcelain.is_some() {
        let lines: Vec<Line> = cars.iter().flat_map(Line::of).collect();
        cx.data(porcelain(&lines, args.nul))?;
    } else if args.json {
        let tasks: Vec<_> = cars.iter().map(json_of).collect();
        cx.write(json_text(&match &train {
            Some(train) => json!({
                "target": train.target.ref_name,
                "old": train.target.tip.to_string(),
                "tasks": tasks,
            }),
            None => json!({ "tasks": tasks }),
        }))?;
    } else if let Some(train) = train.as_ref().filter(|train| !train.cars.is_empty()) {
        cx.write(table_of(cx, train))?;
    }
    warn_of_scopes(cx, cars);
    if cars.is_empty() {
        cx.ui.note(&nothing(train.as_ref()));
    }
    let conflicts = train.is_some_and(|train| train.conflicts());
    Ok(if conflicts { Kind::Negative.exit_code() } else { EXIT_DONE })
}

/// Said when there is no task to integrate.
pub fn nothing(train: Option<&Train>) -> String {
    match train {
        Some(train) => format!("Nothing to integrate: no task is ready for '{}'.", train.target.name()),
        None => "Nothing to integrate: no task is ready.".to_owned(),
    }
}

/// Names the files outside of a scope, a line for each task.
pub fn warn_of_scopes(cx: &Cx, cars: &[Car]) {
    const SHOWN: usize = 5;
    if cx.settings.integrate.scope != Scope::Warn {
        return;
    }
    for car in cars.iter().filter(|car| !car.outside.is_empty()) {
        let mut names: Vec<_> = car.outside.iter().take(SHOWN).map(|path| escape_controls(path)).collect();
        if car.outside.len() > SHOWN {
            names.push(format!("and {} more", car.outside.len() - SHOWN));
        }
        let names = names.join(", ");
        cx.ui.warning(&format!("task '{}' changes files outside of its scope: {names}", car.task.slug));
    }
}

/// For people: a row for each task, and one for each further conflict.
fn table_of(cx: &Cx, train: &Train) -> String {
    let mut rows = Vec::new();
    for car in &train.cars {
        let (word, style) = match &car.outcome {
            Outcome::Merged { forward: true, .. } => ("fast-forward", Style::new().green()),
            Outcome::Merged { .. } => ("merges", Style::new().green()),
            Outcome::Contained(_) => ("contained", Style::new().dim()),
            Outcome::Empty => ("empty", Style::new().dim()),
            Outcome::Conflict { .. } => ("conflict", Style::new().red()),
            Outcome::Unknown { .. } => ("unknown", Style::new().yellow()),
            Outcome::Skipped { .. } => ("skipped", Style::new().yellow()),
        };
        let about = about(car, cx.ui.verbose);
        let cells = [car.task.slug.to_string(), word.to_owned(), about[0].clone()].map(Cell::new);
        let [task, result, first] = cells;
        rows.push(vec![task, result.style(style), first]);
        rows.extend(about[1..].iter().map(|more| ["", "", more.as_str()].map(Cell::new).to_vec()));
    }
    let width = cx.ui.stdout_is_terminal().then(|| usize::from(console::Term::stdout().size().1));
    let tip = train.target.tip.to_hex_with_len(7);
    let table = table::render(&["TASK", "RESULT", "ABOUT"], &rows, width, cx.ui.color_out);
    format!("Into {} ({tip}):\n{table}", escape_controls(train.target.name().as_bytes()))
}

/// One line at least.
fn about(car: &Car, verbose: bool) -> Vec<String> {
    let subject = || vec![escape_controls(car.message.lines().next().unwrap_or_default().as_bytes())];
    match &car.outcome {
        Outcome::Merged { .. } => subject(),
        Outcome::Contained(_) => vec!["its work is there already".to_owned()],
        Outcome::Empty => vec!["it has no commit of its own".to_owned()],
        Outcome::Unknown { why } | Outcome::Skipped { why } => vec![escape_controls(why.as_bytes())],
        Outcome::Conflict { conflicts, recorded, .. } => {
            let mut lines = Vec::new();
            for conflict in conflicts {
                let names: Vec<_> = conflict.paths.iter().map(|path| escape_controls(path)).collect();
                let known = conflict.paths.iter().all(|path| recorded.contains(path));
                let known = if known { " (resolution recorded)" } else { "" };
                lines.push(format!("{} in {}{known}", conflict.kind, names.join(", ")));
                if verbose {
                    lines.push(format!("    {}", escape_controls(conflict.message.as_bytes())));
                }
            }
            if lines.is_empty() { subject() } else { lines }
        }
    }
}
