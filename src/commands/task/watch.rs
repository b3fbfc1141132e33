//! `git task watch`.

use std::time::{Duration, Instant};

use clap::Args as ClapArgs;

use crate::commands::{Cx, Reporter};
use crate::config::Settings;
use crate::duration;
use crate::error::{Failure, OrFatal, Result};
use crate::git::Repo;
use crate::interrupt;
use crate::schedule::watch::{Fingerprint, Happening, Seen, Watch};
use crate::task::{Desk, settle};
use crate::text::escape_controls;

/// Say what happens to the tasks, and have tracking tasks follow, until Ctrl-C
#[derive(ClapArgs, Debug)]
pub struct Args {}

/// Between two looks at whether anything has changed.
const PAUSE: Duration = Duration::from_secs(1);

/// So long after the last look all tasks are looked at, although nothing seems to have changed: a session that was
/// killed together with who watched over it leaves everything as it was.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// Runs it.
///
/// # Errors
/// If another one runs here; or interrupted, as it always ends.
pub fn run(cx: &Cx, _: &Args) -> Result<u8> {
    let _right = Watch::begin(&cx.repo.state_dir())?;
    interrupt::watch();
    let asked = interrupt::channel()?;
    cx.ui.note("Watching; Ctrl-C ends it.");
    let mut seen = Seen::default();
    let mut last: Option<(Fingerprint, Instant)> = None;
    loop {
        let now = Fingerprint::take(&cx.repo, &cx.settings.team_path, &seen);
        let is_due = last.as_ref().is_none_or(|(then, at)| *then != now || at.elapsed() >= AT_LEAST_EVERY);
        if is_due {
            if let Err(failure) = look(cx, &mut seen) {
                interrupt::check()?;
                // Another command may be in the middle of something; the next look tells.
                cx.ui.warning(&failure.message());
            }
            cx.ui.flush().or_fatal(|| "could not write to standard output")?;
            // What was seen decides what is looked at; a change since `now` shows at once.
            last = Some((now, Instant::now()));
        }
        if asked.recv_timeout(PAUSE).is_ok() {
            return Err(Failure::interrupted());
        }
    }
}

/// With the repository and the settings as they are now.
fn look(cx: &Cx, seen: &mut Seen) -> Result<()> {
    let repo = Repo::discover(&cx.context)?;
    let settings = Settings::load(&repo)?;
    let reporter = Reporter::new(&cx.ui);
    let desk = Desk { repo: &repo, settings: &settings, context: &cx.context, observer: &reporter };
    settle::settle_all(&desk, false)?;
    let mut written = Ok(());
    seen.look(&desk, &mut |task, happening| {
        let line = format!("{} task '{task}' {}", duration::stamp(cx.context.now()), said(&happening));
        if written.is_ok() {
            written = cx.print(line);
        }
    })?;
    written
}

fn said(happening: &Happening) -> String {
    match happening {
        Happening::State(state) => format!("is {state}"),
        Happening::Gone => "is forgotten".to_owned(),
        Happening::Started(session) => {
            format!("has a session ({}): {}", session.who(), escape_controls(session.command.as_bytes()))
        }
        Happening::Ended(how) => format!("has no session any more: it {how}"),
        Happening::Followed(tip) => format!("follows to {}", tip.to_hex_with_len(12)),
        Happening::Stuck(why) => format!("can't follow: {}", escape_controls(why.as_bytes())),
    }
}
