//! Every line that is written to the agent. There is no way here to write an empty answer, because the agent would run the call.

use super::settings::hook_timeout;
use crate::event::{Answer, RequestId};
use serde_json::{Value, json};
use std::time::Duration;

/// Id of the request that registers the callback.
pub(super) const INITIALIZE: &str = "init1";
/// Id of the callback before a call.
pub(super) const CALLBACK: &str = "cb1";
/// Id of the callback after a call that succeeded.
const AFTER: &str = "cb2";
/// Id of the callback after a call that failed.
const AFTER_FAILURE: &str = "cb3";
/// What the agent is told about a call that has no verdict.
pub(super) const NO_VERDICT: &str = "Blocked by the sandbox gate [gate_unavailable]: there is no verdict for this call; \
                                     this is no judgement of it.";

/// Told to the agent beside a deferral; it is not shown to the model.
const DEFERRED: &str = "the sandbox gate waits for a person";

/// Which of the two callbacks brings a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultKind {
    /// The tool succeeded.
    Success,
    /// The tool failed.
    Failure,
}

impl ResultKind {
    /// The kind that comes under a callback's id.
    pub(super) fn of_callback(id: &str) -> Option<Self> {
        match id {
            AFTER => Some(Self::Success),
            AFTER_FAILURE => Some(Self::Failure),
            _ => None,
        }
    }

    /// The agent's name for the event.
    pub(super) fn event(self) -> &'static str {
        match self {
            Self::Success => "PostToolUse",
            Self::Failure => "PostToolUseFailure",
        }
    }
}

/// Registers the callbacks for every tool, then gives the task.
pub(super) fn opening(prompt: &str, deadline: Duration) -> Vec<u8> {
    let mut bytes = reopening(deadline);
    bytes.extend(line(&json!({"type": "user", "message": {"role": "user", "content": prompt}})));
    bytes
}

/// Registers the callbacks with a process that goes on with a saved session. It takes up its deferred call without a word from us.
pub(super) fn reopening(deadline: Duration) -> Vec<u8> {
    let hook = |id: &str| {
        json!([{
            "matcher": "*",
            "hookCallbackIds": [id],
            "timeout": hook_timeout(deadline),
            "onFailure": "block",
        }])
    };
    line(&json!({
        "type": "control_request",
        "request_id": INITIALIZE,
        "request": {"subtype": "initialize", "hooks": {
            "PreToolUse": hook(CALLBACK),
            ResultKind::Success.event(): hook(AFTER),
            ResultKind::Failure.event(): hook(AFTER_FAILURE),
        }},
    }))
}

/// The verdict on a call, and the input with which it runs instead of its own.
pub(super) fn verdict(request: &RequestId, answer: &Answer, input: Option<&Value>) -> Vec<u8> {
    let (decision, reason) = match answer {
        Answer::Allow | Answer::AllowIn { .. } => ("allow", "allowed by the sandbox gate"),
        Answer::Deny { text } if text.trim().is_empty() => ("deny", NO_VERDICT),
        Answer::Deny { text } => ("deny", text.as_str()),
        Answer::Defer => ("defer", DEFERRED),
    };
    let mut output = json!({
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    });
    if let Some(input) = input {
        output["updatedInput"] = input.clone();
    }
    success(request, &json!({ "hookSpecificOutput": output }))
}

/// Lets a result go to the model, with words beside it where there are any. The event is named without words too: an agent that
/// took this for the answer to a call would block that call.
pub(super) fn pass_on(request: &RequestId, kind: ResultKind, warning: Option<&str>) -> Vec<u8> {
    let mut output = json!({ "hookEventName": kind.event() });
    if let Some(warning) = warning {
        output["additionalContext"] = Value::from(warning);
    }
    success(request, &json!({ "hookSpecificOutput": output }))
}

/// The answer to a permission request: the input that was allowed, or no.
pub(super) fn permission(request: &RequestId, allowed: Option<&Value>) -> Vec<u8> {
    match allowed {
        Some(input) => success(request, &json!({"behavior": "allow", "updatedInput": input})),
        None => success(request, &json!({"behavior": "deny", "message": NO_VERDICT})),
    }
}

/// The answer to a question that this build does not know.
pub(super) fn unknown(request: &RequestId) -> Vec<u8> {
    line(&json!({
        "type": "control_response",
        "response": {"subtype": "error", "request_id": request.as_str(), "error": "not supported by this host"},
    }))
}

fn success(request: &RequestId, response: &Value) -> Vec<u8> {
    line(&json!({
        "type": "control_response",
        "response": {"subtype": "success", "request_id": request.as_str(), "response": response},
    }))
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}
