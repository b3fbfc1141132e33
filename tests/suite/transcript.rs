//! What documents show as a session in a shell: it is executed and compared.
//!
//! Each line after `$ ` is run by sh, `> ` continues it, and what follows is what a person would see, standard
//! error included. A wildcard stands for any text within a line, and for any number of lines where it
//! stands alone. A command that fails is followed by a last line `? <code>`. All of a document is one
//! session: a `cd` lasts.

use snapbox::IntoData;
use snapbox::assert::{Action, Assert};

use crate::support::{Run, Sandbox};

/// A command and what it is said to show.
#[derive(Debug, PartialEq)]
pub struct Step {
    /// What sh runs.
    pub command: String,
    /// What is shown then; absent for a command that the reader doesn't see and that has to succeed.
    pub shown: Option<String>,
}

impl Step {
    /// A command that the document does not show.
    pub fn hidden(command: &str) -> Self {
        Step { command: command.into(), shown: None }
    }
}

/// The steps in the lines of a block.
///
/// # Panics
/// If the block does not begin with a command.
pub fn steps<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        let last = steps.last_mut();
        match (line.strip_prefix("$ "), line.strip_prefix("> "), last) {
            (Some(command), _, _) => steps.push(Step { command: command.into(), shown: Some(String::new()) }),
            (_, Some(more), Some(Step { command, shown: Some(shown) })) if shown.is_empty() => {
                *command += &format!("\n{more}");
            }
            (_, _, Some(Step { shown: Some(shown), .. })) => *shown += &format!("{line}\n"),
            (_, _, _) => panic!("a block begins with a command, not with {line:?}"),
        }
    }
    assert!(!steps.is_empty(), "an empty block shows nothing");
    steps
}

/// How what is shown stands for what is printed.
#[derive(Clone, Copy)]
pub struct Manner {
    /// The wildcard.
    pub wildcard: &'static str,
    /// Any number of spaces is as good as any other, so that columns can be shown below each other although a
    /// wildcard is in them.
    pub loose: bool,
}

/// Runs the steps in a repository `app` and compares. `name` says whose steps they are.
#[track_caller]
pub fn check(name: &str, steps: &[Step], manner: Manner) {
    let sandbox = Sandbox::new();
    let dir = sandbox.init_with("app", &[]);
    // A character that no command of ours prints ends what each has shown.
    let script: String = steps.iter().map(|s| format!("{}\nprintf '\\036%s\\036' $?\n", s.command)).collect();
    let run = Run::of(sandbox.command(&dir, "sh").args(["-c", &format!("exec 2>&1\n{script}")]), b"");
    let mut shown = run.stdout.split('\u{1e}');
    for step in steps {
        let (Some(output), Some(code)) = (shown.next(), shown.next().filter(|code| !code.is_empty())) else {
            panic!("{name}: the shell ended in `{}`\n{run}", step.command)
        };
        let Some(expected) = &step.shown else {
            assert_eq!(code, "0", "{name}: $ {}\n{output}", step.command);
            continue;
        };
        let status = if code == "0" { String::new() } else { format!("? {code}\n") };
        let (mut actual, mut expected) =
            (format!("{output}{status}"), with_wildcards(expected, manner.wildcard));
        if manner.loose {
            (actual, expected) = (squeezed(&actual), squeezed(&expected));
        }
        // Whatever SNAPSHOTS says: this is prose, which nothing overwrites.
        let assert = Assert::new().action(Action::Verify).normalize_paths(false);
        let result = assert.try_eq(Some(&step.command), actual.into_data(), expected.into_data());
        result.unwrap_or_else(|difference| panic!("{name}: $ {}\n{difference}", step.command));
    }
}

/// Snapbox's wildcards for ours.
fn with_wildcards(shown: &str, wildcard: &str) -> String {
    let line = |line: &str| {
        if line == wildcard { "...\n".to_owned() } else { line.replace(wildcard, "[..]") + "\n" }
    };
    shown.lines().map(line).collect()
}

/// The lines with one space for several, and none at their ends.
fn squeezed(text: &str) -> String {
    let words = |line: &str| line.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    text.lines().map(|line| words(line) + "\n").collect()
}
