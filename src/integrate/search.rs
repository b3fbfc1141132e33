//! The search for the first of several merged results that fails: pure.
//!
//! The results are numbered from 1, each with one task more than the one before; 0 is what they are built on. One
//! that passes says that those before it are good too, as long as none of them is known to fail.

/// What is known by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The last that is known to be good.
    good: usize,
    /// The first that is known to fail.
    bad: Option<usize>,
    /// The last of all.
    last: usize,
}

impl Search {
    /// Nothing is known of `count` results.
    pub fn new(count: usize) -> Self {
        Search { good: 0, bad: None, last: count }
    }

    /// Which are to be looked at next, `most` of them at once, in order. None if all is known.
    pub fn next(&self, most: usize) -> Vec<usize> {
        // As long as none fails the last must be among them: it is what is published.
        let (between, parts) = match self.bad {
            None => (self.last - self.good, 0),
            Some(bad) => (bad - self.good - 1, 1),
        };
        let count = most.max(1).min(between);
        (1..=count).map(|at| self.good + at * (between + parts) / (count + parts)).collect()
    }

    /// What came of those that were looked at: the number, and whether it passes. One that passes behind one that
    /// fails says nothing.
    pub fn learn(&mut self, results: &[(usize, bool)]) {
        let failing = results.iter().filter(|(_, passes)| !passes).map(|(number, _)| *number);
        self.bad = failing.chain(self.bad).min();
        let passing =
            results.iter().filter(|(number, passes)| *passes && self.bad.is_none_or(|bad| *number < bad));
        self.good = passing.map(|(number, _)| *number).max().map_or(self.good, |good| good.max(self.good));
    }

    /// The one whose task is to blame, when nothing is left to be looked at. None if all are good.
    pub fn guilty(&self) -> Option<usize> {
        self.bad.filter(|bad| self.good + 1 == *bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks, and learns as the rounds do: in order, and nothing behind the first that fails.
    fn search(count: usize, most: usize, passes: impl Fn(usize) -> bool) -> (Option<usize>, usize, usize) {
        let mut search = Search::new(count);
        let (mut rounds, mut looks) = (0, 0);
        loop {
            let next = search.next(most);
            if next.is_empty() {
                return (search.guilty(), rounds, looks);
            }
            assert!(next.len() <= most && next.is_sorted_by(|a, b| a < b), "{next:?}");
            rounds += 1;
            // What is behind one that fails need not be looked at.
            let first = next.iter().position(|number| !passes(*number)).map_or(next.len(), |at| at + 1);
            looks += first;
            search.learn(&next[..first].iter().map(|number| (*number, passes(*number))).collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_are_looked_at_where_there_are_few_and_some_where_there_are_many() {
        assert_eq!(Search::new(3).next(4), [1, 2, 3]);
        assert_eq!(Search::new(8).next(2), [4, 8]);
        assert_eq!(Search::new(8).next(3), [2, 5, 8]);
        assert_eq!(Search::new(0).next(2), [0; 0]);
        assert_eq!(search(8, 2, |_| true), (None, 1, 2));
    }

    #[test]
    fn the_first_that_fails_is_found() {
        for count in 1..40 {
            for most in 1..6 {
                for first in 1..=count {
                    let (guilty, rounds, _) = search(count, most, |number| number < first);
                    assert_eq!(guilty, Some(first), "{count} {most}");
                    // Each round leaves one of `most` parts, and then one of `most + 1`.
                    let mut left = count.div_ceil(most);
                    let mut enough = 1;
                    while left > 1 {
                        left = left.div_ceil(most + 1);
                        enough += 1;
                    }
                    assert!(rounds <= enough, "{count} {most} {first}: {rounds} and not {enough}");
                }
            }
        }
    }

    #[test]
    fn who_is_blamed_fails_and_what_is_before_it_passes() {
        for seed in 0_u32..2000 {
            let passes = |number: usize| (seed.wrapping_mul(2_654_435_761) >> (number % 31)) & 1 == 0;
            let count = seed as usize % 17;
            for most in 1..5 {
                let mut search = Search::new(count);
                loop {
                    let next = search.next(most);
                    if next.is_empty() {
                        break;
                    }
                    let all = next.iter().rev().map(|number| (*number, passes(*number)));
                    search.learn(&all.collect::<Vec<_>>());
                }
                match search.guilty() {
                    Some(guilty) => assert!(!passes(guilty) && (guilty == 1 || passes(guilty - 1))),
                    None => assert!(count == 0 || passes(count)),
                }
            }
        }
    }
}
