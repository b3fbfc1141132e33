//! Bytes from elsewhere (names, paths, notes, commands) made fit to be shown, or to be given to a shell.
//!
//! What a branch supplies is hostile until shown otherwise: an escape sequence in a task's title must not
//! move the cursor, and a bidirectional override must not make one command look like another.

/// What may be shown on one line of a terminal.
///
/// Controls, characters that are invisible or reorder their neighbours, and bytes that are not UTF-8 appear
/// as escapes: `\n`, `\x1b`, `\u{202e}`, `\xff`. A backslash stays as it is, so this is for eyes only and
/// cannot be turned back.
pub fn escape_controls(bytes: &[u8]) -> String {
    escape(bytes, |_| false)
}

/// The same for text of several lines: newlines and tabs stay, and a CRLF is shown as a newline.
///
/// A carriage return of its own is still escaped, because it would let a line overwrite itself.
pub fn escape_controls_multiline(bytes: &[u8]) -> String {
    let lines = bytes.split(|&b| b == b'\n').collect::<Vec<_>>();
    let last = lines.len() - 1;
    let shown = lines.iter().enumerate().map(|(index, line)| {
        let ended = if index < last { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        escape(ended, |c| c == '\t')
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn escape(bytes: &[u8], keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if keep(c) || !is_hidden(c) => out.push(c),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// Whether a character does something other than being seen: a control (C0, DEL, C1), a line or paragraph
/// separator, or a format character that is invisible or changes the order of what is around it
/// (Unicode TR36 and the "Trojan Source" list, CVE-2021-42574).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            // tag characters: text that only a machine reads
            | '\u{e0000}'..='\u{e007f}')
}

/// Whether something in these bytes would not be seen on a terminal, or would move its cursor. A byte that is not UTF-8
/// may be a control (C1) to a terminal that knows only single bytes.
pub fn hides(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| {
        chunk.valid().contains(is_hidden) || chunk.invalid().iter().any(|byte| (0x80..0xa0).contains(byte))
    })
}

/// A JSON document that says the same without characters that hide: they stand in it as `\u009b`. JSON itself asks for
/// that only of C0 controls.
pub fn json_without_hidden(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

/// One argument for a POSIX shell, in single quotes always, so that the caller may put it anywhere outside
/// of quotes. The rule is that of git's `sq_quote_buf()`, without its `\!`, which only csh needs.
pub fn shell_quote(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'\'');
    for &byte in bytes {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            _ => out.push(byte),
        }
    }
    out.push(b'\'');
    out
}

/// A path as git prints it with `core.quotePath=false`: in double quotes with C escapes if it holds a
/// control character, a double quote or a backslash (`quote_c_style()` in git's quote.c).
///
/// `None` if the path can be printed as it is. A byte that is not UTF-8 is printed in octal, where git
/// would print it raw: a `String` cannot hold it, and git reads this form back to the same path.
pub fn c_quote(bytes: &[u8]) -> Option<String> {
    let plain = std::str::from_utf8(bytes).is_ok();
    if plain && !bytes.iter().any(|&b| b < 0x20 || matches!(b, 0x7f | b'"' | b'\\')) {
        return None;
    }
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\x07' => out.push_str("\\a"),
                '\x08' => out.push_str("\\b"),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\x0b' => out.push_str("\\v"),
                '\x0c' => out.push_str("\\f"),
                '\r' => out.push_str("\\r"),
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                c if c.is_ascii_control() => out.push_str(&format!("\\{:03o}", u32::from(c))),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\{byte:03o}"));
        }
    }
    out.push('"');
    Some(out)
}

/// The first few names, and how many more there are.
pub fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_would_act_on_a_terminal() {
        let cases: &[(&[u8], &str)] = &[
            (b"plain, C:\\path", "plain, C:\\path"),
            ("größe 任务 🎉".as_bytes(), "größe 任务 🎉"),
            (b"\x1b[2Jgone", "\\x1b[2Jgone"),
            (b"a\nb\tc\rd\0\x7f", "a\\nb\\tc\\rd\\x00\\x7f"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            (
                "a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{2028}".as_bytes(),
                "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}e\\u{2028}",
            ),
            (b"ok\xff\xc3", "ok\\xff\\xc3"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(escape_controls(bytes), *shown);
        }
    }

    #[test]
    fn several_lines_stay_lines_but_no_line_overwrites_itself() {
        assert_eq!(escape_controls_multiline(b"a\r\n\tb\n"), "a\n\tb\n");
        assert_eq!(escape_controls_multiline(b"printf '\\r\n'\r"), "printf '\\r\n'\\r");
        assert_eq!(escape_controls_multiline(b"rm -rf /\rls     \x1b[A"), "rm -rf /\\rls     \\x1b[A");
        assert_eq!(escape_controls_multiline("a\u{2029}b".as_bytes()), "a\\u{2029}b");
    }

    #[test]
    fn nothing_hidden_is_left_over() {
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let shown = escape_controls(c.to_string().as_bytes());
            assert!(!shown.chars().any(is_hidden), "{:x}", u32::from(c));
        }
    }

    #[test]
    fn a_document_stays_the_same_document() {
        let value = serde_json::json!({ "a\u{9b}": ["\u{202e}\n\u{e0041}\u{7f}\u{1b}", "größe 🎉"] });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let plain = json_without_hidden(&text);
            assert!(!plain.chars().any(|c| c != '\n' && is_hidden(c)), "{plain}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).unwrap(), value);
        }
    }

    #[test]
    fn an_argument_stays_one_argument() {
        assert_eq!(shell_quote(b""), b"''");
        assert_eq!(shell_quote(b"it's $(x) `y` \\ \n!"), b"'it'\\''s $(x) `y` \\ \n!'");
        assert_eq!(shell_quote(b"\xff"), b"'\xff'");
    }

    #[test]
    fn paths_are_quoted_as_git_does() {
        assert_eq!(c_quote("src/ä b'.rs".as_bytes()), None);
        assert_eq!(c_quote(b"").as_deref(), None);
        assert_eq!(c_quote(b"a\"b\\c").as_deref(), Some(r#""a\"b\\c""#));
        assert_eq!(
            c_quote(b"\x01\x07\x08\t\n\x0b\x0c\r\x1b\x7f").as_deref(),
            Some(r#""\001\a\b\t\n\v\f\r\033\177""#)
        );
        assert_eq!(c_quote("ä\n".as_bytes()).as_deref(), Some("\"ä\\n\""));
        assert_eq!(c_quote(b"caf\xe9").as_deref(), Some(r#""caf\351""#));
    }
}
