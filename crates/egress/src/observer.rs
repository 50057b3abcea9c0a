//! What the engine hears. Calls are synchronous and made from the task that carries the traffic, so that an observer has
//! seen a tool call before the agent can act on it; implementations must be quick and must not block.

use std::time::Duration;
use types::{
    budget::{Limit, TokenClass},
    event::{EgressRecord, Usage, WireToolResult, WireToolUse},
};

/// A limit of the model gateway that was reached; every further request is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitReached {
    /// The budget is spent.
    Budget {
        /// US dollars spent so far; the last answer can take it past the limit.
        spent_usd: f64,
        /// The limit in US dollars.
        limit_usd: f64,
    },
    /// The tokens of a class.
    Tokens {
        /// The class.
        class: TokenClass,
        /// Tokens so far.
        spent: u64,
        /// The limit.
        limit: u64,
    },
    /// The number of turns.
    Turns {
        /// The limit.
        limit: u64,
    },
    /// The number of requests.
    Requests {
        /// The limit.
        limit: u64,
    },
}

impl LimitReached {
    /// The setting that it comes from.
    #[must_use]
    pub fn limit(&self) -> Limit {
        match self {
            Self::Budget { .. } => Limit::MaxBudgetUsd,
            Self::Tokens { class, .. } => class.limit(),
            Self::Turns { .. } => Limit::MaxTurns,
            Self::Requests { .. } => Limit::MaxRequests,
        }
    }
}

impl std::fmt::Display for LimitReached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.limit();
        match self {
            Self::Budget { spent_usd, limit_usd } => write!(f, "{name}: ${spent_usd:.2} of ${limit_usd:.2} is spent"),
            Self::Tokens { spent, limit, .. } => write!(f, "{name}: {spent} of {limit} tokens are used up"),
            Self::Turns { limit } => write!(f, "{name}: {limit} turns were taken"),
            Self::Requests { limit } => write!(f, "{name}: {limit} requests were made"),
        }
    }
}

/// A request that was let out.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// Its number in the run, from 1.
    pub request: u64,
    /// What is to be charged for it if it is never closed, because this process died.
    pub lost: Usage,
}

/// Receives everything that the egress sees.
pub trait Observer: Send + Sync {
    /// A connection or request ended, or was refused. One call for each.
    fn egress(&self, record: EgressRecord);
    /// The model emitted a tool call; called before the bytes that end the block go to the agent. Input that is not JSON
    /// is given as a JSON string of the raw text, which equals no call that an agent can make.
    fn tool_use(&self, call: WireToolUse);
    /// A tool result came back; each id once per [`crate::Egress`].
    fn tool_result(&self, result: WireToolResult);
    /// Tokens and cost of one request; estimated from bytes where the agent cut the answer off.
    fn usage(&self, usage: Usage);
    /// A request to the model is about to go up.
    fn admitted(&self, admission: Admission);
    /// A request is over, and what it cost was told before. `is_turn`: with it the model completed an answer for the agent.
    fn closed(&self, request: u64, is_turn: bool);
    /// The model endpoint answered 401 or 403: the credential is not usable.
    fn auth_refused(&self, status: u16);
    /// The model endpoint answered the agent 429 or 529; the time is its `retry-after`.
    fn rate_limited(&self, status: u16, retry_after: Option<Duration>);
    /// It answers again.
    fn rate_cleared(&self);
    /// A limit was reached; called once for each limit.
    fn limit_reached(&self, limit: LimitReached);
}

/// Hears nothing, where there is no run.
#[derive(Debug)]
pub struct Deaf;

impl Observer for Deaf {
    fn egress(&self, _: EgressRecord) {}
    fn tool_use(&self, _: WireToolUse) {}
    fn tool_result(&self, _: WireToolResult) {}
    fn usage(&self, _: Usage) {}
    fn admitted(&self, _: Admission) {}
    fn closed(&self, _: u64, _: bool) {}
    fn auth_refused(&self, _: u16) {}
    fn rate_limited(&self, _: u16, _: Option<Duration>) {}
    fn rate_cleared(&self) {}
    fn limit_reached(&self, _: LimitReached) {}
}
