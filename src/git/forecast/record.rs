//! What `git merge-tree --write-tree --stdin -z` prints: one record for each merge.
//!
//! See "OUTPUT" in git-merge-tree(1). The kinds of conflicts are in its messages only; from the unmerged
//! entries alone they cannot be told.

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice, ByteVec};

use crate::error::{Failure, Result};
use crate::git::parse_id;

/// What git's advice about submodules begins with.
const ADVICE: &[u8] = b"Recursive merging with submodules";

/// One conflict as git reports it; several paths may take part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What stands in parentheses after git's `CONFLICT`: `content`, `modify/delete`, `rename/rename`, `binary`.
    pub kind: String,
    /// The paths that take part, the one that git puts first in front.
    pub paths: Vec<BString>,
    /// git's line about it. The sides are called there as they were called on git's command line.
    pub message: String,
}

/// An unmerged entry of the index: one side's version of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// 1 is the common ancestor's version, 2 ours, 3 theirs.
    pub number: u8,
    /// The mode as the index has it, such as `0o100644`.
    pub mode: u32,
    /// The blob, or a submodule's commit.
    pub id: ObjectId,
    /// Where it is.
    pub path: BString,
}

/// What a merge comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeResult {
    /// The resulting tree; with conflict markers in it if there are conflicts.
    pub tree: ObjectId,
    /// git calls it clean.
    pub clean: bool,
    /// What git says about the conflicts; empty if it is clean.
    pub conflicts: Vec<Conflict>,
    /// The entries that would be left unmerged in the index; empty if it is clean.
    pub stages: Vec<Stage>,
}

impl MergeResult {
    /// The paths that would be left unmerged, in git's order, each once.
    pub fn unmerged_paths(&self) -> Vec<BString> {
        let mut paths: Vec<BString> = self.stages.iter().map(|stage| stage.path.clone()).collect();
        paths.dedup();
        paths
    }
}

impl MergeResult {
    /// Calls the sides by names, where `git merge-tree` had nothing but commits: in messages, and in the paths of
    /// files that a side's name was added to because something else is in their place.
    ///
    /// `git merge` calls the commit it merges onto `HEAD`.
    pub fn name_sides(&mut self, ours: (ObjectId, &str), theirs: (ObjectId, &str)) {
        let sides = [(ours.0.to_string(), ours.1), (theirs.0.to_string(), theirs.1)];
        let rename = |path: &mut BString| {
            for (commit, name) in &sides {
                // As add_flattened_path() in git's merge-ort.c.
                let (old, new) = (format!("~{commit}"), format!("~{}", name.replace('/', "_")));
                if let Some(at) = path.rfind(&old) {
                    path.replace_range(at..at + old.len(), new);
                }
            }
        };
        self.stages.iter_mut().for_each(|stage| rename(&mut stage.path));
        for conflict in &mut self.conflicts {
            conflict.paths.iter_mut().for_each(rename);
            for (commit, name) in &sides {
                conflict.message = conflict.message.replace(commit.as_str(), name);
            }
        }
    }
}

/// All records. One that was cut off is none.
///
/// # Errors
/// If it is not what git prints.
pub(super) fn parse(output: &[u8]) -> Result<Vec<MergeResult>> {
    // What follows the last NUL is no field.
    let whole = output.rfind_byte(0).map_or(&b""[..], |end| &output[..end]);
    let mut fields = whole.split_str("\0").map(BStr::new);
    let mut all = Vec::new();
    while let Some(status) = fields.next().filter(|field| !field.is_empty()) {
        match record(status, &mut fields)? {
            Some(result) => all.push(result),
            None => break,
        }
    }
    Ok(all)
}

/// The record whose status was read already; none if it is cut off.
fn record<'a>(status: &BStr, fields: &mut impl Iterator<Item = &'a BStr>) -> Result<Option<MergeResult>> {
    // Inverted against the exit code: 1 is clean.
    let clean = match status.as_bytes() {
        b"1" => true,
        b"0" => false,
        _ => return Err(odd(status)),
    };
    let Some(tree) = fields.next().filter(|tree| !tree.is_empty()) else { return Ok(None) };
    let mut result = MergeResult { tree: parse_id(tree)?, clean, conflicts: Vec::new(), stages: Vec::new() };
    loop {
        match fields.next() {
            Some(field) if field.is_empty() => break,
            Some(field) => result.stages.push(stage(field)?),
            None => return Ok(None),
        }
    }
    if clean {
        return Ok(Some(result));
    }
    loop {
        let Some(count) = fields.next() else { return Ok(None) };
        // git before 2.43 gives advice about submodules here, after all messages.
        if count.is_empty() || count.starts_with(ADVICE) {
            break;
        }
        let count: usize = count.to_str().ok().and_then(|n| n.parse().ok()).ok_or_else(|| odd(count))?;
        let paths: Vec<BString> = fields.by_ref().take(count).map(BString::from).collect();
        let (Some(kind), Some(message)) = (fields.next(), fields.next()) else { return Ok(None) };
        result.conflicts.extend(conflict(kind, paths, message));
    }
    drop_repetitions(&mut result.conflicts);
    Ok(Some(result))
}

/// `100644 <id> 1\t<path>`
fn stage(field: &BStr) -> Result<Stage> {
    let parts = field.split_once_str("\t").and_then(|(facts, path)| {
        let mut facts = facts.split_str(" ");
        let mode = u32::from_str_radix(facts.next()?.to_str().ok()?, 8).ok()?;
        let id = facts.next()?;
        let number = facts.next()?.to_str().ok()?.parse().ok()?;
        Some((mode, id, number, path))
    });
    let (mode, id, number, path) = parts.ok_or_else(|| odd(field))?;
    Ok(Stage { number, mode, id: parse_id(id)?, path: path.into() })
}

/// What is a conflict among the messages; others only tell what was done.
///
/// The short description is for scripts, but calls `contents` what people see as `content` or `add/add`.
fn conflict(short: &BStr, paths: Vec<BString>, message: &BStr) -> Option<Conflict> {
    if !short.starts_with(b"CONFLICT") && !short.starts_with(b"ERROR") {
        return None;
    }
    let message = message.trim_end().to_str_lossy().into_owned();
    let said = message.starts_with("CONFLICT").then(|| in_parentheses(&message)).flatten();
    let short = short.to_str_lossy();
    let kind = said.or_else(|| in_parentheses(&short)).unwrap_or(&short).to_owned();
    Some(Conflict { kind, paths, message })
}

fn in_parentheses(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('(')?;
    rest.split_once(')').map(|(inside, _)| inside)
}

/// Of a binary file git says the same twice: that it can't be merged, and that it is a conflict. So it does of a
/// submodule, where only the latter is a line that begins with `CONFLICT`.
fn drop_repetitions(conflicts: &mut Vec<Conflict>) {
    let binary: Vec<Vec<BString>> =
        conflicts.iter().filter(|c| c.kind == "binary").map(|c| c.paths.clone()).collect();
    conflicts.retain(|c| !matches!(c.kind.as_str(), "content" | "add/add") || !binary.contains(&c.paths));
    let submodule: Vec<Vec<BString>> = conflicts
        .iter()
        .filter(|c| c.kind == "submodule" && c.message.starts_with("CONFLICT"))
        .map(|c| c.paths.clone())
        .collect();
    conflicts.retain(|c| {
        let is_reason = c.kind.starts_with("submodule") && !c.message.starts_with("CONFLICT");
        !is_reason || !submodule.contains(&c.paths)
    });
}

fn odd(field: &BStr) -> Failure {
    let shown = crate::text::escape_controls(field);
    Failure::fatal(format!("git merge-tree printed something unexpected: '{shown}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_of_any_paths_are_read_and_any_bytes_are_survived(
            written in vec(vec(vec("[a-z\n\t(~\u{1b}]{1,6}", 1..4), 0..4), 0..4), junk in vec(any::<u8>(), 0..60),
            cut in any::<prop::sample::Index>()
        ) {
            let mut fields: Vec<String> = Vec::new();
            for conflicts in &written {
                fields.extend(["0".to_owned(), ID.to_owned()]);
                for (at, path) in conflicts.iter().flatten().enumerate() {
                    fields.push(format!("100644 {ID} {}\t{path}", at % 3 + 1));
                }
                fields.push(String::new());
                for paths in conflicts {
                    fields.push(paths.len().to_string());
                    fields.extend(paths.clone());
                    fields.extend(["CONFLICT (x)".to_owned(), "CONFLICT (rename/delete): x\n".to_owned()]);
                }
                fields.push(String::new());
            }
            let output: Vec<u8> = fields.iter().flat_map(|f| f.bytes().chain([0])).collect();
            let all = parse(&output).unwrap();
            prop_assert_eq!(all.len(), written.len());
            for (result, conflicts) in all.iter().zip(&written) {
                let paths: Vec<&BString> = result.stages.iter().map(|s| &s.path).collect();
                prop_assert_eq!(paths, conflicts.iter().flatten().collect::<Vec<_>>());
                let paths: Vec<_> = result.conflicts.iter().map(|c| c.paths.clone()).collect();
                prop_assert_eq!(&paths, conflicts);
                prop_assert!(result.conflicts.iter().all(|c| c.kind == "rename/delete"));
            }
            let at = cut.index(output.len() + 1);
            let begun = parse(&output[..at]).unwrap();
            prop_assert!(begun.len() <= all.len() && all.starts_with(&begun));
            let _ = parse(&[&output[..at], &junk].concat());
            let _ = parse(&junk);
        }
    }

    const ID: &str = "1111111111111111111111111111111111111111";

    fn printed(fields: &[&str]) -> Vec<u8> {
        fields.iter().flat_map(|field| field.replace("ID", ID).into_bytes().into_iter().chain([0])).collect()
    }

    #[test]
    fn a_record_that_was_cut_off_is_none() {
        let conflict =
            ["0", "ID", "100644 ID 2\tt", "", "1", "t", "CONFLICT (contents)", "CONFLICT (content): t\n", ""];
        for end in 0..=conflict.len() {
            let output = printed(&[&["1", "ID", ""][..], &conflict[..end]].concat());
            let expected = if end == conflict.len() { 2 } else { 1 };
            assert_eq!(parse(&output).unwrap().len(), expected, "{end}");
        }
        assert_eq!(parse(b"").unwrap(), []);
        assert!(parse(&printed(&["2", "ID", ""])).is_err());
    }

    #[test]
    fn kinds_are_those_that_git_shows() {
        let output = printed(&[
            "0",
            "ID",
            "100644 ID 2\tb",
            "100644 ID 3\tb",
            "",
            "1",
            "b",
            "CONFLICT (binary)",
            "warning: Cannot merge binary files: b (x vs. y)\n",
            "1",
            "b",
            "Auto-merging",
            "Auto-merging b\n",
            "1",
            "b",
            "CONFLICT (contents)",
            "CONFLICT (content): Merge conflict in b\n",
            "1",
            "n",
            "CONFLICT (contents)",
            "CONFLICT (add/add): Merge conflict in n\n",
            "3",
            "r",
            "r2",
            "r1",
            "CONFLICT (rename/rename)",
            "CONFLICT (rename/rename): r renamed\n",
            "1",
            "d",
            "CONFLICT(directory rename unclear split)",
            "CONFLICT (directory rename split): d\n",
            "",
            "1",
            "ID",
            "",
        ]);
        let all = parse(&output).unwrap();
        let kinds: Vec<_> = all[0].conflicts.iter().map(|c| c.kind.as_str()).collect();
        assert_eq!(kinds, ["binary", "add/add", "rename/rename", "directory rename split"]);
        assert_eq!(all[0].conflicts[2].paths, ["r", "r2", "r1"]);
        assert_eq!(all[0].unmerged_paths(), ["b"]);
        assert!(all[1].clean && all[1].conflicts.is_empty());
    }
}
