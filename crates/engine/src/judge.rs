//! One call in, one recorded answer out: the join of invariant 9, the gate, and the ledger on disk.
//!
//! The record is written before the answer is sent. What cannot be recorded is denied.

use crate::{journal::Journal, watch::Watch};
use gate::{GateWorker, Ledger};
use jiff::Timestamp;
use std::sync::Arc;
use types::{
    call::ToolCall,
    event::GateRecord,
    result::GateCounts,
    verdict::{Decision, Stage, Verdict},
};

/// The judge of one attempt.
pub(crate) struct Judge {
    worker: GateWorker,
    ledger: Ledger,
    journal: Journal,
    watch: Arc<Watch>,
    counts: GateCounts,
}

impl Judge {
    /// A judge that goes on after `earlier` records of the same attempt: the same calls in the same order leave the same
    /// history.
    pub(crate) fn new(worker: GateWorker, journal: Journal, watch: Arc<Watch>, earlier: Vec<GateRecord>) -> Self {
        let mut judge = Self { worker, ledger: Ledger::default(), journal, watch, counts: GateCounts::default() };
        for record in earlier {
            if record.verdict.stage != Stage::Person {
                judge.worker.judge(&record.call, &mut judge.ledger);
            }
            judge.note(&record.call, &record.verdict);
        }
        judge
    }

    /// Judges a call and records the answer.
    pub(crate) fn judge(&mut self, call: &ToolCall) -> Verdict {
        let accounted = self.watch.join().asked(call);
        let verdict = match accounted {
            Ok(()) => self.worker.judge(call, &mut self.ledger),
            Err(unaccounted) => {
                verdict(Decision::Deny, Stage::Integrity, Some("unaccounted_call"), &unaccounted.to_string())
            }
        };
        self.settle(call, verdict)
    }

    /// Records a person's answer (or the deadline's) to a held call.
    pub(crate) fn answered(&mut self, call: &ToolCall, decision: Decision, reason: &str) -> Verdict {
        self.settle(call, verdict(decision, Stage::Person, None, reason))
    }

    /// Records that a call that was to be held is denied instead.
    pub(crate) fn replace(&mut self, call: &ToolCall, verdict: Verdict) -> Verdict {
        self.settle(call, verdict)
    }

    /// The counts so far, with what the watch saw.
    pub(crate) fn counts(&self) -> GateCounts {
        let totals = self.watch.totals();
        GateCounts {
            rejected_before_gate: totals.rejected_before_gate,
            bypassed: totals.bypassed,
            ..self.counts.clone()
        }
    }

    fn settle(&mut self, call: &ToolCall, verdict: Verdict) -> Verdict {
        let record = GateRecord { at: Timestamp::now(), call: call.clone(), digest: call.digest(), verdict };
        let verdict = match self.journal.append(&record) {
            Ok(()) => record.verdict,
            Err(error) => Verdict::unavailable(format!("its record cannot be written: {error}")),
        };
        self.note(call, &verdict);
        verdict
    }

    fn note(&mut self, call: &ToolCall, verdict: &Verdict) {
        self.ledger.answered(call, verdict);
        count(&mut self.counts, verdict);
        self.watch.join().settled(&call.id, verdict.decision);
    }
}

/// Counts one answer of the gate; a person's answer belongs to the `ask` that was counted before.
pub(crate) fn count(counts: &mut GateCounts, verdict: &Verdict) {
    if verdict.stage == Stage::Person {
        return;
    }
    match verdict.decision {
        Decision::Allow => counts.allowed += 1,
        Decision::Ask => counts.asked += 1,
        Decision::Deny if verdict.stage == Stage::FailClosed => counts.unavailable += 1,
        Decision::Deny => counts.denied += 1,
    }
}

fn verdict(decision: Decision, stage: Stage, rule: Option<&str>, reason: &str) -> Verdict {
    Verdict {
        decision,
        stage,
        rule: rule.map(str::to_owned),
        reason: reason.to_owned(),
        instead: None,
        clears: None,
        facts: Vec::new(),
        micros: 0,
        model: None,
    }
}
