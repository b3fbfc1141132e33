//! The manual is complete: every command has a page, every page its parts, every key and exit code its place.

use std::collections::BTreeSet;

use git_parallel::commands::pool::list;
use git_parallel::commands::task::{overlap, view};

use super::source::{self, Page};
use crate::generated::root;

fn page(name: &str) -> Page {
    source::all().into_iter().find(|page| page.name == name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[test]
fn every_command_has_a_page() {
    let pages = source::all();
    let mut names: Vec<&str> = pages.iter().filter(|p| p.section == 1).flat_map(Page::names).collect();
    let mut expected = Vec::new();
    for program in source::programs() {
        let program_name = program.get_name().to_owned();
        let shown = program.get_subcommands().filter(|c| !c.is_hide_set());
        expected.extend(shown.map(|c| format!("{program_name}-{}", c.get_name())));
        expected.push(program_name);
    }
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    let others: Vec<_> = pages.iter().filter(|p| p.section != 1).map(Page::file).collect();
    assert_eq!(others, ["git-parallel-config.5", "git-parallel.7"]);
}

#[test]
fn every_page_has_its_parts_in_order() {
    for page in source::all() {
        let expected: &[&str] = match page.section {
            1 => &["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"],
            5 => &["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO"],
            _ => &["NAME", "DESCRIPTION", "SEE ALSO"],
        };
        let headings = page.headings();
        let found: Vec<_> = headings.iter().copied().filter(|h| expected.contains(h)).collect();
        assert_eq!(found, expected, "{}", page.name);
        for heading in headings {
            let text = page.part(heading).unwrap_or_default();
            assert!(!text.trim().is_empty(), "{}: {heading} is empty", page.name);
        }
    }
}

#[test]
fn every_exit_code_is_explained() {
    let programs = source::programs();
    for page in source::all().into_iter().filter(|page| page.section == 1) {
        let filled = Page { text: source::filled_in(&page, &programs), ..page };
        let text = filled.part("EXIT STATUS").unwrap();
        let is_main = !filled.name.trim_start_matches("git-").contains('-');
        let mut codes = vec!["0", "1", "128", "129", "130"];
        codes.extend((filled.name == "git-integrate").then_some("2"));
        for code in codes {
            let terms = text.lines().filter(|line| line.ends_with("::"));
            let count = terms.filter(|line| line.contains(&format!("`{code}`"))).count();
            assert_eq!(count, 1, "{}: exit code {code}", filled.name);
        }
        assert!(!is_main || !text.contains("As for every command"), "{}", filled.name);
    }
}

/// All `"<prefix>..."` in the source, with letters after the prefix.
fn strings_in_source(prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_source(&mut |text| {
        for (at, _) in text.match_indices(&format!("\"{prefix}")) {
            let word: String = text[at + 1..].chars().take_while(|c| *c != '"').collect();
            let tail = &word[prefix.len()..];
            if !tail.is_empty() && tail.chars().all(|c| c.is_ascii_alphanumeric()) {
                found.insert(word);
            }
        }
    });
    found
}

fn each_source(look: &mut dyn FnMut(&str)) {
    let mut dirs = vec![root("src")];
    while let Some(dir) = dirs.pop() {
        for path in std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                dirs.push(path);
            } else {
                look(&std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
}

/// The keys of a file that serde reads into the structures of a source: `setup.copy`, or `base` at the top.
/// `tables` says which structure is which table.
fn file_keys(source: &str, tables: &[(&str, &str)]) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root(source)).unwrap();
    let mut found = BTreeSet::new();
    for (name, table) in tables {
        let (before, after) =
            text.split_once(&format!("struct {name} {{\n")).unwrap_or_else(|| panic!("{name}"));
        let camel = before.rsplit("\n\n").next().unwrap().contains("camelCase");
        let (mut renamed, mut of_table) = (None, 0);
        for line in after.lines().take_while(|line| *line != "}").map(str::trim) {
            if let Some(rest) = line.strip_prefix("#[serde(rename = \"") {
                renamed = rest.split('"').next().map(str::to_owned);
            }
            let Some((field, kind)) = line.trim_start_matches("pub ").split_once(": ") else { continue };
            if !field.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                continue;
            }
            of_table += 1;
            // A table of its own is not a key.
            if kind.contains("Raw") || kind.contains("TaskDefaults") {
                continue;
            }
            let key = renamed.take().unwrap_or_else(|| if camel { camel_case(field) } else { field.into() });
            found.insert(format!("{table}{key}"));
        }
        assert!(of_table > 0, "{name} has fields");
    }
    found
}

fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |out, word| out + &word[..1].to_uppercase() + &word[1..])
}

/// The words in backquotes of the terms of a part.
fn terms(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.ends_with("::"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The keys in `pub const KEYS`/`const KEYS` of a source.
fn keys_of(source: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root(source)).unwrap();
    let (_, list) = text.split_once("const KEYS: &[&str] = &[").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_files_is_described() {
    let config = page("git-parallel-config");
    let team = file_keys(
        "src/config/team.rs",
        &[
            ("TaskDefaults", "task."),
            ("RawSetup", "setup."),
            ("RawSession", "session.<name>."),
            ("RawStage", "stage."),
            ("RawIntegrate", "integrate."),
            ("RawHook", "on."),
        ],
    );
    let described = terms(&config.part("TEAM FILE").unwrap());
    let described: BTreeSet<_> = described.into_iter().filter(|k| !k.starts_with("GIT_TASK")).collect();
    assert_eq!(described, team);
    let plan = file_keys("src/task/plan.rs", &[("RawPlan", ""), ("RawTask", "task.")]);
    assert!(plan.contains("task.type") && plan.contains("base"), "{plan:?}");
    assert_eq!(terms(&config.part("PLAN FILE").unwrap()), plan);
}

#[test]
fn every_key_of_git_config_is_described() {
    let config = page("git-parallel-config");
    let described = terms(&config.part("GIT CONFIG").unwrap());
    let mut expected: BTreeSet<String> = ["session.<name>.command".to_owned()].into();
    for prefix in ["task.", "pool.", "integrate."] {
        let keys = strings_in_source(prefix);
        assert!(keys.len() > 4, "{keys:?}");
        expected.extend(keys);
    }
    for program in ["task", "pool", "integrate"] {
        expected.extend(["color", "pager"].map(|key| format!("{key}.{program}")));
        let advice = strings_in_source(program)
            .into_iter()
            .filter(|key| key[program.len()..].starts_with(|c: char| c.is_ascii_uppercase()));
        expected.extend(advice.map(|key| format!("advice.{key}")));
    }
    assert!(expected.contains("task.base") && expected.contains("advice.taskTrust"), "{expected:?}");
    assert_eq!(described, expected);
    // Every advice that is given is one of these, whatever its name begins with.
    each_source(&mut |text| {
        for (at, found) in text.match_indices("hint(") {
            let rest = text[at + found.len()..].trim_start();
            let Some(rest) = rest.strip_prefix('"') else { continue };
            let key = format!("advice.{}", rest.split('"').next().unwrap_or_default());
            assert!(key.contains(' ') || described.contains(&key), "{key}");
        }
    });
}

#[test]
fn what_is_kept_in_git_config_is_described() {
    let config = page("git-parallel-config");
    let described = terms(&config.part("WHAT IS KEPT IN GIT CONFIG").unwrap());
    let mut expected: BTreeSet<String> =
        keys_of("src/task/record.rs").iter().map(|key| format!("task.<name>.{key}")).collect();
    // What a slot has is written one by one.
    let slot = std::fs::read_to_string(root("src/pool/record.rs")).unwrap();
    let read = slot.match_indices("(\"").filter_map(|(at, _)| {
        let call = slot[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
        ["get", "text", "time"].contains(&call).then(|| slot[at + 2..].split('"').next().unwrap())
    });
    let read: BTreeSet<String> = read.map(|key| format!("pool.<n>.{key}")).collect();
    assert!(read.len() >= 8, "{read:?}");
    expected.extend(read);
    assert_eq!(described, expected);
}

#[test]
fn every_key_of_a_listing_is_described() {
    for (name, part, keys) in [
        ("git-task", "OUTPUT", view::KEYS),
        ("git-pool", "OUTPUT", list::KEYS),
        ("git-task-overlap", "OUTPUT", overlap::KEYS),
    ] {
        let text = page(name).part(part).unwrap_or_else(|| panic!("{name} has no {part}"));
        let expected: BTreeSet<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(terms(&text), expected, "{name}");
    }
}

#[test]
fn every_variable_is_described() {
    let described = terms(&page("git-parallel-config").part("TEAM FILE").unwrap());
    for variable in strings_in_source("GIT_TASK").into_iter().chain(underscored("GIT_TASK_")) {
        assert!(described.contains(&variable), "{variable}");
    }
}

/// All `"<prefix>..."` in the source with capitals and underscores.
fn underscored(prefix: &str) -> BTreeSet<String> {
    strings_in_source(prefix).into_iter().chain(["GIT_TASK".to_owned()]).collect()
}
