//! `git task trust`, and the question that comes where it was not given.

use clap::Args;

use super::Cx;
use crate::config::team::TeamFile;
use crate::config::{TEAM_FILE, trust};
use crate::error::{EXIT_DONE, Failure, Kind, Result};
use crate::text::escape_controls;

/// Show the commands of the team file, and allow them
#[derive(Args, Debug)]
pub struct TrustArgs {
    /// Allow them without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// Runs `git task trust`.
///
/// # Errors
/// If the user can't be asked and `--yes` was not given.
pub fn run(cx: &Cx, args: &TrustArgs) -> Result<u8> {
    let Some(team) = cx.settings.team.as_ref().filter(|t| !t.commands().is_empty()) else {
        cx.ui.note(&format!("{TEAM_FILE} has no commands to trust."));
        return Ok(EXIT_DONE);
    };
    if trust::is_trusted(&cx.repo, team)? {
        show(cx, team, "These commands are trusted:");
        return Ok(EXIT_DONE);
    }
    show(cx, team, "The repository wants to run these commands on your machine:");
    if !args.yes {
        if !cx.ui.can_prompt() {
            return Err(Failure::fatal("cannot ask: not on a terminal")
                .hint("taskTrust", "Allow them as shown with 'git task trust --yes'."));
        }
        if !cx.ui.confirm("Allow them?")? {
            cx.ui.note("Not trusted; nothing was changed.");
            return Ok(Kind::Negative.exit_code());
        }
    }
    trust::remember(&cx.repo, team)?;
    Ok(EXIT_DONE)
}

/// Makes sure that the commands of the team file may run, before anything is done that needs one.
///
/// # Errors
/// If they are not trusted and the user does not, or can't, say yes. `without` is the option that goes without.
pub fn require(cx: &Cx, needed: bool, without: Option<&str>) -> Result<()> {
    let Some(team) = cx.settings.team.as_ref().filter(|_| needed) else { return Ok(()) };
    if trust::is_trusted(&cx.repo, team)? {
        return Ok(());
    }
    if cx.ui.can_prompt() {
        show(cx, team, "The repository wants to run these commands on your machine:");
        if cx.ui.confirm("Allow them?")? {
            return trust::remember(&cx.repo, team);
        }
    }
    let go_without = without.map(|option| format!(", or go without by {option}")).unwrap_or_default();
    Err(Failure::fatal(format!("the commands in {TEAM_FILE} are not trusted"))
        .hint("taskTrust", format!("See and allow them with 'git task trust'{go_without}.")))
}

/// Whether the commands of the team file may run.
///
/// # Errors
/// If the record can't be read.
pub fn given(cx: &Cx) -> Result<bool> {
    cx.settings.team.as_ref().map_or(Ok(true), |team| trust::is_trusted(&cx.repo, team))
}

/// What is shown is what is hashed; nothing in it can move the cursor or hide.
fn show(cx: &Cx, team: &TeamFile, heading: &str) {
    cx.ui.note_always(heading);
    for command in team.commands() {
        let place = escape_controls(command.place.as_bytes());
        cx.ui.note_always(&format!("  {place}: {}", escape_controls(command.command.as_bytes())));
    }
}
