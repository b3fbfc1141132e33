//! Placeholders in shell commands, where a value must stay one argument whatever it holds.

use super::list;
use crate::error::{Failure, Result};
use crate::text;

/// Fills in a command for `sh -c`, such as `claude -p {prompt}`: every value becomes one shell-quoted
/// argument, or part of one, as in `notes/{task}/APPROVED`.
///
/// Only the names among `values` are placeholders; other braces (`{a,b}`, `${x}`, and `${task}` too) are the
/// shell's and stay. `\{task}` is left to the shell as well. What the shell makes of an argument that
/// it is given is the command's own affair: `eval {title}` and `ssh host {title}` evaluate it once more.
///
/// # Errors
///
/// A placeholder where the quotes of a value would not be quotes, or would end those around it: in quotes,
/// in a comment, in backquotes or `${...}`, in and after a here-document, and after anything whose quoting
/// this scanner does not follow. Being refused is a nuisance, and being mistaken is a command injection.
/// So is a value that holds a NUL, which no argument can.
pub fn expand_shell(template: &str, values: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let bytes = template.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut scanner = Scanner { place: Place::Plain, word_start: true, blank: true, substitution: None };
    let mut at = 0;
    while at < bytes.len() {
        let step = match placeholder(&template[at..], values) {
            Some((name, value)) => {
                if scanner.place != Place::Plain {
                    return Err(scanner.place.refusal(name, template, values));
                }
                if value.contains(&0) {
                    return Err(Failure::fatal(format!("the value of '{{{name}}}' holds a NUL byte")));
                }
                out.extend(text::shell_quote(value));
                scanner.word_start = false;
                scanner.blank = false;
                at += name.len() + 2;
                continue;
            }
            None => scanner.step(&template[at..]),
        };
        out.extend_from_slice(&bytes[at..at + step]);
        at += step;
    }
    Ok(out)
}

fn placeholder<'n, 'v>(rest: &str, values: &[(&'n str, &'v [u8])]) -> Option<(&'n str, &'v [u8])> {
    let inside = rest.strip_prefix('{')?;
    values
        .iter()
        .copied()
        .find(|(name, _)| inside.strip_prefix(name).is_some_and(|after| after.starts_with('}')))
}

/// Where in the shell's grammar the scanner stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Outside of quotes, also inside a simple `$(...)`.
    Plain,
    Single,
    Double,
    Comment,
    /// From here to the end, after what is named.
    Opaque(&'static str),
}

impl Place {
    fn refusal(self, name: &str, template: &str, values: &[(&str, &[u8])]) -> Failure {
        let shown = text::escape_controls(template.as_bytes());
        let (what, advice) = match self {
            Place::Single | Place::Double => (
                "stands inside quotes".to_owned(),
                format!(
                    "Leave out the quotes: {} are filled in with quotes of their own.\n\
                     Instead of \"fix {{{name}}}\", write \"fix \"{{{name}}}.",
                    list(values.iter().map(|(known, _)| *known))
                ),
            ),
            Place::Comment => ("stands in a comment".to_owned(), "Leave out the comment.".to_owned()),
            Place::Plain | Place::Opaque(_) => {
                let cause = if let Place::Opaque(cause) = self { cause } else { "an unknown construct" };
                (
                    format!("stands in or after {cause}"),
                    "Put it before that, move the command into a script, or use the variables that\n\
                     the command gets, such as \"$GIT_TASK\"."
                        .to_owned(),
                )
            }
        };
        Failure::fatal(format!("placeholder '{{{name}}}' {what} in '{shown}'"))
            .hint("taskPlaceholder", advice)
    }
}

/// Follows the quoting of a POSIX shell, as far as it can be followed without parsing commands.
struct Scanner {
    place: Place,
    /// Whether a `#` here would start a comment.
    word_start: bool,
    /// Whether that is so because of white space, so that no operator can go on here.
    blank: bool,
    /// Inside `$(...)`: where its end leads back to.
    substitution: Option<Place>,
}

impl Scanner {
    /// How many bytes of `rest` to copy, having taken them into account.
    fn step(&mut self, rest: &str) -> usize {
        let first = rest.chars().next().map_or(1, char::len_utf8);
        match self.place {
            Place::Opaque(_) => first,
            Place::Comment => {
                if rest.starts_with('\n') {
                    self.place = Place::Plain;
                    self.word_start = true;
                }
                first
            }
            Place::Single => {
                if rest.starts_with('\'') {
                    self.place = Place::Plain;
                }
                first
            }
            Place::Double => match rest.as_bytes()[0] {
                b'"' => {
                    self.place = Place::Plain;
                    1
                }
                b'\\' => escaped(rest),
                b'$' => self.dollar(rest),
                b'`' => self.backquote(rest),
                _ => first,
            },
            Place::Plain => {
                let step = self.plain(rest, first);
                let white = rest.starts_with([' ', '\t', '\n']);
                self.blank = self.word_start && (white || self.blank && rest.starts_with("\\\n"));
                step
            }
        }
    }

    fn plain(&mut self, rest: &str, first: usize) -> usize {
        let word_start = std::mem::replace(&mut self.word_start, false);
        match rest.as_bytes()[0] {
            b'\'' => self.place = Place::Single,
            b'"' => self.place = Place::Double,
            b'\\' => {
                if rest.starts_with("\\\n") {
                    // The line goes on as if these two were not there, so that `<\` and `<` make a `<<`.
                    if self.blank {
                        self.word_start = true;
                    } else {
                        self.place = Place::Opaque("a line that is continued within a word");
                    }
                    return 2;
                }
                return escaped(rest);
            }
            b'$' => return self.dollar(rest),
            b'`' => return self.backquote(rest),
            b'#' if word_start => self.place = Place::Comment,
            b')' => {
                if let Some(outer) = self.substitution.take() {
                    self.place = outer;
                } else if rest.starts_with(")#") {
                    // a comment after a subshell, but part of the word after bash's <(...)
                    self.place = Place::Opaque("')#'");
                } else {
                    self.word_start = true;
                }
            }
            b'<' if rest.starts_with("<<<") => {
                self.word_start = true;
                return 3;
            }
            b'<' if rest.starts_with("<<") => self.place = Place::Opaque("a here-document"),
            // bash expands what follows '>&' twice, and evaluates what is in the other three
            b'<' | b'>' if rest[1..].starts_with('&') => match descriptor(&rest[2..]) {
                Some(length) => return 2 + length,
                None => self.place = Place::Opaque("'>&' or '<&'"),
            },
            // after a mistake in an array, bash goes on with the next line, be that inside of a value
            b'=' if rest.starts_with("=(") => self.place = Place::Opaque("'=('"),
            b'(' if rest.starts_with("((") => self.place = Place::Opaque("'(('"),
            b'[' if word_start && rest.starts_with("[[") => self.place = Place::Opaque("'[['"),
            b'[' if !word_start && is_odd_subscript(&rest[1..]) => {
                self.place = Place::Opaque("an array's '['")
            }
            b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b'<' | b'>' => self.word_start = true,
            _ => {}
        }
        first
    }

    /// At a `$`, in double quotes or outside of any.
    fn dollar(&mut self, rest: &str) -> usize {
        let quoted = self.place == Place::Double;
        match rest.as_bytes().get(1) {
            Some(b'(') => {
                let simple = rest[2..].split_once(')').is_some_and(|(inside, _)| {
                    let mut words = inside.split(|c: char| !c.is_ascii_alphanumeric());
                    // "case" has a ')' in the middle
                    !inside.contains(['\'', '"', '\\', '`', '(', '#'])
                        && !inside.contains("<<")
                        && words.all(|w| w != "case")
                });
                if simple && self.substitution.is_none() {
                    self.substitution = Some(self.place);
                    self.place = Place::Plain;
                } else {
                    self.place = Place::Opaque("'$(...)' with quotes or parentheses in it");
                }
                2
            }
            Some(b'{') => match rest[2..].split_once('}') {
                Some((inside, _)) if !inside.contains(['\'', '"', '\\', '`', '(', '{', '$']) => {
                    inside.len() + 3
                }
                _ => {
                    self.place = Place::Opaque("'${...}'");
                    2
                }
            },
            Some(b'\\') if rest[2..].starts_with('\n') => {
                self.place = Place::Opaque("a line that is continued within a word");
                1
            }
            // bash reads $'...' with escapes and $[...] as arithmetic, dash reads neither
            Some(b'\'') if !quoted => {
                self.place = Place::Opaque("\"$'\"");
                1
            }
            Some(b'[') => {
                self.place = Place::Opaque("'$['");
                1
            }
            Some(b'$' | b'#' | b'!' | b'?' | b'*' | b'@' | b'-') => 2,
            _ => 1,
        }
    }

    /// At a backquote, in double quotes or outside of any: one whose end is plain to see is passed over.
    fn backquote(&mut self, rest: &str) -> usize {
        match rest[1..].split_once('`') {
            Some((inside, _))
                if !inside.contains(['\'', '"', '\\', '#', '{', '(']) && !inside.contains("<<") =>
            {
                inside.len() + 2
            }
            _ => {
                self.place = Place::Opaque("a backquote");
                1
            }
        }
    }
}

/// The length of a file descriptor, as in `2>&1`, if there is nothing else in the word.
fn descriptor(rest: &str) -> Option<usize> {
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('-');
    let length = rest.len() - after.len();
    let ends = after.chars().next().is_none_or(|c| " \t\n;&|)<>".contains(c));
    // bash's <(...) is part of the word.
    let goes_on = after.starts_with("<(") || after.starts_with(">(");
    (length > 0 && ends && !goes_on).then_some(length)
}

/// Whether more than plain text is in a bracket: a file pattern has no more than that.
fn is_odd_subscript(rest: &str) -> bool {
    rest.split_once(']').is_none_or(|(inside, _)| inside.contains(['{', '[', '\'', '"', '\\', '`', '(']))
}

/// The length of a backslash and what it escapes.
fn escaped(rest: &str) -> usize {
    1 + rest[1..].chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests;
