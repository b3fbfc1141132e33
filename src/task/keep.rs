//! What a removal puts aside before it takes anything away.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::record::Tasks;
use super::{Branch, Desk, Slug, Task, notes, place};
use crate::desk::{clean, mark, slot};
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::Git;
use crate::git::refs::short_name;
use crate::git::snapshot::Look;
use crate::git::worktree::{self, Head, Worktree};
use crate::store::record::Record;
use crate::store::trash::{self, Kept, Removal, path_value};

/// How something was put into the trash.
#[derive(Debug)]
pub enum Put {
    /// As objects.
    Objects {
        /// The snapshot.
        held: ObjectId,
        /// What was seen, for [`keep_changes`].
        look: Option<Look>,
    },
    /// The directory itself had to be kept, because repositories inside it hold work of their own.
    Directory,
}

/// Puts what only this task's worktree and branch hold into the trash.
///
/// # Errors
/// If something can't be preserved: then nothing must be taken away.
pub fn keep(
    desk: &Desk<'_>,
    task: &Task,
    worktree: Option<&Worktree>,
    kept: &[PathBuf],
    note: Option<&[u8]>,
) -> Result<Put> {
    let metadata = metadata(task)?;
    let clone = place::clone_of(desk.repo, task)?;
    let meta = meta(desk, task, worktree, clone)?;
    let branch = task.branch_ref();
    let clone_dir = clone.map(|p| p.join(".git"));
    let path = match worktree {
        // What took its place is somebody else's.
        Some(worktree) => Some(worktree.path.as_path()).filter(|_| !worktree.replaced),
        None => clone,
    };
    let removal = Removal {
        slug: task.slug.as_str(),
        task: &metadata,
        meta: &meta,
        note,
        path,
        git_dir: worktree.map(|w| w.git_dir.as_path()).or(clone_dir.as_deref()),
        clone: clone_dir.is_some(),
        branch: branch.as_deref(),
        tip: place::head_of(desk.repo, task, &worktree.cloned().into_iter().collect::<Vec<_>>())?,
        kept,
        now: desk.context.now(),
    };
    let inside = match trash::keep(desk.repo, &removal)? {
        Kept::NeedsDirectory(inside) => inside,
        Kept::InTrash { entry, lost, look } => {
            for name in lost {
                desk.observer.warn(&format!("not kept: '{}' is not a file", name.display()));
            }
            return Ok(Put::Objects { held: entry.commit, look });
        }
    };
    let Some(worktree) = worktree else {
        let names: Vec<_> = inside.iter().map(|p| p.display().to_string()).collect();
        return Err(Failure::fatal(format!(
            "repositories inside the clone hold work of their own: {}",
            names.join(", ")
        ))
        .hint("taskInside", "Push or move that work first."));
    };
    // They would go with the directory, today or when it expires, and they are not this task's.
    let mut others = desk.repo.worktrees()?.into_iter().filter(|w| w.path != worktree.path);
    if let Some(other) = others.find(|w| w.path.starts_with(&worktree.path)) {
        let shown = other.path.display().to_string();
        return Err(Failure::fatal(format!("'{shown}' is another working tree inside this one"))
            .hint("taskInside", format!("Move it first: 'git worktree move {shown} <new-path>'.")));
    }
    let aside = parked_name(&worktree.path);
    let parked = meta.clone().with("parked", path_value(&aside));
    let removal = Removal { meta: &parked, path: None, git_dir: None, ..removal };
    trash::keep(desk.repo, &removal)?;
    park(desk, &task.slug, worktree, &aside)?;
    desk.observer.note(&format!(
        "Kept '{}' as it is, because of work in repositories inside: {}",
        aside.display(),
        inside.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    ));
    Ok(Put::Directory)
}

/// Looks at a worktree or clone that [`keep`] has put into the trash and that was moved to `aside` since: what
/// was written between the two goes into the trash too. `first` is what was seen the first time, if that is known.
///
/// # Errors
/// If something can't be preserved: then it must be moved back.
pub fn keep_changes(
    desk: &Desk<'_>,
    task: &Task,
    worktree: Option<&Worktree>,
    (aside, first): (&Path, Option<&Look>),
    kept: &[PathBuf],
    note: Option<&[u8]>,
) -> Result<()> {
    // What is read is aside, and what is recorded is where it was.
    let moved = Task { clone: task.clone.as_ref().map(|_| aside.to_owned()), ..task.clone() };
    let metadata = metadata(task)?;
    let meta = meta(desk, task, worktree, moved.clone.as_deref())?;
    let branch = task.branch_ref();
    let clone_dir = moved.clone.as_deref().map(|p| p.join(".git"));
    let removal = Removal {
        slug: task.slug.as_str(),
        task: &metadata,
        meta: &meta,
        note,
        path: Some(aside),
        git_dir: worktree.map(|w| w.git_dir.as_path()).or(clone_dir.as_deref()),
        clone: clone_dir.is_some(),
        branch: branch.as_deref(),
        tip: place::head_of(desk.repo, &moved, &worktree.cloned().into_iter().collect::<Vec<_>>())?,
        kept,
        now: desk.context.now(),
    };
    match trash::keep_if_changed(desk.repo, &removal, first)? {
        Some(Kept::NeedsDirectory(inside)) => {
            let names: Vec<_> = inside.iter().map(|p| p.display().to_string()).collect();
            Err(Failure::fatal(format!("a repository was made there meanwhile: {}", names.join(", "))))
        }
        Some(Kept::InTrash { .. }) | None => Ok(()),
    }
}

/// What is left of a worktree whose directory is gone, or that was never finished.
///
/// # Errors
/// If it can't be preserved.
pub fn keep_what_is_left(desk: &Desk<'_>, slug: &Slug, worktree: &Worktree) -> Result<Put> {
    let tasks = Tasks::read(desk.repo)?;
    let task = match tasks.find(slug.as_str()) {
        Some(task) => task.clone(),
        None => {
            // On no branch it is the base that it follows.
            let short = |full: &str| short_name(full).to_owned();
            let follows = || slot::base(desk).ok().and_then(|base| base.branch).map(|full| short(&full));
            let branch = match worktree.branch() {
                Some(full) => Branch::Own(short(&full)),
                None => Branch::Track(follows().unwrap_or_else(|| "HEAD".to_owned())),
            };
            Task::new(slug.clone(), branch)
        }
    };
    let (mut kept, mut note) = (Vec::new(), None);
    if worktree.is_readable() {
        kept = clean::worth_keeping(desk, worktree, Some(slug.as_str()))?;
        note = notes::last(&worktree.path, slug)?;
    }
    keep(desk, &task, Some(worktree), &kept, note.as_deref())
}

/// The metadata as a record.
fn metadata(task: &Task) -> Result<Record> {
    let mut record = Record::new("task");
    for (key, values) in task.entries() {
        for value in values {
            record = record.with(key, value);
        }
    }
    Ok(record)
}

/// Where the task was, what was checked out, and what `branch.<name>.*` said. `clone` is where a clone is now.
fn meta(desk: &Desk<'_>, task: &Task, worktree: Option<&Worktree>, clone: Option<&Path>) -> Result<Record> {
    let mut meta = Record::new("removal").with("version", "1");
    if let Some(path) = worktree.map(|w| w.path.as_path()).or(task.clone.as_deref()) {
        meta = meta.with("path", path_value(path));
    }
    match worktree.map(|w| &w.head) {
        Some(Head::Branch(name)) => meta = meta.with("head", name.as_str()),
        Some(Head::Detached(id)) => meta = meta.with("head", id.to_string()),
        _ => {}
    }
    if let Some(reason) = worktree.and_then(|w| w.locked.as_deref()) {
        meta = meta.with("locked", reason);
    }
    if let Some(full) = task.branch_ref()
        && let Some(tip) = desk.repo.find_ref(&full)?
    {
        meta = meta.with("tip", tip.to_string());
    }
    let file = crate::store::config::load(desk.repo)?;
    if let Some(section) = task.own_branch().and_then(|name| file.find("branch", name)) {
        for (key, value) in section.values {
            meta = meta.with("branchConfig", [key.as_bytes(), b"=", value.as_bytes()].concat());
        }
    }
    if let Some(clone) = clone.filter(|p| p.exists()) {
        let git = Git::at(clone);
        let args = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"];
        for line in git.cmd(args).run()?.lines() {
            meta = meta.with("ref", BString::from(line));
        }
        // The last one comes first; there may be none.
        let stashes = git.cmd(["log", "-g", "--format=%H %gs", "refs/stash", "--"]).poll().output()?;
        for line in stashes.stdout.lines().filter(|_| stashes.status.success()) {
            meta = meta.with("stash", BString::from(line));
        }
        for args in [["symbolic-ref", "-q", "HEAD"], ["rev-parse", "-q", "HEAD"]] {
            let head = git.cmd(args).poll().output()?;
            if head.status.success() {
                meta = meta.with("head", BString::from(head.stdout.trim_ascii_end()));
                break;
            }
        }
    }
    Ok(meta)
}

/// Beside the worktree, at the same depth: submodules refer to it by relative paths.
fn parked_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let free = (1..).map(|n| path.with_file_name(format!(".{name}.kept-{n}"))).find(|p| !p.exists());
    free.expect("one of the numbers is free")
}

/// Moves a worktree aside as it is. `git worktree move` refuses one with submodules. Each step can be done
/// again.
fn park(desk: &Desk<'_>, slug: &Slug, worktree: &Worktree, aside: &Path) -> Result<()> {
    let failed = || format!("could not move '{}' aside", worktree.path.display());
    worktree.unmark()?;
    // What is moved aside is no slot of the pool any more.
    mark::remove(&worktree.git_dir)?;
    if !aside.exists() {
        fs::rename(&worktree.path, aside).or_fatal(failed)?;
    }
    point_admin_at(worktree, aside)?;
    let git = Git::at(aside);
    // The branch can then go, or be used elsewhere. One without a commit is no branch yet.
    let head = git.cmd(["rev-parse", "-q", "--verify", "HEAD"]).output()?;
    if head.status.success() {
        let cmd = git.cmd(["update-ref", "--no-deref", "-m", "git task rm", "HEAD"]);
        cmd.arg(head.stdout.trim().to_str_lossy().as_ref()).run()?;
    }
    if !worktree.git_dir.join("locked").exists() {
        let reason = format!("work of the removed task '{slug}'; see git task restore");
        desk.worktree(&["lock", "--reason", &reason], aside)?;
    }
    Ok(())
}

/// Moves a worktree aside to the end, if that was cut off on the way there or back. `path` is where it was.
///
/// # Errors
/// If the file system or git refuses.
pub fn park_again(desk: &Desk<'_>, slug: &Slug, path: &Path, aside: &Path) -> Result<()> {
    let dir = if aside.exists() { aside } else { path };
    if let Some(worktree) = worktree_in(desk, dir)? {
        park(desk, slug, &Worktree { path: path.to_owned(), ..worktree }, aside)?;
    }
    Ok(())
}

/// The worktree whose files are in `dir`, wherever git believes them to be.
fn worktree_in(desk: &Desk<'_>, dir: &Path) -> Result<Option<Worktree>> {
    let leads_to = worktree::leads_to(&dir.join(".git"));
    let Some(git_dir) =
        leads_to.or_fatal(|| format!("could not look for a worktree in '{}'", dir.display()))?
    else {
        return Ok(None);
    };
    Ok(desk.repo.worktrees()?.into_iter().find(|w| !w.is_main && w.git_dir == git_dir))
}

/// Brings a directory that was moved aside back to its place, on its branch.
///
/// # Errors
/// If the file system or git refuses.
pub fn unpark(
    desk: &Desk<'_>,
    slug: &Slug,
    aside: &Path,
    to: &Path,
    head: Option<&str>,
    locked: bool,
) -> Result<()> {
    let Some(worktree) = worktree_in(desk, aside)? else {
        return Err(Failure::fatal(format!("'{}' is not a working tree", aside.display())));
    };
    // A directory that git made room for is empty.
    let _ = fs::remove_dir(to);
    fs::rename(aside, to).or_fatal(|| format!("could not move '{}' back", aside.display()))?;
    point_admin_at(&worktree, to)?;
    if let Some(head) = head.filter(|h| h.starts_with("refs/heads/")) {
        Git::at(to).cmd(["symbolic-ref", "-m", "git task restore", "HEAD", head]).run()?;
    }
    worktree.mark(slug.as_str())?;
    if !locked {
        desk.worktree(&["unlock"], to)?;
    }
    Ok(())
}

/// Lets go of a worktree that was moved aside: git forgets it, and its directory gets `name`, to be deleted.
///
/// # Errors
/// If the file system or git refuses.
pub fn discard(desk: &Desk<'_>, aside: &Path, name: &Path) -> Result<()> {
    let Some(worktree) = worktree_in(desk, aside)? else { return Ok(()) };
    fs::rename(aside, name).or_fatal(|| format!("could not move '{}' aside", aside.display()))?;
    desk.worktree(&["remove", "--force", "--force"], &worktree.path)
}

fn point_admin_at(worktree: &Worktree, path: &Path) -> Result<()> {
    let mut dot_git = crate::paths::path_bytes(&path.join(".git")).to_vec();
    dot_git.push(b'\n');
    crate::store::atomic::write(&worktree.git_dir.join("gitdir"), &dot_git)
}
