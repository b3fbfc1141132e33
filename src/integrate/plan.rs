//! Makes the [`Train`]: the chosen tasks in order, merged in memory one on top of the other.
//!
//! Nothing is changed, and everything that is written goes with a [`Scratch`].

use std::collections::HashSet;

use gix::ObjectId;

use super::apart::Apart;
use super::order::{self, LeftOut};
use super::scope::outside;
use super::select::{Chosen, Selection, select};
use super::train::{Car, Outcome, Target, Train};
use crate::config::integrate::{Ff, Scope};
use crate::desk::{Desk, template};
use crate::error::{Failure, Kind, Result};
use crate::git::forecast::{MergeOptions, MergeResult};
use crate::git::landed::Landed;
use crate::git::scratch::Scratch;
use crate::interrupt;
use crate::task::Task;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tasks; without any, all that are ready.
    pub tasks: Vec<String>,
    /// The target, if an option says it.
    pub into: Option<String>,
    /// How the commits come onto it.
    pub ff: Ff,
    /// The template of the merge messages.
    pub message: Option<String>,
    /// What `-X` takes.
    pub strategy: Vec<String>,
    /// What is done about changes outside of a scope.
    pub scope: Scope,
}

/// git's words for histories without a common commit.
const UNRELATED: &str = "refusing to merge unrelated histories";

/// Plans an integration. None if no task is ready and nothing says what the target would be.
///
/// # Errors
/// If a named task is not ready, the target is no branch or can't be told, tasks come after each other in a
/// circle, or the repository can't be read. What goes wrong with a single merge is the outcome of its car.
pub fn plan(desk: &Desk<'_>, request: &Request) -> Result<Option<Train>> {
    let Some(selection) = select(desk, &request.tasks, request.into.as_deref())? else { return Ok(None) };
    let Selection { target, chosen, stale, others } = selection;
    let tasks: Vec<&Task> = chosen.iter().map(|chosen| &chosen.task).collect();
    let order = order::order(&tasks, &others)?;
    let _step = desk.observer.step(&format!("Forecasting {} merges", order.order.len()));
    let forecast = Forecast::new(desk, request, &target)?;
    let ordered: Vec<&Chosen> = order.order.iter().map(|at| &chosen[*at]).collect();
    let mut cars = forecast.run(&ordered)?;
    for out in order.left_out {
        let why = LeftOut::to_string(&out);
        cars.push(forecast.car(&chosen[out.index], Outcome::Skipped { why })?);
    }
    for (chosen, why) in stale {
        cars.push(forecast.car(&chosen, Outcome::Skipped { why })?);
    }
    Ok(Some(Train { target, ff: request.ff, cars }))
}

/// The message of a task's merge.
///
/// # Errors
/// If the template has an unknown placeholder.
pub fn message(desk: &Desk<'_>, task: &Task, target: &Target, format: Option<&str>) -> Result<String> {
    let repo_name = desk.repo.name();
    let user = desk.context.user.clone().unwrap_or_else(|| "user".to_owned());
    let title = task.title.clone().unwrap_or_else(|| format!("Merge task '{}'", task.slug));
    let values = [
        ("title", title.as_str()),
        ("task", task.slug.as_str()),
        ("type", task.kind.as_deref().unwrap_or("task")),
        ("repo", repo_name.as_str()),
        ("base", target.name()),
        ("user", user.as_str()),
    ];
    template::expand(format.unwrap_or("{title}"), &values)
        .map_err(|failure| failure.context("bad template of the merge message"))
}

/// The state of the forecast: everything that is merged so far is in `at`.
struct Forecast<'a> {
    desk: &'a Desk<'a>,
    request: &'a Request,
    target: &'a Target,
    scratch: Scratch,
    options: MergeOptions,
    /// Why the merges can't be forecast, if they can't.
    hindrance: Option<String>,
}

/// Where the train stands.
struct At {
    commit: ObjectId,
    tree: ObjectId,
    /// The commit is in the repository, and not only in the scratch.
    is_real: bool,
    /// The tips whose history is in it.
    tips: Vec<ObjectId>,
    /// Which of the tasks have nothing to do with all this.
    apart: Apart,
}

impl<'a> Forecast<'a> {
    fn new(desk: &'a Desk<'a>, request: &'a Request, target: &'a Target) -> Result<Self> {
        let mut strategy = request.strategy.clone();
        let gix = desk.repo.gix();
        // `git merge` heeds it and `git merge-tree` doesn't.
        if gix.config_snapshot().boolean("merge.renormalize") == Some(true) {
            strategy.insert(0, "renormalize".to_owned());
        }
        let can = strategy.is_empty() || desk.repo.forecasts_with_options();
        let hindrance = (!can).then(|| {
            let options: Vec<_> = strategy.iter().map(|option| format!("-X {option}")).collect();
            format!("this git can't forecast a merge with {}", options.join(" "))
        });
        let options = MergeOptions { strategy, related_only: true, ..MergeOptions::default() };
        Ok(Forecast { desk, request, target, scratch: Scratch::new(desk.repo)?, options, hindrance })
    }

    fn run(&self, ordered: &[&Chosen]) -> Result<Vec<Car>> {
        let pairs: Vec<_> = ordered.iter().map(|chosen| (chosen.tip, chosen.task.start)).collect();
        let landed = self.desk.repo.landed_in_graph(&pairs, self.target.tip);
        let tip = self.target.tip;
        let tree = self.desk.repo.tree_of(tip)?;
        let open = pairs.iter().zip(&landed).filter(|(_, landed)| matches!(landed, Ok(None)));
        let apart = self.apart(&open.map(|((tip, _), _)| *tip).collect::<Vec<_>>())?;
        let mut at = At { commit: tip, tree, is_real: true, tips: Vec::new(), apart };
        let mut cars: Vec<Car> = Vec::new();
        let mut gone: HashSet<String> = HashSet::new();
        for (chosen, landed) in ordered.iter().zip(landed) {
            interrupt::check()?;
            let before = cars.iter().find(|car| {
                gone.contains(car.task.slug.as_str()) && order::comes_after(&chosen.task, &car.task)
            });
            let mut car = self.car(chosen, Outcome::Empty)?;
            car.outcome = match (before, landed) {
                (Some(before), _) => {
                    let why = format!("comes after '{}', which is not merged", before.task.slug);
                    Outcome::Skipped { why }
                }
                (None, Ok(Some(Landed::Empty))) => Outcome::Empty,
                (None, Ok(Some(landed))) => Outcome::Contained(landed),
                (None, Ok(None)) => self.merge_within_scope(&mut at, &mut car)?,
                (None, Err(failure)) => unknown(failure)?,
            };
            let is_gone = match &car.outcome {
                Outcome::Skipped { .. } | Outcome::Unknown { .. } => true,
                Outcome::Conflict { resolved, .. } => resolved.is_none(),
                _ => false,
            };
            if is_gone {
                gone.insert(car.task.slug.to_string());
            }
            cars.push(car);
        }
        Ok(cars)
    }

    /// What can be said without a merge. Options may change anything, and a rebase is no merge.
    fn apart(&self, tips: &[ObjectId]) -> Result<Apart> {
        if !self.options.strategy.is_empty() || matches!(self.request.ff, Ff::Only | Ff::Rebase) {
            return Ok(Apart::default());
        }
        match Apart::look(self.desk.repo, &self.scratch, tips, self.target.tip) {
            Err(failure) if failure.kind == Kind::Interrupted => Err(failure),
            // What is wrong with one task is said of that one, in its turn.
            apart => Ok(apart.unwrap_or_default()),
        }
    }

    fn car(&self, chosen: &Chosen, outcome: Outcome) -> Result<Car> {
        let format = self.request.message.as_deref();
        let message = message(self.desk, &chosen.task, self.target, format)?;
        Ok(Car { task: chosen.task.clone(), tip: chosen.tip, message, outside: Vec::new(), outcome })
    }

    fn merge_within_scope(&self, at: &mut At, car: &mut Car) -> Result<Outcome> {
        if self.request.scope != Scope::Ignore {
            match outside(self.desk, &self.scratch, &car.task, car.tip, self.target) {
                Ok(paths) => car.outside = paths,
                Err(failure) if failure.kind == Kind::Interrupted => return Err(failure),
                Err(failure) => self.desk.observer.warn(&failure.to_string()),
            }
        }
        if self.request.scope == Scope::Refuse && !car.outside.is_empty() {
            return Ok(Outcome::Skipped { why: "changes files outside of its scope".to_owned() });
        }
        match self.merge(at, car) {
            Ok(outcome) => Ok(outcome),
            Err(failure) if failure.message().contains(UNRELATED) => Ok(Outcome::Skipped {
                why: format!("has no history in common with '{}'", self.target.name()),
            }),
            Err(failure) => unknown(failure),
        }
    }

    fn merge(&self, at: &mut At, car: &Car) -> Result<Outcome> {
        let repo = self.desk.repo;
        let is_forward = matches!(self.request.ff, Ff::Yes | Ff::Only)
            && at.is_real
            && repo.is_ancestor(at.commit, car.tip)?;
        if is_forward {
            let tree = repo.tree_of(car.tip)?;
            at.tips.push(car.tip);
            at.apart.merged(at.tree, tree, car.tip);
            (at.commit, at.tree) = (car.tip, tree);
            return Ok(Outcome::Merged { tree, forward: true });
        }
        if self.request.ff == Ff::Only {
            return Ok(Outcome::Skipped {
                why: format!("'{}' can't be moved forward to it", self.target.name()),
            });
        }
        if self.request.ff == Ff::Rebase {
            return match &self.hindrance {
                Some(why) => Ok(Outcome::Unknown { why: why.clone() }),
                None => self.rebase(at, car),
            };
        }
        if let Some(tree) = at.apart.merge(repo, &self.scratch, at.tree, car.tip)? {
            self.advance(at, car.tip, tree)?;
            return Ok(Outcome::Merged { tree, forward: false });
        }
        let result = match &self.hindrance {
            None => repo.merge_one(&self.scratch, at.commit, car.tip, &self.options)?,
            Some(why) => match self.merge_without_options(at, car.tip)? {
                Some(result) => result,
                None => return Ok(Outcome::Unknown { why: why.clone() }),
            },
        };
        if !result.clean {
            return self.conflict(at, car, result, at.commit, car.tip);
        }
        if result.tree == at.tree
            && let Some(landed) = self.how_contained(at, car.tip)?
        {
            return Ok(Outcome::Contained(landed));
        }
        at.apart.merged(at.tree, result.tree, car.tip);
        self.advance(at, car.tip, result.tree)?;
        Ok(Outcome::Merged { tree: result.tree, forward: false })
    }

    /// Where nothing is in conflict, `ours` and `theirs` change nothing; so much can be said by any git.
    fn merge_without_options(&self, at: &At, tip: ObjectId) -> Result<Option<MergeResult>> {
        if !self.options.strategy.iter().all(|option| matches!(option.as_str(), "ours" | "theirs")) {
            return Ok(None);
        }
        let options = MergeOptions { strategy: Vec::new(), ..self.options.clone() };
        let result = self.desk.repo.merge_one(&self.scratch, at.commit, tip, &options)?;
        Ok(Some(result).filter(|result| result.clean))
    }

    /// A merge that changes nothing: the work is there already, or the task has a history without a change, which
    /// a merge commit would record.
    fn how_contained(&self, at: &At, tip: ObjectId) -> Result<Option<Landed>> {
        let repo = self.desk.repo;
        let pairs: Vec<_> = at.tips.iter().map(|earlier| (tip, *earlier)).collect();
        for apart in repo.ahead_behind(&pairs) {
            if apart?.ahead == 0 {
                return Ok(Some(Landed::Merged));
            }
        }
        if self.request.ff == Ff::Squash {
            return Ok(Some(Landed::SameTree));
        }
        // An option may have decided against all of its work.
        if !self.options.strategy.is_empty() {
            return Ok(None);
        }
        let fork = repo.merge_base(tip, self.target.tip)?;
        let is_change = fork.map(|fork| Ok::<_, Failure>(repo.tree_of(fork)? != repo.tree_of(tip)?));
        Ok(is_change.transpose()?.unwrap_or(true).then_some(Landed::SameTree))
    }

    fn advance(&self, at: &mut At, tip: ObjectId, tree: ObjectId) -> Result<()> {
        let parents = match self.request.ff {
            Ff::Squash | Ff::Rebase => vec![at.commit],
            Ff::No | Ff::Yes | Ff::Only => {
                at.tips.push(tip);
                vec![at.commit, tip]
            }
        };
        at.commit = self.scratch.commit(tree, &parents)?;
        (at.tree, at.is_real) = (tree, false);
        Ok(())
    }

    fn conflict(
        &self,
        at: &mut At,
        car: &Car,
        mut result: MergeResult,
        ours: ObjectId,
        theirs: ObjectId,
    ) -> Result<Outcome> {
        // A squash that has landed conflicts with itself as soon as the target goes on from there.
        if self.desk.repo.landed(car.tip, car.task.start, self.target.tip)? == Landed::PatchId {
            return Ok(Outcome::Contained(Landed::PatchId));
        }
        let known = self.desk.repo.known_resolutions(&self.scratch, &result)?;
        // In a rebase more commits may follow.
        let resolved = known.tree.filter(|_| self.request.ff != Ff::Rebase);
        if let Some(tree) = resolved {
            at.apart.merged(at.tree, tree, car.tip);
            self.advance(at, car.tip, tree)?;
        }
        let branch = car.task.own_branch().unwrap_or(car.task.slug.as_str());
        result.name_sides((ours, "HEAD"), (theirs, branch));
        let conflicts = result.conflicts;
        Ok(Outcome::Conflict { conflicts, recorded: known.paths, resolved })
    }

    /// Commit by commit, as `git rebase` does it: without merges, without what the target has already, and without
    /// what changes nothing any more. Each pick is a merge whose base is the commit's parent.
    fn rebase(&self, at: &mut At, car: &Car) -> Result<Outcome> {
        let repo = self.desk.repo;
        let picks = repo.commits_to_pick(&self.scratch, at.commit, car.tip)?;
        let (mut commit, mut tree) = (at.commit, at.tree);
        for pick in picks {
            interrupt::check()?;
            let onto = self.scratch.commit(tree, pick.parent.as_slice())?;
            let options = MergeOptions { attributes: Some(commit), ..self.options.clone() };
            let options = MergeOptions { related_only: pick.parent.is_some(), ..options };
            let result = repo.merge_one(&self.scratch, onto, pick.commit, &options)?;
            if !result.clean {
                return self.conflict(at, car, result, onto, pick.commit);
            }
            if result.tree != tree {
                tree = result.tree;
                commit = self.scratch.commit(tree, &[commit])?;
            }
        }
        if tree == at.tree {
            return Ok(Outcome::Contained(Landed::SameTree));
        }
        (at.commit, at.tree, at.is_real) = (commit, tree, false);
        Ok(Outcome::Merged { tree, forward: false })
    }
}

/// What can't be found out for one task is no reason to say nothing of the others.
fn unknown(failure: Failure) -> Result<Outcome> {
    match failure.kind {
        Kind::Interrupted => Err(failure),
        _ => Ok(Outcome::Unknown { why: failure.message() }),
    }
}
