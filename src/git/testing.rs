//! Repositories for the unit tests of this layer: real ones, made by the git that is first on PATH.

use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::process::Git;
use super::{Repo, parse_id};
use crate::context::Context;

/// A repository in a directory that vanishes with it.
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    args: Vec<&'static str>,
}

impl Sandbox {
    /// An empty repository with the branch `main`.
    pub(crate) fn new() -> Self {
        Self::with_args(&[])
    }

    /// The same, with arguments for `git init`.
    pub(crate) fn with_args(args: &[&'static str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox { dir, args: args.to_vec() };
        std::fs::create_dir(sandbox.top()).unwrap();
        sandbox.git(["init", "-q", "-b", "main"].into_iter().chain(sandbox.args.iter().copied()));
        for (key, value) in [
            ("user.name", "U"),
            ("user.email", "u@example.com"),
            ("commit.gpgsign", "false"),
            ("gc.auto", "0"),
        ] {
            sandbox.git(["config", key, value]);
        }
        sandbox
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("repo")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.top().join(name)
    }

    /// git in the main worktree; it must succeed.
    pub(crate) fn git<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
        git_at(&self.top(), args)
    }

    pub(crate) fn id(&self, rev: &str) -> ObjectId {
        parse_id(self.git(["rev-parse", "--verify", rev]).trim_ascii()).unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.top(), name, content.as_ref());
    }

    /// Writes the file and commits it alone.
    pub(crate) fn commit(&self, name: &str, content: impl AsRef<[u8]>) -> ObjectId {
        self.write(name, content);
        self.git(["add", "--", name]);
        self.git(["commit", "-q", "-m", name]);
        self.id("HEAD")
    }

    pub(crate) fn repo(&self) -> Repo {
        let mut context = Context::from_env().unwrap();
        context.cwd = self.top();
        Repo::discover(&context).unwrap()
    }
}

pub(crate) fn git_at<'a>(dir: &Path, args: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let args: Vec<_> = args.into_iter().collect();
    Git::discovering(dir)
        .cmd(&args)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .run()
        .unwrap_or_else(|e| panic!("git {args:?} in {}: {e}", dir.display()))
}

pub(crate) fn write(dir: &Path, name: &str, content: &[u8]) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Numbers that are the same each time: Knuth's MMIX generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
