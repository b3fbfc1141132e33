//! From the command line to a command and from its outcome to an exit code.

#![expect(clippy::disallowed_methods, reason = "the arguments are read here, once")]

mod complete;
mod integrate;
mod pool;
mod task;
mod usage;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::commands::Cx;
use crate::context::Context;
use crate::error::{EXIT_DONE, Failure, Kind, OrFatal, Result};
use crate::schedule::supervise;
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

impl Program {
    /// The command line that it understands.
    pub fn command(self) -> clap::Command {
        let (name, command) = match self {
            Program::Task => ("git task", task::Cli::command()),
            Program::Pool => ("git pool", pool::Cli::command()),
            Program::Integrate => ("git integrate", integrate::Cli::command()),
        };
        usage::as_git_parses(command, name)
    }
}

/// Runs a program with the arguments of this process: completion, or parse, context, dispatch, report.
pub fn run(program: Program) -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // Before the signal: who writes a log must outlive whoever reads what it says.
    if let Some(code) = session_process(program, &args) {
        return ExitCode::from(code);
    }
    restore_sigpipe();
    if complete::answer(program, &args) {
        return ExitCode::from(EXIT_DONE);
    }
    ExitCode::from(match program {
        Program::Task => dispatch(program, &args, task::run),
        Program::Pool => dispatch(program, &args, pool::run),
        Program::Integrate => dispatch(program, &args, integrate::run),
    })
}

/// Does the work of a process that belongs to a session, if this is one.
fn session_process(program: Program, args: &[OsString]) -> Option<u8> {
    if program != Program::Task {
        return None;
    }
    supervise::answer(args, || Context::from_env().map_or(0, |context| context.now()))
}

/// A pipe that is closed ends us quietly, as it ends git. Rust ignores the signal and would panic instead.
#[expect(unsafe_code, reason = "there is no safe way to restore a signal's default action")]
fn restore_sigpipe() {
    // SAFETY: called first thing, before any thread exists; the default action needs no handler of ours.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

fn dispatch<C>(program: Program, args: &[OsString], run: impl FnOnce(C, Context, Ui) -> Result<u8>) -> u8
where
    C: FromArgMatches,
{
    let parsed = program.command().try_get_matches_from(args).and_then(|m| C::from_arg_matches(&m));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return instead_of_running(program, &error, args),
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

/// Shows a failure with the user's own colours and advice; what was written reaches the reader first.
fn report(cx: &Cx, outcome: Result<u8>) -> Result<u8> {
    let flushed = cx.ui.flush();
    match outcome {
        Ok(code) if flushed.is_ok() => Ok(code),
        Ok(_) => Err(Failure::fatal("could not write to standard output")),
        Err(failure) => {
            cx.ui.failure(&failure);
            Ok(failure.kind.exit_code())
        }
    }
}

/// Usage on standard output and 129 for `-h`, long help and 0 for `--help`, 129 for what makes no sense.
fn instead_of_running(program: Program, error: &clap::Error, args: &[OsString]) -> u8 {
    match error.kind() {
        ErrorKind::DisplayVersion => print(error, EXIT_DONE),
        ErrorKind::DisplayHelp => {
            let options = args.iter().skip(1).take_while(|a| *a != "--");
            let long = options.filter_map(|a| a.to_str()).any(|a| a.len() > 2 && "--help".starts_with(a));
            print(error, if long { EXIT_DONE } else { Kind::Usage.exit_code() })
        }
        _ => {
            Ui::plain().failure(&Failure::usage(usage::complaint(error, &program.command(), args)));
            Kind::Usage.exit_code()
        }
    }
}

/// Prints what was asked for; `code` unless that fails.
fn print(asked: &clap::Error, code: u8) -> u8 {
    let printed = asked.print().and_then(|()| std::io::stdout().flush());
    match printed.or_fatal(|| "could not write to standard output") {
        Ok(()) => code,
        Err(failure) => {
            Ui::plain().failure(&failure);
            failure.kind.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_are_consistent() {
        for program in [Program::Task, Program::Pool, Program::Integrate] {
            program.command().debug_assert();
        }
    }
}
