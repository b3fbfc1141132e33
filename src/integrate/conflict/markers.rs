//! The lines by which git marks what it could not merge: reading them, and telling whether some were left over.

use std::collections::HashMap;
use std::ops::Range;

use gix::bstr::ByteSlice;

/// The length of git's markers unless the attribute `conflict-marker-size` says another.
pub const DEFAULT_SIZE: usize = 7;

/// One place where both sides differ, as line numbers (from 0) of the marked text, markers not included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The lines of the side that was merged onto.
    pub ours: Range<usize>,
    /// The lines of the common ancestor, in the styles that show them.
    pub base: Option<Range<usize>>,
    /// The lines of the side that was merged.
    pub theirs: Range<usize>,
}

impl Hunk {
    /// All of it, with its markers.
    pub fn lines(&self) -> Range<usize> {
        self.ours.start - 1..self.theirs.end + 1
    }
}

/// The hunks of a text whose markers have this size. What doesn't make a whole hunk is none.
pub fn hunks(lines: &[&[u8]], size: usize) -> Vec<Hunk> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        match hunk_at(lines, at, size) {
            Some(hunk) => {
                at = hunk.lines().end;
                all.push(hunk);
            }
            None => at += 1,
        }
    }
    all
}

fn hunk_at(lines: &[&[u8]], start: usize, size: usize) -> Option<Hunk> {
    let find = |from: usize, wanted: &[u8]| {
        let is_wanted = |at: &usize| marker_of(lines[*at], size).is_some_and(|m| wanted.contains(&m));
        (from..lines.len()).find(is_wanted)
    };
    if marker_of(lines[start], size) != Some(b'<') {
        return None;
    }
    let first = find(start + 1, b"<|=>")?;
    let (ours_end, base, middle) = match marker_of(lines[first], size)? {
        b'=' => (first, None, first),
        b'|' => {
            let middle = find(first + 1, b"<=>").filter(|at| marker_of(lines[*at], size) == Some(b'='))?;
            (first, Some(first + 1..middle), middle)
        }
        _ => return None,
    };
    let end = find(middle + 1, b"<>").filter(|at| marker_of(lines[*at], size) == Some(b'>'))?;
    Some(Hunk { ours: start + 1..ours_end, base, theirs: middle + 1..end })
}

/// The text's lines, each with its end.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.lines_with_terminator().collect()
}

/// The line (from 0) of the first marker that was left over: one that neither side accounts for. `base`, `ours`
/// and `theirs` are what was merged; what is missing accounts for nothing.
///
/// A line that looks like a marker and was there before is none: a text may be underlined with `=======`. It is
/// counted, so that a text with such a line of its own doesn't hide one of git's.
pub fn left_over(text: &[u8], base: &[u8], ours: &[u8], theirs: &[u8], size: usize) -> Option<usize> {
    let [base, ours, theirs] = [base, ours, theirs].map(|side| count(side, size));
    let mut allowed: HashMap<&[u8], usize> = HashMap::new();
    for line in ours.keys().chain(theirs.keys()) {
        let in_side = |side: &HashMap<&[u8], usize>| side.get(line).copied().unwrap_or(0);
        let (ours, theirs, base) = (in_side(&ours), in_side(&theirs), in_side(&base));
        // What both have from before is there once; what each has added may be there twice.
        let both = (ours + theirs).saturating_sub(base.min(ours).min(theirs));
        allowed.insert(line, both.max(ours).max(theirs));
    }
    for (number, line) in text.lines_with_terminator().enumerate() {
        let Some(line) = suspect(line, size) else { continue };
        match allowed.get_mut(line) {
            Some(left @ 1..) => *left -= 1,
            _ => return Some(number),
        }
    }
    None
}

/// The lines of a text that look like markers, and how often each is there.
fn count(text: &[u8], size: usize) -> HashMap<&[u8], usize> {
    let mut counts = HashMap::new();
    for line in text.lines_with_terminator().filter_map(|line| suspect(line, size)) {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

/// The line without its end, if it looks like a marker. Where git merges a file that both renamed, or a merge base
/// that it makes up, the markers are longer.
fn suspect(line: &[u8], size: usize) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_longer = || {
        let Some(first) = line.first().filter(|byte| b"<>".contains(byte)) else { return false };
        let run = line.iter().take_while(|byte| *byte == first).count();
        run > size && line[run..].starts_with(b" ")
    };
    (marker_of(line, size).is_some() || is_longer()).then_some(line)
}

/// The character of which a line is a marker. The rule is that of `is_cmarker()` in git's rerere.c, and that the
/// one in the middle has no label.
fn marker_of(line: &[u8], size: usize) -> Option<u8> {
    let first = *line.first()?;
    let run = line.iter().take_while(|byte| **byte == first).count();
    if run != size {
        return None;
    }
    let rest = &line[run..];
    let is_end = matches!(rest, b"" | b"\n" | b"\r\n" | b"\r");
    match first {
        b'<' | b'>' => rest.starts_with(b" ").then_some(first),
        // In diff3 style the ancestor may have no name.
        b'|' => (is_end || rest.starts_with(b" ")).then_some(first),
        b'=' => is_end.then_some(first),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
