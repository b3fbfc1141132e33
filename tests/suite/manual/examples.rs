//! What the pages show is true. A block below `@run` is executed, see [`transcript`]; `...` is
//! its wildcard. `@setup <command>` does beforehand what the reader isn't shown. A block below `@team` or `@plan`
//! is a file that can be read. All command lines of ours, executed or not, make sense.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use git_parallel::config::team;
use git_parallel::task::plan;

use super::source::{self, Page};
use crate::transcript::{self, Manner, Step};

/// The lines of a block of code, after the directive that is above it.
struct Block<'t> {
    directive: &'t str,
    lines: Vec<&'t str>,
}

/// The blocks of a page; the steps of the reader and those that he doesn't see are in one row.
fn blocks(page: &Page) -> (Vec<Block<'_>>, Vec<Step>) {
    let (mut blocks, mut steps) = (Vec::new(), Vec::new());
    let mut directive = "";
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        match line.split_once(' ') {
            Some(("@setup", command)) => steps.push(Step::hidden(command)),
            _ if ["@run", "@team", "@plan"].contains(&line) => directive = line,
            _ if line.trim() == "```" => {
                let block: Vec<_> = lines.by_ref().take_while(|l| l.trim() != "```").collect();
                if directive == "@run" {
                    steps.extend(transcript::steps(block.iter().copied()));
                }
                blocks.push(Block { directive, lines: block });
                directive = "";
            }
            _ => assert!(
                directive.is_empty() || line.is_empty(),
                "{}: {directive} goes above a block",
                page.name
            ),
        }
    }
    (blocks, steps)
}

#[test]
fn examples_are_true() {
    let pages = source::all();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    // Two at a time, because most of the time is git's.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (_, steps) = blocks(page);
                    let manner = Manner { wildcard: "...", loose: true };
                    let run = || transcript::check(&page.name, &steps, manner);
                    if !steps.is_empty() && std::panic::catch_unwind(run).is_err() {
                        failed.lock().unwrap().push(page.name.clone());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "what is shown in {failed:?} is not so");
}

#[test]
fn every_page_has_an_example() {
    for page in source::all() {
        let (blocks, _) = blocks(&page);
        let shown = blocks.iter().filter(|b| b.lines.iter().any(|l| l.contains("git ")));
        assert!(shown.count() >= 1, "{} has no example", page.name);
        // A session that nobody runs might be a lie.
        let unrun = blocks.iter().filter(|b| b.directive != "@run").flat_map(|b| &b.lines);
        for line in unrun {
            assert!(!line.starts_with("$ "), "{}: not run: {line}", page.name);
        }
    }
}

#[test]
fn files_that_are_shown_can_be_read() {
    let mut read = 0;
    for page in source::all() {
        for block in blocks(&page).0 {
            let text = block.lines.join("\n");
            match block.directive {
                "@team" => drop(team::parse(&text, &page.name, |_| false).unwrap()),
                "@plan" => drop(plan::parse(&text, &page.name, |_| false).unwrap()),
                _ => continue,
            }
            read += 1;
        }
    }
    assert!(read >= 2, "a block that loses its mark would no longer be read");
}

#[test]
fn command_lines_make_sense() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in source::all() {
        for line in blocks(&page).0.iter().flat_map(|block| &block.lines) {
            for words in our_commands(line) {
                seen += 1;
                let shown = words.join(" ");
                wrong.extend(complaint(&words).map(|e| format!("{}: `{shown}`: {e}", page.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "{seen}");
}

/// What clap has against a command line. Placeholders count as words.
pub fn complaint(words: &[String]) -> Option<String> {
    let programs = source::programs();
    let program = programs.into_iter().find(|p| p.get_name() == words[0])?;
    let result = program.try_get_matches_from(words);
    let error = result.err().filter(|e| {
        use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
        ![DisplayHelp, DisplayVersion].contains(&e.kind())
    });
    error.map(|e| e.to_string())
}

/// The words of each of our commands in a line of shell, with `git-task` for `git task`.
pub fn our_commands(line: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for name in ["task", "pool", "integrate"] {
        for (at, found) in line.match_indices(name) {
            let before = line[..at].trim_end_matches(' ');
            let is_git = before.rsplit([' ', '(', '"', '\'']).next().is_some_and(|w| w == "git");
            // After options of git's, such as in `git -C <dir> task list`.
            let after_option = before.rfind("git -").is_some_and(|git| {
                let options = &before[git..];
                !options.contains(['|', '&', ';']) && options.split(' ').count() % 2 == 1
            });
            let rest = &line[at + found.len()..];
            if (is_git || after_option)
                && before.len() < at
                && !rest.starts_with(|c: char| c != ' ' && c != ')')
            {
                let mut words = vec![format!("git-{name}")];
                words.extend(shell_words(rest));
                all.push(words);
            }
        }
    }
    all
}

/// The words up to where the shell's command ends.
fn shell_words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') if text.matches(c).count() > 1 => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '>' | '<' | '|' | '&' | ';' | ')' | '\\' | '"' | '\'') => break,
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn command_lines_are_found() {
    let found = |line: &str| our_commands(line).into_iter().map(|w| w.join("|")).collect::<Vec<_>>();
    assert_eq!(found("$ git task add -q 'a b' && git pool list"), ["git-task|add|-q|a b", "git-pool|list"]);
    assert_eq!(found("cd \"$(git task path x)\""), ["git-task|path|x"]);
    assert_eq!(found("git -C ../x pool fill -q >log"), ["git-pool|fill|-q"]);
    assert_eq!(found("git commit -m 'a task of mine'").len(), 0);
    assert!(complaint(&["git-task".into(), "add".into(), "--nothing".into()]).is_some());
    assert!(complaint(&["git-task".into(), "add".into(), "x".into()]).is_none());
}
