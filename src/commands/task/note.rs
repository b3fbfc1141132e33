//! `git task note`.

use clap::Args as ClapArgs;

use super::place;
use crate::commands::{Cx, Reporter};
use crate::error::{EXIT_DONE, Failure, Result};
use crate::git::no_vars;
use crate::git::process::{code_of, shell};
use crate::task::note::{Section, body_of};
use crate::task::{hold, notes};

/// Print or change a task's note
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
    /// Write the section Goal; several times for a list
    #[arg(long, value_name = "text")]
    pub goal: Vec<String>,
    /// Write the section Assumptions; several times for a list
    #[arg(long, value_name = "text")]
    pub assumption: Vec<String>,
    /// Write the section Blockers; an empty text clears it
    #[arg(long, value_name = "text")]
    pub blocker: Vec<String>,
    /// Write the section Next steps; several times for a list
    #[arg(long, value_name = "text")]
    pub next: Vec<String>,
    /// Open the note in the editor
    #[arg(short, long)]
    pub edit: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no such task, its worktree is gone, or the note is not a file.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let (task, worktree) = place::find(cx, args.task.as_deref())?;
    let sections = [
        (Section::Goal, &args.goal),
        (Section::Assumptions, &args.assumption),
        (Section::Blockers, &args.blocker),
        (Section::NextSteps, &args.next),
    ];
    let writes = args.edit || sections.iter().any(|(_, items)| !items.is_empty());
    if !writes {
        let Some(text) = notes::read(&worktree, &task.slug)? else {
            return Err(Failure::negative(format!("task '{}' has no note", task.slug))
                .hint("taskNote", "Begin one with 'git task note --edit', or with --goal and its like."));
        };
        cx.data(text)?;
        return Ok(EXIT_DONE);
    }
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    // Of several at once each keeps what the others write; and where the worktree was they would make it anew.
    let (path, worktree) = hold::in_place(&desk, &task.slug, || {
        let (task, worktree) = place::look(cx, Some(task.slug.as_str()))?;
        let path = notes::checked_path(&worktree, &task.slug)?;
        if !path.exists() {
            notes::create(&desk, &worktree, &task.slug, task.title.as_deref(), None)?;
        }
        for (section, items) in sections.iter().filter(|(_, items)| !items.is_empty()) {
            notes::set_section(&path, *section, &body_of(items))?;
        }
        Ok((path, worktree))
    })?;
    if args.edit { edit(cx, &path, &worktree) } else { Ok(EXIT_DONE) }
}

/// Opens the file in the editor that git would use.
fn edit(cx: &Cx, path: &std::path::Path, dir: &std::path::Path) -> Result<u8> {
    let editor = cx.repo.cmd(["var", "GIT_EDITOR"]).line()?;
    // As git does it: the editor is a command line, the file an argument of its own, whatever its name is.
    let line = format!("{editor} \"$@\"");
    let status = shell(&line, dir, no_vars()).arg(&editor).arg(path).foreground()?;
    match code_of(status) {
        0 => Ok(EXIT_DONE),
        code => {
            Err(Failure::fatal(format!("there was a problem with the editor '{editor}' (exit code {code})")))
        }
    }
}
