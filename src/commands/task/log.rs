//! `git task log`.

use std::path::Path;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter};
use crate::desk::session::{self, Session};
use crate::error::{EXIT_DONE, Failure, OrFatal, Result};
use crate::schedule::log::{self, Reading};
use crate::task::place;
use crate::task::record::Tasks;
use crate::ui::screen::Screen;

/// Print what a task's last session in the background has printed
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
    /// Go on until the session ends, or Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
}

/// Runs it.
///
/// # Errors
/// If the task has no log (1), or it can't be read.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let tasks = Tasks::read(&cx.repo)?;
    let named: Vec<String> = args.task.iter().cloned().collect();
    let name = place::named_or_current(&desk, &named, &tasks, &cx.repo.worktrees()?)?.remove(0);
    let task = tasks.require(&name)?;
    let state_dir = cx.repo.state_dir();
    let dir = session::dir(&state_dir, task.slug.as_str());
    let last = session::last(&state_dir, task.slug.as_str())?;
    let Some(number) = log::last(&dir) else {
        return Err(Failure::negative(match last {
            Some(_) => format!("the session of task '{name}' had the terminal, and has no log"),
            None => format!("task '{name}' has had no session"),
        })
        .hint("taskLog", format!("'git task start --background {name}' starts one that has a log.")));
    };
    let last = last.filter(|s| s.number == number);
    let follow = args.follow && last.as_ref().is_some_and(|s| s.ended.is_none());
    show(cx, &dir, number, || match follow {
        true => Ok(session::running(&state_dir, &name)?.is_some_and(|s| s.number == number)),
        false => Ok(false),
    })?;
    if let Some(session) = session::last(&state_dir, &name)?.filter(|s| s.number == number) {
        epilogue(cx, &session);
    }
    Ok(EXIT_DONE)
}

/// Prints what there is, and what comes as long as `goes_on` says that there may be more.
fn show(cx: &Cx, dir: &Path, number: u64, goes_on: impl Fn() -> Result<bool>) -> Result<()> {
    /// How long to wait for more: as long as nothing comes, longer and longer.
    const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));
    let mut reading = Reading::new(dir, number);
    let mut screen = cx.ui.is_for_eyes().then(|| Screen::new(cx.ui.color_out));
    let mut buffer = vec![0; 64 * 1024];
    let mut pause = PAUSES.0;
    let mut is_last_look = !goes_on()?;
    let mut is_open = false;
    loop {
        let step = reading.read(&mut buffer)?;
        if step.gap > 0 {
            cx.ui.warning(&format!("{} bytes that came before this are gone (task.logLimit)", step.gap));
        }
        let piece = &buffer[..step.length];
        match &mut screen {
            // A terminal gets colours, and nothing that could move its cursor.
            Some(screen) if step.length > 0 => cx.write(screen.take(piece))?,
            Some(screen) => cx.write(screen.rest())?,
            None => cx.write(piece)?,
        }
        if step.length > 0 {
            is_open = !piece.ends_with(b"\n") && !piece.ends_with(b"\r");
            pause = PAUSES.0;
            continue;
        }
        cx.ui.flush().or_fatal(|| "could not write to standard output")?;
        if is_last_look {
            // What is said next begins a line of its own.
            if is_open && screen.is_some() {
                cx.print("")?;
            }
            return Ok(());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSES.1);
        // What it printed before its end is there when its end is.
        is_last_look = !goes_on()?;
    }
}

/// What there is to be said about a session besides what it printed.
fn epilogue(cx: &Cx, session: &Session) {
    let Some(ended) = &session.ended else { return };
    if ended.lost > 0 {
        cx.ui.warning(&format!("{} bytes could not be written to the log", ended.lost));
    }
    let ago = ended.at.map(|at| crate::duration::ago((cx.context.now() - at).max(0)));
    let when = ago.map(|ago| format!(", {ago}")).unwrap_or_default();
    cx.ui.note(&format!("The session {}{when}", ended.how));
    let left = session.processes().len();
    if left > 0 {
        cx.ui.note(&format!(
            "Processes that it left running: {left}; 'git task stop {}' ends them",
            session.task
        ));
    }
}
