//! Reading a TOML file that people write, with errors that say where: `plan.toml:12: unknown key 'titel'`.

use serde::de::DeserializeOwned;

use crate::error::{Failure, Result};
use crate::text;

/// The text of a file and the name that its errors give it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    text: &'a str,
    name: &'a str,
}

impl<'a> Source<'a> {
    /// `name` is what the user would call the file; nothing is read.
    pub fn new(text: &'a str, name: &'a str) -> Self {
        Source { text, name }
    }

    /// The typed content.
    ///
    /// # Errors
    ///
    /// A syntax error, an unknown key or a wrong type, with file and line.
    pub fn read<T: DeserializeOwned>(self) -> Result<T> {
        toml::from_str(self.text).map_err(|error| {
            let message = reworded(error.message());
            match error.span() {
                Some(span) => self.refuse(span.start, message),
                None => Failure::fatal(format!("{}: {message}", text::escape_controls(self.name.as_bytes()))),
            }
        })
    }

    /// The line that a byte offset is in, from 1.
    pub fn line(self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|&b| b == b'\n').count()
    }

    /// `file:line`, what an error starts with.
    pub fn place(self, offset: usize) -> String {
        format!("{}:{}", text::escape_controls(self.name.as_bytes()), self.line(offset))
    }

    /// A failure at a byte offset.
    pub fn refuse(self, offset: usize, message: impl std::fmt::Display) -> Failure {
        Failure::fatal(format!("{}: {message}", self.place(offset)))
    }
}

/// What serde says, in the words of the page about the file: fields are keys, and variants are values.
fn reworded(message: &str) -> String {
    // serde puts its names in backquotes, git in quotes.
    let shown = text::escape_controls(message.as_bytes()).replace('`', "'");
    for (serde, ours) in [
        ("unknown field ", "unknown key "),
        ("unknown variant ", "unknown value "),
        ("missing field ", "missing key "),
    ] {
        if let Some(rest) = shown.strip_prefix(serde) {
            return match rest.split_once(", expected ") {
                Some((name, expected)) => format!("{ours}{name} (expected {})", expected.replace('\'', "")),
                None => format!("{ours}{rest}"),
            };
        }
    }
    for (rust, ours) in [
        ("expected i64", "expected a whole number"),
        ("expected u32", "expected a whole number that is not negative"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a table"),
    ] {
        if let Some(start) = shown.strip_suffix(rust) {
            return format!("{start}{ours}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Doc {
        title: Option<String>,
        size: Option<u32>,
        #[serde(default)]
        item: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Item {
        name: String,
        after: Option<Vec<String>>,
    }

    fn refusal(text: &str) -> String {
        Source::new(text, "a.toml").read::<Doc>().expect_err(text).message()
    }

    #[test]
    fn says_where_and_what() {
        let cases = [
            ("\n\ntitel = 1", "a.toml:3: unknown key 'titel' (expected one of title, size, item)"),
            ("[[item]]\nname = \"a\"\r\n\r\n[[item]]\nafter = []\n", "a.toml:4: missing key 'name'"),
            ("title = 5", "a.toml:1: invalid type: integer '5', expected a string"),
            (
                "\nsize = \"x\"",
                "a.toml:2: invalid type: string \"x\", expected a whole number that is not negative",
            ),
            (
                "\nsize = -1",
                "a.toml:2: invalid value: integer '-1', expected a whole number that is not negative",
            ),
            (
                "[[item]]\nname = \"a\"\nafter = \"b\"",
                "a.toml:3: invalid type: string \"b\", expected a list",
            ),
            ("[item]\nname = \"a\"", "a.toml:1: invalid type: map, expected a list"),
            ("\"\\u001b[2J\" = 1", "a.toml:1: unknown key '\\x1b[2J' (expected one of title, size, item)"),
        ];
        for (text, message) in cases {
            assert_eq!(refusal(text), message);
        }
        assert!(refusal("title = \"a\"\ntitle = \"b\"").starts_with("a.toml:2: duplicate key"));
        assert!(refusal("title = \"a\n").starts_with("a.toml:1: "));
    }

    #[test]
    fn the_end_of_the_text_has_a_line() {
        let source = Source::new("a\nb\n", "f");
        assert_eq!([0, 1, 2, 3, 4, 99].map(|at| source.line(at)), [1, 1, 2, 2, 3, 3]);
    }
}
