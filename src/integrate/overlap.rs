//! Which tasks get in each other's way, and in what order they do so least.
//!
//! The picture is relative to the target: each task is merged into it, and the results are merged with each other.
//! Tip against tip, everything that the target did since they began would count as well. A pair is merged only if
//! something in common makes a conflict possible.

pub(super) mod filter;

use std::collections::{BTreeMap, HashSet};

use gix::ObjectId;
use gix::bstr::BString;

use super::suggest::suggest;
use super::{order, select};
use crate::desk::Desk;
use crate::error::{Failure, Result};
use crate::git::changes::Change;
use crate::git::forecast::{Conflict, MergeOptions};
use crate::git::scratch::Scratch;
use crate::task::Task;
use crate::task::record::Tasks;

/// A task in the picture.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The task.
    pub task: Task,
    /// Its branch's tip.
    pub tip: ObjectId,
    /// The full name of the branch that it goes to.
    pub target: String,
    /// Its place in the suggested order of the tasks that go there, from 1.
    pub position: usize,
    /// What would conflict if it was merged there alone.
    pub conflicts: Vec<Conflict>,
    /// The paths that it changes, seen from the target.
    pub changes: Vec<Change>,
    /// Those of them that are outside of its declared scope.
    pub outside: Vec<BString>,
}

/// Two tasks that have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The places of both among the entries.
    pub tasks: (usize, usize),
    /// The files that both touch.
    pub shared: Vec<BString>,
    /// What would conflict between them.
    pub conflicts: Vec<Conflict>,
    /// Why that can't be said, if it can't.
    pub unknown: Option<String>,
    /// How many files of the target both declared scopes take.
    pub scoped: usize,
    /// The pathspecs that both have declared.
    pub pathspecs: Vec<String>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Overlap {
    /// The tasks, by target and name.
    pub entries: Vec<Entry>,
    /// The pairs that have something in common.
    pub pairs: Vec<Pair>,
}

/// Compares these tasks; without names all that are alive and have a branch. Tasks that go to different branches
/// are not compared. With `scopes`, what they have declared is compared too.
///
/// # Errors
/// If a name is not that of a task with a branch, or the repository can't be read.
pub fn overlap(desk: &Desk<'_>, names: &[String], scopes: bool) -> Result<Overlap> {
    let scratch = Scratch::new(desk.repo)?;
    let mut groups: BTreeMap<String, Vec<(Task, ObjectId)>> = BTreeMap::new();
    for (task, tip) in chosen(desk, names)? {
        let Some(base) = desk.settings.integrate.into.clone().or_else(|| task.base.clone()) else {
            desk.observer.warn(&format!("task '{}' has no base to compare it on", task.slug));
            continue;
        };
        let Some((target, _)) = desk.repo.find_branch(&base)? else {
            desk.observer.warn(&format!("the base of task '{}' is gone: '{base}'", task.slug));
            continue;
        };
        groups.entry(target).or_default().push((task, tip));
    }
    let mut all = Overlap::default();
    for (target, tasks) in groups {
        let _step = desk.observer.step(&format!("Comparing {} tasks", tasks.len()));
        let group = Group::look(desk, &scratch, target, tasks)?;
        let mut pairs = group.compare(scopes)?;
        let first = all.entries.len();
        all.entries.extend(group.ordered(&pairs));
        pairs.iter_mut().for_each(|pair| pair.tasks = (pair.tasks.0 + first, pair.tasks.1 + first));
        all.pairs.extend(pairs);
    }
    Ok(all)
}

fn chosen(desk: &Desk<'_>, names: &[String]) -> Result<Vec<(Task, ObjectId)>> {
    let tasks = Tasks::read(desk.repo)?;
    for (_, failure) in &tasks.bad {
        desk.observer.warn(&format!("leaving a task out: {failure}"));
    }
    let mut wanted = Vec::new();
    for name in names {
        let task = tasks.require(name)?;
        if task.own_branch().is_none() {
            return Err(Failure::fatal(format!(
                "task '{name}' follows another branch and has none to compare"
            )));
        }
        wanted.push(task);
    }
    if names.is_empty() {
        wanted.extend(tasks.all.iter().filter(|task| task.state.is_live() && task.own_branch().is_some()));
    }
    wanted.sort_by(|a, b| a.slug.cmp(&b.slug));
    wanted.dedup_by(|a, b| a.slug == b.slug);
    let refs: Vec<String> = wanted.iter().filter_map(|task| task.branch_ref()).collect();
    let tips = desk.repo.find_refs(refs.iter().map(String::as_str))?;
    let mut found = Vec::new();
    for task in wanted {
        match task.branch_ref().and_then(|name| tips.get(name.as_str()).copied()) {
            Some(tip) => found.push((task.clone(), tip)),
            None => desk.observer.warn(&format!("the branch of task '{}' is gone", task.slug)),
        }
    }
    Ok(found)
}

/// The tasks that go to one branch.
struct Group<'a> {
    desk: &'a Desk<'a>,
    scratch: &'a Scratch,
    target: ObjectId,
    tree: ObjectId,
    entries: Vec<Entry>,
    /// Each task alone on top of the target; none if it conflicts with it.
    merged: Vec<Option<ObjectId>>,
}

impl<'a> Group<'a> {
    fn look(
        desk: &'a Desk<'a>,
        scratch: &'a Scratch,
        target: String,
        tasks: Vec<(Task, ObjectId)>,
    ) -> Result<Self> {
        let repo = desk.repo;
        let Some(tip) = repo.find_ref(&target)? else { return Err(select::gone(&target)) };
        let tree = repo.tree_of(tip)?;
        let onto: Vec<_> = tasks.iter().map(|(_, task)| (*task, tip)).collect();
        let results = repo.merge_all(scratch, &onto, &MergeOptions::default());
        let (mut entries, mut merged, mut trees) = (Vec::new(), Vec::new(), Vec::new());
        for ((task, own), result) in tasks.into_iter().zip(results) {
            let mut result = match result {
                Ok(result) => result,
                Err(failure) => return Err(failure.context(format!("task '{}'", task.slug))),
            };
            let name = task.own_branch().unwrap_or(task.slug.as_str()).to_owned();
            result.name_sides((tip, crate::git::refs::short_name(&target)), (own, &name));
            if result.clean {
                merged.push(Some(scratch.commit(result.tree, &[tip])?));
                trees.push((tree, result.tree));
            } else {
                merged.push(None);
                let fork = repo.merge_base(own, tip)?.map(|fork| repo.tree_of(fork)).transpose()?;
                trees.push((fork.unwrap_or(ObjectId::empty_tree(tree.kind())), repo.tree_of(own)?));
            }
            entries.push(Entry {
                task,
                tip: own,
                target: target.clone(),
                position: 0,
                conflicts: result.conflicts,
                changes: Vec::new(),
                outside: Vec::new(),
            });
        }
        let changes = repo.tree_changes(scratch, &trees, &[])?;
        for ((entry, changes), trees) in entries.iter_mut().zip(changes).zip(trees) {
            entry.outside = outside(desk, scratch, &entry.task, trees, &changes);
            entry.changes = changes;
        }
        Ok(Group { desk, scratch, target: tip, tree, entries, merged })
    }

    fn compare(&self, scopes: bool) -> Result<Vec<Pair>> {
        let repo = self.desk.repo;
        let changes: Vec<&[Change]> = self.entries.iter().map(|entry| entry.changes.as_slice()).collect();
        let in_target = || repo.paths_in_tree(self.scratch, self.tree, &[]);
        let candidates = filter::candidates(&changes, in_target)?;
        let both = |a: usize, b: usize| Some((self.merged[a]?, self.merged[b]?));
        let asked: Vec<_> =
            candidates.iter().filter_map(|(a, b)| both(*a, *b)).map(|(a, b)| (b, a)).collect();
        let options = MergeOptions { attributes: Some(self.target), ..MergeOptions::default() };
        let mut results = repo.merge_all(self.scratch, &asked, &options).into_iter();
        let mut pairs: Vec<Pair> = Vec::new();
        for (a, b) in candidates {
            let mut pair = self.pair(a, b);
            pair.shared = filter::shared(changes[a], changes[b]);
            match both(a, b) {
                Some((ours, theirs)) => match results.next().expect("one answer for one pair") {
                    Ok(mut result) => {
                        result.name_sides((ours, self.branch(a)), (theirs, self.branch(b)));
                        pair.conflicts = result.conflicts;
                    }
                    Err(failure) => pair.unknown = Some(failure.message()),
                },
                None => {
                    let first = if self.merged[a].is_none() { a } else { b };
                    let target = crate::git::refs::short_name(&self.entries[first].target);
                    pair.unknown =
                        Some(format!("'{}' conflicts with '{target}' itself", self.entries[first].task.slug));
                }
            }
            if !pair.shared.is_empty() || !pair.conflicts.is_empty() || pair.unknown.is_some() {
                pairs.push(pair);
            }
        }
        if scopes {
            self.compare_scopes(&mut pairs)?;
        }
        Ok(pairs)
    }

    fn pair(&self, a: usize, b: usize) -> Pair {
        Pair {
            tasks: (a, b),
            shared: Vec::new(),
            conflicts: Vec::new(),
            unknown: None,
            scoped: 0,
            pathspecs: Vec::new(),
        }
    }

    fn branch(&self, at: usize) -> &str {
        let task = &self.entries[at].task;
        task.own_branch().unwrap_or(task.slug.as_str())
    }

    /// Scopes overlap where both take a file that is there already, and where both say the same.
    fn compare_scopes(&self, pairs: &mut Vec<Pair>) -> Result<()> {
        let mut taken: Vec<HashSet<BString>> = Vec::new();
        for entry in &self.entries {
            let scope = &entry.task.scope;
            let found = match scope.is_empty() {
                true => Ok(Vec::new()),
                false => self.desk.repo.paths_in_tree(self.scratch, self.tree, scope),
            };
            taken.push(found.unwrap_or_default().into_iter().collect());
        }
        for b in 0..self.entries.len() {
            for a in 0..b {
                let of = |at: usize| &self.entries[at].task.scope;
                let pathspecs: Vec<String> =
                    of(a).iter().filter(|one| of(b).contains(one)).cloned().collect();
                let scoped = taken[a].intersection(&taken[b]).count();
                if scoped == 0 && pathspecs.is_empty() {
                    continue;
                }
                let at = pairs.iter().position(|pair| pair.tasks == (a, b)).unwrap_or_else(|| {
                    pairs.push(self.pair(a, b));
                    pairs.len() - 1
                });
                (pairs[at].scoped, pairs[at].pathspecs) = (scoped, pathspecs);
            }
        }
        pairs.sort_by_key(|pair| pair.tasks);
        Ok(())
    }

    /// The entries with their place in the order that has the fewest conflicts. Where that leaves a choice, the
    /// order of integration decides.
    fn ordered(mut self, pairs: &[Pair]) -> Vec<Entry> {
        let tasks: Vec<&Task> = self.entries.iter().map(|entry| &entry.task).collect();
        let usual = order::order(&tasks, &[]).map(|order| order.order).unwrap_or_default();
        let rank: Vec<usize> = {
            // Those that wait for a task that isn't here come last.
            let left = (0..tasks.len()).filter(|at| !usual.contains(at));
            let all: Vec<usize> = usual.iter().copied().chain(left).collect();
            (0..tasks.len()).map(|at| all.iter().position(|task| *task == at).unwrap_or(at)).collect()
        };
        let conflicts: Vec<_> = pairs
            .iter()
            .filter(|pair| !pair.conflicts.is_empty())
            .map(|pair| (rank[pair.tasks.0], rank[pair.tasks.1]))
            .collect();
        let mut after = Vec::new();
        for (later, task) in tasks.iter().enumerate() {
            let before = tasks.iter().enumerate().filter(|(_, other)| order::comes_after(task, other));
            after.extend(before.map(|(earlier, _)| (rank[later], rank[earlier])));
        }
        for (position, ranked) in suggest(tasks.len(), &conflicts, &after).into_iter().enumerate() {
            let at = rank.iter().position(|rank| *rank == ranked).expect("each has one rank");
            self.entries[at].position = position + 1;
        }
        self.entries
    }
}

/// What of the changes no pathspec of the scope takes.
fn outside(
    desk: &Desk<'_>,
    scratch: &Scratch,
    task: &Task,
    trees: (ObjectId, ObjectId),
    changes: &[Change],
) -> Vec<BString> {
    if task.scope.is_empty() {
        return Vec::new();
    }
    match desk.repo.tree_changes(scratch, &[trees], &task.scope) {
        Ok(inside) => {
            let inside: HashSet<BString> = inside.into_iter().flatten().map(|change| change.path).collect();
            changes.iter().map(|change| change.path.clone()).filter(|path| !inside.contains(path)).collect()
        }
        Err(failure) => {
            desk.observer.warn(&failure.context(format!("bad scope of task '{}'", task.slug)).to_string());
            Vec::new()
        }
    }
}
