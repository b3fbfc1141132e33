//! Runs what the README shows. A block of `console` below the comment `<!-- run -->` is executed; see
//! [`transcript`](crate::transcript). The wildcard is `…`.

use std::path::Path;

use crate::transcript::{self, Manner, Step};

/// How many blocks of the README are run.
const BLOCKS: usize = 7;

#[test]
fn the_readme_is_true() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = blocks(&readme);
    assert_eq!(blocks.len(), BLOCKS, "a block that loses its mark would no longer be tested");
    check(blocks);
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
        blocks.push(transcript::steps(lines.by_ref().take_while(|line| *line != "```")));
    }
    blocks
}

#[track_caller]
fn check(blocks: Vec<Vec<Step>>) {
    let steps: Vec<Step> = blocks.into_iter().flatten().collect();
    transcript::check("README.md", &steps, Manner { wildcard: "…", loose: false });
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
    assert_eq!(
        blocks[0][0],
        Step { command: "git branch --show-current".into(), shown: Some("main\n".into()) }
    );
    check(blocks);
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
        let result = std::panic::catch_unwind(|| check(blocks(&changed)));
        assert!(result.is_err(), "{wrong} instead of {right} was not found");
    }
}
