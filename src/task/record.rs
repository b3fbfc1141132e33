//! A task's metadata: the typed form of `[task "<slug>"]` in git config.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::{Slug, State};
use crate::error::{Failure, Result};
use crate::git::{Repo, parse_id};
use crate::paths::{path_bytes, path_from};
use crate::store::config::{self, ConfigFile, Section};
use crate::text::escape_controls;

/// What a task works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Branch {
    /// A branch of its own, by short name.
    Own(String),
    /// It follows another branch with a detached worktree.
    Track(String),
}

/// A task as git config holds it. What can be derived (its worktree, head, whether it is dirty) is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub slug: Slug,
    /// `branch` or `track`: one of them makes the section a task.
    pub branch: Branch,
    /// The branch it goes back to.
    pub base: Option<String>,
    /// The commit its branch started at.
    pub start: Option<ObjectId>,
    /// The state as stored; see [`Task::state_at`].
    pub state: State,
    /// Why it is blocked, or was dropped.
    pub reason: Option<String>,
    /// What `--type` said.
    pub kind: Option<String>,
    /// The merge message's subject.
    pub title: Option<String>,
    /// Pathspecs of what it means to change.
    pub scope: Vec<String>,
    /// Tasks it is integrated after.
    pub after: Vec<String>,
    /// The phase of the plan it comes from.
    pub phase: Option<u32>,
    /// A higher one goes first.
    pub priority: i64,
    /// The session it is worked on by.
    pub session: Option<String>,
    /// The pool slot it has.
    pub slot: Option<String>,
    /// Where its clone is, if it is isolated in one.
    pub clone: Option<PathBuf>,
    /// Seconds since the epoch.
    pub created: Option<i64>,
    /// When it became ready, in seconds since the epoch.
    pub ready: Option<i64>,
    /// The tip that was said to be ready.
    pub ready_tip: Option<ObjectId>,
    /// The commit it landed as.
    pub integrated: Option<ObjectId>,
}

/// The keys of [`Task`] in the order in which they are written.
const KEYS: &[&str] = &[
    "branch",
    "track",
    "base",
    "start",
    "state",
    "reason",
    "type",
    "title",
    "scope",
    "after",
    "phase",
    "priority",
    "session",
    "slot",
    "clone",
    "created",
    "ready",
    "readyTip",
    "integrated",
];

impl Task {
    /// A task that only has a name and a branch.
    pub fn new(slug: Slug, branch: Branch) -> Self {
        Task {
            slug,
            branch,
            base: None,
            start: None,
            state: State::Open,
            reason: None,
            kind: None,
            title: None,
            scope: Vec::new(),
            after: Vec::new(),
            phase: None,
            priority: 0,
            session: None,
            slot: None,
            clone: None,
            created: None,
            ready: None,
            ready_tip: None,
            integrated: None,
        }
    }

    /// Reads a section; none if it has neither `branch` nor `track` and so is not a task.
    ///
    /// # Errors
    /// If a value makes no sense, with its key.
    pub fn from_section(section: &Section) -> Result<Option<Self>> {
        let text =
            |key: &str| section.get(key).map(|v| v.to_str_lossy().into_owned()).filter(|v| !v.is_empty());
        let branch = match (text("branch"), text("track")) {
            (Some(name), _) => Branch::Own(name),
            (None, Some(name)) => Branch::Track(name),
            (None, None) => return Ok(None),
        };
        let name = section.name.to_str_lossy();
        let slug = Slug::try_from(name.as_ref())?;
        let bad = |key: &str, value: &str| {
            Failure::fatal(format!(
                "bad config value '{}' for 'task.{slug}.{key}'",
                escape_controls(value.as_bytes())
            ))
        };
        let number =
            |key: &'static str| text(key).map(|v| v.parse::<i64>().map_err(|_| bad(key, &v))).transpose();
        let id = |key: &'static str| {
            text(key).map(|v| parse_id(v.as_bytes()).map_err(|_| bad(key, &v))).transpose()
        };
        let all = |key: &str| section.all(key).map(|v| v.to_str_lossy().into_owned()).collect::<Vec<_>>();
        let state = match text("state") {
            None => State::Open,
            Some(word) => State::try_from(word.as_str()).map_err(|_| bad("state", &word))?,
        };
        Ok(Some(Task {
            branch,
            base: text("base"),
            start: id("start")?,
            state,
            reason: text("reason"),
            kind: text("type"),
            title: text("title"),
            scope: all("scope"),
            after: all("after"),
            phase: number("phase")?
                .map(|n| u32::try_from(n).map_err(|_| bad("phase", &n.to_string())))
                .transpose()?,
            priority: number("priority")?.unwrap_or(0),
            session: text("session"),
            slot: text("slot"),
            clone: section.get("clone").map(|v| path_from(v)),
            created: number("created")?,
            ready: number("ready")?,
            ready_tip: id("readyTip")?,
            integrated: id("integrated")?,
            slug,
        }))
    }

    /// All keys with their values; those without a value are to be unset.
    pub fn entries(&self) -> Vec<(&'static str, Vec<BString>)> {
        let one = |v: Option<String>| v.map(BString::from).into_iter().collect::<Vec<_>>();
        let many = |v: &[String]| v.iter().map(|s| BString::from(s.as_str())).collect::<Vec<_>>();
        let id = |v: Option<ObjectId>| one(v.map(|id| id.to_hex().to_string()));
        KEYS.iter()
            .map(|&key| {
                let values = match key {
                    "branch" => one(self.own_branch().map(str::to_owned)),
                    "track" => one(self.tracked().map(str::to_owned)),
                    "base" => one(self.base.clone()),
                    "start" => id(self.start),
                    "state" => one(Some(self.state.to_string())),
                    "reason" => one(self.reason.clone()),
                    "type" => one(self.kind.clone()),
                    "title" => one(self.title.clone()),
                    "scope" => many(&self.scope),
                    "after" => many(&self.after),
                    "phase" => one(self.phase.map(|n| n.to_string())),
                    "priority" => one((self.priority != 0).then(|| self.priority.to_string())),
                    "session" => one(self.session.clone()),
                    "slot" => one(self.slot.clone()),
                    "clone" => self.clone.iter().map(|p| BString::from(path_bytes(p))).collect(),
                    "created" => one(self.created.map(|t| t.to_string())),
                    "ready" => one(self.ready.map(|t| t.to_string())),
                    "readyTip" => id(self.ready_tip),
                    "integrated" => id(self.integrated),
                    _ => unreachable!("every key of KEYS is above"),
                };
                (key, values)
            })
            .collect()
    }

    /// Writes the task's keys into the file; keys of others in the section stay.
    ///
    /// # Errors
    /// If the file refuses a name.
    pub fn write_to(&self, file: &mut ConfigFile) -> Result<()> {
        let before = file.find("task", self.slug.as_str()).unwrap_or_default();
        for (key, values) in self.entries() {
            if !before.all(key).eq(values.iter().map(|v| v.as_bstr())) {
                file.set("task", self.slug.as_str(), key, &values)?;
            }
        }
        Ok(())
    }

    /// The branch that is the task's own, by short name.
    pub fn own_branch(&self) -> Option<&str> {
        match &self.branch {
            Branch::Own(name) => Some(name),
            Branch::Track(_) => None,
        }
    }

    /// The branch that it follows, by short name.
    pub fn tracked(&self) -> Option<&str> {
        match &self.branch {
            Branch::Own(_) => None,
            Branch::Track(name) => Some(name),
        }
    }

    /// The full name of its own branch.
    pub fn branch_ref(&self) -> Option<String> {
        self.own_branch().map(|name| format!("refs/heads/{name}"))
    }

    /// The state with its branch at `tip`: commits made after `ready` unready it.
    pub fn state_at(&self, tip: Option<ObjectId>) -> State {
        match self.state {
            State::Ready if tip.is_none() || self.ready_tip != tip => State::Open,
            state => state,
        }
    }
}

/// All tasks in config, and what is wrong with the sections that can't be read.
#[derive(Debug, Default)]
pub struct Tasks {
    /// By name.
    pub all: Vec<Task>,
    /// A failure for each section that is a task but makes no sense.
    pub bad: Vec<(BString, Failure)>,
}

/// The tasks as they are now, for whoever asks again and again: the file is always read, and parsed only when it
/// has changed.
#[derive(Debug, Default)]
pub struct Latest(Mutex<Option<(Vec<u8>, Arc<Tasks>)>>);

impl Latest {
    /// As [`Tasks::read`].
    ///
    /// # Errors
    /// As [`Tasks::read`].
    pub fn read(&self, repo: &Repo) -> Result<Arc<Tasks>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.as_ref().map(|(bytes, _)| &bytes[..]);
        if let Some((bytes, file)) = config::load_if_changed(repo, before)? {
            *known = Some((bytes, Arc::new(Tasks::of(&file))));
        }
        Ok(Arc::clone(&known.as_ref().expect("it was set just now, if it was not before").1))
    }
}

impl Tasks {
    /// The tasks as they are now. What this process read when it opened the repository may be older than its
    /// own last change.
    ///
    /// # Errors
    /// If the repository's config file can't be read.
    pub fn read(repo: &Repo) -> Result<Self> {
        Ok(Self::of(&config::load(repo)?))
    }

    /// The tasks as they were when the repository was opened, for whoever only looks, and in a hurry.
    pub fn as_opened(repo: &Repo) -> Self {
        Self::from_sections(config::sections_as_opened(repo, "task"))
    }

    /// The tasks in the config file as it is now.
    pub fn of(file: &ConfigFile) -> Self {
        Self::from_sections(file.sections("task"))
    }

    fn from_sections(sections: Vec<Section>) -> Self {
        let mut tasks = Tasks::default();
        for section in sections {
            match Task::from_section(&section) {
                Ok(Some(task)) => tasks.all.push(task),
                Ok(None) => {}
                Err(failure) => tasks.bad.push((section.name.clone(), failure)),
            }
        }
        tasks.all.sort_by(|a, b| a.slug.cmp(&b.slug));
        tasks
    }

    /// A task by name.
    pub fn find(&self, name: &str) -> Option<&Task> {
        self.all.iter().find(|t| t.slug.as_str() == name)
    }

    /// A task by name.
    ///
    /// # Errors
    /// If there is none, or its section makes no sense.
    pub fn require(&self, name: &str) -> Result<&Task> {
        if let Some(task) = self.find(name) {
            return Ok(task);
        }
        let shown = escape_controls(name.as_bytes());
        if let Some((_, failure)) = self.bad.iter().find(|(n, _)| n == name.as_bytes()) {
            return Err(Failure::fatal(failure.message()));
        }
        let mut advice = "See 'git task list --all' for the tasks there are.".to_owned();
        if let Some(near) = self.near(name) {
            advice = format!("{near}\n{advice}");
        }
        Err(Failure::fatal(format!("no such task: '{shown}'")).hint("taskUnknown", advice))
    }

    /// What may be meant by a name that no task has.
    fn near(&self, name: &str) -> Option<String> {
        let of_branch = |task: &&Task| matches!(&task.branch, Branch::Own(branch) if branch == name);
        if let Some(task) = self.all.iter().find(of_branch) {
            return Some(format!("That is the branch of task '{}'.", task.slug));
        }
        let likeness = |task: &Task| strsim::normalized_damerau_levenshtein(task.slug.as_str(), name);
        let nearest = self.all.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        (likeness(nearest) > 0.7).then(|| format!("Did you mean '{}'?", nearest.slug))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(values: &[(&str, &str)]) -> Section {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), BString::from(*v))).collect();
        Section { name: "x".into(), values }
    }

    #[test]
    fn a_section_of_another_tool_is_not_a_task() {
        let other = section(&[("status.open", "1"), ("ref", "refs/tasks")]);
        assert!(Task::from_section(&other).unwrap().is_none());
    }

    #[test]
    fn a_branch_alone_makes_a_task_and_a_bad_value_names_its_key() {
        let task = Task::from_section(&section(&[("branch", "x")])).unwrap().unwrap();
        assert_eq!((task.state, task.priority), (State::Open, 0));
        let failure = Task::from_section(&section(&[("branch", "x"), ("priority", "high")])).unwrap_err();
        assert_eq!(failure.message(), "bad config value 'high' for 'task.x.priority'");
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut task = Task::new(Slug::try_from("x").unwrap(), Branch::Own("feat/x".into()));
        task.scope = vec!["a".into(), "b/**".into()];
        task.ready_tip = Some(ObjectId::null(gix::hash::Kind::Sha1));
        task.priority = -3;
        let values =
            task.entries().into_iter().flat_map(|(k, vs)| vs.into_iter().map(move |v| (k.to_owned(), v)));
        let read =
            Task::from_section(&Section { name: "x".into(), values: values.collect() }).unwrap().unwrap();
        assert_eq!(format!("{read:?}"), format!("{task:?}"));
    }

    #[test]
    fn commits_after_ready_unready_it() {
        let mut task = Task::new(Slug::try_from("x").unwrap(), Branch::Own("x".into()));
        let tip = ObjectId::from_hex(&[b'1'; 40]).unwrap();
        task.state = State::Ready;
        task.ready_tip = Some(tip);
        assert_eq!(task.state_at(Some(tip)), State::Ready);
        assert_eq!(task.state_at(Some(ObjectId::null(gix::hash::Kind::Sha1))), State::Open);
    }
}
