//! What a messages request says that the gateway decides on. The body itself goes up unchanged: it was read strictly, so
//! that the endpoint reads the same.

use super::{json, refused::Refused};
use crate::limits::CALL_ID_BYTES;
use serde_json::Value;
use types::{event::WireToolResult, id::CallId, text::printable};

/// Characters of a tool result that are reported.
const HEAD_CHARS: usize = 400;

/// Kinds of tools that the agent runs, and the search among the tools themselves. Every other kind acts at the endpoint.
const CLIENT_TOOLS: [&str; 6] = ["custom", "bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_"];
/// Kinds of content sources that carry their content, or name it within the request.
const INLINE_SOURCES: [&str; 3] = ["base64", "text", "content"];

/// A messages request as far as the gateway reads it.
#[derive(Debug)]
pub(crate) struct Messages {
    /// The model that is asked for.
    pub(crate) model: String,
    /// An answer in events is wanted.
    pub(crate) stream: bool,
    /// The request offers tools.
    pub(crate) has_tools: bool,
    /// Tool results in it, the whole history.
    pub(crate) results: Vec<WireToolResult>,
    /// Every tool_use id in it, of calls and of results.
    pub(crate) call_ids: Vec<String>,
    /// Text of the first message, which tells one conversation from another.
    pub(crate) first_text: String,
    /// Text of the last message: its text blocks and tool results.
    pub(crate) last_text: String,
    /// The first thing that the endpoint itself would fetch or run.
    pub(crate) server_side: Option<String>,
}

impl Messages {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refused::Body`]
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refused> {
        let bad = |text: &str| Refused::Body(text.to_owned());
        let value = json::parse(body).map_err(|error| Refused::Body(error.to_string()))?;
        let model = value.get("model").and_then(Value::as_str).ok_or_else(|| bad("no model"))?.to_owned();
        let stream = match value.get("stream") {
            None | Some(Value::Null) => false,
            Some(stream) => stream.as_bool().ok_or_else(|| bad("stream is not a boolean"))?,
        };
        let messages = value.get("messages").and_then(Value::as_array).ok_or_else(|| bad("no messages"))?;
        let mut read = Self {
            model,
            stream,
            has_tools: !list(&value, "tools").is_empty(),
            results: Vec::new(),
            call_ids: Vec::new(),
            first_text: String::new(),
            last_text: String::new(),
            server_side: server_side(&value),
        };
        for message in messages {
            for block in list(message, "content") {
                read.block(block)?;
            }
        }
        if let Some(first) = messages.first() {
            push_text(first.get("content"), &mut read.first_text);
        }
        if let Some(last) = messages.last() {
            push_text(last.get("content"), &mut read.last_text);
        }
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
        self.call_ids.push(id.to_owned());
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

/// The first thing in the request that the endpoint itself would fetch or run: a way out past every route.
fn server_side(request: &Value) -> Option<String> {
    for field in ["mcp_servers", "container"] {
        if !matches!(request.get(field), None | Some(Value::Null))
            && request.get(field) != Some(&Value::Array(Vec::new()))
        {
            return Some(field.to_owned());
        }
    }
    let tool = list(request, "tools").iter().find_map(|tool| {
        let kind = match tool.get("type") {
            None | Some(Value::Null) => return None,
            Some(kind) => kind.as_str().unwrap_or("a tool without a plain type"),
        };
        let client =
            CLIENT_TOOLS.iter().any(|known| kind == *known || (known.ends_with('_') && kind.starts_with(known)));
        (!client).then(|| printable(kind, 80))
    });
    tool.or_else(|| {
        let in_messages = list(request, "messages").iter().flat_map(|message| list(message, "content"));
        in_messages.chain(list(request, "system")).find_map(fetched_source)
    })
}

/// The kind of a content source that is not inline, in a block or in the blocks within it. Inputs of tool calls are the
/// model's own text and not looked at.
fn fetched_source(block: &Value) -> Option<String> {
    let own = match block.get("source") {
        Some(source @ Value::Object(_)) => {
            let kind = text(source, "type").unwrap_or("source without a type");
            if INLINE_SOURCES.contains(&kind) {
                list(source, "content").iter().find_map(fetched_source)
            } else {
                Some(format!("{} source", printable(kind, 40)))
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | None => None,
    };
    own.or_else(|| list(block, "content").iter().find_map(fetched_source))
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
        ]}));
        assert!(request.stream && request.has_tools && request.server_side.is_none());
        assert_eq!(request.call_ids, ["t1", "t1"]);
        let [result] = request.results.as_slice() else { panic!("one result") };
        assert!(result.is_error && result.head.len() == 400);
        assert!(request.first_text == "fix it" && request.last_text.ends_with("xgo on"));
    }

    #[test]
    fn what_the_endpoint_would_fetch_is_found() {
        let with = |key: &str, value: Value| {
            let mut request = json!({"model": "m", "messages": []});
            request[key] = value;
            read(&request).server_side
        };
        assert_eq!(
            with("tools", json!([{"name": "Bash"}, {"type": "custom", "name": "x"}, {"type": "bash_20250124"}])),
            None
        );
        let inline =
            json!([{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": ""}}]}]);
        assert_eq!(with("messages", inline), None);
        assert_eq!(with("mcp_servers", json!([])), None);
        for (key, value) in [
            ("tools", json!([{"type": "web_fetch_20250910", "name": "web_fetch"}])),
            ("tools", json!([{"type": "bash"}])),
            ("tools", json!([{"type": 7}])),
            ("mcp_servers", json!([{"url": "https://evil.example"}])),
            ("container", json!("c")),
            (
                "messages",
                json!([{"content": [{"type": "image", "source": {"type": "url", "url": "https://evil.example"}}]}]),
            ),
            ("messages", json!([{"content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}])),
            (
                "messages",
                json!([{"content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"type": "url"}}]}]}]),
            ),
            (
                "messages",
                json!([{"content": [{"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {"type": "url"}}]}}]}]),
            ),
        ] {
            assert!(with(key, value.clone()).is_some(), "{key} {value}");
        }
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
            r#"{"model":"a","messages":[{"content":[{"type":"tool_result"}]}]}"#,
            "[]",
            "",
        ] {
            assert!(Messages::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
