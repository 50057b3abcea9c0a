//! The bill of one request. It is settled once, at the latest when dropped: a request that went up and whose answer was not seen
//! to its end is paid for by an estimate, the whole answer that it asked for where nothing was heard of it. Only what did not go up,
//! or was answered with an error, is free.

use super::{
    meter::{Meter, Reservation, Spent, Wanted},
    price::{Prices, Taken},
    refused::Refused,
};
use crate::observer::Observer;
use serde_json::Value;
use std::sync::Arc;
use types::{budget::TokenCounts, event::Usage};

/// Bytes of text that count as one token where there is no better number.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
/// The same where it must not turn out to be more: dense text has about so many.
const DENSE_BYTES_PER_TOKEN: u64 = 2;
/// Tokens that an answer can have when the request does not say; the most that a model gives.
const LONGEST_ANSWER: u64 = 128_000;

/// A request as far as its bill is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Billed<'a> {
    /// The model that is asked for.
    pub(crate) model: &'a str,
    /// Bytes of the request's body.
    pub(crate) bytes: usize,
    /// The longest answer that it asks for, in tokens.
    pub(crate) max_tokens: Option<u64>,
    /// Whose request it is.
    pub(crate) whose: Whose,
}

/// Whose request is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The agent's; each answer is a turn.
    Agent,
    /// The gate's, to the agent's endpoint.
    Gate,
    /// The gate's, to an endpoint of its own: a model without a price costs nothing there.
    GateElsewhere,
}

/// An open bill.
pub(crate) struct Charge {
    reservation: Option<Reservation>,
    sink: Arc<dyn Observer>,
    prices: Arc<Prices>,
    requested: String,
    answered: Option<String>,
    request_bytes: u64,
    answer_bytes: u64,
    /// The longest answer that it can be made to pay for, in tokens.
    longest: u64,
    taken: Taken,
    whose: Whose,
    /// The endpoint may have it.
    is_sent: bool,
    /// The endpoint said what it took.
    is_counted: bool,
}

impl Charge {
    /// Opens a bill, when the budget has room for it.
    ///
    /// # Errors
    /// [`Refused::Limit`], [`Refused::Busy`]
    pub(crate) async fn open(
        meter: &Arc<Meter>,
        sink: &Arc<dyn Observer>,
        prices: &Arc<Prices>,
        billed: Billed<'_>,
    ) -> Result<Self, Refused> {
        let Billed { model, bytes, max_tokens, whose } = billed;
        let bytes = bytes as u64;
        // Nobody knows beforehand which of the input the cache holds, is written to it, or for how long: the dearest of these.
        let dense = bytes / DENSE_BYTES_PER_TOKEN;
        let output = max_tokens.unwrap_or(LONGEST_ANSWER);
        let written = TokenCounts { cache_write: dense, output, ..TokenCounts::default() };
        let usd = [
            Taken { tokens: TokenCounts { input: dense, output, ..TokenCounts::default() }, ..Taken::default() },
            Taken { tokens: written, hourly: 0, searches: 0 },
            Taken { tokens: written, hourly: dense, searches: 0 },
            Taken { tokens: TokenCounts { cache_read: dense, output, ..TokenCounts::default() }, ..Taken::default() },
        ];
        let estimate = Taken {
            tokens: TokenCounts { input: dense, output, cache_write: dense, cache_read: dense },
            ..Taken::default()
        };
        let longest = output.min(LONGEST_ANSWER);
        let lost = unheard(bytes, longest);
        let wanted = Wanted {
            estimate,
            usd: usd.iter().map(|taken| amount(prices, model, whose, taken)).fold(0.0, f64::max),
            lost: usage(model.to_owned(), &lost, amount(prices, model, whose, &lost), whose),
            is_turn: whose == Whose::Agent,
        };
        let reservation = meter.admit(wanted).await?;
        Ok(Self {
            reservation: Some(reservation),
            sink: Arc::clone(sink),
            prices: Arc::clone(prices),
            requested: model.to_owned(),
            answered: None,
            request_bytes: bytes,
            answer_bytes: 0,
            longest,
            taken: Taken::default(),
            whose,
            is_sent: false,
            is_counted: false,
        })
    }

    /// Whether the endpoint may have the request; who sends it keeps this true.
    pub(crate) fn sent(&mut self) -> &mut bool {
        &mut self.is_sent
    }

    /// The endpoint says that nothing more comes.
    pub(crate) fn broken_off(&mut self) {
        self.longest = 0;
    }

    /// Notes the model that answers.
    pub(crate) fn answered_by(&mut self, model: &str) {
        self.answered = Some(model.chars().take(100).collect());
    }

    /// Notes a `usage` object. Counts are cumulative, so that the highest one holds.
    pub(crate) fn observe(&mut self, usage: &Value) {
        let read = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        self.is_counted |= usage.is_object();
        let tokens = &mut self.taken.tokens;
        tokens.input = tokens.input.max(read("/input_tokens"));
        tokens.output = tokens.output.max(read("/output_tokens"));
        tokens.cache_write = tokens.cache_write.max(read("/cache_creation_input_tokens"));
        tokens.cache_read = tokens.cache_read.max(read("/cache_read_input_tokens"));
        self.taken.hourly = self.taken.hourly.max(read("/cache_creation/ephemeral_1h_input_tokens"));
        self.taken.searches = self.taken.searches.max(read("/server_tool_use/web_search_requests"));
    }

    /// Notes bytes of the answer, for the estimate.
    pub(crate) fn streamed(&mut self, bytes: usize) {
        self.answer_bytes += bytes as u64;
    }

    /// The endpoint refused the request: nothing is due.
    pub(crate) fn forgive(mut self) {
        self.reservation = None;
    }

    /// The answer is complete; gives what it took.
    pub(crate) fn settle(mut self) -> Usage {
        self.close(true)
    }

    /// What it took, by an estimate where the endpoint did not say.
    fn took(&self, is_complete: bool) -> Taken {
        let mut taken = if self.is_counted {
            self.taken
        } else {
            unheard(self.request_bytes, if self.answered.is_some() { 0 } else { self.longest })
        };
        if !(self.is_counted && is_complete) {
            taken.tokens.output = taken.tokens.output.max(self.answer_bytes / BYTES_PER_TOKEN);
        }
        taken
    }

    fn close(&mut self, is_complete: bool) -> Usage {
        let taken = self.took(is_complete);
        let model = self.answered.clone().unwrap_or_else(|| self.requested.clone());
        let cost_usd = self
            .prices
            .cost(&model, &taken)
            .unwrap_or_else(|| amount(&self.prices, &self.requested, self.whose, &taken));
        let usage = usage(model, &taken, cost_usd, self.whose);
        if let Some(reservation) = self.reservation.take() {
            self.sink.usage(usage.clone());
            let turns = u64::from(is_complete && self.whose == Whose::Agent);
            reservation.settle(Spent { usd: cost_usd, tokens: taken.tokens, turns, requests: 0 });
        }
        usage
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if !self.is_sent {
            self.reservation = None;
        }
        self.close(false);
    }
}

/// What a request is charged with of whose answer nothing was seen.
fn unheard(request_bytes: u64, output: u64) -> Taken {
    let tokens = TokenCounts { input: request_bytes / BYTES_PER_TOKEN, output, ..TokenCounts::default() };
    Taken { tokens, ..Taken::default() }
}

fn amount(prices: &Prices, model: &str, whose: Whose, taken: &Taken) -> f64 {
    prices.cost(model, taken).unwrap_or_else(|| match whose {
        Whose::Agent | Whose::Gate => prices.dearest(taken),
        Whose::GateElsewhere => 0.0,
    })
}

fn usage(model: String, taken: &Taken, cost_usd: f64, whose: Whose) -> Usage {
    Usage {
        model,
        input_tokens: taken.tokens.input,
        output_tokens: taken.tokens.output,
        cache_write_tokens: taken.tokens.cache_write,
        cache_read_tokens: taken.tokens.cache_read,
        cost_usd,
        is_gate: whose != Whose::Agent,
    }
}
