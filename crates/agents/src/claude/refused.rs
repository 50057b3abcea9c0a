//! Results of calls that the agent refused by itself, before it asked anyone: the only results without a verdict that are no
//! bypass (invariant 9). The list is for the tested version; what is not on it is an alarm.

use types::event::WireToolResult;

/// What the agent wraps around its own refusals: unknown tool, invalid input, an edit that can't apply, a blocked pattern,
/// a denial by the managed hook.
const WRAPPED: &str = "<tool_use_error>";

/// Whole sentences that stand for a call that never began: standard input was closed, a turn was stopped before the call's turn came.
const NEVER_RAN: [&str; 4] = [
    "The user doesn't want to take this action right now. STOP what you are doing",
    "[Tool call skipped: the turn ended to deliver the message that follows before this call ran.",
    "[Tool call skipped: the turn was stopped before this call ran,",
    "[Tool call skipped: the turn paused before this call ran.",
];

/// True when `result` answers a call that the agent refused before its gate. The agent marks each of them as an error; a result
/// that is not so marked is never taken for one, whatever it says.
#[must_use]
pub fn is_refused_before_gate(result: &WireToolResult) -> bool {
    result.is_error
        && (result.head.starts_with(WRAPPED) || NEVER_RAN.iter().any(|sentence| result.head.starts_with(sentence)))
}
