//! Whether the input that the gate judged is the one that the model sent (invariant 9). The agent fills in defaults and tidies
//! inputs before it asks; each of those changes is computed here from the model's input, and anything else is a disagreement.
//!
//! Observed with 2.1.329 and read from its code; `tests/fixtures/inputs.jsonl` holds the pairs. `Glob`, `Grep` and `TodoWrite` do not
//! exist in this version and get the strict rule, like every tool that is not named here.

use serde_json::{Map, Value};
use types::{call::ToolCall, event::WireToolUse};

/// True when `call`, as the agent asked for it, is `wire`, as the model emitted it. `home` is the agent's home directory.
#[must_use]
pub fn inputs_agree(wire: &WireToolUse, call: &ToolCall, home: &str) -> bool {
    let tool = call.tool.as_str();
    // The agent accepts the tool's old name and asks under the new one.
    let is_same_tool = wire.tool == call.tool || (wire.tool == "Task" && tool == "Agent");
    if wire.id != call.id || !is_same_tool {
        return false;
    }
    let (Some(sent), Some(asked)) = (wire.input.as_object(), call.input.as_object()) else {
        return wire.input == call.input;
    };
    let sent = renamed(tool, sent);
    let is_kept = |(key, value): (&String, &Value)| match asked.get(key) {
        Some(got) => is_same_value(tool, key, value, got, &sent, call, home),
        None => is_dropped(tool, key, value),
    };
    sent.iter().all(is_kept)
        && asked.iter().all(|(key, value)| sent.contains_key(key) || is_filled_in(tool, key, value, &sent))
}

/// Old names of keys, used only where the new one is missing.
fn renamed(tool: &str, sent: &Map<String, Value>) -> Map<String, Value> {
    let mut sent = sent.clone();
    if tool == "Edit" {
        for (old, new) in [("old_str", "old_string"), ("new_str", "new_string")] {
            if let Some(value) = sent.remove(old) {
                sent.entry(new).or_insert(value);
            }
        }
    }
    sent
}

/// Keys that the agent leaves out because they say nothing.
fn is_dropped(tool: &str, key: &str, value: &Value) -> bool {
    match (tool, key) {
        ("Read", "pages") => value == "",
        ("Monitor", "persistent") => value == false,
        _ => false,
    }
}

/// Keys that the agent adds.
fn is_filled_in(tool: &str, key: &str, value: &Value, sent: &Map<String, Value>) -> bool {
    match (tool, key) {
        ("Edit", "replace_all") => value == false,
        ("ToolSearch", "max_results") => value == 5,
        ("Monitor", "timeout_ms") => value == 300_000,
        ("SendMessage", "type") => value == "message",
        ("SendMessage", "recipient_kind") => value.is_string(),
        ("SendMessage", "recipient") => Some(value) == sent.get("to"),
        ("SendMessage", "content" | "summary") => is_cut(value, sent.get("message")),
        _ => false,
    }
}

/// True when `short` is the whole text or its beginning with an ellipsis.
fn is_cut(short: &Value, whole: Option<&Value>) -> bool {
    let (Some(short), Some(whole)) = (short.as_str(), whole.and_then(Value::as_str)) else { return false };
    short == whole || short.strip_suffix('…').is_some_and(|head| whole.starts_with(head))
}

fn is_same_value(
    tool: &str,
    key: &str,
    sent: &Value,
    asked: &Value,
    all: &Map<String, Value>,
    call: &ToolCall,
    home: &str,
) -> bool {
    if sent == asked {
        return true;
    }
    if let (Some(sent), Some(asked)) = (sent.as_f64(), asked.as_f64()) {
        return sent == asked;
    }
    let Some(text) = sent.as_str() else { return false };
    match (tool, key) {
        ("Bash", "timeout") | ("Read", "offset" | "limit") | ("ToolSearch", "max_results") => is_number(text, asked),
        ("Bash", "run_in_background" | "dangerouslyDisableSandbox")
        | ("Edit", "replace_all")
        | ("Agent", "run_in_background") => {
            asked.as_bool().is_some_and(|flag| text == if flag { "true" } else { "false" })
        }
        ("Read" | "Write" | "Edit", "file_path") | ("NotebookEdit", "notebook_path") => {
            asked == &expanded(text, &call.cwd, home)
        }
        ("Write", "content") => !is_markdown(all) && asked == &trimmed_lines(text),
        ("Edit", "old_string") => asked == &restored(text, text),
        ("Edit", "new_string") => {
            let tidy = if is_markdown(all) { text.to_owned() } else { trimmed_lines(text) };
            let old = all.get("old_string").and_then(Value::as_str).unwrap_or_default();
            asked == &tidy || asked == &restored(&tidy, old)
        }
        ("Bash", "command") => {
            let bare = text.strip_prefix(&format!("cd {} && ", call.cwd)).unwrap_or(text);
            asked == &bare.replace("\\\\;", "\\;")
        }
        _ => false,
    }
}

fn is_number(text: &str, asked: &Value) -> bool {
    let text = text.trim();
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    is_plain && asked.as_f64().is_some_and(|number| text.parse() == Ok(number))
}

/// The agent decides by the path as the model wrote it.
fn is_markdown(all: &Map<String, Value>) -> bool {
    let path = all.get("file_path").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    path.ends_with(".md") || path.ends_with(".mdx")
}

/// White space by the rules of the agent's language.
fn is_space(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

/// An absolute path: trimmed, `~` and relative paths resolved, `.` and `..` folded.
fn expanded(path: &str, cwd: &str, home: &str) -> String {
    let path = path.trim_matches(is_space);
    let (base, rest) = match path {
        "~" => (home, ""),
        _ => match path.strip_prefix("~/") {
            Some(rest) => (home, rest),
            None if path.starts_with('/') => ("", path),
            None => (cwd, path),
        },
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(rest.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let slash = if base.is_empty() && path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

/// Every line without the white space at its end; the line breaks stay as they are.
fn trimmed_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\r', '\n']) {
        let width = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        out.push_str(rest[..at].trim_end_matches(is_space));
        out.push_str(&rest[at..at + width]);
        rest = &rest[at + width..];
    }
    out.push_str(rest.trim_end_matches(is_space));
    out
}

/// `text` with the names written out that the agent shortens before the model sees them: those that an edit's old text `old` uses.
fn restored(text: &str, old: &str) -> String {
    const SHORT: [(&str, &str); 18] = [
        ("<fnr>", "<function_results>"),
        ("<n>", "<name>"),
        ("</n>", "</name>"),
        ("<o>", "<output>"),
        ("</o>", "</output>"),
        ("<e>", "<error>"),
        ("</e>", "</error>"),
        ("<s>", "<system>"),
        ("</s>", "</system>"),
        ("<r>", "<result>"),
        ("</r>", "</result>"),
        ("< META_START >", "<META_START>"),
        ("< META_END >", "<META_END>"),
        ("< EOT >", "<EOT>"),
        ("< META >", "<META>"),
        ("< SOS >", "<SOS>"),
        ("\n\nH:", "\n\nHuman:"),
        ("\n\nA:", "\n\nAssistant:"),
    ];
    let write_out = |(text, old): (String, String), (short, long): &(&str, &str)| {
        if old.contains(short) { (text.replace(short, long), old.replace(short, long)) } else { (text, old) }
    };
    SHORT.iter().fold((text.to_owned(), old.to_owned()), write_out).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::id::CallId;

    fn agree(tool: &str, sent: Value, asked: Value) -> bool {
        let wire = WireToolUse { id: CallId("toolu_1".into()), tool: tool.into(), input: sent };
        let call = ToolCall {
            id: CallId("toolu_1".into()),
            tool: tool.into(),
            input: asked,
            cwd: "/workspace".into(),
            subagent: None,
        };
        inputs_agree(&wire, &call, "/home/agent")
    }

    #[test]
    fn documented_changes_agree() {
        assert!(agree(
            "Bash",
            json!({"command": "cd /workspace && ls", "timeout": "5"}),
            json!({"command": "ls", "timeout": 5})
        ));
        assert!(agree(
            "Edit",
            json!({"file_path": "a", "old_string": "x", "new_string": "y "}),
            json!({"file_path": "/workspace/a", "old_string": "x", "new_string": "y", "replace_all": false})
        ));
        assert!(agree("TaskCreate", json!({"subject": "s"}), json!({"subject": "s"})));
    }

    #[test]
    fn every_other_change_is_a_disagreement() {
        for (tool, sent, asked) in [
            ("Bash", json!({"command": "rm -rf x"}), json!({"command": "ls"})),
            ("Bash", json!({"command": "cd /tmp && ls"}), json!({"command": "ls"})),
            ("Bash", json!({"command": "ls "}), json!({"command": "ls"})),
            ("Bash", json!({"command": "ls"}), json!({"command": "ls", "run_in_background": true})),
            ("Bash", json!({"command": "ls", "run_in_background": true}), json!({"command": "ls"})),
            ("Bash", json!({"command": "ls", "timeout": "5"}), json!({"command": "ls", "timeout": 50})),
            ("Bash", json!({"command": "ls", "timeout": "1e3"}), json!({"command": "ls", "timeout": 1000})),
            (
                "Edit",
                json!({"old_string": "x", "new_string": "y"}),
                json!({"old_string": "x", "new_string": "y", "replace_all": true}),
            ),
            (
                "Write",
                json!({"file_path": "/workspace/a", "content": "x"}),
                json!({"file_path": "/workspace/b", "content": "x"}),
            ),
            (
                "Write",
                json!({"file_path": "/w/a.md", "content": "x "}),
                json!({"file_path": "/w/a.md", "content": "x"}),
            ),
            (
                "Write",
                json!({"file_path": "/w/a.py", "content": " x"}),
                json!({"file_path": "/w/a.py", "content": "x"}),
            ),
            ("Read", json!({"file_path": "~/x"}), json!({"file_path": "/root/x"})),
            ("Read", json!({"file_path": "/w/x", "pages": "3"}), json!({"file_path": "/w/x"})),
            ("WebFetch", json!({"url": "http://a"}), json!({"url": "https://a"})),
            ("SendMessage", json!({"to": "a", "message": "m"}), json!({"to": "a", "message": "m", "content": "n"})),
            ("mcp__x__y", json!({"a": "1"}), json!({"a": 1})),
            ("Bash", json!("ls"), json!({"command": "ls"})),
        ] {
            assert!(!agree(tool, sent.clone(), asked.clone()), "{tool} {sent} {asked}");
            assert!(agree(tool, sent.clone(), sent.clone()), "control: {tool} {sent}");
        }
    }

    #[test]
    fn another_id_or_tool_is_a_disagreement() {
        let wire = WireToolUse { id: CallId("a".into()), tool: "Task".into(), input: json!({}) };
        let call = ToolCall {
            id: CallId("a".into()),
            tool: "Agent".into(),
            input: json!({}),
            cwd: "/".into(),
            subagent: None,
        };
        assert!(inputs_agree(&wire, &call, "/"));
        assert!(!inputs_agree(&wire, &ToolCall { id: CallId("b".into()), ..call.clone() }, "/"));
        assert!(!inputs_agree(&wire, &ToolCall { tool: "Bash".into(), ..call }, "/"));
    }
}
