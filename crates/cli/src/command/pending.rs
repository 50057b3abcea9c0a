//! `sandbox pending`.

use crate::{
    args::{Format, PendingArgs},
    failure::Failure,
    report,
};
use serde_json::json;
use types::{exit::Exit, text::printable};

pub(super) fn run(args: &PendingArgs) -> Result<Exit, Failure> {
    let asks = super::engine()?.pending()?;
    match args.format.get() {
        Format::Jsonl => {
            for ask in &asks {
                report::json(&json!({
                    "ask": ask.id, "run": ask.run, "call": ask.call, "digest": ask.digest, "reason": ask.reason,
                    "created-ms": ask.created_ms, "deadline-ms": ask.deadline_ms,
                }));
            }
        }
        Format::Human if asks.is_empty() => report::human::to_stderr("no call waits for you"),
        Format::Human => {
            for ask in &asks {
                let call = ask.call.summary(400);
                report::data(&format!("{}  {}  {call}\n", ask.id, ask.run.words()));
                report::data(&format!("    in {}: {}\n", printable(&ask.call.cwd, 120), printable(&ask.reason, 300)));
                report::data(&format!("    sandbox approve {0}      sandbox deny {0} --reason '…'\n", ask.id));
            }
        }
    }
    Ok(Exit::Passed)
}
