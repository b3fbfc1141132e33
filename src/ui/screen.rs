//! What another program printed, as a terminal may show it while it comes.

use crate::text::escape_controls_multiline;

/// Lets text, line ends and colours through, and shows all other escape sequences and controls as what they are.
/// A carriage return begins a new line, where a terminal would overwrite what was shown.
#[derive(Debug)]
pub struct Screen {
    color: bool,
    /// What may be the beginning of a character, an escape sequence or a line end.
    held: Vec<u8>,
    /// A colour may be on.
    colored: bool,
}

impl Screen {
    /// `color` says whether colours are let through.
    pub fn new(color: bool) -> Self {
        Screen { color, held: Vec::new(), colored: false }
    }

    /// What to show for the next piece.
    pub fn take(&mut self, piece: &[u8]) -> String {
        self.held.extend_from_slice(piece);
        let whole = self.held.len() - begun(&self.held);
        let bytes: Vec<u8> = self.held.drain(..whole).collect();
        self.shown(&bytes)
    }

    /// What to show when nothing comes for now: half a character is not waited for.
    pub fn rest(&mut self) -> String {
        let bytes = std::mem::take(&mut self.held);
        let mut out = self.shown(&bytes);
        if std::mem::take(&mut self.colored) {
            out.push_str("\x1b[0m");
        }
        out
    }

    fn shown(&mut self, bytes: &[u8]) -> String {
        let mut out = String::new();
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|b| *b == b'\r' || *b == 0x1b) {
            out.push_str(&escape_controls_multiline(&rest[..at]));
            rest = &rest[at..];
            if let Some(length) = color(rest) {
                if self.color {
                    out.push_str(&String::from_utf8_lossy(&rest[..length]));
                    self.colored = true;
                }
                rest = &rest[length..];
            } else if rest[0] == b'\r' {
                out.push('\n');
                rest = &rest[if rest.starts_with(b"\r\n") { 2 } else { 1 }..];
            } else {
                out.push_str("\\x1b");
                rest = &rest[1..];
            }
        }
        out.push_str(&escape_controls_multiline(rest));
        out
    }
}

/// The length of a sequence that sets colours: `ESC [ <numbers> m`.
fn color(bytes: &[u8]) -> Option<usize> {
    let numbers = bytes.strip_prefix(b"\x1b[")?;
    let end = numbers.iter().position(|b| !b.is_ascii_digit() && !b";:".contains(b))?;
    (numbers[end] == b'm').then_some(end + 3)
}

/// How many bytes at the end are the beginning of something.
fn begun(bytes: &[u8]) -> usize {
    /// No sequence of colours is longer.
    const MOST: usize = 32;
    let tail = &bytes[bytes.len().saturating_sub(MOST)..];
    if let Some(at) = tail.iter().rposition(|b| *b == 0x1b)
        && tail[at + 1..]
            .iter()
            .enumerate()
            .all(|(i, b)| if i == 0 { *b == b'[' } else { b";:0123456789".contains(b) })
    {
        return tail.len() - at;
    }
    if bytes.ends_with(b"\r") {
        return 1;
    }
    match std::str::from_utf8(tail) {
        Err(e) if e.error_len().is_none() => tail.len() - e.valid_up_to(),
        _ => match tail.utf8_chunks().last().map(|c| c.invalid()) {
            Some(invalid) if (1..4).contains(&invalid.len()) && is_begun_character(invalid) => invalid.len(),
            _ => 0,
        },
    }
}

/// Whether more bytes could make these a character.
fn is_begun_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> String {
        let mut screen = Screen::new(true);
        let mut out: String = pieces.iter().map(|p| screen.take(p)).collect();
        out.push_str(&screen.rest());
        out
    }

    #[test]
    fn colours_pass_and_cursor_movements_are_seen() {
        assert_eq!(all(&[b"\x1b[1;31mred\x1b[0m\n"]), "\x1b[1;31mred\x1b[0m\n\x1b[0m");
        assert_eq!(all(&[b"a\x1b[2Jb\x07\n"]), "a\\x1b[2Jb\\x07\n");
        assert_eq!(all(&[b"\x1b]0;title\x07"]), "\\x1b]0;title\\x07");
        assert_eq!(all(&[b"10%\r20%\r\nend\r\n"]), "10%\n20%\nend\n");
        let mut plain = Screen::new(false);
        assert_eq!(plain.take(b"\x1b[32mok\x1b[m"), "ok");
    }

    #[test]
    fn what_is_cut_in_two_is_put_together() {
        assert_eq!(all(&[b"\x1b", b"[3", b"1m!"]), "\x1b[31m!\x1b[0m");
        assert_eq!(all(&[b"gr\xc3", b"\xb6\xc3", b"\x9fe"]), "größe");
        assert_eq!(all(&[b"a\r", b"\nb"]), "a\nb");
        assert_eq!(all(&[b"\xff\xc3"]), "\\xff\\xc3");
    }
}
