//! Help and errors of the command line in the form that git gives them.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, ArgAction, Command};

/// Command lines of more than one form.
const FORMS: &[(&str, &[&str])] = &[
    ("git task", &["[<options>]", "[<options>] <command> [<args>]"]),
    (
        "git integrate",
        &["[<options>] [<task>...]", "(--continue | --skip | --abort | --quit)", "(--status | --undo)"],
    ),
    ("git pool", &["[<options>]", "[<options>] <command> [<args>]"]),
    ("git task add", &["[<options>] <task>...", "[<options>] --from <plan.toml>"]),
];

/// What people type who know other tools, and what it is called here.
const ELSEWHERE: &[(&str, &[&str], &str)] = &[
    ("git-task", &["new", "create", "begin"], "git task add"),
    ("git-task", &["remove", "delete", "del", "drop"], "git task rm"),
    ("git-task", &["ls", "status", "st"], "git task list"),
    ("git-task", &["info", "view"], "git task show"),
    ("git-task", &["cd", "goto", "switch", "checkout", "open"], "git task shell"),
    ("git-task", &["done", "finish", "close", "complete"], "git task ready"),
    ("git-task", &["merge", "integrate", "land", "submit"], "git integrate"),
    ("git-task", &["update", "rebase", "pull"], "git task sync"),
    ("git-task", &["undo", "undelete", "recover"], "git task restore"),
    ("git-task", &["exec", "foreach"], "git task run"),
    ("git-task", &["fix", "doctor"], "git task repair"),
    ("git-task", &["claim"], "git pool claim"),
    ("git-task", &["help"], "git help task"),
    ("git-pool", &["help"], "git help pool"),
    ("git-pool", &["ls", "status", "show"], "git pool list"),
    ("git-pool", &["get", "take", "acquire", "lease", "add"], "git pool claim"),
    ("git-pool", &["return", "free", "put", "give"], "git pool release"),
    ("git-pool", &["rm", "remove", "delete", "destroy"], "git pool drain"),
    ("git-pool", &["create", "new", "setup"], "git pool init"),
    ("git-pool", &["sync", "update", "refill"], "git pool fill"),
];

/// What clap doesn't do by itself: `-h` and `--help` apart, `--no-` for every switch, git's form of usage.
///
/// `path` is how the command is called: `git task`, `git task add`.
pub fn as_git_parses(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|s| s.get_name().to_owned()).collect();
    let usage = usage_of(&command, path);
    let mut command = command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .infer_long_args(true)
        // As in git, an option may be said again: the last value counts.
        .args_override_self(true)
        .override_usage(usage)
        .after_long_help(format!("See 'git help {}' for the manual", manual_of(path)))
        .help_template("usage: {usage}\n\n{about-with-newline}\n{all-args}{after-help}")
        .arg(Arg::new("-h").short('h').action(ArgAction::HelpShort).help("Print usage").hide_short_help(true))
        .arg(
            Arg::new("--help")
                .long("help")
                .action(ArgAction::HelpLong)
                .help("Print this help")
                .hide_short_help(true),
        )
        .mut_arg("-h", |arg| arg.help_heading(COMMON))
        .mut_arg("--help", |arg| arg.help_heading(COMMON));
    if command.get_version().is_some() {
        command = command.arg(
            Arg::new("--version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version")
                .hide_short_help(true)
                .help_heading(COMMON),
        );
    }
    for arg in negations(&command) {
        command = command.arg(arg);
    }
    for name in names {
        let path = format!("{path} {name}");
        command = command.mut_subcommand(name, |sub| as_git_parses(sub, &path));
    }
    command
}

/// What `git help` calls the page. It knows commands by their name without `git-`, and pages that aren't
/// called after a command by their own name only.
fn manual_of(path: &str) -> String {
    let words: Vec<&str> = path.split(' ').collect();
    if words.len() == 2 { words[1].to_owned() } else { words.join("-") }
}

/// The heading of the options that every command has.
const COMMON: &str = "Common options";

/// `git task rm [<options>] <task>...`, one line for each form.
fn usage_of(command: &Command, path: &str) -> String {
    let forms: Vec<String> = match FORMS.iter().find(|(known, _)| *known == path) {
        Some((_, forms)) => forms.iter().map(|form| format!("{path} {form}")).collect(),
        None => {
            let words = std::iter::once("[<options>]".to_owned());
            let words: Vec<_> = words.chain(command.get_positionals().map(word_of)).collect();
            vec![format!("{path} {}", words.join(" "))]
        }
    };
    forms.join("\n   or: ")
}

/// `<task>`, `<task>...`, `[<task>]`, `[<task>...]` or `[-- <arg>...]`.
fn word_of(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let name = names.first().map_or(arg.get_id().as_str(), |name| name.as_str());
    let many = if matches!(arg.get_action(), ArgAction::Append) { "..." } else { "" };
    match (arg.is_last_set(), arg.is_required_set()) {
        (true, _) => format!("[-- <{name}>{many}]"),
        (false, true) => format!("<{name}>{many}"),
        (false, false) => format!("[<{name}>{many}]"),
    }
}

/// A hidden `--no-x` for each switch `--x` that has none.
fn negations(command: &Command) -> Vec<Arg> {
    let longs: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    let switches = command.get_arguments().filter(|a| matches!(a.get_action(), ArgAction::SetTrue));
    switches
        .filter_map(|a| a.get_long().map(|long| (a, long)))
        .filter(|(_, long)| !long.starts_with("no-") && !longs.contains(&format!("no-{long}").as_str()))
        .map(|(a, long)| {
            let name = format!("no-{long}");
            let arg = Arg::new(name.clone()).long(name).action(ArgAction::SetTrue).hide(true);
            arg.overrides_with(a.get_id().clone()).global(a.is_global_set())
        })
        .collect()
}

/// What is wrong with a command line, in the words of git's parse-options.c, and the usage of its command.
pub fn complaint(error: &Error, program: &Command, args: &[OsString]) -> String {
    // clap gives the usage with some errors only. No option before a subcommand takes a word of its own.
    let first = args.iter().skip(1).filter_map(|a| a.to_str()).find(|a| !a.starts_with('-'));
    let command = first.and_then(|name| program.find_subcommand(name)).unwrap_or(program);
    let usage = command.get_overridden_usage().map(ToString::to_string).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::UnknownArgument => unknown(error),
        ErrorKind::InvalidSubcommand => {
            let name = text(error, ContextKind::InvalidSubcommand);
            let near = match elsewhere(program.get_name(), &name) {
                Some(ours) => format!(" (did you mean '{ours}'?)"),
                None => suggestion(error, ContextKind::SuggestedSubcommand),
            };
            format!("unknown subcommand: {}{near}", quoted(&name))
        }
        ErrorKind::MissingRequiredArgument => {
            format!("missing argument: {}", text(error, ContextKind::InvalidArg).replace(", ", " "))
        }
        ErrorKind::ArgumentConflict => conflict(error),
        ErrorKind::TooManyValues => format!("{} takes no value", option(error)),
        ErrorKind::NoEquals | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{} requires a value", option(error))
        }
        ErrorKind::InvalidValue => match text(error, ContextKind::InvalidValue) {
            empty if empty.is_empty() => format!("{} requires a value", option(error)),
            value => {
                let known = text(error, ContextKind::ValidValue);
                format!("{} is not one of {known}", quoted(&value))
            }
        },
        // The only values that are parsed here are numbers.
        ErrorKind::ValueValidation => match text(error, ContextKind::InvalidArg).starts_with(['<', '[']) {
            true => format!("{} is not a valid number", quoted(&text(error, ContextKind::InvalidValue))),
            false => format!("{} expects a numerical value", option(error)),
        },
        _ => {
            let all = error.to_string();
            let first = all.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    };
    format!("{what}\nusage: {usage}")
}

fn elsewhere(program: &str, name: &str) -> Option<&'static str> {
    let known = ELSEWHERE.iter().find(|(of, names, _)| *of == program && names.contains(&name));
    known.map(|(_, _, ours)| *ours)
}

fn unknown(error: &Error) -> String {
    let arg = text(error, ContextKind::InvalidArg);
    match (arg.strip_prefix("--"), arg.strip_prefix('-')) {
        (Some(long), _) => {
            // The negations are hidden; nobody who didn't begin with "no-" means one.
            let near = suggestion(error, ContextKind::SuggestedArg);
            let is_odd = near.contains("--no-") && !long.starts_with("no-");
            format!("unknown option {}{}", quoted(long), if is_odd { "" } else { &near })
        }
        (None, Some(short)) => format!("unknown switch {}", quoted(short)),
        (None, None) => format!("too many arguments: {}", quoted(&arg)),
    }
}

fn conflict(error: &Error) -> String {
    let (one, other) = (text(error, ContextKind::InvalidArg), text(error, ContextKind::PriorArg));
    let name = |arg: &str| arg.split([' ', '=', '[']).next().unwrap_or_default().to_owned();
    match (one.starts_with('-'), other.is_empty()) {
        (_, true) => format!("{} cannot be used with the other options", name(&one)),
        (true, false) if other.starts_with('-') => {
            format!("options '{}' and '{}' cannot be used together", name(&one), name(&other))
        }
        _ => format!("'{one}' and '{other}' cannot be used together"),
    }
}

/// "option `base'", as git quotes it.
fn option(error: &Error) -> String {
    let arg = text(error, ContextKind::InvalidArg);
    let name = arg.split([' ', '=', '[']).next().unwrap_or_default();
    match name.strip_prefix("--") {
        Some(long) => format!("option {}", quoted(long)),
        None => format!("switch {}", quoted(name.trim_start_matches('-'))),
    }
}

fn quoted(name: &str) -> String {
    format!("`{}'", crate::text::escape_controls(name.as_bytes()))
}

fn suggestion(error: &Error, kind: ContextKind) -> String {
    // Of several the last is the nearest.
    let near = match error.get(kind) {
        Some(ContextValue::Strings(near)) => near.last().cloned().unwrap_or_default(),
        _ => text(error, kind),
    };
    if near.is_empty() { near } else { format!(" (did you mean `{near}'?)") }
}

/// A part of what clap knows about an error; several values are separated by commas.
fn text(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(all)) => all.join(", "),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        Some(ContextValue::StyledStrs(all)) => {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::ELSEWHERE;
    use crate::cli::Program;

    #[test]
    fn words_of_elsewhere_lead_to_what_exists() {
        let programs = [Program::Task, Program::Pool, Program::Integrate].map(Program::command);
        let find = |name: &str| programs.iter().find(|p| p.get_name() == name).expect(name);
        for (program, names, ours) in ELSEWHERE {
            for name in *names {
                assert!(find(program).find_subcommand(name).is_none(), "{name} is a subcommand itself");
            }
            let mut words = ours.split(' ').skip(1).skip_while(|word| *word == "help");
            let target = find(&format!("git-{}", words.next().expect("git has a subcommand")));
            assert!(words.all(|word| target.find_subcommand(word).is_some()), "{ours}");
        }
    }

    #[test]
    fn help_is_worded_as_gits() {
        let command = Program::Task.command();
        for sub in std::iter::once(&command).chain(command.get_subcommands()) {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let helps =
                sub.get_arguments().map(|a| a.get_help().map(ToString::to_string).unwrap_or_default());
            for help in std::iter::once(about).chain(helps) {
                assert!(!help.ends_with('.'), "{}: {help}", sub.get_name());
            }
        }
    }
}
