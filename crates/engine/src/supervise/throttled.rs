//! The run waits for a model endpoint that answers with rate limits: a state of its own, in which silence is no silence and the clock
//! of the work stands still, up to a bound.

use super::Session;
use crate::outcome::Outcome;
use std::time::Instant;
use types::{event::Phase, result::Status};

impl Session<'_> {
    /// True while the endpoint is waited for.
    pub(super) fn is_throttled(&self) -> bool {
        self.with.watch.throttle().says(Instant::now()).is_some()
    }

    /// Enters the state and leaves it. A person who is waited for as well comes first.
    pub(super) fn look_at_rate_limits(&mut self) {
        match (self.with.watch.throttle().says(Instant::now()), self.phase) {
            (Some(says), Phase::Running) => self.enter(Phase::RateLimited, &says),
            (None, Phase::RateLimited) => {
                // From here on silence counts again.
                self.last_sign = Instant::now();
                self.enter(Phase::Running, "");
            }
            (
                Some(_) | None,
                Phase::Admitted
                | Phase::Provisioning
                | Phase::Setup
                | Phase::Running
                | Phase::Waiting
                | Phase::RateLimited
                | Phase::Parked
                | Phase::Harvesting
                | Phase::Verifying
                | Phase::Done,
            ) => {}
        }
    }

    /// The end of a run that waited longer than the operator wants.
    pub(super) fn waited_too_long(&self) -> Option<Outcome> {
        let bound = self.with.plan.profile.limits.rate_limit_timeout;
        let says = self.with.watch.throttle().says(Instant::now())?;
        (self.with.watch.throttled() > bound.duration()).then(|| {
            Outcome::new(Status::Infrastructure, format!("rate-limit-timeout: {says}, for {bound} in all"))
                .with_hint("run the task again later, or raise limits.rate-limit-timeout; partial work is kept")
        })
    }
}
