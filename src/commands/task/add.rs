//! `git task add`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::view;
use crate::bounded;
use crate::commands::pool::seat::{self, Taken};
use crate::commands::pool::settle;
use crate::commands::{Cx, Reporter, trust};
use crate::config::team::Event;
use crate::desk::slot::Lease;
use crate::error::{EXIT_DONE, Failure, OrFatal, Result};
use crate::interrupt;
use crate::paths::path_bytes;
use crate::pool::choose::{Chooser, Occupied};
use crate::pool::{self, Pool, queue};
use crate::task::create;
use crate::task::record::Tasks;
use crate::task::request::{self, NewTask, Request, View};
use crate::task::survey::{Wanted, survey};
use crate::task::{Branch, Desk, Slug, Task, events, place, plan};
use crate::text::escape_controls;
use crate::ui::listing::{self, Record};

/// Create a task: its branch, its worktree, its metadata and its note
#[derive(ClapArgs, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct Args {
    /// Names of the new tasks
    #[arg(value_name = "task", required_unless_present = "from")]
    pub tasks: Vec<String>,
    /// The branch; one that exists is taken over as it is
    #[arg(short, long, value_name = "branch")]
    pub branch: Option<String>,
    /// Start from this branch or commit [default: task.base, else the current branch]
    #[arg(long, value_name = "rev")]
    pub base: Option<String>,
    /// The kind of work, such as "fix": goes into the branch name
    #[arg(long = "type", value_name = "type")]
    pub kind: Option<String>,
    /// The subject of the later merge
    #[arg(long, value_name = "text")]
    pub title: Option<String>,
    /// What is to be reached: goes into the note
    #[arg(long, value_name = "text")]
    pub goal: Option<String>,
    /// What the task means to change; may be given several times
    #[arg(long, value_name = "pathspec")]
    pub scope: Vec<String>,
    /// Integrate it after this task; with one it starts at that task's tip
    #[arg(long, value_name = "task")]
    pub after: Vec<String>,
    /// A higher one is integrated first
    #[arg(
        long,
        value_name = "n",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    pub priority: i64,
    /// Put the worktree here
    #[arg(long, value_name = "dir")]
    pub path: Option<PathBuf>,
    /// Make a tracking task: a detached worktree that follows this branch
    #[arg(long, value_name = "branch", conflicts_with_all = ["branch", "base", "clone", "after"])]
    pub track: Option<String>,
    /// Isolate it in a clone that borrows objects from this repository, instead of a worktree
    #[arg(long, conflicts_with_all = ["adopt", "lock"])]
    pub clone: bool,
    /// Run the setup of the team file; --no-setup goes without
    #[arg(long, hide = true, overrides_with = "no_setup")]
    pub setup: bool,
    /// Go without the setup of the team file
    #[arg(long)]
    pub no_setup: bool,
    /// Take an idle slot of the pool if there is one; this is the default
    #[arg(long, hide = true, overrides_with = "no_pool")]
    pub pool: bool,
    /// Make a worktree also if a slot of the pool is idle
    #[arg(long)]
    pub no_pool: bool,
    /// The session that will work on it
    #[arg(long, value_name = "name")]
    pub session: Option<String>,
    /// Lock the worktree
    #[arg(long)]
    pub lock: bool,
    /// Use a name again that was used before
    #[arg(long)]
    pub reuse: bool,
    /// Take over an existing worktree with its branch
    #[arg(long, value_name = "path", conflicts_with_all = ["path", "branch", "track"])]
    pub adopt: Option<PathBuf>,
    /// Create all tasks of a plan file, or none
    #[arg(long, value_name = "plan.toml", conflicts_with_all = ["tasks", "branch", "path", "track", "adopt", "after", "title", "goal", "scope"])]
    pub from: Option<PathBuf>,
    /// Print the result as one JSON document
    #[arg(long)]
    pub json: bool,
    /// Only print what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Runs it.
///
/// # Errors
/// What stands in the way; nothing has been changed then.
pub fn run(cx: &Cx, args: &Args) -> Result<u8> {
    let reporter = Reporter::new(&cx.ui);
    let desk = cx.desk(&reporter);
    let wanted = wanted(cx, &desk, args)?;
    let setup = !args.no_setup;
    if !args.dry_run {
        let team = cx.settings.team.as_ref();
        let needs =
            team.is_some_and(|t| !t.setup.run.is_empty() || t.hooks.iter().any(|h| h.event == Event::Added));
        trust::require(cx, needs && setup, Some("--no-setup"))?;
        interrupt::watch();
        settle(cx, &desk)?;
    }
    let mut made = Vec::new();
    // All of a plan, or none; else each is a task of its own.
    let together = if args.from.is_some() { wanted.len().max(1) } else { 1 };
    let groups: Vec<_> = wanted.chunks(together).collect();
    let code = cx.each(&groups, |group| make(cx, &desk, args, group, &mut made))?;
    if args.json && !args.dry_run {
        cx.write(listing::json(&made))?;
    }
    if !args.dry_run && code == EXIT_DONE {
        warn_of_many(cx)?;
    }
    Ok(code)
}

/// The names and what is asked for each: from the command line, or from the plan in its order.
fn wanted(cx: &Cx, desk: &Desk<'_>, args: &Args) -> Result<Vec<(String, Request)>> {
    let absolute = |path: &PathBuf| cx.context.cwd.join(path);
    if let Some(file) = &args.from {
        let failed = || format!("could not open '{}'", file.display());
        let bytes = bounded::read_any(&absolute(file), plan::FILE_LIMIT).or_fatal(failed)?;
        let text = String::from_utf8(bytes).or_fatal(failed)?;
        let tasks = Tasks::read(desk.repo)?;
        let plan = plan::parse(&text, &file.to_string_lossy(), |name| tasks.find(name).is_some())?;
        let base = args.base.clone().or(plan.base);
        let request = |task: plan::PlanTask| Request {
            base: base.clone(),
            kind: task.kind.or(args.kind.clone()),
            title: task.title,
            goal: task.goal,
            scope: task.scope,
            after: task.after.iter().map(Slug::to_string).collect(),
            phase: task.phase,
            priority: task.priority,
            session: task.session.or(args.session.clone()),
            clone: args.clone,
            lock: args.lock,
            reuse: args.reuse,
            base_is_default: args.base.is_none(),
            ..Request::default()
        };
        return Ok(plan.tasks.into_iter().map(|t| (t.name.to_string(), request(t))).collect());
    }
    let single = [
        ("-b", args.branch.is_some()),
        ("--path", args.path.is_some()),
        ("--adopt", args.adopt.is_some()),
        ("--title", args.title.is_some()),
    ];
    if let Some((option, _)) = single.iter().find(|(_, given)| *given && args.tasks.len() > 1) {
        return Err(Failure::usage(format!("{option} goes with one task only")));
    }
    let request = Request {
        branch: args.branch.clone(),
        base: args.base.clone(),
        kind: args.kind.clone(),
        title: args.title.clone(),
        goal: args.goal.clone(),
        scope: args.scope.clone(),
        after: args.after.clone(),
        phase: None,
        priority: args.priority,
        session: args.session.clone(),
        path: args.path.as_ref().map(absolute),
        track: args.track.clone(),
        adopt: args.adopt.as_ref().map(absolute),
        clone: args.clone,
        lock: args.lock,
        reuse: args.reuse,
        pooled: false,
        base_is_default: false,
    };
    Ok(args.tasks.iter().map(|name| (name.clone(), request.clone())).collect())
}

/// Makes these tasks, all or none, and prints where they are.
fn make(
    cx: &Cx,
    desk: &Desk<'_>,
    args: &Args,
    wanted: &[(String, Request)],
    made: &mut Vec<Record>,
) -> Result<()> {
    if args.dry_run {
        for new in plan_all(desk, wanted)? {
            cx.print(escape_controls(describe(&new).as_bytes()))?;
        }
        return Ok(());
    }
    let reserved = cx.patiently(desk, || reserve(cx, desk, args, &plan_all(desk, wanted)?))?;
    let takes_slot = reserved.seats().next().is_some();
    let created = reserved.build(desk)?.commit(desk)?;
    // One that exists is reported also if its setup failed; a single one's failure is this command's.
    let mut failed = None;
    for new in created {
        let (task, path) = (new.task.clone(), new.path.clone());
        let done = new.finish(desk, !args.no_setup);
        if args.json {
            made.push(record(desk, &task.slug)?);
        } else {
            cx.print(path_bytes(&path))?;
        }
        if let Err(failure) = done.and_then(|(task, path)| raise(cx, desk, args, &task, &path)) {
            cx.ui.failure(&failure);
            failed = Some(failure.kind);
        }
    }
    if takes_slot {
        seat::refill_later(cx, desk);
    }
    failed.map_or(Ok(()), |kind| Err(Failure::reported(kind)))
}

/// What is to be made, everything being looked at that could stand in the way.
fn plan_all(desk: &Desk<'_>, wanted: &[(String, Request)]) -> Result<Vec<NewTask>> {
    let view = View::read(desk)?;
    let mut planned: Vec<NewTask> = Vec::new();
    for (name, request) in wanted {
        planned.push(request::plan(desk, &view, &planned, Slug::try_from(name.as_str())?, request)?);
    }
    Ok(planned)
}

/// Takes the names, and for as many tasks as there are idle slots one of these.
fn reserve(cx: &Cx, desk: &Desk<'_>, args: &Args, planned: &[NewTask]) -> Result<create::Reserved> {
    let setup = !args.no_setup;
    let wanted = (args.pool || cx.settings.pool.used_by_add) && !args.no_pool && args.path.is_none();
    if !wanted || Pool::read(desk.repo)?.slots.is_empty() {
        return create::reserve(desk, planned.to_vec(), setup);
    }
    let lease = pool::claim::new_lease(desk, cx.context.who(), None);
    let choosers = planned
        .iter()
        .map(|new| {
            let lease = Lease { id: cx.context.token(), ..lease.clone() };
            Ok((new.task.slug.to_string(), Chooser::new(desk, new.start, lease)?))
        })
        .collect::<Result<HashMap<_, _>>>()?;
    let taken = seat::take_clean(desk, || {
        let mut given: Vec<String> = Vec::new();
        let waiting = queue::before(desk, None);
        let reserved = create::reserve_with(desk, planned.to_vec(), setup, |under_way, new| {
            let chooser = &choosers[new.task.slug.as_str()];
            if !new.may_take_seat() {
                return Ok(());
            }
            if let Some(seat) = chooser.seat(desk, under_way, &given, waiting, Occupied::Avoid)? {
                given.push(seat.slot.clone());
                new.take_seat(seat);
            }
            Ok(())
        });
        reserved.map(|reserved| Some(Taken::New(reserved)))
    })?;
    match taken {
        Some(Taken::New(reserved)) => Ok(reserved),
        _ => unreachable!("it is new tasks that were reserved"),
    }
}

fn raise(cx: &Cx, desk: &Desk<'_>, args: &Args, task: &Task, path: &Path) -> Result<()> {
    // Without the setup nothing of the team's runs that was not allowed.
    if args.no_setup && !trust::given(cx)? {
        return Ok(());
    }
    let head = place::head_of(desk.repo, task, &desk.repo.worktrees()?)?;
    events::raise(desk, Event::Added, task, Some(path), head)
}

/// The same as `git task list` says of it, its state after the setup included.
fn record(desk: &Desk<'_>, name: &Slug) -> Result<Record> {
    let task = Tasks::read(desk.repo)?.require(name.as_str())?.clone();
    let standing = survey(desk, &[task], &desk.repo.worktrees()?, Wanted::ALL)?.remove(0);
    Ok(view::record(&standing))
}

/// What `-n` says of a task.
fn describe(new: &NewTask) -> String {
    let start = new.start.to_hex_with_len(7);
    let branch = match (&new.task.branch, new.creates_branch) {
        (Branch::Own(name), true) => format!("new branch '{name}' at {start}"),
        (Branch::Own(name), false) => format!("existing branch '{name}' at {start}"),
        (Branch::Track(name), _) => format!("following '{name}' at {start}"),
    };
    format!("Would create task '{}': {branch}, in '{}'", new.task.slug, new.path.display())
}

fn warn_of_many(cx: &Cx) -> Result<()> {
    let live = Tasks::read(&cx.repo)?.all.iter().filter(|t| t.state.is_live()).count();
    if live > cx.settings.limit {
        cx.ui.warning(&format!("{live} tasks are live; task.limit is {}", cx.settings.limit));
    }
    Ok(())
}
