use std::io::Write;

use super::*;
use crate::schedule::run_record::RunRecord;

fn line(event: Event) -> Vec<u8> {
    Stamped { time: 7, event }.to_line()
}

fn exited(task: &str, stage: &str, gate: bool, ok: bool) -> Event {
    let (task, stage) = (task.to_owned(), stage.to_owned());
    Event::Exited { task, stage, gate, attempt: 1, ok, reason: None, seconds: 0.5 }
}

fn begin() -> Event {
    let asked = Asked { tasks: vec!["a".into(), "b".into()], jobs: 3, ..Asked::default() };
    Event::Run { resumed: false, asked }
}

#[test]
fn what_is_written_is_what_is_read_and_a_torn_line_says_nothing() {
    let started =
        Event::Started { task: "b".into(), stage: "build".into(), gate: false, attempt: 2, session: 5 };
    let mut bytes = [
        line(begin()),
        line(Event::Synced { task: "a".into() }),
        line(exited("a", "build", false, true)),
        line(exited("a", "build", true, false)),
        line(started),
    ]
    .concat();
    let whole = Past::read(&bytes).expect("a run");
    bytes.extend(&line(exited("b", "build", false, true))[..20]);
    let past = Past::read(&bytes).expect("a run");
    assert_eq!(past, whole);
    assert_eq!((past.asked.jobs, past.asked.tasks.len()), (3, 2));
    let a = &past.tasks["a"];
    assert!(a.synced && a.worked.contains("build") && a.passed.is_empty() && a.open.is_none());
    let open = Open { stage: "build".into(), gate: false, attempt: 2, session: 5 };
    assert_eq!(past.tasks["b"].open, Some(open));
    assert!(!past.is_complete);
}

#[test]
fn a_resumed_record_goes_on_where_the_last_whole_line_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut record = RunRecord::acquire(dir.path()).expect("nobody has it");
    let other = RunRecord::acquire(dir.path()).expect_err("it is taken");
    let message = format!("another 'git task run' is under way: process {}", std::process::id());
    assert_eq!(other.message(), message);
    record.begin(false, &Stamped { time: 1, event: begin() }).expect("it can be written");
    record.add(&Stamped { time: 2, event: exited("a", "s", false, true) }).expect("it can be written");
    drop(record);
    let torn = std::fs::OpenOptions::new().append(true).open(dir.path().join("run/record"));
    torn.and_then(|mut file| file.write_all(b"{\"time\":3,\"ev")).expect("it can be written");
    let mut record = RunRecord::acquire(dir.path()).expect("it was given back");
    record.begin(true, &Stamped { time: 4, event: begin() }).expect("it can be written");
    record.add(&Stamped { time: 5, event: exited("b", "s", false, true) }).expect("it can be written");
    let past = Past::last(dir.path()).expect("readable").expect("there");
    assert!(past.tasks["a"].worked.contains("s") && past.tasks["b"].worked.contains("s"));
}
