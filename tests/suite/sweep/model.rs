//! What must hold after any fault, whatever the command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::*;

/// What was there before the command.
pub struct Before {
    commits: BTreeSet<String>,
    files: BTreeSet<String>,
    notes: BTreeSet<String>,
    branches: BTreeSet<String>,
    worktrees: BTreeSet<PathBuf>,
    gives_up: &'static str,
}

impl Before {
    #[track_caller]
    pub fn of(sandbox: &Sandbox, dir: &Path, gives_up: &'static str) -> Self {
        Before {
            commits: reachable(sandbox, dir, gives_up, false),
            files: files(sandbox, dir),
            notes: notes(sandbox, dir, &[]),
            branches: branches(sandbox, dir),
            worktrees: worktrees(sandbox, dir).into_iter().collect(),
            gives_up,
        }
    }

    /// Each commit and each file is in its place or kept by a reference.
    #[track_caller]
    pub fn nothing_is_lost(&self, sandbox: &Sandbox, dir: &Path) {
        let mut found = reachable(sandbox, dir, self.gives_up, true);
        found.extend(files(sandbox, dir));
        let lost: Vec<_> = self.commits.iter().chain(&self.files).filter(|id| !found.contains(*id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let trash = sandbox.git(dir, ["for-each-ref", "--format=%(refname)", "refs/task-trash"]).ok().stdout;
        let now = notes(sandbox, dir, &trash.lines().collect::<Vec<_>>());
        let lost: Vec<_> = self.notes.difference(&now).collect();
        assert!(lost.is_empty(), "lost from a note: {lost:?}");
    }

    /// No branch, worktree or directory that belongs to nothing.
    #[track_caller]
    pub fn nothing_is_left_over(&self, sandbox: &Sandbox, dir: &Path) {
        let listed = |run: Run| -> BTreeSet<String> { run.ok().stdout.lines().map(str::to_owned).collect() };
        let mut known = listed(sandbox.task(dir, ["list", "--all", "--format=%(branch)"]));
        known.extend(self.branches.iter().cloned());
        let left: Vec<_> = branches(sandbox, dir).difference(&known).cloned().collect();
        assert!(left.is_empty(), "branches of no task: {left:?}");
        let mut known = listed(sandbox.task(dir, ["list", "--all", "--format=%(worktree)"]));
        known.extend(listed(sandbox.pool(dir, ["list", "--format=%(worktree)"])));
        let known = |path: &Path| {
            self.worktrees.contains(path) || known.contains(path.to_str().expect("plain names"))
        };
        let now = worktrees(sandbox, dir);
        let left: Vec<_> = now.iter().filter(|path| !known(path)).collect();
        assert!(left.is_empty(), "worktrees of no task and no slot: {left:?}");
        for entry in std::fs::read_dir(sandbox.path("repo-worktrees")).into_iter().flatten().flatten() {
            let path = entry.path();
            let known = !path.is_dir() || is_workshop(&path) || now.contains(&path);
            assert!(known, "no worktree: {}", path.display());
        }
    }
}

/// git that is killed itself leaves its locks, and says that a person has to remove them. The one of the
/// configuration may be ours, and then it is ours to remove.
#[track_caller]
pub fn as_git_advises(sandbox: &Sandbox, dir: &Path) {
    sandbox.run(dir, "find", [".git", "-name", "*.lock", "-links", "1", "-delete"]).ok();
    // What it hands to a merge driver it leaves too, without a word.
    sandbox.run(dir, "find", [".", "-name", ".merge_file_??????", "-delete"]).ok();
}

/// Right after the fault: what only looks works.
#[track_caller]
pub fn usable(sandbox: &Sandbox, dir: &Path) {
    let fsck = sandbox.git(dir, ["fsck", "--full", "--no-dangling", "--no-progress"]);
    // A `git worktree add` that was killed leaves a HEAD of zeroes; `repair` takes all of it away.
    let half_made =
        |line: &&str| line.starts_with("error: worktrees/") && line.ends_with("points at nothing");
    // So does a `git branch -m`, until `rename` is resumed.
    let turning = |line: &&str| line.starts_with("notice: ") && line.contains("points to an unborn branch");
    let unread = |line: &&str| line.starts_with("fatal: failed to read") && line.contains("/commondir: ");
    let known = |line: &&str| half_made(line) || turning(line) || unread(line);
    let bad: Vec<_> = fsck.stderr.lines().filter(|line| !known(line)).collect();
    assert!(bad.is_empty() && (fsck.code == 0 || !fsck.stderr.is_empty()), "{fsck}");
    sandbox.task(dir, ["list", "--all"]).ok();
    sandbox.git(dir, ["config", "--list"]).ok();
    sandbox.pool(dir, ["list"]).ok();
    let status = sandbox.integrate(dir, ["--status"]);
    assert!([0, 1].contains(&status.code), "{status}");
}

/// After `repair` nothing is half done, and a second one finds nothing.
#[track_caller]
pub fn settled(sandbox: &Sandbox, dir: &Path) {
    sandbox.pool(dir, ["repair"]).ok();
    sandbox.task(dir, ["repair"]).ok();
    sandbox.task(dir, ["repair", "-n"]).ok().prints("");
    sandbox.pool(dir, ["repair", "-n"]).ok().prints("");
    let listed = crate::pool::states(sandbox, dir);
    assert!(!listed.contains("broken") && !listed.contains("preparing"), "{listed}");
    sandbox.task(dir, ["prune"]).ok();
    assert_sound(sandbox, dir);
    let intents = dir.join(".git/git-parallel/intents");
    let left: Vec<_> = std::fs::read_dir(intents).into_iter().flatten().flatten().map(|e| e.path()).collect();
    assert!(left.is_empty(), "intents: {left:?}");
    for line in sandbox.git(dir, ["worktree", "list", "--porcelain"]).ok().stdout.lines() {
        assert!(!line.starts_with("prunable"), "a worktree that is gone is still known: {line}");
        if let Some(path) = line.strip_prefix("worktree ") {
            sandbox.git(path, ["status", "--porcelain"]).ok();
        }
    }
    let hidden = [
        "-path",
        "*/.git",
        "-prune",
        "-o",
        "(",
        "-name",
        ".*.tmp*",
        "-o",
        "-name",
        ".*.removed-*",
        ")",
        "-print",
    ];
    sandbox.run(sandbox.path(""), "find", ["."].iter().chain(&hidden)).ok().prints("");
}

/// What references and the HEADs of worktrees lead to, with or without files.
#[track_caller]
fn reachable(sandbox: &Sandbox, dir: &Path, but: &str, objects: bool) -> BTreeSet<String> {
    let heads: Vec<String> = worktrees(sandbox, dir)
        .iter()
        .map(|path| sandbox.git(path, ["rev-parse", "-q", "--verify", "HEAD"]).stdout.trim().to_owned())
        .filter(|head| !head.is_empty())
        .collect();
    let but = format!("--exclude={but}");
    let mut args = vec!["rev-list", "--single-worktree", &but, "--all"];
    args.extend(objects.then_some("--objects"));
    args.extend(heads.iter().map(String::as_str));
    let listed = sandbox.git(dir, args).ok().stdout;
    listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The ids of what is in the indexes and on disk, but for the tool's own worktree.
#[track_caller]
fn files(sandbox: &Sandbox, dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in worktrees(sandbox, dir) {
        let index = sandbox.git(&path, ["ls-files", "-s"]).stdout;
        found.extend(index.lines().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned));
        let names = sandbox.git(&path, ["ls-files", "-m", "-o", "--exclude-standard"]).stdout;
        let names: Vec<_> = names.lines().filter(|name| path.join(name).is_file()).collect();
        if !names.is_empty() {
            let ids = sandbox.git(&path, ["hash-object", "--"].iter().chain(&names)).ok().stdout;
            found.extend(ids.lines().map(str::to_owned));
        }
    }
    found
}

/// The lines of all notes, in worktrees and in the trash.
#[track_caller]
fn notes(sandbox: &Sandbox, dir: &Path, trash: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: String| {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '<']));
        found.extend(lines.map(str::to_owned));
    };
    for path in worktrees(sandbox, dir) {
        for entry in std::fs::read_dir(path.join("notes")).into_iter().flatten().flatten() {
            add(std::fs::read_to_string(entry.path().join("status.md")).unwrap_or_default());
        }
    }
    for name in trash {
        add(sandbox.git(dir, ["cat-file", "-p", &format!("{name}:note")]).stdout);
    }
    found
}

#[track_caller]
fn branches(sandbox: &Sandbox, dir: &Path) -> BTreeSet<String> {
    let listed = sandbox.git(dir, ["for-each-ref", "--format=%(refname)", "refs/heads"]).ok();
    listed.stdout.lines().map(str::to_owned).collect()
}

/// All worktrees but the tool's own.
#[track_caller]
fn worktrees(sandbox: &Sandbox, dir: &Path) -> Vec<PathBuf> {
    let listed = sandbox.git(dir, ["worktree", "list", "--porcelain"]).ok().stdout;
    let paths = listed.lines().filter_map(|line| line.strip_prefix("worktree ")).map(PathBuf::from);
    paths.filter(|path| path.exists() && !is_workshop(path)).collect()
}

fn is_workshop(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".integrate-"))
}
