//! `.config/git-parallel.toml`: what a team agrees on, tracked in the repository.
//!
//! Its commands come from whoever can write to a branch, so they are also listed, in a form that can be
//! shown and hashed: `git task trust` asks about exactly that list.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use toml::Spanned;

use crate::error::Result;
use crate::text;
use crate::toml_file::Source;

/// The file's content; [`Default`] is what no file means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamFile {
    /// `[task]`
    pub task: TaskDefaults,
    /// `[setup]`
    pub setup: Setup,
    /// `[session.<name>]`: the commands by name.
    pub sessions: BTreeMap<String, String>,
    /// `[[stage]]`, in the order in which a task goes through them.
    pub stages: Vec<Stage>,
    /// `integrate.check`: what must succeed on the merged result.
    pub checks: Vec<String>,
    /// `[[on]]`, in the order of the file.
    pub hooks: Vec<Hook>,
    commands: Vec<TrustedCommand>,
}

/// `[task]`; a key of the same name in git config overrides each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TaskDefaults {
    /// What new tasks start from and go back to.
    pub base: Option<String>,
    /// Template of the branch's name.
    pub branch_format: Option<String>,
    /// Template of the worktree's path.
    pub worktree_format: Option<String>,
    /// Live tasks before a warning.
    pub limit: Option<u32>,
}

/// `[setup]`: what a new worktree gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Patterns of untracked files that are brought along.
    pub copy: Vec<String>,
    /// Commands that run in it.
    pub run: Vec<String>,
}

/// `[[stage]]`: a step that `git task run` takes each task through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its name; no two stages share one.
    pub name: String,
    /// Which session does the work, if not the task's own or the default.
    pub session: Option<String>,
    /// The command that must succeed before the next stage.
    pub gate: Option<String>,
}

/// `[[on]]`: a command that an event runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What happened.
    pub event: Event,
    /// Pathspecs of which the task must have touched one; empty means always.
    pub paths: Vec<String>,
    /// The command.
    pub run: String,
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Event {
    Added,
    Ready,
    Blocked,
    Integrated,
    Failed,
    Dropped,
}

impl Event {
    /// The word used in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Added => "added",
            Event::Ready => "ready",
            Event::Blocked => "blocked",
            Event::Integrated => "integrated",
            Event::Failed => "failed",
            Event::Dropped => "dropped",
        }
    }
}

/// A command of the file, which runs only when the user has trusted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedCommand {
    /// Where it stands: `setup.run[1]`, `session.default.command`, `stage.build.gate`, `integrate.check[1]`,
    /// `on.integrated[1]`. Counts begin at 1.
    pub place: String,
    /// The command as written, placeholders and all.
    pub command: String,
}

impl TeamFile {
    /// Every command that can be run because of this file, in the order of the file.
    pub fn commands(&self) -> &[TrustedCommand] {
        &self.commands
    }

    /// The text to hash: the same for the same commands in the same places and order, and different for any others.
    ///
    /// Each part is preceded by its length, so that no command can be written to look like two.
    /// Comments and keys that run nothing are left out, so that changing them does not ask again.
    pub fn manifest(&self) -> String {
        let mut out = String::from("git-parallel commands, version 1\n");
        for TrustedCommand { place, command } in &self.commands {
            out.push_str(&format!("{}:{place}\n{}:{command}\n", place.len(), command.len()));
        }
        out
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    task: TaskDefaults,
    #[serde(default)]
    setup: RawSetup,
    #[serde(default)]
    session: BTreeMap<Spanned<String>, RawSession>,
    #[serde(default)]
    stage: Vec<RawStage>,
    #[serde(default)]
    integrate: RawIntegrate,
    #[serde(default)]
    on: Vec<RawHook>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSetup {
    copy: Vec<String>,
    run: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSession {
    command: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    name: Spanned<String>,
    session: Option<Spanned<String>>,
    gate: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawIntegrate {
    check: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHook {
    event: Event,
    #[serde(default)]
    paths: Vec<String>,
    run: Spanned<String>,
}

/// Reads the file. `file_name` is what errors call it; `known_session` says whether a session of that name
/// is defined elsewhere, as git config may do.
///
/// # Errors
///
/// The first thing that is wrong, with file and line: syntax, an unknown key or event, a wrong type, a name
/// that could not be given on a command line, two stages of one name, a stage with a session
/// that is nowhere, and a command that is empty or holds a NUL.
pub fn parse(text: &str, file_name: &str, known_session: impl Fn(&str) -> bool) -> Result<TeamFile> {
    let source = Source::new(text, file_name);
    let raw: RawFile = source.read()?;
    let mut commands = Commands { source, found: Vec::new() };

    let setup = Setup { copy: raw.setup.copy, run: commands.list("setup.run", raw.setup.run)? };
    let mut sessions = BTreeMap::new();
    for (name, session) in raw.session {
        check_name(source, "session", &name)?;
        let command = commands.one(format!("session.{}.command", name.get_ref()), session.command)?;
        sessions.insert(name.into_inner(), command);
    }
    let known = |name: &str| sessions.contains_key(name) || known_session(name);
    let stages = stages(raw.stage, &mut commands, known)?;
    let checks = commands.list("integrate.check", raw.integrate.check)?;
    let mut seen: HashMap<Event, usize> = HashMap::new();
    let mut hooks = Vec::with_capacity(raw.on.len());
    for RawHook { event, paths, run } in raw.on {
        let count = seen.entry(event).and_modify(|count| *count += 1).or_insert(1);
        let run = commands.one(format!("on.{}[{count}]", event.as_str()), run)?;
        hooks.push(Hook { event, paths, run });
    }
    Ok(TeamFile { task: raw.task, setup, sessions, stages, checks, hooks, commands: commands.in_order() })
}

fn stages(
    raw: Vec<RawStage>,
    commands: &mut Commands<'_>,
    known: impl Fn(&str) -> bool,
) -> Result<Vec<Stage>> {
    let source = commands.source;
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut stages = Vec::with_capacity(raw.len());
    for RawStage { name, session, gate } in raw {
        check_name(source, "stage", &name)?;
        let at = name.span().start;
        let name = name.into_inner();
        if let Some(first) = places.insert(name.clone(), at) {
            return Err(
                source.refuse(at, format!("stage '{name}' is already in line {}", source.line(first)))
            );
        }
        if let Some(session) = session.as_ref().filter(|session| !known(session.get_ref())) {
            let shown = text::escape_controls(session.get_ref().as_bytes());
            let message = format!("stage '{name}' has the session '{shown}', which is not defined");
            return Err(source.refuse(session.span().start, message).hint(
                "taskSession",
                "Define it as '[session.<name>]' in this file, or as 'session.<name>.command' in git config.",
            ));
        }
        let gate = gate.map(|gate| commands.one(format!("stage.{name}.gate"), gate)).transpose()?;
        stages.push(Stage { name, session: session.map(Spanned::into_inner), gate });
    }
    Ok(stages)
}

/// A name goes on command lines (`--session <name>`, `--stages <a,b>`) and into git config.
fn check_name(source: Source<'_>, what: &str, name: &Spanned<String>) -> Result<()> {
    let text = name.get_ref();
    let odd = |c: char| c == ',' || c.is_whitespace() || text::is_hidden(c);
    if text.is_empty() || text.starts_with('-') || text.contains(odd) {
        let shown = text::escape_controls(text.as_bytes());
        let message = format!(
            "'{shown}' is not a valid {what} name: it must not be empty, start with a '-', or hold a ',' or white space"
        );
        return Err(source.refuse(name.span().start, message));
    }
    Ok(())
}

/// Collects the commands, with where in the file each one is.
struct Commands<'a> {
    source: Source<'a>,
    found: Vec<(usize, TrustedCommand)>,
}

impl Commands<'_> {
    fn one(&mut self, place: String, command: Spanned<String>) -> Result<String> {
        let at = command.span().start;
        let command = command.into_inner();
        if command.trim().is_empty() {
            return Err(self.source.refuse(at, format!("{place} is an empty command")));
        }
        if command.contains('\0') {
            return Err(self.source.refuse(at, format!("{place} holds a NUL byte")));
        }
        self.found.push((at, TrustedCommand { place, command: command.clone() }));
        Ok(command)
    }

    fn list(&mut self, place: &str, commands: Vec<Spanned<String>>) -> Result<Vec<String>> {
        commands.into_iter().zip(1..).map(|(command, n)| self.one(format!("{place}[{n}]"), command)).collect()
    }

    fn in_order(mut self) -> Vec<TrustedCommand> {
        self.found.sort_by_key(|(at, _)| *at);
        self.found.into_iter().map(|(_, command)| command).collect()
    }
}

#[cfg(test)]
mod tests;
