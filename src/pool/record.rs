//! A slot's metadata: the typed form of `[pool "<slot>"]` in git config.

use std::fmt;
use std::path::PathBuf;

use gix::bstr::{BString, ByteSlice};

use crate::desk::slot::{Lease, SECTION};
use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::paths::path_from;
use crate::store::config::{self, ConfigFile, Section};
use crate::text::escape_controls;

/// A slot as git config holds it.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its number, as text.
    pub name: String,
    /// Its worktree.
    pub path: PathBuf,
    /// Who has it.
    pub lease: Option<Lease>,
    /// The task that has it.
    pub task: Option<String>,
    /// Why it is set aside.
    pub broken: Option<String>,
}

/// Where a slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be had.
    Idle,
    /// Somebody has it.
    Claimed,
    /// Somebody had it until his lease ended; his work may be there.
    Expired,
    /// Somebody is at work on it: it is made, handed out or taken back.
    Preparing,
    /// Set aside, for a reason.
    Broken,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] =
        [State::Idle, State::Claimed, State::Expired, State::Preparing, State::Broken];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Claimed => "claimed",
            State::Expired => "expired",
            State::Preparing => "preparing",
            State::Broken => "broken",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Slot {
    /// Reads a section; none if it has no path and so is no slot.
    ///
    /// # Errors
    /// If a value makes no sense, with its key.
    pub fn from_section(section: &Section) -> Result<Option<Self>> {
        let Some(path) = section.get("path").filter(|p| !p.is_empty()) else { return Ok(None) };
        let name = section.name.to_str_lossy().into_owned();
        let text =
            |key: &str| section.get(key).map(|v| v.to_str_lossy().into_owned()).filter(|v| !v.is_empty());
        let time = |key: &str| -> Result<Option<i64>> {
            let parsed = text(key).map(|v| {
                v.parse().map_err(|_| {
                    let shown = escape_controls(v.as_bytes());
                    Failure::fatal(format!("bad config value '{shown}' for '{SECTION}.{name}.{key}'"))
                })
            });
            parsed.transpose()
        };
        let (since, expires) = (time("since")?, time("expires")?);
        let ttl = time("ttl")?.and_then(|t| u64::try_from(t).ok());
        let lease = text("lease").map(|id| Lease {
            id,
            holder: text("holder").unwrap_or_default(),
            since: since.unwrap_or(0),
            expires,
            ttl,
        });
        Ok(Some(Slot { path: path_from(path), lease, task: text("task"), broken: text("broken"), name }))
    }

    /// Where it stands, if nobody is at work on it.
    pub fn state(&self, now: i64) -> State {
        match (&self.broken, &self.lease) {
            (Some(_), _) => State::Broken,
            (None, Some(lease)) if lease.is_expired(now) => State::Expired,
            (None, Some(_)) => State::Claimed,
            (None, None) => State::Idle,
        }
    }

    fn order(&self) -> (u64, &str) {
        (self.name.parse().unwrap_or(u64::MAX), &self.name)
    }
}

/// All slots in config, and what is wrong with the sections that can't be read.
#[derive(Debug, Default)]
pub struct Pool {
    /// By number.
    pub slots: Vec<Slot>,
    /// A failure for each section that is a slot but makes no sense.
    pub bad: Vec<(BString, Failure)>,
}

impl Pool {
    /// The slots as they are now.
    ///
    /// # Errors
    /// If the repository's config file can't be read.
    pub fn read(repo: &Repo) -> Result<Self> {
        Ok(Self::of(&config::load(repo)?))
    }

    /// The slots in the config file as it is now.
    pub fn of(file: &ConfigFile) -> Self {
        let mut pool = Pool::default();
        for section in file.sections(SECTION) {
            match Slot::from_section(&section) {
                Ok(Some(slot)) => pool.slots.push(slot),
                Ok(None) => {}
                Err(failure) => pool.bad.push((section.name.clone(), failure)),
            }
        }
        pool.slots.sort_by(|a, b| a.order().cmp(&b.order()));
        pool
    }

    /// A slot by name.
    pub fn find(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|s| s.name == name)
    }

    /// A slot by name.
    ///
    /// # Errors
    /// If there is none, or its section makes no sense.
    pub fn require(&self, name: &str) -> Result<&Slot> {
        if let Some(slot) = self.find(name) {
            return Ok(slot);
        }
        if let Some((_, failure)) = self.bad.iter().find(|(n, _)| n == name.as_bytes()) {
            return Err(Failure::fatal(failure.message()));
        }
        Err(Failure::fatal(format!("no such slot: '{}'", escape_controls(name.as_bytes())))
            .hint("poolUnknown", "See 'git pool list' for the slots there are."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(values: &[(&str, &str)]) -> Section {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), BString::from(*v))).collect();
        Section { name: "3".into(), values }
    }

    #[test]
    fn a_section_without_a_path_is_no_slot() {
        assert!(Slot::from_section(&section(&[("lease", "x")])).unwrap().is_none());
    }

    #[test]
    fn states_follow_from_lease_time_and_reason() {
        let state = |values: &[(&str, &str)]| {
            let values = [&[("path", "/p")], values].concat();
            Slot::from_section(&section(&values)).unwrap().unwrap().state(100)
        };
        assert_eq!(state(&[]), State::Idle);
        assert_eq!(state(&[("lease", "a")]), State::Claimed);
        assert_eq!(state(&[("lease", "a"), ("expires", "101")]), State::Claimed);
        assert_eq!(state(&[("lease", "a"), ("expires", "100")]), State::Expired);
        assert_eq!(state(&[("lease", "a"), ("broken", "why")]), State::Broken);
        let failure = Slot::from_section(&section(&[("path", "/p"), ("expires", "soon")])).unwrap_err();
        assert_eq!(failure.message(), "bad config value 'soon' for 'pool.3.expires'");
    }

    #[test]
    fn ten_comes_after_nine() {
        let name =
            |n: &str| Slot { name: n.into(), path: "/p".into(), lease: None, task: None, broken: None };
        let mut all = [name("10"), name("x"), name("9")];
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        assert_eq!(all.map(|s| s.name), ["9", "10", "x"]);
    }
}
