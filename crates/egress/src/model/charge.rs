//! The bill of one request. It is settled once, at the latest when dropped: an agent that hangs up before the end of an
//! answer pays for what it made the model do, by an estimate.

use super::{
    meter::Meter,
    price::{Tokens, cost},
};
use crate::observer::Observer;
use serde_json::Value;
use std::sync::Arc;
use types::event::Usage;

/// Bytes of text that count as one token in an estimate.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;

/// An open bill.
pub(crate) struct Charge {
    meter: Arc<Meter>,
    sink: Arc<dyn Observer>,
    requested: String,
    answered: Option<String>,
    request_bytes: u64,
    answer_bytes: u64,
    tokens: Tokens,
    is_gate: bool,
    open: bool,
}

impl Charge {
    /// Opens a bill for a request of so many bytes.
    pub(crate) fn open(meter: &Arc<Meter>, sink: &Arc<dyn Observer>, model: &str, request_bytes: usize) -> Self {
        Self {
            meter: Arc::clone(meter),
            sink: Arc::clone(sink),
            requested: model.to_owned(),
            answered: None,
            request_bytes: request_bytes as u64,
            answer_bytes: 0,
            tokens: Tokens::default(),
            is_gate: false,
            open: true,
        }
    }

    /// The bill is for a question of the gate.
    pub(crate) fn of_the_gate(mut self) -> Self {
        self.is_gate = true;
        self
    }

    /// Notes the model that answers.
    pub(crate) fn answered_by(&mut self, model: &str) {
        self.answered = Some(model.chars().take(100).collect());
    }

    /// Notes a `usage` object. Counts are cumulative, so that the highest one holds.
    pub(crate) fn observe(&mut self, usage: &Value) {
        let read = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
        let tokens = &mut self.tokens;
        tokens.input = tokens.input.max(read("input_tokens"));
        tokens.output = tokens.output.max(read("output_tokens"));
        tokens.cache_write = tokens.cache_write.max(read("cache_creation_input_tokens"));
        tokens.cache_read = tokens.cache_read.max(read("cache_read_input_tokens"));
    }

    /// Notes bytes of the answer, for the estimate.
    pub(crate) fn streamed(&mut self, bytes: usize) {
        self.answer_bytes += bytes as u64;
    }

    /// The endpoint refused the request: nothing is due.
    pub(crate) fn forgive(mut self) {
        self.open = false;
    }

    /// The answer is complete; gives what it took.
    pub(crate) fn settle(mut self) -> Usage {
        self.close(self.tokens)
    }

    fn close(&mut self, tokens: Tokens) -> Usage {
        let model = self.answered.clone().unwrap_or_else(|| self.requested.clone());
        let cost_usd = cost(&model, tokens).or_else(|| cost(&self.requested, tokens)).unwrap_or(0.0);
        let usage = Usage {
            model,
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            cache_write_tokens: tokens.cache_write,
            cache_read_tokens: tokens.cache_read,
            cost_usd,
            is_gate: self.is_gate,
        };
        if std::mem::replace(&mut self.open, false) {
            self.sink.usage(usage.clone());
            self.meter.spend(cost_usd);
        }
        usage
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut tokens = self.tokens;
        if self.answered.is_none() {
            tokens.input = self.request_bytes / BYTES_PER_TOKEN;
        }
        tokens.output = tokens.output.max(self.answer_bytes / BYTES_PER_TOKEN);
        self.close(tokens);
    }
}
