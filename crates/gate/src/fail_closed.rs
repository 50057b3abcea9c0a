//! Every path on which there is no judgement of a call. None of them allows (invariant 1).
//!
//! | what happens | answer | made by |
//! | --- | --- | --- |
//! | no id, reused id, too large, wrong shape | deny, integrity | [`malformed`] |
//! | command over the caps of size or nesting | deny, normalise | [`unreadable`] |
//! | shell syntax not parsed, program or tool not known | ask, undecided | [`undecided`] |
//! | auto mode is off and no rule allows the call | ask, rules | [`not_automatic`] |
//! | the classifier does not answer, or with anything but the word or the facts ([`crate::classifier::NoAnswer`]) | deny, fail-closed | the engine, by [`Verdict::unavailable`] |
//! | the classifier's quote of consent is not in the person's words | consent counts as none | [`crate::classifier::Case::full`] |
//! | the classifier was not shown the whole call | its allow asks a person | [`crate::classifier::Case::full`] |
//! | the worker panics | deny, fail-closed | [`panicked`] |
//! | the worker's deadline passes | deny, fail-closed | [`timed_out`] |
//! | the worker cannot be started or is gone | deny, fail-closed | [`gone`] |
//!
//! A rule text that cannot be read fails [`crate::Gate::new`], so that no gate exists. A caller that has no verdict, because its
//! transport broke or the gate could not be made, answers [`Verdict::unavailable`] itself.

use crate::{integrity::Malformed, shell::Refusal};
use types::{
    text::printable,
    verdict::{Decision, Stage, Verdict},
};

/// The call's form is wrong.
pub(crate) fn malformed(malformed: &Malformed) -> Verdict {
    let instead = "send the call again with a well-formed input".to_owned();
    answer(Decision::Deny, Stage::Integrity, "integrity", malformed.to_string(), Some(instead))
}

/// The command is over the caps of the reader.
pub(crate) fn unreadable(refusal: Refusal) -> Verdict {
    let instead = "split it into shorter commands, or write a script file and run that".to_owned();
    answer(Decision::Deny, Stage::Normalise, "unverifiable", refusal.to_string(), Some(instead))
}

/// No stage settled the call: a person decides.
pub(crate) fn undecided(why: &str) -> Verdict {
    let mut verdict = answer(
        Decision::Ask,
        Stage::Undecided,
        "unverifiable",
        format!("not known to be safe: {}", printable(why, 240)),
        None,
    );
    verdict.clears = Some("a person's approval, or an allow rule of the operator".to_owned());
    verdict
}

/// The operator lets nothing run but what a rule allows: a person decides, and no model is asked.
pub(crate) fn not_automatic() -> Verdict {
    let reason = "auto mode is off: no rule of the operator allows it".to_owned();
    let mut verdict = answer(Decision::Ask, Stage::Rules, "auto_mode", reason, None);
    verdict.clears = Some("a person's approval, or an allow rule of the operator".to_owned());
    verdict
}

/// The worker panicked on the call.
pub(crate) fn panicked() -> Verdict {
    Verdict::unavailable("the gate failed on this call")
}

/// The worker did not answer in time.
pub(crate) fn timed_out() -> Verdict {
    Verdict::unavailable("the gate did not answer in time")
}

/// There is no worker.
pub(crate) fn gone() -> Verdict {
    Verdict::unavailable("the gate is not running")
}

fn answer(decision: Decision, stage: Stage, rule: &str, reason: String, instead: Option<String>) -> Verdict {
    Verdict {
        decision,
        stage,
        rule: Some(rule.to_owned()),
        reason,
        instead,
        clears: None,
        facts: Vec::new(),
        micros: 0,
        model: None,
    }
}
