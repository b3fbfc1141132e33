//! Refilling in the background: whether it is needed, one at a time, with a log that is kept if it failed.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::{Pool, State};
use crate::desk::Desk;
use crate::error::{OrFatal, Result};
use crate::git::process::detached;

/// What the last refill that failed had to say.
pub fn log(desk: &Desk<'_>) -> PathBuf {
    desk.repo.state_dir().join("pool-refill.log")
}

/// Whether there are fewer idle slots than `pool.size`, and room for another.
///
/// # Errors
/// If the pool can't be read.
pub fn is_needed(desk: &Desk<'_>) -> Result<bool> {
    let Some(size) = desk.settings.pool.size else { return Ok(false) };
    let pool = Pool::read(desk.repo)?;
    let now = desk.context.now();
    let idle = pool.slots.iter().filter(|s| s.state(now) == State::Idle).count();
    Ok(idle < size && pool.slots.len() + pool.bad.len() < desk.settings.pool.max)
}

/// Starts a refill that goes on when we end.
///
/// # Errors
/// If it can't be started.
pub fn start(desk: &Desk<'_>) -> Result<()> {
    let beside = desk.context.bin_dir("git-pool").map(|dir| dir.join("git-pool")).ok();
    let program = beside.filter(|p| p.exists()).unwrap_or_else(|| PathBuf::from("git-pool"));
    let log = log(desk);
    let (home, git_dir) = (desk.repo.home(), desk.repo.common_dir());
    detached(REFILL, &[program.as_os_str(), home.as_os_str(), git_dir.as_os_str(), log.as_os_str()])
}

/// What it says goes into a file of its own, which becomes the log if it failed.
const REFILL: &str = r#"
cd "$2" || exit
out=$(dirname "$4")/.pool-refill.tmp-$$
if GIT_DIR=$3 "$1" fill --quiet --background >"$out" 2>&1
then rm -f "$out"
else mv -f "$out" "$4"
fi"#;

/// The right to refill, while this lives.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is the lock")] File);

/// Takes the turn; none if another process has it.
///
/// # Errors
/// If the lock can't be opened.
pub fn take_turn(desk: &Desk<'_>) -> Result<Option<Turn>> {
    let path = desk.repo.state_dir().join("pool-refill.turn");
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.or_fatal(|| format!("could not open '{}'", path.display()))?;
    Ok(file.try_lock().is_ok().then_some(Turn(file)))
}

/// Forgets that the last refill failed.
pub fn forget_log(desk: &Desk<'_>) {
    let _ = fs::remove_file(log(desk));
}

/// The log of the last refill, if it failed.
pub fn failed(desk: &Desk<'_>) -> Option<PathBuf> {
    Some(log(desk)).filter(|path: &PathBuf| Path::exists(path))
}
