//! Counting changes with gix, one repository handle for all worktrees.
//!
//! A handle for each worktree would parse the configuration, which has a section for every task, once for
//! every task. So one handle, opened by the command, is pointed at one worktree after the other, and whatever
//! could make a worktree's configuration its own (`config.worktree`, `includeIf`) is left to git.
//!
//! Left to git as well, because gix answers differently or not at all: an index with submodules, with
//! skip-worktree, intent-to-add or unmerged entries, split, sparse or watched by a file system monitor; files
//! whose content goes through a filter driver; staged renames; file names that ignore case; an unborn or
//! unreadable HEAD; and every error.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::Flags;
use gix::status::plumbing::index_as_worktree::traits::FastEq;
use gix::status::plumbing::index_as_worktree::{Change, EntryStatus};
use gix::status::plumbing::index_as_worktree_with_renames as plumbing;
use gix::worktree::stack::state;

use super::settings::{Renames, Settings};
use super::walk;
use crate::git::worktree::{Head, Worktree};
use crate::git::{Repo, index_header};

/// With more tracked files than this, and a processor that would have nothing to do, `git status` is faster,
/// because it shares one worktree out to all processors; with as many worktrees as processors it never is.
///
/// Time of one `git status` after the other (in brackets: as many at a time as there are processors) as a
/// multiple of ours, two processors, everything cached, a third of the worktrees changed:
///
/// | tracked files | 100 | 300 | 1,000 | 5,000 | 40,000 |
/// | --- | --- | --- | --- | --- | --- |
/// | 1 worktree | 3.6 | | 1.5 | 1.0 | 0.8 |
/// | 2 worktrees | 4.6 (2.8) | | 1.5 (1.05) | 1.6 (1.1) | 1.5 (1.1) |
/// | 500 worktrees, a config section for each | | 7.9 (4.1) | | | |
const MAX_ENTRIES_ALONE: u32 = 5_000;

/// What every thread needs to know.
pub(super) struct Counter<'a> {
    repo: &'a Repo,
    gix: gix::ThreadSafeRepository,
    settings: Settings,
    /// A filter driver is configured, so content may have to go through one.
    has_drivers: bool,
    /// Indexes with more entries are left to git.
    max_entries: u32,
}

/// One thread's handle.
pub(super) struct Reader<'a> {
    counter: &'a Counter<'a>,
    gix: gix::Repository,
}

impl<'a> Counter<'a> {
    /// None if this repository as a whole is better left to git. With `idle`, there are processors without a
    /// worktree.
    pub(super) fn new(repo: &'a Repo, idle: bool) -> Option<Self> {
        let mut gix = repo.gix();
        let settings = Settings::of(repo, &gix)?;
        let max_entries = if idle { MAX_ENTRIES_ALONE } else { u32::MAX };
        let has_drivers = remove_drivers(&mut gix)?;
        Some(Counter { repo, gix: gix.into_sync(), settings, has_drivers, max_entries })
    }

    pub(super) fn reader(&'a self) -> Reader<'a> {
        let mut gix = self.gix.to_thread_local();
        gix.object_cache_size_if_unset(4 << 20);
        Reader { counter: self, gix }
    }
}

/// Takes the filter drivers out of the configuration, so that gix never runs one, and says whether there
/// were any.
fn remove_drivers(gix: &mut gix::Repository) -> Option<bool> {
    let mut config = gix.config_snapshot_mut();
    let ids: Vec<_> = config
        .sections_and_ids_by_name("filter")
        .map(|all| all.map(|(_, id)| id).collect())
        .unwrap_or_default();
    for id in &ids {
        config.remove_section_by_id(*id);
    }
    config.commit().ok()?;
    Some(!ids.is_empty())
}

impl Reader<'_> {
    /// The number of changes, or nothing if git has to be asked.
    pub(super) fn count(&mut self, worktree: &Worktree) -> Option<usize> {
        if self.counter.settings.worktree_config && worktree.git_dir.join("config.worktree").exists() {
            return None;
        }
        if self.counter.settings.main_is_elsewhere && worktree.is_main {
            return None;
        }
        let mut index = self.index(worktree)?;
        let mut tracked = HashSet::new();
        self.staged(&index, self.head_tree(worktree)?, &mut tracked)?;
        self.gix.set_workdir(worktree.path.clone()).ok()?;
        let found = walk::walk(&self.gix, &index)?;
        let clean = found.clean.len();
        for at in found.clean {
            index.entries_mut()[at].flags |= Flags::UPTODATE;
        }
        if clean < index.entries().len() {
            tracked.extend(self.unstaged(&index)?);
        }
        Some(tracked.len() + found.untracked)
    }

    /// The tracked files that differ from the index, with their contents read where necessary. What is marked
    /// as up to date is not looked at.
    fn unstaged(&self, index: &gix::index::State) -> Option<Vec<BString>> {
        let mut seen = Seen::default();
        // Other threads are busy with other worktrees.
        let options = gix::status::index_worktree::Options { thread_limit: Some(1), ..Default::default() };
        self.gix
            .index_worktree_status(
                index,
                None::<&BStr>,
                &mut seen,
                FastEq,
                NoSubmodules,
                &mut gix::progress::Discard,
                &AtomicBool::new(false),
                options,
            )
            .ok()?;
        let unclear = seen.unclear || (self.counter.has_drivers && self.any_driver(index, &seen.compared)?);
        (!unclear).then_some(seen.changed)
    }

    /// This worktree's own index, if gix understands all of it.
    fn index(&self, worktree: &Worktree) -> Option<gix::index::File> {
        let path = worktree.git_dir.join("index");
        if index_header::entries_in(&path)? > self.counter.max_entries {
            return None;
        }
        let decode = gix::index::decode::Options { thread_limit: Some(1), ..Default::default() };
        // git doesn't check the hash either when it only reads (`verify_index_checksum`).
        let index = gix::index::File::at(path, self.gix.object_hash(), true, decode).ok()?;
        let strange = Flags::SKIP_WORKTREE | Flags::INTENT_TO_ADD | Flags::FSMONITOR_VALID;
        let unlike_git = index_header::is_split(&worktree.git_dir)?
            || index.is_sparse()
            || index.fs_monitor().is_some()
            || index.entries().iter().any(|entry| {
                entry.stage_raw() != 0
                    || entry.mode.is_submodule()
                    || entry.flags.intersects(strange)
                    // git has marked it as "look again"; gix takes an emptied file for unchanged then.
                    || (entry.stat.size == 0 && !entry.id.is_empty_blob())
            });
        (!unlike_git).then_some(index)
    }

    fn head_tree(&self, worktree: &Worktree) -> Option<ObjectId> {
        let commit = match &worktree.head {
            Head::Branch(name) if name.starts_with("refs/heads/") => {
                self.counter.repo.find_ref(name).ok()??
            }
            Head::Detached(id) => *id,
            _ => return None,
        };
        Some(self.gix.find_commit(commit).ok()?.tree_id().ok()?.detach())
    }

    /// Adds the paths that differ between HEAD and the index.
    fn staged(&self, index: &gix::index::State, tree: ObjectId, paths: &mut HashSet<BString>) -> Option<()> {
        // git keeps the tree that the index would make, as long as it knows; usually it is HEAD's.
        let cached =
            index.tree().filter(|root| root.num_entries.is_some_and(|n| n as usize == index.entries().len()));
        if cached.is_some_and(|root| root.id == tree) {
            return Some(());
        }
        let (mut added, mut deleted) = (false, false);
        let renames = gix::status::tree_index::TrackRenames::Disabled;
        self.gix
            .tree_index_status(&tree, index, None, renames, |change, _, _| {
                use gix::diff::index::ChangeRef;
                added |= matches!(change, ChangeRef::Addition { .. });
                deleted |= matches!(change, ChangeRef::Deletion { .. });
                paths.insert(change.fields().0.to_owned());
                Ok(std::ops::ControlFlow::Continue(()))
            })
            .ok()?;
        // What git would show as one renamed file.
        let unclear = match self.counter.settings.renames {
            Renames::Off => false,
            Renames::On => added && deleted,
            Renames::Copies => added,
        };
        (!unclear).then_some(())
    }

    /// Whether one of these paths is given to a filter driver.
    fn any_driver(&self, index: &gix::index::State, paths: &[BString]) -> Option<bool> {
        if paths.is_empty() {
            return Some(false);
        }
        let source = state::attributes::Source::WorktreeThenIdMapping;
        let mut stack = self.gix.attributes_only(index, source).ok()?;
        let mut found = stack.selected_attribute_matches(["filter"]);
        for path in paths {
            let platform = stack.at_entry(path.as_bstr(), Some(gix::index::entry::Mode::FILE)).ok()?;
            if platform.matching_attributes(&mut found)
                && found.iter_selected().any(|m| matches!(m.assignment.state, gix::attrs::StateRef::Value(_)))
            {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// Collects what gix finds.
#[derive(Default)]
struct Seen {
    changed: Vec<BString>,
    /// Files whose content was looked at.
    compared: Vec<BString>,
    unclear: bool,
}

impl<'index> plumbing::VisitEntry<'index> for Seen {
    type ContentChange = ();
    type SubmoduleStatus = ();

    fn visit_entry(&mut self, entry: plumbing::Entry<'index, (), ()>) {
        match entry {
            plumbing::Entry::Modification { rela_path, status, .. } => match status {
                EntryStatus::NeedsUpdate(_) => self.compared.push(rela_path.to_owned()),
                EntryStatus::Change(change) => {
                    if matches!(change, Change::Modification { .. }) {
                        self.compared.push(rela_path.to_owned());
                    }
                    self.changed.push(rela_path.to_owned());
                }
                EntryStatus::Conflict { .. } | EntryStatus::IntentToAdd => self.unclear = true,
            },
            plumbing::Entry::DirectoryContents { .. } | plumbing::Entry::Rewrite { .. } => {
                self.unclear = true
            }
        }
    }
}

/// An index with submodules never comes this far.
#[derive(Clone)]
struct NoSubmodules;

impl gix::status::plumbing::index_as_worktree::traits::SubmoduleStatus for NoSubmodules {
    type Output = ();

    fn status(&mut self, _: &gix::index::Entry, _: &BStr) -> gix::Result<Option<()>> {
        Ok(None)
    }
}
