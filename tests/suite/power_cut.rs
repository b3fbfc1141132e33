//! What was acknowledged is on the disk: by the order of system calls, since no test can cut the power.
//!
//! A file is safe when it was synced after it was last written, and its name when the directory was synced after the
//! file got that name. The objects of git are safe when git synced them, as `core.fsync` has it.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::*;

/// All that a command did to files, in order.
#[track_caller]
fn events(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Vec<Event> {
    let mut command = sandbox.command(dir, args[0]);
    let traced = trace(command.args(&args[1..]), Fault::None);
    drop(traced.run.ok());
    traced.calls
}

/// A file by whatever name: when it was last written, and since then synced.
#[derive(Default)]
struct Content {
    synced: bool,
}

/// Why a file, as these events leave it, could be another after a power cut.
fn not_safe(events: &[Event], file: &Path) -> Option<String> {
    let mut contents: Vec<Content> = Vec::new();
    // Which file has a name, and since when.
    let mut names: BTreeMap<PathBuf, (usize, usize)> = BTreeMap::new();
    let mut dirs: BTreeMap<&Path, usize> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        match (event.name, &event.to) {
            ("open", _) => {
                contents.push(Content::default());
                names.insert(event.path.clone(), (contents.len() - 1, at));
            }
            ("write" | "truncate", _) => {
                if let Some((content, _)) = names.get(&event.path) {
                    contents[*content].synced = false;
                }
            }
            ("sync", _) => {
                dirs.insert(&event.path, at);
                if let Some((content, _)) = names.get(&event.path) {
                    contents[*content].synced = true;
                }
            }
            ("rename" | "link", Some(to)) => {
                let content = match event.name {
                    "rename" => names.remove(&event.path),
                    _ => names.get(&event.path).copied(),
                };
                if let Some((content, _)) = content {
                    names.insert(to.clone(), (content, at));
                }
            }
            _ => {}
        }
    }
    let Some((content, named)) = names.get(file) else { return Some("it was never written".to_owned()) };
    if !contents[*content].synced {
        return Some("it was not synced after it was written".to_owned());
    }
    let parent = file.parent().expect("a file has a directory");
    let is_named = dirs.get(parent).is_some_and(|at| at > named);
    (!is_named).then(|| "its directory was not synced after it got its name".to_owned())
}

#[track_caller]
fn is_safe(events: &[Event], file: impl AsRef<Path>) {
    let file = file.as_ref();
    if let Some(why) = not_safe(events, file) {
        let log: Vec<String> = events.iter().map(ToString::to_string).collect();
        panic!("{}: {why}\n{}", file.display(), log.join("\n"));
    }
}

/// The events before the first for which this holds.
#[track_caller]
fn before(events: &[Event], what: impl Fn(&Event) -> bool) -> &[Event] {
    let at = events.iter().position(what).expect("it happens");
    &events[..at]
}

fn with_task(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.init();
    let path = sandbox.task(&dir, ["add", "x", "--goal", "Get it done"]).ok().path();
    sandbox.commit(&path, "mine", "mine\n", "Mine");
    sandbox.write(&path, "untracked", "untracked\n");
    dir
}

#[test]
fn a_note_is_on_the_disk() {
    let sandbox = Sandbox::new();
    let dir = with_task(&sandbox);
    let events = events(&sandbox, &dir, &["git-task", "note", "x", "--next", "More"]);
    is_safe(&events, sandbox.path("repo-worktrees/x/notes/x/status.md"));
}

#[test]
fn metadata_is_on_the_disk() {
    let sandbox = Sandbox::new();
    let dir = with_task(&sandbox);
    let events = events(&sandbox, &dir, &["git-task", "block", "x", "-m", "Waiting"]);
    is_safe(&events, dir.join(".git/config"));
}

#[test]
fn an_intent_is_on_the_disk_before_the_effect() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    let events = events(&sandbox, &dir, &["git-task", "add", "x"]);
    let made = |e: &Event| e.by == "git";
    is_safe(before(&events, made), dir.join(".git/git-parallel/intents/x"));
}

#[test]
fn what_is_removed_is_in_the_trash_on_the_disk_before_it_goes() {
    let sandbox = Sandbox::new();
    let dir = with_task(&sandbox);
    let events = events(&sandbox, &dir, &["git-task", "rm", "-f", "x"]);
    let path = sandbox.path("repo-worktrees/x");
    let before = before(&events, |e| e.name == "rename" && e.path == path);
    is_safe(before, dir.join(".git/refs/task-trash/x/1"));
    is_safe(before, dir.join(".git/git-parallel/intents/x"));
    // Each object that was written is synced: git gives it its name only then.
    let objects = dir.join(".git/objects");
    let mut written = 0;
    for (at, event) in before.iter().enumerate() {
        let is_object = event.path.starts_with(&objects) && event.name == "write";
        if is_object {
            written += 1;
            let synced = before[at..].iter().any(|e| e.name == "sync");
            assert!(synced, "not synced: {event}");
        }
    }
    assert!(written > 0);
}

#[test]
fn a_slot_that_is_cleaned_by_force_is_in_the_trash_on_the_disk_before() {
    let sandbox = Sandbox::new();
    let dir = crate::pool::with_pool(&sandbox, 1);
    let path = crate::pool::claim(&sandbox, &dir, &["x"]);
    sandbox.write(&path, "untracked", "untracked\n");
    let events = events(&sandbox, &dir, &["git-pool", "release", "-f", "x"]);
    let gone = path.join("untracked");
    let before = before(&events, |e| e.name == "unlink" && e.path == gone);
    is_safe(before, dir.join(".git/refs/task-trash/x/1"));
}

#[test]
fn the_journal_of_an_integration_is_on_the_disk_before_the_target_moves() {
    let sandbox = Sandbox::new();
    let dir = sandbox.init();
    crate::integrate_run::ready(&sandbox, &dir, "a", "a", "1\n");
    let events = events(&sandbox, &dir, &["git-integrate"]);
    let main = dir.join(".git/refs/heads/main");
    let before = before(&events, |e| e.to.as_deref() == Some(&main));
    let journal = before.iter().rfind(|e| e.to.as_deref().is_some_and(|to| to.ends_with("journal")));
    is_safe(before, journal.and_then(|e| e.to.clone()).expect("a journal is written"));
}

#[test]
fn what_would_not_be_safe_is_seen() {
    let event = |name, path: &str, to: Option<&str>| Event {
        name,
        path: path.into(),
        to: to.map(PathBuf::from),
        by: "test".to_owned(),
    };
    let all = [
        event("open", "/d/.f", None),
        event("write", "/d/.f", None),
        event("sync", "/d/.f", None),
        event("rename", "/d/.f", Some("/d/f")),
        event("sync", "/d", None),
    ];
    assert_eq!(not_safe(&all, Path::new("/d/f")), None);
    for missing in [2, 4] {
        let mut some = all.to_vec();
        some.remove(missing);
        assert!(not_safe(&some, Path::new("/d/f")).is_some(), "without {}", all[missing]);
    }
    let early = [all[0].clone(), all[2].clone(), all[1].clone(), all[3].clone(), all[4].clone()];
    assert!(not_safe(&early, Path::new("/d/f")).is_some());
    assert!(not_safe(&all, Path::new("/d/other")).is_some());
}
