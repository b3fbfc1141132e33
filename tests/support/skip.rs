//! Tests that can't run here say so where a person sees it.

use std::io::Write;

use super::sandbox;

/// Under this variable a missing tool is a failure. The checks of the project set it.
const NO_SKIP: &str = "GIT_PARALLEL_NO_SKIP";

/// Whether `tool` can be found from inside a sandbox. If not, says so, and panics where skips are
/// failures.
#[track_caller]
pub fn need(tool: &str) -> bool {
    let why = missing(tool, std::env::var_os(NO_SKIP).is_some_and(|v| v == "1"));
    why.iter().for_each(|why| skip(why));
    why.is_none()
}

/// Why a tool can't be used, if it can't.
///
/// # Panics
/// If it can't, and that is a failure.
#[track_caller]
pub fn missing(tool: &str, skip_is_failure: bool) -> Option<String> {
    if sandbox::find_program(tool).is_some() {
        return None;
    }
    let why = format!("{tool} is not installed");
    assert!(!skip_is_failure, "{why}, and {NO_SKIP}=1 makes that a failure");
    Some(why)
}

/// Whether the git under test is at least `major.minor`. An older git is no missing tool: a test
/// of what only newer gits have is skipped on it, visibly, wherever it runs.
pub fn need_git(major: u32, minor: u32) -> bool {
    let version = sandbox::git_under_test().version;
    let new_enough = version >= (major, minor);
    if !new_enough {
        skip(&format!("git {}.{} is older than {major}.{minor}", version.0, version.1));
    }
    new_enough
}

/// Says that a test is skipped, for a reason that no installation could mend.
pub fn skip(why: &str) {
    say(&format!("skipped: {why}"));
}

/// Writes a line that the test runner does not capture: it captures only the print macros, so a
/// write to the stream itself is seen without `--nocapture`.
pub fn say(line: &str) {
    // One write for the whole line, so that lines of parallel tests don't mix. If nobody reads
    // them any more, that is no reason to fail.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
