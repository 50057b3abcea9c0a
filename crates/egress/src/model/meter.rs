//! What the run may spend. Subagents share it, because they share the gateway.

use crate::observer::{LimitReached, Observer};
use std::sync::{Arc, Mutex, PoisonError};

/// Budget and number of requests of one run.
pub(crate) struct Meter {
    sink: Arc<dyn Observer>,
    budget_usd: Option<f64>,
    max_requests: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spent_usd: f64,
    requests: u64,
    budget_told: bool,
    requests_told: bool,
}

impl Meter {
    /// Nothing spent yet.
    pub(crate) fn new(sink: Arc<dyn Observer>, budget_usd: Option<f64>, max_requests: Option<u64>) -> Self {
        Self { sink, budget_usd, max_requests, state: Mutex::default() }
    }

    /// Lets a request begin. `counts` is false for requests that cost nothing.
    ///
    /// # Errors
    /// [`LimitReached`]
    pub(crate) fn admit(&self, counts: bool) -> Result<(), LimitReached> {
        let mut tell = false;
        let result = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            match (self.budget_usd, self.max_requests) {
                (Some(limit_usd), _) if state.spent_usd >= limit_usd => {
                    tell = !std::mem::replace(&mut state.budget_told, true);
                    Err(LimitReached::Budget { spent_usd: state.spent_usd, limit_usd })
                }
                (_, Some(limit)) if state.requests >= limit => {
                    tell = !std::mem::replace(&mut state.requests_told, true);
                    Err(LimitReached::Requests { limit })
                }
                _ => {
                    state.requests += u64::from(counts);
                    Ok(())
                }
            }
        };
        if let (true, Err(limit)) = (tell, result) {
            self.sink.limit_reached(limit);
        }
        result
    }

    /// Adds what an answer cost.
    pub(crate) fn spend(&self, usd: f64) {
        let reached = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.spent_usd += usd;
            let spent_usd = state.spent_usd;
            self.budget_usd.filter(|limit| spent_usd >= *limit).and_then(|limit_usd| {
                let told = std::mem::replace(&mut state.budget_told, true);
                (!told).then_some(LimitReached::Budget { spent_usd, limit_usd })
            })
        };
        if let Some(limit) = reached {
            self.sink.limit_reached(limit);
        }
    }
}
