//! Where a snapshot is taken: git in that worktree, kept from everything that would make it fail or be seen,
//! and a directory for our own indexes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::tree::{Entry, EntryMode};

use crate::error::{Failure, OrFatal, Result};
use crate::git::process::{Cmd, Git};
use crate::git::scratch::Scratch;
use crate::git::{Repo, parse_id};
use crate::paths::path_bytes;
use crate::text::c_quote;

/// What the user configured and a snapshot must not follow.
///
/// The objects are the last copy of somebody's work, so they reach the disk before the files go. A line end
/// that doesn't survive is no reason to refuse (such files are held byte for byte as well). No hook runs:
/// `post-index-change` would, for indexes that are ours. What a file system monitor or a cache of untracked
/// files says is looked at again. A split index is of no use without its other half, and files outside a sparse
/// checkout's patterns are to be seen.
const CONFIG: &[&str] = &[
    "core.fsync=objects,derived-metadata,reference",
    "core.fsyncMethod=batch",
    "core.safecrlf=false",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "sparse.expectFilesOutsideOfPatterns=false",
];

/// The mode and kind of a tree's entry, as `git mktree` takes them.
pub type Mode = &'static str;
/// A regular file.
pub const FILE: Mode = "100644 blob";
/// An executable file.
pub const EXECUTABLE: Mode = "100755 blob";
/// A symbolic link.
pub const LINK: Mode = "120000 blob";
/// A directory.
pub const TREE: Mode = "040000 tree";

/// What an entry of the snapshot holds.
#[derive(Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of this file, without any filter.
    File(PathBuf),
    /// What is there already.
    Object(ObjectId),
}

/// An entry of the snapshot's tree: its path there, its mode, its content.
pub type Part = (Vec<u8>, Mode, Content);

/// git in one worktree, and a directory of ours.
pub struct Place {
    git: Git,
    scratch: Scratch,
    hash: gix::hash::Kind,
}

impl Place {
    /// git is told both directories where both are known, so that a broken `.git` link is no hindrance.
    ///
    /// # Errors
    /// If our directory can't be made.
    pub fn new(repo: &Repo, path: Option<&Path>, git_dir: Option<&Path>) -> Result<Self> {
        let git = match (path, git_dir) {
            (Some(path), Some(git_dir)) => Git::with_git_dir(path, git_dir),
            (Some(path), None) => Git::at(path),
            (None, Some(git_dir)) => Git::with_git_dir(repo.common_dir(), git_dir),
            (None, None) => repo.at_home(),
        };
        Ok(Place { git, scratch: Scratch::new(repo)?, hash: repo.gix().object_hash() })
    }

    /// A git command in the worktree. Replaced objects are seen as they are.
    pub fn cmd<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, args: I) -> Cmd {
        command(&self.git, args)
    }

    /// The same with an index of ours.
    pub fn with_index<const N: usize>(&self, index: &str, args: [&str; N]) -> Cmd {
        self.cmd(args).env("GIT_INDEX_FILE", self.file(index))
    }

    /// A file of ours.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.dir().join(name)
    }

    /// The kind of object ids here.
    pub fn hash(&self) -> gix::hash::Kind {
        self.hash
    }

    /// Copies an index. The copy is as old as the original: git looks twice at a file that changed in the moment
    /// in which its index was written, and a younger copy would hide such a change.
    ///
    /// # Errors
    /// If it can't be copied.
    pub fn copy_index(&self, from: &Path, name: &str) -> Result<()> {
        let failed = || format!("could not copy '{}'", from.display());
        let mut source = File::open(from).or_fatal(failed)?;
        let modified = source.metadata().and_then(|m| m.modified()).or_fatal(failed)?;
        let mut copy = File::create(self.file(name)).or_fatal(failed)?;
        std::io::copy(&mut source, &mut copy).or_fatal(failed)?;
        copy.set_modified(modified).or_fatal(failed)
    }

    /// An index of ours as a tree.
    ///
    /// # Errors
    /// If entries are unmerged, or objects are missing.
    pub fn tree_of(&self, index: &str) -> Result<ObjectId> {
        parse_id(self.with_index(index, ["write-tree"]).line()?.as_bytes())
    }

    /// Everything as one tree: one process for all blobs, and one for all directories.
    ///
    /// # Errors
    /// If a file can't be read or an object not be written.
    pub fn write(&self, parts: Vec<Part>) -> Result<ObjectId> {
        let mut list = Vec::new();
        let mut ready = Vec::new();
        let mut waiting = Vec::new();
        for (n, (path, mode, content)) in parts.into_iter().enumerate() {
            let file = match content {
                Content::Object(id) => {
                    ready.push((path, mode, id));
                    continue;
                }
                Content::File(file) => file,
                Content::Bytes(bytes) => {
                    let file = self.file(&format!("blob-{n}"));
                    fs::write(&file, bytes).or_fatal(|| format!("could not write '{}'", file.display()))?;
                    file
                }
            };
            let name = path_bytes(&file);
            list.extend_from_slice(c_quote(name).as_deref().map_or(name, str::as_bytes));
            list.push(b'\n');
            waiting.push((path, mode));
        }
        let files = ready.iter().filter(|(_, mode, _)| mode.ends_with("blob"));
        self.require(&files.map(|(.., id)| *id).collect::<Vec<_>>())?;
        if !waiting.is_empty() {
            let out = heard(self.cmd(["hash-object", "-w", "--no-filters", "--stdin-paths"]).stdin(list))?;
            let ids: Vec<ObjectId> = out.lines().map(parse_id).collect::<Result<_>>()?;
            if ids.len() != waiting.len() {
                return Err(Failure::fatal("git hash-object named too few objects"));
            }
            ready.extend(waiting.into_iter().zip(ids).map(|((path, mode), id)| (path, mode, id)));
        }
        self.tree(ready)
    }

    /// Fails if one of these objects is missing, as what an index names may be that nothing has looked at yet.
    fn require(&self, ids: &[ObjectId]) -> Result<()> {
        let list: String = ids.iter().map(|id| format!("{id}\n")).collect();
        if list.is_empty() {
            return Ok(());
        }
        let found = self.cmd(["cat-file", "--batch-check"]).stdin(list).run()?;
        match found.lines().find(|line| line.ends_with(b" missing")) {
            Some(line) => Err(Failure::fatal(format!("object {}", line.to_str_lossy()))),
            None => Ok(()),
        }
    }

    /// A tree of these paths. Its directories are made by one process, the deepest first: it doesn't have to
    /// tell their names, for they are known.
    fn tree(&self, entries: Vec<(Vec<u8>, Mode, ObjectId)>) -> Result<ObjectId> {
        let mut levels: Vec<BTreeMap<Vec<u8>, Vec<Entry>>> = vec![BTreeMap::from([(Vec::new(), Vec::new())])];
        for (path, mode, id) in entries {
            add(&mut levels, &path, mode, id)?;
        }
        let mut input = Vec::new();
        let mut made = Vec::new();
        while let Some(level) = levels.pop() {
            for (dir, mut entries) in level {
                // git's order, in which a directory's name ends with a slash.
                entries.sort_unstable();
                let id = tree_id(self.hash, &entries)?;
                for entry in &entries {
                    input.extend_from_slice(line_of(entry).as_bytes());
                    input.extend_from_slice(&entry.filename);
                    input.push(0);
                }
                // An empty record ends a tree.
                input.push(0);
                made.push(id);
                if !levels.is_empty() {
                    add(&mut levels, &dir, TREE, id)?;
                }
            }
        }
        // The end of input ends the last one.
        input.pop();
        // Those that it has only just made it would not find.
        let out = heard(self.cmd(["mktree", "-z", "--batch", "--missing"]).stdin(input))?;
        let ids: Vec<ObjectId> = out.lines().map(parse_id).collect::<Result<_>>()?;
        let Some(root) = ids.last().filter(|_| ids == made) else {
            return Err(Failure::fatal("git mktree made other trees than it should"));
        };
        Ok(*root)
    }

    /// A commit by nobody in particular. Unlike `git commit-tree`, this takes any number of parents.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn commit(&self, tree: ObjectId, parents: &[ObjectId], now: i64) -> Result<ObjectId> {
        let mut text = format!("tree {tree}\n");
        for parent in parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        for who in ["author", "committer"] {
            text.push_str(&format!("{who} git-parallel <git-parallel@localhost> {} +0000\n", now.max(0)));
        }
        text.push_str("\nRemoved by git-parallel\n");
        let out = self.cmd(["hash-object", "-t", "commit", "-w", "--stdin"]).stdin(text).line()?;
        let commit = parse_id(out.as_bytes())?;
        self.require_whole(commit, parents)?;
        Ok(commit)
    }

    /// Fails if anything is missing that `commit` has and its parents don't. git mktree succeeds where it could not
    /// write a tree (builtin/mktree.c takes no notice of write_object_file()), and with them in batches any git does
    /// (bulk-checkin.c takes none of tmp_objdir_migrate()).
    fn require_whole(&self, commit: ObjectId, parents: &[ObjectId]) -> Result<()> {
        let known = parents.iter().map(|id| format!("^{id}\n"));
        let list: String = known.chain([format!("{commit}\n")]).collect();
        self.cmd(["rev-list", "--objects", "--quiet", "--stdin"]).stdin(list).run().map(drop)
    }
}

/// What a command prints that may say it failed, and end as if it had not.
fn heard(cmd: Cmd) -> Result<Vec<u8>> {
    let output = cmd.output()?;
    let complains = output.stderr.lines().any(|l| l.starts_with(b"error: ") || l.starts_with(b"fatal: "));
    match output.status.success() && !complains {
        true => Ok(output.stdout),
        false => Err(output.into_failure()),
    }
}

/// Adds a path to the directories of its depth.
fn add(
    levels: &mut Vec<BTreeMap<Vec<u8>, Vec<Entry>>>,
    path: &[u8],
    mode: Mode,
    oid: ObjectId,
) -> Result<()> {
    let (dir, name) = path.rsplit_once_str("/").unwrap_or((b"", path));
    let depth = if dir.is_empty() { 0 } else { 1 + dir.find_iter("/").count() };
    if levels.len() <= depth {
        levels.resize_with(depth + 1, BTreeMap::new);
    }
    // With the zero in front of a directory's it would be written with it.
    let octal = mode.split(' ').next().unwrap_or_default().trim_start_matches('0');
    let mode = EntryMode::from_bytes(octal.as_bytes());
    let mode = mode.ok_or_else(|| Failure::fatal("no mode of a tree's entry"))?;
    levels[depth].entry(dir.to_vec()).or_default().push(Entry { mode, filename: name.into(), oid });
    Ok(())
}

/// The name of a tree that is not written yet.
fn tree_id(hash: gix::hash::Kind, entries: &[Entry]) -> Result<ObjectId> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(entry.mode.as_bytes(&mut Default::default()));
        bytes.push(b' ');
        bytes.extend_from_slice(&entry.filename);
        bytes.push(0);
        bytes.extend_from_slice(entry.oid.as_bytes());
    }
    gix::objs::compute_hash(hash, gix::objs::Kind::Tree, &bytes).or_fatal(|| "could not name a tree")
}

/// What `git mktree` takes before a name.
fn line_of(entry: &Entry) -> String {
    let kind = if entry.mode.is_tree() {
        "tree"
    } else if entry.mode.is_commit() {
        "commit"
    } else {
        "blob"
    };
    format!("{:06o} {kind} {}\t", entry.mode.value(), entry.oid)
}

/// A git command that follows [`CONFIG`].
pub fn command<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(git: &Git, args: I) -> Cmd {
    let config = CONFIG.iter().flat_map(|value| ["-c", value]);
    git.cmd(config).args(args).env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_ADVICE", "0")
}
