//! Submodules in the private worktree: those that are initialised in this repository, with their objects from where
//! they are in it already. The network is for what is nowhere here.
//!
//! A merge needs the commits of both sides, and a check what is checked out.

use std::path::{Path, PathBuf};

use gix::ObjectId;

use crate::error::{OrFatal, Result};
use crate::git::process::{Cmd, Git};
use crate::git::submodules::{Submodule, module_in};
use crate::git::{Repo, parse_id};
use crate::paths::path_from;

/// The private worktree, as far as its submodules need it.
#[derive(Clone, Copy)]
pub struct Within<'a> {
    /// The repository.
    pub repo: &'a Repo,
    /// Its top level.
    pub path: &'a Path,
    /// Its administrative directory.
    pub git_dir: &'a Path,
    /// It is a slot that is lent: somebody may think that it is his.
    pub is_lent: bool,
}

impl Within<'_> {
    fn git(&self, args: &[&str]) -> Cmd {
        let quiet = ["-c", "gc.auto=0", "-c", "maintenance.auto=false"];
        Git::at(self.path).cmd(quiet).args(args).leaving_others()
    }

    fn head(&self) -> Result<ObjectId> {
        parse_id(Git::at(self.path).cmd(["rev-parse", "--verify", "HEAD"]).poll().line()?.as_bytes())
    }
}

/// Before `tip` is merged onto `onto`, which is checked out: the commits that submodules have in both come into the
/// private worktree's own repositories of them, so that git can tell which contains which. One that the task has no
/// more is not checked out any longer: its files would be in the way of what comes in its place.
///
/// # Errors
/// If they can't be read or written. What is nowhere in this repository is left to git.
pub fn prepare(shop: &Within<'_>, onto: ObjectId, tip: ObjectId) -> Result<()> {
    let superprojects = superprojects(shop);
    if superprojects.is_empty() {
        return Ok(());
    }
    let (ours, theirs) = (submodules_of(shop, onto)?, submodules_of(shop, tip)?);
    provide(shop, &superprojects, &ours)?;
    provide(shop, &superprojects, &theirs)?;
    for gone in ours.iter().filter(|ours| theirs.iter().all(|theirs| theirs.path != ours.path)) {
        let dir = shop.path.join(path_from(&gone.path));
        if dir.join(".git").exists() {
            let failed = || format!("could not empty '{}'", dir.display());
            std::fs::remove_dir_all(&dir).and_then(|()| std::fs::create_dir(&dir)).or_fatal(failed)?;
        }
    }
    Ok(())
}

/// Checks out what HEAD of the private worktree says, in each submodule that is initialised. What git says, if it
/// can't.
///
/// # Errors
/// If they can't be read or written.
pub fn populate(shop: &Within<'_>) -> Result<Option<String>> {
    let superprojects = superprojects(shop);
    if superprojects.is_empty() {
        return Ok(None);
    }
    let mut all = submodules_of(shop, shop.head()?)?;
    all.retain(|s| is_active(shop, &s.name) && !sources(&superprojects, &s.name).is_empty());
    provide(shop, &superprojects, &all)?;
    if !shop.is_lent {
        // What of one that is gone was checked out. A slot is brought here without any.
        shop.git(&["clean", "-ffdq"]).run()?;
    }
    for submodule in all {
        let output = update(shop, &[], &[submodule.path.as_ref()]).output()?;
        if !output.status.success() {
            crate::interrupt::check()?;
            let shown = crate::text::escape_controls(&submodule.path);
            let said = output.into_failure().message();
            let commit = submodule.commit;
            return Ok(Some(format!("the submodule '{shown}' can't be checked out at {commit}: {said}")));
        }
    }
    Ok(None)
}

/// Those that are checked out go where the index has moved to, and what was changed in them is gone. One that can't
/// is seen to when it is needed.
///
/// # Errors
/// If git can't be started.
pub fn follow(shop: &Within<'_>) -> Result<()> {
    if !shop.git_dir.join("modules").is_dir() {
        return Ok(());
    }
    let all = submodules_of(shop, shop.head()?)?;
    let here: Vec<&[u8]> = all
        .iter()
        .map(|submodule| submodule.path.as_slice())
        .filter(|path| shop.path.join(path_from(path)).join(".git").exists())
        .collect();
    if here.is_empty() {
        return Ok(());
    }
    for path in &here {
        Git::at(shop.path.join(path_from(path))).cmd(["clean", "-ffdq"]).output()?;
    }
    update(shop, &["--no-fetch"], &here).output().map(drop)
}

fn submodules_of(shop: &Within<'_>, commit: ObjectId) -> Result<Vec<Submodule>> {
    shop.repo.submodules_of(commit, |cmd| cmd)
}

/// Where others than the private worktree have theirs.
fn superprojects(shop: &Within<'_>) -> Vec<PathBuf> {
    let mut all = shop.repo.superprojects();
    all.retain(|dir| *dir != shop.git_dir);
    all
}

fn sources(superprojects: &[PathBuf], name: &str) -> Vec<PathBuf> {
    superprojects.iter().filter_map(|dir| module_in(dir, name)).collect()
}

/// git initialises what somebody asked it to, and says so in the configuration that all worktrees share.
fn is_active(shop: &Within<'_>, name: &str) -> bool {
    let gix = shop.repo.gix();
    let config = gix.config_snapshot();
    config.string(format!("submodule.{name}.url").as_str()).is_some()
}

/// A bare clone of a source shares its objects by hard links; git makes it the submodule's repository when it checks
/// it out.
fn provide(shop: &Within<'_>, superprojects: &[PathBuf], all: &[Submodule]) -> Result<()> {
    for submodule in all {
        let sources = sources(superprojects, &submodule.name);
        let Some(first) = sources.first() else { continue };
        let module = shop.git_dir.join("modules").join(&submodule.name);
        if module_in(shop.git_dir, &submodule.name).is_none() {
            make(shop, &module, first)?;
        }
        let within = Git::with_git_dir(shop.path, &module);
        if has_commit(&within, submodule.commit)? {
            continue;
        }
        for source in &sources {
            if has_commit(&Git::with_git_dir(source, source), submodule.commit)? {
                let fetch = ["fetch", "--quiet", "--no-tags", "--append", "--no-recurse-submodules"];
                within.cmd(fetch).arg(source).arg(submodule.commit.to_string()).run()?;
                break;
            }
        }
    }
    Ok(())
}

/// Made beside its place, so that one that is half made is never taken for whole.
fn make(shop: &Within<'_>, module: &Path, source: &Path) -> Result<()> {
    let half = shop.git_dir.join("submodule-half");
    let failed = || format!("could not write '{}'", module.display());
    for dir in [&half, module] {
        match std::fs::remove_dir_all(dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).or_fatal(failed),
            _ => {}
        }
    }
    shop.git(&["clone", "--quiet", "--bare", "--no-tags", "--template="]).arg(source).arg(&half).run()?;
    let git = Git::with_git_dir(&half, &half);
    git.cmd(["config", "core.bare", "false"]).run()?;
    // Nothing in it is only here, and so it says where whoever looks for that looks.
    let fetched =
        git.cmd(["for-each-ref", "--format=%(objectname)\tnot-for-merge\t%(refname)"]).poll().run()?;
    std::fs::write(half.join("FETCH_HEAD"), fetched).or_fatal(failed)?;
    // What is nowhere here comes from where the source has it from.
    let from = Git::with_git_dir(source, source).cmd(["config", "remote.origin.url"]).poll().output()?;
    if from.status.success() {
        let url = String::from_utf8_lossy(&from.stdout).trim_end().to_owned();
        git.cmd(["config", "remote.origin.url", &url]).run()?;
    }
    if let Some(parent) = module.parent() {
        std::fs::create_dir_all(parent).or_fatal(failed)?;
    }
    std::fs::rename(&half, module).or_fatal(failed)
}

fn has_commit(git: &Git, commit: ObjectId) -> Result<bool> {
    let asked = git.cmd(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
    Ok(asked.poll().env("GIT_NO_LAZY_FETCH", "1").output()?.status.success())
}

fn update(shop: &Within<'_>, options: &[&str], paths: &[&[u8]]) -> Cmd {
    let cmd = shop.git(&["--literal-pathspecs", "submodule", "--quiet", "update", "--checkout", "--force"]);
    cmd.args(options).arg("--").args(paths.iter().map(|path| path_from(path)))
}
