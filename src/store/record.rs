//! Intents: what a command is about to do, written before it does it and removed when it is done.
//!
//! An intent is a file in git's config syntax that its process keeps locked for as long as it lives, and so do
//! the git commands that it starts, so that the kernel tells whether anybody is still at work on it; no process
//! id can be mistaken. Intents are made and settled
//! under the [state lock](super::lock).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice};

use super::atomic::Directory;
use super::lock::StateLock;
use crate::error::{OrFatal, Result};
use crate::git::process::keeping_open;
use crate::paths::{inside, is_no_place, path_from};

/// What one intent says: its kind (`add`, `rm`, …) and named values; a name may come several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The config section's name.
    pub kind: String,
    /// The values, in order.
    pub values: Vec<(String, BString)>,
}

impl Record {
    /// A record without values.
    pub fn new(kind: &str) -> Self {
        Record { kind: kind.to_owned(), values: Vec::new() }
    }

    /// Adds a value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<BString>) -> Self {
        self.values.push((key.to_owned(), value.into()));
        self
    }

    /// The last value of this name.
    pub fn get(&self, key: &str) -> Option<&BStr> {
        self.values.iter().rfind(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_bstr())
    }

    /// A value as text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|v| v.to_str_lossy().into_owned())
    }

    /// A value as a path.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.get(key).map(|v| path_from(v))
    }

    /// In git's config syntax.
    ///
    /// # Errors
    /// If a name is not a config key.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut file = gix::config::File::default();
        let mut section = file.new_section(&self.kind, None::<BString>).or_fatal(|| "bad record")?;
        for (key, value) in &self.values {
            section.push(key, Some(value.as_bstr())).or_fatal(|| "bad record")?;
        }
        Ok(file.to_bstring().into())
    }

    /// From git's config syntax: the first section.
    ///
    /// # Errors
    /// If it isn't that.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let meta = gix::config::file::Metadata::from(gix::config::Source::Api);
        let file = gix::config::File::from_bytes_no_includes(bytes, meta, Default::default())
            .or_fatal(|| "bad record")?;
        let mut record = Record::default();
        if let Some(section) = file.sections().next() {
            record.kind = section.header().name().to_str_lossy().into_owned();
            let mut seen: Vec<String> = Vec::new();
            for key in section.body().value_names() {
                if !seen.contains(&key) {
                    record.values.extend(section.body().values(&key).into_iter().map(|v| (key.clone(), v)));
                    seen.push(key);
                }
            }
        }
        Ok(record)
    }
}

/// An intent of this process. Dropped without [`Intent::done`] it stays on disk, abandoned, to be settled.
#[derive(Debug)]
pub struct Intent {
    path: PathBuf,
    locked: File,
}

/// An intent found on disk. As long as this value lives, an abandoned one can't be settled by anybody else.
#[derive(Debug)]
pub struct Found {
    /// What it is about, such as a task's name.
    pub name: String,
    /// What it says.
    pub record: Record,
    /// Its process is dead. As long as this value lives nobody else sees it so: one of several settles it.
    pub abandoned: bool,
    path: PathBuf,
    claimed: File,
}

impl Intent {
    /// Writes an intent about `name`. Whoever holds the state lock has looked that there is none.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(state_dir: &Path, _held: &StateLock, name: &str, record: &Record) -> Result<Self> {
        let dir = state_dir.join("intents");
        let path = dir.join(name);
        let failed = || format!("could not write '{}'", path.display());
        // Only for what another one says that it waits for: nothing depends on it.
        let bytes = match record.get("pid") {
            Some(_) => record.to_bytes()?,
            None => record.clone().with("pid", std::process::id().to_string()).to_bytes()?,
        };
        fs::create_dir_all(&dir).or_fatal(failed)?;
        let temporary = dir.join(format!(".{name}.tmp"));
        let write = || -> std::io::Result<File> {
            let directory = Directory::open(&dir)?;
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&temporary)?;
            file.lock()?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            directory.sync();
            Ok(file)
        };
        match write() {
            Ok(file) => Ok(Intent { path, locked: file }),
            Err(e) => {
                let _ = fs::remove_file(&temporary);
                Err(e).or_fatal(failed)
            }
        }
    }

    /// Does a part of what was intended. If we are killed, it counts as abandoned only when the git commands
    /// have ended too that were started meanwhile.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        keeping_open(&self.locked, work)
    }

    /// What was intended has been done, or undone.
    ///
    /// # Errors
    /// If the record can't be removed.
    pub fn done(self) -> Result<()> {
        fs::remove_file(&self.path).or_fatal(|| format!("could not remove '{}'", self.path.display()))
    }
}

impl Found {
    /// As [`Intent::during`].
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        keeping_open(&self.claimed, work)
    }

    /// This intent has been settled.
    ///
    /// # Errors
    /// If the record can't be removed.
    pub fn done(self) -> Result<()> {
        fs::remove_file(&self.path).or_fatal(|| format!("could not remove '{}'", self.path.display()))
    }
}

/// All intents on disk, those of living processes too.
///
/// # Errors
/// If the directory can't be read.
pub fn intents(state_dir: &Path, _held: &StateLock) -> Result<Vec<Found>> {
    let dir = state_dir.join("intents");
    let mut found = Vec::new();
    for path in inside(&dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // One that is gone meanwhile is done; a hidden one was never finished and says nothing.
        let mut file = match File::open(&path) {
            Err(e) if is_no_place(&e) => continue,
            opened => opened.or_fatal(|| format!("could not read '{}'", path.display()))?,
        };
        let abandoned = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(e)) => return Err(e).or_fatal(|| format!("could not lock '{name}'")),
        };
        // Its owner was done with it between our opening and our locking.
        if file.metadata().is_ok_and(|meta| meta.nlink() == 0) {
            continue;
        }
        if name.starts_with('.') {
            if abandoned {
                let _ = fs::remove_file(&path);
            }
            continue;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).or_fatal(|| format!("could not read '{}'", path.display()))?;
        found.push(Found { record: Record::from_bytes(&bytes)?, name, abandoned, path, claimed: file });
    }
    Ok(found)
}

/// An intent as one sees it who only looks.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it says.
    pub record: Record,
    /// Its process is dead.
    pub abandoned: bool,
}

/// The intents on disk, without the state lock and for showing only: they may be gone a moment later.
pub fn peek(state_dir: &Path) -> Vec<Seen> {
    let entries = fs::read_dir(state_dir.join("intents")).into_iter().flatten().flatten();
    let shown = entries.filter(|e| !e.file_name().as_encoded_bytes().starts_with(b"."));
    shown.filter_map(|e| look(&e.path()).ok().flatten()).collect()
}

/// The one about `name`, likewise.
///
/// # Errors
/// If it is there and can't be read.
pub fn peek_at(state_dir: &Path, name: &str) -> Result<Option<Seen>> {
    look(&state_dir.join("intents").join(name))
}

fn look(path: &Path) -> Result<Option<Seen>> {
    let failed = || format!("could not read '{}'", path.display());
    let mut file = match File::open(path) {
        Err(e) if is_no_place(&e) => return Ok(None),
        opened => opened.or_fatal(failed)?,
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).or_fatal(failed)?;
    // Shared, so that several who look don't take each other for the owner.
    let abandoned = file.try_lock_shared().is_ok();
    Ok(Some(Seen { record: Record::from_bytes(&bytes)?, abandoned }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_odd_values() {
        let record = Record::new("add")
            .with("path", "/a b/\"c\"\\d\n\te;#")
            .with("path", b"\xff\xfe ".as_slice())
            .with("empty", "");
        let bytes = record.to_bytes().unwrap();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), record);
    }
}
