//! Whether a history of overlapping deeds on one object has a legal order: a search as Wing and Gong describe it,
//! done along the time line. Objects are judged each for itself; if each has an order, so have all together.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// What may happen to one object.
pub trait Model: Clone + Eq + Hash + Debug {
    /// What is done to it or seen of it.
    type Deed: Debug;

    /// The states that a deed can leave behind; none if it can't be done in this state.
    fn after(&self, deed: &Self::Deed) -> Vec<Self>;

    /// What it may become with nobody doing anything.
    fn by_itself(&self) -> Option<Self> {
        None
    }
}

/// One deed, with the time in which it took effect at some instant.
#[derive(Clone, Debug)]
pub struct Event<D> {
    pub begin: u64,
    pub end: u64,
    pub deed: D,
    /// The command and what it answered, for messages.
    pub what: String,
}

/// A deed that no legal order explains.
#[derive(Debug)]
pub struct Illegal<M> {
    /// Which.
    pub event: usize,
    /// The states that were possible before.
    pub states: Vec<M>,
}

/// Looks for a legal order, beginning in `start`.
///
/// # Errors
/// The first deed that was answered with what can't be.
pub fn search<M: Model>(start: M, events: &[Event<M::Deed>]) -> Result<HashSet<M>, Illegal<M>> {
    // A deed that begins as another ends overlaps it.
    let mut times: Vec<(u64, bool, usize)> = Vec::new();
    for (i, event) in events.iter().enumerate() {
        times.push((event.begin, false, i));
        times.push((event.end, true, i));
    }
    times.sort();
    let mut open: Vec<usize> = Vec::new();
    // A state, and which of the open deeds have taken effect in it.
    let mut now: HashSet<(M, Vec<usize>)> = HashSet::from([(start, Vec::new())]);
    for (_, ends, which) in times {
        if !ends {
            open.push(which);
            continue;
        }
        let all = reachable(now, &open, events);
        let done = |(_, done): &&(M, Vec<usize>)| done.contains(&which);
        let then: HashSet<_> = all.iter().filter(done).cloned().collect();
        if then.is_empty() {
            let states: HashSet<M> = all.into_iter().map(|(state, _)| state).collect();
            return Err(Illegal { event: which, states: states.into_iter().collect() });
        }
        open.retain(|i| *i != which);
        now = then
            .into_iter()
            .map(|(s, done)| (s, done.into_iter().filter(|i| *i != which).collect()))
            .collect();
    }
    Ok(reachable(now, &[], events).into_iter().map(|(state, _)| state).collect())
}

/// All that can be reached if any of the open deeds take effect, in any order.
fn reachable<M: Model>(
    from: HashSet<(M, Vec<usize>)>,
    open: &[usize],
    events: &[Event<M::Deed>],
) -> HashSet<(M, Vec<usize>)> {
    let mut found = from.clone();
    let mut todo: Vec<_> = from.into_iter().collect();
    while let Some((state, done)) = todo.pop() {
        let mut next: Vec<(M, Vec<usize>)> =
            state.by_itself().map(|s| (s, done.clone())).into_iter().collect();
        for which in open.iter().filter(|i| !done.contains(i)) {
            let mut with = done.clone();
            with.push(*which);
            with.sort();
            next.extend(state.after(&events[*which].deed).into_iter().map(|s| (s, with.clone())));
        }
        todo.extend(next.into_iter().filter(|config| found.insert(config.clone())));
    }
    found
}
