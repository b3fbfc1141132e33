//! Who waits for a slot, in the order of arrival.
//!
//! A ticket is a file that its process keeps locked, so that the kernel takes it away with the process. Tickets
//! are drawn under the state lock. Who waits looks at the configuration, which changes whenever a slot is given
//! back, and at the intents, not oftener than some times a second.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::desk::Desk;
use crate::error::{Failure, OrFatal, Result};
use crate::interrupt;

/// How long `--wait` waits if no time is given.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10 * 60);

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A place in the queue, kept while this lives.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    path: PathBuf,
    _locked: File,
}

fn dir(desk: &Desk<'_>) -> PathBuf {
    desk.repo.state_dir().join("pool-queue")
}

/// Draws the next number.
///
/// # Errors
/// If it can't be written.
pub fn draw(desk: &Desk<'_>) -> Result<Ticket> {
    let _held = desk.lock()?;
    let dir = dir(desk);
    let failed = || format!("could not write in '{}'", dir.display());
    fs::create_dir_all(&dir).or_fatal(failed)?;
    let number = numbers(desk).into_iter().max().unwrap_or(0) + 1;
    let path = dir.join(number.to_string());
    let file = OpenOptions::new().write(true).create_new(true).open(&path).or_fatal(failed)?;
    file.lock().or_fatal(failed)?;
    Ok(Ticket { number, path, _locked: file })
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The numbers of those who live; the tickets of others go.
fn numbers(desk: &Desk<'_>) -> Vec<u64> {
    let entries = fs::read_dir(dir(desk)).into_iter().flatten().flatten();
    let named = entries.filter_map(|e| Some((e.file_name().to_str()?.parse::<u64>().ok()?, e.path())));
    let lives = |path: &PathBuf| match File::open(path).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => true,
        Ok(_) => {
            let _ = fs::remove_file(path);
            false
        }
        Err(_) => false,
    };
    named.filter(|(_, path)| lives(path)).map(|(number, _)| number).collect()
}

/// How many wait and came before: before the holder of this ticket, or all of them.
pub fn before(desk: &Desk<'_>, ticket: Option<&Ticket>) -> usize {
    let limit = ticket.map_or(u64::MAX, |t| t.number);
    numbers(desk).into_iter().filter(|n| *n < limit).count()
}

/// Waits until something has changed since `seen`, or for a while in any case: leases end by themselves.
///
/// # Errors
/// Interrupted; or with 1 at `end`.
pub fn wait(desk: &Desk<'_>, seen: Seen, end: Instant) -> Result<()> {
    const WHILE: Duration = Duration::from_secs(1);
    let started = Instant::now();
    while look(desk) == seen && started.elapsed() < WHILE {
        interrupt::check()?;
        if Instant::now() >= end {
            return Err(Failure::negative("no slot became free in time")
                .hint("poolFull", "See 'git pool list' for who holds them; raise pool.max for more."));
        }
        std::thread::sleep(PAUSE.min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

/// What changes when a slot may have become free.
pub type Seen = [Option<SystemTime>; 3];

/// Looks at it.
pub fn look(desk: &Desk<'_>) -> Seen {
    let dir = desk.repo.state_dir();
    let changed = |path: PathBuf| fs::metadata(path).and_then(|m| m.modified()).ok();
    [desk.repo.common_dir().join("config"), dir.join("intents"), dir.join("pool-queue")].map(changed)
}
