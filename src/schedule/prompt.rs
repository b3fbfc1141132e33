//! What a worker is told about its task.

use std::path::Path;

use crate::bounded;
use crate::desk::template;
use crate::error::{OrFatal, Result};
use crate::task::record::Tasks;
use crate::task::{Desk, Task, note, notes, place};

/// So many bytes a template has at most.
const TEMPLATE_LIMIT: u64 = 1 << 20;

/// The built-in template. Paragraphs about what the task doesn't have are left out.
const BUILT_IN: &str = "\
Your task is '{task}' in the repository '{repo}'.
{?title}
{title}
{?goal}
Goal:
{goal}
{?scope}
Change only what these pathspecs name:
{scope}
{?after}
It comes after these tasks:
{after}
{.}
You work in {path}
on the branch {branch}. This worktree is yours alone: others work
at the same time in worktrees of their own. Change nothing outside of it.

Your note is {note}
Keep its sections up to date: what you assume, what blocks you, what comes next.

Commit your work to the branch. Don't merge it anywhere, and don't push: that is done for you.
When all is done and committed, say so: git task ready
If you can't go on, say why: git task block -m '<reason>'
";

/// The prompt of a task whose files are at `path`: from the template in `task.promptFormat`, else built in.
///
/// # Errors
/// If the template can't be read, or has an unknown placeholder.
pub fn of(desk: &Desk<'_>, task: &Task, path: &Path) -> Result<String> {
    let values = values(desk, task, path)?;
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    match &desk.settings.session.prompt_format {
        None => template::expand(&built_in(&values), &values),
        Some(file) => {
            let file = desk.repo.home().join(file);
            let failed = || format!("could not read '{}'", file.display());
            let bytes = bounded::read(&file, TEMPLATE_LIMIT).or_fatal(failed)?;
            let text = String::from_utf8(bytes).or_fatal(failed)?;
            template::expand(&text, &values)
                .map_err(|e| e.context(format!("in '{}' (task.promptFormat)", file.display())))
        }
    }
}

/// The placeholders and what they stand for.
fn values(desk: &Desk<'_>, task: &Task, path: &Path) -> Result<Vec<(&'static str, String)>> {
    let branch = match (task.own_branch(), task.tracked()) {
        (Some(own), _) => own.to_owned(),
        (None, tracked) => tracked.unwrap_or_default().to_owned(),
    };
    Ok(vec![
        ("task", task.slug.to_string()),
        ("repo", desk.repo.name()),
        ("title", task.title.clone().unwrap_or_default()),
        ("goal", goal(task, path)),
        ("path", path.display().to_string()),
        ("branch", branch),
        ("base", task.base.clone().unwrap_or_default()),
        ("note", path.join(notes::relative_path(&task.slug)).display().to_string()),
        ("scope", task.scope.join("\n")),
        ("after", after(desk, task)?),
    ])
}

/// The goal as the note has it.
pub fn goal(task: &Task, path: &Path) -> String {
    // A note that can't be read says nothing; `git task note` gives the reason.
    let text = notes::glance(path, &task.slug);
    text.and_then(|text| note::section(&text, note::Section::Goal)).unwrap_or_default()
}

/// A line for each task that it comes after, with its state.
fn after(desk: &Desk<'_>, task: &Task) -> Result<String> {
    if task.after.is_empty() {
        return Ok(String::new());
    }
    let (tasks, worktrees) = (Tasks::read(desk.repo)?, desk.repo.worktrees()?);
    let mut lines = Vec::new();
    for name in &task.after {
        let state = match tasks.find(name) {
            Some(before) => before.state_at(place::head_of(desk.repo, before, &worktrees)?).to_string(),
            None => "gone".to_owned(),
        };
        lines.push(format!("{name}: {state}"));
    }
    Ok(lines.join("\n"))
}

/// The built-in template without the paragraphs that have nothing to say.
fn built_in(values: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut shown = true;
    for line in BUILT_IN.lines() {
        match line.strip_prefix("{?").and_then(|l| l.strip_suffix('}')) {
            Some(name) => {
                shown = values.iter().any(|(known, value)| *known == name && !value.is_empty());
                if shown {
                    out.push('\n');
                }
            }
            None if line == "{.}" => {
                shown = true;
                out.push('\n');
            }
            None if shown => {
                out.push_str(line);
                out.push('\n');
            }
            None => {}
        }
    }
    out
}
