//! The lines of the protocol, as far as they matter here. Unknown fields are ignored; what a line must have is required.
//!
//! Inputs and texts stay raw until someone needs them: a line that is too deep or holds half a surrogate pair must still give
//! up its request id, or the call would be held for ever.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// Any line.
#[derive(Deserialize)]
pub(super) struct Kind {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) subtype: Option<String>,
}

/// `control_request`: the agent asks the host.
#[derive(Deserialize)]
pub(super) struct ControlRequest<'a> {
    pub(super) request_id: String,
    #[serde(borrow)]
    pub(super) request: &'a RawValue,
}

/// The body of a `control_request`.
#[derive(Deserialize)]
pub(super) struct RequestBody<'a> {
    pub(super) subtype: String,
    pub(super) callback_id: Option<String>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    pub(super) tool_name: Option<String>,
    pub(super) tool_use_id: Option<String>,
}

/// The input of the `PreToolUse` callback.
#[derive(Deserialize)]
pub(super) struct PreToolUse {
    pub(super) hook_event_name: String,
    pub(super) tool_name: String,
    pub(super) tool_input: Value,
    pub(super) tool_use_id: String,
    pub(super) cwd: String,
    pub(super) agent_id: Option<String>,
}

/// The input of the `PostToolUse` and `PostToolUseFailure` callbacks.
#[derive(Deserialize)]
pub(super) struct PostToolUse<'a> {
    pub(super) hook_event_name: String,
    pub(super) tool_name: String,
    #[serde(borrow)]
    pub(super) tool_input: Option<&'a RawValue>,
    pub(super) tool_use_id: String,
    pub(super) cwd: String,
    pub(super) agent_id: Option<String>,
    #[serde(borrow)]
    pub(super) tool_response: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// `control_cancel_request`: the agent takes a question back.
#[derive(Deserialize)]
pub(super) struct ControlCancel {
    pub(super) request_id: String,
}

/// `control_response`, in either direction.
#[derive(Deserialize)]
pub(super) struct ControlResponse<'a> {
    #[serde(borrow)]
    pub(super) response: ResponseBody<'a>,
}

/// The body of a `control_response`.
#[derive(Deserialize)]
pub(super) struct ResponseBody<'a> {
    pub(super) subtype: String,
    pub(super) request_id: String,
    pub(super) error: Option<String>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
}

/// What a hook callback is answered, as far as a replay needs it.
#[derive(Deserialize)]
pub(super) struct HookAnswer {
    #[serde(rename = "hookSpecificOutput")]
    pub(super) output: HookOutput,
}

/// The decision within [`HookAnswer`].
#[derive(Deserialize)]
pub(super) struct HookOutput {
    #[serde(rename = "permissionDecision")]
    pub(super) decision: String,
}

/// `assistant` and `user`: messages as they go into the conversation.
#[derive(Deserialize)]
pub(super) struct Conversation<'a> {
    #[serde(borrow)]
    pub(super) message: Message<'a>,
    pub(super) parent_tool_use_id: Option<String>,
}

/// A message; its content is a text or a list of [`Block`]s.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
}

/// A block of a message.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) tool_use_id: Option<String>,
    pub(super) is_error: Option<bool>,
}

/// `system` / `init`.
#[derive(Deserialize)]
pub(super) struct SystemInit {
    pub(super) model: String,
    #[serde(rename = "permissionMode")]
    pub(super) permission_mode: String,
    #[serde(rename = "claude_code_version")]
    pub(super) version: String,
}

/// `system` / `api_retry`.
#[derive(Deserialize)]
pub(super) struct ApiRetry {
    pub(super) attempt: u32,
    pub(super) max_retries: u32,
    pub(super) retry_delay_ms: f64,
    pub(super) error_status: Option<u16>,
}

/// `system` / `background_tasks_changed`: all that run now.
#[derive(Deserialize)]
pub(super) struct BackgroundTasks<'a> {
    #[serde(borrow)]
    pub(super) tasks: Vec<BackgroundTask<'a>>,
}

/// One of them.
#[derive(Deserialize)]
pub(super) struct BackgroundTask<'a> {
    pub(super) task_id: String,
    #[serde(borrow)]
    pub(super) description: Option<&'a RawValue>,
}

/// `tool_progress`.
#[derive(Deserialize)]
pub(super) struct ToolProgress {
    /// It only says that the tool has not ended.
    #[serde(default)]
    pub(super) heartbeat: bool,
}

/// `system` / `permission_denied`.
#[derive(Deserialize)]
pub(super) struct PermissionDenied {
    pub(super) tool_name: String,
    pub(super) tool_use_id: String,
}

/// `result`.
#[derive(Deserialize)]
pub(super) struct ResultWire<'a> {
    pub(super) subtype: String,
    pub(super) is_error: bool,
    pub(super) num_turns: u32,
    pub(super) total_cost_usd: f64,
    pub(super) terminal_reason: Option<String>,
    pub(super) stop_reason: Option<String>,
    pub(super) api_error_status: Option<u16>,
    pub(super) api_error: Option<String>,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) errors: Option<&'a RawValue>,
}

/// The text in `raw`; empty when it holds none that can be read.
pub(super) fn text_of(raw: Option<&RawValue>) -> String {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}
