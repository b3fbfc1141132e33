//! From what a command answered to what it did to which object.

use super::act::{Act, LAST_SLOT, NAMES};
use super::history::{History, Span, TRAIN};
use super::refusal::{self, Why};
use super::slot::{SlotDeed, TrainDeed};
use super::task::{Deed, Life, Need};
use crate::support::Run;

/// One command that has ended.
pub struct Ended<'a> {
    pub act: &'a Act,
    pub span: Span,
    pub id: u64,
    pub run: &'a Run,
    /// The slot and lease that it named.
    pub lease: Option<&'a (String, String)>,
}

/// Writes down what it did.
pub fn record(history: &mut History, ended: &Ended<'_>) {
    let Ended { act, span, id, run, .. } = *ended;
    for object in touched(act) {
        history.attempt(&object, span, id);
    }
    let said = format!("{run}");
    let is_half = |line: &&str| {
        line.starts_with("warning: could not take back all of '") && refusal::why(line) == Some(Why::Half)
    };
    for line in run.stderr.lines().filter(is_half) {
        left_half(history, ended, refusal::subject(line).unwrap_or("*"), &said);
    }
    let is_wrong = |line: &&str| line.contains("panicked") || line.contains("warning: could not");
    if run.stderr.lines().filter(is_wrong).any(|line| !is_half(&line)) {
        history.unexplained.push(said.clone());
    }
    for slot in run.stderr.lines().filter_map(not_given_back) {
        history.leaves(slot, span.begin);
    }
    for name in run.stdout.lines().chain(run.stderr.lines()).filter_map(cut_off) {
        history.cut_off(name, span, &said);
    }
    let errors = run.stderr.lines().filter(|l| l.starts_with("error: ") || l.starts_with("fatal: "));
    let errors: Vec<&str> = errors.collect();
    match (run.code, errors.as_slice()) {
        (0, _) => done(history, ended, &said),
        // What was done by an integration is in its lines, whatever it ended with.
        (1 | 2, _) if matches!(act, Act::Integrate { .. } | Act::GoOn(_)) => {
            done(history, ended, &said);
        }
        (1, []) if matches!(act, Act::Status | Act::Stop(_) | Act::Drain | Act::Sync(_)) => {}
        (1, [error]) if error.contains(" stopped") && error.contains("it is left as it is in") => {
            if let Act::Sync(name) = act {
                history.task(name, span, Deed::Stopped, &said);
            }
        }
        (1 | 128, [_, ..]) => errors.iter().for_each(|error| refused(history, ended, error, &said)),
        _ => history.unexplained.push(said),
    }
}

/// The slot that a line says was lent to checks and is for whoever sees it next.
fn not_given_back(line: &str) -> Option<&str> {
    line.strip_prefix("warning: slot ")?.split_once(" is not given back yet").map(|(slot, _)| slot)
}

/// The task or slot that a line says a command was cut off of.
fn cut_off(line: &str) -> Option<&str> {
    let (before, _) = line.strip_suffix("' was cut off")?.rsplit_once(": '")?;
    let (_, name) = before.rsplit_once(' ')?;
    Some(name.trim_matches('\''))
}

/// The objects that an act may change.
fn touched(act: &Act) -> Vec<String> {
    let names = |all: &[&String]| all.iter().map(|s| (*s).clone()).collect::<Vec<_>>();
    match act {
        Act::Add { task, .. } | Act::Remove { task, .. } => {
            let mut all = names(&[task]);
            all.extend((1..=LAST_SLOT).map(|s| s.to_string()));
            all
        }
        Act::Rename(old, new) => names(&[old, new]),
        Act::Say(_, t) | Act::Note(t) | Act::Restore(t) | Act::Move(t) | Act::Lock(t) | Act::Unlock(t) => {
            names(&[t])
        }
        Act::Sync(t) | Act::Start(t) | Act::Stop(t) | Act::ReleaseTask(t) => names(&[t]),
        Act::Work { task, .. } => names(&[task]),
        Act::Integrate { .. } | Act::GoOn(_) | Act::Undo => vec![TRAIN.to_owned()],
        Act::Show(_) | Act::List | Act::PoolList | Act::Status | Act::Overlap => Vec::new(),
        _ => vec!["*".to_owned()],
    }
}

fn done(history: &mut History, ended: &Ended<'_>, said: &str) {
    let Ended { act, span, id, run, lease } = *ended;
    let mut task = |name: &str, deed: Deed| history.task(name, span, deed, said);
    match act {
        Act::Add { task: name, reuse } => {
            task(name, Deed::Add { reuse: *reuse });
            let made: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_default();
            if let Some(slot) = made[0]["slot"].as_str() {
                history.slot(slot, span, SlotDeed::Claimed { lease: None, task: Some(name.clone()) }, said);
            }
        }
        Act::Say(what, name) => {
            let life = match *what {
                "ready" => Life::Ready,
                "block" => Life::Blocked,
                _ => Life::Open,
            };
            task(name, Deed::Say(life));
        }
        Act::Remove { task: name, .. } => {
            task(name, Deed::Remove);
            history.every_slot(span, &SlotDeed::Vacated(name.clone()), said);
        }
        Act::Restore(name) => task(name, Deed::Restore),
        Act::Move(name) => task(name, Deed::Move),
        Act::Rename(old, new) => {
            task(old, Deed::RenameAway);
            task(new, Deed::RenameHere);
            history.every_slot(span, &SlotDeed::Renamed(old.clone(), new.clone()), said);
        }
        Act::Lock(name) => task(name, Deed::Lock),
        Act::Unlock(name) => task(name, Deed::Unlock),
        Act::Sync(name) => task(name, Deed::Refused(Need::Known)),
        Act::Start(name) => task(name, Deed::Start),
        Act::Note(name) | Act::Stop(name) | Act::Show(name) => task(name, Deed::Refused(Need::Known)),
        Act::List => listed(history, ended, said),
        Act::PoolList => pool_listed(history, ended, said),
        Act::Claim(name) => {
            let made: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_default();
            let text = |key: &str| made[0][key].as_str().map(str::to_owned);
            if let Some(name) = name {
                task(name, Deed::Claim);
            }
            match text("slot") {
                Some(slot) => history.slot(
                    &slot,
                    span,
                    SlotDeed::Claimed { lease: text("lease"), task: name.clone() },
                    said,
                ),
                None => history.unexplained.push(said.to_owned()),
            }
        }
        Act::ReleaseMine => {
            if let Some((slot, lease)) = lease {
                history.slot(slot, span, SlotDeed::Released(Some(lease.clone())), said);
            }
        }
        Act::RenewMine => {
            if let Some((slot, lease)) = lease {
                history.slot(slot, span, SlotDeed::Renewed(lease.clone()), said);
            }
        }
        Act::ReleaseTask(name) => {
            task(name, Deed::Release);
            history.every_slot(span, &SlotDeed::Vacated(name.clone()), said);
        }
        Act::ReleaseSlot(slot) => {
            history.slot(&slot.to_string(), span, SlotDeed::Released(None), said);
            history.every_task(span, &Deed::PerhapsReleased, said);
        }
        Act::Repair => {
            for line in run.stdout.lines().filter(|line| cut_off(line).is_none()) {
                // Somebody is just removing that one.
                if line.ends_with("is what is left of a worktree") {
                    history.busy("*", span, id, said);
                    continue;
                }
                match refusal::subject(line) {
                    Some(name) => history.mended(name, span, id, said),
                    None => history.unexplained.push(said.to_owned()),
                }
            }
        }
        // Who wrote into a slot just as somebody else gave it back was there since.
        Act::PoolRepair => {
            for line in run.stdout.lines().filter(|line| cut_off(line).is_none()) {
                let slot = line.strip_prefix("mended: slot ").and_then(|rest| rest.split(':').next());
                let slot = slot.and_then(|s| s.split(' ').next());
                match slot {
                    Some(_) if line.ends_with("since it was given back") => {}
                    Some(slot) if line.ends_with("is clean again") => {
                        history.slot(slot, span, SlotDeed::Mended, said);
                    }
                    _ => history.unexplained.push(said.to_owned()),
                }
            }
        }
        Act::Integrate { .. } | Act::GoOn(_) => integrated(history, ended, said),
        Act::Undo => history.every_task(span, &Deed::Undone, said),
        // Whether one that goes on had stopped is not said.
        Act::Status if run.stdout.contains(" is running") => history.busy(TRAIN, span, id, said),
        Act::Status => history.train(span, TrainDeed::Seen { stopped: false }, said),
        _ => {}
    }
}

fn integrated(history: &mut History, ended: &Ended<'_>, said: &str) {
    let Ended { act, span, run, .. } = *ended;
    let mut stops = run.stderr.contains("git integrate --continue");
    let lands = run.stdout.lines().any(|line| line.starts_with("landed "));
    // One that goes on does as was asked for at its beginning.
    let keeps = if let Act::Integrate { keep, .. } = act { Some(*keep) } else { None };
    for line in run.stdout.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let left = |history: &mut History, name: &str| history.task(name, span, Deed::LeftOut, said);
        match words.as_slice() {
            // What is merged has landed only if its line says that the target has moved.
            ["merged", name, _] if lands => {
                let told = run.stderr.contains(&format!("kept worktree and branch of '{name}'"));
                let stays = if told { Some(true) } else { keeps };
                history.task(name, span, Deed::Landed { stays }, said);
                let name = (*name).to_owned();
                match stays {
                    Some(true) => {}
                    Some(false) => history.every_slot(span, &SlotDeed::Vacated(name), said),
                    None => history.every_slot(span, &SlotDeed::PerhapsVacated(name), said),
                }
            }
            ["merged", ..] => {}
            ["conflict" | "failed" | "skipped" | "contained" | "empty", name, ..] => left(history, name),
            ["landed", ..] => {}
            _ => history.unexplained.push(said.to_owned()),
        }
    }
    // What landed is tidied up by a removal, which may be left half done.
    for line in run.stderr.lines().filter_map(|l| l.strip_prefix("warning: kept worktree and branch of ")) {
        if let (Some(name), Some(Why::Half)) = (refusal::subject(line), refusal::why(line)) {
            left_half(history, ended, name, said);
        }
    }
    let errors: Vec<&str> = run.stderr.lines().filter(|l| l.starts_with("error: ")).collect();
    // It gives up when the target has moved too often, and waits for somebody.
    if let Some(times) = run.stderr.lines().find_map(moved_times) {
        history.outrun(span, times, said);
    } else if run.code == 1 && run.stdout.is_empty() && !errors.is_empty() {
        stops = false;
        errors.iter().for_each(|e| refused(history, ended, e, said));
        // It waits as before.
        if matches!(act, Act::GoOn(_)) {
            return;
        }
    }
    let deed = match act {
        Act::GoOn(_) => TrainDeed::WentOn { stops },
        _ => TrainDeed::Ran { stops },
    };
    history.train(span, deed, said);
}

/// How often the target had moved when an integration gave up for that.
fn moved_times(line: &str) -> Option<usize> {
    line.strip_suffix(" times while its tasks were merged")?.rsplit_once(" moved ")?.1.parse().ok()
}

/// Records of `key value` lines, each closed by an empty line.
fn records(text: &str) -> Option<Vec<Vec<(&str, &str)>>> {
    let all = text.strip_suffix("\n\n").or((text.is_empty()).then_some(""))?;
    let line = |l: &'_ str| -> Option<(usize, usize)> { l.find(' ').map(|at| (at, l.len())) };
    let record = |r| -> Option<Vec<(&str, &str)>> {
        let lines = str::lines(r);
        lines.map(|l| line(l).map_or(Some((l, "")), |(at, _)| Some((&l[..at], &l[at + 1..])))).collect()
    };
    if all.is_empty() { Some(Vec::new()) } else { all.split("\n\n").map(record).collect() }
}

fn value<'a>(record: &[(&'a str, &'a str)], key: &str) -> Option<String> {
    record.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned())
}

fn listed(history: &mut History, ended: &Ended<'_>, said: &str) {
    let Some(records) = records(&ended.run.stdout).filter(|_| !ended.run.stderr.contains("warning")) else {
        return history.unexplained.push(said.to_owned());
    };
    for name in NAMES {
        let found = records.iter().find(|r| r.contains(&("task", name)));
        let state = found.and_then(|r| value(r, "state"));
        history.task(name, ended.span, Deed::Seen(state), said);
    }
}

fn pool_listed(history: &mut History, ended: &Ended<'_>, said: &str) {
    let Some(records) = records(&ended.run.stdout).filter(|_| !ended.run.stderr.contains("warning")) else {
        return history.unexplained.push(said.to_owned());
    };
    for slot in 1..=LAST_SLOT {
        let slot = slot.to_string();
        let found = records.iter().find(|r| r.contains(&("slot", slot.as_str())));
        let (state, lease, task) = match found {
            Some(r) => (value(r, "state").unwrap_or_default(), value(r, "lease"), value(r, "task")),
            None => ("idle".to_owned(), None, None),
        };
        match state.as_str() {
            "claimed" | "idle" => {
                let held = state == "claimed";
                history.slot(&slot, ended.span, SlotDeed::Seen { held, lease, task }, said);
            }
            "broken" => history.slot(&slot, ended.span, SlotDeed::SeenBroken, said),
            "preparing" => {}
            _ => history.unexplained.push(format!("slot {slot} is {state}\n{said}")),
        }
    }
}

/// The slot that a command names, alone or with its lease.
fn named_slot(ended: &Ended<'_>) -> Option<String> {
    match ended.act {
        Act::ReleaseSlot(slot) => Some(slot.to_string()),
        _ => ended.lease.map(|(slot, _)| slot.clone()),
    }
}

/// It was begun, and whoever comes next goes on with it.
fn left_half(history: &mut History, ended: &Ended<'_>, name: &str, text: &str) {
    let Ended { span, id, .. } = *ended;
    let later = Span { end: u64::MAX, ..span };
    history.leaves(name, span.begin);
    if let Some(slot) = named_slot(ended) {
        history.leaves(&slot, span.begin);
    }
    let names = if name == "*" { NAMES.to_vec() } else { vec![name] };
    for name in names {
        history.task(name, later, Deed::Half, text);
        history.half(name, span.begin, id);
    }
    history.every_slot(later, &SlotDeed::Half, text);
}

fn refused(history: &mut History, ended: &Ended<'_>, error: &str, said: &str) {
    let Ended { act, span, id, lease, .. } = *ended;
    let own = touched(act).into_iter().find(|o| NAMES.contains(&o.as_str()));
    let named = refusal::subject(error).map(str::to_owned).or(own);
    let name = named.as_deref().unwrap_or("*");
    let text = format!("{said}\n(of '{error}')");
    match refusal::why(error) {
        None => history.unexplained.push(said.to_owned()),
        Some(Why::Work) => {}
        Some(Why::ForeignNow) => history.while_foreign(name, span, &text),
        Some(Why::Foreign) => history.because_of_foreign(name, span, id, &text),
        Some(Why::Half) => left_half(history, ended, name, &text),
        Some(Why::State(need)) if name != "*" => history.task(name, span, Deed::Refused(need), &text),
        Some(Why::StateOr(need)) if name != "*" => history.between(name, span, need, id, &text),
        Some(Why::Elsewhere) => history.busy("*", span, id, &text),
        // Which task was in the slot is not known.
        Some(Why::StateOr(Need::Locked(true))) if matches!(act, Act::ReleaseSlot(_)) => {
            history.locked(span, &text);
        }
        Some(Why::State(_) | Why::StateOr(_) | Why::Meanwhile) => history.busy(name, span, id, &text),
        Some(Why::NoLease) => match lease {
            Some((slot, lease)) => history.slot(slot, span, SlotDeed::NotHeldBy(lease.clone()), &text),
            None => history.unexplained.push(said.to_owned()),
        },
        Some(Why::Held) => {
            let mut words = error.split(' ').skip_while(|word| *word != "slot").skip(1);
            let slot = words.next().unwrap_or_default();
            let task = error.rsplit_once("by task ").map(|(_, task)| task.to_owned());
            history.slot(slot, span, SlotDeed::Seen { held: true, lease: None, task }, &text);
        }
        Some(Why::Idle) => match named_slot(ended) {
            Some(slot) => history.slot(&slot, span, SlotDeed::Idle, &text),
            None => history.unexplained.push(said.to_owned()),
        },
        Some(Why::Running) => history.busy(TRAIN, span, id, &text),
        Some(Why::Stopped) => history.train_refused(span, true, id, &text),
        Some(Why::NotStopped) => history.train_refused(span, false, id, &text),
    }
}
