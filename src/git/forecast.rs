//! What merging would do, without doing it: `git merge-tree` in a [`Scratch`], many merges to a process.
//!
//! It takes the attributes of the commit that is merged onto, as a merge there would, not those of the
//! worktree that the user happens to be in. It knows nothing of rerere.

mod record;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::Repo;
use super::process::{Cmd, Git, Output};
use super::scratch::Scratch;
use super::submodules::stand_in;
use crate::error::{Failure, OrFatal, Result};
use crate::interrupt;
pub use record::{Conflict, MergeResult, Stage};

/// git's exit code for a command line that makes no sense to it.
const USAGE: i32 = 129;

/// Fewer merges than this are not worth a second process.
const MIN_BATCH: usize = 16;

/// How merges are forecast.
#[derive(Clone, Debug, Default)]
pub struct MergeOptions {
    /// What `-X` takes; needs git 2.43, see [`Repo::forecasts_with_options`].
    pub strategy: Vec<String>,
    /// The commit whose attributes count; without, for each merge the one that is merged onto.
    pub attributes: Option<ObjectId>,
    /// Refuse histories without a common commit, as `git merge` does unless it is told otherwise.
    pub related_only: bool,
}

/// Merges that one process makes, by place in the list of all.
struct Batch {
    attributes: ObjectId,
    places: Vec<usize>,
}

impl Repo {
    /// For each pair the paths that would conflict if `tip` were merged onto `onto`, in the order of `pairs`,
    /// each with its own failure. Histories without a common commit are merged too, although `git merge` asks
    /// for an option first.
    ///
    /// # Errors
    /// If a commit is missing, or for all if there is no place for temporary objects.
    pub fn conflicts(&self, pairs: &[(ObjectId, ObjectId)]) -> Vec<Result<Vec<BString>>> {
        // What one side contains can't conflict.
        let mut answers: Vec<Option<Result<Vec<BString>>>> = self
            .ahead_behind(pairs)
            .into_iter()
            .map(|apart| match apart {
                Ok(apart) => (apart.ahead == 0 || apart.behind == 0).then(|| Ok(Vec::new())),
                Err(failure) => Some(Err(failure)),
            })
            .collect();
        let open: Vec<usize> = (0..pairs.len()).filter(|at| answers[*at].is_none()).collect();
        if !open.is_empty() {
            let asked: Vec<_> = open.iter().map(|at| pairs[*at]).collect();
            match Scratch::new(self) {
                Ok(scratch) => {
                    for (at, merged) in
                        open.into_iter().zip(self.merge_all(&scratch, &asked, &MergeOptions::default()))
                    {
                        answers[at] = Some(merged.map(|merged| merged.unmerged_paths()));
                    }
                }
                Err(failure) => {
                    let again = |_| Some(Err(Failure::fatal(failure.message())));
                    open.iter().for_each(|at| answers[*at] = again(at));
                }
            }
        }
        answers.into_iter().map(|answer| answer.expect("all that were open were asked")).collect()
    }

    /// What merging `theirs` into `ours` comes to: what `git merge` would do there, rerere apart. The tree is gone
    /// when this returns.
    ///
    /// # Errors
    /// If a commit is missing, or there is no place for temporary objects.
    pub fn forecast_merge(&self, ours: ObjectId, theirs: ObjectId) -> Result<MergeResult> {
        let scratch = Scratch::new(self)?;
        self.merge_one(&scratch, ours, theirs, &MergeOptions::default())
    }

    /// Whether this git can forecast merges with `-X`.
    pub fn forecasts_with_options(&self) -> bool {
        static ANSWER: OnceLock<bool> = OnceLock::new();
        // Without anything to merge, all that can be wrong is the option.
        let asked = || self.cmd(["merge-tree", "--write-tree", "--stdin", "-X", "ours"]).stdin("").output();
        *ANSWER.get_or_init(|| asked().is_ok_and(|output| output.status.success()))
    }

    /// Merges `theirs` into `ours`.
    ///
    /// # Errors
    /// If a commit is missing.
    pub fn merge_one(
        &self,
        scratch: &Scratch,
        ours: ObjectId,
        theirs: ObjectId,
        options: &MergeOptions,
    ) -> Result<MergeResult> {
        let results =
            self.merge_some(scratch, &[(theirs, ours)], options.attributes.unwrap_or(ours), options);
        match results? {
            (mut merged, None) if merged.len() == 1 => Ok(merged.remove(0)),
            (_, failure) => Err(failure.unwrap_or_else(|| no_answer(theirs))),
        }
    }

    /// Merges each tip (first) onto another commit (second), in as many processes as there are processors. Each
    /// has its own failure.
    pub fn merge_all(
        &self,
        scratch: &Scratch,
        pairs: &[(ObjectId, ObjectId)],
        options: &MergeOptions,
    ) -> Vec<Result<MergeResult>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let batches = batches(pairs, options.attributes, threads);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                let asked: Vec<_> = batch.places.iter().map(|at| pairs[*at]).collect();
                let answers = self.merge_batch(scratch, &asked, batch.attributes, options);
                done.extend(batch.places.iter().copied().zip(answers));
            }
            done
        };
        let mut found: Vec<Option<Result<MergeResult>>> = pairs.iter().map(|_| None).collect();
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(batches.len())).map(|_| scope.spawn(work)).collect();
            let mine = work();
            let theirs = others
                .into_iter()
                .flat_map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            for (at, result) in mine.into_iter().chain(theirs) {
                found[at] = Some(result);
            }
        });
        found.into_iter().map(|result| result.expect("each pair is in one batch")).collect()
    }

    /// One process, and another one for what comes after a pair that ended it.
    fn merge_batch(
        &self,
        scratch: &Scratch,
        pairs: &[(ObjectId, ObjectId)],
        attributes: ObjectId,
        options: &MergeOptions,
    ) -> Vec<Result<MergeResult>> {
        let mut done: Vec<Result<MergeResult>> = Vec::with_capacity(pairs.len());
        while done.len() < pairs.len() {
            let rest = &pairs[done.len()..];
            let (merged, failure) = match self.merge_some(scratch, rest, attributes, options) {
                Ok(answer) => answer,
                Err(failure) => (Vec::new(), Some(failure)),
            };
            let ended = merged.len() < rest.len();
            done.extend(merged.into_iter().take(rest.len()).map(Ok));
            if ended {
                let (tip, _) = pairs[done.len()];
                done.push(Err(failure.unwrap_or_else(|| no_answer(tip))));
            }
        }
        done
    }

    /// As many of the merges as git makes before one that it can't, and then why.
    fn merge_some(
        &self,
        scratch: &Scratch,
        pairs: &[(ObjectId, ObjectId)],
        attributes: ObjectId,
        options: &MergeOptions,
    ) -> Result<(Vec<MergeResult>, Option<Failure>)> {
        interrupt::check()?;
        let script: String = pairs.iter().map(|(tip, onto)| format!("{onto} {tip}\n")).collect();
        let cmd = self.with_attributes_of(scratch, attributes)?;
        let cmd = cmd.args(["merge-tree", "--write-tree", "--stdin", "-z"]);
        let cmd = if options.related_only { cmd } else { cmd.arg("--allow-unrelated-histories") };
        let cmd = cmd.args(options.strategy.iter().map(|option| format!("-X{option}")));
        // git before 2.49 prints only at the end, so all is sent first and the pipe closed.
        let output = scratch.lend(cmd).poll().stdin(script).output()?;
        if knows_no_attr_source(&output) {
            return self.merge_some(scratch, pairs, attributes, options);
        }
        let merged = record::parse(&output.stdout)?;
        let failure = (!output.status.success()).then(|| output.into_failure());
        Ok((merged, failure))
    }

    /// git that takes attributes from a commit. Before 2.41, which has no option for that, it runs in a
    /// worktree that holds that commit's attributes and nothing else: this merge looks into no index for them.
    /// So it does where there are submodules: to merge two commits of one, git looks into its repository, which not
    /// every worktree has, and not each has all of its commits.
    fn with_attributes_of(&self, scratch: &Scratch, commit: ObjectId) -> Result<Cmd> {
        if !LACKS_ATTR_SOURCE.load(Ordering::Relaxed) && scratch.superprojects().is_empty() {
            return Ok(self.cmd([format!("--attr-source={commit}")]));
        }
        // Two batches may want the same at once.
        let worktree = scratch.dir().join(format!("{commit}-{:?}", std::thread::current().id()));
        let index = worktree.with_extension("index");
        // Not the user's worktree: that may have been removed since.
        let git = Git::with_git_dir(&worktree, self.common_dir());
        let cmd = |args: &[&str]| {
            scratch
                .lend(git.cmd(UNSEEN).args(args))
                .env("GIT_WORK_TREE", &worktree)
                .env("GIT_INDEX_FILE", &index)
        };
        if !worktree.exists() {
            std::fs::create_dir(&worktree).or_fatal(|| format!("cannot create '{}'", worktree.display()))?;
            cmd(&["read-tree", &commit.to_string()]).run()?;
            let paths = cmd(&["ls-files", "-z", "--", ":(top,glob)**/.gitattributes"]).run()?;
            cmd(&["checkout-index", "-z", "--stdin"]).stdin(paths).run()?;
            if !scratch.superprojects().is_empty() {
                let all = self.submodules_of(commit, |cmd| scratch.lend(cmd))?;
                let modules = worktree.with_extension("modules");
                stand_in(&worktree, &modules, scratch.superprojects(), &all)?;
            }
        }
        Ok(cmd(&[]))
    }
}

/// The user's hook, and his file system monitor, have no business with files of ours.
const UNSEEN: [&str; 4] = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];

/// This git is older than 2.41 and has no `--attr-source`. Found out by trying, which costs a newer one no process.
static LACKS_ATTR_SOURCE: AtomicBool = AtomicBool::new(false);

/// Whether that is all that was wrong. It is remembered.
fn knows_no_attr_source(output: &Output) -> bool {
    let found = output.code() == USAGE && output.stderr.contains_str("--attr-source=");
    if found {
        LACKS_ATTR_SOURCE.store(true, Ordering::Relaxed);
    }
    found
}

fn no_answer(tip: ObjectId) -> Failure {
    Failure::fatal(format!("git merge-tree gave no answer for {tip}"))
}

/// All merges with the same attributes together, but not so many that another processor has nothing to do.
fn batches(pairs: &[(ObjectId, ObjectId)], attributes: Option<ObjectId>, processors: usize) -> Vec<Batch> {
    let of = |at: usize| attributes.unwrap_or(pairs[at].1);
    let mut places: Vec<usize> = (0..pairs.len()).collect();
    places.sort_by_key(|at| of(*at));
    let size = pairs.len().div_ceil(processors).max(MIN_BATCH);
    places
        .chunk_by(|a, b| of(*a) == of(*b))
        .flat_map(|same| same.chunks(size))
        .map(|places| Batch { attributes: of(places[0]), places: places.to_vec() })
        .collect()
}
