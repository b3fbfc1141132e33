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
    let mut scanner = Scanner { place: Place::Plain, word_start: true, substitution: None };
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
            Place::Plain => self.plain(rest, first),
        }
    }

    fn plain(&mut self, rest: &str, first: usize) -> usize {
        let word_start = std::mem::replace(&mut self.word_start, false);
        match rest.as_bytes()[0] {
            b'\'' => self.place = Place::Single,
            b'"' => self.place = Place::Double,
            b'\\' => {
                // A continued line goes on as if the backslash and the newline were not there.
                self.word_start = word_start && rest.starts_with("\\\n");
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

/// The length of a backslash and what it escapes.
fn escaped(rest: &str) -> usize {
    1 + rest[1..].chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[(&str, &[u8])] =
        &[("task", b"login"), ("title", b"it's; $(rm) `x` \"q\"\n#"), ("path", b"/w/\xff b")];

    fn filled(template: &str) -> String {
        let bytes = expand_shell(template, VALUES).unwrap_or_else(|e| panic!("{template}: {e}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn every_value_is_one_argument() {
        assert_eq!(filled("claude -p {title} {task}"), "claude -p 'it'\\''s; $(rm) `x` \"q\"\n#' 'login'");
        assert_eq!(filled("test -f notes/{task}/APPROVED"), "test -f notes/'login'/APPROVED");
        assert_eq!(expand_shell("cd {path}", VALUES).expect("plain"), b"cd '/w/\xff b'");
        assert_eq!(filled("\"fix: \"{title}").matches("'\\''").count(), 1);
    }

    #[test]
    fn other_braces_are_the_shells() {
        for template in [
            "echo ${task} ${x:-y} {a,b} {} { x; }",
            "awk '{print $1}' | find -exec x {} \\;",
            "echo \\{task} {other}",
            "größe # don't",
        ] {
            assert_eq!(filled(template), template);
        }
        assert_eq!(filled("echo {a,{task}}"), "echo {a,'login'}");
    }

    #[test]
    fn quoting_that_is_over_does_not_matter() {
        for before in [
            "echo 'a\"' \"b'$x\\\"\" c\\' ",
            "x \"$(pwd)\" `pwd` ",
            "y=$(cat f) ${z} $$",
            "# don't\n",
            "a#b ",
            "x <<< y ",
            "(a) ",
            "${x#y} ",
        ] {
            assert!(filled(&format!("{before}{{task}}")).ends_with("'login'"), "{before}");
        }
        assert_eq!(
            filled("claude \"$(git task prompt {task})\" {task}"),
            "claude \"$(git task prompt 'login')\" 'login'"
        );
    }

    #[test]
    fn a_placeholder_in_quotes_is_refused() {
        for template in [
            "x \"{task}\"",
            "x '{task}'",
            "x \"a $y {task}\"",
            "x 'a\" {task}'",
            "x \"$(pwd) {task}\"",
            "echo # don't\necho '{task}'",
        ] {
            let refusal = expand_shell(template, VALUES).expect_err(template);
            assert!(
                refusal.message().starts_with("placeholder '{task}' stands inside quotes in '"),
                "{refusal}"
            );
            assert!(refusal.hint.expect("a hint").text.contains("Leave out the quotes"));
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let templates = [
            "x # {task}",
            "cat <<EOF\n{task}\nEOF",
            "x ${y:-{task}}",
            "x `echo {task}`",
            "x \"`echo \\\"a\\\"`\" {task}",
            "x \"$(echo \"{task}\")\"",
            "x \"$(case a in a) echo \" {task} \";; esac)\"",
            "x $'it\\'s' {task}",
            "x $((1 + {task}))",
            "x $[{task}]",
            "x <(y)#' \n{task}'",
        ];
        for template in templates {
            expand_shell(template, VALUES).expect_err(template);
        }
        let message = expand_shell("cat <<E\n{task}", VALUES).expect_err("here-document").message();
        assert_eq!(message, "placeholder '{task}' stands in or after a here-document in 'cat <<E\\n{task}'");
        expand_shell("echo {x}", &[("x", b"a\0b")]).expect_err("a NUL");
    }
}
