//! The journal of an integration: what was asked for, written before anything is done, and where it stopped.
//!
//! It is a claim about what was meant, not about what was done: which tasks are merged is read from the private
//! worktree and from references, by ancestry.

use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::place::Place;
use crate::config::integrate::Ff;
use crate::error::{Failure, OrFatal, Result};
use crate::git::parse_id;
use crate::store::atomic;
use crate::store::record::Record;
use crate::task::Slug;

/// How the merges are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct How {
    /// How the commits come onto the target.
    pub ff: Ff,
    /// `-X`, in order.
    pub strategy: Vec<String>,
    /// `-S`: sign, with this key if it is not empty; `--no-gpg-sign`: don't; absent: as `commit.gpgSign` says.
    pub sign: Option<Sign>,
    /// `--signoff`
    pub signoff: bool,
}

/// Whether commits are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// With this key; with the configured one if it is empty.
    With(String),
    /// Not, whatever the configuration says.
    Never,
}

/// What to do on a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Ask, which needs a terminal.
    Ask,
    /// Stop, with the state kept.
    Stop,
    /// Leave the task out.
    Skip,
    /// The target's side decides.
    Ours,
    /// The task's side decides.
    Theirs,
    /// Both, where both are text.
    Union,
}

/// Where the result is pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The remote.
    pub remote: String,
    /// The branch there, by full name.
    pub branch: String,
    /// Where it was seen to be; none if it isn't there.
    pub seen: Option<ObjectId>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The train is being built.
    Building,
    /// It waits for a person.
    Stopped,
    /// The target is being moved.
    Publishing,
    /// The target has moved; the tasks are being tidied up.
    Finishing,
}

/// Why it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A merge has conflicts.
    Conflict,
    /// git would not make the merge, or a hook refused it.
    Merge,
    /// A check fails.
    Check,
    /// A worktree that has the target checked out is in the way.
    Publish,
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// What has become of a task so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its turn comes, or it is merged: the worktree and the references tell.
    Open,
    /// Left out, and why.
    LeftOut(String),
    /// The target has its work already.
    Contained,
    /// It has no commit of its own.
    Empty,
    /// It has landed as this commit; the work on it is to be tidied up.
    Landed(ObjectId),
    /// It has landed as this commit, and the event of that was raised; the work on it is to be tidied up.
    Raised(ObjectId),
    /// It has landed as this commit, and all is done.
    Finished(ObjectId),
}

/// One task of the train.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Car {
    /// The task.
    pub slug: Slug,
    /// The pinned tip of its branch.
    pub tip: ObjectId,
    /// The subject of its merge.
    pub message: String,
    /// What has become of it.
    pub fate: Fate,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The target by full name.
    pub target: String,
    /// Where the target was when the train was (last) begun.
    pub onto: ObjectId,
    /// What the target becomes, while publishing and after.
    pub new: Option<ObjectId>,
    /// How the merges are made.
    pub how: How,
    /// The commands that each merged result must pass.
    pub checks: Vec<String>,
    /// What conflicts or fails is left out.
    pub keep_going: bool,
    /// Worktrees, branches and notes stay.
    pub keep: bool,
    /// What to do on a conflict.
    pub on_conflict: OnConflict,
    /// Where the result is pushed to.
    pub push: Option<Push>,
    /// How far it has come.
    pub phase: Phase,
    /// The task at which it stopped, and why.
    pub stopped: Option<(Slug, Cause)>,
    /// What git, a hook or a check said.
    pub said: String,
    /// Tasks that were left out before the train began, and why.
    pub without: Vec<(Slug, String)>,
    /// In the order in which they are merged.
    pub cars: Vec<Car>,
}

impl Journal {
    /// The one of a target, if an integration of it is in progress.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn load(place: &Place) -> Result<Option<Self>> {
        Self::read(&place.journal())
    }

    /// The one in this file, if there is one.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(path: &PathBuf) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).or_fatal(|| format!("could not read '{}'", path.display())),
        };
        let bad = || format!("the journal '{}' makes no sense", path.display());
        Self::from_record(&Record::from_bytes(&bytes)?).map(Some).map_err(|e| e.context(bad()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it can't be written; the old one is then there.
    pub fn save(&self, place: &Place) -> Result<()> {
        atomic::write(&place.journal(), &self.to_record().to_bytes()?)
    }

    /// A car by its task's name.
    pub fn car(&self, slug: &Slug) -> Option<&Car> {
        self.cars.iter().find(|car| car.slug == *slug)
    }

    /// The tasks that are left out, and why, in order.
    pub fn left_out(&self) -> impl Iterator<Item = (&Slug, &str)> {
        let before = self.without.iter().map(|(slug, why)| (slug, why.as_str()));
        before.chain(self.cars.iter().filter_map(|car| match &car.fate {
            Fate::LeftOut(why) => Some((&car.slug, why.as_str())),
            _ => None,
        }))
    }

    /// Leaves a task out.
    pub fn leave_out(&mut self, slug: &Slug, why: &str) {
        if let Some(car) = self.cars.iter_mut().find(|car| car.slug == *slug) {
            car.fate = Fate::LeftOut(why.to_owned());
        }
    }

    /// As a record.
    pub fn to_record(&self) -> Record {
        let id = |id: Option<ObjectId>| id.map(|id| id.to_string()).unwrap_or_default();
        let yes = |is: bool| if is { "true" } else { "false" };
        let mut record = Record::new("integration")
            .with("version", "1")
            .with("target", self.target.as_str())
            .with("onto", self.onto.to_string())
            .with("new", id(self.new))
            .with("ff", word(FFS, self.how.ff))
            .with("signoff", yes(self.how.signoff))
            .with("keepGoing", yes(self.keep_going))
            .with("keep", yes(self.keep))
            .with("onConflict", word(ON_CONFLICT, self.on_conflict))
            .with("phase", word(PHASES, self.phase))
            .with("said", self.said.as_str());
        for option in &self.how.strategy {
            record = record.with("strategy", option.as_str());
        }
        match &self.how.sign {
            Some(Sign::With(key)) => record = record.with("sign", key.as_str()),
            Some(Sign::Never) => record = record.with("neverSign", "true"),
            None => {}
        }
        for check in &self.checks {
            record = record.with("check", check.as_str());
        }
        if let Some(push) = &self.push {
            record = record
                .with("remote", push.remote.as_str())
                .with("remoteBranch", push.branch.as_str())
                .with("remoteSeen", id(push.seen));
        }
        if let Some((slug, cause)) = &self.stopped {
            record = record.with("at", slug.as_str()).with("cause", word(CAUSES, *cause));
        }
        for (slug, why) in &self.without {
            record = record.with("without", format!("{slug} {why}"));
        }
        for car in &self.cars {
            let (fate, more) = match &car.fate {
                Fate::Open => ("open", String::new()),
                Fate::LeftOut(why) => ("out", why.clone()),
                Fate::Contained => ("contained", String::new()),
                Fate::Empty => ("empty", String::new()),
                Fate::Landed(id) => ("landed", id.to_string()),
                Fate::Raised(id) => ("raised", id.to_string()),
                Fate::Finished(id) => ("finished", id.to_string()),
            };
            record = record
                .with("car", format!("{} {} {fate} {more}", car.slug, car.tip))
                .with("message", car.message.as_str());
        }
        record
    }

    /// From a record.
    ///
    /// # Errors
    /// If a value is missing or makes no sense.
    pub fn from_record(record: &Record) -> Result<Self> {
        let text = |key: &str| record.text(key).ok_or_else(|| Failure::fatal(format!("it has no '{key}'")));
        let all = |key: &str| -> Vec<String> {
            let of_key = record.values.iter().filter(|(k, _)| k.eq_ignore_ascii_case(key));
            of_key.map(|(_, v): &(String, BString)| v.to_str_lossy().into_owned()).collect()
        };
        let id = |key: &str| -> Result<Option<ObjectId>> {
            record.get(key).filter(|v| !v.is_empty()).map(|v| parse_id(v)).transpose()
        };
        let sign = match (record.text("sign"), record.get("neverSign")) {
            (Some(key), _) => Some(Sign::With(key)),
            (None, Some(_)) => Some(Sign::Never),
            (None, None) => None,
        };
        let push = match record.text("remote") {
            Some(remote) => Some(Push { remote, branch: text("remoteBranch")?, seen: id("remoteSeen")? }),
            None => None,
        };
        let stopped = match record.text("at") {
            Some(at) => Some((Slug::try_from(at.as_str())?, of_word(CAUSES, &text("cause")?)?)),
            None => None,
        };
        let messages = all("message");
        let cars = all("car").into_iter().zip(messages);
        let without = all("without").into_iter().map(|line| {
            let (slug, why) = line.split_once(' ').unwrap_or((&line, ""));
            Ok((Slug::try_from(slug)?, why.to_owned()))
        });
        Ok(Journal {
            target: text("target")?,
            onto: id("onto")?.ok_or_else(|| Failure::fatal("it has no 'onto'"))?,
            new: id("new")?,
            how: How {
                ff: of_word(FFS, &text("ff")?)?,
                strategy: all("strategy"),
                sign,
                signoff: text("signoff")? == "true",
            },
            checks: all("check"),
            keep_going: text("keepGoing")? == "true",
            keep: text("keep")? == "true",
            on_conflict: of_word(ON_CONFLICT, &text("onConflict")?)?,
            push,
            phase: of_word(PHASES, &text("phase")?)?,
            stopped,
            said: text("said")?,
            without: without.collect::<Result<_>>()?,
            cars: cars.map(|(line, message)| car_of(&line, message)).collect::<Result<_>>()?,
        })
    }
}

fn car_of(line: &str, message: String) -> Result<Car> {
    let mut words = line.splitn(4, ' ');
    let mut next = || words.next().ok_or_else(|| Failure::fatal(format!("bad car '{line}'")));
    let (slug, tip, fate, more) = (next()?, next()?, next()?, next()?);
    let fate = match fate {
        "open" => Fate::Open,
        "out" => Fate::LeftOut(more.to_owned()),
        "contained" => Fate::Contained,
        "empty" => Fate::Empty,
        "landed" => Fate::Landed(parse_id(more.as_bytes())?),
        "raised" => Fate::Raised(parse_id(more.as_bytes())?),
        "finished" => Fate::Finished(parse_id(more.as_bytes())?),
        _ => return Err(Failure::fatal(format!("bad car '{line}'"))),
    };
    Ok(Car { slug: Slug::try_from(slug)?, tip: parse_id(tip.as_bytes())?, message, fate })
}

const FFS: &[(Ff, &str)] =
    &[(Ff::No, "no"), (Ff::Yes, "yes"), (Ff::Only, "only"), (Ff::Squash, "squash"), (Ff::Rebase, "rebase")];

const ON_CONFLICT: &[(OnConflict, &str)] = &[
    (OnConflict::Ask, "ask"),
    (OnConflict::Stop, "stop"),
    (OnConflict::Skip, "skip"),
    (OnConflict::Ours, "ours"),
    (OnConflict::Theirs, "theirs"),
    (OnConflict::Union, "union"),
];

const PHASES: &[(Phase, &str)] = &[
    (Phase::Building, "building"),
    (Phase::Stopped, "stopped"),
    (Phase::Publishing, "publishing"),
    (Phase::Finishing, "finishing"),
];

const CAUSES: &[(Cause, &str)] = &[
    (Cause::Conflict, "conflict"),
    (Cause::Merge, "merge"),
    (Cause::Check, "check"),
    (Cause::Publish, "publish"),
    (Cause::Interrupted, "interrupted"),
];

fn word<T: Copy + PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(v, _)| *v == value).map(|(_, word)| *word).expect("each value has a word")
}

fn of_word<T: Copy>(words: &[(T, &'static str)], text: &str) -> Result<T> {
    let found = words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
    found.ok_or_else(|| Failure::fatal(format!("bad word '{text}'")))
}

impl OnConflict {
    /// The words, as on the command line.
    pub const WORDS: [&'static str; 6] = {
        let mut words = [""; 6];
        let mut at = 0;
        while at < words.len() {
            words[at] = ON_CONFLICT[at].1;
            at += 1;
        }
        words
    };

    /// What a word asks for, if it is one of them.
    pub fn from_word(text: &str) -> Option<Self> {
        of_word(ON_CONFLICT, text).ok()
    }
}

impl Cause {
    /// The word for scripts.
    pub fn as_str(self) -> &'static str {
        word(CAUSES, self)
    }
}

impl Phase {
    /// The word for scripts.
    pub fn as_str(self) -> &'static str {
        word(PHASES, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let id = ObjectId::from_hex(&[b'1'; 40]).unwrap();
        let slug = |name: &str| Slug::try_from(name).unwrap();
        let car =
            |name: &str, fate| Car { slug: slug(name), tip: id, message: "a \"b\"\n\nc; #".into(), fate };
        let journal = Journal {
            target: "refs/heads/main".into(),
            onto: id,
            new: None,
            how: How {
                ff: Ff::Squash,
                strategy: vec!["ours".into(), "find-renames=50%".into()],
                sign: Some(Sign::With(String::new())),
                signoff: true,
            },
            checks: vec!["make test && echo \"x\"".into()],
            keep_going: true,
            keep: false,
            on_conflict: OnConflict::Union,
            push: Some(Push { remote: "origin".into(), branch: "refs/heads/main".into(), seen: None }),
            phase: Phase::Stopped,
            stopped: Some((slug("b"), Cause::Check)),
            said: "it\nfailed".into(),
            without: vec![(slug("z"), "after 'y', which is not ready".into())],
            cars: vec![
                car("a", Fate::Landed(id)),
                car("b", Fate::Open),
                car("c", Fate::LeftOut("no reason at all".into())),
                car("d", Fate::Raised(id)),
            ],
        };
        let bytes = journal.to_record().to_bytes().unwrap();
        assert_eq!(Journal::from_record(&Record::from_bytes(&bytes).unwrap()).unwrap(), journal);
    }
}
