//! The configuration that decides whether gix may count, and how.

use gix::bstr::{BStr, ByteSlice};
use std::path::PathBuf;

use crate::git::Repo;
use crate::paths::path_from;

/// Sections that say nothing about the state of a worktree. Whatever is not here might.
const HARMLESS: &[&str] = &[
    "advice",
    "alias",
    "author",
    "branch",
    "color",
    "column",
    "commit",
    "committer",
    "credential",
    "fetch",
    "format",
    "gpg",
    "help",
    "http",
    "init",
    "interactive",
    "log",
    "mailmap",
    "merge",
    "mergetool",
    "pager",
    "pull",
    "push",
    "rebase",
    "remote",
    "rerere",
    "sendemail",
    "sequence",
    "ssh",
    "tag",
    "url",
    "user",
];

/// What matters beside what gix heeds by itself.
pub(super) struct Settings {
    /// `extensions.worktreeConfig`: a worktree may have configuration of its own.
    pub(super) worktree_config: bool,
    /// `core.worktree` is set, so that the main worktree's repository may be anywhere inside of it.
    pub(super) main_is_elsewhere: bool,
    pub(super) renames: Renames,
}

/// How staged renames are found: `status.renames`, else `diff.renames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renames {
    Off,
    On,
    Copies,
}

impl Settings {
    /// None if this repository as a whole is better left to git.
    pub(super) fn of(repo: &Repo, gix: &gix::Repository) -> Option<Self> {
        let config = gix.config_snapshot();
        let is_true = |key: &str| config.boolean(key).unwrap_or(false);
        let worktree_config = is_true("extensions.worktreeConfig");
        // `true`, or the path of a hook.
        let monitored =
            config.string("core.fsmonitor").is_some() && config.boolean("core.fsmonitor") != Some(false);
        let unlike_git = monitored
            || !repo.has_files_backend()
            || is_true("core.ignoreCase")
            || is_true("core.sparseCheckout")
            || config.string("attr.tree").is_some()
            || (worktree_config && repo.git_dir().join("config.worktree").exists())
            || !conditions_are_harmless(config.plumbing());
        if unlike_git {
            return None;
        }
        let renames = ["status.renames", "diff.renames"].into_iter().find_map(|key| {
            let value = config.string(key)?;
            Some(match config.boolean(key) {
                Some(false) => Renames::Off,
                _ if value.to_ascii_lowercase().starts_with(b"cop") => Renames::Copies,
                _ => Renames::On,
            })
        });
        Some(Settings {
            worktree_config,
            main_is_elsewhere: config.string("core.worktree").is_some(),
            renames: renames.unwrap_or(Renames::On),
        })
    }
}

/// Whether it is all the same for our purpose which of the `includeIf` files are included: the conditions may
/// hold in one worktree and not in another, but most of these files set no more than a name and a key.
fn conditions_are_harmless(config: &gix::config::File) -> bool {
    let Some(mut conditions) = config.sections_by_name("includeIf") else { return true };
    conditions.all(|section| {
        let beside = section.meta().path.as_deref();
        section.values("path").iter().all(|path| {
            let Some(file) = included(path.as_bstr(), beside) else { return false };
            match gix::config::File::from_path_no_includes(file.clone(), section.meta().source) {
                Ok(included) => included.sections().all(|section| {
                    HARMLESS.iter().any(|name| section.header().name().eq_ignore_ascii_case(name.as_bytes()))
                }),
                Err(_) => !file.exists(),
            }
        })
    })
}

/// The file that an `include` means; see "Includes" in git-config(1). None for the rarer ways to write it.
fn included(path: &BStr, beside: Option<&std::path::Path>) -> Option<PathBuf> {
    match path.strip_prefix(b"~/") {
        Some(rest) => Some(gix::path::env::home_dir()?.join(path_from(rest))),
        None if path.starts_with(b"~") || path.starts_with(b"%(") => None,
        None => Some(beside?.parent()?.join(path_from(path))),
    }
}
