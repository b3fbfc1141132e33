//! What a session prints, kept within `task.logLimit`: what came first goes.
//!
//! A log is one file or several: `<n>.log`, then `<n>+<offset>.log`, each beginning that many bytes after the
//! beginning of everything that was printed. So their names say what has gone, and where a reader is.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
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

/// A log that is being read, perhaps while it is written.
#[derive(Debug)]
pub struct Reading {
    dir: PathBuf,
    number: u64,
    /// How far it has come, from the beginning of everything that was printed.
    at: u64,
    /// The part that is being read, and where that begins.
    part: Option<(u64, File)>,
}

/// A step of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes before this step that are not there any more.
    pub gap: u64,
    /// Bytes that were read; none if there is no more for now.
    pub length: usize,
}

impl Reading {
    /// From the beginning of what is there.
    pub fn new(dir: &Path, number: u64) -> Self {
        Reading { dir: dir.to_owned(), number, at: 0, part: None }
    }

    /// Reads the next piece.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Step> {
        let mut gap = 0;
        loop {
            if let Some((_, file)) = &mut self.part {
                let length = file.read(buffer).or_fatal(|| "could not read a log")?;
                if length > 0 {
                    self.at += length as u64;
                    return Ok(Step { gap, length });
                }
            }
            let begun = self.part.as_ref().map(|(begin, _)| *begin);
            let all = parts(&self.dir, self.number);
            let here = all.iter().rev().find(|begin| **begin <= self.at);
            let next = match here.or(all.first()) {
                Some(next) if begun.is_none_or(|begun| *next > begun) => *next,
                _ => return Ok(Step { gap, length: 0 }),
            };
            gap += next.saturating_sub(self.at);
            self.at = self.at.max(next);
            self.part = self.open(next)?;
        }
    }

    /// Opens a part where reading goes on. None if it has just gone.
    fn open(&self, begin: u64) -> Result<Option<(u64, File)>> {
        let path = part(&self.dir, self.number, begin);
        let opened = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.at - begin))?;
            Ok(file)
        });
        match opened {
            Ok(file) => Ok(Some((begin, file))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
        }
    }
}

/// Where the parts of a log begin that are there, in order.
fn parts(dir: &Path, number: u64) -> Vec<u64> {
    let begin = |name: &str| {
        let rest = name.strip_suffix(".log")?.strip_prefix(&number.to_string())?;
        match rest.strip_prefix('+') {
            Some(begin) => begin.parse().ok(),
            None => rest.is_empty().then_some(0),
        }
    };
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.file_name());
    let mut all: Vec<u64> = names.filter_map(|name| begin(name.to_str()?)).collect();
    all.sort_unstable();
    all
}

/// Whether a session has a log.
pub fn exists(dir: &Path, number: u64) -> bool {
    !parts(dir, number).is_empty()
}

/// The last of a task's sessions that has a log.
pub fn last(dir: &Path) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let stem = name.strip_suffix(".log")?;
        stem.split_once('+').map_or(stem, |(number, _)| number).parse().ok()
    };
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.file_name());
    names.filter_map(|name| number(name.to_str()?)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(reading: &mut Reading) -> (u64, String) {
        let (mut gaps, mut text) = (0, Vec::new());
        let mut buffer = [0; 7];
        loop {
            let step = reading.read(&mut buffer).unwrap();
            gaps += step.gap;
            text.extend_from_slice(&buffer[..step.length]);
            if step.length == 0 {
                return (gaps, String::from_utf8(text).unwrap());
            }
        }
    }

    #[test]
    fn what_came_first_goes_and_the_rest_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::create(dir.path(), 3, 100).unwrap();
        let mut printed = String::new();
        for i in 0..500 {
            let line = format!("{i}\n");
            printed.push_str(&line);
            log.write(line.as_bytes());
            let kept: u64 =
                fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
            assert!(kept <= 100, "{kept}");
        }
        let (gap, text) = rest(&mut Reading::new(dir.path(), 3));
        assert!(text.len() >= 75, "{}", text.len());
        assert_eq!(gap as usize + text.len(), printed.len());
        assert!(printed.ends_with(&text));
        assert_eq!((log.lost(), last(dir.path())), (0, Some(3)));
    }

    #[test]
    fn a_reader_goes_on_where_it_was_or_says_what_it_missed() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::create(dir.path(), 1, 40).unwrap();
        let mut reading = Reading::new(dir.path(), 1);
        assert_eq!(rest(&mut reading), (0, String::new()));
        log.write(b"0123456789abc");
        assert_eq!(rest(&mut reading), (0, "0123456789abc".to_owned()));
        log.write(b"def");
        assert_eq!(rest(&mut reading), (0, "def".to_owned()));
        log.write(&[b'.'; 100]);
        let (gap, text) = rest(&mut reading);
        assert_eq!(gap as usize + text.len(), 100);
        assert!(gap > 0);
        log.write(b"end");
        assert_eq!(rest(&mut reading), (0, "end".to_owned()));
    }

    #[test]
    fn without_a_limit_of_more_than_nothing_nothing_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::create(dir.path(), 1, 0).unwrap();
        log.write(b"gone");
        assert_eq!(rest(&mut Reading::new(dir.path(), 1)), (0, String::new()));
        let mut small = Log::create(dir.path(), 2, 1).unwrap();
        small.write(b"abc");
        assert_eq!(rest(&mut Reading::new(dir.path(), 2)), (2, "c".to_owned()));
    }
}
