//! What of a train is done already, as the private worktree and the references tell it.

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::journal::{Fate, Journal};
use super::place::Place;
use super::workshop::Workshop;
use crate::config::integrate::Ff;
use crate::desk::Desk;
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::git::process::retry;
use crate::git::refs::Old;
use crate::store::atomic;

/// A task whose work is in the private worktree's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The task.
    pub slug: crate::task::Slug,
    /// What the target becomes with it.
    pub commit: ObjectId,
}

/// The tasks that are merged in private, in order: by the merges that have their tips, or where a merge leaves
/// none, by references.
///
/// # Errors
/// If git can't be asked.
pub fn done(shop: &Workshop<'_>, place: &Place, journal: &Journal) -> Result<Vec<Done>> {
    let open = journal.cars.iter().filter(|car| car.fate == Fate::Open);
    if journal.how.ff != Ff::No {
        let mut found = Vec::new();
        for car in open {
            let Some(commit) = shop.repo.find_ref(&place.ref_name(&format!("done/{}", car.slug)))? else {
                continue;
            };
            found.push(Done { slug: car.slug.clone(), commit });
        }
        return Ok(found);
    }
    let Some(tip) = tip_of(shop, place, journal)? else { return Ok(Vec::new()) };
    let range = [tip.to_string(), format!("^{}", journal.onto)];
    let out = shop.look(["rev-list", "--first-parent", "--parents"]).args(range).run()?;
    let mut merges: HashMap<ObjectId, ObjectId> = HashMap::new();
    for line in out.lines() {
        let mut ids = line.split_str(" ").map(parse_id);
        let Some(commit) = ids.next().transpose()? else { continue };
        for parent in ids.skip(1) {
            merges.insert(parent?, commit);
        }
    }
    Ok(open
        .filter_map(|car| {
            let commit = *merges.get(&car.tip)?;
            Some(Done { slug: car.slug.clone(), commit })
        })
        .collect())
}

/// The tip of what is built: where the private worktree stands, if that came from the target, else where it
/// stood when it last stopped.
fn tip_of(shop: &Workshop<'_>, place: &Place, journal: &Journal) -> Result<Option<ObjectId>> {
    let head = shop.head()?;
    let built = shop.repo.find_ref(&place.ref_name("built"))?;
    let mut candidates = [Some(head), built];
    // While several results are checked it may stand at any of them.
    if let Some(built) = built
        && journal.jobs > 1
        && journal.stopped.is_none()
        && shop.repo.is_ancestor(head, built)?
    {
        candidates.reverse();
    }
    for candidate in candidates.into_iter().flatten() {
        if shop.repo.is_ancestor(journal.onto, candidate)? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Makes, moves or deletes references of this target's integrations. Nobody else has any business there, and
/// the target's lock is held.
///
/// # Errors
/// If git refuses.
pub fn set_refs(desk: &Desk<'_>, place: &Place, wanted: Vec<(String, Option<ObjectId>)>) -> Result<()> {
    debug_assert!(wanted.iter().all(|(name, _)| name.starts_with(&place.ref_name(""))));
    let now = desk.repo.find_refs(wanted.iter().map(|(name, _)| name.as_str()))?;
    let changes: Vec<_> = wanted
        .iter()
        .filter(|(name, new)| now.get(name.as_str()) != new.as_ref())
        .map(|(name, new)| {
            let old = now.get(name.as_str()).map_or(Old::Absent, |id| Old::Is(*id));
            (name.clone(), *new, old)
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    retry(desk.settings.lock_timeout, || desk.repo.update_refs("git integrate", &changes))
}

fn all_refs(desk: &Desk<'_>, place: &Place) -> Result<Vec<String>> {
    let prefix = place.ref_name("");
    if desk.repo.has_files_backend() {
        return desk.repo.steadily(|| {
            let gix = desk.repo.gix();
            let failed = || "cannot read the references";
            let platform = gix.references().or_fatal(failed)?;
            let found = platform.prefixed(prefix.as_str()).or_fatal(failed)?;
            // What can't be read is there all the same, and to be forgotten.
            let name = |reference: gix::Reference<'_>| reference.name().as_bstr().to_string();
            let names =
                found.map(|one| one.map(name).map_err(|e| Failure::fatal(e.to_string()).context(failed())));
            names.collect()
        });
    }
    let out = desk.repo.at_home().cmd(["for-each-ref", "--format=%(refname)", &prefix]).poll().run()?;
    Ok(out.lines().map(|name| name.to_str_lossy().into_owned()).collect())
}

/// Forgets what was merged on a tip that the target has left.
///
/// # Errors
/// If git refuses.
pub fn forget_done(desk: &Desk<'_>, place: &Place) -> Result<()> {
    let prefix = place.ref_name("done/");
    let done = all_refs(desk, place)?.into_iter().filter(|name| name.starts_with(&prefix));
    set_refs(desk, place, done.chain([place.ref_name("built")]).map(|name| (name, None)).collect())
}

/// The integration is over: its references go, and the journal last.
///
/// # Errors
/// If git or the file system refuses.
pub fn forget(desk: &Desk<'_>, place: &Place) -> Result<()> {
    let undone = place.ref_name("undone");
    let all = all_refs(desk, place)?.into_iter().filter(|name| *name != undone);
    set_refs(desk, place, all.map(|name| (name, None)).collect())?;
    let path = place.journal();
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).or_fatal(|| format!("could not remove '{}'", path.display()))
        }
        _ => Ok(()),
    }
}

/// Remembers what has landed, so that it can be undone.
///
/// # Errors
/// If it can't be written.
pub fn remember(desk: &Desk<'_>, place: &Place, journal: &Journal) -> Result<()> {
    atomic::write(&place.last(), &journal.to_record().to_bytes()?)?;
    // What an undo before this one has kept.
    set_refs(desk, place, vec![(place.ref_name("undone"), None)])
}
