//! Which pairs of changes could conflict at all. The others need not be merged.
//!
//! Two sides that touch no path in common merge cleanly, with three exceptions that git's directories make: a
//! file where the other has a directory, and a directory that one side has moved while the other adds to it.
//! Renames are not looked for, so that both ends of one are touched.

use std::collections::{BTreeSet, HashMap, HashSet};

use gix::bstr::{BStr, BString, ByteSlice};

use crate::error::Result;
use crate::git::changes::{Change, Kind};

/// The pairs (first before second) that could conflict. `in_target` lists all paths of the tree that the changes
/// are against, if that is needed.
pub(super) fn candidates(
    changes: &[&[Change]],
    in_target: impl FnOnce() -> Result<Vec<BString>>,
) -> Result<BTreeSet<(usize, usize)>> {
    let mut pairs = BTreeSet::new();
    let mut add = |a: usize, b: usize| {
        if a != b {
            pairs.insert((a.min(b), a.max(b)));
        }
    };
    let mut touching: HashMap<&BStr, Vec<usize>> = HashMap::new();
    for (at, of_task) in changes.iter().enumerate() {
        for change in *of_task {
            touching.entry(change.path.as_bstr()).or_default().push(at);
        }
    }
    for (at, of_task) in changes.iter().enumerate() {
        for change in *of_task {
            let path = change.path.as_bstr();
            for place in std::iter::once(path).chain(directories(path)) {
                touching.get(place).into_iter().flatten().for_each(|other| add(at, *other));
            }
        }
    }
    let gone = gone(changes, in_target)?;
    for (at, of_task) in changes.iter().enumerate() {
        for change in of_task.iter().filter(|change| change.kind == Kind::Added) {
            for directory in directories(change.path.as_bstr()) {
                gone.get(directory).into_iter().flatten().for_each(|other| add(at, *other));
            }
        }
    }
    Ok(pairs)
}

/// The paths that both touch.
pub(super) fn shared(a: &[Change], b: &[Change]) -> Vec<BString> {
    let of_a: HashSet<&BString> = a.iter().map(|change| &change.path).collect();
    b.iter().map(|change| &change.path).filter(|path| of_a.contains(path)).cloned().collect()
}

/// The directories that a side leaves nothing in, each with the sides that do so: they may have been moved.
fn gone<'a>(
    changes: &[&'a [Change]],
    in_target: impl FnOnce() -> Result<Vec<BString>>,
) -> Result<HashMap<&'a BStr, Vec<usize>>> {
    let mut deleted: HashMap<&BStr, HashMap<usize, usize>> = HashMap::new();
    let is_added = |change: &&Change| change.kind == Kind::Added;
    for (at, of_task) in changes.iter().enumerate() {
        let kept: HashSet<&BStr> =
            of_task.iter().filter(is_added).flat_map(|change| directories(change.path.as_bstr())).collect();
        for change in of_task.iter().filter(|change| change.kind == Kind::Deleted) {
            for directory in directories(change.path.as_bstr()).filter(|dir| !kept.contains(dir)) {
                *deleted.entry(directory).or_default().entry(at).or_default() += 1;
            }
        }
    }
    if deleted.is_empty() {
        return Ok(HashMap::new());
    }
    let mut held: HashMap<BString, usize> = HashMap::new();
    for path in in_target()? {
        for directory in directories(path.as_bstr()).filter(|dir| deleted.contains_key(dir)) {
            *held.entry(directory.to_owned()).or_default() += 1;
        }
    }
    let all_of = |directory: &BStr, counts: HashMap<usize, usize>| -> Vec<usize> {
        let held = held.get(&BString::from(directory)).copied().unwrap_or(0);
        counts.into_iter().filter(|(_, count)| *count == held).map(|(at, _)| at).collect()
    };
    Ok(deleted.into_iter().map(|(directory, counts)| (directory, all_of(directory, counts))).collect())
}

/// `a/b` and `a` of `a/b/c`.
pub(in crate::integrate) fn directories(path: &BStr) -> impl Iterator<Item = &BStr> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest[..rest.rfind_byte(b'/')?].as_bstr();
        Some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(text: &str) -> Vec<Change> {
        let of = |word: &str| {
            let (kind, path) = word.split_at(1);
            let kind = match kind {
                "+" => Kind::Added,
                "-" => Kind::Deleted,
                _ => Kind::Modified,
            };
            Change { path: path.into(), kind }
        };
        text.split(' ').map(of).collect()
    }

    fn is_candidate(a: &str, b: &str) -> bool {
        let (a, b) = (changes(a), changes(b));
        let target = ["d/x", "d/y", "e/s/x", "e/s/y", "top"].map(BString::from).to_vec();
        let one = candidates(&[&a, &b], || Ok(target.clone())).unwrap();
        let other = candidates(&[&b, &a], || Ok(target)).unwrap();
        assert_eq!(one, other);
        !one.is_empty()
    }

    #[test]
    fn what_has_nothing_in_common_is_no_candidate() {
        for (a, b, expected) in [
            ("=d/x", "=d/x", true),
            ("=d/x", "=d/y", false),
            ("-d/x +f/x", "+f/x", true),
            // A file in the place of a directory.
            ("+new", "+new/x", true),
            ("-top +top/x", "=top", true),
            ("+newer", "+new/x", false),
            // A directory that was moved as a whole, and one that was not.
            ("-d/x -d/y +f/x +f/y", "+d/z", true),
            ("-d/x +f/x", "+d/z", false),
            ("-d/x -d/y +d/w", "+d/z", false),
            ("-e/s/x -e/s/y +f/s/x +f/s/y", "+e/z", true),
            ("-e/s/x -e/s/y +f/s/x +f/s/y", "+e/s/deep/z", true),
            ("-top +other", "+new", false),
        ] {
            assert_eq!(is_candidate(a, b), expected, "{a} | {b}");
        }
    }
}
