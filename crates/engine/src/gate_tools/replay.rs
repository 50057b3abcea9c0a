//! Judges the calls of a past run again, under another policy.
//!
//! The new policy goes its own way: what it denies did not happen for the calls after it. A person's recorded answers stand where
//! the new policy asks as well.

use super::GateToolError;
use crate::{
    Engine,
    error::EngineError,
    history::{History, Past},
    request::gate_of,
};
use gate::{GateWorker, Ledger};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use types::{
    call::ToolCall,
    profile::Profile,
    verdict::{Decision, Stage, Verdict},
};

/// A call that would be answered otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// The line of `gate.jsonl`, from 1.
    pub line: usize,
    /// The call.
    pub call: ToolCall,
    /// The recorded answer of the gate.
    pub before: Verdict,
    /// The answer under the other policy.
    pub after: Verdict,
}

/// The outcome of a replay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replayed {
    /// Calls that were judged.
    pub calls: usize,
    /// Those answered otherwise, in order.
    pub differences: Vec<Difference>,
}

impl Engine {
    /// Judges the calls of a run again under `profile`, in their order and with the run's own world.
    ///
    /// # Errors
    /// [`GateToolError`]; [`crate::JournalError`] inside it when the record was changed.
    pub fn replay_gate(&self, run: &str, profile: &Profile) -> Result<Replayed, GateToolError> {
        let attempt = self.find(run)?;
        let mut plan = self.plan(&attempt)?;
        let files = self.paths.attempt(&plan.run, &plan.task, plan.attempt);
        let history =
            History::read(&files.file("gate.jsonl"), &files.file("calls.jsonl")).map_err(EngineError::from)?;
        plan.profile = profile.clone();
        let worker = GateWorker::start(gate_of(&plan)?).map_err(EngineError::from)?;
        Ok(replay(worker, &history))
    }
}

fn replay(mut worker: GateWorker, history: &History) -> Replayed {
    let answers: HashMap<&str, &Verdict> = history
        .verdicts
        .iter()
        .filter(|record| record.verdict.stage == Stage::Person)
        .map(|record| (record.digest.as_str(), &record.verdict))
        .collect();
    let mut ledger = Ledger::default();
    let mut seen = HashSet::new();
    let mut out = Replayed::default();
    for past in history.in_order() {
        let (n, record) = match past {
            Past::Judged(n, record) => (n, record),
            Past::Suspected(look) => {
                look.found.iter().for_each(|found| ledger.suspected(found.clone()));
                continue;
            }
        };
        // Later records of the same call answer it; a call that the model never made was not judged.
        let is_judged = record.verdict.stage != Stage::Person
            && record.verdict.rule.as_deref() != Some("unaccounted_call")
            && (record.verdict.stage, record.verdict.decision) != (Stage::Escalation, Decision::Deny)
            && seen.insert(&record.call.id);
        if !is_judged {
            continue;
        }
        out.calls += 1;
        let after = worker.judge(&record.call, &mut ledger);
        let answer = answers.get(record.digest.as_str()).filter(|_| after.decision == Decision::Ask);
        ledger.answered(&record.call, answer.copied().unwrap_or(&after));
        // What a model or a person decided is open still.
        let is_open = after.stage == Stage::Undecided && !is_settled_here(record.verdict.stage);
        // A person was asked instead of one denial too many.
        let before = if record.verdict.stage == Stage::Escalation { Decision::Deny } else { record.verdict.decision };
        if after.decision != before && !is_open {
            let (call, before) = (record.call.clone(), record.verdict.clone());
            out.differences.push(Difference { line: n + 1, call, before, after });
        }
    }
    out
}

/// True for the stages that a replay runs again.
fn is_settled_here(stage: Stage) -> bool {
    match stage {
        Stage::Integrity
        | Stage::Normalise
        | Stage::HardFloor
        | Stage::Rules
        | Stage::SoftFloor
        | Stage::SafeFloor
        | Stage::Ledger
        | Stage::AllowAll => true,
        Stage::Undecided
        | Stage::ClassifierFast
        | Stage::ClassifierFull
        | Stage::Escalation
        | Stage::Person
        | Stage::FailClosed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gate::{Gate, Policy, World};
    use types::{event::GateRecord, id::CallId};

    fn record(id: &str, command: &str, decision: Decision, stage: Stage) -> GateRecord {
        let call = ToolCall {
            id: CallId(id.into()),
            tool: "Bash".into(),
            input: serde_json::json!({ "command": command }),
            cwd: "/workspace".into(),
            subagent: None,
        };
        let verdict = Verdict { decision, stage, ..Verdict::unavailable("x") };
        GateRecord { at: jiff::Timestamp::UNIX_EPOCH, digest: call.digest(), call, verdict }
    }

    fn replayed(deny: &[&str], records: &[GateRecord]) -> Replayed {
        let policy = Policy { deny: deny.iter().map(|rule| (*rule).to_owned()).collect(), ..Policy::default() };
        let gate = Gate::new(&policy, World::default()).expect("gate");
        replay(GateWorker::start(gate).expect("worker"), &History::new(records.to_vec(), []))
    }

    #[test]
    fn only_what_the_policy_changes_is_a_difference() {
        let records = [
            record("a", "ls", Decision::Allow, Stage::SafeFloor),
            record("b", "frobnicate", Decision::Ask, Stage::Undecided),
            record("b", "frobnicate", Decision::Allow, Stage::Person),
            record("c", "cargo test", Decision::Allow, Stage::SafeFloor),
            record("d", "frobnicate twice", Decision::Deny, Stage::FailClosed),
        ];
        assert_eq!(replayed(&[], &records), Replayed { calls: 4, differences: Vec::new() });
        let stricter = replayed(&["Bash(cargo test)"], &records);
        assert_eq!(stricter.calls, 4);
        let lines: Vec<_> = stricter.differences.iter().map(|found| (found.line, found.after.decision)).collect();
        assert_eq!(lines, [(4, Decision::Deny)]);
    }
}
