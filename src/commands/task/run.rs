//! `git task run`.

mod phase;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::Args as ClapArgs;
use console::Style;

use crate::commands::{Cx, Reporter, trust};
use crate::config::team::Event as TeamEvent;
use crate::duration;
use crate::error::{EXIT_DONE, Failure, Kind, Result};
use crate::interrupt;
use crate::schedule::run::{self, Closed, Listener, Summary};
use crate::schedule::run_past::Past;
use crate::schedule::run_plan::{self, Plan};
use crate::schedule::run_record::{Asked, Event, Limit, Outcome, RunRecord, Stamped};
use crate::task::settle;
use crate::ui::board::Board;
use crate::ui::table::{self, Cell};

/// Let sessions work on many tasks, each when those it comes after are done
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The tasks; without any, all that are live
    #[arg(value_name = "task")]
    pub tasks: Vec<String>,
    /// So many sessions at once [default: task.maxSessions]
    #[arg(short = 'j', long = "jobs", value_name = "n")]
    pub jobs: Option<usize>,
    /// Start no further one while the load of the machine is this or more
    #[arg(long, value_name = "x")]
    pub max_load: Option<String>,
    /// The session that works on the tasks, where a stage names none of its own
    #[arg(long, value_name = "name")]
    pub session: Option<String>,
    /// Only these stages
    #[arg(long, value_name = "stages", value_delimiter = ',', conflicts_with = "cmd")]
    pub stages: Vec<String>,
    /// Integrate each phase when all of it is ready, and start the next from there
    #[arg(long)]
    pub integrate: bool,
    /// Go on with the last run; what succeeded is not done again
    #[arg(long, conflicts_with_all = ["tasks", "session", "stages", "cmd"])]
    pub resume: bool,
    /// Start the next phase without the tasks that failed
    #[arg(long)]
    pub keep_going: bool,
    /// Try a session that fails again, so many times
    #[arg(long, value_name = "n")]
    pub retry: Option<u32>,
    /// End a session, or a gate, that takes longer
    #[arg(long, value_name = "time")]
    pub timeout: Option<String>,
    /// Print what happens as one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// A command to run in each worktree, instead of a session
    #[arg(value_name = "cmd", last = true)]
    pub cmd: Vec<OsString>,
}

/// Runs it.
///
/// # Errors
/// If the run can't begin, or is ended by the user, or by a full disk.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let state_dir = cx.repo.state_dir();
    let past = if args.resume { Some(resumable(&state_dir)?) } else { None };
    if past.as_ref().is_some_and(|past| past.is_complete) {
        cx.ui.note("The last run is complete: there is nothing to resume.");
        return Ok(EXIT_DONE);
    }
    let asked = asked(cx, args, past.as_ref())?;
    let plan = run_plan::plan(&desk, asked, past.clone())?;
    if plan.tasks.is_empty() {
        cx.ui.note("There is no live task to run.");
        return Ok(EXIT_DONE);
    }
    let checks = plan.asked.integrate && cx.settings.integrate.checks.iter().any(|check| check.from_team);
    trust::require(cx, plan.runs_team_commands || checks || has_hooks(cx, plan.asked.integrate), None)?;
    let mut record = RunRecord::acquire(&state_dir)?;
    if past.is_some() && Past::last(&state_dir)? != past {
        return Err(Failure::fatal("another 'git task run' has just ended; look at what is left to do"));
    }
    interrupt::watch();
    for said in settle::settle_all(&desk, false)? {
        cx.ui.note(&format!("Settled what was left behind: {said}"));
    }
    let first = Event::Run { resumed: args.resume, asked: plan.asked.clone() };
    let first = Stamped { time: cx.context.now(), event: first };
    record.begin(args.resume, &first)?;
    let mut teller = Teller::new(cx, args.json, &plan);
    teller.event(&first);
    let summary = run::run(&desk, &plan, record, &mut teller)?;
    let trouble = teller.trouble.take();
    drop(teller);
    if let Some(failure) = trouble {
        return Err(failure);
    }
    if !args.json {
        show(cx, &summary)?;
    }
    let all_succeeded = summary.rows.iter().all(|row| row.outcome == Some(Outcome::Succeeded));
    match (summary.interrupted, all_succeeded && summary.stopped.is_none()) {
        (true, _) => Err(Failure::interrupted()),
        (false, true) => Ok(EXIT_DONE),
        (false, false) => Ok(Kind::Negative.exit_code()),
    }
}

/// What the last run left.
fn resumable(state_dir: &Path) -> Result<Past> {
    Past::last(state_dir)?.ok_or_else(|| {
        Failure::fatal("there is no run to resume").hint("taskResume", "Begin one with 'git task run'.")
    })
}

/// What is asked for: by options, else as in the run that is resumed, else by configuration.
fn asked(cx: &Cx, args: &Args, past: Option<&Past>) -> Result<Asked> {
    let before = past.map(|past| past.asked.clone()).unwrap_or_default();
    let max_load = args.max_load.as_deref().map(parse_load).transpose()?;
    let timeout = args.timeout.as_deref().map(duration::parse).transpose()?;
    if timeout == Some(Duration::ZERO) {
        return Err(Failure::usage("option `timeout' expects more than no time"));
    }
    let jobs = match (args.jobs, past) {
        (Some(0), _) => return Err(Failure::usage("option `jobs' expects a number above 0")),
        (Some(jobs), _) => jobs,
        (None, Some(_)) => before.jobs,
        (None, None) => cx.settings.session.max,
    };
    let limits = Asked {
        jobs: jobs.max(1),
        max_load: max_load.or(before.max_load),
        retry: args.retry.unwrap_or(before.retry),
        timeout: timeout.map(|time| time.as_secs()).or(before.timeout),
        keep_going: args.keep_going || before.keep_going,
        integrate: args.integrate || before.integrate,
        ..before
    };
    if past.is_some() {
        return Ok(limits);
    }
    let words = args.cmd.iter().map(|word| word.to_str().map(str::to_owned));
    let Some(command) = words.collect::<Option<Vec<String>>>() else {
        return Err(Failure::usage("a command is text in UTF-8"));
    };
    let (tasks, stages) = (args.tasks.clone(), args.stages.clone());
    Ok(Asked { tasks, stages, session: args.session.clone(), command, ..limits })
}

/// A load in hundredths.
fn parse_load(text: &str) -> Result<u32> {
    let load = text.parse::<f64>().ok().filter(|load| (0.01..10_000.0).contains(load));
    let Some(load) = load else {
        return Err(Failure::usage("option `max-load' expects a number above 0, such as 2.5"));
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was looked at")]
    Ok((load * 100.0).round() as u32)
}

/// Whether a command of the team file may run because of an event.
fn has_hooks(cx: &Cx, integrates: bool) -> bool {
    let hooks = cx.settings.team.as_ref().map_or(&[][..], |team| &team.hooks);
    hooks.iter().any(|hook| match hook.event {
        TeamEvent::Failed | TeamEvent::Blocked => true,
        TeamEvent::Integrated => integrates,
        _ => false,
    })
}

/// Says what happens: on the board, in lines, or as JSON.
struct Teller<'a> {
    cx: &'a Cx,
    json: bool,
    board: Option<Board>,
    /// The stages are worth a word.
    has_stages: bool,
    /// Further attempts at a session that fails.
    retry: u32,
    /// The number of the session that works on each task.
    sessions: HashMap<String, u64>,
    /// What is not ready is left out, and not waited for.
    keep_going: bool,
    trouble: Option<Failure>,
}

impl<'a> Teller<'a> {
    fn new(cx: &'a Cx, json: bool, plan: &Plan) -> Self {
        let open = plan.tasks.len();
        Teller {
            cx,
            json,
            board: Board::new(&cx.ui, open),
            has_stages: plan.stages.len() > 1 || plan.stages.iter().any(|stage| stage.gate.is_some()),
            retry: plan.asked.retry,
            sessions: HashMap::new(),
            keep_going: plan.asked.keep_going,
            trouble: None,
        }
    }

    /// A line with the time, or above the board.
    fn say(&self, time: i64, message: &str) {
        match &self.board {
            Some(board) => board.aside(|| self.cx.ui.note(message)),
            None => self.cx.ui.note(&format!("{} {message}", duration::moment(time))),
        }
    }
}

impl Listener for Teller<'_> {
    fn event(&mut self, stamped: &Stamped) {
        if self.json {
            let written = self.cx.write(stamped.to_line());
            let flushed = self.cx.ui.flush();
            if written.is_err() || flushed.is_err() {
                self.trouble.get_or_insert(Failure::fatal("could not write to standard output"));
            }
        }
        match &stamped.event {
            Event::Started { task, stage, gate, session, .. } => {
                self.sessions.insert(task.clone(), *session);
                if let Some(board) = &mut self.board {
                    let what = if *gate { format!("{stage} (gate)") } else { stage.clone() };
                    board.begin(task, if self.has_stages { &what } else { "" });
                }
            }
            Event::Ended { task, outcome, .. } => {
                if let Some(board) = &mut self.board {
                    board.end(task, true);
                }
                // What succeeded is in the table; the rest is worth a line that stays.
                if self.board.is_some() && *outcome == Outcome::Succeeded {
                    return;
                }
            }
            _ => {}
        }
        let line = line_of(&stamped.event, self.has_stages, self.retry);
        let is_lasting =
            matches!(stamped.event, Event::Ended { .. } | Event::Held { .. } | Event::Integrated { .. });
        if let Some(line) = line.filter(|_| !self.json && (self.board.is_none() || is_lasting)) {
            self.say(stamped.time, &line);
        }
    }

    fn warn(&mut self, message: &str) {
        match &self.board {
            Some(board) => board.aside(|| self.cx.ui.warning(message)),
            None => self.cx.ui.warning(message),
        }
    }

    fn note(&mut self, message: &str) {
        match &self.board {
            Some(board) => board.aside(|| self.cx.ui.note(message)),
            None => self.cx.ui.note(message),
        }
    }

    fn tick(&mut self) {
        let Some(board) = &mut self.board else { return };
        let (state_dir, sessions) = (self.cx.repo.state_dir(), &self.sessions);
        board.tick(|task| {
            let number = sessions.get(task).copied().unwrap_or(0);
            crate::schedule::tail::last_line(&state_dir, task, number)
        });
        if interrupt::requested() {
            board.say("ending the sessions");
        }
    }

    fn integrate(&mut self, tasks: &[String]) -> Result<Closed> {
        let (cx, keep_going) = (self.cx, self.keep_going);
        match &self.board {
            Some(board) => board.aside(|| phase::integrate(cx, tasks, keep_going)),
            None => phase::integrate(cx, tasks, keep_going),
        }
    }
}

/// What is said about an event in a line.
fn line_of(event: &Event, has_stages: bool, retry: u32) -> Option<String> {
    let seconds = |seconds: f64| duration::span(Duration::from_secs_f64(seconds.max(0.0)));
    Some(match event {
        Event::Run { resumed, asked } => {
            let verb = if *resumed { "going on with" } else { "running" };
            let count = asked.tasks.len();
            format!("{verb} {count} {}, {} at once", plural(count, "task"), asked.jobs)
        }
        Event::Started { task, stage, gate, attempt, .. } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            match (has_stages, gate) {
                (false, _) => format!("{task}: started{again}"),
                (true, false) => format!("{task}: stage '{stage}' started{again}"),
                (true, true) => format!("{task}: gate of stage '{stage}' started"),
            }
        }
        Event::Exited { task, stage, gate, ok, reason, attempt, seconds: took } => {
            let how = if *ok { "succeeded" } else { reason.as_deref().unwrap_or("failed") };
            let took = seconds(*took);
            match (has_stages, gate) {
                // Where there is no other stage, and no other attempt, the end of the task says the same.
                (false, _) if *ok || *attempt > retry => return None,
                (false, _) => format!("{task}: {how} after {took}, and is tried again"),
                (true, false) => format!("{task}: stage '{stage}' {how} after {took}"),
                (true, true) => format!("{task}: gate of stage '{stage}' {how} after {took}"),
            }
        }
        Event::Ended { task, outcome, reason, seconds: took, .. } => {
            let why = reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            match *took > 0.0 {
                true => format!("{task}: {} after {}{why}", outcome.as_str(), seconds(*took)),
                false => format!("{task}: {}{why}", outcome.as_str()),
            }
        }
        Event::Held { by: Limit::Jobs, waiting, .. } => {
            format!("held back by -j: {waiting} more {} could run", plural(*waiting, "task"))
        }
        Event::Held { by: Limit::Load, waiting, load } => {
            let load = f64::from(load.unwrap_or(0)) / 100.0;
            format!(
                "held back by --max-load: {waiting} more {} could run, the load is {load:.2}",
                plural(*waiting, "task")
            )
        }
        // Why nothing of a phase landed is said of each task that was left out.
        Event::Integrated { tasks, reason: None } if tasks.is_empty() => return None,
        Event::Integrated { tasks, reason } => match reason {
            None => format!("integrated: {}", tasks.join(" ")),
            Some(reason) => format!("not integrated: {reason}"),
        },
        Event::Synced { .. } | Event::Over { .. } => return None,
    })
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// The table at the end.
fn show(cx: &Cx, summary: &Summary) -> Result<()> {
    let seconds = |seconds: f64| duration::span(Duration::from_secs_f64(seconds.max(0.0)));
    let rows: Vec<Vec<Cell>> = summary
        .rows
        .iter()
        .map(|row| {
            let (word, style) = match row.outcome {
                Some(Outcome::Succeeded) => ("succeeded", Style::new().green()),
                Some(Outcome::Failed) => ("failed", Style::new().red()),
                Some(Outcome::Blocked) => ("blocked", Style::new().yellow()),
                None => ("not run", Style::new().dim()),
            };
            let time = if row.seconds > 0.0 { seconds(row.seconds) } else { String::new() };
            let reason = row.reason.as_deref().unwrap_or_default();
            vec![Cell::new(&row.task), Cell::new(word).style(style), Cell::new(time), Cell::new(reason)]
        })
        .collect();
    let width = cx.ui.stdout_width();
    cx.write(table::render(&["TASK", "RESULT", "TIME", "WHY"], &rows, width, cx.ui.color_out))?;
    let mut counts = Vec::new();
    for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::Blocked] {
        let count = summary.count(outcome);
        if count > 0 || outcome == Outcome::Succeeded {
            counts.push(format!("{count} {}", outcome.as_str()));
        }
    }
    let left = summary.rows.iter().filter(|row| row.outcome.is_none()).count();
    if left > 0 {
        counts.push(format!("{left} not run"));
    }
    let saved = match summary.saved {
        0.1.. => format!("; {} less than one after the other", seconds(summary.saved)),
        _ => String::new(),
    };
    cx.print(format!("{} in {}{saved}", counts.join(", "), seconds(summary.seconds)))?;
    for (by, most) in &summary.held {
        let limit = if *by == Limit::Jobs { "-j" } else { "--max-load" };
        cx.ui.note(&format!("{limit} held back up to {most} {}.", plural(*most, "task")));
    }
    if summary.interrupted {
        cx.ui.note("Go on with 'git task run --resume'.");
    }
    Ok(())
}
