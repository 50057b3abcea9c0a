//! The reader of shell lines: any text ends in a verdict, in time, and nothing after a harmful command makes it harmless.

#![no_main]

use gate::{Gate, Ledger, Policy, World};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use types::{
    call::ToolCall,
    id::CallId,
    verdict::{Decision, Verdict},
};

/// Denied on its own.
const HARM: &str = "rm -rf /\n";

static GATE: OnceLock<Gate> = OnceLock::new();

fn judge(command: String) -> Verdict {
    let call = ToolCall {
        id: CallId("f".to_owned()),
        tool: "Bash".to_owned(),
        input: serde_json::json!({ "command": command }),
        cwd: "/workspace".to_owned(),
        subagent: None,
    };
    GATE.get_or_init(|| Gate::new(&Policy::default(), World::default()).expect("no rules"))
        .judge(&call, &mut Ledger::default())
}

fuzz_target!(
    // The gate catches the parser's own panics; what it does not catch ends the process all the same.
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| {
        let text = String::from_utf8_lossy(data).into_owned();
        let after_harm = judge(format!("{HARM}{text}"));
        assert!(after_harm.decision != Decision::Allow);
        judge(text);
    }
);
