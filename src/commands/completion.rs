//! `git task completion`: the files that make the shells ask us. They differ between our programs in the
//! name alone.

use clap::{Args as ClapArgs, ValueEnum};

use crate::error::{EXIT_DONE, OrFatal, Result};
use crate::ui::Ui;

/// What each of our programs is called after `git`, and what zsh says about it.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("task", "many pieces of work at once, each with its branch and worktree"),
    ("pool", "worktrees made ahead of need"),
    ("integrate", "merge tasks that are ready, all or none"),
];

/// What no file of somebody else's contains.
pub const MARK: &str = "_GIT_PARALLEL_COMPLETE";

/// The shells that we have files for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash 3.2 or newer
    Bash,
    /// zsh 5 or newer
    Zsh,
    /// fish 3.4 or newer
    Fish,
}

impl Shell {
    /// Every shell.
    pub const ALL: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

    /// The shell of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Shell::Bash),
            "zsh" => Some(Shell::Zsh),
            "fish" => Some(Shell::Fish),
            _ => None,
        }
    }

    /// The name of its file for a program, in `completions/` of the source.
    pub fn file_name(self, program: &str) -> String {
        match self {
            Shell::Bash => format!("git-{program}.bash"),
            Shell::Zsh => format!("_git-{program}"),
            Shell::Fish => format!("git-{program}.fish"),
        }
    }

    /// Its file for a program.
    pub fn script(self, program: &str, about: &str) -> String {
        let template = match self {
            Shell::Bash => include_str!("completion/git-X.bash"),
            Shell::Zsh => include_str!("completion/_git-X"),
            Shell::Fish => include_str!("completion/git-X.fish"),
        };
        template.replace("@NAME@", program).replace("@ABOUT@", about)
    }
}

/// The file for fish's `conf.d`, for all our programs.
pub const FISH_BRIDGE: &str = include_str!("completion/bridge.fish");

/// Print the completion file for a shell
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// bash, zsh or fish
    #[arg(value_name = "shell", hide_possible_values = true)]
    pub shell: Shell,
}

/// Prints what completes `git task` in a shell.
///
/// # Errors
/// If standard output can't be written.
pub fn run(ui: &Ui, args: &Args) -> Result<u8> {
    let (program, about) = PROGRAMS[0];
    let failed = || "could not write to standard output";
    ui.write(args.shell.script(program, about).as_bytes()).or_fatal(failed)?;
    if args.shell == Shell::Fish {
        ui.write(b"\n").and_then(|()| ui.write(FISH_BRIDGE.as_bytes())).or_fatal(failed)?;
    }
    Ok(EXIT_DONE)
}
