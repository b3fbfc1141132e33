//! How a task's standing is shown: as a record for scripts, as a row for people.

use console::Style;

use crate::duration;
use crate::paths::path_bytes;
use crate::task::State;
use crate::task::survey::Standing;
use crate::text::escape_controls;
use crate::ui::listing::Record;
use crate::ui::table::Cell;

/// The keys of a listing of tasks.
pub const KEYS: &[&str] = &[
    "task",
    "state",
    "branch",
    "track",
    "worktree",
    "base",
    "start",
    "head",
    "ahead",
    "behind",
    "dirty",
    "running",
    "pid",
    "slot",
    "after",
    "scope",
    "conflicts",
    "priority",
    "title",
    "goal",
    "blocker",
    "reason",
    "next",
    "operation",
    "locked",
    "missing",
    "clone",
    "type",
    "phase",
    "session",
    "created",
    "ready",
    "integrated",
];

/// The record of a task.
pub fn record(standing: &Standing) -> Record {
    let task = &standing.task;
    let mut r = Record::default();
    r.text("task", task.slug.as_str());
    r.text("state", standing.state.as_str());
    r.maybe("branch", task.branch_ref());
    r.maybe(
        "track",
        standing.base.as_ref().filter(|_| task.tracked().is_some()).map(|(name, _)| name.as_str()),
    );
    r.maybe("worktree", standing.worktree.as_deref().map(path_bytes));
    if task.tracked().is_none() {
        let base = standing.base.as_ref().map(|(name, _)| name.clone());
        r.maybe("base", base.or_else(|| task.base.as_ref().map(|b| format!("refs/heads/{b}"))));
    }
    r.maybe("start", task.start.map(|id| id.to_string()));
    r.maybe("head", standing.head.map(|id| id.to_string()));
    let mut number = |key, value: Option<usize>| {
        if let Some(n) = value {
            r.number(key, n);
        }
    };
    number("ahead", standing.ahead);
    number("behind", standing.behind);
    number("dirty", standing.dirty.filter(|n| *n > 0));
    if let Some(session) = &standing.session {
        r.number("running", session.since);
        if let Some(process) = &session.process {
            r.number("pid", process.pid);
        }
    }
    r.maybe("slot", task.slot.clone());
    r.list("after", task.after.iter().map(String::as_str));
    r.list("scope", task.scope.iter().map(String::as_str));
    r.list("conflicts", standing.conflicts.iter().cloned());
    r.number("priority", task.priority);
    r.maybe("title", task.title.clone());
    r.maybe("goal", standing.goal.clone());
    r.maybe("blocker", standing.blocker.clone());
    r.maybe("reason", task.reason.clone());
    r.maybe("next", standing.next.clone());
    r.maybe("operation", standing.operation);
    r.maybe("locked", standing.locked.as_deref());
    if standing.missing {
        r.text("missing", "true");
    }
    r.maybe("clone", task.clone.as_deref().map(path_bytes));
    r.maybe("type", task.kind.clone());
    if let Some(phase) = task.phase {
        r.number("phase", phase);
    }
    r.maybe("session", task.session.clone());
    for (key, time) in [("created", task.created), ("ready", task.ready)] {
        if let Some(time) = time {
            r.number(key, time);
        }
    }
    r.maybe("integrated", task.integrated.map(|id| id.to_string()));
    r
}

/// The columns for people.
pub const HEADER: &[&str] =
    &["", "TASK", "STATE", "COMMITS", "CHANGES", "CONFLICTS", "SESSION", "AGE", "ABOUT"];

/// The columns that `-v` adds, in front of the last.
const MORE: [&str; 3] = ["HEAD", "BRANCH", "WORKTREE"];

/// The header with the columns of `-v`.
pub fn verbose_header() -> Vec<&'static str> {
    let (last, first) = HEADER.split_last().expect("there are columns");
    first.iter().chain(&MORE).chain([last]).copied().collect()
}

/// A row with the columns of `-v`.
pub fn verbose_row(standing: &Standing, here: bool, now: i64) -> Vec<Cell> {
    let task = &standing.task;
    let head = standing.head.map(|id| id.to_hex_with_len(7).to_string()).unwrap_or_default();
    let branch = task.own_branch().or(task.tracked()).unwrap_or_default();
    let worktree = standing.worktree.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
    let mut row = row(standing, here, now);
    let last = row.len() - 1;
    row.splice(last..last, [head, branch.to_owned(), worktree].map(Cell::new));
    row
}

/// The row of a task. `here` marks the one in whose worktree the user is.
pub fn row(standing: &Standing, here: bool, now: i64) -> Vec<Cell> {
    let task = &standing.task;
    let state = match (standing.state, standing.operation) {
        (state, Some(operation)) => format!("{state} ({operation})"),
        (state, None) => state.to_string(),
    };
    let color = match standing.state {
        State::Ready | State::Integrated => Style::new().green(),
        State::Blocked => Style::new().red(),
        State::Dropped => Style::new().dim(),
        State::Open => Style::new(),
    };
    let changes = match (standing.missing, standing.dirty) {
        (true, _) => "gone".to_owned(),
        (_, Some(n)) if n > 0 => n.to_string(),
        _ => String::new(),
    };
    let conflicts = match standing.conflicts.as_slice() {
        [] => String::new(),
        [one] => escape_controls(one),
        many => format!("{} files", many.len()),
    };
    vec![
        Cell::new(if here { "*" } else { "" }).style(Style::new().green()),
        Cell::new(task.slug.as_str()),
        Cell::new(state).style(color),
        Cell::new(commits(standing)),
        Cell::new(changes).style(Style::new().yellow()),
        Cell::new(conflicts).style(Style::new().red()),
        Cell::new(session(standing, now)).style(Style::new().cyan()),
        Cell::new(task.created.map(|t| age(now - t)).unwrap_or_default()),
        Cell::new(about(standing)),
    ]
}

/// `+2 -1`: commits ahead of and behind the base.
fn commits(standing: &Standing) -> String {
    match (standing.ahead, standing.behind) {
        (Some(0), Some(0)) => "=".to_owned(),
        (Some(ahead), Some(0)) => format!("+{ahead}"),
        (Some(0), Some(behind)) => format!("-{behind}"),
        (Some(ahead), Some(behind)) => format!("+{ahead} -{behind}"),
        _ => String::new(),
    }
}

/// `make 5 minutes`: which session runs, and for how long.
fn session(standing: &Standing, now: i64) -> String {
    let Some(session) = &standing.session else { return String::new() };
    let word = session.command.split_whitespace().next().unwrap_or_default();
    let program = word.rsplit('/').next().unwrap_or(word);
    let what = escape_controls(session.name.as_deref().unwrap_or(program).as_bytes());
    format!("{what} {}", age(now - session.since))
}

/// "3 hours" of git's "3 hours ago".
fn age(seconds: i64) -> String {
    duration::ago(seconds.max(0)).trim_end_matches(" ago").to_owned()
}

/// What stops it, else what it follows, else its title or goal.
fn about(standing: &Standing) -> String {
    let task = &standing.task;
    let first_line = |text: &str| {
        let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
        escape_controls(line.trim_start_matches("- ").as_bytes())
    };
    let blocked =
        task.reason.as_deref().filter(|_| standing.state == State::Blocked).or(standing.blocker.as_deref());
    match (blocked, task.tracked(), &task.title, &standing.goal) {
        (Some(why), ..) => format!("blocked: {}", first_line(why)),
        (None, Some(branch), ..) => format!("follows {branch}"),
        (None, None, Some(title), _) => first_line(title),
        (None, None, None, Some(goal)) => first_line(goal),
        _ if !task.after.is_empty() => format!("after {}", task.after.join(", ")),
        _ => String::new(),
    }
}
