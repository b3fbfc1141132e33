//! `git task start`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::place;
use crate::commands::{Cx, Reporter, trust};
use crate::desk::session::How;
use crate::error::{EXIT_DONE, Failure, Result};
use crate::schedule::command::{self, Chosen};
use crate::schedule::process::{cannot_run, find_program};
use crate::schedule::session::{self, Launch};
use crate::task::record::Latest;
use crate::task::{Task, settle};

/// Start a session: a command that works on a task, in its worktree
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
    /// The session to start [default: the task's own, else 'default']
    #[arg(long, value_name = "name", conflicts_with = "command")]
    pub session: Option<String>,
    /// Without the terminal; what it prints goes to a log
    #[arg(long)]
    pub background: bool,
    /// A command instead, with its arguments
    #[arg(last = true, value_name = "cmd")]
    pub command: Vec<OsString>,
}

/// Runs it. In the foreground the exit code is that of the session.
///
/// # Errors
/// If the task has no worktree, there is no such session, or it can't be started.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    let (task, path) = place::find(cx, args.task.as_deref())?;
    let chosen = command::choose(&desk, &task, args.session.as_deref(), &args.command)?;
    trust::require(cx, chosen.from_team, None)?;
    let (argv, shown) = chosen.fill_in(&desk, &task, &path)?;
    if let Some((program, error)) = missing(cx, &argv, &path) {
        let (code, why) = cannot_run(&program, &error);
        cx.ui.failure(&Failure::fatal(why));
        return Ok(code);
    }
    let limit = cx.settings.session.max;
    let launch = Launch {
        task: &task,
        path: &path,
        name: chosen.name.as_deref(),
        argv,
        shown,
        vars: Vec::new(),
        at_most: args.background.then_some(limit),
        tasks: &Latest::default(),
    };
    if args.background {
        let live = session::background(&desk, &launch)?;
        cx.ui.note(&format!("Started {} in the background: {}", what(&chosen, &task), live.session().who()));
        return Ok(EXIT_DONE);
    }
    let ended = session::foreground(&desk, &launch)?.ended.map_or(How::Unknown, |e| e.how);
    Ok(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The program, if it can't be run. Nothing is started then, and no session is remembered.
fn missing(cx: &Cx, argv: &[OsString], path: &std::path::Path) -> Option<(OsString, std::io::Error)> {
    let program = argv.first()?;
    let search: &[PathBuf] = &cx.context.search_path;
    find_program(program, path, search).err().map(|error| (program.clone(), error))
}

fn what(chosen: &Chosen, task: &Task) -> String {
    match &chosen.name {
        Some(name) => format!("session '{name}' of task '{}'", task.slug),
        None => format!("a session of task '{}'", task.slug),
    }
}
