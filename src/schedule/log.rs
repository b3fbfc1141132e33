//! What a session prints, kept within `task.logLimit`: what came first goes.
//!
//! A log is one file or several: `<n>.log`, then `<n>+<offset>.log`, each beginning that many bytes after the
//! beginning of everything that was printed. So their names say what has gone, and where a reader is.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{OrFatal, Result};

/// A log has at most so many files, each with an equal share of the limit.
const PARTS: u64 = 4;

/// A log that is being written.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    number: u64,
    limit: u64,
    /// The parts that are there, by where they begin. The last is being written.
    parts: VecDeque<u64>,
    /// Absent when there was no room for one.
    file: Option<File>,
    /// Bytes in the parts, those that are gone included.
    end: u64,
    lost: u64,
}

impl Log {
    /// Begins the log of a session. With a limit of 0 nothing is kept.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn create(dir: &Path, number: u64, limit: u64) -> Result<Self> {
        let path = part(dir, number, 0);
        let file = create(&path).or_fatal(|| format!("could not create '{}'", path.display()))?;
        Ok(Log {
            dir: dir.to_owned(),
            number,
            limit,
            parts: VecDeque::from([0]),
            file: Some(file),
            end: 0,
            lost: 0,
        })
    }

    /// Appends. What can't be written is counted, and the session goes on.
    pub fn write(&mut self, mut bytes: &[u8]) {
        if self.limit == 0 {
            return;
        }
        let share = (self.limit / PARTS).max(1);
        while !bytes.is_empty() {
            let begun = *self.parts.back().expect("one part is being written");
            let room = usize::try_from(share.saturating_sub(self.end - begun)).unwrap_or(usize::MAX);
            if room == 0 {
                self.begin_part(share);
                continue;
            }
            match self.file.as_mut().map(|file| file.write(&bytes[..bytes.len().min(room)])) {
                Some(Ok(length @ 1..)) => {
                    self.end += length as u64;
                    bytes = &bytes[length..];
                }
                Some(Err(e)) if e.kind() == std::io::ErrorKind::Interrupted => {}
                _ => {
                    self.lost += bytes.len() as u64;
                    return;
                }
            }
        }
    }

    fn begin_part(&mut self, share: u64) {
        // First, so that there is room on a disk that is full.
        while !self.parts.is_empty() && self.end - self.parts[0] + share > self.limit {
            self.drop_first();
        }
        self.file = create(&part(&self.dir, self.number, self.end)).ok();
        self.parts.push_back(self.end);
    }

    /// Gives up the oldest part, or the contents of the only one.
    pub fn make_room(&mut self) {
        match (self.parts.len(), &self.file) {
            (1, Some(file)) => drop(file.set_len(0)),
            _ => self.drop_first(),
        }
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.parts.pop_front() {
            let _ = fs::remove_file(part(&self.dir, self.number, first));
        }
    }

    /// Bytes that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// The file of a part of a log.
pub fn part(dir: &Path, number: u64, begin: u64) -> PathBuf {
    match begin {
        0 => dir.join(format!("{number}.log")),
        _ => dir.join(format!("{number}+{begin}.log")),
    }
}
