//! From a snapshot back to a worktree.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::place::command;
use super::{put, state};
use crate::error::{Failure, OrFatal, Result};
use crate::git::process::{Cmd, Git};
use crate::paths::{path_bytes, path_from, read_if_there};

/// A text of a snapshot by name, if it has it.
///
/// # Errors
/// If git can't read it.
pub fn texts_of(git: &Git, commit: ObjectId, name: impl AsRef<OsStr>) -> Result<Option<Vec<u8>>> {
    let mut object = OsString::from(format!("{commit}:"));
    object.push(name);
    let output = git.cmd(["cat-file", "-e"]).arg(&object).poll().output()?;
    if !output.status.success() {
        return Ok(None);
    }
    git.cmd(["cat-file", "blob"]).arg(&object).poll().run().map(Some)
}

/// Fills a worktree from a snapshot: files, index, named ignored files, the operation that was under way,
/// references and reflogs of its own. `git status` then says what it said before.
///
/// The worktree must have been made without a checkout (`git worktree add --no-checkout`), with the branch or
/// commit that it had as its HEAD; `git_dir` is its git directory. A submodule comes back as an empty
/// directory, as in a new worktree. Nothing is written outside both, through no symbolic link, and into no
/// `.git`, whatever the snapshot says.
///
/// # Errors
/// If git or the file system refuses; the snapshot stays as it is.
pub fn restore_into(commit: ObjectId, path: &Path, git_dir: &Path) -> Result<()> {
    let git = Git::with_git_dir(path, git_dir);
    let from = Source::read(&git, commit)?;
    // The patterns of a sparse checkout come first: they decide what git makes of the rest.
    restore_settings(&git, &from, git_dir)?;
    let disk = git_dir.join("index.git-task");
    let with_disk = |cmd: Cmd| cmd.env("GIT_INDEX_FILE", &disk);
    let has_index = from.trees.contains_key("index");
    let files = if from.trees.contains_key("worktree") { "worktree" } else { "index" };
    match from.files.get(Path::new("disk-index")) {
        Some(file) => put::write_over(&disk, &file.bytes, 0o666)?,
        None if from.trees.contains_key(files) => {
            with_disk(command(&git, ["read-tree", &from.trees[files]])).run()?;
        }
        None => drop(with_disk(command(&git, ["read-tree", "HEAD"])).run()?),
    }
    with_disk(command(&git, ["checkout-index", "--all", "--force", "--quiet", "--index"])).run()?;
    let permissions = from.permissions();
    for (name, file) in from.below("raw").chain(from.below("ignored")) {
        put::file(path, name, &file.mode, &file.bytes, permissions.get(name).copied())?;
    }
    put::permissions(path, &permissions)?;
    for name in from.text("empty").split(|b| *b == 0).filter(|n| !n.is_empty()).map(path_from) {
        // Something that is no directory has come in between.
        if put::is_plain(&name) {
            put::make_directories(path, &name)?;
        }
    }
    // What the index that wrote the files knows of them, if they are still as it wrote them.
    let same = from.trees.get("index") == from.trees.get(files) && from.below("raw").next().is_none();
    let index = git_dir.join("index");
    if has_index && (!same || from.files.contains_key(Path::new("index-file"))) {
        fs::remove_file(&disk).or_fatal(|| format!("could not remove '{}'", disk.display()))?;
        restore_index(&git, &from, &index)?;
    } else {
        fs::rename(&disk, &index).or_fatal(|| format!("could not write '{}'", index.display()))?;
        refresh(&git)?;
    }
    restore_state(&git, &from, git_dir)
}

/// What a snapshot holds.
struct Source {
    /// The trees at its top.
    trees: HashMap<String, String>,
    /// All files, except those of the worktree and the index.
    files: HashMap<PathBuf, Stored>,
}

/// A file of a snapshot.
#[derive(Debug)]
struct Stored {
    mode: String,
    id: String,
    bytes: Vec<u8>,
}

impl Source {
    fn read(git: &Git, commit: ObjectId) -> Result<Self> {
        const READ: &[&str] = &[
            "disk-index",
            "empty",
            "gitdir",
            "ignored",
            "index-file",
            "logs",
            "permissions",
            "permissions-ignored",
            "raw",
            "refs",
            "stages",
            "tags",
        ];
        let id = commit.to_string();
        let top = listing(&git.cmd(["ls-tree", "-z", &id]).poll().run()?);
        let trees = top.iter().filter(|e| e.kind == "tree");
        let trees = trees.map(|e| (e.name.to_string_lossy().into_owned(), e.id.clone())).collect();
        let wanted = top.iter().filter(|e| READ.iter().any(|name| e.name == Path::new(name)));
        let wanted: Vec<_> = wanted.map(|e| e.name.clone()).collect();
        if wanted.is_empty() {
            return Ok(Source { trees, files: HashMap::new() });
        }
        let all = listing(&git.cmd(["ls-tree", "-r", "-z", "--full-tree", &id]).args(wanted).poll().run()?);
        let ids: String = all.iter().filter(|e| e.kind == "blob").map(|e| format!("{}\n", e.id)).collect();
        let out = git.cmd(["cat-file", "--batch"]).stdin(ids).poll().run()?;
        let mut rest = out.as_slice();
        let mut files = HashMap::new();
        for entry in all {
            let Listed { mode, kind, id, name } = entry;
            if kind != "blob" {
                files.insert(name, Stored { mode, id, bytes: Vec::new() });
                continue;
            }
            let broken = || Failure::fatal(format!("unable to read {id}"));
            let (header, after) = rest.split_once_str("\n").ok_or_else(broken)?;
            let size = header.rsplit_once_str(" ").and_then(|(_, n)| n.to_str().ok()?.parse::<usize>().ok());
            let size = size.filter(|size| *size < after.len()).ok_or_else(broken)?;
            rest = &after[size + 1..];
            let bytes = after[..size].to_vec();
            files.insert(name, Stored { mode, id, bytes });
        }
        Ok(Source { trees, files })
    }

    fn text(&self, name: &str) -> &[u8] {
        self.files.get(Path::new(name)).map_or(&[], |file| &file.bytes)
    }

    /// What is below a directory, in order.
    fn below(&self, dir: &str) -> impl Iterator<Item = (&Path, &Stored)> {
        let all = self.files.iter().filter_map(|(name, file)| Some((name.strip_prefix(dir).ok()?, file)));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(name, _)| *name);
        all.into_iter()
    }

    /// Permissions that a tree can't tell, by name.
    fn permissions(&self) -> HashMap<PathBuf, u32> {
        let lists = [self.text("permissions"), self.text("permissions-ignored")];
        let lines = lines_of(&lists).filter_map(|line| line.split_once_str(" "));
        lines
            .filter_map(|(mode, name)| {
                Some((path_from(name), u32::from_str_radix(mode.to_str().ok()?, 8).ok()? & 0o777))
            })
            .collect()
    }
}

fn lines_of<'a>(lists: &'a [&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    lists.iter().flat_map(|list| list.split(|b| *b == 0))
}

struct Listed {
    mode: String,
    kind: String,
    id: String,
    name: PathBuf,
}

fn listing(out: &[u8]) -> Vec<Listed> {
    let parse = |line: &[u8]| {
        let (head, name) = line.split_once_str("\t")?;
        let mut words = head.to_str().ok()?.split(' ').map(str::to_owned);
        let (mode, kind, id) = (words.next()?, words.next()?, words.next()?);
        Some(Listed { mode, kind, id, name: path_from(name) })
    };
    out.split(|b| *b == 0).filter_map(parse).collect()
}

/// Sparse patterns, and the configuration of this worktree alone where git reads it.
fn restore_settings(git: &Git, from: &Source, git_dir: &Path) -> Result<()> {
    if from.trees.contains_key("index") {
        // `git worktree add` gave it those of the worktree where it was run.
        put::remove_if_there(&git_dir.join("config.worktree"))?;
        put::remove_if_there(&git_dir.join("info/sparse-checkout"))?;
    }
    if let Some(file) = from.files.get(Path::new("gitdir/config.worktree")) {
        let key = "extensions.worktreeConfig";
        if !git_dir.join("commondir").exists() {
            // A clone has nobody else's configuration.
            git.cmd(["config", key, "true"]).run()?;
        }
        let on = git.cmd(["config", "--type=bool", "--get", key]).poll().output()?;
        if on.stdout.trim() == b"true" {
            put::write_over(&git_dir.join("config.worktree"), &file.bytes, 0o666)?;
        }
    }
    if let Some(file) = from.files.get(Path::new("gitdir/info/sparse-checkout")) {
        put::make_directories(git_dir, Path::new("info"))?;
        put::write_over(&git_dir.join("info/sparse-checkout"), &file.bytes, 0o666)?;
    }
    Ok(())
}

/// The index file as it was; where this git can't read it, what the trees say.
fn restore_index(git: &Git, from: &Source, index: &Path) -> Result<()> {
    if let Some(file) = from.files.get(Path::new("index-file")) {
        // Beside it first: half an index would be none, and git would not even look at the repository.
        let whole = index.with_extension("git-task");
        put::write_over(&whole, &file.bytes, 0o666)?;
        fs::rename(&whole, index).or_fatal(|| format!("could not write '{}'", index.display()))?;
        // What it notes of the files is that of files that are gone; their content is the same.
        if refresh(git)? {
            return Ok(());
        }
        put::remove_if_there(index)?;
    }
    command(git, ["read-tree", &from.trees["index"]]).run()?;
    let mut lines = Vec::new();
    for (name, Stored { mode, id, .. }) in from.below("stages") {
        let mut parts = name.components();
        let stage = parts.next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        lines.extend_from_slice(format!("{mode} {id} {stage}\t").as_bytes());
        lines.extend_from_slice(path_bytes(parts.as_path()));
        lines.push(0);
    }
    if !lines.is_empty() {
        command(git, ["update-index", "-z", "--index-info"]).stdin(lines).run()?;
    }
    refresh(git).map(drop)
}

/// Looks at the files again. False if git can't read the index; files that differ are no failure.
fn refresh(git: &Git) -> Result<bool> {
    let output = command(git, ["update-index", "-q", "--unmerged", "--refresh"]).output()?;
    Ok(output.code() <= 1)
}

/// The operation under way, and the references and reflogs that go with it.
fn restore_state(git: &Git, from: &Source, git_dir: &Path) -> Result<()> {
    for (_, tag) in from.below("tags") {
        command(git, ["hash-object", "-t", "tag", "-w", "--stdin"]).stdin(tag.bytes.as_slice()).run()?;
    }
    for (name, file) in from.below("gitdir") {
        let setting = name == Path::new("config.worktree") || name.starts_with("info");
        if state::is_state(name) && put::is_plain(name) && !setting {
            put::make_directories(git_dir, name.parent().unwrap_or(Path::new("")))?;
            put::write_over(&git_dir.join(name), &file.bytes, 0o666)?;
        }
    }
    let is_clone = !git_dir.join("commondir").exists();
    let mut script = Vec::new();
    for (id, name) in state::lines(from.text("refs")).filter(|_| !is_clone) {
        script.extend_from_slice(b"update ");
        script.extend_from_slice(path_bytes(&name));
        script.extend_from_slice(&[b" ", id, b"\n"].concat());
    }
    if !script.is_empty() {
        command(git, ["update-ref", "--stdin"]).stdin(script).run()?;
    }
    for (name, file) in from.below("logs").filter(|(name, _)| put::is_plain(name)) {
        restore_reflog(git, git_dir, name, &file.bytes)?;
    }
    Ok(())
}

/// A reflog as it was, if the reference stands where it stood and has nothing to tell but its own making.
fn restore_reflog(git: &Git, git_dir: &Path, name: &Path, saved: &[u8]) -> Result<()> {
    let common = fs::read(git_dir.join("commondir")).unwrap_or_default();
    let common = git_dir.join(path_from(common.trim_end()));
    let dir = if name == Path::new("HEAD") { git_dir } else { &common };
    let file = dir.join("logs").join(name);
    let Some(last) = saved.lines().next_back().and_then(|line| line.fields().nth(1)) else { return Ok(()) };
    let existing = read_if_there(&file)?.unwrap_or_default();
    let now = git.cmd(["rev-parse", "--verify", "-q"]).arg(name).poll().output()?;
    if existing.lines().count() > 2 || now.stdout.trim() != last {
        return Ok(());
    }
    put::make_directories(dir, &Path::new("logs").join(name.parent().unwrap_or(Path::new(""))))?;
    put::write_over(&file, saved, 0o666)
}
