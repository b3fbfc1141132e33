//! Which command a session is: given as it is, or named.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::prompt;
use crate::desk::template::expand_shell;
use crate::error::{Failure, Result};
use crate::paths::path_bytes;
use crate::task::{Desk, Task};
use crate::text::escape_controls;

/// The session that works on a task without one of its own.
const DEFAULT: &str = "default";

/// A command, before its placeholders are filled in.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The name of the `session.<name>`, unless the command was given as it is.
    pub name: Option<String>,
    /// It comes from the team file, so that it needs `git task trust`.
    pub from_team: bool,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Argv(Vec<OsString>),
    Line(String),
}

/// Chooses: the command that was given, else the session that was named, else the task's own, else `default`.
///
/// # Errors
/// If there is no such session.
pub fn choose(desk: &Desk<'_>, task: &Task, named: Option<&str>, argv: &[OsString]) -> Result<Chosen> {
    if !argv.is_empty() {
        return Ok(Chosen { name: None, from_team: false, source: Source::Argv(argv.to_vec()) });
    }
    let name = named.or(task.session.as_deref()).unwrap_or(DEFAULT);
    let all = &desk.settings.session.all;
    let Some(session) = all.get(name) else {
        let shown = escape_controls(name.as_bytes());
        let known: Vec<_> = all.keys().map(|k| format!("'{}'", escape_controls(k.as_bytes()))).collect();
        let known = match known.as_slice() {
            [] => "no session is defined".to_owned(),
            known => format!("these are: {}", known.join(", ")),
        };
        return Err(Failure::fatal(format!("no such session: '{shown}' ({known})")).hint(
            "taskSession",
            format!(
                "Give a command after '--', or define the session:\n\
                 git config session.{name}.command '<command>'"
            ),
        ));
    };
    Ok(Chosen {
        name: Some(name.to_owned()),
        from_team: session.from_team,
        source: Source::Line(session.command.clone()),
    })
}

impl Chosen {
    /// A command line of the team file, such as a gate.
    pub fn line(line: &str) -> Self {
        Chosen { name: None, from_team: true, source: Source::Line(line.to_owned()) }
    }

    /// The program and its arguments for this task, and the command for eyes.
    ///
    /// # Errors
    /// If a placeholder stands where no argument can be.
    pub fn fill_in(&self, desk: &Desk<'_>, task: &Task, path: &Path) -> Result<(Vec<OsString>, String)> {
        match &self.source {
            Source::Argv(argv) => {
                let words: Vec<_> =
                    argv.iter().map(|a| String::from_utf8_lossy(a.as_encoded_bytes())).collect();
                Ok((argv.clone(), words.join(" ")))
            }
            Source::Line(line) => {
                let prompt = match line.contains("{prompt}") {
                    true => prompt::of(desk, task, path)?,
                    false => String::new(),
                };
                let goal = prompt::goal(task, path);
                let branch = task.own_branch().or(task.tracked()).unwrap_or_default();
                let values: [(&str, &[u8]); 6] = [
                    ("prompt", prompt.as_bytes()),
                    ("task", task.slug.as_str().as_bytes()),
                    ("branch", branch.as_bytes()),
                    ("path", path_bytes(path)),
                    ("title", task.title.as_deref().unwrap_or_default().as_bytes()),
                    ("goal", goal.as_bytes()),
                ];
                let filled = expand_shell(line, &values)?;
                let argv = vec!["sh".into(), "-c".into(), OsString::from_vec(filled)];
                Ok((argv, line.clone()))
            }
        }
    }
}
