//! Every kind with every answer, on real merges made by git in a worktree of their own, each taken back once.

mod kinds;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::git::no_vars;
use crate::git::process::shell;
use crate::git::testing::Sandbox;

/// A merge of `bug-login` into `main` that stopped.
pub(super) struct Fixture {
    pub(super) sandbox: Sandbox,
    pub(super) worktree: PathBuf,
    repo: Repo,
    ours: ObjectId,
    theirs: ObjectId,
    pub(super) operation: Operation,
}

pub(super) fn sh(dir: &Path, script: &str) -> String {
    let cmd = shell(&format!("set -e\n{script}"), dir, no_vars());
    let output = cmd.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_EDITOR", "true").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}\n{shown}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Fixture {
    /// The common ancestor and the two sides, each made by a script, and merged in a worktree beside.
    pub(super) fn new(base: &str, ours: &str, theirs: &str) -> Self {
        Self::by(Operation::Merge, base, ours, theirs)
    }

    pub(super) fn by(operation: Operation, base: &str, ours: &str, theirs: &str) -> Self {
        Self::within(Sandbox::new(), operation, base, ours, theirs)
    }

    pub(super) fn within(
        sandbox: Sandbox,
        operation: Operation,
        base: &str,
        ours: &str,
        theirs: &str,
    ) -> Self {
        let top = sandbox.top();
        let commit = |script: &str| {
            sh(&top, &format!("{script}\ngit add -A\ngit commit -q --allow-empty -m change"));
            sandbox.id("HEAD")
        };
        commit(base);
        sandbox.git(["branch", "bug-login"]);
        let ours = commit(ours);
        sandbox.git(["checkout", "-q", "bug-login"]);
        let theirs = commit(theirs);
        sandbox.git(["checkout", "-q", "main"]);
        let worktree = top.parent().unwrap().join("private");
        let merge = match operation {
            Operation::Merge => {
                "git worktree add -q --detach ../private main; cd ../private; git merge --no-ff bug-login"
            }
            Operation::Pick => {
                "git worktree add -q --detach ../private bug-login; cd ../private; git rebase main"
            }
        };
        sh(&top, &format!("{merge} && exit 1 || exit 0"));
        let repo = sandbox.repo();
        Fixture { sandbox, worktree, repo, ours, theirs, operation }
    }

    pub(super) fn stopped(&self) -> Stopped<'_> {
        Stopped {
            repo: &self.repo,
            worktree: self.worktree.clone(),
            task: "bug-login".to_owned(),
            ours: Head { name: "main".to_owned(), commit: self.ours },
            theirs: Head { name: "bug-login".to_owned(), commit: self.theirs },
            operation: self.operation,
        }
    }

    pub(super) fn sh(&self, script: &str) -> String {
        sh(&self.worktree, script)
    }

    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        conflicts(&self.stopped()).unwrap()
    }

    /// The one conflict there is.
    #[track_caller]
    pub(super) fn only(&self) -> Conflict {
        let mut all = self.conflicts();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// Index and files, each line of one path: `path stage mode content-of-the-file`.
    pub(super) fn picture(&self) -> String {
        self.sh("git ls-files -s | sed 's/ [0-9a-f]* / /'; git ls-files -z | sort -zu | xargs -0 -r -n1 sh -c 'echo \"$0: $(stat -c %A \"$0\" 2>&1 | tail -n1) $(cat \"$0\" 2>&1 | tail -n +1)\"'; git status --porcelain")
    }

    /// What the index has and what is in the files, if both agree.
    #[track_caller]
    pub(super) fn tree(&self) -> BTreeMap<String, String> {
        self.sh("git diff --exit-code >&2; test -z \"$(git ls-files --others)\"");
        let id = self.sh("git write-tree");
        let names = self.sh(&format!("git ls-tree -r --name-only -z {}", id.trim()));
        let content = |name: &str| {
            let file = self.worktree.join(name);
            match std::fs::symlink_metadata(&file).unwrap() {
                meta if meta.is_symlink() => format!("-> {}", std::fs::read_link(&file).unwrap().display()),
                meta if meta.is_dir() => "submodule".to_owned(),
                meta => {
                    use std::os::unix::fs::PermissionsExt;
                    let executable = if meta.permissions().mode() & 0o100 != 0 { "* " } else { "" };
                    let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
                    format!("{executable}{text}")
                }
            }
        };
        let names = names.split('\0').filter(|name| !name.is_empty());
        names.map(|name| (name.to_owned(), content(name))).collect()
    }

    /// Does it, takes it back, and does it again. Nothing may be left of what was taken back.
    #[track_caller]
    pub(super) fn answer(&self, action: Action) -> Saved {
        let conflict = self.conflicts().remove(0);
        let before = self.picture();
        let saved = apply(&self.stopped(), &conflict, action).unwrap();
        let after = self.picture();
        assert!(conflict.kind == Kind::Notice || before != after, "{action:?} did nothing");
        saved.restore(&self.stopped()).unwrap();
        assert_eq!(self.picture(), before, "{action:?} was not taken back");
        assert_eq!(self.conflicts().remove(0), conflict);
        let saved = apply(&self.stopped(), &conflict, action).unwrap();
        assert_eq!(self.picture(), after);
        saved
    }
}

pub(super) fn files(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}
