//! The commits that nothing but a worktree and its branch holds.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::place::{Content, FILE, Part, Place, TREE};
use crate::error::Result;
use crate::git::Repo;

/// Objects that a worktree's state names, and the kind each turned out to be.
#[derive(Debug, Default)]
pub struct Named(BTreeSet<ObjectId>);

impl Named {
    /// Everything that looks like an object id: heads, the autostash, the todo list, both columns of a reflog.
    pub fn add(&mut self, text: &[u8], hash: gix::hash::Kind) {
        let words = text.split(|b| !b.is_ascii_hexdigit()).filter(|w| w.len() == hash.len_in_hex());
        self.0.extend(words.filter_map(|w| ObjectId::from_hex(w).ok()).filter(|id| !id.is_null()));
    }

    /// The ids in the files.
    pub fn add_files(&mut self, files: &[(PathBuf, Vec<u8>)], hash: gix::hash::Kind) {
        files.iter().for_each(|(_, text)| self.add(text, hash));
    }

    /// The commits to be the snapshot's parents: `first`, then the newest of those that nothing else reaches.
    /// `branch` is about to go, so it doesn't count. Other objects become parts, a tag by its content.
    ///
    /// # Errors
    /// If git can't read a commit that is there.
    pub fn hold(
        mut self,
        place: &Place,
        first: impl IntoIterator<Item = ObjectId>,
        branch: Option<&str>,
        main: Option<&Repo>,
        parts: &mut Vec<Part>,
    ) -> Result<Vec<ObjectId>> {
        let mut parents: Vec<ObjectId> = Vec::new();
        for id in first {
            self.0.remove(&id);
            if !parents.contains(&id) {
                parents.push(id);
            }
        }
        if self.0.is_empty() {
            return Ok(parents);
        }
        // What isn't there was collected long ago, or never was an object.
        let list = |ids: &BTreeSet<ObjectId>| ids.iter().map(|id| format!("{id}\n")).collect::<String>();
        let format = "--batch-check=%(objectname) %(objecttype)";
        let checked = place.cmd(["cat-file", format]).stdin(list(&self.0)).run()?;
        let mut commits = BTreeSet::new();
        let mut others = BTreeSet::new();
        for (id, kind) in checked.lines().filter_map(|line| line.split_once_str(" ")) {
            let Ok(id) = ObjectId::from_hex(id) else { continue };
            let name = format!("objects/{id}").into_bytes();
            match kind {
                b"commit" => drop(commits.insert(id)),
                b"tree" => others.extend([(name, TREE, id)]),
                b"blob" => others.extend([(name, FILE, id)]),
                b"tag" => {
                    let text = place.cmd(["cat-file", "tag"]).arg(id.to_string()).run()?;
                    let peeled = place.cmd(["rev-parse", "-q", "--verify"]).arg(format!("{id}^{{commit}}"));
                    commits.extend(ObjectId::from_hex(peeled.output()?.stdout.trim()).ok());
                    parts.push((format!("tags/{id}").into_bytes(), FILE, Content::Bytes(text)));
                }
                _ => {}
            }
        }
        parts.extend(others.into_iter().map(|(name, mode, id)| (name, mode, Content::Object(id))));
        let known: BTreeSet<ObjectId> = held_by(main)?.into_iter().chain(parents.iter().copied()).collect();
        commits.retain(|id| !known.contains(id));
        if commits.is_empty() {
            return Ok(parents);
        }
        let excluded: String = known.iter().map(|id| format!("^{id}\n")).collect();
        let cmd = place.cmd(["rev-list", "--parents", "--ignore-missing", "--stdin"]);
        // A clone's own references go with it.
        let cmd = match main {
            Some(_) => cmd,
            None => {
                let short = branch.and_then(|name| name.strip_prefix("refs/heads/"));
                let cmd = cmd.arg("--not").args(short.map(|name| format!("--exclude={name}")));
                cmd.args(["--branches", "--remotes", "--tags"])
            }
        };
        let out = cmd.stdin(list(&commits) + &excluded).run()?;
        let mut reached = HashSet::new();
        for line in out.lines() {
            reached.extend(line.fields().skip(1).filter_map(|id| ObjectId::from_hex(id).ok()));
        }
        let only_here = out.lines().filter_map(|line| ObjectId::from_hex(line.fields().next()?).ok());
        parents.extend(only_here.filter(|id| !reached.contains(id)));
        Ok(parents)
    }
}

/// What the repository that a clone borrows from holds by itself.
fn held_by(main: Option<&Repo>) -> Result<Vec<ObjectId>> {
    let Some(main) = main else { return Ok(Vec::new()) };
    let args = ["for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes", "refs/tags"];
    let out = main.at_home().cmd(args).poll().run()?;
    Ok(out.lines().filter_map(|line| ObjectId::from_hex(line).ok()).collect())
}
