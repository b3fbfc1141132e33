//! The name of a task.
//!
//! One name serves as a branch, a directory, a config subsection and a word on a command line, so it has
//! to be valid as each of them: the rules of `git check-ref-format` for one component, and stricter ones
//! where a shell or a file system would stumble.

use std::fmt;

use gix::bstr::ByteSlice;

use crate::error::{Failure, Result};
use crate::text;

/// The longest name, in bytes. File systems end at 255 for a component, and the name also becomes part of
/// `<name>.lock`, of log files and of directories with a suffix.
const MAX_BYTES: usize = 100;

/// A valid task name. An invalid one can't be built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key that is equal for two names that a case-insensitive file system takes for the same one.
    pub fn twin_key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Slug {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Slug {
    type Error = Failure;

    /// # Errors
    ///
    /// The first rule that the name breaks, with advice under `advice.taskName`.
    fn try_from(name: &str) -> Result<Self> {
        match broken_rule(name) {
            None => Ok(Slug(name.to_owned())),
            Some((rule, advice)) => {
                let shown = text::escape_controls(name.as_bytes());
                Err(Failure::fatal(format!("'{shown}' is not a valid task name: {rule}"))
                    .hint("taskName", advice))
            }
        }
    }
}

/// Why a name is refused, and what to do instead.
fn broken_rule(name: &str) -> Option<(String, &'static str)> {
    const COMPONENT: &str = "A task name is one path component, such as 'login' or 'fix-42'.";
    const SLASH: &str = "A task name is one path component. For a branch with slashes, use\n\
                         '--type <type>' ('<type>/<task>') or name the branch with '-b <branch>'.";
    let rule = |text: &str| Some((text.to_owned(), COMPONENT));

    if name.is_empty() {
        return rule("it is empty");
    }
    if name.len() > MAX_BYTES {
        return rule(&format!("it is {} bytes long, and the limit is {MAX_BYTES}", name.len()));
    }
    if name.contains('/') {
        return Some(("it holds a '/'".to_owned(), SLASH));
    }
    if name.starts_with('-') {
        return rule("it starts with a '-'");
    }
    if name.starts_with('.') {
        return rule("it starts with a '.'");
    }
    if name.chars().any(char::is_whitespace) {
        return rule("it holds white space");
    }
    if name.chars().any(text::is_hidden) {
        return rule("it holds a control character or an invisible one");
    }
    if let Some(c) = name.chars().find(|c| "~^:?*[\\\"".contains(*c)) {
        return rule(&format!("it holds a '{c}'"));
    }
    if name.contains("..") {
        return rule("it holds '..'");
    }
    if name.contains("@{") {
        return rule("it holds '@{'");
    }
    if name.ends_with('.') {
        return rule("it ends with a '.'");
    }
    // In any case of letters, because the lock of a ref 'x' is the file 'x.lock' on any file system.
    if name.to_ascii_lowercase().ends_with(".lock") {
        return rule("it ends with '.lock'");
    }
    if name == "@" || name.eq_ignore_ascii_case("HEAD") {
        return rule("git reads it as the current commit");
    }
    if matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return rule("git reads it as an object id");
    }
    // Whatever else git refuses, now or in a later version of the rules.
    if let Err(error) =
        gix::validate::reference::branch_name(format!("refs/heads/{name}").as_bytes().as_bstr())
    {
        return rule(&format!("git refuses it as a branch name ({error})"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        Slug::try_from(name).map(|s| s.to_string()).expect_err(name).message()
    }

    #[test]
    fn takes_what_people_call_their_work() {
        let long = "x".repeat(MAX_BYTES);
        for name in [
            "a",
            "fix-42",
            "v1.2",
            "größe",
            "任务",
            "bug#7",
            "a_b",
            "Head-start",
            "abc123",
            "a@b",
            "it's",
            &long,
        ] {
            assert_eq!(Slug::try_from(name).expect(name).as_ref(), name);
        }
        Slug::try_from("f".repeat(41).as_str()).expect("41 hex digits are no object id");
    }

    #[test]
    fn says_which_rule_is_broken() {
        let cases: &[(&str, &str)] = &[
            ("", "'' is not a valid task name: it is empty"),
            ("a/b", "'a/b' is not a valid task name: it holds a '/'"),
            ("/", "it holds a '/'"),
            ("-f", "it starts with a '-'"),
            (".git", "it starts with a '.'"),
            ("a.", "it ends with a '.'"),
            ("a.lock", "it ends with '.lock'"),
            ("a.LOCK", "it ends with '.lock'"),
            ("a..b", "it holds '..'"),
            ("a@{1}", "it holds '@{'"),
            ("a b", "it holds white space"),
            ("a\u{a0}b", "it holds white space"),
            ("a\nb", "it holds white space"),
            ("a\0b", "a control character"),
            ("a\u{200d}b", "an invisible one"),
            ("a:b", "it holds a ':'"),
            ("a\\b", "it holds a '\\'"),
            ("a[b", "it holds a '['"),
            ("a\"b", "it holds a '\"'"),
            ("@", "the current commit"),
            ("head", "the current commit"),
        ];
        for (name, message) in cases {
            assert!(refusal(name).contains(message), "{}", refusal(name));
        }
        for length in [40, 64] {
            assert!(refusal(&"aB".repeat(length / 2)).contains("an object id"));
        }
        assert!(refusal(&"ä".repeat(51)).contains("102 bytes long"));
    }

    #[test]
    fn a_hostile_name_is_shown_without_its_effect() {
        assert!(refusal("\u{1b}[2J\u{202e}").starts_with("'\\x1b[2J\\u{202e}' is not"));
        assert!(refusal("x\nfatal: lie").starts_with("'x\\nfatal: lie' is not"));
    }

    #[test]
    fn a_slash_leads_to_types_and_branches() {
        let hint = Slug::try_from("feature/x").expect_err("it holds a slash").hint.expect("a hint");
        assert_eq!(hint.key, "taskName");
        assert!(hint.text.contains("--type") && hint.text.contains("-b <branch>"));
    }

    #[test]
    fn twins_differ_in_case_alone() {
        let key = |name: &str| Slug::try_from(name).expect("valid").twin_key();
        assert_eq!(key("Größe"), key("GRÖSSE").replace("ss", "ß"));
        assert_eq!(key("Login"), key("LOGIN"));
        assert_ne!(key("login"), key("log-in"));
    }
}
