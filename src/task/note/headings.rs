//! The headings of a Markdown text, as far as a note needs them: after CommonMark 0.31, sections 4.2 (`#`),
//! 4.3 (underlined), 4.5 (fenced code) and 4.6 (HTML comments), over bytes that need not be UTF-8.
//!
//! In one thing it differs: a fence or a comment that is never closed is plain text. To CommonMark it
//! would reach to the end of the file and hide every section behind it.

/// A heading and where it is, in bytes from the start of the text.
pub(super) struct Heading {
    /// 1 to 6.
    pub level: usize,
    /// Without its marks; what is not UTF-8 is replaced.
    pub title: String,
    /// Where its first line starts.
    pub start: usize,
    /// Where the line after it starts.
    pub end: usize,
}

/// All headings, outside of code and comments.
pub(super) fn headings(text: &[u8]) -> Vec<Heading> {
    let mut found = Vec::new();
    let mut blocks = Blocks::default();
    // The paragraph that an underline would make a heading of: where it starts, and its text.
    let mut paragraph: Option<(usize, Vec<u8>)> = None;
    // A byte order mark is not part of the first line's text.
    let mut at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < text.len() {
        let rest = &text[at..];
        if let Some(length) = blocks.code_or_comment(rest) {
            paragraph = None;
            at += length;
            continue;
        }
        let line = first_line(rest);
        let end = at + line.len();
        if let Some((level, title)) = atx(line) {
            found.push(Heading { level, title, start: at, end });
            paragraph = None;
        } else if let (Some(level), Some((start, title))) = (underline(line), &paragraph) {
            found.push(Heading { level, title: readable(title), start: *start, end });
            paragraph = None;
        } else {
            paragraph = match paragraph.take() {
                _ if line.trim_ascii().is_empty() => None,
                Some((start, mut title)) => {
                    title.extend_from_slice(line);
                    Some((start, title))
                }
                None => starts_paragraph(line).then(|| (at, line.to_vec())),
            };
        }
        at = end;
    }
    found
}

/// Whether the heading that a text begins with is one by its underline.
pub(super) fn is_underlined(text: &[u8]) -> bool {
    !text.is_empty() && atx(first_line(text)).is_none()
}

/// The text without its HTML comments, except those in fenced code.
pub(super) fn without_comments(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut blocks = Blocks::default();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(length) = blocks.fenced_code(rest) {
            out.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let line = first_line(rest);
        // A comment that starts a line may span lines, and one within a line ends there.
        let reach = blocks.comment(rest).unwrap_or(line.len());
        let mut part = &rest[..reach];
        while let Some(open) = position(part, b"<!--") {
            let Some(close) = position(&part[open..], b"-->") else { break };
            out.extend_from_slice(&part[..open]);
            part = &part[open + close + 3..];
        }
        out.extend_from_slice(part);
        rest = &rest[reach..];
    }
    out
}

fn first_line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|&b| b == b'\n').map_or(text.len(), |at| at + 1);
    &text[..end]
}

fn position(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// A line without its indentation, if that is not more than three spaces: four make it code.
fn outdented(line: &[u8]) -> Option<&[u8]> {
    let spaces = line.iter().take_while(|&&b| b == b' ').count();
    (spaces <= 3).then(|| &line[spaces..])
}

fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}

/// `## Title ##`
fn atx(line: &[u8]) -> Option<(usize, String)> {
    let line = outdented(line)?;
    let level = line.iter().take_while(|&&b| b == b'#').count();
    let rest = &line[level..];
    if !(1..=6).contains(&level) || !rest.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let rest = rest.trim_ascii();
    let marks = rest.iter().rev().take_while(|&&b| b == b'#').count();
    let title = &rest[..rest.len() - marks];
    let closed = title.is_empty() || title.ends_with(b" ") || title.ends_with(b"\t");
    Some((level, readable(if closed { title } else { rest })))
}

/// The level of the heading that this line would make of the paragraph above it.
fn underline(line: &[u8]) -> Option<usize> {
    let marks = outdented(line)?.trim_ascii_end();
    match marks.first()? {
        b'=' if marks.iter().all(|&b| b == b'=') => Some(1),
        b'-' if marks.iter().all(|&b| b == b'-') => Some(2),
        _ => None,
    }
}

/// Whether a line that isn't blank is text, and not a list, a quotation, code by indentation or a rule. What
/// follows a list's or quotation's first line is not looked at: an underline there is a rule.
fn starts_paragraph(line: &[u8]) -> bool {
    let Some(line) = outdented(line) else { return false };
    let line = line.trim_ascii_end();
    let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
    let after_digits = &line[digits..];
    let marker = match line.first() {
        Some(b'>' | b'\t') | None => return false,
        Some(b'-' | b'+' | b'*') => Some(&line[1..]),
        _ if digits > 0 && (after_digits.starts_with(b".") || after_digits.starts_with(b")")) => {
            Some(&after_digits[1..])
        }
        _ => None,
    };
    let list =
        marker.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" ") || rest.starts_with(b"\t"));
    let rule = line.len() >= 3 && b"-*_".iter().any(|mark| line.iter().all(|b| b == mark));
    !list && !rule
}

/// Finds code and comments that start at ever later lines of one text, and remembers what is never closed:
/// without that, a file of nothing but `<!--` would be read to its end again from every line.
#[derive(Default)]
struct Blocks {
    open_comment: bool,
    /// For each mark, the width from which on no fence is closed.
    open_fence: [Option<usize>; 2],
}

impl Blocks {
    /// The length of a fenced code block or a comment that starts here, whole lines.
    fn code_or_comment(&mut self, text: &[u8]) -> Option<usize> {
        self.fenced_code(text).or_else(|| self.comment(text))
    }

    fn fenced_code(&mut self, text: &[u8]) -> Option<usize> {
        let (mark, width, info) = fence(first_line(text))?;
        let open = &mut self.open_fence[usize::from(mark == b'~')];
        if mark == b'`' && info.contains(&b'`') || open.is_some_and(|from| width >= from) {
            return None;
        }
        let mut at = first_line(text).len();
        while at < text.len() {
            let line = first_line(&text[at..]);
            at += line.len();
            if fence(line).is_some_and(|(m, w, rest)| m == mark && w >= width && rest.trim_ascii().is_empty())
            {
                return Some(at);
            }
        }
        *open = Some(width);
        None
    }

    fn comment(&mut self, text: &[u8]) -> Option<usize> {
        let inside = outdented(text)?.strip_prefix(b"<!--").filter(|_| !self.open_comment)?;
        let start = text.len() - inside.len();
        let Some(close) = position(inside, b"-->") else {
            self.open_comment = true;
            return None;
        };
        let close = start + close;
        Some(close + first_line(&text[close..]).len())
    }
}

/// The mark of a fence, how often it stands there, and what follows.
fn fence(line: &[u8]) -> Option<(u8, usize, &[u8])> {
    let line = outdented(line)?;
    let mark = *line.first().filter(|mark| matches!(mark, b'`' | b'~'))?;
    let width = line.iter().take_while(|&&b| b == mark).count();
    (width >= 3).then(|| (mark, width, &line[width..]))
}
