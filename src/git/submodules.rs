//! Submodules as a commit names them, and where in this repository their objects are.
//!
//! Each worktree has submodule repositories of its own, below its administrative directory: what a task commits in
//! a submodule is in the one of its worktree, and nowhere else until it is pushed.

use std::path::{Component, Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::process::Cmd;
use super::{Repo, parse_id};
use crate::error::{OrFatal, Result};
use crate::paths::{path_bytes, path_from};

/// One submodule of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submodule {
    /// What it is called in configuration.
    pub name: String,
    /// Where it is in the worktree.
    pub path: BString,
    /// The commit that is to be checked out there.
    pub commit: ObjectId,
}

impl Repo {
    /// The submodules of a commit, as far as its `.gitmodules` makes sense. `lend` may lend git a place where the
    /// commit is.
    ///
    /// # Errors
    /// If git can't be started.
    pub fn submodules_of(&self, commit: ObjectId, lend: impl Fn(Cmd) -> Cmd) -> Result<Vec<Submodule>> {
        let blob = format!("{commit}:.gitmodules");
        let ask = ["config", "-z", "--blob", &blob, "--get-regexp", r"^submodule\..*\.path$"];
        let all = lend(self.at_home().cmd(ask)).poll().output()?.stdout;
        let named: Vec<(&str, &[u8])> = all
            .split_str("\0")
            .filter_map(|entry| {
                let (key, path) = entry.split_once_str("\n")?;
                let name = key.strip_prefix(b"submodule.")?.strip_suffix(b".path")?.to_str().ok()?;
                is_below(name).then_some((name, path))
            })
            .collect();
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let ask = self.at_home().cmd(["ls-tree", "-z", "--full-tree", &commit.to_string(), "--"]);
        let links = lend(ask.args(named.iter().map(|(_, path)| path_from(path)))).poll().output()?.stdout;
        let link_at = |path: &[u8]| {
            links.split_str("\0").find_map(|entry| {
                let (what, at) = entry.split_once_str("\t")?;
                let id = what.strip_prefix(b"160000 commit ")?;
                (at == path).then(|| parse_id(id).ok()).flatten()
            })
        };
        let found = named.iter().filter_map(|(name, path)| {
            let commit = link_at(path)?;
            Some(Submodule { name: (*name).to_owned(), path: BString::from(*path), commit })
        });
        Ok(found.collect())
    }

    /// The administrative directories below whose `modules` there may be submodules: what all worktrees share,
    /// then those of the linked ones.
    pub fn superprojects(&self) -> Vec<PathBuf> {
        let linked = std::fs::read_dir(self.common_dir().join("worktrees")).into_iter().flatten().flatten();
        let mut linked: Vec<PathBuf> = linked.map(|entry| entry.path()).collect();
        linked.sort();
        std::iter::once(self.common_dir().to_owned())
            .chain(linked)
            .filter(|dir| dir.join("modules").is_dir())
            .collect()
    }
}

/// The repository of a submodule below one of [`Repo::superprojects`], if it is there.
pub fn module_in(superproject: &Path, name: &str) -> Option<PathBuf> {
    let dir = superproject.join("modules").join(name);
    dir.join("objects").is_dir().then_some(dir)
}

/// Below `worktree`, what git takes for the submodules' repositories there: each has the objects of all that
/// `superprojects` have of it. They lie in `dir`, and nothing is checked out.
///
/// # Errors
/// If they can't be written.
pub fn stand_in(worktree: &Path, dir: &Path, superprojects: &[PathBuf], all: &[Submodule]) -> Result<()> {
    for (number, submodule) in all.iter().enumerate() {
        let modules: Vec<_> =
            superprojects.iter().filter_map(|dir| module_in(dir, &submodule.name)).collect();
        let at = worktree.join(path_from(&submodule.path));
        // A link in the way, or a place outside, is nothing that git would have made.
        if modules.is_empty() || !is_below(&submodule.path.to_str_lossy()) {
            continue;
        }
        let module = dir.join(number.to_string());
        let borrowed: Vec<u8> =
            modules.iter().flat_map(|m| [path_bytes(&m.join("objects")), b"\n"].concat()).collect();
        let format = match submodule.commit.kind() {
            gix::hash::Kind::Sha1 => "[core]\nrepositoryformatversion = 0\n",
            _ => "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha256\n",
        };
        let made = std::fs::create_dir_all(module.join("objects/info"))
            .and_then(|()| std::fs::create_dir_all(module.join("refs")))
            .and_then(|()| std::fs::create_dir_all(&at))
            .and_then(|()| std::fs::write(module.join("objects/info/alternates"), borrowed))
            .and_then(|()| std::fs::write(module.join("config"), format))
            .and_then(|()| std::fs::write(module.join("HEAD"), "ref: refs/heads/main\n"))
            .and_then(|()| {
                std::fs::write(at.join(".git"), [b"gitdir: ", path_bytes(&module), b"\n"].concat())
            });
        made.or_fatal(|| format!("cannot write to '{}'", module.display()))?;
    }
    Ok(())
}

/// As git's check_submodule_name(): a name leads nowhere else.
fn is_below(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
