//! git-parallel: many pieces of work in one repository at once, each with its branch, its worktree and its note.
//!
//! Three small programs, `git-task`, `git-pool` and `git-integrate`, share this crate. It is made for them and
//! for its tests; it promises nothing to other crates.
//!
//! # Layers
//!
//! Each may use those to its right, and the leaves at the end; a test reads the paths in the source and fails
//! on an arrow against this.
//!
//! ```text
//! bin -> cli -> commands -> {schedule, integrate} -> {task, pool} -> desk -> config -> {store, git}
//! ```
//!
//! - [`cli`]: the command lines; completion, parsing, dispatch, exit codes.
//! - [`commands`]: one file for each subcommand: arguments, domain, rendering. Only here and in `cli` is [`ui`]
//!   seen.
//! - [`integrate`]: which tasks, in which order, merged in private and published at once.
//! - [`schedule`]: sessions, the commands that work on tasks, and the run of many in the order of their graph.
//! - [`task`] and [`pool`]: the domain, which don't know each other. It returns values, and reports to an
//!   [observer](desk::Observer) meanwhile.
//! - [`desk`]: what the domain works with: the repository, its settings, the observer; what a new worktree is
//!   furnished with.
//! - [`config`]: git config and the team file, resolved once into typed settings.
//! - [`store`]: what lasts: metadata in git config, locks, atomic files, intents, the trash.
//! - [`git`]: everything that touches git. gix reads; git writes whatever has hooks, filters, drivers, signing
//!   or submodules behind it.
//! - [`ui`]: streams, colour, tables, prompts, porcelain and JSON.
//! - leaves: [`bounded`], [`context`], [`duration`], [`error`], [`interrupt`], [`paths`], [`text`], [`toml_file`].
//!
//! # Invariants
//!
//! 1. Work is never lost. Before a reference, a file or a worktree goes, what it alone held is pinned under
//!    `refs/task-trash/`.
//! 2. Intent, effect, completion: nothing is changed before a record says what is about to change, and the
//!    record goes last.
//! 3. Our own lock is an OS lock, which the kernel frees with the process. It is held for reading and writing
//!    metadata, never while git works or a command runs.
//! 4. Files are replaced by write, sync and rename. References move by compare-and-swap.
//! 5. What can be derived is never stored.
//! 6. A child process gets an argument vector, and none of git's repository-local variables.
//! 7. Time and the environment come from [`context`], so that tests can fix them.

pub mod bounded;
pub mod cli;
pub mod commands;
pub mod config;
pub mod context;
pub mod desk;
pub mod duration;
pub mod error;
pub mod git;
pub mod integrate;
pub mod interrupt;
pub mod paths;
pub mod pool;
pub mod schedule;
pub mod store;
pub mod task;
pub mod text;
pub mod toml_file;
pub mod ui;
