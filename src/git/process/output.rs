//! What a command has said, and how it ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::error::Failure;
use crate::interrupt;

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, as it is.
    pub stdout: Vec<u8>,
    /// Its standard error, as it is.
    pub stderr: Vec<u8>,
    /// What the command is called in messages.
    pub(super) name: String,
}

impl Output {
    /// The exit code; a signal counts as 128 and its number, as a shell has it.
    pub fn code(&self) -> i32 {
        code_of(self.status)
    }

    /// The failure that this output describes.
    pub fn into_failure(self) -> Failure {
        if interrupt::requested() {
            return Failure::interrupted();
        }
        let text = String::from_utf8_lossy(&self.stderr);
        let said = last_words(&text).unwrap_or_else(|| match self.status.signal() {
            Some(signal) => format!("{} was killed by signal {signal}", self.name),
            None => format!("{} failed with exit code {}", self.name, self.code()),
        });
        // Everywhere else git names no directory, or the one it was asked for.
        let is_unlinked = said.starts_with("not a git repository: ") && said.contains("/worktrees/");
        let failure = Failure::fatal(said);
        if !is_unlinked {
            return failure;
        }
        failure.hint("taskUnlinked", "If the repository was moved, 'git task repair' tells its worktrees.")
    }
}

/// The exit code of a status; a signal counts as 128 and its number, as a shell has it.
pub fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// What git's standard error comes to: its `fatal:` and `error:` lines without prefix, else its last line.
fn last_words(stderr: &str) -> Option<String> {
    let stripped = |line: &str| {
        ["fatal: ", "error: "].iter().find_map(|prefix| line.strip_prefix(prefix)).map(str::to_owned)
    };
    let fatal: Vec<_> = stderr.lines().filter_map(stripped).collect();
    if !fatal.is_empty() {
        return Some(fatal.join("; "));
    }
    stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_git_lose_their_prefix_and_keep_their_words() {
        let text =
            "Preparing worktree (new branch 'x')\nerror: unable to write file a\nfatal: cannot create\n";
        assert_eq!(last_words(text).unwrap(), "unable to write file a; cannot create");
        assert_eq!(last_words("hook says no\n\n").unwrap(), "hook says no");
        assert_eq!(last_words("\n"), None);
    }
}
