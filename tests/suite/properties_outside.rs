//! As `properties`, where git or a shell is the judge: many cases to a process.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use git_parallel::desk::template::expand_shell;
use git_parallel::duration;
use git_parallel::integrate::conflict::markers;
use git_parallel::store::record::Record;
use git_parallel::task::Slug;
use git_parallel::text;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::properties::{odd_bytes, odd_text};
use crate::support::*;

/// Calls `check` with all cases, some hundred at a time.
fn batches<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, mut check: impl FnMut(&[T])) {
    const BATCH: u32 = 500;
    let mut runner = TestRunner::new(Config::default());
    let mut left = runner.config().cases;
    while left > 0 {
        let size = left.min(BATCH);
        let all: Vec<T> = (0..size).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
        check(&all);
        left -= size;
    }
}

fn without_nul() -> impl Strategy<Value = Vec<u8>> {
    odd_bytes().prop_map(|all| all.into_iter().filter(|b| *b != 0).collect())
}

#[test]
fn what_is_taken_for_a_name_is_a_branch_a_file_and_a_section() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let mut taken = 0;
    batches(prop_oneof![odd_text(), "[a-zA-Z0-9äß._@{}~#!$%&()+,;=^`|<>'-]{1,8}"], |all| {
        let slugs: std::collections::BTreeSet<&str> =
            all.iter().filter(|name| Slug::try_from(name.as_str()).is_ok()).map(String::as_str).collect();
        taken += slugs.len();
        let id = sandbox.commit_id(&dir, "HEAD");
        let mut script = Vec::new();
        for slug in &slugs {
            script.extend_from_slice(format!("create refs/heads/n/{slug}\0{id}\0").as_bytes());
        }
        Run::of(&mut sandbox.git_command(&dir, ["update-ref", "--stdin", "-z"]), &script).ok();
        let listed = sandbox.git(&dir, ["for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/n"]).ok();
        assert_eq!(listed.stdout.lines().collect::<std::collections::BTreeSet<_>>(), slugs);
        let delete: String = slugs.iter().map(|slug| format!("delete refs/heads/n/{slug}\0\0")).collect();
        Run::of(&mut sandbox.git_command(&dir, ["update-ref", "--stdin", "-z"]), delete.as_bytes()).ok();
        let files = sandbox.path("files");
        std::fs::create_dir_all(&files).unwrap();
        let mut config = String::new();
        for slug in &slugs {
            std::fs::write(files.join(format!("{slug}.lock")), "").unwrap();
            config += &format!("[task \"{slug}\"]\n\tbranch = x\n");
        }
        sandbox.write(&dir, "config", &config);
        let read = sandbox.git(&dir, ["config", "-z", "-f", "config", "--name-only", "--list"]).ok();
        let names: std::collections::BTreeSet<String> =
            slugs.iter().map(|s| format!("task.{s}.branch")).collect();
        assert_eq!(
            read.stdout.split_terminator('\0').map(str::to_owned).collect::<std::collections::BTreeSet<_>>(),
            names
        );
    });
    assert!(taken > 20, "{taken}");
}

#[test]
fn what_is_written_into_a_config_file_git_reads_back() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    batches(without_nul(), |all| {
        let mut record = Record::new("task");
        for value in all {
            record = record.with("value", value.clone());
        }
        let bytes = record.to_bytes().unwrap();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), record);
        sandbox.write(&dir, "config", &bytes);
        let read =
            sandbox.git(&dir, ["config", "-z", "-f", "config", "--get-all", "task.value"]).ok().raw_stdout;
        let read: Vec<&[u8]> = read.strip_suffix(b"\0").unwrap().split(|b| *b == 0).collect();
        assert_eq!(read.len(), all.len());
        // An older git takes a carriage return inside a value for a space; we read what was written.
        let is_old = git_under_test().version < (2, 45);
        let as_read = |value: &[u8]| -> Vec<u8> {
            value.iter().map(|byte| if is_old && *byte == b'\r' { b' ' } else { *byte }).collect()
        };
        for (read, value) in read.iter().zip(all) {
            assert_eq!(as_read(read), as_read(value));
        }
    });
}

#[test]
fn an_argument_that_was_quoted_reaches_its_command() {
    let sandbox = Sandbox::new();
    batches(without_nul(), |all| {
        let mut script = Vec::new();
        let mut expected = Vec::new();
        for value in all {
            script.extend_from_slice(b"printf '%s\\0' ");
            script.extend(text::shell_quote(value));
            script.push(b'\n');
            let template = "printf '%s\\0' x{value}y \"$(printf %s {value}; echo .)\" # x";
            script.extend(expand_shell(template, &[("value", value)]).unwrap());
            script.push(b'\n');
            expected.extend([value.as_slice(), b"\0x", value, b"y\0", value, b".\0"].concat());
        }
        std::fs::write(sandbox.path("script"), script).unwrap();
        for shell in ["sh", "bash"].into_iter().filter(|shell| *shell == "sh" || need(shell)) {
            let run = sandbox.run(sandbox.path(""), shell, ["script"]).ok();
            assert!(run.raw_stdout == expected, "{shell}");
        }
    });
}

/// Whatever surrounds a placeholder: what is in the value never runs.
#[test]
fn no_template_lets_a_value_run() {
    const PIECES: &[&str] = &[
        "{v}",
        "{v}",
        "{v}",
        "'",
        "\"",
        "$(",
        ")",
        "`",
        "#",
        " ",
        "\\",
        "\n",
        "<<E\n",
        "<<'E'\n",
        "\nE\n",
        "<<<",
        "x",
        "true ",
        "$",
        "${",
        "}",
        "((",
        "[[ ",
        " ]]",
        "a=",
        "a=(",
        "\\\n",
        ";",
        "case x in x) ",
        "esac",
        "{",
        "$'",
        "$[",
        "]",
        "<(",
        ">&",
        "2>&1",
        "!",
        "*",
        "~",
        "&&",
        "||",
        "echo ",
        ":;",
        "a[",
        "$((",
        "))",
        "-",
        "function f",
    ];
    const VALUES: &[&str] = &[
        "';touch pwned;'",
        "$(touch pwned)",
        "`touch pwned`",
        "\";touch pwned;\"",
        "\ntouch pwned\n",
        "E\ntouch pwned\n",
        "\nE\ntouch pwned\nE\n",
        ")\ntouch pwned\n",
        "a[$(touch pwned)]",
        "'\ntouch pwned\n#'",
        "x$(touch pwned)'$(touch pwned)'\"$(touch pwned)\"",
        "}\ntouch pwned\n",
        "))\ntouch pwned\n",
        "\\';touch pwned;\\'",
        "x=$(touch pwned)",
        "&touch pwned&",
    ];
    let sandbox = Sandbox::new();
    let shells: Vec<&str> =
        ["sh", "bash"].into_iter().filter(|shell| *shell == "sh" || need(shell)).collect();
    let piece = prop::sample::select(PIECES.to_vec());
    let case = (prop::collection::vec(piece, 1..9), prop::sample::select(VALUES.to_vec()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut taken = 0;
    batches(case, |all| {
        let expand = |(pieces, value): &(Vec<&str>, &str)| {
            expand_shell(&pieces.concat(), &[("v", value.as_bytes())]).ok()
        };
        let lines: Vec<_> = all.iter().filter_map(|case| Some((expand(case)?, case))).collect();
        taken += lines.len();
        at_once(workers, |worker| {
            let dir = sandbox.path(format!("cases-{worker}"));
            for (line, case) in lines.iter().skip(worker).step_by(workers) {
                for shell in &shells {
                    let _ = std::fs::remove_dir_all(&dir);
                    std::fs::create_dir(&dir).unwrap();
                    let mut command = sandbox.command(&dir, shell);
                    // What it starts in the background holds its output open, and is waited for.
                    Run::of(command.arg("-c").arg(OsStr::from_bytes(line)), b"");
                    assert!(!dir.join("pwned").exists(), "{shell}: {case:?}");
                }
            }
        });
    });
    assert!(taken > 20, "{taken}");
}

/// What the dialogue shows of a conflict is all of it: with the lines of one side in each place, it is what git makes
/// of the file when that side decides.
#[test]
fn the_hunks_of_a_conflict_make_up_the_file() {
    let line = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "",
        "<<<<<<< x",
        "=======",
        ">>>>>>> y",
        "||||||| z",
        "ä\u{1b}[2J",
        "a\r",
        "\0",
    ]);
    let text = (prop::collection::vec(line, 0..7), any::<bool>()).prop_map(|(lines, ends)| {
        let text = lines.join("\n");
        if ends && !text.is_empty() { text + "\n" } else { text }
    });
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let (mut runner, mut conflicts) = (TestRunner::new(Config::default()), 0);
    let case = (text.clone(), text.clone(), text);
    for _ in 0..runner.config().cases.div_ceil(8) {
        let (base, ours, theirs) = case.new_tree(&mut runner).unwrap().current();
        for (name, text) in [("base", &base), ("ours", &ours), ("theirs", &theirs)] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let merge = |options: &[&str]| {
            let args = [&["merge-file", "-p", "--quiet"], options, &["ours", "base", "theirs"]].concat();
            let run = sandbox.git(&dir, args);
            (run.code < 128).then_some(run.raw_stdout)
        };
        for style in [&["--marker-size=79"][..], &["--marker-size=79", "--diff3"]] {
            // With a NUL it is no text.
            let Some(marked) = merge(style) else { continue };
            let lines = markers::lines(&marked);
            let hunks = markers::hunks(&lines, 79);
            conflicts += hunks.len();
            for option in ["--ours", "--theirs"] {
                let mut made = Vec::new();
                let mut at = 0;
                for hunk in &hunks {
                    made.extend_from_slice(&lines[at..hunk.lines().start]);
                    let side = if option == "--ours" { &hunk.ours } else { &hunk.theirs };
                    made.extend_from_slice(&lines[side.clone()]);
                    at = hunk.lines().end;
                }
                made.extend_from_slice(&lines[at..]);
                let decided = merge(&[option]).unwrap();
                // A marker needs a line end before it, as the file has them, where the side has none.
                let bare = |text: &[u8]| {
                    let end = text.iter().rposition(|b| !b"\r\n".contains(b)).map_or(0, |at| at + 1);
                    text[..end].to_owned()
                };
                assert_eq!(bare(&made.concat()), bare(&decided), "{base:?} {ours:?} {theirs:?} {option}");
            }
        }
    }
    assert!(conflicts > 5, "{conflicts}");
}

/// So long ago is as long ago as for git, which something is deleted by; and what is a date besides is none of it.
#[test]
fn so_long_ago_is_as_long_ago_as_for_git() {
    let number = prop::sample::select(vec!["1", "2", "10", "12", "20", "two", "Ten"]);
    let unit = prop::sample::select(vec!["second", "minutes", "hour", "DAYS", "week", "months", "year"]);
    let between = prop::sample::select(vec![" ", ".", "-", "/"]);
    let span =
        (number, between.clone(), unit).prop_map(|(number, between, unit)| [number, between, unit].concat());
    let other = prop::sample::select(vec![
        "2024-12-24",
        "12:00",
        "dec",
        "monday",
        "5",
        "last",
        "10:20:30",
        "@7",
        "today",
    ]);
    let part = prop_oneof![8 => span, 1 => other.prop_map(str::to_owned)];
    let date = (prop::collection::vec(part, 1..3), between)
        .prop_map(|(parts, between)| [parts.join(between), "ago".to_owned()].join(between));
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let now = i64::try_from(NOW).unwrap();
    let (mut taken, mut all_cases) = (0, 0);
    batches(date, |all| {
        let ours = all.iter().filter_map(|text| Some((text, duration::parse_expiry(text, now).ok()?)));
        let ours: Vec<_> = ours.collect();
        taken += ours.len();
        all_cases += all.len();
        let args = ours.iter().map(|(text, _)| format!("--since={text}"));
        let run = sandbox.git(&dir, ["rev-parse".to_owned()].into_iter().chain(args)).ok();
        for ((text, moment), line) in ours.iter().zip(run.stdout.lines()) {
            assert_eq!(line, format!("--max-age={moment}"), "{text:?}");
        }
    });
    assert!(taken > all_cases / 4, "{taken}");
}
