//! An operator's rule: any text is a rule or an error with a hint, and a rule is held against a call without a panic.

#![no_main]

use gate::{Gate, Ledger, Policy, World};
use libfuzzer_sys::fuzz_target;
use types::{call::ToolCall, id::CallId};

fuzz_target!(
    // The gate catches the parser's own panics; what it does not catch ends the process all the same.
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| {
        let text = String::from_utf8_lossy(data);
        let (rule, command) = text.split_once('\n').unwrap_or((&text, "npm test && ls"));
        let policy = Policy { allow: vec![rule.to_owned()], ..Policy::default() };
        match Gate::new(&policy, World::default()) {
            Err(error) => assert!(!error.hint.is_empty()),
            Ok(gate) => {
                for (tool, key) in [("Bash", "command"), ("Read", "file_path"), ("WebFetch", "url")] {
                    let call = ToolCall {
                        id: CallId("f".to_owned()),
                        tool: tool.to_owned(),
                        input: serde_json::json!({ key: command }),
                        cwd: "/workspace".to_owned(),
                        subagent: None,
                    };
                    let _ = gate.judge(&call, &mut Ledger::default());
                }
            }
        }
    }
);
