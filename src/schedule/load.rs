//! How busy the machine is.

use std::time::{Duration, Instant};

/// The load of the last minute, as getloadavg(3) has it, in hundredths; none where the system doesn't say.
#[expect(unsafe_code, reason = "getloadavg has no safe wrapper here")]
pub fn average() -> Option<u32> {
    let mut loads = [0.0f64];
    // SAFETY: the array has room for the one number that is asked for.
    let found = unsafe { libc::getloadavg(loads.as_mut_ptr(), 1) };
    let [load] = loads;
    // A load is far from where a float loses whole numbers, and never negative.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    (found == 1 && load.is_finite() && load >= 0.0).then_some((load * 100.0) as u32)
}

/// Sessions are not started while the machine is busier than this.
#[derive(Debug)]
pub struct MaxLoad {
    /// In hundredths.
    limit: u32,
    /// When the last ones were started: the average has not seen them yet.
    recent: Vec<Instant>,
}

/// How long a session that was started counts as one that the average has not seen.
const UNSEEN: Duration = Duration::from_secs(5);

impl MaxLoad {
    /// With this limit, in hundredths.
    pub fn new(limit: u32) -> Self {
        MaxLoad { limit, recent: Vec::new() }
    }

    /// The load, if it forbids another session.
    pub fn forbids(&mut self, now: Instant, load: u32) -> Option<u32> {
        self.recent.retain(|started| now.duration_since(*started) < UNSEEN);
        // As make does it: each new one counts fully until the average has had time to rise.
        let unseen = u32::try_from(self.recent.len()).unwrap_or(u32::MAX).saturating_mul(100);
        let guess = load.saturating_add(unseen);
        (guess >= self.limit).then_some(guess)
    }

    /// A session has been started.
    pub fn started(&mut self, now: Instant) {
        self.recent.push(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_its_load() {
        assert!(average().is_some());
    }

    #[test]
    fn what_was_just_started_counts_until_the_average_has_seen_it() {
        let now = Instant::now();
        let mut max = MaxLoad::new(250);
        assert_eq!(max.forbids(now, 100), None);
        max.started(now);
        assert_eq!(max.forbids(now, 100), None);
        max.started(now);
        assert_eq!(max.forbids(now, 100), Some(300));
        assert_eq!(max.forbids(now + UNSEEN, 100), None);
        assert_eq!(max.forbids(now + UNSEEN, 250), Some(250));
    }
}
