//! What a messages request says that the gateway decides on. The body itself goes up unchanged: it was read strictly, so
//! that the endpoint reads the same.

use super::{
    json,
    refused::Refused,
    server_side::{self, Found},
};
use crate::limits::CALL_ID_BYTES;
use serde_json::Value;
use types::{event::WireToolResult, id::CallId};

/// Characters of a tool result that are reported.
const HEAD_CHARS: usize = 400;

/// A messages request as far as the gateway reads it.
#[derive(Debug)]
pub(crate) struct Messages {
    /// The model that is asked for.
    pub(crate) model: String,
    /// An answer in events is wanted.
    pub(crate) stream: bool,
    /// Tool results in it, the whole history.
    pub(crate) results: Vec<WireToolResult>,
    /// Text of the last message: its text blocks and tool results.
    pub(crate) last_text: String,
    /// The longest answer that it asks for, in tokens.
    pub(crate) max_tokens: Option<u64>,
    /// What the endpoint itself would fetch or run.
    pub(crate) server_side: Found,
    /// The request without that; nothing when there is none of it.
    pub(crate) stripped: Value,
    /// Where in which conversation it stands.
    pub(crate) asked: Asked,
}

/// What tells a conversation, and how far it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The request offers tools: it belongs to a conversation.
    pub(crate) has_tools: bool,
    /// Text of the first message, which tells one conversation from another.
    pub(crate) first_text: String,
    /// Every tool_use id in it, of calls and of results.
    pub(crate) call_ids: Vec<String>,
    /// What the model said in messages after its last call.
    pub(crate) said: Vec<String>,
}

impl Messages {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refused::Body`]
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refused> {
        let bad = |text: &str| Refused::Body(text.to_owned());
        let mut value = json::parse(body).map_err(|error| Refused::Body(error.to_string()))?;
        let model = value.get("model").and_then(Value::as_str).ok_or_else(|| bad("no model"))?.to_owned();
        let stream = match value.get("stream") {
            None | Some(Value::Null) => false,
            Some(stream) => stream.as_bool().ok_or_else(|| bad("stream is not a boolean"))?,
        };
        let max_tokens = match value.get("max_tokens") {
            None => None,
            Some(count) => Some(count.as_u64().ok_or_else(|| bad("max_tokens is not a count"))?),
        };
        let messages = value.get("messages").and_then(Value::as_array).ok_or_else(|| bad("no messages"))?;
        let mut read = Self {
            model,
            stream,
            results: Vec::new(),
            last_text: String::new(),
            asked: Asked { has_tools: !list(&value, "tools").is_empty(), ..Asked::default() },
            max_tokens,
            server_side: Found::default(),
            stripped: Value::Null,
        };
        for message in messages {
            for block in list(message, "content") {
                read.block(block)?;
            }
            if text(message, "role") == Some("assistant") {
                read.said(message);
            }
        }
        if let Some(first) = messages.first() {
            push_text(first.get("content"), &mut read.asked.first_text);
        }
        if let Some(last) = messages.last() {
            push_text(last.get("content"), &mut read.last_text);
        }
        read.server_side = server_side::take_out(&mut value);
        read.stripped = if read.server_side.what.is_empty() { Value::Null } else { value };
        Ok(read)
    }

    fn block(&mut self, block: &Value) -> Result<(), Refused> {
        let kind = text(block, "type").unwrap_or_default();
        let id = match kind {
            "tool_use" => text(block, "id"),
            "tool_result" => text(block, "tool_use_id"),
            _ => return Ok(()),
        };
        let id = id.filter(|id| !id.is_empty() && id.len() <= CALL_ID_BYTES);
        let id = id.ok_or_else(|| Refused::Body(format!("a {kind} without a usable id")))?;
        self.asked.call_ids.push(id.to_owned());
        if kind == "tool_result" {
            let mut content = String::new();
            push_text(block.get("content"), &mut content);
            self.results.push(WireToolResult {
                id: CallId(id.to_owned()),
                is_error: block.get("is_error").and_then(Value::as_bool).unwrap_or(false),
                head: content.chars().take(HEAD_CHARS).collect(),
            });
        }
        Ok(())
    }

    fn said(&mut self, message: &Value) {
        if list(message, "content").iter().any(|block| text(block, "type") == Some("tool_use")) {
            self.asked.said.clear();
            return;
        }
        let mut words = String::new();
        push_text(message.get("content"), &mut words);
        self.asked.said.push(words);
    }
}

/// Text of a content value: a string, text blocks and, within tool results, the same again.
fn push_text(content: Option<&Value>, out: &mut String) {
    match content {
        Some(Value::String(text)) => out.push_str(text),
        Some(Value::Array(blocks)) => {
            for block in blocks {
                out.push_str(text(block, "text").unwrap_or_default());
                if text(block, "type") == Some("tool_result") {
                    push_text(block.get("content"), out);
                }
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {}
    }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Messages {
        Messages::parse(value.to_string().as_bytes()).expect("request")
    }

    #[test]
    fn results_ids_and_the_last_text_are_found() {
        let request = read(&json!({"model": "m", "stream": true, "tools": [{"name": "Bash"}], "messages": [
            {"role": "user", "content": "fix it"},
            {"role": "assistant", "content": [{"type": "text", "text": "ok"}, {"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [{"type": "text", "text": "x".repeat(500)}]},
                {"type": "text", "text": "go on"},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "still"}, {"type": "text", "text": " here"}]},
            {"role": "user", "content": "and?"},
        ]}));
        assert!(request.stream && request.asked.has_tools && request.server_side.what.is_empty());
        assert_eq!(
            (request.asked.call_ids, request.asked.said),
            (vec!["t1".into(), "t1".into()], vec!["still here".into()])
        );
        let [result] = request.results.as_slice() else { panic!("one result") };
        assert!(result.is_error && result.head.len() == 400);
        assert_eq!((request.asked.first_text.as_str(), request.last_text.as_str()), ("fix it", "and?"));
    }

    #[test]
    fn bodies_with_two_meanings_are_refused() {
        for bad in [
            r#"{"model":"a","model":"b","messages":[]}"#,
            r#"{"model":7,"messages":[]}"#,
            r#"{"messages":[]}"#,
            r#"{"model":"a"}"#,
            r#"{"model":"a","messages":{}}"#,
            r#"{"model":"a","stream":"yes","messages":[]}"#,
            r#"{"model":"a","max_tokens":-1,"messages":[]}"#,
            r#"{"model":"a","max_tokens":1e3,"messages":[]}"#,
            r#"{"model":"a","max_tokens":18446744073709551616,"messages":[]}"#,
            r#"{"model":"a","max_tokens":1e999,"messages":[]}"#,
            r#"{"model":"a","messages":[{"content":[{"type":"tool_result"}]}]}"#,
            "[]",
            "",
        ] {
            assert!(Messages::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
