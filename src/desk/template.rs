//! Placeholders such as `{task}` in formats of names and in commands.

mod shell;

pub use shell::expand_shell;

use crate::error::{Failure, Result};
use crate::text;

/// Fills in a format of a branch or a path, such as `{type}/{task}`.
///
/// `{{` and `}}` are literal braces. A value is taken as it is: placeholders in it are not filled in.
///
/// # Errors
///
/// A placeholder that is not among `values`, naming those that are, and a brace that is never closed.
pub fn expand(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let shown = || text::escape_controls(template.as_bytes());
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            out.push_str(&rest[..1]);
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let Some(end) = inside.find('}') else {
                return Err(Failure::fatal(format!("'{}' has a '{{' that is never closed", shown())));
            };
            let name = &inside[..end];
            let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
                let name = text::escape_controls(name.as_bytes());
                return Err(Failure::fatal(format!(
                    "unknown placeholder '{{{name}}}' in '{}' (expected one of {})",
                    shown(),
                    list(values.iter().map(|(known, _)| *known))
                )));
            };
            out.push_str(value);
            rest = &inside[end + 1..];
        } else {
            out.push('}');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[(&str, &str)] = &[("task", "login"), ("type", "{task}")];

    #[test]
    fn fills_in_once() {
        assert_eq!(expand("{type}/{task}", VALUES).expect("known"), "{task}/login");
        assert_eq!(expand("../x-{task}", VALUES).expect("known"), "../x-login");
        assert_eq!(expand("größe", VALUES).expect("no placeholder"), "größe");
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(expand("{{task}}-{{{task}}}", VALUES).expect("known"), "{task}-{login}");
        assert_eq!(expand("a}b", VALUES).expect("known"), "a}b");
    }

    #[test]
    fn a_mistyped_placeholder_is_named() {
        let message = expand("{type}/{tsak}", VALUES).expect_err("unknown").message();
        assert_eq!(
            message,
            "unknown placeholder '{tsak}' in '{type}/{tsak}' (expected one of {task}, {type})"
        );
        assert!(expand("{}", VALUES).expect_err("unknown").message().starts_with("unknown placeholder '{}'"));
        assert_eq!(
            expand("a/{task", VALUES).expect_err("open").message(),
            "'a/{task' has a '{' that is never closed"
        );
    }
}
