//! A conflict in the private worktree: who decides it, and what was decided.

use gix::ObjectId;
use gix::bstr::BString;

use super::{Execution, Fared, Turn};
use crate::config::integrate::Ff;
use crate::error::Result;
use crate::git::unmerged::{Unmerged, unmerged};
use crate::integrate::conflict::{Decision, Head, Operation, Side, Stopped, require_resolved, resolve_by};
use crate::integrate::journal::{Car, Cause, OnConflict};
use crate::integrate::merge::{self, Made};

impl<'a> Execution<'a, '_> {
    /// A conflict: decided by a side, by the resolver, or not at all. `again` if a person may have been at it.
    pub(super) fn decide(&mut self, car: &Car, onto: ObjectId, made: Made, again: bool) -> Result<Turn> {
        let mut made = made;
        let mut again = again;
        loop {
            match made {
                Made::Commit(commit) => return Ok(Turn::Merged(commit)),
                Made::Nothing => return Ok(Turn::Nothing),
                Made::Refused(said) => return self.refused(car, said),
                Made::Conflict => {}
            }
            let stopped = self.describe(car, onto)?;
            if again && require_resolved(&stopped).is_ok() {
                again = false;
                made = merge::conclude(self.shop, &self.journal.how, car, onto)?;
                continue;
            }
            let side = match self.journal.on_conflict {
                OnConflict::Ours => Some(Side::Ours),
                OnConflict::Theirs => Some(Side::Theirs),
                OnConflict::Union => Some(Side::Union),
                OnConflict::Ask | OnConflict::Stop | OnConflict::Skip => None,
            };
            let decision = match (side, self.journal.on_conflict) {
                (Some(side), _) if resolve_by(&stopped, side)?.is_empty() => Decision::Resolved,
                (None, OnConflict::Ask) => match self.resolver.resolve(&stopped) {
                    Ok(decision) => decision,
                    Err(failure) => {
                        // What was resolved so far stays, and is gone on with.
                        self.stopped(Some(car.slug.clone()), Cause::Conflict, String::new())?;
                        return Err(failure);
                    }
                },
                (None, OnConflict::Skip) => Decision::SkipTask,
                _ if again => {
                    require_resolved(&stopped)?;
                    Decision::Stop
                }
                _ if self.journal.keep_going => Decision::SkipTask,
                _ => Decision::Stop,
            };
            let conflicts = || self.conflicts(&stopped);
            match decision {
                Decision::Resolved => {
                    require_resolved(&stopped)?;
                    made = merge::conclude(self.shop, &self.journal.how, car, onto)?;
                    again = false;
                }
                Decision::SkipTask => {
                    let conflicts = conflicts()?;
                    let paths: Vec<String> =
                        conflicts.iter().map(|(_, path)| crate::text::escape_controls(path)).collect();
                    let why = format!(
                        "it conflicts with '{}' in {}",
                        self.place.name(),
                        crate::text::shortened(&paths)
                    );
                    self.leave_out(&car.slug, &why, Some(Fared::Conflict(conflicts)))?;
                    return Ok(Turn::LeftOut);
                }
                Decision::Stop => {
                    let conflicts = conflicts()?;
                    self.seen.push((car.slug.clone(), Fared::Conflict(conflicts)));
                    return Ok(Turn::Stopped(Cause::Conflict, String::new()));
                }
                Decision::Abort => return Ok(Turn::Aborted),
            }
        }
    }

    /// What git left, for whoever decides.
    pub(super) fn describe(&self, car: &Car, onto: ObjectId) -> Result<Stopped<'a>> {
        let operation = match self.journal.how.ff {
            Ff::Rebase => Operation::Pick,
            _ => Operation::Merge,
        };
        let commit = match operation {
            Operation::Pick => {
                let picked = self.shop.look(["rev-parse", "--verify", "-q", "REBASE_HEAD"]).output()?;
                match picked.status.success() {
                    true => crate::git::parse_id(picked.stdout.trim_ascii_end())?,
                    false => car.tip,
                }
            }
            Operation::Merge => car.tip,
        };
        let ours = match operation {
            Operation::Pick => self.shop.head()?,
            Operation::Merge => onto,
        };
        Ok(Stopped {
            repo: self.desk.repo,
            worktree: self.shop.path.clone(),
            task: car.slug.to_string(),
            ours: Head { name: self.place.name().to_owned(), commit: ours },
            theirs: Head { name: car.slug.to_string(), commit },
            operation,
        })
    }

    /// What conflicts between what is merged so far and a task, in git's own words. Those that the options
    /// resolve, or that a person has resolved since, are among them.
    pub(super) fn conflicts(&self, stopped: &Stopped<'_>) -> Result<Vec<(String, BString)>> {
        let made = match stopped.operation {
            Operation::Merge => {
                Some(self.desk.repo.forecast_merge(stopped.ours.commit, stopped.theirs.commit)?)
            }
            // Of a rebase only what git left in the index is known.
            Operation::Pick => None,
        };
        let mut all: Vec<(String, BString)> = made
            .into_iter()
            .flat_map(|made| made.conflicts)
            .filter_map(|conflict| Some((conflict.kind, conflict.paths.into_iter().next()?)))
            .collect();
        for entry in unmerged(&stopped.git())? {
            if !all.iter().any(|(_, path)| *path == entry.path) {
                all.push((kind_of(&entry).to_owned(), entry.path));
            }
        }
        Ok(all)
    }
}

/// What git would call a conflict with these versions.
fn kind_of(entry: &Unmerged) -> &'static str {
    match (entry.base, entry.ours, entry.theirs) {
        (Some(_), Some(_), Some(_)) => "content",
        (None, Some(_), Some(_)) => "add/add",
        (Some(_), Some(_), None) | (Some(_), None, Some(_)) => "modify/delete",
        _ => "rename/rename",
    }
}
