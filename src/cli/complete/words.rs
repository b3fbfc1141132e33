//! Words as shells have them while they are typed: with quotes, perhaps open ones.

/// The word under the cursor, and what of it the shell replaces.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    /// Without its quotes.
    pub text: Vec<u8>,
    /// The quote that is not closed yet.
    open: Option<u8>,
    /// How much of the text stays on the line: up to an open quote, or to the last word break (bash).
    kept: usize,
    /// It begins with a `~` that the shell expands.
    tilde: bool,
}

impl Word {
    /// A word that the shell has already taken the quotes off.
    pub fn plain(raw: &[u8]) -> Self {
        Word { text: raw.to_vec(), open: None, kept: 0, tilde: false }
    }

    /// A word of bash. readline replaces only what follows an open quote, else the last of `breaks` that is
    /// not quoted (`COMP_WORDBREAKS`), so what is before must not be said again.
    pub fn of_bash(raw: &[u8], breaks: &[u8]) -> Self {
        unquote(raw, breaks, |quote, next| match quote {
            None => true,
            Some(b'"') => b"\"\\$`".contains(&next),
            Some(_) => false,
        })
    }

    /// A word of fish, which replaces it as a whole.
    pub fn of_fish(raw: &[u8]) -> Self {
        let word = unquote(raw, b"", |quote, next| match quote {
            None => true,
            Some(b'"') => b"\"\\$".contains(&next),
            Some(_) => b"'\\".contains(&next),
        });
        Word { kept: 0, ..word }
    }

    /// What readline puts in the place of the word to make it `value`.
    pub fn completed_in_bash(&self, value: &[u8]) -> Vec<u8> {
        let value = value.get(self.kept..).unwrap_or_default();
        let mut out = Vec::with_capacity(value.len());
        for (at, &byte) in value.iter().enumerate() {
            match self.open {
                Some(b'"') if b"\"\\$`".contains(&byte) => out.extend([b'\\', byte]),
                Some(b'\'') if byte == b'\'' => out.extend(b"'\\''"),
                Some(_) => out.push(byte),
                None if at == 0 && byte == b'~' && self.tilde => out.push(byte),
                None if is_plain(byte) => out.push(byte),
                None => out.extend([b'\\', byte]),
            }
        }
        out
    }
}

/// Takes the quotes off; `escapes` says whether a backslash inside this quote (or none) escapes that byte.
fn unquote(raw: &[u8], breaks: &[u8], escapes: impl Fn(Option<u8>, u8) -> bool) -> Word {
    let mut word = Word::plain(b"");
    word.tilde = raw.first() == Some(&b'~');
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (word.open, byte) {
            (_, b'\\') => match bytes.peek() {
                Some(&next) if escapes(word.open, next) => {
                    word.text.push(next);
                    bytes.next();
                }
                _ => word.text.push(byte),
            },
            (None, b'"' | b'\'') => {
                word.open = Some(byte);
                word.kept = word.text.len();
            }
            (Some(quote), _) if quote == byte => {
                word.open = None;
                word.kept = 0;
            }
            (None, _) if b"=:".contains(&byte) && breaks.contains(&byte) => {
                word.text.push(byte);
                word.kept = word.text.len();
            }
            _ => word.text.push(byte),
        }
    }
    word
}

/// Whether no shell sees more than itself in a byte, wherever in a word it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-./,+@%:=^".contains(&byte)
}

/// A line for `_describe`, behind a letter: `/` for a directory, whose last slash zsh adds itself, else `-`.
pub fn line_of_zsh(value: &[u8], help: Option<&str>) -> Vec<u8> {
    let (mark, value) = match value.strip_suffix(b"/") {
        Some(dir) if !dir.is_empty() => (b'/', dir),
        _ => (b'-', value),
    };
    let mut out = vec![mark];
    for &byte in value {
        if byte == b'\\' || byte == b':' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    if let Some(help) = help {
        out.push(b':');
        out.extend(help.replace('\\', "\\\\").bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bash ends up with on its line: the part that stays, and the reply.
    fn bash(raw: &str, value: &str) -> (String, String) {
        let word = Word::of_bash(raw.as_bytes(), b" \t\n\"'><=;|&(:");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(word.text.clone()), text(word.completed_in_bash(value.as_bytes())))
    }

    #[test]
    fn bash_replaces_what_follows_a_break_or_an_open_quote() {
        for (raw, text, value, reply) in [
            ("", "", "it's (a) $b", r"it\'s\ \(a\)\ \$b"),
            (r"a\ b", "a b", "a b;c", r"a\ b\;c"),
            ("--base=ma", "--base=ma", "--base=main", "main"),
            ("a:b", "a:b", "a:bc", "bc"),
            ("'a b", "a b", "a b'c", r"a b'\''c"),
            ("\"a b", "a b", "a b\"$c'd", r#"a b\"\$c'd"#),
            ("--path=\"my d", "--path=my d", "--path=my dir/", "my dir/"),
            ("\"a\\\"b\\c", "a\"b\\c", "a\"b\\cd", r#"a\"b\\cd"#),
            ("'a'b", "ab", "abc", "abc"),
            ("~/a", "~/a", "~/a b", r"~/a\ b"),
            ("", "", "~a", r"\~a"),
            ("größ", "größ", "größe", "größe"),
        ] {
            assert_eq!(bash(raw, value), (text.to_owned(), reply.to_owned()), "{raw}");
        }
    }

    #[test]
    fn without_the_breaks_nothing_is_kept() {
        let word = Word::of_bash(b"--base=ma", b" ");
        assert_eq!(word.completed_in_bash(b"--base=main"), b"--base=main");
    }

    #[test]
    fn fish_has_quotes_of_its_own() {
        for (raw, text) in [(r"a\ b", "a b"), (r"'a\'b", "a'b"), (r#""a\$b"#, "a$b"), (r#"'a"b'c"#, "a\"bc")]
        {
            assert_eq!(Word::of_fish(raw.as_bytes()).text, text.as_bytes(), "{raw}");
        }
    }

    #[test]
    fn zsh_gets_colons_escaped_and_directories_marked() {
        assert_eq!(line_of_zsh(b"a:b\\c", Some("x: y\\")), br"-a\:b\\c:x: y\\");
        assert_eq!(line_of_zsh(b"dir/", None), b"/dir");
    }
}
