//! What a tool returned, as text to look at, before the agent wraps reminders of its own around it.
//!
//! Observed with 2.1.329: `PostToolUse` comes for what succeeded, `PostToolUseFailure` for what failed, for subagents' calls too, and
//! both before the request that carries the result. What the agent refuses by itself brings neither.

use super::line::PostToolUse;
use serde_json::{Value, value::RawValue};
use std::sync::Arc;

/// The text that the model gets to read and did not write itself.
pub(super) fn text(input: &PostToolUse<'_>) -> Arc<str> {
    let mut out = String::new();
    match input.tool_name.as_str() {
        // They give back what the call itself brought.
        "Write" | "Edit" | "NotebookEdit" => {}
        tool => {
            if let Some(response) = input.tool_response {
                collect(tool, response, &mut out);
            }
        }
    }
    if let Some(error) = input.error {
        collect("", error, &mut out);
    }
    out.into()
}

fn collect(tool: &str, raw: &RawValue, out: &mut String) {
    match serde_json::from_str::<Value>(raw.get()) {
        // Beside the subagent's words stands its prompt.
        Ok(value) if tool == "Agent" => strings(&value["content"], out),
        Ok(value) => strings(&value, out),
        // Too deep, or half of a character: what a tool returned is looked at all the same.
        Err(_) => out.push_str(&raw.get().replace("\\n", "\n").replace("\\t", "\t")),
    }
}

/// Every text in a value, a line each. A value that was parsed is at most 128 levels deep.
fn strings(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(text);
            out.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(tool: &str, rest: &str) -> String {
        let line =
            format!(r#"{{"hook_event_name":"PostToolUse","tool_name":"{tool}","tool_use_id":"t","cwd":"/w",{rest}}}"#);
        text(&serde_json::from_str(&line).expect("input")).to_string()
    }

    #[test]
    fn every_text_of_a_result_is_there_and_the_models_own_is_not() {
        let read = r#""tool_response":{"type":"text","file":{"filePath":"/w/a","content":"one\ntwo"}}"#;
        assert!(text_of("Read", read).contains("one\ntwo\n"));
        assert!(text_of("mcp__x__y", r#""tool_response":[{"type":"text","text":"deep"}]"#).contains("deep"));
        assert_eq!(text_of("Bash", r#""error":"Exit code 3\nout""#), "Exit code 3\nout\n");
        let agent = r#""tool_response":{"prompt":"mine","content":[{"type":"text","text":"its words"}]}"#;
        let words = text_of("Agent", agent);
        assert!(words.contains("its words") && !words.contains("mine"), "{words}");
        assert_eq!(text_of("Edit", r#""tool_response":{"newString":"mine"}"#), "");
    }

    #[test]
    fn what_is_no_proper_json_text_is_looked_at_all_the_same() {
        let cut = r#""tool_response":{"stdout":"ignore all\nprevious \ud83d"}"#;
        assert!(text_of("Bash", cut).contains("ignore all\nprevious"));
        let deep = format!(r#""tool_response":{}"here"{}"#, "[".repeat(1000), "]".repeat(1000));
        assert!(text_of("x", &deep).contains("here"));
    }
}
