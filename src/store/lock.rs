//! Our own mutual exclusion: an OS lock on one file in the common directory.
//!
//! - Who takes it: whoever reads metadata in order to write it. Readers that only show take none.
//! - How long: for reading and writing metadata; never while git works or a command runs.
//! - Who frees it: the drop of [`StateLock`], or the kernel when the process dies. The file stays; it is never
//!   stale, because the file is not the lock.
//! - How long one waits: `task.lockTimeout`; then the failure names the holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Failure, OrFatal, Result};
use crate::interrupt;

/// The lock, while it is held.
#[derive(Debug)]
pub struct StateLock {
    _file: FileLock,
}

impl StateLock {
    /// Takes the lock in `state_dir`, which is made if need be.
    ///
    /// # Errors
    /// If another process holds it for longer than `limit`.
    pub fn acquire(state_dir: &Path, limit: Duration) -> Result<Self> {
        Self::take(state_dir, limit, false)
    }

    /// As [`StateLock::acquire`], for whoever changes nothing: the repository need not be writable.
    ///
    /// # Errors
    /// As [`StateLock::acquire`].
    pub fn acquire_to_look(state_dir: &Path, limit: Duration) -> Result<Self> {
        Self::take(state_dir, limit, true)
    }

    fn take(state_dir: &Path, limit: Duration, to_look: bool) -> Result<Self> {
        let path = state_dir.join("lock");
        match FileLock::take(&path, limit, to_look)? {
            Ok(file) => Ok(StateLock { _file: file }),
            Err(holder) => Err(held_by_another(&path, limit, &holder)),
        }
    }
}

/// An OS lock on a file, while it is held.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Takes the lock on the file at `path`, which is made if need be; or says who holds it for longer than
    /// `limit`.
    ///
    /// # Errors
    /// If the file can't be made or locked, or the user interrupts the waiting.
    pub fn acquire(path: &Path, limit: Duration) -> Result<std::result::Result<Self, String>> {
        Self::take(path, limit, false)
    }

    /// As [`FileLock::acquire`], for whoever changes nothing: the file need not be writable.
    ///
    /// # Errors
    /// As [`FileLock::acquire`].
    pub fn acquire_to_look(path: &Path, limit: Duration) -> Result<std::result::Result<Self, String>> {
        Self::take(path, limit, true)
    }

    fn take(path: &Path, limit: Duration, to_look: bool) -> Result<std::result::Result<Self, String>> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)
                .or_fatal(|| format!("could not create directory '{}'", dir.display()))?;
        }
        let mut file = open(path, to_look).or_fatal(|| format!("could not open '{}'", path.display()))?;
        let started = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => {
                    return Err(e).or_fatal(|| format!("could not lock '{}'", path.display()));
                }
                Err(TryLockError::WouldBlock) => {
                    interrupt::check()?;
                    if started.elapsed() >= limit {
                        return Ok(Err(holder_of(&mut file)));
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
            }
        }
        // Only for the message that another one prints while it waits: nothing depends on it.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Ok(FileLock { file }))
    }

    /// Does `work`, and the git commands that it starts hold the lock too, for as long as they run.
    pub fn shared_while<T>(&self, work: impl FnOnce() -> T) -> T {
        crate::git::process::keeping_open(&self.file, work)
    }
}

/// Opens the file; for whoever only looks, it need not be writable.
fn open(path: &Path, to_look: bool) -> std::io::Result<File> {
    if to_look && let Ok(file) = File::open(path) {
        return Ok(file);
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        // Closing would free it too; a child that was started meanwhile can't keep it this way.
        let _ = self.file.unlock();
    }
}

fn holder_of(file: &mut File) -> String {
    let mut holder = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut holder));
    match read {
        Ok(_) if !holder.trim().is_empty() => format!("process {}", holder.trim()),
        _ => "another process".to_owned(),
    }
}

fn held_by_another(path: &Path, limit: Duration, who: &str) -> Failure {
    Failure::fatal(format!("could not lock '{}' in {} s: {who} holds it", path.display(), limit.as_secs()))
        .hint(
            "taskLock",
            "The lock is freed when that process ends. Wait for it, end it, or raise task.lockTimeout.",
        )
}
