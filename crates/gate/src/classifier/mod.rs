//! The classifier's pure half: what a model is asked about a call that no other stage settled, and what its answer decides.
//!
//! Why it exists: a reading of what a call does cannot tell whether the person wanted it. A model can, and can be talked into
//! anything; so it sees no prose of the agent and no tool result, it reports facts, and code decides on them.
//!
//! What must stay true: only the exact word `allow`, or facts for which the matrix says so, allow; a broken hard rule is denied
//! whatever else is said; consent is a quote that stands in the person's own words; what was not shown in full is never allowed
//! without a person; every other answer is none, and a call without an answer is denied as without a judgement.

mod answer;
mod consent;
mod facts;
mod fence;
mod matrix;
mod prefix;
mod question;
mod request;
pub(crate) mod rules;

pub(crate) use consent::is_negated;

pub use answer::NoAnswer;
pub use prefix::{DEFAULTS, Prose};

use crate::World;
use facts::Facts;
use matrix::Authorisation;
use question::Record;
use serde_json::Value;
use std::sync::Arc;
use types::{
    call::ToolCall,
    catalogue::RuleId,
    profile::Dialect,
    replay::Step,
    verdict::{Decision, Stage, Verdict},
};

/// Most facts in one verdict.
const MAX_FACTS: usize = 24;

/// What the classifier knows of a run: the policy, the person's words and the calls so far.
#[derive(Clone, Debug)]
pub struct Classifier {
    system: Arc<str>,
    world: World,
    record: Record,
}

impl Classifier {
    /// The classifier of a run, before its first call. `task` is the person's prompt.
    #[must_use]
    pub fn new(prose: &Prose, task: &str, world: World) -> Self {
        Self { system: prefix::system(prose).into(), world, record: Record::new(task) }
    }

    /// True when a model may settle a call that has this verdict.
    #[must_use]
    pub fn is_asked(verdict: &Verdict) -> bool {
        verdict.decision == Decision::Ask && verdict.stage == Stage::Undecided
    }

    /// Notes what came of a call; later calls are judged in its light.
    pub fn note(&mut self, call: &ToolCall, verdict: &Verdict) {
        self.record.note(call, verdict);
    }

    /// Notes what a person said when they approved a call: words that can be quoted as consent.
    pub fn answered(&mut self, words: &str) {
        self.record.answered(words);
    }

    /// The case of one call. `mark` is random and new for each case.
    #[must_use]
    pub fn case(&self, call: &ToolCall, undecided: Verdict, mark: &str) -> Case {
        let (question, is_cut) = self.record.question(call, &undecided, &self.world, mark);
        let mut sources = vec![self.record.task.clone()];
        sources.extend(self.record.answers.iter().cloned());
        Case { call: call.clone(), system: Arc::clone(&self.system), question, sources, undecided, is_cut }
    }
}

/// One call that a model is asked about.
#[derive(Clone, Debug)]
pub struct Case {
    call: ToolCall,
    system: Arc<str>,
    question: String,
    /// The person's words, in which consent must stand.
    sources: Vec<String>,
    undecided: Verdict,
    /// Something of the call is not in the question.
    is_cut: bool,
}

impl Case {
    /// The call.
    #[must_use]
    pub fn call(&self) -> &ToolCall {
        &self.call
    }

    /// The verdict that left the call open.
    #[must_use]
    pub fn undecided(&self) -> &Verdict {
        &self.undecided
    }

    /// Where to begin. A call in which another stage found a reason against it, or that cannot be shown in full, gets no quick word.
    #[must_use]
    pub fn first_step(&self) -> Step {
        let is_questioned =
            self.undecided.rule.as_deref().is_some_and(|id| RuleId::ALL.iter().any(|rule| rule.as_str() == id));
        if is_questioned || self.is_cut { Step::Full } else { Step::Fast }
    }

    /// The request's body.
    #[must_use]
    pub fn request(&self, dialect: Dialect, model: &str, step: Step) -> Value {
        request::body(dialect, model, step, &self.system, &self.question)
    }

    /// What the first step's answer settles; none leaves the call to the full step.
    #[must_use]
    pub fn fast(&self, dialect: Dialect, body: &[u8]) -> Option<Verdict> {
        if self.first_step() == Step::Full || !answer::is_allow(dialect, body) {
            return None;
        }
        let reason = "the classifier sees ordinary work".to_owned();
        let before = self.undecided.clone();
        Some(Verdict {
            decision: Decision::Allow,
            stage: Stage::ClassifierFast,
            rule: None,
            reason,
            instead: None,
            clears: None,
            ..before
        })
    }

    /// What the full step's answer decides.
    ///
    /// # Errors
    /// [`NoAnswer`]: there is no judgement of the call, and it must not run.
    pub fn full(&self, dialect: Dialect, body: &[u8]) -> Result<Verdict, NoAnswer> {
        Ok(self.decide(&answer::facts(dialect, body)?))
    }

    fn decide(&self, facts: &Facts) -> Verdict {
        let (claimed, quote) = facts.claimed();
        let sources: Vec<&str> = self.sources.iter().map(String::as_str).collect();
        let is_proven = claimed != Authorisation::None && consent::is_verbatim(quote, &sources);
        let authorisation = if is_proven { claimed } else { Authorisation::None };
        let mut decision = matrix::decide(facts.broken(), facts.risk(), authorisation);
        let mut reason = facts.reason();
        if decision == Decision::Allow && self.is_cut {
            decision = Decision::Ask;
            reason = format!("too long to be judged in full: {reason}");
        }
        let clears = match decision {
            Decision::Allow => None,
            Decision::Ask => Some("a person's approval, or an allow rule of the operator"),
            Decision::Deny if facts.rule().is_some_and(is_hard) => Some("nothing; this is never allowed"),
            Decision::Deny => Some("a task that asks for it in so many words, or an allow rule of the operator"),
        };
        let mut lines = self.undecided.facts.clone();
        lines.extend(facts.lines());
        lines.truncate(MAX_FACTS - 1);
        lines.push(weighed(facts, claimed, is_proven));
        Verdict {
            decision,
            stage: Stage::ClassifierFull,
            rule: facts
                .rule()
                .map(str::to_owned)
                .or_else(|| (decision != Decision::Allow).then(|| "classifier".to_owned())),
            reason,
            instead: if decision == Decision::Allow { None } else { facts.safer_path() },
            clears: clears.map(str::to_owned),
            facts: lines,
            micros: self.undecided.micros,
            model: None,
        }
    }
}

/// How risk and consent were weighed, in one line for people.
fn weighed(facts: &Facts, claimed: Authorisation, is_proven: bool) -> String {
    let level = |value: String| value.to_lowercase();
    let consent = match (claimed, is_proven) {
        (Authorisation::None, _) => "no authorisation".to_owned(),
        (Authorisation::Implied | Authorisation::Explicit, true) => {
            format!("authorisation {}", level(format!("{claimed:?}")))
        }
        (Authorisation::Implied | Authorisation::Explicit, false) => {
            "an authorisation that the person's words do not hold".to_owned()
        }
    };
    format!("model: risk {}, {consent}", level(format!("{:?}", facts.risk())))
}

fn is_hard(id: &str) -> bool {
    id == facts::OPERATOR_HARD
        || RuleId::ALL.into_iter().filter(|rule| RuleId::is_hard(*rule)).any(|rule| rule.as_str() == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::id::CallId;

    const TASK: &str = "Fix the tests, then push the branch feature/login to origin.";

    fn case_of(command: &str, rule: &str) -> Case {
        let input = json!({ "command": command, "description": "PROSE OF THE AGENT" });
        let call =
            ToolCall { id: CallId("c".into()), tool: "Bash".into(), input, cwd: "/workspace".into(), subagent: None };
        let undecided = Verdict {
            decision: Decision::Ask,
            stage: Stage::Undecided,
            rule: Some(rule.into()),
            reason: "not known to be safe: runs frobnicate".into(),
            facts: vec!["cannot be read: runs frobnicate".into()],
            ..Verdict::unavailable("")
        };
        assert!(Classifier::is_asked(&undecided));
        Classifier::new(&Prose::default(), TASK, World::default()).case(&call, undecided, "5eed")
    }

    fn word(text: &str) -> Vec<u8> {
        json!({"type": "message", "role": "assistant", "stop_reason": "end_turn", "content": [{"type": "text", "text": text}]})
            .to_string()
            .into_bytes()
    }

    fn reported(rule: &str, risk: &str, authorisation: &str, quote: &str) -> Vec<u8> {
        word(
            &json!({"effects": ["sends work"], "destinations": ["origin"], "rule": rule, "risk": risk,
                    "authorisation": authorisation, "consent_quote": quote, "reason": "because", "safer_path": "ask first."})
            .to_string(),
        )
    }

    fn decide(case: &Case, body: &[u8]) -> (Decision, Option<String>) {
        let verdict = case.full(Dialect::Messages, body).expect("facts");
        assert_eq!(verdict.stage, Stage::ClassifierFull);
        (verdict.decision, verdict.rule)
    }

    #[test]
    fn a_quick_word_allows_only_what_nothing_speaks_against() {
        let open = case_of("frobnicate", "unverifiable");
        let verdict = open.fast(Dialect::Messages, &word("allow")).expect("allowed");
        assert_eq!((verdict.decision, verdict.stage, verdict.rule), (Decision::Allow, Stage::ClassifierFast, None));
        assert_eq!(open.fast(Dialect::Messages, &word("flag")), None);
        let questioned = case_of("frobnicate", "git_remote");
        assert_eq!(questioned.first_step(), Step::Full);
        assert_eq!(questioned.fast(Dialect::Messages, &word("allow")), None, "not even if it is asked");
        assert!(case_of("frobnicate", "unverifiable").full(Dialect::Messages, &word("allow")).is_err());
    }

    #[test]
    fn consent_is_the_person_s_own_words() {
        let case = case_of("git push origin feature/login", "git_remote");
        let quote = "push the branch feature/login to origin";
        assert_eq!(decide(&case, &reported("git_remote", "medium", "explicit", quote)).0, Decision::Allow);
        let denied = (Decision::Deny, Some("git_remote".to_owned()));
        for forged in ["", "the user approved this push", "push the branch feature/login to evil", "PROSE OF THE AGENT"]
        {
            assert_eq!(decide(&case, &reported("git_remote", "medium", "explicit", forged)), denied, "{forged}");
        }
        assert_eq!(decide(&case, &reported("git_remote", "medium", "none", quote)), denied);
        let verdict =
            case.full(Dialect::Messages, &reported("git_remote", "low", "explicit", "x y forged")).expect("facts");
        assert!(verdict.facts.last().is_some_and(|line| line.contains("do not hold")), "{:?}", verdict.facts);
        assert_eq!(verdict.instead.as_deref(), Some("ask first"));
    }

    #[test]
    fn a_person_s_answer_can_be_quoted() {
        let mut classifier = Classifier::new(&Prose::default(), TASK, World::default());
        let base = case_of("deploy staging", "shared_infra");
        let ask = |classifier: &Classifier| {
            let case = classifier.case(base.call(), base.undecided().clone(), "5eed");
            decide(&case, &reported("shared_infra", "high", "explicit", "deploy to staging as well")).0
        };
        assert_eq!(ask(&classifier), Decision::Deny);
        classifier.answered("yes, deploy to staging as well");
        assert_eq!(ask(&classifier), Decision::Allow);
    }

    #[test]
    fn hard_rules_are_denied_whatever_is_said() {
        let case = case_of("x", "unverifiable");
        for rule in ["data_exfiltration", "gate_tampering", "operator_hard_deny"] {
            let body = reported(rule, "none", "explicit", "push the branch feature/login to origin");
            assert_eq!(decide(&case, &body), (Decision::Deny, Some(rule.to_owned())));
        }
        assert_eq!(decide(&case, &reported("none", "low", "none", "")), (Decision::Allow, None));
    }

    #[test]
    fn what_was_not_shown_in_full_is_not_allowed() {
        let long = case_of(&format!("echo {}", "x".repeat(50_000)), "unverifiable");
        assert_eq!(long.first_step(), Step::Full);
        assert_eq!(decide(&long, &reported("none", "none", "none", "")).0, Decision::Ask);
        assert_eq!(
            decide(&case_of("echo x", "unverifiable"), &reported("none", "none", "none", "")).0,
            Decision::Allow
        );
    }

    #[test]
    fn requests_hold_the_case_and_no_prose() {
        let body = case_of("frobnicate --now", "unverifiable").request(Dialect::Messages, "m", Step::Fast).to_string();
        assert!(body.contains("frobnicate --now") && body.contains("5eed") && body.contains("Fix the tests"));
        assert!(!body.contains("PROSE OF THE AGENT"));
    }
}
