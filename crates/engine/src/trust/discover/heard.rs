//! What the egress of a discovery hears: everything is refused, and kept.

use egress::{Admission, LimitReached, Observer};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use types::event::{EgressRecord, Usage, WireToolResult, WireToolUse};

/// Most records that are kept of one query; a program that asks more often asks for the same.
const MAX_RECORDS: usize = 1000;

/// The records since they were taken last.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<Vec<EgressRecord>>);

impl Heard {
    /// Takes what was heard.
    pub(super) fn take(&self) -> Vec<EgressRecord> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Heard {
    fn egress(&self, record: EgressRecord) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() < MAX_RECORDS {
            records.push(record);
        }
    }

    fn tool_use(&self, _call: WireToolUse) {}
    fn tool_result(&self, _result: WireToolResult) {}
    fn usage(&self, _usage: Usage) {}
    fn admitted(&self, _admission: Admission) {}
    fn closed(&self, _request: u64, _is_turn: bool) {}
    fn rate_cleared(&self) {}
    fn auth_refused(&self, _status: u16) {}
    fn rate_limited(&self, _status: u16, _retry_after: Option<Duration>) {}
    fn limit_reached(&self, _limit: LimitReached) {}
}
