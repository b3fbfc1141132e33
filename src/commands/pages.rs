//! The pages of the manual, as they are kept in `man/`.

/// Each name with the text of the page.
macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../man/", $name)))),*]
    };
}

/// The manual: every page by its name, in the order of the names.
pub const PAGES: &[(&str, &str)] = &pages![
    "git-integrate.1",
    "git-parallel-config.5",
    "git-parallel.7",
    "git-pool-claim.1",
    "git-pool-drain.1",
    "git-pool-fill.1",
    "git-pool-init.1",
    "git-pool-list.1",
    "git-pool-release.1",
    "git-pool-renew.1",
    "git-pool-repair.1",
    "git-pool.1",
    "git-task-add.1",
    "git-task-block.1",
    "git-task-completion.1",
    "git-task-diff.1",
    "git-task-install-completions.1",
    "git-task-install-man.1",
    "git-task-list.1",
    "git-task-lock.1",
    "git-task-log.1",
    "git-task-move.1",
    "git-task-note.1",
    "git-task-overlap.1",
    "git-task-patch.1",
    "git-task-path.1",
    "git-task-prompt.1",
    "git-task-prune.1",
    "git-task-ready.1",
    "git-task-rename.1",
    "git-task-reopen.1",
    "git-task-repair.1",
    "git-task-restore.1",
    "git-task-rm.1",
    "git-task-run.1",
    "git-task-shell.1",
    "git-task-show.1",
    "git-task-start.1",
    "git-task-stop.1",
    "git-task-sync.1",
    "git-task-trust.1",
    "git-task-unlock.1",
    "git-task-watch.1",
    "git-task.1",
];
