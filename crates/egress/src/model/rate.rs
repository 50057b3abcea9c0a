//! Whether the endpoint answers with rate limits at the moment.

use crate::observer::Observer;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Tells the observer of rate limits, and of the first answer after them.
pub(crate) struct Rate {
    sink: Arc<dyn Observer>,
    is_limited: AtomicBool,
}

impl Rate {
    /// Nothing answered yet.
    pub(crate) fn new(sink: Arc<dyn Observer>) -> Self {
        Self { sink, is_limited: AtomicBool::new(false) }
    }

    /// The endpoint answered so.
    pub(crate) fn limited(&self, status: u16, retry_after: Option<Duration>) {
        self.is_limited.store(true, Ordering::Relaxed);
        self.sink.rate_limited(status, retry_after);
    }

    /// The endpoint answers.
    pub(crate) fn answered(&self) {
        if self.is_limited.swap(false, Ordering::Relaxed) {
            self.sink.rate_cleared();
        }
    }
}
