//! Every tool's input: any JSON under any tool's name ends in a verdict, and the history of a run stays readable.

#![no_main]

use gate::{Gate, Ledger, Policy, World};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use types::{call::ToolCall, id::CallId};

const TOOLS: [&str; 12] = [
    "Agent",
    "Bash",
    "Edit",
    "Glob",
    "Grep",
    "MultiEdit",
    "NotebookEdit",
    "Read",
    "WebFetch",
    "WebSearch",
    "Write",
    "mcp__a__b",
];
const KEYS: [&str; 8] = ["command", "file_path", "content", "old_string", "new_string", "url", "prompt", "pattern"];

static GATE: OnceLock<Gate> = OnceLock::new();

/// Calls of one run, one a line: a byte for the tool, a byte for the first key, then values between bars, or JSON.
fn calls(data: &[u8]) -> Vec<ToolCall> {
    let call = |(number, line): (usize, &[u8])| {
        let (&tool, rest) = line.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let text = String::from_utf8_lossy(rest);
        let input = serde_json::from_str(&text).unwrap_or_else(|_| {
            let keys = KEYS.iter().cycle().skip(usize::from(first) % KEYS.len());
            keys.zip(text.split('|').take(KEYS.len()))
                .map(|(key, value)| ((*key).to_owned(), serde_json::Value::from(value)))
                .collect()
        });
        Some(ToolCall {
            id: CallId(number.to_string()),
            tool: TOOLS[usize::from(tool) % TOOLS.len()].to_owned(),
            input,
            cwd: "/workspace".to_owned(),
            subagent: None,
        })
    };
    data.split(|byte| *byte == b'\n').take(20).enumerate().filter_map(call).collect()
}

fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| {
        let gate = GATE.get_or_init(|| Gate::new(&Policy::default(), World::default()).expect("no rules"));
        let mut ledger = Ledger::default();
        for call in calls(data) {
            let verdict = gate.judge(&call, &mut ledger);
            ledger.answered(&call, &verdict);
        }
        let text = serde_json::to_string(&ledger).expect("a ledger is JSON");
        let back: Ledger = serde_json::from_str(&text).expect("a ledger is read back");
        assert!(back == ledger);
    }
);
