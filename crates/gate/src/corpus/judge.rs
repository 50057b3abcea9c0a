//! Judges cases as a run would judge the calls: by a worker, so that no row can end the test.

use super::row::Case;
use crate::{Gate, GateWorker, Ledger, Policy, RuleError, WorkerError, World};
use serde::Serialize;
use serde_json::Value;
use types::{
    host::Endpoint,
    verdict::{Decision, Stage, Verdict},
};

/// How a call was settled without a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// It runs.
    Allow,
    /// It does not.
    Deny,
    /// A rule wants a person to decide.
    Ask,
    /// No stage settled it: a model would be asked, or a person.
    Undecided,
}

impl Settled {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::Ask, Self::Undecided];

    fn of(verdict: &Verdict) -> Self {
        match verdict.decision {
            Decision::Allow => Self::Allow,
            Decision::Deny => Self::Deny,
            Decision::Ask if verdict.stage == Stage::Undecided => Self::Undecided,
            Decision::Ask => Self::Ask,
        }
    }

    /// True when the answer is the one that the author of a case wants.
    #[must_use]
    pub fn is(self, expect: Decision) -> bool {
        match expect {
            Decision::Allow => self == Self::Allow,
            Decision::Deny => self == Self::Deny,
            Decision::Ask => matches!(self, Self::Ask | Self::Undecided),
        }
    }
}

/// The answer to a case: a line of `gate test --format jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseRecord {
    /// The case's id.
    pub id: Value,
    /// How it was settled.
    pub verdict: Settled,
    /// Who settled it.
    pub stage: Stage,
    /// The rule, if one did.
    pub rule: Option<String>,
    /// Time the decision took, in microseconds.
    pub micros: u64,
}

impl CaseRecord {
    /// The record of a verdict on a case.
    #[must_use]
    pub fn new(case: &Case, verdict: &Verdict) -> Self {
        Self {
            id: case.id.clone(),
            verdict: Settled::of(verdict),
            stage: verdict.stage,
            rule: verdict.rule.clone(),
            micros: verdict.micros,
        }
    }
}

/// Why no case can be judged.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A rule of the operator.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The worker's thread.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// Judges cases under one policy.
#[derive(Debug)]
pub struct CaseJudge {
    policy: Policy,
    trusted: Vec<Endpoint>,
    worker: Option<(World, GateWorker)>,
}

impl CaseJudge {
    /// `trusted` is what the operator trusts, beside what each case names.
    #[must_use]
    pub fn new(policy: Policy, trusted: Vec<Endpoint>) -> Self {
        Self { policy, trusted, worker: None }
    }

    /// Judges a case by the deterministic stages, after the calls that came before it. Gives the world it was judged in as well.
    ///
    /// # Errors
    /// [`CaseError`] when the policy is wrong or no thread can be started; never because of the case.
    pub fn judge(&mut self, case: &Case) -> Result<(World, Verdict), CaseError> {
        let mut world = case.world.clone().with_task(case.task.as_deref().unwrap_or_default());
        world.trusted.extend(self.trusted.iter().cloned());
        let worker = match &mut self.worker {
            Some((known, worker)) if *known == world => worker,
            slot => {
                let gate = Gate::new(&self.policy, world.clone())?;
                &mut slot.insert((world.clone(), GateWorker::start(gate)?)).1
            }
        };
        let mut ledger = Ledger::default();
        for call in &case.before {
            let verdict = worker.judge(call, &mut ledger);
            ledger.answered(call, &verdict);
        }
        let verdict = worker.judge(&case.call, &mut ledger);
        Ok((world, verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(policy: Policy, line: &str) -> (Settled, Stage) {
        let case = Case::read(line.as_bytes()).expect("JSON").expect("a case");
        let verdict = CaseJudge::new(policy, Vec::new()).judge(&case).expect("judged").1;
        let record = CaseRecord::new(&case, &verdict);
        (record.verdict, record.stage)
    }

    #[test]
    fn odd_rows_are_denied_at_the_first_stage() {
        for line in
            ["{}", "7", r#"{"tool": "Bash"}"#, r#"{"tool": "Bash", "input": "ls"}"#, r#"{"tool": 1, "input": {}}"#]
        {
            assert_eq!(settled(Policy::default(), line), (Settled::Deny, Stage::Integrity), "{line}");
        }
        let fine = r#"{"tool": "Bash", "input": {"command": "ls"}}"#;
        assert_eq!(settled(Policy::default(), fine), (Settled::Allow, Stage::SafeFloor));
    }

    #[test]
    fn a_rule_asks_and_no_stage_leaves_undecided() {
        let line = r#"{"tool": "Bash", "input": {"command": "frobnicate --all"}}"#;
        assert_eq!(settled(Policy::default(), line), (Settled::Undecided, Stage::Undecided));
        let ask = Policy { ask: vec!["Bash(frobnicate:*)".to_owned()], ..Policy::default() };
        assert_eq!(settled(ask, line), (Settled::Ask, Stage::Rules));
    }

    #[test]
    fn python_code_is_read() {
        let code = |code: &str| serde_json::json!({"tool": "Python", "input": {"code": code}}).to_string();
        let bad = code("import shutil; shutil.rmtree('/')");
        assert_eq!(settled(Policy::default(), &bad).0, Settled::Deny);
        assert_eq!(settled(Policy::default(), &code("print(1 + 1)")).0, Settled::Allow);
    }

    #[test]
    fn calls_before_count() {
        let with = |content: &str| {
            let before = serde_json::json!([{"tool": "Write", "input": {"file_path": "a.sh", "content": content}}]);
            serde_json::json!({"tool": "Bash", "input": {"command": "bash a.sh"}, "before": before}).to_string()
        };
        assert_eq!(settled(Policy::default(), &with("rm -rf ~\n")).0, Settled::Deny);
        assert_eq!(settled(Policy::default(), &with("ls\n")).0, Settled::Allow);
    }
}
