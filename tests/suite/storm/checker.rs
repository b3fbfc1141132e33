//! The checker finds what it is there for.

use super::search::{Event, Model, search};
use super::slot::{Slot, SlotDeed, Train, TrainDeed};
use super::task::{Deed, Life, Need, Task};

fn is_legal<M: Model>(start: M, deeds: Vec<(u64, u64, M::Deed)>) -> bool {
    let event = |(begin, end, deed)| Event { begin, end, deed, what: String::new() };
    search(start, &deeds.into_iter().map(event).collect::<Vec<_>>()).is_ok()
}

fn claimed(lease: &str) -> SlotDeed {
    SlotDeed::Claimed { lease: Some(lease.to_owned()), task: None }
}

#[test]
fn a_slot_has_one_holder() {
    let given_back = || SlotDeed::Released(Some("a".to_owned()));
    assert!(!is_legal(Slot::Free, vec![(0, 9, claimed("a")), (0, 9, claimed("b"))]));
    assert!(is_legal(Slot::Free, vec![(0, 9, claimed("a")), (2, 4, given_back()), (0, 9, claimed("b"))]));
    assert!(!is_legal(Slot::Free, vec![(0, 1, claimed("a")), (2, 4, claimed("b")), (5, 6, given_back())]));
    assert!(!is_legal(Slot::Free, vec![(0, 1, claimed("b")), (2, 3, given_back())]));
    let seen = SlotDeed::Seen { held: false, lease: None, task: None };
    assert!(!is_legal(Slot::Free, vec![(0, 1, claimed("a")), (2, 3, seen.clone())]));
    assert!(is_legal(Slot::Free, vec![(0, 2, claimed("a")), (1, 3, seen)]));
}

#[test]
fn a_slot_is_broken_only_where_somebody_wrote_after_it_was_given_back() {
    let released = |begin, end| (begin, end, SlotDeed::Released(Some("a".to_owned())));
    let broken = (8, 9, SlotDeed::SeenBroken);
    let touched = |begin, end| (begin, end, SlotDeed::Touched);
    let before = |more: Vec<_>| [vec![(0, 1, claimed("a"))], more, vec![broken.clone()]].concat();
    assert!(!is_legal(Slot::Free, vec![broken.clone()]));
    assert!(!is_legal(Slot::Free, before(vec![released(2, 3)])));
    assert!(!is_legal(Slot::Free, before(vec![touched(2, 3), released(4, 5)])));
    assert!(is_legal(Slot::Free, before(vec![touched(2, 4), released(3, 5)])));
    assert!(is_legal(Slot::Free, before(vec![released(2, 3), touched(4, 5)])));
    // Nobody has noticed yet.
    let idle = SlotDeed::Seen { held: false, lease: None, task: None };
    let seen = |deed, at| (at, at, deed);
    let noticed = vec![released(2, 3), touched(4, 5), seen(idle.clone(), 6)];
    assert!(is_legal(Slot::Free, before(noticed)));
    assert!(!is_legal(
        Slot::Free,
        [before(vec![released(2, 3), touched(4, 5)]), vec![seen(idle, 10)]].concat()
    ));
}

#[test]
fn a_name_has_one_task_and_its_state_follows_its_commands() {
    let add = || Deed::Add { reuse: false };
    let seen = |word: &str| Deed::Seen(Some(word.to_owned()));
    assert!(!is_legal(Task::START, vec![(0, 5, add()), (0, 5, add())]));
    assert!(is_legal(Task::START, vec![(0, 5, add()), (0, 5, Deed::Refused(Need::Life(Life::Open)))]));
    assert!(!is_legal(Task::START, vec![(0, 1, add()), (2, 3, Deed::Refused(Need::Unknown))]));
    assert!(!is_legal(
        Task::START,
        vec![(0, 1, add()), (2, 3, Deed::Say(Life::Blocked)), (4, 5, seen("open"))]
    ));
    // Each may have been the last, but not both.
    let both = |last| {
        vec![(0, 1, add()), (2, 5, Deed::Say(Life::Blocked)), (2, 5, Deed::Say(Life::Ready)), (6, 7, last)]
    };
    assert!(is_legal(Task::START, both(seen("blocked"))) && is_legal(Task::START, both(seen("ready"))));
    assert!(!is_legal(Task::START, both(seen("dropped"))));
    let mut twice = both(seen("blocked"));
    twice.push((8, 9, Deed::Refused(Need::Life(Life::Ready))));
    assert!(!is_legal(Task::START, twice));
}

#[test]
fn an_integration_waits_for_one_that_has_stopped() {
    let idle = Train { stopped: false };
    let (stops, ends) = (TrainDeed::Ran { stops: true }, TrainDeed::Ran { stops: false });
    assert!(!is_legal(idle, vec![(0, 1, stops), (2, 3, ends)]));
    assert!(is_legal(idle, vec![(0, 1, stops), (1, 2, TrainDeed::WentOn { stops: false }), (2, 3, ends)]));
}

#[test]
fn what_was_lost_between_two_writers_has_no_order() {
    // As without the state lock: both read that the slot is free, and each writes itself down.
    let seen = |lease: &str| SlotDeed::Seen { held: true, lease: Some(lease.to_owned()), task: None };
    let both = [(0, 9, claimed("a")), (1, 8, claimed("b"))];
    assert!(!is_legal(Slot::Free, both.iter().cloned().chain([(10, 11, seen("b"))]).collect()));
    // One said that it is blocked, the other that it is ready, and the state says neither.
    let add = (0, 1, Deed::Add { reuse: false });
    let deeds = vec![add, (2, 3, Deed::Say(Life::Blocked)), (4, 5, Deed::Seen(Some("open".to_owned())))];
    assert!(!is_legal(Task::START, deeds));
}

#[test]
fn what_is_known_of_a_task_explains_its_refusals_and_nothing_else_does() {
    let add = || (0, 1, Deed::Add { reuse: false });
    let refused = |need| (4, 5, Deed::Refused(need));
    assert!(!is_legal(Task::START, vec![add(), refused(Need::Unfinished)]));
    assert!(is_legal(Task::START, vec![add(), (2, 3, Deed::Stopped), refused(Need::Unfinished)]));
    let away = (2, 3, Deed::RenameAway);
    assert!(is_legal(Task::START, vec![add(), away.clone(), (4, 5, Deed::Add { reuse: false })]));
    assert!(!is_legal(Task::START, vec![add(), away, refused(Need::Gone)]));
    let landed = |stays| vec![add(), (2, 3, Deed::Landed { stays: Some(stays) }), refused(Need::Place(true))];
    assert!(is_legal(Task::START, landed(true)) && !is_legal(Task::START, landed(false)));
    assert!(!is_legal(Task::START, vec![add(), (2, 3, Deed::Restore)]));
}
