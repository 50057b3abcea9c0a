//! Stops asking an endpoint that does not answer: after some failures in a row it is left alone for a while, then one request tries
//! whether it is back. Pure: the clock is the caller's.

use std::time::{Duration, Instant};

/// Failures in a row after which it opens.
const FAILURES: u32 = 6;
/// How long it stays open.
const OPEN: Duration = Duration::from_secs(15);
/// How often those who wait look again.
const LOOK: Duration = Duration::from_millis(500);
/// A request that went to try and never came back, because its call was given up, does not keep the door.
const PROBE: Duration = Duration::from_secs(60);

/// Whether a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Go,
    Wait(Duration),
}

/// Closed, open or half open.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
    /// A request is out to try, since then.
    probe: Option<Instant>,
}

impl Breaker {
    /// Asks for leave to send one request.
    pub(super) fn leave(&mut self, now: Instant) -> Leave {
        let Some(until) = self.open_until else { return Leave::Go };
        if now < until {
            return Leave::Wait(until - now);
        }
        if self.probe.is_some_and(|since| now.duration_since(since) < PROBE) {
            return Leave::Wait(LOOK);
        }
        self.probe = Some(now);
        Leave::Go
    }

    /// The endpoint answered, whatever it said.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A request brought no answer.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.probe.take().is_some() || self.failures >= FAILURES {
            self.open_until = Some(now + OPEN);
        }
    }

    /// A request was not sent after all.
    pub(super) fn abandoned(&mut self) {
        self.probe = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_tries_with_one_and_closes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut breaker = Breaker::default();
        for n in 0..FAILURES {
            assert_eq!(breaker.leave(at(0)), Leave::Go, "{n}");
            breaker.failed(at(0));
        }
        assert_eq!(breaker.leave(at(5)), Leave::Wait(Duration::from_secs(10)));
        assert_eq!(breaker.leave(at(15)), Leave::Go, "half open");
        assert_eq!(breaker.leave(at(15)), Leave::Wait(LOOK), "one is enough to try");
        breaker.failed(at(16));
        assert_eq!(breaker.leave(at(20)), Leave::Wait(Duration::from_secs(11)), "open again at the first failure");
        assert_eq!(breaker.leave(at(31)), Leave::Go);
        assert_eq!(breaker.leave(at(31) + PROBE), Leave::Go, "a probe that never came back is forgotten");
        breaker.succeeded();
        assert_eq!((breaker.leave(at(32)), breaker.leave(at(32))), (Leave::Go, Leave::Go));
    }

    #[test]
    fn single_failures_do_not_open_it() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAILURES {
                breaker.failed(now);
            }
            breaker.succeeded();
        }
        assert_eq!(breaker.leave(now), Leave::Go);
    }
}
