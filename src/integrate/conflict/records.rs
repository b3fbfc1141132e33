//! git's own words for the conflicts of a merge: the same merge made once more in memory.

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};

use super::{Operation, Stopped};
use crate::error::Result;
use crate::git::forecast::{self, MergeResult};
use crate::git::parse_id;
use crate::git::unmerged::{Unmerged, Version};

/// The same merge in memory, for git's words. None where it can't be made: then the index alone tells.
pub(super) fn merged_again(stopped: &Stopped<'_>) -> Result<Option<MergeResult>> {
    crate::interrupt::check()?;
    let merged = match stopped.operation {
        Operation::Merge => stopped.repo.forecast_merge(stopped.ours.commit, stopped.theirs.commit),
        Operation::Pick => picked(stopped),
    };
    Ok(merged.ok())
}

/// Applying a commit is a merge whose base is that commit's parent, so ours is given it for a parent. The commit
/// made for it is not kept by anything.
fn picked(stopped: &Stopped<'_>) -> Result<MergeResult> {
    let git = stopped.git();
    let tree = format!("{}^{{tree}}", stopped.ours.commit);
    let cmd = git.cmd(["commit-tree", "-m", "ours", &tree]);
    let cmd = match stopped.base()? {
        Some(parent) => cmd.args(["-p", &parent.to_string()]),
        None => cmd,
    };
    let who = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    let cmd = cmd.envs(who.map(|name| (name, "git-parallel")));
    let ours = parse_id(cmd.line()?.as_bytes())?;
    stopped.repo.forecast_merge(ours, stopped.theirs.commit)
}

/// git's records with the paths that the index has, and the names that the user has, for the sides. Where something
/// is in the way, git makes up a path from what it calls a side: `file~HEAD`.
pub(super) fn records(
    stopped: &Stopped<'_>,
    merged: &MergeResult,
    entries: &[Unmerged],
) -> Vec<forecast::Conflict> {
    let forecast = by_path(&merged.stages);
    let in_index = |path: &BString| -> BString {
        let same = || {
            let made_up = forecast.iter().find(|entry| entry.path == *path)?;
            let (stem, _) = path.rsplit_once_str("~")?;
            let is_it = |entry: &&Unmerged| {
                let versions = |e: &Unmerged| (e.base, e.ours, e.theirs);
                entry.path.rsplit_once_str("~").is_some_and(|(other, _)| other == stem)
                    && versions(entry) == versions(made_up)
            };
            entries.iter().find(is_it).map(|entry| entry.path.clone())
        };
        let known = entries.iter().any(|entry| entry.path == *path);
        if known { path.clone() } else { same().unwrap_or_else(|| path.clone()) }
    };
    let mut records = merged.conflicts.clone();
    for record in &mut records {
        for path in &mut record.paths {
            let real = in_index(path);
            if real != *path {
                record.message = record.message.replace(&path.to_string(), &real.to_string());
                *path = real;
            }
        }
        for head in [&stopped.ours, &stopped.theirs] {
            record.message = record.message.replace(&head.commit.to_string(), &head.name);
        }
        if stopped.operation == Operation::Pick {
            record.message = named(&record.message, &stopped.ours.name);
        }
    }
    records
}

/// The message with `name` for a commit that only exists for [`picked`].
fn named(message: &str, name: &str) -> String {
    let is_id = |word: &str| word.len() >= 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = message.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if is_id(word) { piece.replacen(word, name, 1) } else { piece.to_owned() }
        })
        .collect()
}

pub(super) fn by_path(stages: &[forecast::Stage]) -> Vec<Unmerged> {
    let mut all: Vec<Unmerged> = Vec::new();
    for stage in stages {
        if all.last().is_none_or(|last| last.path != stage.path) {
            all.push(Unmerged { path: stage.path.clone(), base: None, ours: None, theirs: None });
        }
        let entry = all.last_mut().expect("one was just pushed");
        let version = Some(Version { mode: stage.mode, id: stage.id });
        match stage.number {
            1 => entry.base = version,
            2 => entry.ours = version,
            _ => entry.theirs = version,
        }
    }
    all
}

/// What was renamed from one commit to another, as git finds it with its default settings.
pub(super) fn renames(
    stopped: &Stopped<'_>,
    from: ObjectId,
    to: ObjectId,
) -> Result<Vec<(BString, BString)>> {
    let cmd = stopped.git().cmd(["diff-tree", "-r", "-M", "--diff-filter=R", "--name-status", "-z"]);
    let output = cmd.args([from.to_string(), to.to_string()]).poll().run()?;
    let mut fields = output.split_str("\0").map(BString::from);
    let mut all = Vec::new();
    while let (Some(_), Some(from), Some(to)) = (fields.next(), fields.next(), fields.next()) {
        all.push((from, to));
    }
    Ok(all)
}

impl Stopped<'_> {
    /// What both sides started from, if that is one commit.
    pub(super) fn base(&self) -> Result<Option<ObjectId>> {
        let (ours, theirs) = (self.ours.commit.to_string(), self.theirs.commit.to_string());
        let output = match self.operation {
            Operation::Merge => self.git().cmd(["merge-base", &ours, &theirs]),
            Operation::Pick => self.git().cmd(["rev-parse", "--verify", "--quiet", &format!("{theirs}^")]),
        };
        let output = output.poll().output()?;
        if output.status.success() { parse_id(output.stdout.trim()).map(Some) } else { Ok(None) }
    }

    /// Whether a commit has something at a path.
    pub(super) fn has(&self, commit: ObjectId, path: &BStr) -> bool {
        self.at_commit(commit, path).ok().flatten().is_some()
    }
}
