//! The journal as it is in its file.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::{Car, Cause, Fate, How, Journal, OnConflict, Phase, Push, Sign};
use crate::config::integrate::Ff;
use crate::error::{Failure, Result};
use crate::git::parse_id;
use crate::store::record::Record;
use crate::task::Slug;

impl Journal {
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
            .with("jobs", self.jobs.to_string())
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
        let jobs = match record.text("jobs") {
            Some(text) => text.parse().map_err(|_| Failure::fatal(format!("bad number '{text}'")))?,
            // It was written before there was such a number.
            None => 1,
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
            jobs,
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
            jobs: 3,
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
        let mut earlier = journal.to_record();
        earlier.values.retain(|(key, _)| key != "jobs");
        assert_eq!(Journal::from_record(&earlier).unwrap(), Journal { jobs: 1, ..journal });
    }
}
