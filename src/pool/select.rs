//! Which of the idle slots a claim gets: pure.

use std::cmp::Reverse;

/// An idle slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its place among all slots.
    pub at: usize,
    /// How many files differ from what is wanted; none if that is not known.
    pub distance: Option<usize>,
    /// When it was given back, in seconds since the epoch: the later, the newer its build cache.
    pub left: i64,
}

/// The one whose files are nearest to what is wanted; of several the one with the newest build cache, then the
/// first.
pub fn choose(candidates: &[Candidate]) -> Option<usize> {
    let key = |c: &&Candidate| (c.distance.unwrap_or(usize::MAX), Reverse(c.left), c.at);
    candidates.iter().min_by_key(key).map(|c| c.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(at: usize, distance: Option<usize>, left: i64) -> Candidate {
        Candidate { at, distance, left }
    }

    #[test]
    fn the_nearest_wins_then_the_newest_cache_then_the_first() {
        assert_eq!(choose(&[]), None);
        let near = [candidate(0, None, 9), candidate(1, Some(5), 1), candidate(2, Some(4), 0)];
        assert_eq!(choose(&near), Some(2));
        let newest = [candidate(0, Some(0), 1), candidate(1, Some(0), 7), candidate(2, Some(0), 3)];
        assert_eq!(choose(&newest), Some(1));
        let first = [candidate(3, Some(0), 1), candidate(1, Some(0), 1)];
        assert_eq!(choose(&first), Some(1));
        assert_eq!(choose(&[candidate(4, None, 0)]), Some(4), "any is better than none");
    }
}
