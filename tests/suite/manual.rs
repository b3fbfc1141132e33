//! The manual pages: what is said about options comes from the command lines, the rest from `man/*.in`.
//!
//! In the source of a page, `@synopsis`, `@command <name>`, `@option <id>`, `@as <command> <id>...` and
//! `@common` stand for what the command line knows. An option that a page leaves out is an error.

mod roff;

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, Command};
use git_parallel::cli::Program;
use git_parallel::commands::task::{overlap, view};

use crate::generated::{assert_kept, root};
use crate::support::*;

const PAGES: [(&str, Program); 3] =
    [("git-task", Program::Task), ("git-pool", Program::Pool), ("git-integrate", Program::Integrate)];

fn source(name: &str) -> String {
    std::fs::read_to_string(root(&format!("man/{name}.in"))).unwrap()
}

fn kept(name: &str) -> String {
    std::fs::read_to_string(root(&format!("man/{name}.1"))).unwrap()
}

/// `` `-b <branch>`, `--branch <branch>` ``
fn term(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.first().map(|name| format!("<{name}>")).filter(|_| arg.get_action().takes_values());
    let optional = arg.get_num_args().is_some_and(|n| n.min_values() == 0);
    let with = |name: String| match &value {
        Some(value) if arg.is_positional() => format!("`{value}`"),
        Some(value) if optional => format!("`{name}[={value}]`"),
        Some(value) => format!("`{name} {value}`"),
        None => format!("`{name}`"),
    };
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<_> = short.into_iter().chain(long).map(with).collect();
    if names.is_empty() { with(String::new()) } else { names.join(", ") }
}

fn usage(command: &Command) -> String {
    command.get_overridden_usage().expect("every command has one").to_string()
}

/// What must be described where the command is.
fn own_args(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter(|a| !a.is_hide_set() && !a.is_global_set());
    let own = own.filter(|a| {
        !matches!(a.get_action(), ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
    });
    own.map(|a| a.get_id().to_string()).collect()
}

/// Puts in what the command line knows.
fn filled_in(source: &str, top: &Command) -> String {
    // What a program with subcommands does without one is said in prose.
    let of_top = if top.has_subcommands() { BTreeSet::new() } else { own_args(top) };
    let mut current: (&Command, BTreeSet<String>) = (top, of_top);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut out = String::new();
    let arg = |command: &Command, id: &str| -> Arg {
        let found = command.get_arguments().find(|a| a.get_id() == id).cloned();
        found.unwrap_or_else(|| panic!("{} has no {id}", command.get_name()))
    };
    for line in source.lines() {
        let mut words = line.split_whitespace();
        let directive = words.next().filter(|word| word.starts_with('@'));
        let rest: Vec<_> = words.collect();
        match directive {
            None => out += line,
            Some("@synopsis") => {
                out += "```\n";
                let visible = top.get_subcommands().filter(|c| !c.is_hide_set());
                for command in std::iter::once(top).chain(visible) {
                    out += &format!("{}\n", usage(command).replace("   or: ", ""));
                }
                out += "```";
            }
            Some("@command") => {
                assert!(current.1.is_empty(), "{} leaves out {:?}", current.0.get_name(), current.1);
                let command = top.find_subcommand(rest[0]).unwrap_or_else(|| panic!("{line}"));
                seen.insert(rest[0].to_owned());
                current = (command, own_args(command));
                out += &format!("## {}\n\n```\n{}\n```", rest[0], usage(command).replace("   or: ", ""));
            }
            Some("@option") => {
                assert!(current.1.remove(rest[0]), "{} has no {}, or twice", current.0.get_name(), rest[0]);
                out += &format!("{}::", term(&arg(current.0, rest[0])));
            }
            Some("@as") => {
                let terms = rest[1..].iter().map(|id| {
                    assert!(current.1.remove(*id), "{} has no {id}, or twice", current.0.get_name());
                    term(&arg(current.0, id))
                });
                let terms = terms.collect::<Vec<_>>().join(", ");
                out += &format!("{terms}::\n    As for `{}`.\n", rest[0]);
            }
            Some("@common") => out += &format!("{}::", term(&arg(top, rest[0]))),
            Some(other) => panic!("{other} means nothing"),
        }
        out.push('\n');
    }
    assert!(current.1.is_empty(), "{} leaves out {:?}", current.0.get_name(), current.1);
    let all: BTreeSet<_> = top.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    assert_eq!(seen, all, "every command has its part of the page");
    out
}

#[test]
fn pages_are_fresh() {
    for (name, program) in PAGES {
        let mut command = program.command();
        command.build();
        let source = source(name);
        let (first, text) = source.split_once('\n').unwrap();
        let date = first.strip_prefix("date: ").expect("the first line is the date of the last change");
        let page = roff::page(name, date, env!("CARGO_PKG_VERSION"), &filled_in(text, &command));
        assert_kept(&format!("man/{name}.1"), &page);
    }
}

/// All `"<prefix>..."` in the source, with letters after the prefix.
pub fn strings_in_source(prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![root("src")];
    while let Some(dir) = dirs.pop() {
        for path in std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for (at, _) in text.match_indices(&format!("\"{prefix}")) {
                let word: String = text[at + 1..].chars().take_while(|c| *c != '"').collect();
                let tail = &word[prefix.len()..];
                if !tail.is_empty() && tail.chars().all(|c| c.is_ascii_alphanumeric()) {
                    found.insert(word);
                }
            }
        }
    }
    found
}

#[test]
fn the_page_names_every_key() {
    let page = source("git-task");
    let has = |word: &str| assert!(page.contains(&format!("`{word}`")), "git-task.in doesn't mention {word}");
    let config = strings_in_source("task.");
    assert!(config.contains("task.base"), "{config:?}");
    config.iter().for_each(|key| has(key));
    has("color.task");
    has("pager.task");
    let advice: BTreeSet<_> = strings_in_source("task")
        .into_iter()
        .filter(|key| key[4..].starts_with(|c: char| c.is_ascii_uppercase()))
        .collect();
    assert!(advice.contains("taskTrust"), "{advice:?}");
    advice.iter().for_each(|key| has(&format!("advice.{key}")));
    view::KEYS.iter().chain(overlap::KEYS).for_each(|key| has(key));
    for variable in strings_in_source("GIT_TASK_").iter().chain(["GIT_TASK".to_owned()].iter()) {
        has(variable);
    }
    for code in ["0", "1", "128", "129", "130"] {
        has(code);
    }
}

#[test]
fn the_page_of_integrate_names_every_key() {
    let page = source("git-integrate");
    let has =
        |word: &str| assert!(page.contains(&format!("`{word}`")), "git-integrate.in doesn't mention {word}");
    let config = strings_in_source("integrate.");
    assert!(config.contains("integrate.keepGoing"), "{config:?}");
    config.iter().for_each(|key| has(key));
    has("color.integrate");
    has("pager.integrate");
    let advice: BTreeSet<_> = strings_in_source("integrate")
        .into_iter()
        .filter(|key| key["integrate".len()..].starts_with(|c: char| c.is_ascii_uppercase()))
        .collect();
    assert!(advice.contains("integrateStopped"), "{advice:?}");
    advice.iter().for_each(|key| has(&format!("advice.{key}")));
    for code in ["0", "1", "2", "128", "129", "130"] {
        has(code);
    }
}

#[test]
fn advice_that_is_gone_is_not_listed() {
    for (name, prefix) in [("git-task", "task"), ("git-integrate", "integrate")] {
        let known = strings_in_source(prefix);
        let text = source(name);
        for rest in text.match_indices("`advice.").map(|(at, m)| at + m.len()) {
            let key: String = text[rest..].chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            assert!(key == prefix || known.contains(&key), "advice.{key}");
        }
    }
}

#[test]
fn pages_render_without_a_warning() {
    for (name, _) in PAGES {
        let page = root(&format!("man/{name}.1"));
        let page = page.to_str().unwrap();
        let sandbox = Sandbox::new();
        let dir = sandbox.path("");
        if need("man") {
            let args = ["--warnings", "--encoding=UTF-8", "--local-file", page];
            let mut man = sandbox.command(&dir, "man");
            let run = Run::of(man.args(args).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8"), b"").ok();
            assert_eq!(run.stderr, "", "{name}");
            assert!(run.stdout.contains("SEE ALSO"), "{run}");
            for line in run.stdout.lines() {
                let plain = console::strip_ansi_codes(line);
                assert!(plain.chars().count() <= 80, "{name}: too wide: {plain}");
            }
        }
        if need("mandoc") {
            sandbox.run(&dir, "mandoc", ["-T", "lint", "-W", "warning", page]).ok().prints("");
        }
        assert!(kept(name).contains("\"git-parallel"), "install-man knows our pages by this");
    }
}
