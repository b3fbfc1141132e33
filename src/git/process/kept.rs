//! A file that the children keep open.

use std::cell::RefCell;
use std::fs::File;

thread_local! {
    /// What the git commands of this thread keep open: the last of them.
    static KEPT_OPEN: RefCell<Vec<File>> = const { RefCell::new(Vec::new()) };
}

/// Does `work`, and each git command that it starts keeps `file` open, and with it the lock on it, for as long as
/// that command runs, even if we are killed meanwhile.
///
/// It is their standard input: git hands it down to the git commands that it starts, but never to a hook, a
/// filter or a daemon, which may run on for ever. Nothing is read from it, because it stands at its end.
pub fn keeping_open<T>(file: &File, work: impl FnOnce() -> T) -> T {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            KEPT_OPEN.with_borrow_mut(Vec::pop);
        }
    }
    // Without another handle, which only a full table of files refuses, all is as if we were not killed.
    let Ok(handle) = file.try_clone() else { return work() };
    KEPT_OPEN.with_borrow_mut(|all| all.push(handle));
    let _last = Last;
    work()
}

/// Another handle of what a git command that this thread starts now keeps open: a thread that works for it hands
/// it to [`keeping_open`].
pub fn last() -> Option<File> {
    KEPT_OPEN.with_borrow(|all| all.last().and_then(|file| file.try_clone().ok()))
}
