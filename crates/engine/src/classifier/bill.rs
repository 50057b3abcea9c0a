//! What asking about one call took.

use std::time::Duration;
use types::{event::Usage, verdict::ModelUse};

/// A running bill.
pub(super) struct Bill(ModelUse);

impl Bill {
    /// Nothing asked yet.
    pub(super) fn new(model: &str) -> Self {
        Self(ModelUse { model: model.to_owned(), ..ModelUse::default() })
    }

    /// A request goes out.
    pub(super) fn asked(&mut self, model: &str) {
        self.0.requests += 1;
        model.clone_into(&mut self.0.model);
    }

    /// Its answer came.
    pub(super) fn answered(&mut self, usage: &Usage) {
        let total = &mut self.0;
        total.input_tokens += usage.input_tokens;
        total.output_tokens += usage.output_tokens;
        total.cache_write_tokens += usage.cache_write_tokens;
        total.cache_read_tokens += usage.cache_read_tokens;
        total.usd += usage.cost_usd;
    }

    /// The sum.
    pub(super) fn total(self, took: Duration) -> ModelUse {
        ModelUse { ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX), ..self.0 }
    }
}
