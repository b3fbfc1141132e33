//! `git task repair`: finding and mending what was half done, moved, renamed or deleted by hand, or set to
//! nonsense by another tool.

mod files;

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::record::Tasks;
use super::{Branch, Desk, Slug, State, Task, notes, place, settle, taken};
use crate::desk::half;
use crate::error::{OrFatal, Result};
use crate::git::process::Git;
use crate::git::worktree::{Head, Worktree};
use crate::git::{moved, parse_id, worktree};
use crate::paths::{inside, is_there, read_if_there};
use crate::store::config;
use crate::store::lock::StateLock;
use crate::store::record::{Intent, Record, intents};

/// Looks for all of it, and mends it unless `dry_run`. Gives a line for each finding.
///
/// # Errors
/// If something can't be read or mended.
pub fn repair(desk: &Desk<'_>, dry_run: bool) -> Result<Vec<String>> {
    let mut repair = Repair { desk, dry_run, found: Vec::new() };
    repair.core_settings()?;
    repair.leftovers()?;
    repair.found.extend(settle::settle_all(desk, dry_run)?);
    // What is known of a branch may be in a worktree that is gone.
    repair.each(branch)?;
    repair.remains()?;
    repair.each(worktree_of)?;
    repair.each(note)?;
    Ok(repair.found)
}

struct Repair<'a, 'd> {
    desk: &'a Desk<'d>,
    dry_run: bool,
    found: Vec<String>,
}

impl Repair<'_, '_> {
    /// Notes a finding; says whether it is to be mended.
    fn finding(&mut self, text: String) -> bool {
        self.found.push(text);
        !self.dry_run
    }

    /// `core.bare` in a repository that has a main worktree, `core.hooksPath` to nowhere: other tools write
    /// them into the shared config from inside a worktree.
    fn core_settings(&mut self) -> Result<()> {
        let repo = self.desk.repo;
        let common = repo.common_dir();
        let file = crate::store::config::load(repo)?;
        let is_dot_git = common.file_name().is_some_and(|name| name == ".git");
        // A bare repository never had an index.
        if is_dot_git
            && file.is_true("core.bare")
            && common.join("index").exists()
            && self.finding("core.bare is true, but there is a main worktree".to_owned())
        {
            self.set_core("bare", Some("false"))?;
        }
        if let Some(path) = file.value("core.hooksPath").map(|v| crate::paths::path_from(&v))
            && path.is_absolute()
            && !path.exists()
            && self.finding(format!("core.hooksPath is '{}', which does not exist", path.display()))
        {
            self.set_core("hooksPath", None)?;
        }
        Ok(())
    }

    fn set_core(&self, key: &str, value: Option<&str>) -> Result<()> {
        let held = self.desk.lock()?;
        self.desk.edit(&held, |file| file.set_plain("core", key, value))
    }

    /// git's config lock and files of ours that a killed process left.
    fn leftovers(&mut self) -> Result<()> {
        let dir = self.desk.repo.state_dir();
        let repo = self.desk.repo;
        if config::is_unsettled(repo) {
            // Under the lock nobody of us is writing, so what is there is left over.
            let limit = self.desk.settings.lock_timeout;
            let held = match self.dry_run {
                true => StateLock::acquire_to_look(&dir, limit)?,
                false => StateLock::acquire(&dir, limit)?,
            };
            if config::is_unsettled(repo)
                && self.finding("a write of the configuration was cut off".to_owned())
            {
                config::settle(repo, &held)?;
            }
        }
        let mut left: Vec<_> =
            files::directories(dir).iter().flat_map(|dir| files::temporary_files(dir)).collect();
        for worktree in repo.worktrees()? {
            left.extend(files::temporary_files(&worktree.git_dir));
            left.extend(files::temporary_notes(&worktree));
        }
        for path in left {
            if self.finding(format!("'{}' was left behind", path.display())) {
                match if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) } {
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                    removed => removed.or_fatal(|| format!("could not remove '{}'", path.display()))?,
                }
            }
        }
        Ok(())
    }

    /// What is left of an administrative directory when git is killed while it deletes it, file by file. One
    /// that is being made is locked.
    fn remains(&mut self) -> Result<()> {
        let root = self.desk.repo.common_dir().join("worktrees");
        for dir in inside(&root)? {
            let has = |name: &str| is_there(&dir.join(name));
            if has("locked")? || (has("HEAD")? && has("gitdir")?) {
                continue;
            }
            if self.finding(format!("'{}' is what is left of a worktree", dir.display())) {
                match fs::remove_dir_all(&dir) {
                    // Whoever began to remove it has come to the end.
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                    removed => removed.or_fatal(|| format!("could not remove '{}'", dir.display()))?,
                }
            }
        }
        Ok(())
    }

    /// Checks each task, and mends it with nobody else at it: what looks half done may be somebody's doing.
    fn each(&mut self, check: Check) -> Result<()> {
        let tasks = Tasks::read(self.desk.repo)?;
        let all = self.desk.repo.worktrees()?;
        for task in tasks.all.iter().filter(|t| t.state.is_live()) {
            let one = One { desk: self.desk, task, all: &all, alone: false, mend: false };
            if check(&one)?.is_none() {
                continue;
            }
            let Some(intent) = alone(self.desk, &task.slug, self.dry_run)? else { continue };
            let (tasks, all) = (Tasks::read(self.desk.repo)?, self.desk.repo.worktrees()?);
            let now = tasks.find(task.slug.as_str()).filter(|t| t.state.is_live());
            let again =
                now.map(|task| One { desk: self.desk, task, all: &all, alone: true, mend: !self.dry_run });
            match intent {
                Some(intent) => {
                    let found = intent.during(|| again.map_or(Ok(None), |one| check(&one)))?;
                    intent.done()?;
                    self.found.extend(found);
                }
                None => self.found.extend(again.map_or(Ok(None), |one| check(&one))?),
            }
        }
        Ok(())
    }
}

/// Takes a task for a repair: its intent, or, to look only, none. None at all if another process is at it.
fn alone(desk: &Desk<'_>, slug: &Slug, dry_run: bool) -> Result<Option<Option<Intent>>> {
    let dir = desk.repo.state_dir();
    let held = match dry_run {
        true => StateLock::acquire_to_look(&dir, desk.settings.lock_timeout)?,
        false => desk.lock()?,
    };
    let name = slug.as_str();
    if intents(&dir, &held)?.iter().any(|i| i.name == name || i.record.text("new").as_deref() == Some(name)) {
        return Ok(None);
    }
    match dry_run {
        true => Ok(Some(None)),
        false => Intent::write(&dir, &held, name, &Record::new("repair")).map(|intent| Some(Some(intent))),
    }
}

/// One task, which is mended if that is asked for.
struct One<'a> {
    desk: &'a Desk<'a>,
    task: &'a Task,
    all: &'a [Worktree],
    /// Nobody else is at it.
    alone: bool,
    mend: bool,
}

/// Says what is wrong with it.
type Check = fn(&One<'_>) -> Result<Option<String>>;

fn worktree_of(one: &One<'_>) -> Result<Option<String>> {
    let &One { desk, task, all, alone, mend } = one;
    let Some(worktree) = place::worktree_of(task, all) else { return Ok(None) };
    let (slug, shown) = (&task.slug, worktree.path.display());
    if worktree.task.is_none() && !worktree.is_main {
        // Made by hand for the task's branch: from now on it is the task's.
        if mend {
            worktree.mark(slug.as_str())?;
        }
        return Ok(Some(format!("task '{slug}': the worktree '{shown}' is its, but not marked so")));
    }
    if worktree.is_main {
        return Ok(None);
    }
    if worktree.is_unlinked() {
        if mend {
            desk.relink(worktree)?;
        }
        return Ok(Some(format!("task '{slug}': '.git' in '{shown}' leads nowhere")));
    }
    if !worktree.missing {
        return Ok(None);
    }
    match moved_to(desk, worktree, all)? {
        Some(path) => {
            if mend {
                desk.worktree(&["repair"], &path)?;
                notes::link_in_main(desk, &path, slug)?;
            }
            Ok(Some(format!("task '{slug}': its worktree was moved to '{}'", path.display())))
        }
        None if worktree.locked.is_some() => {
            // Locked because it may come back: on a disk that is not mounted now.
            desk.observer.note(&format!("task '{slug}': its worktree '{shown}' is away and locked"));
            Ok(None)
        }
        None if !worktree.replaced && worktree.path.is_dir() => {
            // Its files may be in it still, and only the user knows.
            if alone {
                let advice = "has no '.git' any more; move it away, and repair again";
                desk.observer.warn(&format!("task '{slug}': '{shown}' {advice}"));
            }
            Ok((!mend).then(|| format!("task '{slug}': its worktree is none any more")))
        }
        None => {
            if mend {
                super::keep::keep_what_is_left(desk, slug, worktree)?;
                match fs::symlink_metadata(&worktree.path) {
                    // git would refuse; and what is there now is not ours to touch.
                    Ok(_) => half::remove_admin(worktree)?,
                    Err(_) => desk.worktree(&["remove", "--force"], &worktree.path)?,
                }
                notes::remove_link(desk, slug)?;
            }
            Ok(Some(format!("task '{slug}': its worktree '{shown}' is gone")))
        }
    }
}

fn branch(one: &One<'_>) -> Result<Option<String>> {
    let (repo, task) = (one.desk.repo, one.task);
    let Some(full) = task.branch_ref() else { return Ok(None) };
    if repo.find_ref(&full)?.is_some() {
        return Ok(None);
    }
    match place::worktree_of(task, one.all).map(|w| (w, &w.head)) {
        Some((worktree, Head::Branch(other))) if *other != full && repo.find_ref(other)?.is_some() => {
            renamed(one, worktree, other)
        }
        Some((worktree, _)) => deleted(one, &full, last_commit(worktree)?),
        None => deleted(one, &full, task.ready_tip),
    }
}

fn renamed(one: &One<'_>, worktree: &Worktree, other: &str) -> Result<Option<String>> {
    let short = crate::git::refs::short_name(other);
    if one.mend {
        edit(one, |task| task.branch = Branch::Own(short.to_owned()))?;
        worktree::mark(&worktree.git_dir, one.task.slug.as_str())?;
    }
    Ok(Some(format!("task '{}': its branch was renamed to '{short}'", one.task.slug)))
}

fn deleted(one: &One<'_>, full: &str, last: Option<ObjectId>) -> Result<Option<String>> {
    let repo = one.desk.repo;
    let short = crate::git::refs::short_name(full);
    let what = format!("task '{}': its branch '{short}' was deleted", one.task.slug);
    match last.filter(|id| repo.gix().has_object(id)) {
        Some(id) => {
            if one.mend {
                let made = taken::make_branch(one.desk, full, id, "git task repair: branch was deleted");
                if made.is_err() && repo.find_ref(full)?.is_some() {
                    // A foreign hand has brought it back.
                    return Ok(None);
                }
                made?;
            }
            Ok(Some(format!("{what}; it was at {}", id.to_hex_with_len(12))))
        }
        None => {
            if one.mend {
                edit(one, |task| {
                    task.state = State::Dropped;
                    task.reason = Some("its branch was deleted by hand".to_owned());
                })?;
            }
            Ok(Some(format!("{what}, and where it was is not known")))
        }
    }
}

fn edit(one: &One<'_>, change: impl FnOnce(&mut Task)) -> Result<()> {
    let held = one.desk.lock()?;
    one.desk.edit(&held, |file| {
        let mut task = Tasks::of(file).require(one.task.slug.as_str())?.clone();
        change(&mut task);
        task.write_to(file)
    })
}

/// A link in the main worktree that leads to where the note no longer is, or is not there.
fn note(one: &One<'_>) -> Result<Option<String>> {
    let &One { desk, task, all, mend, .. } = one;
    let Some(main) = desk.repo.main_worktree() else { return Ok(None) };
    if place::worktree_of(task, all).is_some_and(|w| w.missing) {
        // It is known to be away, and with it its note.
        return Ok(None);
    }
    let slug = &task.slug;
    let link = main.join(notes::relative_path(slug));
    let is_link = fs::symlink_metadata(&link).is_ok_and(|m| m.is_symlink());
    let Some(path) = place::path_of(desk.repo, task, all)? else {
        if !is_link || link.exists() {
            return Ok(None);
        }
        if mend {
            notes::remove_link(desk, slug)?;
        }
        return Ok(Some(format!("task '{slug}': its note is gone with its worktree")));
    };
    let what = match fs::symlink_metadata(&link) {
        Ok(_) if is_link && !link.exists() => "the link to its note leads nowhere",
        // It could not be made, or was cleaned away.
        Err(_) if has_place(main, &link) => "the link to its note is missing",
        _ => return Ok(None),
    };
    if !path.join(notes::relative_path(slug)).exists() {
        return Ok(None);
    }
    if mend {
        notes::link_in_main(desk, &path, slug)?;
    }
    Ok(Some(format!("task '{slug}': {what}")))
}

/// Whether nothing but directories is in the way of a note's link in the main worktree.
fn has_place(main: &Path, link: &Path) -> bool {
    let free = |dir: &Path| fs::symlink_metadata(dir).map_or(true, |meta| meta.is_dir());
    link.ancestors().skip(1).take_while(|dir| *dir != main).all(free)
}

/// Where a worktree was moved by hand: beside another one, or to where new ones go.
fn moved_to(desk: &Desk<'_>, worktree: &Worktree, all: &[Worktree]) -> Result<Option<PathBuf>> {
    let mut places: Vec<PathBuf> = all.iter().filter_map(|w| w.path.parent().map(Path::to_owned)).collect();
    places.push(desk.repo.home().to_owned());
    places.push(desk.context.cwd.clone());
    if let Some(Ok(slug)) = worktree.task.as_deref().map(super::Slug::try_from) {
        let planned = place::planned_path(desk, &slug, None, None).ok();
        places.extend(planned.and_then(|path| path.parent().map(Path::to_owned)));
    }
    moved::search(worktree, &desk.context.cwd, places)
}

/// The last commit that a worktree's HEAD was at, by its reflog: where its branch was before it was deleted.
fn last_commit(worktree: &Worktree) -> Result<Option<ObjectId>> {
    if !worktree.missing {
        let args = ["reflog", "show", "-n1", "--format=%H", "HEAD"];
        let output = Git::at(&worktree.path).cmd(args).poll().output()?;
        if output.status.success() && !output.stdout.is_empty() {
            return parse_id(output.stdout.trim_ascii_end()).map(Some);
        }
    }
    // git shows no reflog of a HEAD whose branch is gone; the file has it.
    let Some(text) = read_if_there(&worktree.git_dir.join("logs/HEAD"))? else { return Ok(None) };
    let last = text.lines().rev().find_map(|line| line.split(|b| *b == b' ').nth(1));
    Ok(last.and_then(|hex| ObjectId::from_hex(hex).ok()).filter(|id| !id.is_null()))
}
