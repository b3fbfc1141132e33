//! Tab completion: the words typed so far come in, what the last one may become goes out.
//!
//! The shells' files (see `commands::completion`) call the program with [`VARIABLE`] set to the name of the
//! shell and the words after `--`. All is answered in process, from configuration and references alone, and
//! without a word about what goes wrong: who presses Tab is in the middle of something.

mod words;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, complete,
};

use super::Program;
use crate::commands::completion::{self, Shell};
use crate::context::Context;
use crate::git::Repo;
use crate::integrate::journal::OnConflict;
use crate::pool::{Pool, Slot};
use crate::task::record::Tasks;
use crate::task::{State, Task, place};
use crate::text::{escape_controls, hides};
use crate::ui::Ui;

/// Set to `bash`, `zsh` or `fish` by the shells' files, and by nobody else.
const VARIABLE: &str = completion::MARK;

/// bash's `COMP_WORDBREAKS`.
const BREAKS: &str = "_GIT_PARALLEL_WORDBREAKS";

/// Answers a shell, if one asks. False if this is an ordinary run.
pub fn answer(program: Program, args: &[OsString]) -> bool {
    let asked = variable(VARIABLE).and_then(|name| name.into_string().ok());
    let Some(shell) = asked.and_then(|name| Shell::named(&name)) else { return false };
    let typed = args.iter().skip_while(|a| *a != "--").skip(1).map(|a| a.as_bytes().to_vec());
    let reply = reply(program, shell, typed.collect());
    let ui = Ui::plain();
    let _ = ui.write(&reply).and_then(|()| ui.flush());
    true
}

#[expect(
    clippy::disallowed_methods,
    reason = "the shells' files say it by variables, so that no option is taken"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// One line for each candidate, in the form that the shell's file expects.
fn reply(program: Program, shell: Shell, mut typed: Vec<Vec<u8>>) -> Vec<u8> {
    let raw = typed.pop().unwrap_or_default();
    // zsh has taken the quotes off all words, fish off all but the last.
    let breaks = variable(BREAKS).map(OsString::into_vec).unwrap_or_default();
    let word = match shell {
        Shell::Bash => words::Word::of_bash(&raw, &breaks),
        Shell::Fish => words::Word::of_fish(&raw),
        Shell::Zsh => words::Word::plain(&raw),
    };
    let mut args: Vec<OsString> = match shell {
        Shell::Bash => {
            typed.iter().map(|w| words::Word::of_bash(w, b"").text).map(OsString::from_vec).collect()
        }
        _ => typed.into_iter().map(OsString::from_vec).collect(),
    };
    let given: Arc<[OsString]> = args.clone().into();
    args.push(OsString::from_vec(word.text.clone()));
    let index = args.len() - 1;
    let cwd = std::env::current_dir().ok();
    let mut command = with_completers(program.command(), &given);
    let candidates = complete(&mut command, args, index, cwd.as_deref()).unwrap_or_default();
    let mut out = Vec::new();
    for candidate in candidates {
        let value = candidate.get_value().as_bytes();
        // A line is all that a shell's reply can hold, and it shows it as it is. Options come, as git's do, to who types
        // a dash.
        if hides(value) || (word.text.is_empty() && value.starts_with(b"-")) {
            continue;
        }
        let help = candidate.get_help().map(|h| h.to_string().lines().next().unwrap_or_default().to_owned());
        match shell {
            Shell::Bash => out.extend(word.completed_in_bash(value)),
            Shell::Zsh => out.extend(words::line_of_zsh(value, help.as_deref())),
            Shell::Fish => {
                out.extend_from_slice(value);
                out.extend(help.iter().flat_map(|h| [b"\t", h.as_bytes()].concat()));
            }
        }
        out.push(b'\n');
    }
    out
}

/// What the value of an argument may be.
#[derive(Clone, Copy)]
enum Source {
    /// Anything: a text, a number, a name that is yet to be.
    Free,
    /// Names of tasks in one of these states.
    Tasks(&'static [State]),
    /// Local branches, and with `true` the remote-tracking ones.
    Branches(bool),
    /// The kinds that tasks have.
    Kinds,
    /// Sessions of git config and of the team file.
    Sessions,
    /// Stages of the team file, several of them with commas in between.
    Stages,
    /// Some of these words.
    Words(&'static [&'static str]),
    /// Slots of the pool, and tasks that have one.
    Slots,
    /// Leases of slots.
    Leases,
    /// Paths.
    Paths(ValueHint),
    /// Plan files, and directories on the way.
    Plans,
}

const LIVE: &[State] = &[State::Open, State::Blocked, State::Ready];

/// Those that say it all in a word; see "MERGE STRATEGIES" in git-merge(1).
const STRATEGY_OPTIONS: &[&str] = &[
    "ours",
    "theirs",
    "ignore-space-change",
    "ignore-all-space",
    "ignore-space-at-eol",
    "ignore-cr-at-eol",
    "renormalize",
    "no-renormalize",
    "find-renames",
    "no-renames",
    "diff-algorithm=",
];

/// The source for an argument of a subcommand; none if nobody has thought about it.
fn source(subcommand: &str, arg: &str) -> Option<Source> {
    use Source::*;
    Some(match (subcommand, arg) {
        ("add", "tasks") | ("rename", "new") | ("diff", "rest") | ("start", "command") | ("run", "cmd") => {
            Free
        }
        ("", "tasks") => Tasks(&[State::Ready]),
        ("list" | "show" | "log", "tasks" | "task") => Tasks(&State::ALL),
        ("restore", "tasks") => Tasks(&[State::Integrated, State::Dropped]),
        ("reopen", "tasks") => Tasks(&[State::Blocked, State::Ready, State::Integrated]),
        (_, "what") => Slots,
        (_, "lease") => Leases,
        (_, "count" | "holder" | "ttl" | "wait") => Free,
        (_, "tasks" | "task" | "after") => Tasks(LIVE),
        (_, "branch" | "into") => Branches(false),
        (_, "base" | "track") => Branches(true),
        (_, "state") => Words(&["open", "blocked", "ready", "integrated", "dropped"]),
        (_, "kind") => Kinds,
        (_, "session") => Sessions,
        (_, "stages") => Stages,
        (_, "color") => Words(&["always", "never", "auto"]),
        (_, "on_conflict") => Words(&OnConflict::WORDS),
        (_, "strategy_option") => Words(STRATEGY_OPTIONS),
        (_, "porcelain") => Words(&["v1"]),
        (_, "shell") => Words(&["bash", "zsh", "fish"]),
        (_, "from") => Plans,
        (_, "path" | "adopt" | "output" | "dir") => Paths(ValueHint::DirPath),
        (_, "scope") => Paths(ValueHint::AnyPath),
        (
            _,
            "title" | "goal" | "assumption" | "blocker" | "next" | "reason" | "priority" | "watch" | "format"
            | "expire" | "message" | "gpg_sign" | "check" | "jobs" | "max_load" | "retry" | "timeout",
        ) => Free,
        _ => return None,
    })
}

fn with_completers(command: Command, given: &Arc<[OsString]>) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|s| s.get_name().to_owned()).collect();
    let command = with_values(command, "", given);
    names.into_iter().fold(command, |command, name| {
        let given = given.clone();
        command.mut_subcommand(name.clone(), move |sub| with_values(sub, &name, &given))
    })
}

fn with_values(command: Command, subcommand: &str, given: &Arc<[OsString]>) -> Command {
    let ids: Vec<_> =
        command.get_arguments().filter(|a| takes_value(a)).map(|a| a.get_id().clone()).collect();
    ids.into_iter().fold(command, |command, id| match source(subcommand, id.as_str()) {
        Some(source) => command.mut_arg(id, |arg| with_source(arg, source, given.clone())),
        None => command,
    })
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

fn with_source(arg: Arg, source: Source, given: Arc<[OsString]>) -> Arg {
    match source {
        Source::Free => arg.value_hint(ValueHint::Other),
        Source::Paths(hint) => arg.value_hint(hint),
        Source::Plans => {
            let is_toml = |path: &std::path::Path| path.extension().is_some_and(|e| e == "toml");
            arg.add(ArgValueCompleter::new(PathCompleter::any().filter(is_toml)))
        }
        Source::Words(words) => arg.add(ArgValueCandidates::new(move || {
            words.iter().map(|word| CompletionCandidate::new(*word)).collect()
        })),
        Source::Tasks(states) => arg.add(ArgValueCandidates::new(move || tasks(states, &given))),
        Source::Branches(remote) => arg.add(ArgValueCandidates::new(move || branches(remote))),
        Source::Slots => arg.add(ArgValueCandidates::new(slots)),
        Source::Leases => arg.add(ArgValueCandidates::new(leases)),
        Source::Kinds => arg.add(ArgValueCandidates::new(kinds)),
        Source::Sessions => arg.add(ArgValueCandidates::new(sessions)),
        Source::Stages => arg.add(ArgValueCandidates::new(stages)),
    }
}

/// The repository, if there is one that may be read.
fn repository() -> Option<Repo> {
    let context = Context::from_env().ok()?;
    Some(place::home_of(Repo::find(&context)?, &context))
}

/// Tasks in these states that are not on the command line yet.
fn tasks(states: &[State], given: &[OsString]) -> Vec<CompletionCandidate> {
    let Some(repo) = repository() else { return Vec::new() };
    let is_new = |task: &Task| !given.iter().any(|word| word == task.slug.as_str());
    let wanted = Tasks::as_opened(&repo).all.into_iter().filter(|t| states.contains(&t.state) && is_new(t));
    wanted.map(|task| CompletionCandidate::new(task.slug.as_str()).help(Some(about(&task).into()))).collect()
}

/// "ready: Fix the login"
fn about(task: &Task) -> String {
    match &task.title {
        Some(title) => format!("{}: {}", task.state, escape_controls(title.as_bytes())),
        None => task.state.to_string(),
    }
}

fn branches(remote: bool) -> Vec<CompletionCandidate> {
    let names = repository().and_then(|repo| repo.branch_names(remote).ok()).unwrap_or_default();
    names.into_iter().map(|name| CompletionCandidate::new(OsString::from_vec(name.into()))).collect()
}

/// The slots, each with who has it, and the tasks that have one.
fn slots() -> Vec<CompletionCandidate> {
    let mut candidates = Vec::new();
    for slot in all_slots() {
        let who = slot.lease.as_ref().map_or("idle", |lease| lease.holder.as_str());
        let help = escape_controls(slot.task.as_deref().unwrap_or(who).as_bytes());
        candidates.push(CompletionCandidate::new(&slot.name).help(Some(help.into())));
        candidates.extend(slot.task.map(|task| CompletionCandidate::new(task).help(Some("its slot".into()))));
    }
    candidates
}

fn leases() -> Vec<CompletionCandidate> {
    let held = all_slots().into_iter().filter_map(|slot| Some((slot.lease?, slot.name)));
    held.map(|(lease, slot)| CompletionCandidate::new(lease.id).help(Some(format!("slot {slot}").into())))
        .collect()
}

fn all_slots() -> Vec<Slot> {
    repository().and_then(|repo| Pool::read(&repo).ok()).unwrap_or_default().slots
}

fn kinds() -> Vec<CompletionCandidate> {
    let tasks = repository().map(|repo| Tasks::as_opened(&repo)).unwrap_or_default().all;
    let mut kinds: Vec<String> = tasks.into_iter().filter_map(|t| t.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds.into_iter().map(CompletionCandidate::new).collect()
}

fn sessions() -> Vec<CompletionCandidate> {
    let names = repository().map(|repo| crate::config::session_names(&repo)).unwrap_or_default();
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn stages() -> Vec<CompletionCandidate> {
    let names = repository().map(|repo| crate::config::stage_names(&repo)).unwrap_or_default();
    names.into_iter().map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_been_thought_about() {
        for program in [Program::Task, Program::Pool, Program::Integrate] {
            let command = program.command();
            for sub in std::iter::once(&command).chain(command.get_subcommands()) {
                let name = if std::ptr::eq(sub, &command) { "" } else { sub.get_name() };
                for arg in sub.get_arguments().filter(|a| takes_value(a)) {
                    assert!(source(name, arg.get_id().as_str()).is_some(), "{name} {}", arg.get_id());
                }
            }
        }
    }

    #[test]
    fn all_states_can_be_completed() {
        let Some(Source::Words(words)) = source("list", "state") else { panic!("it has words") };
        assert_eq!(words, State::ALL.map(State::as_str));
    }
}
