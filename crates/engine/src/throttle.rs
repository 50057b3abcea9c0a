//! Whether the run waits for a model endpoint that answers with rate limits, and for how long it did in all. Time is given from outside,
//! so that this is data.
//!
//! What must stay true: the state begins with an answer of the endpoint and ends by itself, with the next answer or some time after the
//! endpoint said to try again, so that it stops no clock for ever.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long after the time that the endpoint named the next try may come.
const SLACK: Duration = Duration::from_secs(60);

/// The rate limits of one process.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: Option<Limited>,
    /// Waits that are over.
    waited: Duration,
}

#[derive(Clone, Debug)]
struct Limited {
    since: Instant,
    /// Without another word, the state ends then.
    until: Instant,
    says: String,
}

impl Throttle {
    /// The endpoint answered so.
    pub(crate) fn limited(&self, status: u16, retry_after: Option<Duration>, at: Instant) {
        let asks = retry_after.map(|span| format!(", asks to wait {} s", span.as_secs())).unwrap_or_default();
        let mut state = self.lock(at);
        let since = state.now.as_ref().map_or(at, |limited| limited.since);
        // A time that no clock can hold is as good as never.
        let until = at.checked_add(retry_after.unwrap_or_default()).and_then(|at| at.checked_add(SLACK));
        let until = until.unwrap_or(at + Duration::from_secs(86_400));
        state.now = Some(Limited { since, until, says: format!("the model endpoint answers {status}{asks}") });
    }

    /// The endpoint answers again.
    pub(crate) fn cleared(&self, at: Instant) {
        let mut state = self.lock(at);
        if let Some(limited) = state.now.take() {
            state.waited += at.saturating_duration_since(limited.since);
        }
    }

    /// What the endpoint said, while the run waits for it.
    pub(crate) fn says(&self, at: Instant) -> Option<String> {
        self.lock(at).now.as_ref().map(|limited| limited.says.clone())
    }

    /// How long the run has waited in all.
    pub(crate) fn waited(&self, at: Instant) -> Duration {
        let state = self.lock(at);
        let now = state.now.as_ref().map(|limited| at.saturating_duration_since(limited.since));
        state.waited + now.unwrap_or_default()
    }

    /// The state at this time: one that has lapsed is over.
    fn lock(&self, at: Instant) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limited) = state.now.take_if(|limited| limited.until <= at) {
            state.waited += limited.until.saturating_duration_since(limited.since);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn it_lasts_until_the_endpoint_answers_or_nobody_asks_again() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let at = |count| start + seconds(count);
        assert_eq!(throttle.says(start), None);
        throttle.limited(429, Some(seconds(30)), at(10));
        assert_eq!(throttle.says(at(11)).as_deref(), Some("the model endpoint answers 429, asks to wait 30 s"));
        throttle.limited(529, None, at(40));
        assert_eq!(throttle.says(at(41)).as_deref(), Some("the model endpoint answers 529"));
        assert_eq!(throttle.waited(at(50)), seconds(40));
        throttle.cleared(at(60));
        assert_eq!((throttle.says(at(61)), throttle.waited(at(99))), (None, seconds(50)));
        throttle.cleared(at(100));
        throttle.limited(429, Some(seconds(5)), at(200));
        assert!(throttle.says(at(264)).is_some());
        // Five seconds and the slack are over.
        assert_eq!((throttle.says(at(265)), throttle.waited(at(1000))), (None, seconds(50 + 65)));
        throttle.limited(429, Some(Duration::MAX), at(2000));
        assert!(throttle.says(at(2000)).is_some() && throttle.says(at(100_000)).is_none());
    }
}
