//! `git task watch`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;

use gix::ObjectId;

use crate::commands::{Common, Cx, Reporter, integrate, trust};
use crate::config::TEAM_FILE;
use crate::duration;
use crate::error::{Failure, OrFatal, Result};
use crate::integrate::place::Place;
use crate::integrate::rehearse::{Rehearsed, rehearse};
use crate::interrupt;
use crate::schedule::watch::{Fingerprint, Happening, Ready, Seen, Watch};
use crate::task::settle;
use crate::text::escape_controls;
use crate::ui::Ui;

/// Say what happens to the tasks, check what becomes ready, and have tracking tasks follow, until Ctrl-C
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
    let mut then = match args.integrate {
        true => Then::Land(Landing::default()),
        false => Then::Check(Checking::default()),
    };
    let mut last: Option<(Fingerprint, Instant)> = None;
    loop {
        let now = Fingerprint::take(&cx.repo, &cx.settings.team_path, &seen);
        let is_due = last.as_ref().is_none_or(|(then, at)| *then != now || at.elapsed() >= AT_LEAST_EVERY);
        if is_due {
            if let Err(failure) = look(cx, &mut seen, &mut then) {
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
fn look(cx: &Cx, seen: &mut Seen, then: &mut Then) -> Result<()> {
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
    match then {
        Then::Land(landing) => landing.land(&cx, seen),
        Then::Check(checking) => checking.check(&cx, seen),
    }
}

/// What is done with the tasks that are ready.
enum Then {
    Land(Landing),
    Check(Checking),
}

/// By the branch that they go to.
fn by_target(cx: &Cx, ready: &[Ready]) -> BTreeMap<Option<String>, Vec<String>> {
    let mut groups: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    for one in ready {
        let into = cx.settings.integrate.into.clone().or_else(|| one.base.clone());
        groups.entry(into).or_default().push(one.task.clone());
    }
    groups
}

/// What a result depends on.
#[derive(PartialEq, Eq)]
struct Tried {
    ready: Vec<Ready>,
    checks: Vec<String>,
    /// Where the targets were.
    targets: Vec<Option<ObjectId>>,
}

/// Without `--integrate`: what was checked last, and what was said of it.
#[derive(Default)]
struct Checking {
    tried: Option<Tried>,
    said: BTreeMap<String, (ObjectId, Rehearsed)>,
    refused: Option<String>,
}

impl Checking {
    /// Runs the checks on what the tasks that are ready come to, unless just that was checked already.
    fn check(&mut self, cx: &Cx, seen: &Seen) -> Result<()> {
        let ready = seen.ready();
        let checks: Vec<String> = cx.settings.integrate.checks.iter().map(|c| c.command.clone()).collect();
        let groups = by_target(cx, &ready);
        let tip = |into: &Option<String>| into.as_ref().map(|name| cx.repo.find_branch(name)).transpose();
        let tips = groups.keys().map(|into| Ok(tip(into)?.flatten().map(|(_, id)| id)));
        let now = Tried { ready, checks, targets: tips.collect::<Result<_>>()? };
        if self.tried.as_ref() == Some(&now) || now.ready.is_empty() || now.checks.is_empty() {
            return Ok(());
        }
        // To pass other checks is news.
        if self.tried.as_ref().is_some_and(|tried| tried.checks != now.checks) {
            self.said.clear();
        }
        let is_trusted = trust::given(cx)?;
        if !is_trusted && cx.settings.integrate.checks.iter().any(|check| check.from_team) {
            let why = format!(
                "no checks are run: the commands in {TEAM_FILE} are not trusted; see 'git task trust'"
            );
            self.refuse(cx, why);
            return Ok(());
        }
        let reporter = Reporter::new(&cx.ui);
        let desk = cx.desk(&reporter);
        let mut all = true;
        for (into, tasks) in groups {
            let args = integrate::Args { tasks, into, ..Default::default() };
            let mut written = Ok(());
            let outcome = integrate::target::resolve(cx, &args).and_then(|target| {
                let train = integrate::plan::plan(cx, &desk, &args, &target)?;
                let place = Place::of(&cx.repo, &target);
                rehearse(&desk, &place, &train, &now.checks, is_trusted, &mut |slug, came| {
                    let task = slug.to_string();
                    let Some(one) = now.ready.iter().find(|one| one.task == task) else { return };
                    let line = said_of(&task, place.name(), &came);
                    // A pass that is only remembered is no news if it was one before.
                    let known = matches!(came, Rehearsed::Passed(_)).then_some(Rehearsed::Passed(0));
                    let known = known.unwrap_or(came);
                    let before = self.said.insert(task, (one.tip, known.clone()));
                    if written.is_ok() && before.as_ref() != Some(&(one.tip, known)) {
                        written = cx.print(format!("{} {line}", duration::stamp(cx.context.now())));
                    }
                })
            });
            written?;
            match outcome {
                Ok(done) => all &= done,
                Err(failure) => {
                    interrupt::check()?;
                    all = false;
                    self.refuse(cx, failure.message());
                }
            }
        }
        if all {
            self.refused = None;
            self.tried = Some(now);
        }
        Ok(())
    }

    /// It is tried again and again, and said once.
    fn refuse(&mut self, cx: &Cx, why: String) {
        if self.refused.as_ref() != Some(&why) {
            cx.ui.warning(&why);
        }
        self.refused = Some(why);
    }
}

fn said_of(task: &str, target: &str, came: &Rehearsed) -> String {
    match came {
        Rehearsed::Passed(_) => format!("task '{task}' passes the checks when merged into '{target}'"),
        Rehearsed::Failed(why) => format!("task '{task}' fails when merged into '{target}': {}", shown(why)),
        Rehearsed::Unmerged(why) => format!("task '{task}' can't be merged into '{target}': {}", shown(why)),
    }
}

fn shown(text: &str) -> String {
    escape_controls(text.as_bytes())
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
        let groups = by_target(cx, &ready);
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
