//! The facts that the model reports. The shape is closed: an unknown field, id or level is no answer.

use super::matrix::{Authorisation, Broken, Risk};
use serde::Deserialize;
use serde_json::{Value, json};
use types::catalogue::RuleId;

/// Most entries of a list and characters of a text that are taken over.
const MAX_ENTRIES: usize = 8;
const MAX_TEXT: usize = 300;

/// Id of the operator's own soft rules.
const OPERATOR_SOFT: &str = "operator_soft_deny";
/// Id of the operator's own hard rules.
pub(super) const OPERATOR_HARD: &str = "operator_hard_deny";

/// What the model reports.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    effects: Vec<String>,
    destinations: Vec<String>,
    rule: BrokenRule,
    risk: Risk,
    authorisation: Authorisation,
    consent_quote: String,
    reason: String,
    safer_path: String,
}

/// The rule that the call breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokenRule {
    None,
    Operator { is_hard: bool },
    BuiltIn(RuleId),
}

impl<'de> Deserialize<'de> for BrokenRule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "none" => Ok(Self::None),
            OPERATOR_SOFT => Ok(Self::Operator { is_hard: false }),
            OPERATOR_HARD => Ok(Self::Operator { is_hard: true }),
            id => RuleId::named(id).map(Self::BuiltIn).ok_or_else(|| serde::de::Error::custom("unknown rule")),
        }
    }
}

impl Facts {
    /// The kind of rule that is broken.
    pub(super) fn broken(&self) -> Broken {
        match self.rule {
            BrokenRule::None => Broken::Nothing,
            BrokenRule::Operator { is_hard: true } => Broken::Hard,
            BrokenRule::Operator { is_hard: false } => Broken::Soft,
            BrokenRule::BuiltIn(rule) if rule.is_hard() => Broken::Hard,
            BrokenRule::BuiltIn(_) => Broken::Soft,
        }
    }

    /// The rule's id, if one is broken.
    pub(super) fn rule(&self) -> Option<&'static str> {
        match self.rule {
            BrokenRule::None => None,
            BrokenRule::Operator { is_hard: true } => Some(OPERATOR_HARD),
            BrokenRule::Operator { is_hard: false } => Some(OPERATOR_SOFT),
            BrokenRule::BuiltIn(rule) => Some(rule.as_str()),
        }
    }

    pub(super) fn risk(&self) -> Risk {
        self.risk
    }

    /// What the model says of consent; its quote is still to be checked.
    pub(super) fn claimed(&self) -> (Authorisation, &str) {
        (self.authorisation, &self.consent_quote)
    }

    pub(super) fn reason(&self) -> String {
        types::text::printable(self.reason.trim(), MAX_TEXT)
    }

    pub(super) fn safer_path(&self) -> Option<String> {
        let text = self.safer_path.trim().trim_end_matches('.');
        (!text.is_empty()).then(|| types::text::printable(text, MAX_TEXT))
    }

    /// Effects and destinations, for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let say = |head: &str, text: &String| format!("model: {head}{}", types::text::printable(text.trim(), 160));
        let effects = self.effects.iter().take(MAX_ENTRIES).map(|text| say("", text));
        effects.chain(self.destinations.iter().take(MAX_ENTRIES).map(|text| say("touches ", text))).collect()
    }

    /// Whether it says enough to be shown.
    pub(super) fn is_whole(&self) -> bool {
        !self.reason.trim().is_empty()
    }
}

/// The JSON schema of [`Facts`].
pub(super) fn schema() -> Value {
    let mut ids: Vec<&str> = RuleId::ALL.iter().map(|rule| rule.as_str()).collect();
    ids.extend([OPERATOR_SOFT, OPERATOR_HARD, "none"]);
    let text = json!({"type": "string"});
    let list = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "type": "object",
        "properties": {
            "effects": list,
            "destinations": list,
            "rule": {"type": "string", "enum": ids},
            "risk": {"type": "string", "enum": ["none", "low", "medium", "high", "severe"]},
            "authorisation": {"type": "string", "enum": ["none", "implied", "explicit"]},
            "consent_quote": text,
            "reason": text,
            "safer_path": text,
        },
        "required": [
            "effects", "destinations", "rule", "risk", "authorisation", "consent_quote", "reason", "safer_path"
        ],
        "additionalProperties": false,
    })
}
