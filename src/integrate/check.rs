//! Commands that a merged result must pass, in the private worktree or in another.
//!
//! A pass is remembered by the tree, the command and the variables that choose the tools. Versions of tools
//! can't be known without asking each of them; whoever changes one says so by `--check` with another text, or
//! by deleting the file of passes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::place::Place;
use super::submodules;
use super::workshop::Workshop;
use crate::desk::Desk;
use crate::error::{OrFatal, Result};
use crate::git::Repo;
use crate::git::process::shell;
use crate::store::atomic;
use crate::task::{Task, setup};

/// How many passes are remembered.
const REMEMBERED: usize = 1000;

/// How much of a log is shown.
const SHOWN: usize = 4096;
const SHOWN_LINES: usize = 20;

/// What came of the checks of one result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// All succeeded.
    Passed {
        /// How many of them ran now; the rest had passed on this tree before.
        ran: usize,
    },
    /// One failed, twice.
    Failed {
        /// Its command line.
        command: String,
        /// The end of what it printed, and where all of it is.
        said: String,
    },
}

/// What a task's merge has come to.
#[derive(Clone, Debug)]
pub struct Prefix {
    /// The task, the last of those that are merged in it.
    pub task: Task,
    /// The commit.
    pub commit: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
}

/// The tree of a merged result.
///
/// # Errors
/// If the commit can't be read.
pub fn tree_of(repo: &Repo, commit: ObjectId) -> Result<ObjectId> {
    let failed = || format!("could not read commit {commit}");
    let gix = repo.gix();
    Ok(gix.find_commit(commit).or_fatal(failed)?.tree_id().or_fatal(failed)?.detach())
}

/// Whether all commands have passed on this tree before.
///
/// # Errors
/// If what they are remembered by can't be said.
pub fn have_passed(desk: &Desk<'_>, place: &Place, commands: &[String], tree: ObjectId) -> Result<bool> {
    for command in commands {
        if !has_passed(place, &key_of(desk, tree, command)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs the commands on a merged result that is checked out in `shop`, with its submodules.
///
/// # Errors
/// If git can't be started or a log can't be written; or interrupted, with the command ended.
pub fn run(
    desk: &Desk<'_>,
    place: &Place,
    commands: &[String],
    shop: &Workshop<'_>,
    prefix: &Prefix,
) -> Result<Checked> {
    let Prefix { task, tree, .. } = prefix;
    if let Some(said) = submodules::populate(&shop.within())? {
        return Ok(Checked::Failed { command: "git submodule update".to_owned(), said });
    }
    let mut ran = 0;
    for (at, command) in commands.iter().enumerate() {
        let key = key_of(desk, *tree, command)?;
        if has_passed(place, &key) {
            say_passed(desk, task, command);
            continue;
        }
        ran += 1;
        let log = place.logs().join(format!("{}-{}", task.slug, at + 1));
        // One failure may be the machine's; two are the task's.
        for attempt in 1..=2 {
            let step = desk.observer.step(&format!("Checking '{}': {command}", task.slug));
            let status = run_one(desk, task, &shop.path, command, &log, attempt)?;
            drop(step);
            if status.success() {
                if attempt == 2 {
                    desk.observer.warn(&format!(
                        "'{command}' failed for '{}' and passed when it was tried again; see '{}'",
                        task.slug,
                        log.display()
                    ));
                }
                remember(place, &key)?;
                break;
            }
            if attempt == 2 {
                let said = format!("{}\n(all of it is in '{}')", end_of(&log), log.display());
                return Ok(Checked::Failed { command: command.clone(), said });
            }
        }
    }
    Ok(Checked::Passed { ran })
}

/// Says that a command need not run.
pub fn say_passed(desk: &Desk<'_>, task: &Task, command: &str) {
    desk.observer.note(&format!("'{}': '{command}' has passed on this tree before", task.slug));
}

fn run_one(
    desk: &Desk<'_>,
    task: &Task,
    dir: &Path,
    command: &str,
    log: &Path,
    attempt: u32,
) -> Result<ExitStatus> {
    let failed = || format!("could not write '{}'", log.display());
    let parent = log.parent().unwrap_or(dir);
    fs::create_dir_all(parent).or_fatal(failed)?;
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .truncate(false)
        .open(log)
        .and_then(|file| if attempt == 1 { file.set_len(0).map(|()| file) } else { Ok(file) })
        .or_fatal(failed)?;
    writeln!(&file, "$ {command}").or_fatal(failed)?;
    let status = shell(command, dir, setup::environment(desk, task, Some(dir))).logged(&file)?;
    writeln!(&file, "({status})").or_fatal(failed)?;
    Ok(status)
}

/// The end of a log, a few lines of it.
fn end_of(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(SHOWN as u64)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().unwrap_or_default().to_str_lossy().into_owned();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

/// What a pass is remembered by.
fn key_of(desk: &Desk<'_>, tree: ObjectId, command: &str) -> Result<String> {
    let mut text = format!("{tree}\n{command}\n").into_bytes();
    for dir in search_path(&desk.context.search_path) {
        text.extend_from_slice(dir.as_os_str().as_encoded_bytes());
        text.push(b':');
    }
    for (name, value) in &desk.context.tools {
        text.extend_from_slice(format!("\n{name}=").as_bytes());
        text.extend_from_slice(value.as_encoded_bytes());
    }
    let kind = gix::hash::Kind::Sha256;
    let id = gix::objs::compute_hash(kind, gix::objs::Kind::Blob, &text);
    Ok(id.or_fatal(|| "cannot hash a check")?.to_hex().to_string())
}

/// Without the directory of git's own programs, which `git` puts in front for what it starts, and without what
/// comes twice: `git integrate` finds the same tools as `git-integrate` and as a watch that was started by either.
fn search_path(path: &[PathBuf]) -> Vec<&PathBuf> {
    let mut found: Vec<&PathBuf> = Vec::new();
    for dir in path {
        let is_of_git = dir.ends_with("git-core") || dir.join("git-sh-setup").exists();
        if !is_of_git && !found.contains(&dir) {
            found.push(dir);
        }
    }
    found
}

fn passes(place: &Place) -> PathBuf {
    place.dir.join("passes")
}

fn has_passed(place: &Place, key: &str) -> bool {
    let all = fs::read_to_string(passes(place)).unwrap_or_default();
    all.lines().any(|line| line == key)
}

/// Several checks may pass at the same moment. Other processes are kept away by the target's lock.
static REMEMBERING: Mutex<()> = Mutex::new(());

fn remember(place: &Place, key: &str) -> Result<()> {
    // Whoever panicked with it had the file written as a whole, or not at all.
    let _alone = REMEMBERING.lock().unwrap_or_else(PoisonError::into_inner);
    let all = fs::read_to_string(passes(place)).unwrap_or_default();
    let mut lines: Vec<&str> = all.lines().collect();
    lines.push(key);
    let kept = lines[lines.len().saturating_sub(REMEMBERED)..].join("\n");
    atomic::write(&passes(place), format!("{kept}\n").as_bytes())
}
