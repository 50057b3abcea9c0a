//! One call in, one recorded answer out: the join of invariant 9, the gate, and the ledger on disk.
//!
//! The record is written before the answer is sent. What cannot be recorded is denied.

use crate::{
    classifier::{Asker, mark},
    history::{History, Past},
    journal::Journal,
    watch::{Look, Watch},
};
use agents::ToolOutput;
use gate::{Escalation, GateWorker, Ledger, ProbeWorker, Suspicion, classifier::Classifier};
use jiff::Timestamp;
use std::{collections::HashSet, pin::Pin, sync::Arc};
use types::{
    call::ToolCall,
    event::GateRecord,
    id::CallId,
    result::GateCounts,
    verdict::{Decision, Stage, Verdict},
};

/// What the reason of an approval begins with, before the person's own words.
const APPROVED: &str = "a person approved it: ";

/// The judge of one attempt.
pub(crate) struct Judge {
    worker: GateWorker,
    prober: ProbeWorker,
    ledger: Ledger,
    escalation: Escalation,
    journal: Journal,
    watch: Arc<Watch>,
    counts: GateCounts,
    /// Who is asked about what stays open; none where a person is.
    classifier: Option<(Classifier, Asker)>,
    /// Lines of the journal.
    judged: u64,
    /// Calls whose results are suspicious.
    suspected: HashSet<CallId>,
}

/// The threads that judge.
pub(crate) struct Workers {
    pub(crate) gate: GateWorker,
    pub(crate) prober: ProbeWorker,
}

/// A suspicious result.
pub(crate) struct Looked {
    pub(crate) found: Suspicion,
    /// False when it was recorded and told before.
    pub(crate) is_new: bool,
}

/// A verdict that a model is asked for; it always comes.
pub(crate) type Opinion = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What came of judging a call.
pub(crate) enum Judged {
    /// The verdict is recorded and is to be answered.
    Settled(Verdict),
    /// A model is asked; nothing is recorded before [`Judge::settle`].
    Open(Opinion),
}

impl Judge {
    /// A judge that goes on after the history of the same attempt: the same calls and results in the same order leave the same
    /// state.
    pub(crate) fn new(
        workers: Workers,
        journal: Journal,
        watch: Arc<Watch>,
        classifier: Option<(Classifier, Asker)>,
        earlier: &History,
    ) -> Self {
        let Workers { gate: worker, prober } = workers;
        let mut judge = Self {
            worker,
            prober,
            ledger: Ledger::default(),
            escalation: Escalation::default(),
            journal,
            watch,
            counts: GateCounts::default(),
            classifier,
            judged: earlier.verdicts.len() as u64,
            suspected: HashSet::new(),
        };
        for past in earlier.in_order() {
            match past {
                Past::Judged(_, record) => {
                    let Verdict { stage, decision, .. } = record.verdict;
                    if stage != Stage::Person && (stage, decision) != (Stage::Escalation, Decision::Deny) {
                        judge.worker.judge(&record.call, &mut judge.ledger);
                    }
                    judge.note(&record.call, &record.verdict);
                }
                Past::Suspected(look) => judge.suspect(&look.id, look.found.as_ref()),
            }
        }
        judge
    }

    /// Looks at what a tool returned, before the model reads it, and records the look. What cannot be looked at goes on, counted.
    pub(crate) fn look(&mut self, output: &ToolOutput) -> Option<Looked> {
        let id = &output.call.id;
        let (found, failed) = match self.prober.probe(&output.text) {
            Ok(found) => (found, false),
            Err(error) => {
                tracing::warn!(%error, call = %id, "a tool result goes on unseen");
                (None, true)
            }
        };
        // A process before this one may have died over the answer.
        let is_new = !self.suspected.contains(id);
        if is_new {
            self.suspect(id, found.as_ref());
            self.watch.looked(Look { id: id.clone(), judged: self.judged, found: found.clone(), failed });
        }
        found.map(|found| Looked { found, is_new })
    }

    fn suspect(&mut self, id: &CallId, found: Option<&Suspicion>) {
        if let Some(found) = found {
            self.suspected.insert(id.clone());
            self.ledger.suspected(found.clone());
            self.escalation.suspect_injection();
        }
    }

    /// Judges a call and records the answer, unless a model is to be asked first.
    pub(crate) fn judge(&mut self, call: &ToolCall) -> Judged {
        let accounted = self.watch.join().asked(call);
        let verdict = match accounted {
            Ok(()) => self.worker.judge(call, &mut self.ledger),
            Err(unaccounted) => {
                verdict(Decision::Deny, Stage::Integrity, Some("unaccounted_call"), &unaccounted.to_string())
            }
        };
        match &self.classifier {
            Some((classifier, asker)) if Classifier::is_asked(&verdict) => {
                let (case, asker) = (classifier.case(call, verdict, &mark()), asker.clone());
                Judged::Open(Box::pin(async move { asker.judge(case).await }))
            }
            Some(_) | None => Judged::Settled(self.settle(call, verdict)),
        }
    }

    /// Records a person's answer (or the deadline's) to a held call. An approval does not lift what no one can lift.
    pub(crate) fn answered(&mut self, call: &ToolCall, decision: Decision, reason: &str) -> Verdict {
        let mut answer = verdict(decision, Stage::Person, None, reason);
        if decision == Decision::Allow {
            let judged = self.worker.judge(call, &mut self.ledger);
            if !gate::can_lift(&judged) {
                let reason = format!("{} (a person let the run go on, and cannot allow this call)", judged.reason);
                answer = Verdict { decision: Decision::Deny, stage: Stage::Person, reason, ..judged };
            }
        }
        self.settle(call, answer)
    }

    /// The call whose question holds the whole run.
    pub(crate) fn held(&self) -> Option<&CallId> {
        self.escalation.held()
    }

    /// The counts so far, with what the watch saw.
    pub(crate) fn counts(&self) -> GateCounts {
        self.watch.totals().add_to(self.counts.clone())
    }

    /// Records a verdict; what cannot be recorded is denied.
    pub(crate) fn settle(&mut self, call: &ToolCall, verdict: Verdict) -> Verdict {
        let verdict = self.escalation.weigh(&call.id, verdict);
        let record = GateRecord { at: Timestamp::now(), call: call.clone(), digest: call.digest(), verdict };
        let verdict = match self.journal.append(&record) {
            Ok(()) => {
                self.judged += 1;
                record.verdict
            }
            Err(error) => Verdict::unavailable(format!("its record cannot be written: {error}")),
        };
        self.note(call, &verdict);
        verdict
    }

    fn note(&mut self, call: &ToolCall, verdict: &Verdict) {
        self.escalation.note(&call.id, verdict);
        // A call that could not wait was not judged: the same call later is no repeated one.
        if (verdict.stage, verdict.decision) != (Stage::Escalation, Decision::Deny) {
            self.ledger.answered(call, verdict);
            if let Some((classifier, _)) = &mut self.classifier {
                classifier.note(call, verdict);
                if let Some(words) = words_of_approval(verdict) {
                    classifier.answered(words);
                }
            }
        }
        count(&mut self.counts, verdict);
        self.watch.join().settled(&call.id, verdict.decision);
    }
}

/// What the person said when they approved a call. A refusal's words are no consent, whatever they quote.
fn words_of_approval(verdict: &Verdict) -> Option<&str> {
    let is_approval = verdict.stage == Stage::Person && verdict.decision == Decision::Allow;
    verdict.reason.strip_prefix(APPROVED).filter(|_| is_approval)
}

/// Counts one answer of the gate; a person's answer belongs to the `ask` that was counted before.
pub(crate) fn count(counts: &mut GateCounts, verdict: &Verdict) {
    if verdict.stage == Stage::Person {
        return;
    }
    if let Some(model) = &verdict.model {
        counts.by_model += 1;
        counts.model_usd += model.usd;
    }
    match verdict.decision {
        Decision::Allow => counts.allowed += 1,
        Decision::Ask => counts.asked += 1,
        Decision::Deny if verdict.stage == Stage::Escalation => counts.unavailable += 1,
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
