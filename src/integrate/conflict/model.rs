//! What is in conflict, as a person has to decide it: one [`Conflict`] for each question, however many paths it is
//! about.
//!
//! The kind is git's word, from the same merge made once more in memory; the versions are those of the index, which
//! is where a person may have gone on meanwhile. Where the two disagree, the index counts.

use gix::bstr::{BStr, BString, ByteSlice};

use super::records::{by_path, merged_again, records, renames};
use super::{Stopped, Whose};
use crate::error::Result;
use crate::git::forecast;
use crate::git::unmerged::{FILE_TYPE, LINK, SUBMODULE, Unmerged, Version, resolved, unmerged};

/// What there is to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Both changed the same lines of a text, or added different ones under one name.
    Text,
    /// Both changed a file that is no text.
    Binary,
    /// Both changed what a Git LFS pointer stands for.
    Pointer,
    /// One deleted what the other changed, or renamed.
    Deleted {
        /// Who deleted it.
        by: Whose,
    },
    /// Both renamed the same file, each to another name.
    Renamed,
    /// What is a file for one is a directory for the other.
    InTheWay {
        /// Who has the file.
        file: Whose,
    },
    /// Something was added in a directory that the other renamed.
    Location {
        /// Who added it.
        by: Whose,
    },
    /// A file for one and a link, say, for the other.
    Types,
    /// A symbolic link that both turned elsewhere.
    Link,
    /// The same file, executable for one only.
    Mode,
    /// A submodule that both moved to other commits.
    Submodule,
    /// git says that something is unclear, and left nothing unmerged.
    Notice,
    /// Nothing of the above: git's versions, one or the other.
    Other,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// git's word for it, as in `CONFLICT (<kind>)`.
    pub label: String,
    /// What there is to choose from.
    pub kind: Kind,
    /// The path that it is about, where a result belongs.
    pub path: BString,
    /// The other paths that take part, such as the one that something was renamed from.
    pub others: Vec<BString>,
    /// What the index has; empty for a notice.
    pub entries: Vec<Unmerged>,
    /// What git says, with the sides' names.
    pub messages: Vec<String>,
}

impl Conflict {
    /// All its paths, each once.
    pub fn paths(&self) -> Vec<&BString> {
        let mut all = vec![&self.path];
        let entries = self.entries.iter().map(|entry| &entry.path);
        for path in entries.chain(&self.others) {
            if !all.contains(&path) {
                all.push(path);
            }
        }
        all
    }

    /// The versions of the first entry, which is the only one of most kinds.
    pub fn versions(&self) -> [Option<Version>; 3] {
        self.entries.first().map_or([None; 3], |entry| [entry.base, entry.ours, entry.theirs])
    }

    /// What one side has, wherever among its paths git put it.
    pub fn version_of(&self, whose: Whose) -> Option<&Unmerged> {
        self.entries.iter().find(|entry| entry.of(whose).is_some())
    }
}

impl Unmerged {
    /// What one side has here.
    pub fn of(&self, whose: Whose) -> Option<Version> {
        match whose {
            Whose::Ours => self.ours,
            Whose::Theirs => self.theirs,
        }
    }
}

/// The conflicts that are still open, those of one kind together, in the order of [`Kind`]'s names and then of the
/// index.
///
/// # Errors
/// If git fails.
pub fn conflicts(stopped: &Stopped<'_>) -> Result<Vec<Conflict>> {
    let entries = unmerged(&stopped.git())?;
    let merged = merged_again(stopped)?;
    let records = merged.as_ref().map_or(Vec::new(), |merged| records(stopped, merged, &entries));
    let mut found = Vec::new();
    let mut taken = vec![false; entries.len()];
    for start in 0..entries.len() {
        if taken[start] {
            continue;
        }
        let group = group_of(start, &entries, &records);
        group.iter().for_each(|at| taken[*at] = true);
        let entries: Vec<_> = group.iter().map(|at| entries[*at].clone()).collect();
        let said: Vec<_> =
            records.iter().filter(|r| entries.iter().any(|e| r.paths.contains(&e.path))).collect();
        found.extend(questions(stopped, entries, &said)?);
    }
    add_origins(stopped, &mut found)?;
    for record in records.iter().filter(|record| is_notice(record)) {
        found.push(Conflict {
            label: record.kind.clone(),
            kind: Kind::Notice,
            path: record.paths.first().cloned().unwrap_or_default(),
            others: record.paths.iter().skip(1).cloned().collect(),
            entries: Vec::new(),
            messages: vec![record.message.clone()],
        });
    }
    let rank = |conflict: &Conflict| {
        // Older versions of git call it content.
        let label = if conflict.kind == Kind::Submodule { "submodule" } else { conflict.label.as_str() };
        RANK.iter().position(|known| *known == label).unwrap_or(RANK.len())
    };
    // A stable sort: within one kind git's order stays.
    found.sort_by_key(rank);
    Ok(found)
}

/// The paths that were in conflict and aren't unmerged any more, as far as git remembers or the same merge tells.
///
/// # Errors
/// If git fails.
pub fn settled(stopped: &Stopped<'_>) -> Result<Vec<Unmerged>> {
    let open = unmerged(&stopped.git())?;
    let mut all = resolved(&stopped.git())?;
    if let Some(merged) = merged_again(stopped)? {
        for entry in by_path(&merged.stages) {
            if !all.iter().any(|known| known.path == entry.path) {
                all.push(entry);
            }
        }
    }
    all.retain(|entry| !open.iter().any(|open| open.path == entry.path));
    Ok(all)
}

/// git's kinds, those first whose answer decides where others are to be found.
const RANK: &[&str] = &[
    "directory rename split",
    "implicit dir rename",
    "file location",
    "file/directory",
    "distinct types",
    "rename/rename",
    "rename/delete",
    "modify/delete",
    "submodule",
    "binary",
    "add/add",
    "content",
];

/// The entries that one record or a chain of them ties together.
fn group_of(start: usize, entries: &[Unmerged], records: &[forecast::Conflict]) -> Vec<usize> {
    let mut group = vec![start];
    let mut at = 0;
    while at < group.len() {
        let path = &entries[group[at]].path;
        for record in records.iter().filter(|record| record.paths.contains(path)) {
            for (other, entry) in entries.iter().enumerate() {
                if record.paths.contains(&entry.path) && !group.contains(&other) {
                    group.push(other);
                }
            }
        }
        at += 1;
    }
    group.sort_unstable();
    group
}

/// The questions that tied entries come to: one, unless what ties them is nothing that this knows.
fn questions(
    stopped: &Stopped<'_>,
    entries: Vec<Unmerged>,
    said: &[&forecast::Conflict],
) -> Result<Vec<Conflict>> {
    let has = |label: &str| said.iter().any(|record| record.kind == label);
    let tied = if has("rename/rename") && is_renamed_twice(&entries) {
        Some((Kind::Renamed, "rename/rename"))
    } else if has("distinct types")
        && entries.iter().filter(|e| e.base.is_none() || e.ours.is_none() || e.theirs.is_none()).count() == 2
    {
        Some((Kind::Types, "distinct types"))
    } else {
        None
    };
    if let Some((kind, label)) = tied {
        let from =
            |entry: &Unmerged| (kind == Kind::Renamed) == (entry.ours.is_none() && entry.theirs.is_none());
        let first = entries.iter().find(|entry| from(entry)).unwrap_or(&entries[0]);
        let path = match kind {
            // Both were put aside if neither could stay.
            Kind::Types => original(stopped, said, first),
            _ => first.path.clone(),
        };
        return Ok(vec![conflict(kind, label.to_owned(), path, entries, said)]);
    }
    entries.into_iter().map(|entry| question(stopped, entry, said)).collect()
}

fn question(stopped: &Stopped<'_>, entry: Unmerged, said: &[&forecast::Conflict]) -> Result<Conflict> {
    let said: Vec<_> = said.iter().copied().filter(|record| record.paths.contains(&entry.path)).collect();
    let has = |label: &str| said.iter().any(|record| record.kind == label);
    let only = |whose: Whose| entry.of(whose).is_some() && entry.of(whose.other()).is_none();
    let holder =
        if only(Whose::Ours) { Some(Whose::Ours) } else { only(Whose::Theirs).then_some(Whose::Theirs) };
    let (kind, fallback) = match (holder, entry.base) {
        (Some(file), _) if has("file/directory") => (Kind::InTheWay { file }, "file/directory"),
        (Some(by), None) if has("file location") => (Kind::Location { by }, "file location"),
        (Some(holder), Some(_)) => (Kind::Deleted { by: holder.other() }, "modify/delete"),
        _ => match (entry.ours, entry.theirs) {
            (Some(ours), Some(theirs)) => (
                kind_of_both(stopped, &entry, ours, theirs, &said)?,
                if entry.base.is_some() { "content" } else { "add/add" },
            ),
            _ => (Kind::Other, "unmerged"),
        },
    };
    let first = |labels: &[&str]| labels.iter().find(|label| has(label)).map(|label| (*label).to_owned());
    let label = first(RANK).or_else(|| said.first().map(|record| record.kind.clone()));
    let path = match kind {
        Kind::InTheWay { .. } => original(stopped, &said, &entry),
        _ => entry.path.clone(),
    };
    Ok(conflict(kind, label.unwrap_or_else(|| fallback.to_owned()), path, vec![entry], &said))
}

fn conflict(
    kind: Kind,
    label: String,
    path: BString,
    entries: Vec<Unmerged>,
    said: &[&forecast::Conflict],
) -> Conflict {
    let mut others: Vec<BString> = Vec::new();
    for other in said.iter().flat_map(|record| &record.paths) {
        if *other != path && !others.contains(other) && !entries.iter().any(|entry| entry.path == *other) {
            others.push(other.clone());
        }
    }
    let messages = said.iter().map(|record| record.message.clone()).collect();
    Conflict { label, kind, path, others, entries, messages }
}

/// What kind it is if both have something there.
fn kind_of_both(
    stopped: &Stopped<'_>,
    entry: &Unmerged,
    ours: Version,
    theirs: Version,
    said: &[&forecast::Conflict],
) -> Result<Kind> {
    Ok(match (ours.mode & FILE_TYPE, theirs.mode & FILE_TYPE) {
        (a, b) if a != b => Kind::Types,
        (SUBMODULE, _) => Kind::Submodule,
        (LINK, _) => Kind::Link,
        _ if ours.id == theirs.id => Kind::Mode,
        _ if stopped.is_pointer(ours.id)? && stopped.is_pointer(theirs.id)? => Kind::Pointer,
        _ if said.iter().any(|record| record.kind == "binary") => Kind::Binary,
        _ => {
            let ids = [Some(ours), Some(theirs), entry.base].into_iter().flatten().map(|version| version.id);
            let binary = ids.map(|id| stopped.is_binary(id)).collect::<Result<Vec<_>>>()?;
            if binary.contains(&true) { Kind::Binary } else { Kind::Text }
        }
    })
}

/// Says where something came from that both have under a new name: git only says that it is there twice.
fn add_origins(stopped: &Stopped<'_>, found: &mut [Conflict]) -> Result<()> {
    let is_added = |conflict: &Conflict| {
        conflict.entries.iter().any(|e| e.base.is_none() && e.ours.is_some() && e.theirs.is_some())
    };
    if !found.iter().any(is_added) {
        return Ok(());
    }
    let Some(base) = stopped.base()? else { return Ok(()) };
    for whose in [Whose::Ours, Whose::Theirs] {
        let head = stopped.head(whose);
        let renames = renames(stopped, base, head.commit)?;
        for conflict in found.iter_mut().filter(|conflict| is_added(conflict)) {
            if let Some((from, to)) = renames.iter().find(|(_, to)| *to == conflict.path) {
                conflict.messages.push(format!("{} renamed {from} to {to}", head.name));
                if !conflict.others.contains(from) {
                    conflict.others.push(from.clone());
                }
            }
        }
    }
    Ok(())
}

/// From one name to two: the old one, one of ours and one of theirs.
fn is_renamed_twice(entries: &[Unmerged]) -> bool {
    let count = |of: fn(&Unmerged) -> bool| entries.iter().filter(|entry| of(entry)).count();
    entries.len() == 3
        && count(|e| e.base.is_some() && e.ours.is_none() && e.theirs.is_none()) == 1
        && count(|e| e.base.is_none() && e.ours.is_some() && e.theirs.is_none()) == 1
        && count(|e| e.base.is_none() && e.ours.is_none() && e.theirs.is_some()) == 1
}

/// The path that something was put aside from: the record names it too.
fn original(stopped: &Stopped<'_>, said: &[&forecast::Conflict], entry: &Unmerged) -> BString {
    let aside = |path: &BStr| path.rsplit_once_str("~").map(|(stem, _)| BString::from(stem));
    let Some(stem) = aside(entry.path.as_bstr()) else { return entry.path.clone() };
    let is_named =
        said.iter().any(|record| record.paths.contains(&stem) || record.message.contains(&stem.to_string()));
    let existed = [stopped.ours.commit, stopped.theirs.commit]
        .iter()
        .any(|commit| stopped.has(*commit, entry.path.as_bstr()));
    if is_named && !existed { stem } else { entry.path.clone() }
}

fn is_notice(record: &forecast::Conflict) -> bool {
    ["directory rename split", "implicit dir rename"].contains(&record.kind.as_str())
}
