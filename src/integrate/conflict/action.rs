//! What can be done about a conflict, how git's index and the files get there, and the way back.

use gix::bstr::{BString, ByteSlice};

use super::model::{Conflict, Kind};
use super::saved::Saved;
use super::step::Step;
use super::{Side, Stopped, Whose, markers};
use crate::error::{Failure, Result};
use crate::git::unmerged::{Unmerged, Version};
use crate::text::escape_controls;

/// An answer to a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// All that one side has there; what it deleted is deleted.
    Keep(Whose),
    /// A text with both sides' changes, and the lines of one where both changed the same.
    Lines(Whose),
    /// A text with both sides' changes, and the lines of both where both changed the same, one after the other.
    Union,
    /// Both versions, under two names.
    BothNames,
    /// The name that one side gave it. If both changed its content too, that is the next question.
    Name(Whose),
    /// Not moved along with the directory: at the path where it was added.
    Back,
    /// As it is in the worktree.
    AsIs,
}

/// The answers that a conflict has, apart from what a person does to the file.
///
/// # Errors
/// If git fails.
pub fn actions(stopped: &Stopped<'_>, conflict: &Conflict) -> Result<Vec<Action>> {
    use Whose::{Ours, Theirs};
    Ok(match conflict.kind {
        Kind::Text => {
            let mut all = Vec::new();
            let entry = &conflict.entries[0];
            let by_lines = !stopped.has_driver(entry.path.as_bstr())?;
            if by_lines {
                all.extend([Action::Lines(Ours), Action::Lines(Theirs), Action::Union]);
            }
            for whose in [Ours, Theirs] {
                // Where nothing else was changed the lines are the file.
                let same = |text: &[u8]| Ok::<_, Failure>(stopped.text_of(entry.of(whose))? == text);
                if !by_lines || !same(&stopped.merge_text(entry, 7, Some(whose.side()))?.text)? {
                    all.push(Action::Keep(whose));
                }
            }
            if entry.base.is_none() {
                all.push(Action::BothNames);
            }
            all
        }
        Kind::Binary | Kind::Pointer | Kind::Types | Kind::InTheWay { .. } => {
            vec![Action::Keep(Ours), Action::Keep(Theirs), Action::BothNames]
        }
        Kind::Link | Kind::Mode | Kind::Submodule | Kind::Other => {
            vec![Action::Keep(Ours), Action::Keep(Theirs)]
        }
        Kind::Deleted { by } => vec![Action::Keep(by.other()), Action::Keep(by)],
        Kind::Renamed => vec![Action::Name(Ours), Action::Name(Theirs), Action::BothNames],
        Kind::Location { .. } if conflict.others.is_empty() => vec![Action::AsIs],
        Kind::Location { .. } => vec![Action::AsIs, Action::Back],
        Kind::Notice => vec![Action::AsIs],
    })
}

/// The answer that one side gives, or why it has none.
///
/// # Errors
/// If git fails.
pub(super) fn answer_of(
    stopped: &Stopped<'_>,
    conflict: &Conflict,
    side: Side,
) -> Result<Result<Action, String>> {
    let whose = match side {
        Side::Ours => Whose::Ours,
        Side::Theirs => Whose::Theirs,
        Side::Union => {
            return Ok(match conflict.kind {
                Kind::Notice => Ok(Action::AsIs),
                Kind::Text if !stopped.has_driver(conflict.path.as_bstr())? => Ok(Action::Union),
                Kind::Text => Err("its merge driver knows no union".to_owned()),
                _ => Err(format!("a conflict of kind {} has no union", conflict.label)),
            });
        }
    };
    Ok(match conflict.kind {
        Kind::Text if stopped.has_driver(conflict.path.as_bstr())? => {
            Err("its merge driver knows no sides".to_owned())
        }
        Kind::Text => Ok(Action::Lines(whose)),
        Kind::Renamed => Ok(Action::Name(whose)),
        Kind::Location { by } if by == whose && !conflict.others.is_empty() => Ok(Action::Back),
        Kind::Location { .. } | Kind::Notice => Ok(Action::AsIs),
        _ => Ok(Action::Keep(whose)),
    })
}

/// Does it, and gives the way back.
///
/// # Errors
/// Negative, if something untracked is in the way, or what is in the worktree still holds markers; or git fails.
/// Then all is as it was, as far as that can be.
pub fn apply(stopped: &Stopped<'_>, conflict: &Conflict, action: Action) -> Result<Saved> {
    let steps = plan(stopped, conflict, action)?;
    let mut paths: Vec<BString> = conflict.entries.iter().map(|entry| entry.path.clone()).collect();
    paths.extend(steps.iter().map(|step| step.path().clone()));
    paths.sort();
    paths.dedup();
    let saved = Saved::of(stopped, paths)?;
    match steps.iter().try_for_each(|step| stopped.take(step)) {
        Ok(()) => Ok(saved),
        Err(failure) => {
            saved.restore(stopped)?;
            Err(failure)
        }
    }
}

fn plan(stopped: &Stopped<'_>, conflict: &Conflict, action: Action) -> Result<Vec<Step>> {
    let odd = || Failure::fatal(format!("'{}' has no such version", escape_controls(&conflict.path)));
    let Some(entry) = conflict.entries.first() else { return Ok(Vec::new()) };
    let version = |whose: Whose| {
        let found = conflict.version_of(whose).and_then(|entry| entry.of(whose));
        found.ok_or_else(odd)
    };
    // Removed first: what is put may be where something else was.
    let instead = |puts: Vec<Step>| {
        let is_put = |path: &BString| puts.iter().any(|put| put.path() == path);
        let gone = conflict.entries.iter().map(|entry| &entry.path).filter(|path| !is_put(path));
        gone.cloned().map(Step::Remove).chain(puts.clone()).collect::<Vec<_>>()
    };
    let put = |path: &BString, version| Step::Put(path.clone(), version);
    Ok(match (action, conflict.kind) {
        (Action::AsIs, Kind::Location { by }) => vec![put(&entry.path, version(by)?)],
        (Action::AsIs, _) => {
            require_no_markers(stopped, entry)?;
            vec![Step::Add(entry.path.clone())]
        }
        (Action::Back, Kind::Location { by }) => {
            let back = conflict.others.first().ok_or_else(odd)?;
            instead(vec![put(back, version(by)?)])
        }
        (Action::Lines(whose), _) => vec![put(&entry.path, merged(stopped, entry, whose.side())?)],
        (Action::Union, _) => vec![put(&entry.path, merged(stopped, entry, Side::Union)?)],
        (Action::Name(whose), Kind::Renamed) => {
            let named = conflict.version_of(whose).ok_or_else(odd)?;
            let content = renamed(stopped, conflict, named)?;
            instead(vec![match content {
                Some(version) => put(&named.path, version),
                None => Step::Unmerge(unmerged_at(stopped, conflict, named)?),
            }])
        }
        (Action::BothNames, Kind::Renamed) => {
            let mut puts = Vec::new();
            for whose in [Whose::Ours, Whose::Theirs] {
                let named = conflict.version_of(whose).ok_or_else(odd)?;
                let version = match renamed(stopped, conflict, named)? {
                    Some(version) => version,
                    None => unmerged_at(stopped, conflict, named)?.of(whose).ok_or_else(odd)?,
                };
                puts.push(put(&named.path, version));
            }
            instead(puts)
        }
        (Action::BothNames, Kind::InTheWay { file }) => {
            let name = stopped.beside(&conflict.path, file, &entry.path)?;
            instead(vec![put(&name, version(file)?)])
        }
        (Action::BothNames, _) => {
            // Who has the name already keeps it.
            let first = match conflict.version_of(Whose::Theirs) {
                Some(theirs) if theirs.path == conflict.path && theirs.ours.is_none() => Whose::Theirs,
                _ => Whose::Ours,
            };
            let second = first.other();
            let aside = conflict.version_of(second).map_or(&entry.path, |entry| &entry.path);
            let name = stopped.beside(&conflict.path, second, aside)?;
            instead(vec![put(&conflict.path, version(first)?), put(&name, version(second)?)])
        }
        (Action::Keep(whose), Kind::InTheWay { file }) if whose == file => {
            let inside = stopped.require_tracked_only(&conflict.path)?;
            let mut steps: Vec<_> = inside.into_iter().map(Step::Remove).collect();
            steps.extend(instead(vec![put(&conflict.path, version(file)?)]));
            steps
        }
        (Action::Keep(_), Kind::InTheWay { .. }) => instead(Vec::new()),
        (Action::Keep(whose), _) => match conflict.version_of(whose) {
            Some(_) => instead(vec![put(&conflict.path, version(whose)?)]),
            None => instead(Vec::new()),
        },
        _ => return Err(odd()),
    })
}

/// # Errors
/// Negative, if the file of an unmerged path still holds markers.
pub(super) fn require_no_markers(stopped: &Stopped<'_>, entry: &Unmerged) -> Result<()> {
    match marked_line(stopped, entry, &stopped.file_text(entry.path.as_bstr())?)? {
        None => Ok(()),
        Some(line) => Err(Failure::negative(format!(
            "'{}' still holds a conflict marker in line {}",
            escape_controls(&entry.path),
            line + 1
        ))),
    }
}

/// The line (from 0) of the first marker in what is to become of a conflict.
pub(super) fn marked_line(stopped: &Stopped<'_>, entry: &Unmerged, text: &[u8]) -> Result<Option<usize>> {
    let size = stopped.marker_size(entry.path.as_bstr())?;
    if markers::left_over(text, b"", b"", b"", size).is_none() {
        return Ok(None);
    }
    let [base, ours, theirs] = [entry.base, entry.ours, entry.theirs].map(|version| stopped.text_of(version));
    Ok(markers::left_over(text, &base?, &ours?, &theirs?, size))
}

/// What git makes of a text when a side decides.
fn merged(stopped: &Stopped<'_>, entry: &Unmerged, side: Side) -> Result<Version> {
    let merged = stopped.merge_text(entry, markers::DEFAULT_SIZE, Some(side))?;
    let id = stopped.store(merged.text)?;
    let mode_of = |version: Option<Version>| version.map(|version| version.mode);
    let (base, ours, theirs) = (mode_of(entry.base), mode_of(entry.ours), mode_of(entry.theirs));
    // As for the lines: whoever changed it, and where both did, the side that decides.
    let mode = match side {
        _ if ours == base => theirs,
        _ if theirs == base => ours,
        Side::Theirs => theirs,
        Side::Ours | Side::Union => ours,
    };
    Ok(Version { mode: mode.or(ours).unwrap_or(0o100_644), id })
}

/// What a file that both renamed holds, if git could merge that. It puts the same under both names.
fn renamed(stopped: &Stopped<'_>, conflict: &Conflict, named: &Unmerged) -> Result<Option<Version>> {
    let version = named.ours.or(named.theirs);
    let real = unmerged_at(stopped, conflict, named)?;
    let id = |version: Option<Version>| version.map(|version| version.id);
    let (base, ours, theirs) = (id(real.base), id(real.ours), id(real.theirs));
    if ours == base || theirs == base || ours == theirs {
        return Ok(version);
    }
    let Some(merged) = version else { return Ok(None) };
    if merged.is_link() || merged.is_submodule() || stopped.is_binary(merged.id)? {
        return Ok(None);
    }
    let clean = marked_line(stopped, &real, &stopped.blob(merged.id)?)?.is_none();
    Ok(clean.then_some(merged))
}

/// The versions of a file that both renamed, as they were before git merged them, at one of the names.
fn unmerged_at(stopped: &Stopped<'_>, conflict: &Conflict, named: &Unmerged) -> Result<Unmerged> {
    let real = |whose: Whose| -> Result<Option<Version>> {
        let Some(entry) = conflict.version_of(whose) else { return Ok(None) };
        let commit = stopped.head(whose).commit;
        Ok(stopped.at_commit(commit, entry.path.as_bstr())?.or(entry.of(whose)))
    };
    Ok(Unmerged {
        path: named.path.clone(),
        base: conflict.entries.iter().find_map(|entry| entry.base),
        ours: real(Whose::Ours)?,
        theirs: real(Whose::Theirs)?,
    })
}
