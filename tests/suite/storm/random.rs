//! Choices that a seed determines: the same seed gives each worker the same deeds, however they interleave.

/// A stream of numbers (SplitMix64).
pub struct Random(u64);

impl Random {
    /// The stream of one step of one worker: what an earlier step drew doesn't change it.
    pub fn of(seed: u64, worker: usize, step: usize) -> Self {
        let mut random = Random(seed ^ ((worker as u64) << 48) ^ ((step as u64) << 8));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}
