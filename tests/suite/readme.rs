//! Runs what the README shows. A block of `console` below the comment `<!-- run -->` is executed:
//! each line after `$ ` by sh, and what follows is what a person would see, standard error included.
//!
//! `…` stands for any text within a line, and for any number of lines where it stands alone. A
//! command that fails is followed by a last line `? <code>`. All blocks of a file are one session:
//! a `cd` in one of them lasts.

use std::path::Path;

use snapbox::IntoData;
use snapbox::assert::{Action, Assert};

use crate::support::{Run, Sandbox};

/// How many blocks of the README are run.
const BLOCKS: usize = 7;

#[test]
fn the_readme_is_true() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = blocks(&readme);
    assert_eq!(blocks.len(), BLOCKS, "a block that loses its mark would no longer be tested");
    check(&blocks);
}

/// A command and what it is said to show.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    shown: String,
}

/// The steps of each block that is to be run.
fn blocks(markdown: &str) -> Vec<Vec<Step>> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "<!-- run -->" {
            continue;
        }
        let fence = lines.find(|line| !line.trim().is_empty());
        assert_eq!(fence, Some("```console"), "a block of console follows <!-- run -->");
        let mut steps: Vec<Step> = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
                (Some(command), _, _) => steps.push(Step { command: command.into(), shown: String::new() }),
                (_, Some(more), Some(step)) if step.shown.is_empty() => step.command += &format!("\n{more}"),
                (_, _, Some(step)) => step.shown += &format!("{line}\n"),
                (_, _, None) => panic!("a block begins with a command, not with {line:?}"),
            }
        }
        assert!(!steps.is_empty(), "an empty block shows nothing");
        blocks.push(steps);
    }
    blocks
}

/// Runs the blocks in a repository `app` and compares.
#[track_caller]
fn check(blocks: &[Vec<Step>]) {
    let sandbox = Sandbox::new();
    let dir = sandbox.init_with("app", &[]);
    // A character that no command of ours prints ends what each has shown.
    let script: String =
        blocks.iter().flatten().map(|s| format!("{}\nprintf '\\036%s\\036' $?\n", s.command)).collect();
    let run = Run::of(sandbox.command(&dir, "sh").args(["-c", &format!("exec 2>&1\n{script}")]), b"");
    let mut shown = run.stdout.split('\u{1e}');
    for step in blocks.iter().flatten() {
        let (Some(output), Some(code)) = (shown.next(), shown.next().filter(|code| !code.is_empty())) else {
            panic!("the shell ended in `{}`\n{run}", step.command)
        };
        let status = if code == "0" { String::new() } else { format!("? {code}\n") };
        let (actual, expected) = (format!("{output}{status}"), with_wildcards(&step.shown));
        // Whatever SNAPSHOTS says: this is prose, which nothing overwrites.
        let assert = Assert::new().action(Action::Verify).normalize_paths(false);
        let result = assert.try_eq(Some(&step.command), actual.into_data(), expected.into_data());
        result.unwrap_or_else(|difference| panic!("$ {}\n{difference}", step.command));
    }
}

/// Snapbox's wildcards for ours.
fn with_wildcards(shown: &str) -> String {
    let line =
        |line: &str| if line == "…" { "...\n".to_owned() } else { line.replace('…', "[..]") + "\n" };
    shown.lines().map(line).collect()
}

const SAMPLE: &str = "\
# Not run
```console
$ false
```
<!-- run -->

```console
$ git branch --show-current
main
$ mkdir sub && cd sub
$ echo one; echo two; echo three
one
…
$ printf '%s\\n' \\
>   'a b c'
a … c
$ echo no >&2; sh -c 'exit 3'
no
? 3
```
<!-- run -->
```console
$ basename \"$PWD\"
sub
```
";

#[test]
fn marked_blocks_are_run() {
    let blocks = blocks(SAMPLE);
    assert_eq!(blocks.iter().map(Vec::len).collect::<Vec<_>>(), [5, 1]);
    assert_eq!(blocks[0][0], Step { command: "git branch --show-current".into(), shown: "main\n".into() });
    check(&blocks);
}

#[test]
fn what_is_shown_wrongly_is_found() {
    for (right, wrong) in [
        ("main", "trunk"),
        ("one\n…", "one\ntwo"),
        ("a … c", "a … d"),
        ("? 3\n", ""),
        ("? 3", "? 4"),
        ("\nsub", "\napp"),
        ("mkdir sub &&", "exit 0;"),
    ] {
        let changed = SAMPLE.replacen(right, wrong, 1);
        assert_ne!(changed, SAMPLE, "{right}");
        let result = std::panic::catch_unwind(|| check(&blocks(&changed)));
        assert!(result.is_err(), "{wrong} instead of {right} was not found");
    }
}
