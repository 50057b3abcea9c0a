//! A tool call in the one shape that the gate, the ledger and the join of invariant 9 work on.

use crate::id::CallId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What an agent wants to do, normalised from its own protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ToolCall {
    /// The id the model gave to the call.
    pub id: CallId,
    /// The tool, by the agent's name for it: `Bash`, `Edit`, `mcp__server__tool`.
    pub tool: String,
    /// The tool's input as the agent sends it.
    pub input: serde_json::Value,
    /// The directory the call would run in, absolute, inside the container.
    pub cwd: String,
    /// The subagent that makes the call, if it is not the main thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent: Option<String>,
}

impl ToolCall {
    /// SHA-256 over tool, directory and full input, in hex. Approvals are bound to it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.tool.as_str(), self.cwd.as_str(), &canonical(&self.input)] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize())
    }

    /// One line for people: the tool and what it would act on, escaped and cut in the middle so that a padded tail still
    /// shows.
    #[must_use]
    pub fn summary(&self, max: usize) -> String {
        let subject = ["command", "file_path", "url", "pattern", "path", "query", "description", "prompt"]
            .iter()
            .find_map(|key| self.input.get(key).and_then(serde_json::Value::as_str))
            .map_or_else(|| self.input.to_string(), str::to_owned);
        let subject = crate::text::printable(&subject, usize::MAX);
        let count = subject.chars().count();
        let shown = if count > max {
            let head: String = subject.chars().take(max * 2 / 3).collect();
            let tail: String = subject.chars().skip(count - max / 3).collect();
            format!("{head} …[{} more]… {tail}", count - max * 2 / 3 - max / 3)
        } else {
            subject
        };
        format!("{} {shown}", crate::text::printable(&self.tool, 60))
    }
}

/// JSON with sorted keys and no spaces, so that equal inputs have equal digests.
fn canonical(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            let inner: Vec<_> = keys
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(input: serde_json::Value) -> ToolCall {
        ToolCall { id: CallId("t".into()), tool: "Bash".into(), input, cwd: "/workspace".into(), subagent: None }
    }

    #[test]
    fn digests_ignore_key_order_and_nothing_else() {
        let one = call(json!({"command": "ls", "timeout": 1}));
        assert_eq!(one.digest(), call(json!({"timeout": 1, "command": "ls"})).digest());
        assert_ne!(one.digest(), call(json!({"command": "ls "})).digest());
        let mut elsewhere = one.clone();
        elsewhere.cwd = "/".into();
        assert_ne!(one.digest(), elsewhere.digest());
    }

    #[test]
    fn a_padded_payload_still_shows_its_end() {
        let padded = call(json!({"command": format!("echo {} ; rm -rf x", " ".repeat(5000))}));
        assert!(padded.summary(90).ends_with("rm -rf x"), "{}", padded.summary(90));
    }
}
