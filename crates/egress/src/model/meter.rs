//! What the run may take. Subagents share it, because they share the gateway.
//!
//! What must stay true: a request is counted before it goes up; what it is expected to take at most is reserved until it is
//! settled, so that requests side by side cannot each spend what is left; only a request that runs alone may go past a limit, by what it
//! takes itself.

use super::{price::Taken, refused::Refused};
use crate::{
    config::Budget,
    limits::BUDGET_WAIT,
    observer::{Admission, LimitReached, Observer},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{sync::Notify, time::timeout};
use types::{
    budget::{Limit, TokenClass, TokenCounts},
    event::Usage,
};

/// What a run took, or what a request is expected to take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// US dollars.
    pub usd: f64,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// Answers that the model completed for the agent.
    pub turns: u64,
    /// Requests that were let out.
    pub requests: u64,
}

/// The budget of one run.
pub(crate) struct Meter {
    sink: Arc<dyn Observer>,
    budget: Budget,
    state: Mutex<State>,
    settled: Notify,
}

#[derive(Default)]
struct State {
    spent: Spent,
    /// Of the requests under way: their estimates, and how many can become turns.
    held: Spent,
    /// Requests under way that cost something.
    running: u64,
    told: Vec<Limit>,
}

/// What a request needs.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// What it can take, as far as its text says.
    pub(crate) estimate: Taken,
    /// The same in US dollars.
    pub(crate) usd: f64,
    /// What is charged for it if nothing more is ever heard of it.
    pub(crate) lost: Usage,
    /// Its answer is a turn of the agent.
    pub(crate) is_turn: bool,
}

/// Leave to make one request. Dropping it gives back what was reserved; nothing is due then.
pub(crate) struct Reservation {
    meter: Arc<Meter>,
    request: u64,
    held: Spent,
    is_open: bool,
}

enum Answer {
    Admitted(u64),
    Full,
}

impl Meter {
    /// Goes on from what was spent before.
    pub(crate) fn new(sink: Arc<dyn Observer>, budget: Budget, spent: Spent) -> Self {
        let state = State { spent, ..State::default() };
        Self { sink, budget, state: Mutex::new(state), settled: Notify::new() }
    }

    /// Lets a request begin, if need be when others have ended.
    ///
    /// # Errors
    /// [`Refused::Limit`]; [`Refused::Busy`] when the others take too long.
    pub(crate) async fn admit(self: &Arc<Self>, wanted: Wanted) -> Result<Reservation, Refused> {
        let held =
            Spent { usd: wanted.usd, tokens: wanted.estimate.tokens, turns: u64::from(wanted.is_turn), requests: 0 };
        let admitted = async {
            loop {
                let settled = self.settled.notified();
                tokio::pin!(settled);
                // From here on, a request that ends is heard of.
                settled.as_mut().enable();
                match self.try_admit(&held)? {
                    Answer::Admitted(request) => return Ok(request),
                    Answer::Full => settled.await,
                }
            }
        };
        let request = timeout(BUDGET_WAIT, admitted).await.map_err(|_| Refused::Busy)?.map_err(Refused::Limit)?;
        self.sink.admitted(Admission { request, lost: wanted.lost });
        Ok(Reservation { meter: Arc::clone(self), request, held, is_open: true })
    }

    /// Counts a request that costs nothing.
    ///
    /// # Errors
    /// [`Refused::Limit`]
    pub(crate) fn admit_free(&self) -> Result<(), Refused> {
        let request = {
            let mut state = self.lock();
            self.within(&state).map(|()| {
                state.spent.requests += 1;
                state.spent.requests
            })
        };
        let request = request.map_err(|limit| {
            self.tell(limit);
            Refused::Limit(limit)
        })?;
        self.sink.admitted(Admission { request, lost: Usage::default() });
        self.sink.closed(request, false);
        Ok(())
    }

    fn try_admit(&self, wanted: &Spent) -> Result<Answer, LimitReached> {
        let answer = {
            let mut state = self.lock();
            self.within(&state).map(|()| {
                if state.running > 0 && !self.fits(&state, wanted) {
                    return Answer::Full;
                }
                state.running += 1;
                state.spent.requests += 1;
                state.held = plus(state.held, wanted);
                Answer::Admitted(state.spent.requests)
            })
        };
        answer.inspect_err(|limit| self.tell(*limit))
    }

    /// The limit that is reached, if one is.
    fn within(&self, state: &State) -> Result<(), LimitReached> {
        let Budget { usd, tokens, turns, requests } = &self.budget;
        let spent = &state.spent;
        if let Some(limit_usd) = usd.filter(|limit| spent.usd >= *limit) {
            return Err(LimitReached::Budget { spent_usd: spent.usd, limit_usd });
        }
        for class in TokenClass::ALL {
            if let Some(limit) = tokens.of(class).count().filter(|limit| spent.tokens.of(class) >= *limit) {
                return Err(LimitReached::Tokens { class, spent: spent.tokens.of(class), limit });
            }
        }
        match (turns.count(), requests.count()) {
            (Some(limit), _) if spent.turns >= limit => Err(LimitReached::Turns { limit }),
            (_, Some(limit)) if spent.requests >= limit => Err(LimitReached::Requests { limit }),
            _ => Ok(()),
        }
    }

    /// True when everything under way and this one can take what they are expected to.
    fn fits(&self, state: &State, wanted: &Spent) -> bool {
        let Budget { usd, tokens, turns, requests: _ } = &self.budget;
        let all = plus(plus(state.spent, &state.held), wanted);
        usd.is_none_or(|limit| all.usd <= limit)
            && turns.count().is_none_or(|limit| all.turns <= limit)
            && TokenClass::ALL
                .iter()
                .all(|class| tokens.of(*class).count().is_none_or(|limit| all.tokens.of(*class) <= limit))
    }

    /// A request has ended.
    fn settle(&self, request: u64, held: &Spent, took: Option<Spent>) {
        let reached = {
            let mut state = self.lock();
            state.running = state.running.saturating_sub(1);
            state.held = Spent {
                usd: if state.running == 0 { 0.0 } else { (state.held.usd - held.usd).max(0.0) },
                tokens: state.held.tokens.less(held.tokens),
                turns: state.held.turns.saturating_sub(held.turns),
                requests: 0,
            };
            state.spent = plus(state.spent, &took.unwrap_or_default());
            // Turns and requests may be used up to the last one; the next one tells.
            self.within(&state).err().filter(|limit| match limit {
                LimitReached::Budget { .. } | LimitReached::Tokens { .. } => true,
                LimitReached::Turns { .. } | LimitReached::Requests { .. } => false,
            })
        };
        self.sink.closed(request, took.is_some_and(|took| took.turns > 0));
        if let Some(limit) = reached {
            self.tell(limit);
        }
        self.settled.notify_waiters();
    }

    /// Tells of a limit, once.
    fn tell(&self, limit: LimitReached) {
        let is_new = {
            let mut state = self.lock();
            let is_new = !state.told.contains(&limit.limit());
            if is_new {
                state.told.push(limit.limit());
            }
            is_new
        };
        if is_new {
            self.sink.limit_reached(limit);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// The request took this.
    pub(crate) fn settle(mut self, took: Spent) {
        self.is_open = false;
        self.meter.settle(self.request, &self.held, Some(took));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.is_open {
            self.meter.settle(self.request, &self.held, None);
        }
    }
}

fn plus(one: Spent, other: &Spent) -> Spent {
    Spent {
        usd: one.usd + other.usd,
        tokens: one.tokens.plus(other.tokens),
        turns: one.turns.saturating_add(other.turns),
        requests: one.requests.saturating_add(other.requests),
    }
}
