//! Each test takes a worktree away, lets git collect what nobody refers to, and brings it back.

mod broken;
mod content;
mod inside;
mod look;
mod operations;
mod pins;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::{Request, Snapshot, Taken, restore_into, take};
use crate::git::Repo;
use crate::git::process::Git;
use crate::git::refs::Old;
use crate::git::testing::{Sandbox, git_at, write};
use crate::paths::path_bytes;

const BRANCH: &str = "refs/heads/task";
const ENTRY: &str = "refs/task-trash/task/1";

/// A repository with a worktree on the branch `task`.
struct Case {
    sandbox: Sandbox,
    kept: Vec<PathBuf>,
}

/// Everything that must be the same before and after.
#[derive(Debug, PartialEq)]
struct Seen {
    status: String,
    index: String,
    files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
    head: String,
}

impl Case {
    fn new() -> Self {
        Self::with_args(&[])
    }

    fn with_args(args: &[&'static str]) -> Self {
        let sandbox = Sandbox::with_args(args);
        sandbox.write("a", "a\n");
        sandbox.write("b", "b1\nb2\nb3\nb4\n");
        sandbox.write("dir/c", "c\n");
        sandbox.write(".gitignore", "*.ignored\n/cache/\n.env\n");
        sandbox.git(["add", "-A"]);
        sandbox.git(["commit", "-q", "-m", "first"]);
        let case = Case { sandbox, kept: Vec::new() };
        case.sandbox.git(["worktree", "add", "-q", "-b", "task", "../wt"]);
        case
    }

    fn repo(&self) -> Repo {
        self.sandbox.repo()
    }

    fn wt(&self) -> PathBuf {
        self.sandbox.top().with_file_name("wt")
    }

    fn git_dir(&self) -> PathBuf {
        self.sandbox.path(".git/worktrees/wt")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.wt(), name, content.as_ref());
    }

    fn git<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
        git_at(&self.wt(), args)
    }

    /// git in the worktree, which may fail, as a merge does.
    fn try_git(&self, args: &[&str]) -> i32 {
        let cmd = Git::at(self.wt()).cmd(args).env("GIT_EDITOR", "true").env("GIT_SEQUENCE_EDITOR", "true");
        cmd.output().unwrap().code()
    }

    fn commit(&self, name: &str, content: &str) -> ObjectId {
        self.write(name, content);
        self.git(["add", "--", name]);
        self.git(["commit", "-q", "-m", name]);
        self.id("HEAD")
    }

    fn id(&self, rev: &str) -> ObjectId {
        crate::git::parse_id(self.git(["rev-parse", "--verify", rev]).trim_ascii()).unwrap()
    }

    /// Asks something of the worktree as it is.
    fn ask<T>(&self, ask: impl FnOnce(&Repo, &Request<'_>) -> T) -> T {
        let repo = self.repo();
        let (wt, git_dir) = (self.wt(), self.git_dir());
        let request = Request {
            path: Some(&wt),
            git_dir: Some(&git_dir),
            branch: Some(BRANCH),
            tip: repo.find_ref(BRANCH).unwrap(),
            clone: false,
            texts: &[("meta", b"[meta]\n"), ("note", b"note\n")],
            kept: &self.kept,
            now: 1_700_000_000,
        };
        ask(&repo, &request)
    }

    fn take(&self) -> Snapshot {
        self.ask(take).unwrap()
    }

    fn taken(&self) -> Taken {
        match self.take() {
            Snapshot::Taken(taken) => taken,
            Snapshot::NotByObjects(paths) => panic!("not by objects: {paths:?}"),
        }
    }

    fn not_by_objects(&self) -> Vec<PathBuf> {
        match self.take() {
            Snapshot::Taken(_) => panic!("taken"),
            Snapshot::NotByObjects(paths) => paths,
        }
    }

    fn seen(&self) -> Seen {
        let mut files = BTreeMap::new();
        dump(&self.wt(), Path::new(""), &mut files);
        let text = |out: Vec<u8>| out.replace(b"\0", b"\n").to_str_lossy().into_owned();
        let head = Git::at(self.wt()).cmd(["symbolic-ref", "-q", "HEAD"]).output().unwrap().stdout;
        let commit = Git::at(self.wt()).cmd(["rev-parse", "-q", "--verify", "HEAD"]).output().unwrap().stdout;
        Seen {
            status: text(self.git(["status", "--porcelain=v2", "-uall", "-z"])),
            index: text(self.git(["ls-files", "--stage", "-v", "-z"])),
            files,
            head: text([head, commit].concat()),
        }
    }

    /// Takes the snapshot, and away everything but it.
    fn remove(&self) -> ObjectId {
        let index = fs::read(self.git_dir().join("index")).unwrap_or_default();
        let taken = self.taken();
        assert!(fs::read(self.git_dir().join("index")).unwrap_or_default() == index, "index was touched");
        assert_eq!(fs::read_dir(self.repo().state_dir()).map_or(0, Iterator::count), 0);
        let new = (ENTRY.to_owned(), Some(taken.commit), Old::Absent);
        self.repo().update_refs("test", &[new]).unwrap();
        fs::remove_dir_all(self.wt()).unwrap();
        fs::remove_dir_all(self.git_dir()).unwrap();
        self.sandbox.git(["update-ref", "-d", BRANCH]);
        self.collect();
        taken.commit
    }

    fn collect(&self) {
        self.sandbox.git(["reflog", "expire", "--expire=now", "--all"]);
        self.sandbox.git(["gc", "-q", "--prune=now"]);
        self.sandbox.git(["fsck", "--full", "--strict", "--no-dangling"]);
    }

    fn restore(&self, commit: ObjectId, seen: &Seen, tip: Option<ObjectId>) {
        if let Some(tip) = tip {
            self.sandbox.git(["update-ref", BRANCH, &tip.to_string()]);
        }
        let add = ["worktree", "add", "-q", "--no-checkout"];
        let head = seen.head.lines().last().unwrap_or_default();
        match seen.head.lines().next() {
            Some(BRANCH) if tip.is_some() => {
                self.sandbox.git(add.into_iter().chain(["../wt", "task"]));
            }
            Some(BRANCH) => {
                self.sandbox.git(add.into_iter().chain(["--detach", "../wt", &commit.to_string()]));
                self.git(["symbolic-ref", "HEAD", BRANCH]);
            }
            _ => {
                self.sandbox.git(add.into_iter().chain(["--detach", "../wt", head]));
            }
        }
        restore_into(commit, &self.wt(), &self.git_dir()).unwrap();
        assert!(!self.git_dir().join("index.git-task").exists());
    }

    /// There and back again.
    fn round_trip(&self) -> ObjectId {
        let (seen, tip) = (self.seen(), self.repo().find_ref(BRANCH).unwrap());
        let commit = self.remove();
        self.restore(commit, &seen, tip);
        let now = self.seen();
        assert_eq!(now.status, seen.status);
        assert_eq!(now.index, seen.index);
        assert_eq!(now.head, seen.head);
        for (name, file) in &seen.files {
            assert_eq!(now.files.get(name), Some(file), "{}", name.display());
        }
        assert_eq!(now.files.keys().collect::<Vec<_>>(), seen.files.keys().collect::<Vec<_>>());
        self.sandbox.git(["fsck", "--full", "--strict", "--no-dangling"]);
        commit
    }

    fn parents(&self, commit: ObjectId) -> Vec<ObjectId> {
        let out = self.sandbox.git(["rev-parse", &format!("{commit}^@")]);
        out.lines().map(|line| crate::git::parse_id(line).unwrap()).collect()
    }

    fn entries(&self, commit: ObjectId) -> Vec<String> {
        let out = self.sandbox.git(["ls-tree", "--name-only", &commit.to_string()]);
        out.lines().map(|line| line.to_str_lossy().into_owned()).collect()
    }
}

/// Permissions and content of all but ignored files that nobody keeps.
fn dump(top: &Path, dir: &Path, out: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(top.join(dir)).unwrap() {
        let entry = entry.unwrap();
        let name = dir.join(entry.file_name());
        let meta = entry.metadata().unwrap();
        if name == Path::new(".git") || path_bytes(&name).ends_with(b".ignored") || name.starts_with("cache")
        {
            continue;
        }
        let mode = meta.permissions().mode();
        if meta.is_dir() {
            out.insert(name.clone(), (mode, Vec::new()));
            dump(top, &name, out);
        } else if meta.is_symlink() {
            out.insert(name.clone(), (0, path_bytes(&fs::read_link(top.join(&name)).unwrap()).to_vec()));
        } else if meta.is_file() {
            out.insert(name.clone(), (mode, fs::read(top.join(&name)).unwrap()));
        }
    }
}
