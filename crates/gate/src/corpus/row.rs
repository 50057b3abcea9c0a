//! One line of a corpus: a call, the world it is made in, and what its author expects.

use super::{fields, setting};
use crate::World;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, value::RawValue};
use types::{call::ToolCall, id::CallId, verdict::Decision};

/// What the author of a row says of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// It must not run.
    Harmful,
    /// It may run.
    Benign,
    /// Nothing that counts as a figure.
    Other,
}

impl Label {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Harmful => "harmful",
            Self::Benign => "benign",
            Self::Other => "other",
        }
    }
}

/// A row.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its id as the row gives it; null when it gives none.
    pub id: Value,
    /// The call. Missing fields are empty, so that the gate's own check of form answers.
    pub call: ToolCall,
    /// Calls that were made before it in the same run.
    pub before: Vec<ToolCall>,
    /// Where it is made.
    pub world: World,
    /// What the agent was asked to do.
    pub task: Option<String>,
    /// What the author says of it.
    pub label: Label,
    /// The answer that the author wants; [`Decision::Ask`] also stands for a call that no stage settles.
    pub expect: Option<Decision>,
    /// The author's category, `-` when there is none.
    pub category: String,
    /// Rows that are near-duplicates of each other have the same one.
    pub cluster: Option<String>,
    /// False for rows that are judged and not counted.
    pub is_counted: bool,
}

/// A line that is no JSON.
#[derive(Debug, thiserror::Error)]
#[error("not JSON")]
pub struct NotJson {
    /// What is wrong with it.
    #[source]
    pub source: serde_json::Error,
}

/// What can be read of a line that is JSON and still too odd to hold: nested over the reader's cap, numbers without end,
/// half of a surrogate pair, bytes that are no UTF-8.
#[derive(Deserialize)]
struct Odd<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

impl Case {
    /// Reads a line; none for an empty one.
    ///
    /// # Errors
    /// [`NotJson`]. Everything that is JSON is a case, and what is odd about it is for the gate to deny.
    pub fn read(line: &[u8]) -> Result<Option<Self>, NotJson> {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let value = match serde_json::from_slice(line) {
            Ok(value) => value,
            Err(source) => {
                if serde_json::from_slice::<IgnoredAny>(line).is_err() {
                    return Err(NotJson { source });
                }
                let id = serde_json::from_slice(line).ok().and_then(|odd: Odd<'_>| odd.id);
                let id = id.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or(Value::Null);
                Value::Object(Map::from_iter([("id".to_owned(), id)]))
            }
        };
        let Value::Object(row) = value else { return Ok(Some(Self::of(&Map::new()))) };
        Ok(Some(Self::of(&row)))
    }

    fn of(row: &Map<String, Value>) -> Self {
        let input = fields::field(row, &["input", "tool-input", "arguments"]).cloned().unwrap_or(Value::Null);
        let tool = fields::text(row, &["tool", "tool-name"]).unwrap_or_default();
        let place = setting::of(row, &input);
        let call = |n: usize, tool: String, input: Value| ToolCall {
            id: CallId(format!("case-{n}")),
            tool,
            input,
            cwd: place.cwd.clone(),
            subagent: None,
        };
        let before = fields::field(row, &["before", "history"]).and_then(Value::as_array).into_iter().flatten();
        let before = before.filter_map(Value::as_object).enumerate().map(|(n, earlier)| {
            let input = fields::field(earlier, &["input", "tool-input"]).cloned().unwrap_or(Value::Null);
            call(n + 1, fields::text(earlier, &["tool", "tool-name"]).unwrap_or_default(), input)
        });
        let label = match fields::text(row, &["label"]).map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("harmful" | "malicious") => Label::Harmful,
            Some("benign" | "safe") => Label::Benign,
            Some(_) | None => Label::Other,
        };
        let expect = match fields::text(row, &["expect", "expected"]).map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("allow" | "allowed") => Some(Decision::Allow),
            Some("deny" | "denied" | "block") => Some(Decision::Deny),
            Some("ask" | "undecided") => Some(Decision::Ask),
            Some(_) | None => None,
        };
        Self {
            id: row.get("id").cloned().unwrap_or(Value::Null),
            before: before.collect(),
            call: call(0, tool, input),
            task: fields::text(row, &["task", "prompt"]),
            label,
            expect,
            category: fields::text(row, &["category"])
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| "-".to_owned()),
            cluster: fields::text(row, &["cluster"]),
            is_counted: fields::field(row, &["nondefault"]) != Some(&Value::Bool(true)),
            world: place.world,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whole() {
        let line = br#"{"id": 7, "tool": "Bash", "input": {"command": "ls"}, "label": "Benign", "expect": "ask", "category": "x",
            "cluster": "c", "task": "t", "before": [{"tool": "Write", "input": {"file_path": "a", "content": ""}}]}"#;
        let case = Case::read(line).expect("JSON").expect("a case");
        assert_eq!((case.id, case.label, case.expect), (Value::from(7), Label::Benign, Some(Decision::Ask)));
        assert_eq!((case.call.tool.as_str(), case.before[0].tool.as_str()), ("Bash", "Write"));
        assert_ne!(case.call.id, case.before[0].id);
        assert_eq!((case.task.as_deref(), case.cluster.as_deref()), (Some("t"), Some("c")));
    }

    #[test]
    fn what_is_json_is_a_case_and_what_is_not_is_an_error() {
        let deep = format!(r#"{{"id":"d","input":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
        for (line, id) in [
            ("{}", Value::Null),
            ("[1]", Value::Null),
            ("null", Value::Null),
            (r#"{"id":"s","input":{"command":"\ud800"}}"#, Value::from("s")),
            (r#"{"id":"n","input":1e999}"#, Value::from("n")),
            (deep.as_str(), Value::from("d")),
        ] {
            let case = Case::read(line.as_bytes()).expect(line).expect(line);
            assert_eq!((case.id, case.call.tool.as_str()), (id, ""));
        }
        assert!(Case::read(b" \r\n").expect("empty").is_none());
        let broken = Case::read(b"{\"id\":\"u\",\"tool\":\"\xff\"}").expect("JSON but for a text").expect("a case");
        assert_eq!((broken.id, broken.call.tool.as_str()), (Value::from("u"), ""));
        for line in [&b"{"[..], b"{} {}", b"ls", b"\xff"] {
            assert!(Case::read(line).is_err(), "{line:?}");
        }
    }
}
