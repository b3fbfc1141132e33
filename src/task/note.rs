//! The text of `notes/<task>/status.md`.
//!
//! People and programs write this file by hand, so it is never rebuilt: what changes is the text of one
//! section, and every other byte stays. The file need not be UTF-8, and may end its lines with CRLF.

mod headings;

use super::slug::Slug;
use headings::Heading;

/// A section that the commands know. A note may have others, which are the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// What is done when the task is done.
    Goal,
    /// What was taken for granted.
    Assumptions,
    /// What keeps the task from going on; text here shows in the list.
    Blockers,
    /// What to do next.
    NextSteps,
}

impl Section {
    /// In the order of the template.
    pub const ALL: [Section; 4] =
        [Section::Goal, Section::Assumptions, Section::Blockers, Section::NextSteps];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Section::Goal => "Goal",
            Section::Assumptions => "Assumptions",
            Section::Blockers => "Blockers",
            Section::NextSteps => "Next steps",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Section::Goal => "What is done when this task is done.",
            Section::Assumptions => "What was taken for granted, so that others can object.",
            Section::Blockers => "What this task waits for. Text here shows in 'git task list'.",
            Section::NextSteps => "Where to go on.",
        }
    }
}

/// The note of a new task: the title (its first line) or the name as its heading, and the four sections, those
/// without text with a comment that says what belongs there.
pub fn template(title: Option<&str>, slug: &Slug, goal: Option<&str>) -> String {
    let title = title.and_then(|title| title.trim().lines().next());
    let mut out = match title {
        Some(title) => format!("# {title} ({slug})\n"),
        None => format!("# {slug}\n"),
    };
    for section in Section::ALL {
        let goal = goal.map(str::trim).filter(|goal| section == Section::Goal && !goal.is_empty());
        let body =
            goal.map_or_else(|| format!("<!-- {} -->", section.hint()), |goal| goal.replace("\r\n", "\n"));
        out.push_str(&format!("\n## {}\n\n{body}\n", section.title()));
    }
    out
}

/// The text of a section without its heading, trimmed, with `\n` at the ends of lines.
///
/// `None` if there is no such section, or nothing in it but white space and HTML comments. Bytes that are
/// not UTF-8 become U+FFFD.
pub fn section(text: &[u8], section: Section) -> Option<String> {
    let body = text.get(find(text, section)?)?;
    let body = String::from_utf8_lossy(&headings::without_comments(body)).replace("\r\n", "\n");
    let trimmed = body.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// The same note with another text in one section.
///
/// Nothing else changes, neither the blank lines around the text nor the absence of a newline at the end of
/// the file. Of several sections with the name the first is meant, and one of level 2 before all others. A
/// section that isn't there is added at the end. An empty `body` leaves the heading.
///
/// The body is what the user typed, and stays that: a body that has `## Blockers` in it makes a heading,
/// and one that has an odd code fence may take following headings with it, just as if written with an editor.
pub fn with_section(text: &[u8], section: Section, body: &str) -> Vec<u8> {
    let newline: &[u8] = newline_of(text);
    let body = body.trim().replace("\r\n", "\n");
    let mut lines = Vec::with_capacity(body.len());
    for (index, line) in body.split('\n').enumerate() {
        if index > 0 {
            lines.extend_from_slice(newline);
        }
        lines.extend_from_slice(line.as_bytes());
    }

    let Some(range) = find(text, section) else {
        return appended(text, section, &lines, newline);
    };
    let old = &text[range.clone()];
    let blank_before: usize = blank_lines(old.split_inclusive(|&b| b == b'\n'));
    let mut out = text[..range.start].to_vec();
    if blank_before < old.len() {
        // The text alone is exchanged; its last line's newline, if it has one, stays with what follows.
        let content = old.trim_ascii_end().len();
        let after = &old[content..];
        let after = &after[after.iter().position(|&b| b == b'\n' || b == b'\r').unwrap_or(after.len())..];
        if lines.is_empty() {
            let blank_after = after.iter().position(|&b| b == b'\n').map_or(&b""[..], |at| &after[at + 1..]);
            out.extend_from_slice(&old[..blank_before]);
            if blank_before == 0 {
                out.extend_from_slice(blank_after);
            }
        } else {
            out.extend_from_slice(&old[..blank_before]);
            out.extend_from_slice(&lines);
            out.extend_from_slice(after);
            let is_next_line = after.iter().filter(|&&b| b == b'\n').count() < 2;
            // Text of the line before would be the heading's too.
            if is_next_line && headings::is_underlined(&text[range.end..]) {
                out.extend_from_slice(newline);
            }
        }
    } else if lines.is_empty() {
        out.extend_from_slice(old);
    } else {
        // The heading may be the end of the file, without a newline.
        if !out.ends_with(b"\n") {
            out.extend_from_slice(newline);
        }
        out.extend_from_slice(newline);
        out.extend_from_slice(&lines);
        let at_end = range.end == text.len();
        if !at_end || text.ends_with(b"\n") {
            out.extend_from_slice(newline);
        }
        if !at_end {
            out.extend_from_slice(newline);
        }
    }
    out.extend_from_slice(&text[range.end..]);
    out
}

/// What several options of one kind make: one is a plain text, and several are a list.
pub fn body_of(items: &[String]) -> String {
    let items: Vec<&str> = items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).collect();
    match items.as_slice() {
        [] => String::new(),
        [item] => (*item).to_owned(),
        // A line that goes on under an item belongs to it only if it is indented.
        many => {
            many.iter().map(|item| format!("- {}", item.replace('\n', "\n  "))).collect::<Vec<_>>().join("\n")
        }
    }
}

/// What lies between a section's heading and the next one: of the same or a higher level, or of another
/// section, so that a note whose title happens to be `# Goal` is not one section from end to end.
fn find(text: &[u8], section: Section) -> Option<std::ops::Range<usize>> {
    let headings = headings::headings(text);
    let named = |heading: &Heading, section: Section| heading.title.eq_ignore_ascii_case(section.title());
    let of_level_2 = headings.iter().position(|heading| heading.level == 2 && named(heading, section));
    let at = of_level_2.or_else(|| headings.iter().position(|heading| named(heading, section)))?;
    let ends = |other: &&Heading| {
        let another = Section::ALL.into_iter().any(|known| known != section && named(other, known));
        other.level <= headings[at].level || another
    };
    let end = headings[at + 1..].iter().find(ends).map_or(text.len(), |other| other.start);
    Some(headings[at].end..end)
}

fn appended(text: &[u8], section: Section, lines: &[u8], newline: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    if !out.is_empty() {
        if !out.ends_with(b"\n") {
            out.extend_from_slice(newline);
        }
        if !out.ends_with(b"\n\n") && !out.ends_with(b"\n\r\n") {
            out.extend_from_slice(newline);
        }
    }
    out.extend_from_slice(format!("## {}", section.title()).as_bytes());
    out.extend_from_slice(newline);
    if !lines.is_empty() {
        out.extend_from_slice(newline);
        out.extend_from_slice(lines);
        out.extend_from_slice(newline);
    }
    out
}

/// The line end of the first line, which is the file's style.
fn newline_of(text: &[u8]) -> &'static [u8] {
    match text.iter().position(|&b| b == b'\n') {
        Some(at) if text[..at].ends_with(b"\r") => b"\r\n",
        _ => b"\n",
    }
}

fn blank_lines<'a>(lines: impl Iterator<Item = &'a [u8]>) -> usize {
    lines.take_while(|line| line.trim_ascii().is_empty()).map(<[u8]>::len).sum()
}

#[cfg(test)]
mod tests;
