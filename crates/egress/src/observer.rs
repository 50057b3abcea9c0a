//! What the engine hears. Calls are synchronous and made from the task that carries the traffic, so that an observer has
//! seen a tool call before the agent can act on it; implementations must be quick and must not block.

use std::time::Duration;
use types::event::{EgressRecord, Usage, WireToolResult, WireToolUse};

/// A limit of the model gateway that was reached; every further request is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitReached {
    /// The budget is spent.
    Budget {
        /// US dollars spent so far; answers under way can take it past the limit.
        spent_usd: f64,
        /// The limit in US dollars.
        limit_usd: f64,
    },
    /// The number of requests.
    Requests {
        /// The limit.
        limit: u64,
    },
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
    /// The model completed an answer.
    fn turn(&self);
    /// The model endpoint answered 401 or 403: the credential is not usable.
    fn auth_refused(&self, status: u16);
    /// The model endpoint answered 429 or 529; the time is its `retry-after`.
    fn rate_limited(&self, status: u16, retry_after: Option<Duration>);
    /// A limit was reached; called once for each limit.
    fn limit_reached(&self, limit: LimitReached);
}
