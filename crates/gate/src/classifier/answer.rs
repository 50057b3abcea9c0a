//! What a model's answer says, read strictly: anything that is not exactly what was asked for is no answer.

use super::{facts::Facts, request::TOOL};
use serde::Deserialize;
use serde_json::value::RawValue;
use types::{profile::Dialect, text::printable};

/// Longest answer that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Larger than any answer.
    #[error("the answer is too large")]
    TooLarge,
    /// Not the shape that the endpoint's protocol has.
    #[error("the answer is not of its protocol")]
    Protocol,
    /// The model declined.
    #[error("the model refused to answer")]
    Refused,
    /// It stopped in the middle.
    #[error("the answer is cut off: {0}")]
    Cut(String),
    /// The facts are missing, or not of their schema.
    #[error("the answer does not hold the facts that were asked for")]
    Facts,
}

/// An answer that came to its regular end, whatever the protocol.
struct Said<'a> {
    /// All text.
    text: String,
    /// The input of each tool call, with its name.
    calls: Vec<(String, &'a RawValue)>,
}

/// True only for the one word, with nothing beside it.
pub(super) fn is_allow(dialect: Dialect, body: &[u8]) -> bool {
    said(dialect, body).is_ok_and(|said| said.calls.is_empty() && said.text.trim_end() == "allow")
}

/// The facts.
///
/// # Errors
/// [`NoAnswer`]
pub(super) fn facts(dialect: Dialect, body: &[u8]) -> Result<Facts, NoAnswer> {
    let said = said(dialect, body)?;
    let json = match said.calls.as_slice() {
        [] => said.text.trim(),
        [(name, input)] if name == TOOL => input.get(),
        [..] => return Err(NoAnswer::Facts),
    };
    let facts: Facts = serde_json::from_str(json).map_err(|_| NoAnswer::Facts)?;
    if facts.is_whole() { Ok(facts) } else { Err(NoAnswer::Facts) }
}

fn said(dialect: Dialect, body: &[u8]) -> Result<Said<'_>, NoAnswer> {
    if body.len() > MAX_BYTES {
        return Err(NoAnswer::TooLarge);
    }
    match dialect {
        Dialect::Messages => {
            let message: Message<'_> = serde_json::from_slice(body).map_err(|_| NoAnswer::Protocol)?;
            if message.kind != "message" || message.role != "assistant" {
                return Err(NoAnswer::Protocol);
            }
            let mut said = Said { text: String::new(), calls: Vec::new() };
            match message.stop_reason.as_deref() {
                Some("end_turn" | "tool_use") => {}
                Some("refusal") => return Err(NoAnswer::Refused),
                other => return Err(NoAnswer::Cut(printable(other.unwrap_or("no end"), 40))),
            }
            for block in message.content {
                match (block.kind.as_str(), block.text, block.name, block.input) {
                    ("text", Some(text), _, _) => said.text.push_str(&text),
                    ("tool_use", _, Some(name), Some(input)) => said.calls.push((name, input)),
                    _ => return Err(NoAnswer::Protocol),
                }
            }
            Ok(said)
        }
        Dialect::Openai => {
            let completion: Completion = serde_json::from_slice(body).map_err(|_| NoAnswer::Protocol)?;
            let [choice] = completion.choices.as_slice() else { return Err(NoAnswer::Protocol) };
            if choice.message.refusal.as_ref().is_some_and(|text| !text.is_empty()) {
                return Err(NoAnswer::Refused);
            }
            match choice.finish_reason.as_deref() {
                Some("stop") => {}
                Some("content_filter") => return Err(NoAnswer::Refused),
                other => return Err(NoAnswer::Cut(printable(other.unwrap_or("no end"), 40))),
            }
            let text = choice.message.content.clone().ok_or(NoAnswer::Protocol)?;
            Ok(Said { text, calls: Vec::new() })
        }
    }
}

/// The Messages API; fields that are not needed are not looked at.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    role: String,
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// Chat completions.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: ChatMessage,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct ChatMessage {
    content: Option<String>,
    refusal: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn message(content: Value, stop: &str) -> Vec<u8> {
        json!({"id": "m", "type": "message", "role": "assistant", "content": content, "stop_reason": stop, "usage": {}})
            .to_string()
            .into_bytes()
    }

    fn text(text: &str, stop: &str) -> Vec<u8> {
        message(json!([{"type": "text", "text": text}]), stop)
    }

    fn chat(content: Value, finish: &str) -> Vec<u8> {
        json!({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": finish}]})
            .to_string()
            .into_bytes()
    }

    fn good() -> Value {
        json!({"effects": ["x"], "destinations": [], "rule": "none", "risk": "low", "authorisation": "none",
               "consent_quote": "", "reason": "fine", "safer_path": ""})
    }

    fn tool(name: &str, input: &Value) -> Value {
        json!({"type": "tool_use", "id": "t", "name": name, "input": input})
    }

    #[test]
    fn one_word_allows_and_nothing_else() {
        for good in [text("allow", "end_turn"), text("allow\n", "end_turn")] {
            assert!(is_allow(Dialect::Messages, &good));
        }
        assert!(is_allow(Dialect::Openai, &chat(json!("allow"), "stop")));
        for bad in [
            text("Allow", "end_turn"),
            text("allow.", "end_turn"),
            text(" allow", "end_turn"),
            text("allow flag", "end_turn"),
            text("flag", "end_turn"),
            text("allowed", "end_turn"),
            text("", "end_turn"),
            text("allow", "max_tokens"),
            text("allow", "refusal"),
            text("allow", "stop_sequence"),
            message(json!([{"type": "text", "text": "allow"}, tool("report", &json!({}))]), "tool_use"),
            message(json!([]), "end_turn"),
            chat(json!("allow"), "stop"),
            b"allow".to_vec(),
            b"\"allow\"".to_vec(),
            b"".to_vec(),
            b"{\"type\":\"message\"".to_vec(),
        ] {
            assert!(!is_allow(Dialect::Messages, &bad), "{}", String::from_utf8_lossy(&bad));
        }
        for bad in [chat(json!("allow"), "length"), chat(Value::Null, "stop"), text("allow", "end_turn")] {
            assert!(!is_allow(Dialect::Openai, &bad));
        }
    }

    #[test]
    fn facts_are_of_their_schema_or_none() {
        let by_tool = |input: &Value| facts(Dialect::Messages, &message(json!([tool("report", input)]), "tool_use"));
        assert!(by_tool(&good()).is_ok());
        assert!(facts(Dialect::Messages, &text(&format!(" {}\n", good()), "end_turn")).is_ok());
        assert!(facts(Dialect::Openai, &chat(Value::from(good().to_string()), "stop")).is_ok());
        for (field, value) in [
            ("rule", json!("my_rule")),
            ("rule", Value::Null),
            ("risk", json!("tiny")),
            ("risk", json!(1)),
            ("authorisation", json!("yes")),
            ("effects", json!("x")),
            ("reason", json!(" ")),
            ("verdict", json!("allow")),
        ] {
            let mut bad = good();
            bad[field] = value;
            assert_eq!(by_tool(&bad).err(), Some(NoAnswer::Facts), "{bad}");
        }
        for field in ["rule", "risk", "authorisation", "consent_quote", "effects", "reason"] {
            let mut bad = good();
            bad.as_object_mut().expect("object").remove(field);
            assert_eq!(by_tool(&bad).err(), Some(NoAnswer::Facts), "without {field}");
        }
    }

    #[test]
    fn what_is_not_the_one_answer_is_none() {
        let read = |body: &[u8]| facts(Dialect::Messages, body).err();
        let doubled = good().to_string().replacen('{', "{\"risk\":\"none\",", 1);
        let in_call = format!(
            r#"{{"type":"message","role":"assistant","stop_reason":"tool_use","content":[{{"type":"tool_use","id":"t","name":"report","input":{doubled}}}]}}"#
        );
        assert_eq!(read(in_call.as_bytes()), Some(NoAnswer::Facts), "two risks");
        assert_eq!(read(&text(&format!("Sure: {}", good()), "end_turn")), Some(NoAnswer::Facts));
        assert_eq!(read(&text(&good().to_string(), "max_tokens")), Some(NoAnswer::Cut("max_tokens".into())));
        assert_eq!(read(&text("I cannot help with that", "refusal")), Some(NoAnswer::Refused));
        assert_eq!(read(b"<html>502</html>"), Some(NoAnswer::Protocol));
        let two = message(json!([tool("report", &good()), tool("report", &good())]), "tool_use");
        assert_eq!(read(&two), Some(NoAnswer::Facts));
        assert_eq!(read(&message(json!([tool("other", &good())]), "tool_use")), Some(NoAnswer::Facts));
        assert_eq!(read(&vec![b' '; MAX_BYTES + 1]), Some(NoAnswer::TooLarge));
        assert_eq!(facts(Dialect::Openai, &chat(json!("x"), "content_filter")).err(), Some(NoAnswer::Refused));
    }
}
