//! `git task repair`: finding and mending what was half done, moved, renamed or deleted by hand, or set to
//! nonsense by another tool.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::record::Tasks;
use super::{Branch, Desk, State, Task, notes, place, settle};
use crate::desk::half;
use crate::error::{OrFatal, Result};
use crate::git::process::Git;
use crate::git::refs::Old;
use crate::git::worktree::{Head, Worktree};
use crate::git::{moved, parse_id, worktree};
use crate::store::config;
use crate::store::lock::StateLock;

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
    repair.branches()?;
    repair.remains()?;
    repair.worktrees()?;
    repair.notes()?;
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
        let mut left: Vec<_> = directories(dir).iter().flat_map(|dir| temporary_files(dir)).collect();
        for worktree in repo.worktrees()? {
            left.extend(temporary_files(&worktree.git_dir));
            left.extend(temporary_notes(&worktree));
        }
        for path in left {
            if self.finding(format!("'{}' was left behind", path.display())) {
                let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.or_fatal(|| format!("could not remove '{}'", path.display()))?;
            }
        }
        Ok(())
    }

    /// What is left of an administrative directory when git is killed while it deletes it, file by file. One
    /// that is being made is locked.
    fn remains(&mut self) -> Result<()> {
        let root = self.desk.repo.common_dir().join("worktrees");
        for dir in fs::read_dir(&root).into_iter().flatten().flatten().map(|e| e.path()) {
            let has = |name: &str| dir.join(name).exists();
            if has("locked") || (has("HEAD") && has("gitdir")) {
                continue;
            }
            if self.finding(format!("'{}' is what is left of a worktree", dir.display())) {
                fs::remove_dir_all(&dir).or_fatal(|| format!("could not remove '{}'", dir.display()))?;
            }
        }
        Ok(())
    }

    fn worktrees(&mut self) -> Result<()> {
        let repo = self.desk.repo;
        let tasks = Tasks::read(repo)?;
        let all = repo.worktrees()?;
        for task in tasks.all.iter().filter(|t| t.state.is_live()) {
            let Some(worktree) = place::worktree_of(task, &all) else { continue };
            if worktree.task.is_none() && !worktree.is_main {
                // Made by hand for the task's branch: from now on it is the task's.
                if self.finding(format!(
                    "task '{}': the worktree '{}' is its, but not marked so",
                    task.slug,
                    worktree.path.display()
                )) {
                    worktree.mark(task.slug.as_str())?;
                }
            }
            if !worktree.missing || worktree.is_main {
                continue;
            }
            match moved_to(self.desk, worktree, &all)? {
                Some(path) => {
                    if self.finding(format!(
                        "task '{}': its worktree was moved to '{}'",
                        task.slug,
                        path.display()
                    )) {
                        repo.at_home().cmd(["worktree", "repair"]).arg(&path).run()?;
                        notes::link_in_main(self.desk, &path, &task.slug)?;
                    }
                }
                None if worktree.locked.is_some() => {
                    // Locked because it may come back: on a disk that is not mounted now.
                    self.desk.observer.note(&format!(
                        "task '{}': its worktree '{}' is away and locked",
                        task.slug,
                        worktree.path.display()
                    ));
                }
                None if !worktree.replaced && worktree.path.is_dir() => {
                    // Its files may be in it still, and only the user knows.
                    self.desk.observer.warn(&format!(
                        "task '{}': '{}' has no '.git' any more; move it away, and repair again",
                        task.slug,
                        worktree.path.display()
                    ));
                    if self.dry_run {
                        self.found.push(format!("task '{}': its worktree is none any more", task.slug));
                    }
                }
                None => {
                    let what =
                        format!("task '{}': its worktree '{}' is gone", task.slug, worktree.path.display());
                    if self.finding(what) {
                        super::keep::keep_what_is_left(self.desk, &task.slug, worktree)?;
                        match fs::symlink_metadata(&worktree.path) {
                            // git would refuse; and what is there now is not ours to touch.
                            Ok(_) => half::remove_admin(worktree)?,
                            Err(_) => {
                                let remove = ["worktree", "remove", "--force"];
                                repo.at_home().cmd(remove).arg(&worktree.path).run()?;
                            }
                        }
                        notes::remove_link(self.desk, &task.slug)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn branches(&mut self) -> Result<()> {
        let repo = self.desk.repo;
        let tasks = Tasks::read(repo)?;
        let all = repo.worktrees()?;
        for task in tasks.all.iter().filter(|t| t.state.is_live()) {
            let Some(full) = task.branch_ref() else { continue };
            if repo.find_ref(&full)?.is_some() {
                continue;
            }
            let place = place::worktree_of(task, &all);
            match place.map(|w| (w, &w.head)) {
                Some((worktree, Head::Branch(other)))
                    if *other != full && repo.find_ref(other)?.is_some() =>
                {
                    self.renamed(task, worktree, other)?;
                }
                Some((worktree, _)) => self.deleted(task, &full, last_commit(worktree)?)?,
                None => self.deleted(task, &full, task.ready_tip)?,
            }
        }
        Ok(())
    }

    fn renamed(&mut self, task: &Task, worktree: &Worktree, other: &str) -> Result<()> {
        let short = crate::git::refs::short_name(other);
        if self.finding(format!("task '{}': its branch was renamed to '{short}'", task.slug)) {
            let mut task = task.clone();
            task.branch = Branch::Own(short.to_owned());
            let held = self.desk.lock()?;
            self.desk.edit(&held, |file| task.write_to(file))?;
            worktree::mark(&worktree.git_dir, task.slug.as_str())?;
        }
        Ok(())
    }

    fn deleted(&mut self, task: &Task, full: &str, last: Option<ObjectId>) -> Result<()> {
        let found = last.filter(|id| self.desk.repo.gix().has_object(id));
        let short = crate::git::refs::short_name(full);
        match found {
            Some(id) => {
                if self.finding(format!(
                    "task '{}': its branch '{short}' was deleted; it was at {}",
                    task.slug,
                    id.to_hex_with_len(12)
                )) {
                    let change = [(full.to_owned(), Some(id), Old::Absent)];
                    self.desk.repo.update_refs("git task repair: branch was deleted", &change)?;
                }
            }
            None => {
                if self.finding(format!(
                    "task '{}': its branch '{short}' was deleted, and where it was is not known",
                    task.slug
                )) {
                    let mut task = task.clone();
                    task.state = State::Dropped;
                    task.reason = Some("its branch was deleted by hand".to_owned());
                    let held = self.desk.lock()?;
                    self.desk.edit(&held, |file| task.write_to(file))?;
                }
            }
        }
        Ok(())
    }

    /// Links in the main worktree that lead to where a note no longer is.
    fn notes(&mut self) -> Result<()> {
        let repo = self.desk.repo;
        let Some(main) = repo.main_worktree() else { return Ok(()) };
        let tasks = Tasks::read(repo)?;
        let all = repo.worktrees()?;
        for task in tasks.all.iter().filter(|t| t.state.is_live()) {
            if place::worktree_of(task, &all).is_some_and(|w| w.missing) {
                // It is known to be away, and with it its note.
                continue;
            }
            let link = main.join(notes::relative_path(&task.slug));
            let is_link = fs::symlink_metadata(&link).is_ok_and(|m| m.is_symlink());
            let Some(path) = place::path_of(task, &all) else {
                if is_link
                    && !link.exists()
                    && self.finding(format!("task '{}': its note is gone with its worktree", task.slug))
                {
                    notes::remove_link(self.desk, &task.slug)?;
                }
                continue;
            };
            let what = match fs::symlink_metadata(&link) {
                Ok(_) if is_link && !link.exists() => "the link to its note leads nowhere",
                // It could not be made, or was cleaned away.
                Err(_) if has_place(main, &link) => "the link to its note is missing",
                _ => continue,
            };
            if path.join(notes::relative_path(&task.slug)).exists()
                && self.finding(format!("task '{}': {what}", task.slug))
            {
                notes::link_in_main(self.desk, &path, &task.slug)?;
            }
        }
        Ok(())
    }
}

/// Whether nothing but directories is in the way of a note's link in the main worktree.
fn has_place(main: &Path, link: &Path) -> bool {
    let free = |dir: &Path| fs::symlink_metadata(dir).map_or(true, |meta| meta.is_dir());
    link.ancestors().skip(1).take_while(|dir| *dir != main).all(free)
}

/// A name that we give: `.<name>.tmp-<process>`, or `snapshot.tmp-<process>-<thread>`.
fn is_temporary(name: &str) -> bool {
    let hidden = name.starts_with('.') || name.starts_with("snapshot.");
    // Those of `git::scratch` begin so.
    let scratch = name.starts_with("tmp-");
    scratch
        || hidden
            && name
                .rsplit_once(".tmp-")
                .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// What was cut off beside a note. A branch may have anything in `notes`, links to elsewhere too; ours are files
/// and links of one name, in directories.
fn temporary_notes(worktree: &Worktree) -> Vec<PathBuf> {
    let is_dir = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let notes = worktree.path.join("notes");
    if worktree.missing || !is_dir(&notes) {
        return Vec::new();
    }
    let dirs = fs::read_dir(&notes).into_iter().flatten().flatten().map(|e| e.path()).filter(|p| is_dir(p));
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".status.md.tmp-"));
        name && !is_dir(path)
    };
    dirs.flat_map(|dir| temporary_files(&dir)).filter(is_ours).collect()
}

/// A directory with all below it that are no temporary ones themselves.
fn directories(top: PathBuf) -> Vec<PathBuf> {
    let mut all = vec![top];
    let mut seen = 0;
    while let Some(dir) = all.get(seen) {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let real = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
        let inside: Vec<_> =
            real.filter(|e| !is_temporary(&e.file_name().to_string_lossy())).map(|e| e.path()).collect();
        all.extend(inside);
        seen += 1;
    }
    all
}

/// Files that only exist while a process writes them. One that is younger than a minute may be in use.
fn temporary_files(dir: &Path) -> Vec<PathBuf> {
    let recent = |path: &Path| {
        let modified = fs::symlink_metadata(path).and_then(|m| m.modified()).ok();
        // A process id in the name tells better than the time, where /proc can be asked.
        let owner = path
            .to_string_lossy()
            .rsplit("tmp-")
            .next()
            .and_then(|rest| rest.split('-').next().and_then(|pid| pid.parse::<i32>().ok()));
        match owner {
            Some(pid) if Path::new("/proc/self").exists() => crate::desk::pid::runs(pid),
            _ => modified.and_then(|t| t.elapsed().ok()).is_none_or(|age| age.as_secs() < 60),
        }
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    entries
        .filter(|p| p.file_name().is_some_and(|n| is_temporary(&n.to_string_lossy())) && !recent(p))
        .collect()
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
    let Ok(text) = fs::read_to_string(worktree.git_dir.join("logs/HEAD")) else { return Ok(None) };
    let last = text.lines().rev().find_map(|line| line.split(' ').nth(1));
    Ok(last.and_then(|hex| ObjectId::from_hex(hex.as_bytes()).ok()).filter(|id| !id.is_null()))
}
