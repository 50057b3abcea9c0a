//! What the gate goes by when the operator says nothing, as data: for `gate defaults`.

use crate::{
    classifier::rules::{ALLOW, ENVIRONMENT},
    floor::{DATA, REGENERABLE, REGENERABLE_FILES},
    rule_page::{RulePage, rule_page},
    secret::{CERTAIN, LIKELY_ENDS, LIKELY_NAMES},
};
use serde::Serialize;
use types::{catalogue::RuleId, verdict::Stage};

/// A stage of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StagePage {
    /// The stage, as in verdicts.
    pub stage: Stage,
    /// What it looks at and what it can decide.
    pub decides: &'static str,
}

/// A list of names that decisions rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NameList {
    /// Its name.
    pub name: &'static str,
    /// What being in it means.
    pub means: &'static str,
    /// The names: parts of paths, ends of names, globs, or sentences.
    pub entries: &'static [&'static str],
}

/// Everything that is built in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Defaults {
    /// The stages in order; the first one that decides wins.
    pub stages: Vec<StagePage>,
    /// The rules.
    pub rules: Vec<RulePage>,
    /// The lists.
    pub lists: Vec<NameList>,
}

/// The built-in rules and lists.
#[must_use]
pub fn defaults() -> Defaults {
    let stages = PIPELINE.into_iter().map(|stage| StagePage { stage, decides: decides(stage) }).collect();
    let list = |name, means, entries| NameList { name, means, entries };
    Defaults {
        stages,
        rules: RuleId::ALL.into_iter().map(rule_page).collect(),
        lists: vec![
            list("credential-stores", "reading a path with this part is denied (credential_access)", CERTAIN),
            list("likely-credentials", "reading a file of this name is not allowed without a question", &LIKELY_NAMES),
            list("likely-credential-ends", "the same for a name that ends so", &LIKELY_ENDS),
            list(
                "regenerable-directories",
                "deleting one in the work tree is safe: a build makes it again",
                &REGENERABLE,
            ),
            list("regenerable-files", "the same for files", &REGENERABLE_FILES),
            list(
                "classifier-environment",
                "what the classifier is told of the surroundings for `$defaults`",
                &ENVIRONMENT,
            ),
            list("classifier-allow", "what the classifier is told is fine for `$defaults`", &ALLOW),
            list("data-files", "emptying one is denied: its loss is data lost", &DATA),
        ],
    }
}

/// The stages that judge a call, in order.
const PIPELINE: [Stage; 11] = [
    Stage::Integrity,
    Stage::Normalise,
    Stage::HardFloor,
    Stage::Rules,
    Stage::SoftFloor,
    Stage::Ledger,
    Stage::SafeFloor,
    Stage::ClassifierFast,
    Stage::ClassifierFull,
    Stage::Undecided,
    Stage::Escalation,
];

fn decides(stage: Stage) -> &'static str {
    match stage {
        Stage::Integrity => "form, size and id of the call; denies what is malformed, too large or used twice",
        Stage::Normalise => {
            "reads the call into commands and effects; denies a command over the caps of size and nesting"
        }
        Stage::HardFloor => "effects that nothing overrides; denies",
        Stage::Rules => "the operator's deny, ask and allow rules in that order; decides all",
        Stage::SoftFloor => "effects that only a rule of the operator allows; denies",
        Stage::Ledger => {
            "the history of the run: denies what was denied before, in this or another form, and asks after a suspicious tool result"
        }
        Stage::SafeFloor => "allows when every effect is known to be safe",
        Stage::ClassifierFast => "a model's one word; allows what is plainly safe",
        Stage::ClassifierFull => {
            "a model's facts, which a table of risk and authorisation turns into the decision; decides all"
        }
        Stage::Undecided => "no stage settled the call: a person is asked",
        Stage::Escalation => {
            "too many denials: 3 in a row, 10 of the last 50 calls, 20 in all; the run is held and a person is asked"
        }
        Stage::Person => "a person's answer to a held call",
        Stage::FailClosed => "the gate failed; denies without a judgement",
        Stage::AllowAll => "the operator switched the gate off; allows what is well-formed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_whole() {
        let defaults = defaults();
        assert_eq!(defaults.rules.len(), RuleId::ALL.len());
        assert!(defaults.lists.iter().all(|list| !list.entries.is_empty()));
        let value = serde_json::to_value(&defaults).expect("JSON");
        assert_eq!(value["stages"][0]["stage"], "integrity");
        assert_eq!(value["rules"][0]["id"], "data_exfiltration");
    }
}
