//! The commits that nothing but a worktree and its branch holds.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::place::{Content, FILE, Part, Place, TREE};
use super::state;
use crate::error::Result;
use crate::git::Repo;
use crate::git::process::Cmd;

/// What a worktree's state names: words that may be object ids.
#[derive(Debug, Default)]
pub struct Named {
    /// The worktree can't be made again without these.
    needed: BTreeSet<String>,
    /// These are to be held if nothing else holds them.
    logged: BTreeSet<String>,
}

impl Named {
    /// Adds what a state file names: heads, the autostash, the commits still to be picked.
    pub fn state_file(&mut self, name: &Path, text: &[u8]) {
        const SHORTEST: usize = 4;
        // Mostly branches of a remote, and very many.
        if name == Path::new("FETCH_HEAD") {
            return self.reflog(text);
        }
        self.needed.extend(ids_in(text));
        if ["todo", "git-rebase-todo", "done"].iter().any(|todo| name.ends_with(todo)) {
            // Here git abbreviates: "pick 1234567 Subject", "fixup -C 1234567".
            let words = text.lines().flat_map(|line| line.split(|b| *b == b' ').skip(1).take(2));
            let short = words.filter(|w| w.len() >= SHORTEST && w.iter().all(u8::is_ascii_hexdigit));
            self.needed.extend(short.map(|w| w.to_str_lossy().into_owned()));
        }
    }

    /// Adds references, as [`state::references`] lists them.
    pub fn references(&mut self, list: &[u8]) {
        for (id, name) in state::lines(list) {
            let theirs = name.starts_with("refs/remotes") || name.starts_with("refs/tags");
            let into = if theirs { &mut self.logged } else { &mut self.needed };
            into.extend(ids_in(id));
        }
    }

    /// Adds both columns of a reflog.
    pub fn reflog(&mut self, text: &[u8]) {
        self.logged.extend(ids_in(text));
    }

    /// The commits to be the snapshot's parents: `first`, what is needed, and of those that are only logged the
    /// newest that nothing else reaches. `branch` is about to go, so it doesn't count, and of a clone nothing
    /// does; `main` is what a clone borrows from. Other objects become parts, a tag by its content.
    ///
    /// # Errors
    /// If git can't read a commit that is there.
    pub fn hold(
        self,
        place: &Place,
        first: impl IntoIterator<Item = ObjectId>,
        branch: Option<&str>,
        main: Option<&Repo>,
        parts: &mut Vec<Part>,
    ) -> Result<Vec<ObjectId>> {
        let mut parents: Vec<ObjectId> = Vec::new();
        for id in first {
            if !parents.contains(&id) {
                parents.push(id);
            }
        }
        let of_main = main.map(references_of).transpose()?.unwrap_or_default();
        let known: HashSet<String> = parents.iter().map(ObjectId::to_string).collect();
        let in_main: HashSet<String> = of_main.iter().map(ObjectId::to_string).collect();
        let logged = self.logged.difference(&self.needed).filter(|word| !in_main.contains(*word));
        let all = self.needed.iter().chain(logged).filter(|word| !known.contains(*word));
        let found = objects(place, all, parts)?;
        let is_needed = |commit: &(ObjectId, String)| self.needed.contains(&commit.1);
        let (needed, logged): (Vec<_>, Vec<_>) = found.into_iter().partition(is_needed);
        // Another branch may have these now and be gone when the worktree is to be restored.
        let cmd = place.cmd(["rev-list", "--parents", "--ignore-missing", "--stdin"]);
        parents.extend(newest(cmd, &needed, &parents)?);
        let mut excluded = parents.clone();
        let mut cmd = place.cmd(["rev-list", "--parents", "--ignore-missing", "--stdin"]);
        excluded.extend(of_main);
        if main.is_none() {
            let short = branch.and_then(|name| name.strip_prefix("refs/heads/"));
            cmd = cmd.arg("--not").args(short.map(|name| format!("--exclude={name}")));
            cmd = cmd.args(["--branches", "--remotes", "--tags"]);
        }
        parents.extend(newest(cmd, &logged, &excluded)?);
        Ok(parents)
    }
}

/// Words that are object ids in full.
fn ids_in(text: &[u8]) -> impl Iterator<Item = String> {
    let words = text.split(|b| !b.is_ascii_hexdigit()).filter(|w| w.len() == 40 || w.len() == 64);
    words.filter(|w| w.iter().any(|b| *b != b'0')).map(|w| w.to_str_lossy().into_owned())
}

/// The commits among the words, and the word that named each. What isn't there was collected long ago, or
/// never was an object.
fn objects<'a>(
    place: &Place,
    words: impl Iterator<Item = &'a String>,
    parts: &mut Vec<Part>,
) -> Result<Vec<(ObjectId, String)>> {
    let list: String = words.map(|word| format!("{word} {word}\n")).collect();
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let format = "--batch-check=%(objectname) %(objecttype) %(rest)";
    let checked = place.cmd(["cat-file", format]).stdin(list).run()?;
    let mut commits = Vec::new();
    let mut others = BTreeSet::new();
    for line in checked.lines() {
        let mut fields = line.splitn(3, |b| *b == b' ');
        let (Some(id), Some(kind), Some(word)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let (Ok(id), word) = (ObjectId::from_hex(id), word.to_str_lossy().into_owned()) else { continue };
        let name = format!("objects/{id}").into_bytes();
        match kind {
            b"commit" => commits.push((id, word)),
            b"tree" => others.extend([(name, TREE, id)]),
            b"blob" => others.extend([(name, FILE, id)]),
            b"tag" => {
                let text = place.cmd(["cat-file", "tag"]).arg(id.to_string()).run()?;
                let peeled = place.cmd(["rev-parse", "-q", "--verify"]).arg(format!("{id}^{{commit}}"));
                commits.extend(ObjectId::from_hex(peeled.output()?.stdout.trim()).ok().map(|id| (id, word)));
                parts.push((format!("tags/{id}").into_bytes(), FILE, Content::Bytes(text)));
            }
            _ => {}
        }
    }
    let there: HashSet<Vec<u8>> = parts.iter().map(|(name, ..)| name.clone()).collect();
    let others = others.into_iter().filter(|(name, ..)| !there.contains(name));
    parts.extend(others.map(|(name, mode, id)| (name, mode, Content::Object(id))));
    Ok(commits)
}

/// Those of the commits that `excluded` does not reach, and no other one of them either.
fn newest(cmd: Cmd, commits: &[(ObjectId, String)], excluded: &[ObjectId]) -> Result<Vec<ObjectId>> {
    if commits.iter().all(|(id, _)| excluded.contains(id)) {
        return Ok(Vec::new());
    }
    let mut revs: String = commits.iter().map(|(id, _)| format!("{id}\n")).collect();
    revs.extend(excluded.iter().map(|id| format!("^{id}\n")));
    let out = cmd.stdin(revs).run()?;
    let mut found = Vec::new();
    let mut reached = HashSet::new();
    for line in out.lines() {
        let mut ids = line.fields().filter_map(|id| ObjectId::from_hex(id).ok());
        found.extend(ids.next());
        reached.extend(ids);
    }
    found.retain(|id| !reached.contains(id));
    Ok(found)
}

/// What the repository that a clone borrows from holds by itself.
fn references_of(main: &Repo) -> Result<Vec<ObjectId>> {
    let args = ["for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes", "refs/tags"];
    let out = main.at_home().cmd(args).poll().run()?;
    Ok(out.lines().filter_map(|line| ObjectId::from_hex(line).ok()).collect())
}
