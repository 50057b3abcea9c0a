//! How long the agent worked. Time in which the run waits for a person or for the model endpoint does not count as work; time in which
//! it waits for both is left out once. Time is given from outside, so that this is data.

use std::time::Duration;

/// What was seen up to the last look.
#[derive(Debug, Default)]
pub(super) struct Clock {
    worked: Duration,
    elapsed: Duration,
    waits: [Duration; 2],
}

impl Clock {
    /// The work so far, from the time that went by and the two waits so far. Within the span between two looks, waits count as one after the
    /// other.
    pub(super) fn worked(&mut self, elapsed: Duration, waits: [Duration; 2]) -> Duration {
        let waited: Duration = waits.iter().zip(self.waits).map(|(now, before)| now.saturating_sub(before)).sum();
        self.worked += elapsed.saturating_sub(self.elapsed).saturating_sub(waited);
        (self.elapsed, self.waits) = (elapsed, waits);
        self.worked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_left_out_once() {
        let seconds = Duration::from_secs;
        let mut clock = Clock::default();
        let mut at = |elapsed, one, two| clock.worked(seconds(elapsed), [seconds(one), seconds(two)]).as_secs();
        assert_eq!(at(10, 0, 0), 10);
        assert_eq!(at(20, 5, 0), 15, "one wait");
        assert_eq!(at(30, 15, 10), 15, "both at the same time");
        assert_eq!(at(40, 18, 17), 15, "one after the other");
        assert_eq!(at(50, 18, 17), 25, "the clock goes on at once");
    }
}
