//! The machine-readable forms of a listing: `--porcelain`, `-z`, `--json` and `--format`.
//!
//! One record type feeds all of them, so that they can't say different things. The porcelain form is that of
//! `git worktree list --porcelain`.

use gix::bstr::{BString, ByteSlice};
use serde_json::{Map, Value as Json};

use crate::error::{Failure, Result};
use crate::text::{c_quote, escape_controls, json_without_hidden};

/// One value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, not necessarily UTF-8.
    Text(BString),
    /// A number.
    Number(i64),
    /// Several values, a line each.
    List(Vec<BString>),
}

/// Keys and values of one item, in order. A key that is absent has no value.
#[derive(Clone, Debug, Default)]
pub struct Record(Vec<(&'static str, Value)>);

impl Record {
    /// Adds text.
    pub fn text(&mut self, key: &'static str, value: impl Into<BString>) {
        self.0.push((key, Value::Text(value.into())));
    }

    /// Adds text if there is some.
    pub fn maybe(&mut self, key: &'static str, value: Option<impl Into<BString>>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// Adds a number.
    pub fn number(&mut self, key: &'static str, value: impl TryInto<i64>) {
        self.0.push((key, Value::Number(value.try_into().unwrap_or(i64::MAX))));
    }

    /// Adds several values if there are any.
    pub fn list(&mut self, key: &'static str, values: impl IntoIterator<Item = impl Into<BString>>) {
        let values: Vec<BString> = values.into_iter().map(Into::into).collect();
        if !values.is_empty() {
            self.0.push((key, Value::List(values)));
        }
    }

    /// The same for eyes: nothing in a value moves the cursor or hides.
    #[must_use]
    pub fn shown(&self) -> Self {
        let text = |bytes: &BString| BString::from(escape_controls(bytes));
        let shown = |value: &Value| match value {
            Value::Text(one) => Value::Text(text(one)),
            Value::Number(n) => Value::Number(*n),
            Value::List(all) => Value::List(all.iter().map(text).collect()),
        };
        Record(self.0.iter().map(|(key, value)| (*key, shown(value))).collect())
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }
}

/// `key value` lines, each record closed by an empty line; with `nul` every line end is a NUL.
///
/// No value can hold a NUL with `nul`; U+FFFD stands for it. Without `nul` a value that holds a line end or starts with a quote is quoted as git quotes paths.
pub fn porcelain(records: &[Record], nul: bool) -> Vec<u8> {
    let end = if nul { 0 } else { b'\n' };
    let mut out = Vec::new();
    let mut put = |key: &str, value: &[u8]| {
        out.extend_from_slice(key.as_bytes());
        if !value.is_empty() {
            out.push(b' ');
        }
        match c_quote(value) {
            Some(quoted) if !nul && (value.contains(&b'\n') || value.starts_with(b"\"")) => {
                out.extend_from_slice(quoted.as_bytes());
            }
            // A NUL would end the value, and what follows it could pass for a key.
            _ if nul && value.contains(&0) => out.extend_from_slice(&value.replace("\0", "\u{fffd}")),
            _ => out.extend_from_slice(value),
        }
        out.push(end);
    };
    for record in records {
        for (key, value) in &record.0 {
            match value {
                Value::Text(text) => put(key, text),
                Value::Number(n) => put(key, n.to_string().as_bytes()),
                Value::List(all) => all.iter().for_each(|v| put(key, v)),
            }
        }
        put("", b"");
    }
    out
}

/// One JSON document: an array with an object for each record. Bytes that are not UTF-8 are replaced.
pub fn json(records: &[Record]) -> Vec<u8> {
    json_text(&Json::Array(records.iter().map(json_object).collect()))
}

/// One JSON object.
pub fn json_object(record: &Record) -> Json {
    let text = |bytes: &BString| Json::String(bytes.to_str_lossy().into_owned());
    let fields = record.0.iter().map(|(key, value)| {
        let value = match value {
            Value::Text(t) => text(t),
            Value::Number(n) => Json::from(*n),
            Value::List(all) => Json::Array(all.iter().map(text).collect()),
        };
        ((*key).to_owned(), value)
    });
    Json::Object(fields.collect::<Map<_, _>>())
}

/// A JSON document as it is printed.
pub fn json_text(document: &Json) -> Vec<u8> {
    let text = serde_json::to_string_pretty(document).expect("a JSON value can always be written");
    (json_without_hidden(&text) + "\n").into_bytes()
}

/// `--format`: `%(key)`, `%%`, `%xx` (hexadecimal) as in git-for-each-ref(1). Several values are separated by
/// spaces.
#[derive(Debug)]
pub struct Format(Vec<Part>);

#[derive(Debug)]
enum Part {
    Literal(Vec<u8>),
    Key(String),
}

impl Format {
    /// Reads a format; `known` are the keys it may name.
    ///
    /// # Errors
    /// If it names another, in git's words.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            match (first, after) {
                (b'%', [b'%', tail @ ..]) => {
                    literal.push(b'%');
                    rest = tail;
                }
                (b'%', [b'(', tail @ ..]) => {
                    let Some(end) = tail.find_byte(b')') else {
                        let shown = crate::text::escape_controls(text.as_bytes());
                        return Err(Failure::fatal(format!("malformed format string '{shown}'")));
                    };
                    let key = String::from_utf8_lossy(&tail[..end]).into_owned();
                    if !known.contains(&key.as_str()) {
                        let message =
                            format!("unknown field name: {}", crate::text::escape_controls(key.as_bytes()));
                        return Err(Failure::fatal(message)
                            .hint("taskFormat", format!("The keys are: {}", known.join(" "))));
                    }
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                    parts.push(Part::Key(key));
                    rest = &tail[end + 1..];
                }
                (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    let hex = [*high, *low];
                    let hex = std::str::from_utf8(&hex).expect("hexadecimal digits are ASCII");
                    literal.push(u8::from_str_radix(hex, 16).expect("both are hexadecimal digits"));
                    rest = tail;
                }
                _ => literal.push(first),
            }
        }
        parts.push(Part::Literal(literal));
        Ok(Format(parts))
    }

    /// One line for a record.
    pub fn apply(&self, record: &Record) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.0 {
            match part {
                Part::Literal(bytes) => out.extend_from_slice(bytes),
                Part::Key(key) => match record.get(key) {
                    Some(Value::Text(text)) => out.extend_from_slice(text),
                    Some(Value::Number(n)) => out.extend_from_slice(n.to_string().as_bytes()),
                    Some(Value::List(all)) => out.extend_from_slice(&gix::bstr::join(" ", all)),
                    None => {}
                },
            }
        }
        out.push(b'\n');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        let mut record = Record::default();
        record.text("task", "x");
        record.text("worktree", "/a\nb");
        record.number("ahead", 2_usize);
        record.list("scope", ["db/**", "api"]);
        record
    }

    #[test]
    fn a_line_end_in_a_value_cannot_forge_a_key() {
        let text = porcelain(&[sample()], false);
        assert_eq!(text.as_bstr(), "task x\nworktree \"/a\\nb\"\nahead 2\nscope db/**\nscope api\n\n");
        let text = porcelain(&[sample()], true);
        assert_eq!(text.as_bstr(), "task x\0worktree /a\nb\0ahead 2\0scope db/**\0scope api\0\0");
    }

    #[test]
    fn a_format_takes_keys_percent_signs_and_hex() {
        let format = Format::parse("%(task)%00%% %(scope)|%(base)", &["task", "scope", "base"]).unwrap();
        assert_eq!(format.apply(&sample()).as_bstr(), "x\0% db/** api|\n");
        assert!(Format::parse("%(nope)", &["task"]).is_err());
        assert!(Format::parse("%(task", &["task"]).is_err());
    }

    #[test]
    fn json_has_the_same_names_and_lists_stay_lists() {
        let text = json(&[sample()]);
        let value: Json = serde_json::from_slice(&text).unwrap();
        assert_eq!(value[0]["ahead"], 2);
        assert_eq!(value[0]["scope"][1], "api");
    }
}
