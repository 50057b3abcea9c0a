//! The question in the shapes that endpoints take. Both steps share their beginning, so that what the endpoint cached for the first
//! serves the second, and every call of the run.

use super::{facts, prefix};
use serde_json::{Value, json};
use types::{profile::Dialect, replay::Step};

/// Name of the tool by which facts are reported.
pub(super) const TOOL: &str = "report";
/// Room for one word, so that a word with more behind it is seen as such.
const FAST_TOKENS: u32 = 8;
/// Room for the facts.
const FULL_TOKENS: u32 = 1500;

/// A request's body.
pub(super) fn body(dialect: Dialect, model: &str, step: Step, system: &str, question: &str) -> Value {
    let (max_tokens, instruction) = match step {
        Step::Fast => (FAST_TOKENS, prefix::FAST),
        Step::Full => (FULL_TOKENS, prefix::FULL),
    };
    match dialect {
        Dialect::Messages => {
            // Tools stand before the system prompt in what is cached, so that they are the same in both steps.
            let choice = match step {
                Step::Fast => json!({"type": "none"}),
                Step::Full => json!({"type": "tool", "name": TOOL}),
            };
            // Tools stand before the system prompt in what is cached, so that they are the same in both steps. No stop sequence: a
            // word with more behind it must be seen as such.
            json!({
                "model": model,
                "max_tokens": max_tokens,
                "temperature": 0,
                "tools": [{"name": TOOL, "description": "Reports the facts about the call.", "input_schema": facts::schema()}],
                "tool_choice": choice,
                "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
                "messages": [{"role": "user", "content": [
                    {"type": "text", "text": question}, {"type": "text", "text": instruction},
                ]}],
            })
        }
        Dialect::Openai => {
            let mut body = json!({
                "model": model,
                "max_tokens": max_tokens,
                "temperature": 0,
                "stream": false,
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": format!("{question}\n{instruction}")},
                ],
            });
            if step == Step::Full {
                body["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": {"name": TOOL, "strict": true, "schema": facts::schema()},
                });
            }
            body
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_steps_share_what_is_cached() {
        let make = |step, question: &str| body(Dialect::Messages, "m", step, "SYSTEM", question);
        let (fast, full) = (make(Step::Fast, "one"), make(Step::Full, "two"));
        assert_eq!((&fast["tools"], &fast["system"]), (&full["tools"], &full["system"]));
        assert_eq!(fast["system"][0]["cache_control"]["type"], "ephemeral");
        assert_eq!((&fast["tool_choice"]["type"], &full["tool_choice"]["type"]), (&"none".into(), &"tool".into()));
        assert!(fast["max_tokens"].as_u64() <= Some(8));
        let local = body(Dialect::Openai, "m", Step::Full, "SYSTEM", "q");
        assert_eq!(local["messages"][0]["content"], "SYSTEM");
        assert_eq!(local["response_format"]["json_schema"]["strict"], true);
    }
}
