//! What is shown of a conflict: in colour, with the sides' names, no line wider than the terminal, and nothing that
//! the terminal would take for a command.

use console::{Style, measure_text_width, truncate_str};
use gix::bstr::ByteSlice;

use crate::error::Result;
use crate::git::unmerged::Version;
use crate::integrate::conflict::difference::Relation;
use crate::integrate::conflict::markers::{self, Hunk};
use crate::integrate::conflict::{Conflict, Kind, Stopped, Whose};
use crate::text::escape_controls;
use crate::ui::Ui;

/// So long are markers that are only looked at: no line of a text looks like one of them.
const MARKERS: usize = 79;

/// Lines of context around a hunk.
const CONTEXT: usize = 3;

/// Lines of one side that are shown at once; the rest is shown on demand.
const SIDE: usize = 12;

/// Hunks that are shown at once.
const HUNKS: usize = 6;

/// How each side is coloured.
fn style(whose: Whose) -> Style {
    match whose {
        Whose::Ours => Style::new().cyan(),
        Whose::Theirs => Style::new().magenta(),
    }
}

/// A line as it fits the terminal, which must not break it: a hunk would be unreadable.
pub(super) fn cut(line: &str, width: usize) -> String {
    truncate_str(line, width, "…").into_owned()
}

/// A line of a file as it may be shown.
fn plain(line: &[u8]) -> String {
    const TAB: usize = 8;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut out = String::new();
    for (at, part) in line.split_str("\t").enumerate() {
        if at > 0 {
            out.push_str(&" ".repeat(TAB - measure_text_width(&out) % TAB));
        }
        out.push_str(&escape_controls(part));
    }
    out
}

fn name(stopped: &Stopped<'_>, whose: Whose) -> String {
    escape_controls(stopped.head(whose).name.as_bytes())
}

/// What is to be decided, kind by kind.
pub(super) fn summary(ui: &Ui, stopped: &Stopped<'_>, open: &[Conflict]) -> String {
    let count = match open.len() {
        0 => "Nothing is unmerged any more".to_owned(),
        1 => "1 conflict".to_owned(),
        n => format!("{n} conflicts"),
    };
    let (ours, theirs) = (name(stopped, Whose::Ours), name(stopped, Whose::Theirs));
    let (ours, theirs) = (ui.styled(&style(Whose::Ours), &ours), ui.styled(&style(Whose::Theirs), &theirs));
    let task = escape_controls(stopped.task.as_bytes());
    let mut text = format!("{count} in task '{task}', between {ours} and {theirs}\n");
    for same in open.chunk_by(|a, b| a.label == b.label) {
        let paths: Vec<_> = same.iter().map(|conflict| escape_controls(&conflict.path)).collect();
        let line =
            format!("  {} ({}): {}", escape_controls(same[0].label.as_bytes()), same.len(), paths.join(", "));
        text.push_str(&cut(&line, ui.width()));
        text.push('\n');
    }
    text
}

/// One conflict: its kind and path, what git says, and what is in it.
pub(super) fn conflict(
    ui: &Ui,
    stopped: &Stopped<'_>,
    conflict: &Conflict,
    in_place: bool,
    recorded: bool,
    (number, total): (usize, usize),
) -> Result<String> {
    let label = escape_controls(conflict.label.as_bytes());
    let head = format!("{number} of {total}: {label}: {}", escape_controls(&conflict.path));
    let mut text = format!("\n{}\n", ui.styled(&Style::new().bold(), &head));
    for message in &conflict.messages {
        let message = escape_controls(message.trim_end().as_bytes());
        text.push_str(&ui.styled(&Style::new().dim(), &message));
        text.push('\n');
    }
    if in_place {
        text.push_str(if recorded {
            "There is a recorded resolution (rerere). This is what it makes of the conflict:\n"
        } else {
            "The file in the worktree holds no markers. This is what it makes of the conflict:\n"
        });
        text.push_str(&difference(ui, &stopped.resolution(conflict)?));
    } else if conflict.kind == Kind::Text {
        text.push_str(&hunks(ui, stopped, conflict, false)?);
    }
    Ok(text)
}

/// The hunks of a text with the sides' names; not all of a long one unless `all`.
fn hunks(ui: &Ui, stopped: &Stopped<'_>, conflict: &Conflict, all: bool) -> Result<String> {
    let merged = stopped.marked(conflict, MARKERS)?;
    let lines = markers::lines(&merged.text);
    let hunks = markers::hunks(&lines, MARKERS);
    let shown = if all { hunks.len() } else { hunks.len().min(HUNKS) };
    let mut text = String::new();
    for (at, hunk) in hunks.iter().take(shown).enumerate() {
        let after = at.checked_sub(1).map_or(0, |before| hunks[before].lines().end);
        let before = hunks.get(at + 1).map_or(lines.len(), |next| next.lines().start);
        text.push_str(&one_hunk(ui, stopped, &lines, hunk, after..before, all));
    }
    if shown < hunks.len() {
        text.push_str(&format!("… and {} more like these; 'd' shows all\n", hunks.len() - shown));
    }
    Ok(text)
}

fn one_hunk(
    ui: &Ui,
    stopped: &Stopped<'_>,
    lines: &[&[u8]],
    hunk: &Hunk,
    room: std::ops::Range<usize>,
    all: bool,
) -> String {
    let width = ui.width();
    let mut text = String::new();
    let mut line = |style: Option<&Style>, content: &str| {
        let content = cut(content, width);
        match style {
            Some(style) => text.push_str(&ui.styled(style, &content)),
            None => text.push_str(&content),
        }
        text.push('\n');
    };
    let whole = hunk.lines();
    // The number that the line has in the side that is merged onto isn't known here; that of the result is near.
    line(Some(&Style::new().dim()), &format!("@@ line {} @@", whole.start + 1));
    for before in &lines[whole.start.saturating_sub(CONTEXT).max(room.start)..whole.start] {
        line(None, &format!("  {}", plain(before)));
    }
    for (whose, range, mark) in
        [(Whose::Ours, &hunk.ours, "<<<<<<<"), (Whose::Theirs, &hunk.theirs, "=======")]
    {
        let style = style(whose);
        let label =
            if whose == Whose::Ours { format!("{mark} {}", name(stopped, whose)) } else { mark.to_owned() };
        line(Some(&style), &label);
        let shown = if all { range.len() } else { range.len().min(SIDE) };
        for of_side in &lines[range.start..range.start + shown] {
            line(Some(&style), &format!("  {}", plain(of_side)));
        }
        if shown < range.len() {
            line(Some(&style), &format!("  … {} more lines; 'd' shows all", range.len() - shown));
        }
    }
    line(Some(&style(Whose::Theirs)), &format!(">>>>>>> {}", name(stopped, Whose::Theirs)));
    for after in &lines[whole.end..(whole.end + CONTEXT).min(room.end)] {
        line(None, &format!("  {}", plain(after)));
    }
    text
}

/// A difference in git's colours.
fn difference(ui: &Ui, text: &[u8]) -> String {
    let width = ui.width();
    let mut out = String::new();
    for line in text.lines() {
        let shown = cut(&plain(line), width);
        let style = match line.first() {
            Some(b'+') => Style::new().green(),
            Some(b'-') => Style::new().red(),
            Some(b'@') => Style::new().cyan(),
            _ => Style::new(),
        };
        out.push_str(&ui.styled(&style, &shown));
        out.push('\n');
    }
    out
}

/// What each side did, all of it.
pub(super) fn differences(ui: &Ui, stopped: &Stopped<'_>, conflict: &Conflict) -> Result<String> {
    let mut text = String::new();
    if conflict.kind == Kind::Text {
        text.push_str(&hunks(ui, stopped, conflict, true)?);
    }
    for whose in [Whose::Ours, Whose::Theirs] {
        let changes = stopped.changes_of(conflict, whose)?;
        let what = if conflict.version_of(whose).is_none() {
            "deleted it".to_owned()
        } else if changes.is_empty() {
            format!("has {}", version(stopped, conflict, whose)?)
        } else {
            "changed:".to_owned()
        };
        text.push_str(&ui.styled(&style(whose), &format!("{} {what}", name(stopped, whose))));
        text.push('\n');
        text.push_str(&difference(ui, &changes));
    }
    Ok(text)
}

/// What the merge changes, as git's summary has it.
pub(super) fn result(ui: &Ui, stopped: &Stopped<'_>) -> Result<String> {
    let width = format!("--stat={}", ui.width());
    let output = stopped
        .git()
        .cmd(["diff", "--cached", "--no-color", "--no-ext-diff", &width, "HEAD"])
        .poll()
        .run()?;
    Ok(output.lines().map(|line| format!("{}\n", cut(&plain(line), ui.width()))).collect())
}

/// What one side has, in a few words.
pub(super) fn version(stopped: &Stopped<'_>, conflict: &Conflict, whose: Whose) -> Result<String> {
    let Some(version) = conflict.version_of(whose).and_then(|entry| entry.of(whose)) else {
        return Ok("nothing".to_owned());
    };
    let other = conflict.version_of(whose.other()).and_then(|entry| entry.of(whose.other()));
    if version.is_submodule() {
        return submodule(stopped, conflict, whose, version, other);
    }
    if version.is_link() {
        return Ok(format!("a link to '{}'", escape_controls(&stopped.blob(version.id)?)));
    }
    if conflict.kind == Kind::Mode {
        return Ok(if version.is_executable() { "executable" } else { "not executable" }.to_owned());
    }
    if conflict.kind == Kind::Pointer {
        let pointer = stopped.blob(version.id)?;
        let value = |key: &str| {
            let line = pointer.lines().find_map(|line| line.strip_prefix(key.as_bytes()));
            line.map(escape_controls).unwrap_or_default()
        };
        let id = value("oid sha256:");
        return Ok(format!("{} bytes in Git LFS, {}", value("size "), id.get(..12).unwrap_or(&id)));
    }
    let size = stopped.size(version.id)?;
    // Renamed by both, and changed by neither.
    let is_same = other.is_some_and(|other| other.id == version.id);
    Ok(format!("{} file of {size} bytes", if is_same { "the same" } else { "a" }))
}

fn submodule(
    stopped: &Stopped<'_>,
    conflict: &Conflict,
    whose: Whose,
    version: Version,
    other: Option<Version>,
) -> Result<String> {
    let short = version.id.to_hex_with_len(12);
    let Some(other) = other.filter(|other| other.is_submodule()) else {
        return Ok(format!("the submodule at {short}"));
    };
    let (ours, theirs) = if whose == Whose::Ours { (version, other) } else { (other, version) };
    let others = name(stopped, whose.other());
    Ok(match stopped.relation(ours, theirs, conflict)? {
        Relation::Contains(containing) if containing == whose => {
            format!("commit {short}, which contains {others}'s")
        }
        Relation::Contains(_) => format!("commit {short}, which {others}'s contains"),
        Relation::Diverged => format!("commit {short}; neither contains the other"),
        Relation::Unknown => {
            format!("commit {short}; the submodule is not here to tell which contains the other")
        }
    })
}
