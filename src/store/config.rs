//! Metadata in the repository's own git config, changed many keys at a time.
//!
//! `git config` changes one key per process and gives up when `config.lock` is taken. Here a change of several
//! keys is one write: git's lock is taken, waited for, the file is read, edited without touching what else is
//! in it, synced and renamed.
//!
//! git's lock must not outlive a process that is killed while it holds it. So the lock is a hard link to a
//! file of ours: whoever comes next under our own lock sees by the link that `config.lock` is a leftover.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::bstr::{BStr, BString, ByteSlice};

use super::lock::StateLock;
use crate::error::{Failure, OrFatal, Result};
use crate::git::Repo;
use crate::interrupt;

/// One `[section "name"]` with all its values, those of repeated headers together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The subsection's name.
    pub name: BString,
    /// Keys as written, in file order.
    pub values: Vec<(String, BString)>,
}

impl Section {
    /// The last value of a key, as `git config <key>` gives it.
    pub fn get(&self, key: &str) -> Option<&BStr> {
        self.values.iter().rfind(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_bstr())
    }

    /// All values of a key, as `git config --get-all` gives them.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a BStr> {
        self.values.iter().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_bstr())
    }
}

/// The repository's config file, in memory.
#[derive(Debug)]
pub struct ConfigFile(gix::config::File);

impl ConfigFile {
    /// All `[<section> "…"]` in file order, one for each name.
    pub fn sections(&self, section: &str) -> Vec<Section> {
        collect_sections(&self.0, section, |_| true)
    }

    /// One `[<section> "<name>"]`, if it exists.
    pub fn find(&self, section: &str, name: &str) -> Option<Section> {
        self.sections(section).into_iter().find(|s| s.name == name.as_bytes())
    }

    /// Gives a key exactly these values; without any the key goes, and a section without keys goes too.
    ///
    /// # Errors
    /// If git could not read the name back.
    pub fn set(&mut self, section: &str, name: &str, key: &str, values: &[BString]) -> Result<()> {
        if name.contains(['\n', '\0']) {
            return Err(Failure::fatal("invalid section name: it holds a newline"));
        }
        // git would read the value up to there.
        if values.iter().any(|value| value.contains(&0)) {
            return Err(Failure::fatal(format!(
                "cannot set '{section}.<name>.{key}': the value holds a NUL byte"
            )));
        }
        let bad =
            || format!("cannot set '{section}.{}.{key}'", crate::text::escape_controls(name.as_bytes()));
        let ids = self.ids(section, name);
        for id in &ids {
            let mut existing = self.0.section_mut_by_id(*id).expect("the id was just read from this file");
            while existing.remove(key).is_some() {}
        }
        if values.is_empty() {
            for id in ids {
                let empty = self.0.section_mut_by_id(id).is_some_and(|s| s.num_values() == 0 && is_bare(&s));
                if empty {
                    self.0.remove_section_by_id(id);
                }
            }
            return Ok(());
        }
        let mut target = match ids.last().and_then(|id| self.0.section_mut_by_id(*id)) {
            Some(_) => {
                let id = *ids.last().expect("there is one");
                self.0.section_mut_by_id(id).expect("the id was just read from this file")
            }
            None => self.0.new_section(section, Some(BString::from(name))).or_fatal(bad)?,
        };
        for value in values {
            target.push(key, Some(value.as_bstr())).or_fatal(bad)?;
        }
        Ok(())
    }

    /// Removes a section with everything in it.
    pub fn remove(&mut self, section: &str, name: &str) {
        for id in self.ids(section, name) {
            self.0.remove_section_by_id(id);
        }
    }

    /// The last value of `section.key`.
    pub fn value(&self, key: &str) -> Option<BString> {
        self.0.value::<BString>(key).ok()
    }

    /// Whether `section.key` is true.
    pub fn is_true(&self, key: &str) -> bool {
        self.0.boolean(key).ok().flatten().unwrap_or(false)
    }

    /// Sets or, without a value, unsets a key of a section without a name.
    ///
    /// # Errors
    /// If git could not read the key back.
    pub fn set_plain(&mut self, section: &str, key: &str, value: Option<&str>) -> Result<()> {
        let Some(value) = value else {
            let found = self.0.sections_and_ids_by_name(section).into_iter().flatten();
            let ids: Vec<_> =
                found.filter(|(s, _)| s.header().subsection_name().is_none()).map(|(_, id)| id).collect();
            for id in ids {
                let mut section = self.0.section_mut_by_id(id).expect("the id was just read from this file");
                while section.remove(key).is_some() {}
            }
            return Ok(());
        };
        let mut target =
            self.0.section_mut_or_create_new(section, None::<&BStr>).or_fatal(|| "bad section")?;
        target.set(key, BStr::new(value)).or_fatal(|| format!("cannot set '{section}.{key}'"))?;
        Ok(())
    }

    fn ids(&self, section: &str, name: &str) -> Vec<gix::config::file::SectionId> {
        let Some(all) = self.0.sections_and_ids_by_name(section) else { return Vec::new() };
        all.filter(|(s, _)| s.header().subsection_name() == Some(BStr::new(name))).map(|(_, id)| id).collect()
    }
}

/// Whether nothing but white space is left in a section: a comment of the user's keeps it.
fn is_bare(section: &gix::config::file::SectionMut<'_>) -> bool {
    let (text, header) = (section.to_bstring(), section.header().to_bstring());
    // A comment may be in the header's line.
    text.strip_prefix(header.as_bytes()).is_some_and(|body| body.trim().is_empty())
}

/// All `[<section> "…"]` of the repository's config file as it was when the repository was opened: for whoever
/// only looks, and in a hurry, since that file has been read and parsed then.
pub fn sections_as_opened(repo: &Repo, section: &str) -> Vec<Section> {
    let gix = repo.gix();
    let is_local = |meta: &gix::config::file::Metadata| meta.source == gix::config::Source::Local;
    collect_sections(gix.config_snapshot().plumbing(), section, is_local)
}

fn collect_sections(
    file: &gix::config::File,
    section: &str,
    is_wanted: impl Fn(&gix::config::file::Metadata) -> bool,
) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for part in file.sections_by_name(section).into_iter().flatten() {
        let Some(name) = part.header().subsection_name() else { continue };
        if !is_wanted(part.meta()) {
            continue;
        }
        let at = *place.entry(name.to_owned()).or_insert_with(|| {
            found.push(Section { name: name.to_owned(), values: Vec::new() });
            found.len() - 1
        });
        let mut seen = Vec::new();
        for key in part.body().value_names() {
            if seen.iter().any(|k: &String| k.eq_ignore_ascii_case(&key)) {
                continue;
            }
            found[at].values.extend(part.body().values(&key).into_iter().map(|v| (key.clone(), v)));
            seen.push(key);
        }
    }
    found
}

/// The repository's config file as it is now. Without the lock it may be older than what is written next.
///
/// # Errors
/// If it can't be read, or git would not understand it.
pub fn load(repo: &Repo) -> Result<ConfigFile> {
    parse(&config_path(repo)?)
}

/// As [`load`], unless the file is, byte for byte, what `before` holds.
///
/// # Errors
/// As [`load`].
pub fn load_if_changed(repo: &Repo, before: Option<&[u8]>) -> Result<Option<(Vec<u8>, ConfigFile)>> {
    let path = config_path(repo)?;
    let bytes = fs::read(&path).or_fatal(|| format!("could not read '{}'", path.display()))?;
    if before == Some(&bytes[..]) {
        return Ok(None);
    }
    let file = parse_bytes(&path, &bytes)?;
    Ok(Some((bytes, file)))
}

/// Changes the config file: `change` gets it as it is under both locks, and it is written if that succeeds.
///
/// # Errors
/// What `change` says; or git's lock is held for longer than `limit`; or the file system refuses. The file is
/// then as it was.
pub fn edit<T>(
    repo: &Repo,
    _held: &StateLock,
    limit: Duration,
    change: impl FnOnce(&mut ConfigFile) -> Result<T>,
) -> Result<T> {
    let path = config_path(repo)?;
    let lock = GitLock::take(&path, repo.state_dir().join("config.new"), limit)?;
    let mut file = parse(&path)?;
    let before = file.0.to_bstring();
    let done = change(&mut file)?;
    let after = file.0.to_bstring();
    if after != before {
        lock.commit(&after)?;
    }
    Ok(done)
}

fn config_path(repo: &Repo) -> Result<PathBuf> {
    let path = repo.common_dir().join("config");
    // A link is followed, as git does, so that what it points to is replaced and not the link.
    path.canonicalize().or_fatal(|| format!("could not read '{}'", path.display()))
}

fn parse(path: &Path) -> Result<ConfigFile> {
    parse_bytes(path, &fs::read(path).or_fatal(|| format!("could not read '{}'", path.display()))?)
}

fn parse_bytes(path: &Path, bytes: &[u8]) -> Result<ConfigFile> {
    let meta = gix::config::file::Metadata::from(gix::config::Source::Local);
    let file = gix::config::File::from_bytes_no_includes(&ended(bytes), meta, Default::default());
    file.map(ConfigFile).or_fatal(|| format!("bad config file '{}'", path.display()))
}

/// A file to which lines can be added. They would become part of a last line that is a comment without a line end, or
/// that goes on by a backslash.
fn ended(bytes: &[u8]) -> Cow<'_, [u8]> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    let goes_on = text.ends_with(b"\\");
    match (line.len() < bytes.len() || bytes.is_empty(), goes_on) {
        (true, false) => Cow::Borrowed(bytes),
        (false, false) => Cow::Owned([bytes, b"\n"].concat()),
        (_, true) => Cow::Owned([line, b"\n\n"].concat()),
    }
}

/// git's `config.lock`, held; freed when dropped.
struct GitLock {
    path: PathBuf,
    lock: PathBuf,
    ours: PathBuf,
    file: File,
    committed: bool,
}

impl GitLock {
    fn take(path: &Path, ours: PathBuf, limit: Duration) -> Result<Self> {
        let mut lock = path.to_owned().into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        remove_leftover(&ours, &lock)?;
        let create = OpenOptions::new().write(true).create_new(true).open(&ours);
        let file = create.or_fatal(|| format!("could not create '{}'", ours.display()))?;
        // Built before the first attempt, so that every way out of here removes `ours`.
        let mut held = GitLock { path: path.to_owned(), lock: PathBuf::new(), ours, file, committed: false };
        if let Ok(meta) = fs::metadata(path) {
            let mode = fs::Permissions::from_mode(meta.mode() & 0o7777);
            held.file.set_permissions(mode).or_fatal(|| format!("could not create '{}'", lock.display()))?;
        }
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match fs::hard_link(&held.ours, &lock) {
                Ok(()) => {
                    held.lock = lock;
                    return Ok(held);
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && started.elapsed() < limit => {
                    interrupt::check()?;
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    let message = format!(
                        "could not lock config file '{}': '{}' exists",
                        path.display(),
                        lock.display()
                    );
                    return Err(Failure::fatal(message).hint(
                        "taskLock",
                        "Another git command is changing the configuration, or died doing so.\n\
                         If none is running, remove the lock file.",
                    ));
                }
                Err(e) => {
                    return Err(e).or_fatal(|| format!("could not lock config file '{}'", path.display()));
                }
            }
        }
    }

    fn commit(mut self, bytes: &[u8]) -> Result<()> {
        let failed = || format!("could not write config file '{}'", self.path.display());
        let dir = self.path.parent().expect("a config file is in a directory");
        let dir = super::atomic::Directory::open(dir).or_fatal(failed)?;
        (&self.file).write_all(bytes).and_then(|()| self.file.sync_all()).or_fatal(failed)?;
        fs::rename(&self.lock, &self.path).or_fatal(failed)?;
        self.committed = true;
        dir.sync();
        Ok(())
    }
}

impl Drop for GitLock {
    fn drop(&mut self) {
        // What is left here the next one who takes the lock removes: by our file it knows that the lock is ours.
        let is_held = !self.committed && !self.lock.as_os_str().is_empty();
        if !is_held || fs::remove_file(&self.lock).is_ok() {
            let _ = fs::remove_file(&self.ours);
        }
    }
}

/// Whether a write of the config file may have been cut off.
pub fn is_unsettled(repo: &Repo) -> bool {
    repo.state_dir().join("config.new").exists()
}

/// Removes what one of us who was killed left behind.
///
/// # Errors
/// If it can't be removed.
pub fn settle(repo: &Repo, _held: &StateLock) -> Result<()> {
    let ours = repo.state_dir().join("config.new");
    if !ours.exists() {
        return Ok(());
    }
    let mut lock = config_path(repo)?.into_os_string();
    lock.push(".lock");
    remove_leftover(&ours, Path::new(&lock))
}

/// What one of us who was killed left behind. We hold our own lock, so nobody is using it.
///
/// # Errors
/// If it can't be removed.
fn remove_leftover(ours: &Path, lock: &Path) -> Result<()> {
    let Ok(left) = fs::symlink_metadata(ours) else { return Ok(()) };
    if fs::symlink_metadata(lock).is_ok_and(|m| m.ino() == left.ino() && m.dev() == left.dev()) {
        fs::remove_file(lock).or_fatal(|| format!("could not remove '{}'", lock.display()))?;
    }
    fs::remove_file(ours).or_fatal(|| format!("could not remove '{}'", ours.display()))
}

#[cfg(test)]
mod tests;
