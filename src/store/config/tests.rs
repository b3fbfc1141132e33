//! Against git itself: whatever a file looks like, what it reads there we read, and what we change in it it reads too.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::git::process::Git;

/// By section, name and key as git compares them.
type Entries = BTreeMap<(String, BString, String), Vec<BString>>;

/// What git reads in a file; none if it refuses it.
fn of_git(dir: &Path, text: &[u8]) -> Option<Entries> {
    fs::write(dir.join("file"), text).unwrap();
    let list = ["config", "-z", "-f", "file", "--list"];
    let output = Git::discovering(dir).cmd(list).output().unwrap();
    if !output.status.success() {
        return None;
    }
    let mut all = Entries::new();
    for entry in output.stdout.split(|b| *b == 0).filter(|entry| !entry.is_empty()) {
        let (key, value) = entry.split_once_str("\n").unwrap_or((entry, b""));
        // git takes a line before the first section for a key of none; nobody means that.
        let (section, rest) = key.split_once_str(".")?;
        let (name, key) = rest.rsplit_once_str(".").unwrap_or((b"", rest));
        let place = (section.to_str_lossy().into(), name.into(), key.to_str_lossy().into());
        all.entry(place).or_default().push(value.into());
    }
    Some(all)
}

fn of_ours(file: &ConfigFile) -> Entries {
    let mut all = Entries::new();
    for section in file.sections("task") {
        for (key, value) in section.values {
            let place = ("task".to_owned(), section.name.clone(), key.to_ascii_lowercase());
            all.entry(place).or_default().push(value);
        }
    }
    all
}

fn parsed(text: &[u8]) -> Result<ConfigFile> {
    parse_bytes(Path::new("file"), text)
}

/// A config file as people write them.
fn written() -> impl Strategy<Value = String> {
    let header = prop::sample::select(vec![
        "[task \"x\"]",
        "[TASK \"x\"]",
        "[task \"X\"]",
        "[task.x]",
        "[task \"x y\"] ; said",
        "[task \"a\\\"b\\\\c\"]",
        "[task \"größe\"]# said",
        "  [task \"x\"]",
        "[task \"x\"] title = inline",
        "[task]",
        "[other \"x\"]",
        "[task \"x\"]",
    ]);
    let value = prop::sample::select(vec![
        "plain",
        "two words",
        "\"  kept  \"",
        "cut # said",
        "\"kept # too\"",
        "cut ; said",
        "a\\nb\\tc",
        "goes \\\n  on",
        "\\\n",
        "\"goes \\\n on\"",
        "trailing   ",
        "a\\\"b\\\\c",
        "",
        "\"\"",
        "a\"b  c\"d",
        "größe\u{9b}",
        "x\\by",
        "=x=",
        "\"open",
        "bad\\q",
    ]);
    let key = prop::sample::select(vec!["branch", "Branch", "title", "scope", "a-b", "  scope", "\ttitle"]);
    let between = prop::sample::select(vec![" = ", "=", " =", "\t=  "]);
    let entry = (key.clone(), between, value).prop_map(|(key, is, value)| format!("{key}{is}{value}"));
    let line = prop_oneof![
        4 => header.prop_map(str::to_owned),
        8 => entry,
        1 => key.prop_map(str::to_owned),
        3 => (0..100_u8).prop_map(|n| format!("  # remark {n}.")),
        1 => Just("; remark".to_owned()),
        1 => Just(String::new()),
        1 => Just("   ".to_owned()),
    ];
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\n", "\r\n"]);
    (vec((line, end), 0..12), any::<bool>()).prop_map(|(lines, ends)| {
        let text: String = lines.into_iter().flat_map(|(line, end)| [line, end.to_owned()]).collect();
        if ends { text } else { text.trim_end().to_owned() }
    })
}

/// Some of the cases of a property, for each starts a process.
fn some_cases<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, mut check: impl FnMut(T)) {
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..runner.config().cases.div_ceil(10) {
        let case = strategy.new_tree(&mut runner).unwrap().current();
        check(case);
    }
}

#[test]
fn properties_what_git_reads_is_read_and_what_is_changed_git_reads() {
    let dir = tempfile::tempdir().unwrap();
    let text = vec(prop_oneof!["[ -~]{0,6}", "[\n\t\r\\\\\"#;=ä\u{9b} ]{0,3}"], 0..4);
    let values = vec(text.prop_map(|all| BString::from(all.concat().replace('\r', ""))), 0..3);
    let names = prop::sample::select(vec!["x", "X", "x y", "a\"b\\c", "new", "größe"]);
    let key = prop::sample::select(vec!["branch", "title", "SCOPE", "readyTip"]);
    let change = (names, key, values);
    let mut read = 0;
    some_cases((written(), vec(change, 1..4)), |(text, changes)| {
        let Some(mut expected) = of_git(dir.path(), text.as_bytes()) else {
            // Then it is refused, or what git would not take is not made worse.
            let _ = parsed(text.as_bytes());
            return;
        };
        let mut file = parsed(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        read += 1;
        let is_task = |(section, name, _): &(String, BString, String)| section == "task" && !name.is_empty();
        let tasks: Entries = expected.clone().into_iter().filter(|(place, _)| is_task(place)).collect();
        assert_eq!(of_ours(&file), tasks, "{text:?}");
        assert_eq!(of_git(dir.path(), &file.0.to_bstring()).as_ref(), Some(&expected), "{text:?}");
        let limit = ("task".to_owned(), BString::default(), "limit".to_owned());
        for (name, key, values) in &changes {
            file.set_plain("task", "limit", values.first().map(|_| *name)).unwrap();
            match values.first() {
                Some(_) => drop(expected.insert(limit.clone(), vec![BString::from(*name)])),
                None => drop(expected.remove(&limit)),
            }
            file.set("task", name, key, values).unwrap();
            let place = ("task".to_owned(), BString::from(*name), key.to_ascii_lowercase());
            expected.remove(&place);
            if !values.is_empty() {
                expected.insert(place, values.clone());
            }
            let now = file.0.to_bstring();
            let what = || format!("{text:?}, {:?} = {values:?}: {now:?}", (name, key));
            assert_eq!(of_git(dir.path(), &now).as_ref(), Some(&expected), "{}", what());
            let remarks = text.lines().filter(|line| line.trim_start().starts_with("# remark"));
            assert!(remarks.clone().all(|remark| now.contains_str(remark.trim())), "{}", what());
        }
    });
    assert!(read > 5, "{read}");
}

#[test]
fn properties_a_size_is_what_git_takes_it_for() {
    let dir = tempfile::tempdir().unwrap();
    let number = "[-+]?(0x)?[0-9]{1,20}";
    let size = (number, prop::sample::select(vec!["", "k", "K", "m", "g", "G", "t", " k", "kb", ".5k", "_"]));
    some_cases(size.prop_map(|(number, unit)| format!("{number}{unit}")), |size| {
        fs::write(dir.path().join("file"), format!("[n]\n\tv = \"{size}\"\n")).unwrap();
        let get = ["config", "-f", "file", "--type=int", "n.v"];
        let output = Git::discovering(dir.path()).cmd(get).output().unwrap();
        let wanted = output.status.success().then(|| output.stdout.trim().to_str().unwrap().to_owned());
        let file = parsed(format!("[n]\n\tv = \"{size}\"\n").as_bytes()).unwrap();
        let ours = file.0.integer("n.v").ok().flatten().map(|n| n.to_string());
        // What only one of them takes is refused, or as large as it says.
        if ours.is_some() || !size.contains("0x") {
            assert_eq!(ours, wanted, "{size}");
        }
    });
}
