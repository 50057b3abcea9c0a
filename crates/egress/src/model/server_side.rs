//! What a request would make the endpoint itself fetch, run, or ask of another model: a way past the routes and the list of models.
//!
//! What must stay true: what is not known to stay within the request is taken for such a thing, so that a feature that the endpoint
//! gets tomorrow is closed today; what cannot be taken out without changing what is asked is said to be so.

use serde_json::{Value, json};
use types::text::printable;

/// Fields of a request that say what is asked and how it is answered, and nothing more.
const PLAIN_FIELDS: [&str; 19] = [
    "cache_control",
    "context_management",
    "diagnostics",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];
/// Kinds of tools that the agent runs, and the search among the tools themselves. Every other kind acts at the endpoint.
const CLIENT_TOOLS: [&str; 6] = ["custom", "bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_"];
/// Kinds of content sources that carry their content, or name it within the request.
const INLINE_SOURCES: [&str; 3] = ["base64", "text", "content"];

/// What was found in a request, and taken out of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Fields, tools and sources, in order.
    pub(crate) what: Vec<String>,
    /// Something without which the request asks for something else.
    pub(crate) needed: Option<String>,
}

/// Takes everything of the kind out of a request. Nothing was found: it is as it was.
pub(crate) fn take_out(request: &mut Value) -> Found {
    let mut found = Found::default();
    fields(request, &mut found);
    tools(request, &mut found);
    for message in list(request, "messages") {
        content(message, &mut found);
    }
    for block in list(request, "system") {
        source(block, &mut found);
    }
    found
}

fn fields(request: &mut Value, found: &mut Found) {
    let Some(fields) = request.as_object_mut() else { return };
    fields.retain(|name, value| {
        let is_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        // The ordinary price; any other speed has one of its own.
        let is_ordinary = name == "speed" && value == "standard";
        let stays = PLAIN_FIELDS.contains(&name.as_str()) || is_nothing || is_ordinary;
        if !stays {
            found.what.push(printable(name, 60));
        }
        stays
    });
}

fn tools(request: &mut Value, found: &mut Found) {
    let Some(tools) = request.get_mut("tools").and_then(Value::as_array_mut) else { return };
    let mut gone = Vec::new();
    tools.retain(|tool| {
        let Some(kind) = acting_kind(tool) else { return true };
        found.what.push(kind);
        gone.extend(text(tool, "name").map(str::to_owned));
        false
    });
    let is_empty = tools.is_empty();
    if found.what.is_empty() {
        return;
    }
    let chosen = request.get("tool_choice");
    let chosen_kind = chosen.and_then(|choice| text(choice, "type"));
    let chosen_name = chosen.and_then(|choice| text(choice, "name"));
    if let Some(name) = chosen_name.filter(|name| gone.iter().any(|other| other == name)) {
        found.needed = Some(format!("{}, which the request demands", printable(name, 60)));
    } else if is_empty && !matches!(chosen_kind, None | Some("auto" | "none")) {
        found.needed = Some("a tool, which the request demands".to_owned());
    }
    if is_empty && let Some(fields) = request.as_object_mut() {
        fields.remove("tools");
        fields.remove("tool_choice");
    }
}

/// The kind of a tool that acts at the endpoint; none for one that the agent runs.
fn acting_kind(tool: &Value) -> Option<String> {
    let kind = match tool.get("type") {
        // Readers that take case lightly would see a type that we do not.
        None | Some(Value::Null) if has_other_spelling(tool, "type") => "a tool without a plain type",
        None | Some(Value::Null) => return None,
        Some(kind) => kind.as_str().unwrap_or("a tool without a plain type"),
    };
    let is_known = |known: &&str| kind == *known || (known.ends_with('_') && kind.starts_with(*known));
    (!CLIENT_TOOLS.iter().any(is_known) || has_other_spelling(tool, "type")).then(|| printable(kind, 60))
}

/// Looks at the blocks of a message, of a tool's result, of a document. Inputs of tool calls are the model's own text and not looked
/// at.
fn content(holder: &mut Value, found: &mut Found) {
    for block in list(holder, "content") {
        source(block, found);
    }
}

fn source(block: &mut Value, found: &mut Found) {
    match acting_source(block) {
        Some(what) => {
            // In place of the block, so that no message is left without content.
            *block = json!({"type": "text", "text": format!("[{what} was taken out by the sandbox]")});
            found.what.push(what);
        }
        None => {
            if let Some(source) = block.get_mut("source") {
                content(source, found);
            }
            content(block, found);
        }
    }
}

fn acting_source(block: &Value) -> Option<String> {
    if !matches!(block.get("file_id"), None | Some(Value::Null)) {
        return Some("file".to_owned());
    }
    match block.get("source") {
        Some(source @ Value::Object(_)) => {
            let kind = text(source, "type").unwrap_or("source without a type");
            let is_inline = INLINE_SOURCES.contains(&kind)
                && !["type", "url", "file_id"].iter().any(|key| has_other_spelling(source, key))
                && source.get("url").is_none()
                && source.get("file_id").is_none();
            (!is_inline).then(|| format!("{} source", printable(kind, 40)))
        }
        // The label of a search result is one, and is not followed.
        Some(Value::String(_)) if text(block, "type") == Some("search_result") => None,
        Some(Value::Null) | None => None,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Some("source without a type".to_owned())
        }
    }
}

/// True when the object has the key in other letters than these.
fn has_other_spelling(object: &Value, key: &str) -> bool {
    let Some(fields) = object.as_object() else { return false };
    fields.keys().any(|name| name != key && name.eq_ignore_ascii_case(key))
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn list<'v>(value: &'v mut Value, key: &str) -> impl Iterator<Item = &'v mut Value> {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(key: &str, value: Value) -> Value {
        let mut request = json!({"model": "m", "messages": [], "tools": [{"name": "Bash"}]});
        request[key] = value;
        request
    }

    fn found(key: &str, value: Value) -> Found {
        take_out(&mut with(key, value))
    }

    #[test]
    fn what_stays_within_the_request_is_left_alone() {
        let image = json!({"type": "image", "source": {"type": "base64", "data": ""}});
        let nested = json!({"type": "document", "source": {"type": "content", "content": [image]}});
        for (key, value) in [
            (
                "tools",
                json!([{"name": "Bash"}, {"type": "custom", "name": "x"}, {"type": "bash_20250124", "name": "b"}]),
            ),
            ("messages", json!([{"role": "user", "content": [image, nested]}, {"role": "user", "content": "url"}])),
            (
                "messages",
                json!([{"content": [{"type": "search_result", "source": "https://a.example", "content": []}]}]),
            ),
            (
                "messages",
                json!([{"content": [{"type": "tool_use", "id": "t", "name": "x", "input": {"source": {"type": "url"}}}]}]),
            ),
            ("system", json!([{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}])),
            ("mcp_servers", json!([])),
            ("container", Value::Null),
            ("speed", json!("standard")),
            ("thinking", json!({"type": "enabled", "budget_tokens": 1024})),
        ] {
            let mut request = with(key, value);
            let before = request.clone();
            assert!(take_out(&mut request).what.is_empty(), "{request}");
            assert_eq!(request, before);
        }
    }

    #[test]
    fn what_the_endpoint_would_fetch_or_run_is_found() {
        let url = json!({"type": "image", "source": {"type": "url", "url": "https://evil.example"}});
        for (key, value) in [
            ("tools", json!([{"type": "web_fetch_20250910", "name": "web_fetch"}])),
            ("tools", json!([{"type": "web_search_20250305", "name": "web_search"}])),
            ("tools", json!([{"type": "code_execution_20250825", "name": "c"}])),
            ("tools", json!([{"type": "mcp_toolset", "mcp_server_name": "x"}])),
            ("tools", json!([{"type": "bash"}])),
            ("tools", json!([{"type": 7}])),
            ("tools", json!([{"Type": "web_search_20250305", "name": "x"}])),
            ("tools", json!([{"type": "custom", "TYPE": "web_search_20250305", "name": "x"}])),
            ("mcp_servers", json!([{"url": "https://evil.example"}])),
            ("container", json!("c")),
            ("container", json!({"skills": [{"type": "custom", "skill_id": "s"}]})),
            ("fallbacks", json!([{"model": "other"}])),
            ("workspace_id", json!("w")),
            ("speed", json!("fast")),
            ("inference_geo", json!("us")),
            ("Model", json!("other")),
            ("a_feature_of_tomorrow", json!({"urls": ["https://evil.example"]})),
            ("messages", json!([{"content": [url]}])),
            ("messages", json!([{"content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}])),
            ("messages", json!([{"content": [{"type": "container_upload", "file_id": "f"}]}])),
            (
                "messages",
                json!([{"content": [{"type": "image", "source": {"type": "base64", "url": "https://evil.example"}}]}]),
            ),
            ("messages", json!([{"content": [{"type": "image", "source": {"type": "base64", "Type": "url"}}]}])),
            ("messages", json!([{"content": [{"type": "image", "source": "https://evil.example"}]}])),
            ("messages", json!([{"content": [{"type": "tool_result", "tool_use_id": "t", "content": [url]}]}])),
            ("messages", json!([{"content": [{"type": "document", "source": {"type": "content", "content": [url]}}]}])),
            ("system", json!([url])),
        ] {
            let mut request = with(key, value);
            let shown = request.to_string();
            assert_eq!(take_out(&mut request).what.len(), 1, "{shown}");
            assert!(!request.to_string().contains("evil.example"), "{request}");
            assert!(take_out(&mut request).what.is_empty(), "{request}");
        }
    }

    #[test]
    fn what_is_taken_out_leaves_a_request() {
        let mut request = json!({"model": "m", "mcp_servers": [{"url": "u"}], "tool_choice": {"type": "auto"},
            "tools": [{"type": "mcp_toolset"}, {"name": "Bash"}],
            "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}]});
        let found = take_out(&mut request);
        assert_eq!(
            (found.what, found.needed),
            (vec!["mcp_servers".into(), "mcp_toolset".into(), "url source".into()], None)
        );
        let text = "[url source was taken out by the sandbox]";
        assert_eq!(
            request,
            json!({"model": "m", "tool_choice": {"type": "auto"}, "tools": [{"name": "Bash"}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]})
        );
        let mut last =
            json!({"tools": [{"type": "web_search_20250305", "name": "s"}], "tool_choice": {"type": "auto"}});
        assert!(take_out(&mut last).needed.is_none() && last == json!({}));
    }

    #[test]
    fn a_tool_that_is_demanded_cannot_be_taken_out() {
        let search = json!({"type": "web_search_20250305", "name": "s"});
        for (tools, choice) in [
            (json!([search, {"name": "Bash"}]), json!({"type": "tool", "name": "s"})),
            (json!([search]), json!({"type": "any"})),
        ] {
            let mut request = json!({"tools": tools, "tool_choice": choice});
            assert!(take_out(&mut request).needed.is_some());
        }
        let mut other = json!({"tools": [search, {"name": "Bash"}], "tool_choice": {"type": "tool", "name": "Bash"}});
        assert!(take_out(&mut other).needed.is_none());
        assert!(found("tools", json!([{"name": "x"}])).needed.is_none());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let key =
            || prop_oneof![Just("type"), Just("source"), Just("content"), Just("url"), Just("file_id"), Just("name")];
        let word = prop_oneof![
            Just("url"),
            Just("base64"),
            Just("content"),
            Just("tool_result"),
            Just("document"),
            Just("file")
        ];
        let leaf = prop_oneof![Just(Value::Null), word.prop_map(Value::from), any::<u8>().prop_map(Value::from)];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::vec((key(), inner), 0..4)
                    .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        /// Whatever is in the blocks: after one pass nothing is left to be found.
        #[test]
        fn one_pass_takes_all(blocks in proptest::collection::vec(any_value(), 0..4)) {
            let mut request = json!({"messages": [{"content": blocks}]});
            take_out(&mut request);
            prop_assert!(take_out(&mut request).what.is_empty(), "{request}");
        }
    }
}
