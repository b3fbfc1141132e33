//! `git task show`.

use clap::Args as ClapArgs;

use super::view;
use crate::commands::{Cx, ListingArgs, Reporter};
use crate::duration;
use crate::error::{EXIT_DONE, Result};
use crate::task::place;
use crate::task::record::Tasks;
use crate::task::survey::{Standing, Wanted, survey};
use crate::text::{escape_controls, escape_controls_multiline};

/// Show all there is to know about a task
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// The task; without it, the one whose worktree this is
    #[arg(value_name = "task")]
    pub task: Option<String>,
    #[command(flatten)]
    pub listing: ListingArgs,
}

/// Runs it.
///
/// # Errors
/// If there is no such task.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let tasks = Tasks::read(&cx.repo)?;
    let worktrees = cx.repo.worktrees()?;
    let named: Vec<String> = args.task.iter().cloned().collect();
    let name = place::named_or_current(&desk, &named, &tasks, &worktrees)?.remove(0);
    let task = tasks.require(&name)?.clone();
    let standing = survey(&desk, &[task], &worktrees, Wanted::ALL)?.remove(0);
    if args.listing.for_scripts()? {
        cx.write(args.listing.render(&cx.ui, &[view::record(&standing)], view::KEYS)?)?;
    } else {
        cx.write(describe(&standing, cx.context.now()))?;
    }
    Ok(EXIT_DONE)
}

fn describe(s: &Standing, now: i64) -> String {
    let task = &s.task;
    let mut out = format!("task {}\n", task.slug);
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            out.push_str(&format!("{:<12} {}\n", format!("{key}:"), escape_controls(value.as_bytes())));
        }
    };
    let state = match &task.reason {
        Some(reason) => format!("{} ({reason})", s.state),
        None => s.state.to_string(),
    };
    line("State", Some(state));
    line("Title", task.title.clone());
    line("Branch", task.own_branch().map(str::to_owned));
    line("Follows", task.tracked().map(str::to_owned));
    let worktree = s.worktree.as_ref().map(|p| p.display().to_string());
    let gone = if s.missing { " (gone; see 'git task repair -n')" } else { "" };
    line("Worktree", worktree.map(|w| format!("{w}{gone}")));
    line("Locked", s.locked.as_ref().map(|why| if why.is_empty() { "yes".to_owned() } else { why.clone() }));
    line("In progress", s.operation.map(str::to_owned));
    line("Base", task.base.clone());
    line("Start", task.start.map(|id| id.to_hex_with_len(12).to_string()));
    line("Head", s.head.map(|id| id.to_hex_with_len(12).to_string()));
    if let (Some(ahead), Some(behind)) = (s.ahead, s.behind) {
        line("Commits", Some(format!("{ahead} ahead, {behind} behind")));
    }
    line("Changes", s.dirty.map(|n| if n == 0 { "none".to_owned() } else { format!("{n} files") }));
    for path in &s.conflicts {
        line("Conflict", Some(path.to_string()));
    }
    line("After", Some(task.after.join(", ")));
    line("Scope", Some(task.scope.join(" ")));
    line("Priority", (task.priority != 0).then(|| task.priority.to_string()));
    line("Session", task.session.clone());
    line(
        "Running",
        s.session
            .as_ref()
            .map(|r| format!("{}, since {}: {}", r.who(), duration::ago(now - r.since), r.command)),
    );
    line("Created", task.created.map(|t| duration::ago(now - t)));
    line(
        "Ready",
        task.ready.filter(|_| s.state == crate::task::State::Ready).map(|t| duration::ago(now - t)),
    );
    line("Integrated", task.integrated.map(|id| id.to_string()));
    for (heading, text) in [("Goal", &s.goal), ("Blockers", &s.blocker), ("Next steps", &s.next)] {
        if let Some(text) = text {
            let text = escape_controls_multiline(text.as_bytes());
            out.push_str(&format!("\n{heading}:\n"));
            text.lines().for_each(|l| out.push_str(&format!("    {l}\n")));
        }
    }
    out
}
