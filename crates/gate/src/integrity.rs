//! The first stage: is this a call that can be judged at all?

use crate::{ledger::Ledger, shell::MAX_COMMAND};
use serde_json::Value;
use types::call::ToolCall;

/// Largest input, in bytes of its JSON.
const MAX_INPUT: usize = 256 * 1024;
/// Longest id, tool name and directory, in bytes.
const MAX_NAME: usize = 4096;

/// Why a call is not judged but denied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the call has no id")]
    NoId,
    #[error("the id of the call was used before for another call")]
    ReusedId,
    #[error("a name in the call is longer than {MAX_NAME} bytes or holds control characters")]
    BadName,
    #[error("the input is larger than {MAX_INPUT} bytes")]
    TooLarge,
    #[error("the input is not an object")]
    NotAnObject,
    #[error("the input's `{0}` is missing or not a text")]
    BadField(&'static str),
    #[error("the command is longer than {MAX_COMMAND} bytes")]
    LongCommand,
}

/// Checks the form of a call and that its id is not taken.
pub(crate) fn check(call: &ToolCall, ledger: &Ledger) -> Result<(), Malformed> {
    if call.id.0.is_empty() {
        return Err(Malformed::NoId);
    }
    let names = [call.id.0.as_str(), &call.tool, &call.cwd];
    if call.tool.is_empty() || names.iter().any(|name| name.len() > MAX_NAME || name.contains(|c: char| c.is_control()))
    {
        return Err(Malformed::BadName);
    }
    if !fits(&call.input, &mut { MAX_INPUT }) {
        return Err(Malformed::TooLarge);
    }
    if !call.input.is_object() {
        return Err(Malformed::NotAnObject);
    }
    for field in required(&call.tool) {
        if !call.input.get(field).is_some_and(Value::is_string) {
            return Err(Malformed::BadField(field));
        }
    }
    if call.tool == "Bash" && call.input["command"].as_str().is_some_and(|text| text.len() > MAX_COMMAND) {
        return Err(Malformed::LongCommand);
    }
    if ledger.is_open(call) { Ok(()) } else { Err(Malformed::ReusedId) }
}

fn required(tool: &str) -> &'static [&'static str] {
    match tool {
        "Bash" => &["command"],
        "Read" | "NotebookRead" | "MultiEdit" => &["file_path"],
        "Write" => &["file_path", "content"],
        "Edit" => &["file_path", "old_string", "new_string"],
        "NotebookEdit" => &["notebook_path"],
        "WebFetch" => &["url"],
        "Python" => &["code"],
        _ => &[],
    }
}

/// Adds up sizes until the room is used up; iterative, for values that nest deeply.
fn fits(value: &Value, room: &mut usize) -> bool {
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        let size = match value {
            Value::String(text) => text.len() + 2,
            Value::Array(items) => {
                stack.extend(items);
                2
            }
            Value::Object(map) => {
                stack.extend(map.values());
                2 + map.keys().map(|key| key.len() + 4).sum::<usize>()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        };
        match room.checked_sub(size) {
            Some(left) => *room = left,
            None => return false,
        }
    }
    true
}
