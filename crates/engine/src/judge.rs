//! One call in, one recorded answer out: the join of invariant 9, the gate, and the ledger on disk.
//!
//! The record is written before the answer is sent. What cannot be recorded is denied.

use crate::{journal::Journal, watch::Watch};
use gate::GateWorker;
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
    journal: Journal,
    watch: Arc<Watch>,
    counts: GateCounts,
}

impl Judge {
    /// A judge that goes on after `earlier` records of the same attempt.
    pub(crate) fn new(mut worker: GateWorker, journal: Journal, watch: Arc<Watch>, earlier: Vec<GateRecord>) -> Self {
        let mut counts = GateCounts::default();
        for record in earlier {
            if record.verdict.stage == Stage::Person {
                worker.answered(&record.call, record.verdict.decision);
            } else {
                // The same call in the same order leaves the same history.
                worker.judge(&record.call);
                count(&mut counts, &record.verdict);
            }
            watch.join().settled(&record.call.id, record.verdict.decision);
        }
        Self { worker, journal, watch, counts }
    }

    /// Judges a call and records the answer.
    pub(crate) fn judge(&mut self, call: &ToolCall) -> Verdict {
        let accounted = self.watch.join().asked(call);
        let verdict = match accounted {
            Ok(()) => self.worker.judge(call),
            Err(unaccounted) => unaccounted_for(&unaccounted.to_string()),
        };
        self.settle(call, verdict)
    }

    /// Records a person's answer (or the deadline's) to a held call.
    pub(crate) fn answered(&mut self, call: &ToolCall, decision: Decision, reason: &str) -> Verdict {
        self.worker.answered(call, decision);
        let verdict = Verdict {
            decision,
            stage: Stage::Person,
            rule: None,
            reason: reason.to_owned(),
            instead: None,
            clears: None,
            facts: Vec::new(),
            micros: 0,
        };
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
        if verdict.stage != Stage::Person {
            count(&mut self.counts, &verdict);
        }
        self.watch.join().settled(&call.id, verdict.decision);
        verdict
    }
}

fn count(counts: &mut GateCounts, verdict: &Verdict) {
    match (verdict.decision, verdict.stage) {
        (Decision::Allow, _) => counts.allowed += 1,
        (Decision::Ask, _) => counts.asked += 1,
        (Decision::Deny, Stage::FailClosed) => counts.unavailable += 1,
        (
            Decision::Deny,
            Stage::Integrity
            | Stage::Normalise
            | Stage::HardFloor
            | Stage::Rules
            | Stage::SafeFloor
            | Stage::Ledger
            | Stage::Undecided
            | Stage::Person
            | Stage::AllowAll,
        ) => counts.denied += 1,
    }
}

fn unaccounted_for(reason: &str) -> Verdict {
    Verdict {
        decision: Decision::Deny,
        stage: Stage::Integrity,
        rule: Some("unaccounted_call".to_owned()),
        reason: reason.to_owned(),
        instead: None,
        clears: None,
        facts: Vec::new(),
        micros: 0,
    }
}
