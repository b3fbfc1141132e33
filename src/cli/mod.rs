//! From the command line to a command and from its outcome to an exit code.

mod task;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches};

use crate::context::Context;
use crate::error::{EXIT_DONE, Kind, Result};
use crate::ui::Ui;

/// The three programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `git task`
    Task,
    /// `git pool`
    Pool,
    /// `git integrate`
    Integrate,
}

/// Runs a program with the arguments of this process.
pub fn run(program: Program) -> ExitCode {
    restore_sigpipe();
    let args: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(match program {
        Program::Task => dispatch::<task::Cli>(&args, task::run),
        Program::Pool => not_yet(&args, "pool", "hand out worktrees made ahead of need"),
        Program::Integrate => not_yet(&args, "integrate", "merge what is ready"),
    })
}

/// A pipe that is closed ends us quietly, as it ends git. Rust ignores the signal and would panic instead.
#[expect(unsafe_code, reason = "there is no safe way to restore a signal's default action")]
fn restore_sigpipe() {
    // SAFETY: called first thing, before any thread exists; the default action needs no handler of ours.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

fn dispatch<C>(args: &[OsString], run: impl FnOnce(C, Context, Ui) -> Result<u8>) -> u8
where
    C: CommandFactory + FromArgMatches,
{
    let mut command = as_git_parses(C::command());
    let matches = match command.try_get_matches_from_mut(args) {
        Ok(matches) => matches,
        Err(error) => return usage(&error, args),
    };
    let cli = match C::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, args),
    };
    let outcome = Context::from_env().and_then(|context| run(cli, context, Ui::plain()));
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            Ui::plain().failure(&failure);
            failure.kind.exit_code()
        }
    }
}

/// What clap doesn't do by itself: `-h` and `--help` apart, `--no-` for every switch, git's form of help.
fn as_git_parses(command: clap::Command) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|s| s.get_name().to_owned()).collect();
    let mut command = command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .infer_long_args(true)
        .help_template("usage: {usage}\n\n{about-with-newline}\n{all-args}{after-help}")
        .arg(
            clap::Arg::new("-h")
                .short('h')
                .action(ArgAction::HelpShort)
                .help("Print usage")
                .hide_short_help(true),
        )
        .arg(
            clap::Arg::new("--help")
                .long("help")
                .action(ArgAction::HelpLong)
                .help("Print all help")
                .hide_short_help(true),
        );
    for arg in negations(&command) {
        command = command.arg(arg);
    }
    for name in names {
        command = command.mut_subcommand(name, as_git_parses);
    }
    command
}

/// A hidden `--no-x` for each switch `--x` that has none.
fn negations(command: &clap::Command) -> Vec<clap::Arg> {
    let longs: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
    let switches = command.get_arguments().filter(|a| matches!(a.get_action(), ArgAction::SetTrue));
    let wanted = switches.filter(|a| {
        a.get_long()
            .is_some_and(|long| !long.starts_with("no-") && !longs.contains(&format!("no-{long}").as_str()))
    });
    wanted
        .map(|a| {
            let name = format!("no-{}", a.get_long().expect("it was just looked at"));
            let arg = clap::Arg::new(name.clone()).long(name).action(ArgAction::SetTrue).hide(true);
            arg.overrides_with(a.get_id().clone()).global(a.is_global_set())
        })
        .collect()
}

/// Usage on standard output and 129 for `-h`, long help and 0 for `--help`, 129 for what makes no sense.
fn usage(error: &clap::Error, args: &[OsString]) -> u8 {
    match error.kind() {
        ErrorKind::DisplayVersion => {
            let _ = error.print();
            EXIT_DONE
        }
        ErrorKind::DisplayHelp => {
            let _ = error.print();
            let options = args.iter().skip(1).take_while(|a| *a != "--");
            let long = options.filter_map(|a| a.to_str()).any(|a| a.len() > 2 && "--help".starts_with(a));
            if long { EXIT_DONE } else { Kind::Usage.exit_code() }
        }
        _ => {
            // clap's own "error:" is git's too; the usage line follows it.
            let _ = error.print();
            Kind::Usage.exit_code()
        }
    }
}

/// The two programs that don't work yet say so.
fn not_yet(args: &[OsString], name: &'static str, purpose: &str) -> u8 {
    let command = clap::Command::new(format!("git-{name}"))
        .bin_name(format!("git {name}"))
        .version(env!("CARGO_PKG_VERSION"))
        .about(format!("This will {purpose}. It does nothing more than this help yet."));
    let mut command = as_git_parses(command);
    match command.try_get_matches_from_mut(args) {
        Err(error) => usage(&error, args),
        Ok(_) => {
            let message = format!("'git {name}' does nothing yet; it will {purpose}");
            Ui::plain().failure(&crate::error::Failure::fatal(message));
            Kind::Fatal.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        as_git_parses(task::Cli::command()).debug_assert();
    }
}
