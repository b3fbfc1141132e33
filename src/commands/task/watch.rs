//! `git task watch`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;

use crate::commands::{Common, Cx, Reporter, integrate, trust};
use crate::duration;
use crate::error::{Failure, OrFatal, Result};
use crate::interrupt;
use crate::schedule::watch::{Fingerprint, Happening, Ready, Seen, Watch};
use crate::task::settle;
use crate::text::escape_controls;
use crate::ui::Ui;

/// Say what happens to the tasks, and have tracking tasks follow, until Ctrl-C
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// Integrate what becomes ready and passes the checks; what conflicts or fails is left out
    #[arg(long)]
    pub integrate: bool,
}

/// Between two looks at whether anything has changed.
const PAUSE: Duration = Duration::from_secs(1);

/// So long after the last look all tasks are looked at, although nothing seems to have changed: a session that was
/// killed together with who watched over it leaves everything as it was.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// Runs it.
///
/// # Errors
/// If another one runs here; or interrupted, as it always ends.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    if args.integrate {
        let hooks = cx.settings.team.as_ref().is_some_and(|team| !team.hooks.is_empty());
        let checks = cx.settings.integrate.checks.iter().any(|check| check.from_team);
        trust::require(cx, hooks || checks, None)?;
    }
    let _right = Watch::begin(&cx.repo.state_dir())?;
    interrupt::watch();
    let asked = interrupt::channel()?;
    cx.ui.note("Watching; Ctrl-C ends it.");
    let mut seen = Seen::default();
    let mut landing = args.integrate.then(Landing::default);
    let mut last: Option<(Fingerprint, Instant)> = None;
    loop {
        let now = Fingerprint::take(&cx.repo, &cx.settings.team_path, &seen);
        let is_due = last.as_ref().is_none_or(|(then, at)| *then != now || at.elapsed() >= AT_LEAST_EVERY);
        if is_due {
            if let Err(failure) = look(cx, &mut seen, landing.as_mut()) {
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
fn look(cx: &Cx, seen: &mut Seen, landing: Option<&mut Landing>) -> Result<()> {
    let common = Common { quiet: cx.ui.quiet, verbose: cx.ui.verbose, color: None };
    let mut cx = Cx::open(cx.context.clone(), Ui::plain(), &common, "color.task")?;
    // Nobody sits there to answer.
    cx.ui.prompts = false;
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    settle::settle_all(&desk, false)?;
    let mut written = Ok(());
    seen.look(&desk, &mut |task, happening| {
        let line = format!("{} task '{task}' {}", duration::stamp(cx.context.now()), said(&happening));
        if written.is_ok() {
            written = cx.print(line);
        }
    })?;
    written?;
    match landing {
        Some(landing) => landing.land(&cx, seen),
        None => Ok(()),
    }
}

/// `--integrate`: what was tried last, and what came of it.
#[derive(Default)]
struct Landing {
    tried: Vec<Ready>,
    refused: Option<String>,
}

impl Landing {
    /// Integrates what is ready, unless just that was tried already.
    fn land(&mut self, cx: &Cx, seen: &Seen) -> Result<()> {
        let ready = seen.ready();
        if ready.is_empty() || ready == self.tried && self.refused.is_none() {
            return Ok(());
        }
        let mut groups: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
        for one in &ready {
            let into = cx.settings.integrate.into.clone().or_else(|| one.base.clone());
            groups.entry(into).or_default().push(one.task.clone());
        }
        let before = self.refused.take();
        self.tried = ready;
        for (into, tasks) in groups {
            let on_conflict = Some("skip".to_owned());
            let args = integrate::Args { tasks, into, on_conflict, keep_going: true, ..Default::default() };
            if let Err(failure) = integrate::run(cx, &args) {
                interrupt::check()?;
                let message = failure.message();
                // It is tried again and again, and said once.
                if before.as_ref() != Some(&message) {
                    cx.ui.failure(&failure);
                }
                self.refused = Some(message);
            }
        }
        Ok(())
    }
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
