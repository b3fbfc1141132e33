//! Taking back, or finishing, what a process left half done.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::record::Tasks;
use super::{Desk, Slug, State, notes};
use crate::error::{OrFatal, Result};
use crate::git::Repo;
use crate::git::process::{Git, retry};
use crate::git::refs::Old;
use crate::git::{parse_id, snapshot};
use crate::store::record::{Found, intents};

/// What an `add` was about to make.
#[derive(Clone, Debug)]
pub struct HalfAdded {
    /// The branch, by full name.
    pub branch: Option<String>,
    /// Where the branch was made, if it was.
    pub created_at: Option<ObjectId>,
    /// The worktree.
    pub path: PathBuf,
    /// The worktree was there before.
    pub adopts: bool,
    /// It is a clone.
    pub clone: bool,
}

/// Settles every intent whose process is dead, and says what was done.
///
/// # Errors
/// If something can't be taken back; its intent then stays.
pub fn settle_all(desk: &Desk<'_>, dry_run: bool) -> Result<Vec<String>> {
    if !desk.repo.state_dir().join("intents").exists() {
        return Ok(Vec::new());
    }
    let held = desk.lock()?;
    let found = intents(&desk.repo.state_dir())?;
    drop(held);
    let mut said = Vec::new();
    for intent in found.into_iter().filter(|i| i.abandoned) {
        said.push(format!("task '{}': '{}' was cut off", intent.name, intent.record.kind));
        if !dry_run {
            settle_one(desk, intent)?;
        }
    }
    Ok(said)
}

fn settle_one(desk: &Desk<'_>, intent: Found) -> Result<()> {
    match intent.record.kind.as_str() {
        "add" => settle_add(desk, &intent)?,
        "rm" => super::remove::resume(desk, &intent)?,
        "restore" => super::restore::settle(desk, &intent)?,
        "rename" => super::rename::resume(desk, &intent)?,
        // One of a newer version: its own repair knows it.
        _ => return Ok(()),
    }
    intent.done()
}

fn settle_add(desk: &Desk<'_>, intent: &Found) -> Result<()> {
    let record = &intent.record;
    let half = HalfAdded {
        branch: record.text("branch").filter(|b| !b.is_empty()).map(|b| format!("refs/heads/{b}")),
        created_at: record.get("creates").filter(|v| !v.is_empty()).map(|v| parse_id(v)).transpose()?,
        path: record.path("path").unwrap_or_default(),
        adopts: record.text("adopts").as_deref() == Some("true"),
        clone: record.text("clone").as_deref() == Some("true"),
    };
    let held = desk.lock()?;
    let tasks = Tasks::of(&crate::store::config::load(desk.repo)?);
    let made =
        tasks.find(&intent.name).filter(|t| t.state.is_live() && t.branch_ref() == half.branch).cloned();
    match made {
        None => {
            drop(held);
            undo_add(desk, &intent.name, &half)
        }
        // The task exists; what was cut off is its setup.
        Some(mut task) => {
            if task.state == State::Open && !desk.settings.setup_run().is_empty() {
                task.state = State::Blocked;
                task.reason = Some("its setup did not come to its end".to_owned());
                desk.edit(&held, |file| task.write_to(file))?;
            }
            drop(held);
            if half.path.exists() { notes::link_in_main(desk, &half.path, &task.slug) } else { Ok(()) }
        }
    }
}

/// Removes what an `add` made. What someone has put there meanwhile is kept.
///
/// # Errors
/// If git or the file system refuses.
pub fn undo_add(desk: &Desk<'_>, name: &str, half: &HalfAdded) -> Result<()> {
    let slug = Slug::try_from(name)?;
    if half.adopts {
        return undo_adoption(desk, &slug, &half.path);
    }
    if half.clone {
        undo_clone(desk, &slug, half)?;
    } else {
        undo_worktree(desk, &slug, half)?;
    }
    if let (Some(branch), Some(start)) = (&half.branch, half.created_at)
        && desk.repo.find_ref(branch)? == Some(start)
    {
        let change = [(branch.clone(), None, Old::Is(start))];
        retry(desk.settings.lock_timeout, || desk.repo.update_refs("git task add: taken back", &change))?;
    }
    Ok(())
}

fn undo_adoption(desk: &Desk<'_>, slug: &Slug, path: &Path) -> Result<()> {
    let worktrees = desk.repo.worktrees()?;
    if let Some(worktree) =
        worktrees.iter().find(|w| w.path == path && w.task.as_deref() == Some(slug.as_str()))
    {
        worktree.unmark()?;
    }
    remove_untouched_note(path, slug)
}

fn remove_untouched_note(path: &Path, slug: &Slug) -> Result<()> {
    let Some(text) = notes::read(path, slug)? else { return Ok(()) };
    let template = super::note::template(None, slug, None);
    if text == template.as_bytes() {
        let note = path.join(notes::relative_path(slug));
        let dir = note.parent().expect("a note is in a directory");
        fs::remove_dir_all(dir).or_fatal(|| format!("could not remove '{}'", dir.display()))?;
        let _ = fs::remove_dir(path.join("notes"));
    }
    Ok(())
}

fn undo_worktree(desk: &Desk<'_>, slug: &Slug, half: &HalfAdded) -> Result<()> {
    let worktrees = desk.repo.worktrees()?;
    let ours = worktrees.iter().find(|w| {
        w.path == half.path && !w.is_main && w.task.as_deref().is_none_or(|task| task == slug.as_str())
    });
    match ours {
        Some(worktree) => {
            if worktree.path.exists() {
                preserve_if_touched(desk, slug, worktree, half)?;
            }
            let args = ["worktree", "remove", "--force", "--force"];
            desk.repo.at_home().cmd(args).arg(&worktree.path).run()?;
        }
        None => remove_half_admin(desk, &half.path)?,
    }
    // git makes the directory before it writes anything into it.
    let _ = fs::remove_dir(&half.path);
    Ok(())
}

/// If files are there that the checkout did not write, they go to the trash first.
fn preserve_if_touched(
    desk: &Desk<'_>,
    slug: &Slug,
    worktree: &crate::git::worktree::Worktree,
    half: &HalfAdded,
) -> Result<()> {
    let start = match half.created_at {
        Some(start) => start,
        None => match half.branch.as_deref().map(|b| desk.repo.find_ref(b)).transpose()?.flatten() {
            Some(tip) => tip,
            None => return Ok(()),
        },
    };
    if snapshot::differs_from(desk.repo, worktree, start)? {
        super::keep::keep_what_is_left(desk, slug, worktree)?;
        desk.observer.warn(&format!(
            "files found in '{}' are kept: 'git task restore {slug}'",
            worktree.path.display()
        ));
    }
    Ok(())
}

/// An administrative directory that was killed before it said where its worktree is: git never prunes it,
/// because it is locked as "initializing".
fn remove_half_admin(desk: &Desk<'_>, path: &Path) -> Result<()> {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return Ok(()) };
    let root = desk.repo.common_dir().join("worktrees");
    for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
        let admin = entry.path();
        let admin_name = entry.file_name().to_string_lossy().into_owned();
        let numbered =
            admin_name.strip_prefix(name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
        let initializing = fs::read_to_string(admin.join("locked")).is_ok_and(|r| r.trim() == "initializing");
        let bare = fs::read_dir(&admin).is_ok_and(|mut all| all.next().is_none());
        if numbered && (initializing || bare) && !admin.join("gitdir").exists() {
            fs::remove_dir_all(&admin).or_fatal(|| format!("could not remove '{}'", admin.display()))?;
        }
    }
    // The last one gone, git removes the directory too.
    let _ = fs::remove_dir(&root);
    Ok(())
}

fn undo_clone(desk: &Desk<'_>, slug: &Slug, half: &HalfAdded) -> Result<()> {
    if !half.path.exists() {
        return Ok(());
    }
    let git = Git::at(&half.path);
    let touched = match git.cmd(["status", "--porcelain", "-uall"]).poll().output() {
        Ok(output) if output.status.success() => output
            .stdout
            .split(|b| *b == b'\n')
            .any(|line| !line.is_empty() && !line.starts_with(b"D") && !line.starts_with(b" D")),
        _ => false,
    };
    if touched {
        desk.observer
            .warn(&format!("task '{slug}' was not made; files of yours stay in '{}'", half.path.display()));
        return Ok(());
    }
    fs::remove_dir_all(&half.path).or_fatal(|| format!("could not remove '{}'", half.path.display()))
}

/// Names of tasks whose metadata has expired.
///
/// # Errors
/// If the list can't be read.
pub fn archived_names(repo: &Repo) -> Result<HashSet<String>> {
    match fs::read_to_string(repo.state_dir().join("used-names")) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(e) => Err(e).or_fatal(|| "could not read the list of used names"),
    }
}
