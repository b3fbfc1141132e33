//! Whether git remembers how a conflict was resolved before: `git rerere`, asked in a place of its own.
//!
//! rerere takes notes wherever it runs. So it runs here with a git directory that is thrown away: once to learn
//! how it calls the conflicts, then with copies of what the repository remembers of these.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::forecast::MergeResult;
use super::process::{Cmd, Git};
use super::scratch::Scratch;
use super::{Repo, parse_id};
use crate::error::{OrFatal, Result};
use crate::paths::{path_bytes, path_from};

/// What rerere knows of the conflicts of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The paths with a recorded resolution that still fits.
    pub paths: Vec<BString>,
    /// The tree of the merge with them, in the scratch, if that leaves no conflict.
    pub tree: Option<ObjectId>,
}

/// A git directory without a history, and a worktree with nothing but the conflicts.
struct Place<'a> {
    scratch: &'a Scratch,
    git_dir: PathBuf,
    worktree: PathBuf,
}

impl Repo {
    /// What would be resolved of a forecast by what rerere has recorded. Nothing, where rerere is turned off.
    ///
    /// # Errors
    /// If git fails, or a file can't be written.
    pub fn known_resolutions(&self, scratch: &Scratch, merge: &MergeResult) -> Result<Known> {
        let cache = self.common_dir().join("rr-cache");
        let gix = self.gix();
        let is_off = gix.config_snapshot().boolean("rerere.enabled") == Some(false);
        let is_empty = || fs::read_dir(&cache).map_or(true, |mut entries| entries.next().is_none());
        // It takes two versions of a file to make a conflict that it can tell again.
        let has = |path: &BString, number| {
            merge
                .stages
                .iter()
                .any(|s| s.path == *path && s.number == number && s.mode & 0o170_000 == 0o100_000)
        };
        let paths: Vec<BString> =
            merge.unmerged_paths().into_iter().filter(|path| has(path, 2) && has(path, 3)).collect();
        if is_off || paths.is_empty() || is_empty() {
            return Ok(Known::default());
        }
        let place = Place::make(self, scratch)?;
        place.fill(merge, &paths)?;
        place.rerere()?;
        let own = place.git_dir.join("rr-cache");
        if !bring(&cache, &own)? {
            return Ok(Known::default());
        }
        // What it noted the first time would look like a conflict that it has just met.
        let _ = fs::remove_file(place.git_dir.join("MERGE_RR"));
        place.rerere()?;
        let left: Vec<BString> = place.unmerged()?;
        let known: Vec<BString> = paths.into_iter().filter(|path| !left.contains(path)).collect();
        let tree = if left.is_empty() {
            Some(parse_id(place.cmd(&["write-tree"]).run()?.trim_ascii())?)
        } else {
            None
        };
        Ok(Known { paths: known, tree })
    }
}

impl<'a> Place<'a> {
    fn make(repo: &Repo, scratch: &'a Scratch) -> Result<Self> {
        let dir = scratch.dir().join("rerere");
        let _ = fs::remove_dir_all(&dir);
        let (git_dir, worktree) = (dir.join("git"), dir.join("worktree"));
        let failed = || "cannot make a place for git rerere";
        for path in ["objects", "refs", "rr-cache", "info"] {
            fs::create_dir_all(git_dir.join(path)).or_fatal(failed)?;
        }
        fs::create_dir_all(&worktree).or_fatal(failed)?;
        fs::write(git_dir.join("HEAD"), "ref: refs/heads/forecast\n").or_fatal(failed)?;
        fs::write(git_dir.join("config"), config(repo)).or_fatal(failed)?;
        let attributes = repo.common_dir().join("info/attributes");
        if attributes.exists() {
            fs::copy(attributes, git_dir.join("info/attributes")).or_fatal(failed)?;
        }
        Ok(Place { scratch, git_dir, worktree })
    }

    fn cmd(&self, args: &[&str]) -> Cmd {
        let git = Git::with_git_dir(&self.worktree, &self.git_dir);
        self.scratch.lend(git.cmd(args)).env("GIT_WORK_TREE", &self.worktree)
    }

    /// The merged tree with its conflicts in index and worktree, as a merge leaves them.
    fn fill(&self, merge: &MergeResult, paths: &[BString]) -> Result<()> {
        self.cmd(&["read-tree", &merge.tree.to_string()]).run()?;
        let mut wanted = self.cmd(&["ls-files", "-z", "--", ":(top,glob)**/.gitattributes"]).run()?;
        for path in paths {
            wanted.extend_from_slice(path);
            wanted.push(0);
        }
        self.cmd(&["checkout-index", "-z", "--stdin", "--quiet"]).stdin(wanted).run()?;
        let null = ObjectId::null(merge.tree.kind());
        let mut entries = Vec::new();
        for path in merge.unmerged_paths() {
            entries.extend_from_slice(format!("0 {null}\t").as_bytes());
            entries.extend_from_slice(&path);
            entries.push(0);
        }
        for stage in &merge.stages {
            entries.extend_from_slice(format!("{:o} {} {}\t", stage.mode, stage.id, stage.number).as_bytes());
            entries.extend_from_slice(&stage.path);
            entries.push(0);
        }
        self.cmd(&["update-index", "-z", "--index-info"]).stdin(entries).run().map(drop)
    }

    fn rerere(&self) -> Result<()> {
        self.cmd(&["-c", "rerere.enabled=true", "-c", "rerere.autoupdate=true", "rerere"]).run().map(drop)
    }

    fn unmerged(&self) -> Result<Vec<BString>> {
        let listed = self.cmd(&["diff", "--name-only", "-z", "--diff-filter=U"]).run()?;
        Ok(listed.split_str("\0").filter(|path| !path.is_empty()).map(BString::from).collect())
    }
}

/// The repository's configuration, for what its merge drivers and the like are called.
fn config(repo: &Repo) -> Vec<u8> {
    let mut text = match repo.gix().object_hash() {
        gix::hash::Kind::Sha1 => b"[core]\n\trepositoryformatversion = 0\n".to_vec(),
        other => {
            format!("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = {other}\n").into()
        }
    };
    text.extend_from_slice(b"[include]\n\tpath = \"");
    for byte in path_bytes(&repo.common_dir().join("config")) {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\n' => text.extend(b"\\n"),
            byte => text.push(*byte),
        }
    }
    text.extend_from_slice(b"\"\n");
    text
}

/// Copies what is remembered of the conflicts that `own` has met, and forgets the meeting. False if there is
/// nothing.
fn bring(cache: &Path, own: &Path) -> Result<bool> {
    let failed = || "cannot copy what git rerere remembers";
    let mut found = false;
    for met in fs::read_dir(own).or_fatal(failed)?.flatten() {
        let id = met.file_name();
        fs::remove_dir_all(met.path()).or_fatal(failed)?;
        let remembered = cache.join(&id);
        let is_resolved = |name: &[u8]| name.starts_with(b"postimage");
        let Ok(entries) = fs::read_dir(&remembered) else { continue };
        let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        if !names.iter().any(|name| is_resolved(name.as_encoded_bytes())) {
            continue;
        }
        found = true;
        fs::create_dir(own.join(&id)).or_fatal(failed)?;
        for name in names {
            let name = path_from(name.as_encoded_bytes());
            // It may be swept meanwhile; then it is not remembered any more.
            let _ = fs::copy(remembered.join(&name), own.join(&id).join(&name));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::forecast::MergeOptions;
    use crate::git::testing::Sandbox;

    fn resolved(sandbox: &Sandbox) -> Known {
        let repo = sandbox.repo();
        let scratch = Scratch::new(&repo).unwrap();
        let (ours, theirs) = (sandbox.id("main"), sandbox.id("side"));
        let merge = repo.merge_one(&scratch, ours, theirs, &MergeOptions::default()).unwrap();
        assert!(!merge.clean);
        repo.known_resolutions(&scratch, &merge).unwrap()
    }

    /// Two branches that conflict in two files.
    fn fixture(args: &[&'static str]) -> Sandbox {
        let sandbox = Sandbox::with_args(args);
        sandbox.write("one\n\"x\"", "1\n2\n3\n");
        sandbox.commit("two", "a\nb\nc\n");
        sandbox.git(["add", "-A"]);
        sandbox.git(["commit", "-q", "-m", "start"]);
        for (branch, text) in [("side", "theirs"), ("main", "ours")] {
            sandbox.git(["checkout", "-q", "-B", branch, if branch == "main" { "side~1" } else { "main" }]);
            sandbox.write("one\n\"x\"", format!("1\n{text}\n3\n"));
            sandbox.write("two", format!("a\n{text}\nc\n"));
            sandbox.git(["commit", "-q", "-a", "-m", branch]);
        }
        sandbox.git(["config", "rerere.enabled", "true"]);
        sandbox
    }

    /// Merges by hand, resolves and takes the merge back.
    fn teach(sandbox: &Sandbox, files: &[&str]) {
        let repo = sandbox.repo();
        assert_eq!(repo.cmd(["merge", "side"]).output().unwrap().code(), 1);
        for file in files {
            sandbox.write(file, "resolved\n");
            sandbox.git(["add", "--", file]);
        }
        sandbox.git(["rerere"]);
        sandbox.git(["reset", "-q", "--hard", "main"]);
    }

    fn remembered(sandbox: &Sandbox) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
        let mut all = Vec::new();
        for id in fs::read_dir(sandbox.path(".git/rr-cache")).unwrap().flatten() {
            for file in fs::read_dir(id.path()).unwrap().flatten() {
                let content = fs::read(file.path()).unwrap();
                all.push((file.path(), content, file.metadata().unwrap().modified().unwrap()));
            }
        }
        all.sort();
        all
    }

    #[test]
    fn what_was_resolved_before_is_known_and_nothing_is_noted() {
        for args in [&[][..], &["--object-format=sha256"]] {
            let sandbox = fixture(args);
            assert_eq!(resolved(&sandbox), Known::default());
            assert!(!sandbox.path(".git/rr-cache").exists(), "asking remembers nothing");
            teach(&sandbox, &["two"]);
            let before = remembered(&sandbox);
            assert_eq!(resolved(&sandbox), Known { paths: vec!["two".into()], tree: None });
            teach(&sandbox, &["one\n\"x\"", "two"]);
            let known = resolved(&sandbox);
            assert_eq!(known.paths, ["one\n\"x\"", "two"]);
            assert!(known.tree.is_some());
            assert_ne!(before, remembered(&sandbox));
            let before = remembered(&sandbox);
            resolved(&sandbox);
            assert_eq!(before, remembered(&sandbox), "asking changes nothing");
            sandbox.git(["config", "rerere.enabled", "false"]);
            assert_eq!(resolved(&sandbox), Known::default());
        }
    }

    #[test]
    fn the_tree_is_that_of_the_real_merge() {
        let sandbox = fixture(&[]);
        teach(&sandbox, &["one\n\"x\"", "two"]);
        let known = resolved(&sandbox);
        sandbox.git(["config", "rerere.autoupdate", "true"]);
        sandbox.repo().cmd(["merge", "side"]).output().unwrap();
        let real = sandbox.git(["write-tree"]);
        assert_eq!(known.tree, Some(parse_id(real.trim_ascii()).unwrap()));
    }
}
