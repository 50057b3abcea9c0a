//! What the gate answers, with everything needed to explain it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The three answers. There is no fourth: what fails becomes [`Decision::Deny`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The call runs.
    Allow,
    /// The call does not run and the agent is told why.
    Deny,
    /// A person decides; until then the call is held.
    Ask,
}

/// The stage of the pipeline that settled the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Schema, size, unseen or reused id.
    Integrity,
    /// The input could not be read.
    Normalise,
    /// Never overridable.
    HardFloor,
    /// The operator's rules.
    Rules,
    /// A built-in rule that an allow rule of the operator would override.
    SoftFloor,
    /// Safe by what the call does.
    SafeFloor,
    /// The history of the run.
    Ledger,
    /// A model was asked for one word, and it was `allow`.
    ClassifierFast,
    /// A model gave facts about the call, and code decided on them.
    ClassifierFull,
    /// No stage settled it, so a person is asked.
    Undecided,
    /// The calls of the run were denied too often, so that a person is asked before it goes on.
    Escalation,
    /// A person's answer.
    Person,
    /// The gate failed; no judgement of the call.
    FailClosed,
    /// The gate is switched off by the operator (boundary tests).
    AllowAll,
}

/// What asking a model about one call took, every try counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ModelUse {
    /// The model that answered last; the one that was asked where none did.
    pub model: String,
    /// Requests made.
    pub requests: u32,
    /// Input tokens that were neither read from nor written to the cache.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens written to the cache.
    pub cache_write_tokens: u64,
    /// Input tokens read from the cache.
    pub cache_read_tokens: u64,
    /// Cost in US dollars by list price; 0 for a model without a known price.
    pub usd: f64,
    /// Milliseconds from the question to its answer, waits included.
    pub ms: u64,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// What happens to the call.
    pub decision: Decision,
    /// Who settled it.
    pub stage: Stage,
    /// Rule id (`data_exfiltration`) or the operator's rule text; none where a floor allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, one sentence, without secrets or thresholds.
    pub reason: String,
    /// A safer path for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// What would change the decision, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clears: Option<String>,
    /// What the call would do, one fact a line: `deletes /workspace/target recursively`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// Time the decision took, in microseconds; a model's time is not in it.
    pub micros: u64,
    /// What asking a model took, if one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelUse>,
}

/// Longest text that the agent is told on a denial, in characters.
pub const MAX_AGENT_TEXT: usize = 600;

impl Verdict {
    /// The fail-closed answer: a denial that is no judgement of the call.
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self {
            decision: Decision::Deny,
            stage: Stage::FailClosed,
            rule: Some("gate_unavailable".to_owned()),
            reason: format!("the safety check is unavailable ({}); this is no judgement of the call", reason.into()),
            instead: None,
            clears: None,
            facts: Vec::new(),
            micros: 0,
            model: None,
        }
    }

    /// What the agent is told when the call is denied: rule, reason, a safer path, and not to try again in another form.
    #[must_use]
    pub fn agent_text(&self) -> String {
        let rule = self.rule.as_deref().unwrap_or("policy");
        let instead = self.instead.as_deref().map(|text| format!("\nInstead: {text}.")).unwrap_or_default();
        let is_judgement = self.stage != Stage::FailClosed && self.stage != Stage::Escalation;
        let end = if !is_judgement { "" } else { "\nDo not retry this in another form." };
        let head = format!("Blocked by the sandbox gate [{rule}]: {}.{instead}", self.reason.trim_end_matches('.'));
        let room = MAX_AGENT_TEXT - end.chars().count() - 1;
        let mut text: String = crate::text::printable_block(&head).chars().take(room).collect();
        if head.chars().count() > room {
            text.push('…');
        }
        text.push_str(end);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_told_rule_reason_and_path_in_bounds() {
        let mut verdict = Verdict::unavailable("x");
        verdict.stage = Stage::HardFloor;
        verdict.rule = Some("data_exfiltration".into());
        verdict.reason = "r".repeat(2000);
        let text = verdict.agent_text();
        assert!(text.starts_with("Blocked by the sandbox gate [data_exfiltration]: rrr"));
        assert!(text.ends_with("Do not retry this in another form."));
        assert!(text.chars().count() <= MAX_AGENT_TEXT);
    }
}
