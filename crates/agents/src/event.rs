//! What an agent does, in the shape that the engine works on whatever the agent's protocol is.

use std::{fmt, sync::Arc, time::Duration};
use types::{call::ToolCall, id::CallId, verdict::Decision, verdict::Verdict};

/// The agent's id for one question to the host; the answer carries it back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(String);

impl RequestId {
    /// Longest id that is accepted, in bytes.
    pub const MAX: usize = 128;

    /// Accepts 1 to [`Self::MAX`] printable ASCII characters without spaces.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let good = !text.is_empty() && text.len() <= Self::MAX && text.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a line of the agent's output was not understood. The line had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// Not JSON, or without the fields that its type needs.
    Unparsable,
    /// Longer than the cap; the whole line was dropped.
    TooLong,
    /// A question under an id that was used before.
    RepeatedRequest,
    /// More questions than one run can have.
    TooManyRequests,
}

/// What a tool returned, before the model reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    /// The call, as the agent reports it after the fact; for people.
    pub call: ToolCall,
    /// The text of it, not escaped, without what the model wrote itself.
    pub text: Arc<str>,
}

/// Something the agent did. Everything in it was written inside the container and proves nothing by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// The agent accepted the host as its gate.
    Initialized,
    /// The agent refused it, so that nobody would be asked: the run must be stopped.
    InitializeFailed {
        /// The agent's words.
        reason: String,
    },
    /// A turn of the session begins.
    TurnStarted {
        /// The agent's version as it reports it.
        version: String,
        /// The session's model.
        model: String,
        /// The permission mode; any other than the one of the launch line is a surprise.
        permission_mode: String,
    },
    /// A tool call waits for the verdict.
    CallRequested {
        /// What to answer to.
        request: RequestId,
        /// The call.
        call: ToolCall,
    },
    /// A tool call waits whose input can't be read; it can only be denied.
    CallUnreadable {
        /// What to answer to.
        request: RequestId,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A tool has returned, and the agent waits with the result; [`crate::claude::Codec::pass_on`] lets it go on.
    ResultArrived {
        /// What to answer to.
        request: RequestId,
        /// The result; none when it can't be read.
        output: Option<ToolOutput>,
    },
    /// The agent asks again about a call, by another way; the answer follows from the verdict that it got.
    PermissionRequested {
        /// What to answer to.
        request: RequestId,
        /// The call.
        call: CallId,
        /// Its tool.
        tool: String,
    },
    /// A question that this build does not know; the answer is an error.
    ControlRequestUnknown {
        /// What to answer to.
        request: RequestId,
        /// Its subtype.
        subtype: String,
    },
    /// The agent no longer waits for this answer.
    RequestCancelled {
        /// The question.
        request: RequestId,
    },
    /// The agent's prose.
    Text {
        /// As the model wrote it, not escaped.
        text: String,
        /// The call of the main thread under which a subagent said it.
        parent: Option<CallId>,
    },
    /// The stream shows a tool call; for display only, no call is judged by it.
    ToolStarted {
        /// The call.
        call: CallId,
        /// Its tool.
        tool: String,
        /// The call of the main thread under which a subagent makes it.
        parent: Option<CallId>,
    },
    /// The stream shows the end of a tool call; for display only.
    ToolEnded {
        /// The call.
        call: CallId,
        /// It failed or was refused.
        is_error: bool,
    },
    /// The agent's own protections refused a call after the gate had allowed it.
    RefusedByAgent {
        /// The call.
        call: CallId,
        /// Its tool.
        tool: String,
    },
    /// A command or a subagent began to run beside the turn.
    BackgroundStarted {
        /// The agent's id for it.
        task: String,
        /// What it does.
        description: String,
    },
    /// It ended.
    BackgroundEnded {
        /// The agent's id for it.
        task: String,
    },
    /// A model request failed and is tried again.
    ModelRetry {
        /// HTTP status; none when there was no answer.
        status: Option<u16>,
        /// Tries so far.
        attempt: u32,
        /// Tries at most.
        max: u32,
        /// Wait before the next one.
        delay: Duration,
    },
    /// The agent reported the end of a turn. It is not final: background work brings further ones.
    Result(ResultLine),
    /// A line that was not understood.
    Garbage {
        /// Why.
        why: Garbage,
        /// The beginning of the line, escaped and cut.
        head: String,
    },
}

/// The agent's own record of how a turn ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultLine {
    /// `success`, `error_max_turns`, `error_during_execution`, …
    pub subtype: String,
    /// The turn ended in an error, whatever the subtype says.
    pub is_error: bool,
    /// Model turns since the result before this one.
    pub num_turns: u32,
    /// Cost of the session so far by the agent's own count, in US dollars.
    pub total_cost_usd: f64,
    /// `completed`, `api_error`, `max_turns`, `aborted_tools`, …
    pub terminal_reason: Option<String>,
    /// The model's last stop reason; `end_turn` for a complete one.
    pub stop_reason: Option<String>,
    /// HTTP status of the model request that ended the turn.
    pub api_error_status: Option<u16>,
    /// The agent's name for a model request that got no answer: `connection_failed`.
    pub api_error: Option<String>,
    /// The agent's last words, or its error, not escaped.
    pub text: String,
}

impl ResultLine {
    /// True when the agent stopped over a call that the host has deferred, with its session saved.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        self.subtype == "success" && !self.is_error && self.terminal_reason.as_deref() == Some("tool_deferred")
    }
}

/// What a held call is told. A question to a person is an answer that has not come yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The call runs.
    Allow,
    /// The call runs in the directory in which it was first asked about: an agent that goes on with a saved session begins in its
    /// first one. A call whose effect hangs on the directory in a way that cannot be mended is denied instead.
    AllowIn {
        /// Absolute, inside the container.
        directory: String,
    },
    /// The call does not run and the agent is told this.
    Deny {
        /// Rule, reason and a safer path.
        text: String,
    },
    /// The agent saves its session and ends; resumed, it asks about the same call again. One call at a time: the agent forgets
    /// all but the last one. A subagent's call is denied instead, because the agent would drop it and report success.
    Defer,
}

impl Answer {
    /// The answer that a verdict means; none while a person is asked.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Option<Self> {
        match verdict.decision {
            Decision::Allow => Some(Self::Allow),
            Decision::Deny => Some(Self::Deny { text: verdict.agent_text() }),
            Decision::Ask => None,
        }
    }
}
