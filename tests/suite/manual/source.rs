//! The sources of the manual, `man/*.in`, and what the command lines put into them.
//!
//! A source begins with lines `<key>: <value>` and an empty line: `date` of the last change, `section` if it isn't 1,
//! `aliases` that lead to the page. What a page is about follows from its name: `git-task-add` is about
//! `git task add`, and so are aliases. In the text these directives stand for what the command line knows:
//!
//! - `@name [<text>]`: the page's names and what it is about
//! - `@synopsis`: the forms of its commands
//! - `@commands <name>...`: each with a line, in the page of a program
//! - `@option <id>...`: the term of an option, whose text follows
//! - `@common [<id>]`: the term of an option that all commands have, or where these are described
//! - `@as <page> <id>...`: options that another page describes
//! - `@exit <code>...`: exit codes that mean what they mean in the page of the program
//! - `@setup <command>`, `@run`, `@plan`, `@team`: see `examples.rs`

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, Command};
use git_parallel::cli::Program;

use crate::generated::root;

/// What every page ends with.
const SUITE: &str = "\n# GIT-PARALLEL\n\nPart of the git-parallel(7) suite.\n";

/// A page of the manual.
pub struct Page {
    /// `git-task-add`
    pub name: String,
    /// 1, 5 or 7.
    pub section: u8,
    /// The day of its last change.
    pub date: String,
    /// Further names under which it is found.
    pub aliases: Vec<String>,
    /// The source below the header.
    pub text: String,
}

/// All pages, by name.
pub fn all() -> Vec<Page> {
    let entries = std::fs::read_dir(root("man")).unwrap().map(|e| e.unwrap().path());
    let mut sources: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "in")).collect();
    sources.sort();
    let page = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        Page::read(name, &std::fs::read_to_string(path).unwrap())
    };
    sources.iter().map(page).collect()
}

/// The three command lines, complete.
pub fn programs() -> Vec<Command> {
    let all = [Program::Task, Program::Pool, Program::Integrate];
    all.map(|program| {
        let mut command = program.command();
        command.build();
        command
    })
    .into()
}

/// The command that a page of this name is about, and its program.
pub fn command_of<'c>(programs: &'c [Command], name: &str) -> Option<(&'c Command, &'c Command)> {
    programs.iter().find_map(|program| {
        let rest = name.strip_prefix(program.get_name())?;
        if rest.is_empty() {
            return Some((program, program));
        }
        let command = program.find_subcommand(rest.strip_prefix('-')?)?;
        Some((program, command))
    })
}

impl Page {
    fn read(name: &str, source: &str) -> Self {
        let (header, text) = source.split_once("\n\n").expect("an empty line ends the header");
        let mut page = Page {
            name: name.into(),
            section: 1,
            date: String::new(),
            aliases: Vec::new(),
            text: text.into(),
        };
        for line in header.lines() {
            match line.split_once(": ") {
                Some(("date", date)) => page.date = date.into(),
                Some(("section", section)) => page.section = section.parse().unwrap(),
                Some(("aliases", names)) => page.aliases = names.split(' ').map(Into::into).collect(),
                _ => panic!("{name}: {line:?} is no header"),
            }
        }
        assert!(!page.date.is_empty(), "{name} has no date");
        page
    }

    /// `git-task-add.1`
    pub fn file(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }

    /// Its name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(String::as_str)
    }

    /// The commands that it is about.
    pub fn commands<'c>(&self, programs: &'c [Command]) -> Vec<&'c Command> {
        let of = |name| command_of(programs, name).unwrap_or_else(|| panic!("{name} is about no command")).1;
        if self.section == 1 { self.names().map(of).collect() } else { Vec::new() }
    }

    /// The lines below a heading, up to the next one; none if there is no such heading.
    pub fn part(&self, heading: &str) -> Option<String> {
        let (_, rest) = format!("\n{}", self.text).split_once(&format!("\n# {heading}\n")).map(own)?;
        Some(rest.split("\n# ").next().unwrap_or_default().to_owned())
    }

    /// The headings in their order.
    pub fn headings(&self) -> Vec<&str> {
        self.text.lines().filter_map(|line| line.strip_prefix("# ")).collect()
    }
}

fn own((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

/// `` `-b <branch>`, `--branch <branch>` ``
pub fn term(arg: &Arg) -> String {
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

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
}

/// What a page says about its commands' options must be just this.
fn own_args(command: &Command) -> Vec<Arg> {
    let own = command.get_arguments().filter(|a| !a.is_hide_set() && !a.is_global_set() && !is_help(a));
    own.cloned().collect()
}

/// The options that all commands of a program have, by id.
fn common_args(program: &Command) -> BTreeSet<String> {
    let common = program.get_arguments().filter(|a| a.is_global_set() || is_help(a)).filter(|a| {
        // The negations that we add are no options of their own.
        a.get_help().is_some()
    });
    common.map(|a| a.get_id().to_string()).collect()
}

/// The options of the commands of a page that are still to be described.
struct Due<'c> {
    page: &'c str,
    program: &'c Command,
    own: Vec<Arg>,
    common: BTreeSet<String>,
}

impl Due<'_> {
    fn of<'d, 'c>(due: &'d mut Option<Due<'c>>, line: &str) -> &'d mut Due<'c> {
        due.as_mut().unwrap_or_else(|| panic!("{line}: this page is about no command"))
    }

    /// The term of an option; several commands may have it, if it is the same for each.
    fn take(&mut self, id: &str) -> String {
        let page = self.page;
        let (found, rest): (Vec<_>, _) = self.own.drain(..).partition(|a| a.get_id() == id);
        self.own = rest;
        let mut terms: Vec<_> = found.iter().map(term).collect();
        terms.dedup();
        assert!(!terms.is_empty(), "{page} has no {id}, or twice");
        assert_eq!(terms.len(), 1, "{page}: {id} differs");
        terms.remove(0)
    }

    fn take_common(&mut self, id: Option<&str>) -> String {
        let (page, program) = (self.page, self.program);
        let Some(id) = id else {
            self.common.clear();
            return format!(
                "The options that every command has, such as `-q`, are described in {}(1).",
                program.get_name()
            );
        };
        assert!(self.common.remove(id), "{page} has no {id}, or twice");
        let arg = program.get_arguments().find(|a| a.get_id() == id).expect("it was just there");
        format!("{}::", term(arg))
    }

    fn is_empty(&self) -> Result<(), String> {
        let own: Vec<_> = self.own.iter().map(|a| a.get_id().to_string()).collect();
        let common: Vec<_> = self.common.iter().collect();
        if own.is_empty() && common.is_empty() {
            return Ok(());
        }
        Err(format!("{} leaves out {own:?} {common:?}", self.page))
    }
}

/// The page's text with what the command line knows.
///
/// # Panics
/// If a directive makes no sense, or an option or a subcommand is left out.
pub fn filled_in(page: &Page, programs: &[Command]) -> String {
    let program = command_of(programs, &page.name).map(|(program, _)| program);
    let commands = page.commands(programs);
    // What a program does without a subcommand is said in prose.
    let own = commands.iter().filter(|c| !c.has_subcommands()).flat_map(|c| own_args(c));
    let mut due = program.map(|program| Due {
        page: &page.name,
        program,
        own: own.collect(),
        common: common_args(program),
    });
    let mut subcommands: BTreeSet<&str> = commands
        .iter()
        .flat_map(|c| c.get_subcommands())
        .filter(|c| !c.is_hide_set())
        .map(Command::get_name)
        .collect();
    let mut out = String::new();
    let mut in_block = false;
    for line in page.text.lines() {
        in_block ^= line.trim() == "```";
        if in_block {
            out += &format!("{line}\n");
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        out += &match word {
            "@name" => {
                let about = || commands[0].get_about().expect("every command says").to_string();
                let about = if rest.is_empty() { about() } else { rest.to_owned() };
                format!("{} - {about}", page.names().collect::<Vec<_>>().join(", "))
            }
            "@synopsis" => {
                let usage =
                    |c: &&Command| c.get_overridden_usage().expect("every command has one").to_string();
                let all: Vec<_> = commands.iter().map(usage).collect();
                format!("```\n{}\n```", all.join("\n").replace("   or: ", ""))
            }
            "@commands" => {
                let mut all = String::new();
                for name in rest.split(' ') {
                    assert!(subcommands.remove(name), "{} has no {name}, or twice", page.name);
                    let about = commands[0].find_subcommand(name).and_then(Command::get_about);
                    all +=
                        &format!("{}-{name}(1)::\n    {}.\n\n", page.name, about.expect("it was just there"));
                }
                all
            }
            "@option" => {
                let terms: Vec<_> = rest.split(' ').map(|id| Due::of(&mut due, line).take(id)).collect();
                format!("{}::", terms.join(", "))
            }
            "@common" => Due::of(&mut due, line).take_common(Some(rest).filter(|id| !id.is_empty())),
            "@as" => {
                let (other, ids) = rest.split_once(' ').expect("a page and options");
                let terms: Vec<_> = ids.split(' ').map(|id| Due::of(&mut due, line).take(id)).collect();
                format!("{}::\n    As for {other}(1).\n", terms.join(", "))
            }
            "@exit" => {
                let codes: Vec<_> = rest.split(' ').map(|code| format!("`{code}`")).collect();
                let top = program.expect("a command has a program").get_name();
                format!("{}::\n    As for every command; see {top}(1).\n", codes.join(", "))
            }
            "@setup" | "@run" | "@plan" | "@team" => String::new(),
            other if other.starts_with('@') => panic!("{}: {other} means nothing", page.name),
            _ => line.to_owned(),
        };
        out.push('\n');
    }
    if let Some(Err(left)) = due.map(|due| due.is_empty()) {
        panic!("{left}");
    }
    assert!(subcommands.is_empty(), "{} leaves out {subcommands:?}", page.name);
    out + SUITE
}
