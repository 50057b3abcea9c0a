//! The agent's questions: which are open, and what the host may answer. Each is answered at most once, and a second question
//! under a used id is dropped, so that nobody inside can have an answer given twice.

use super::answer::{self, ResultKind};
use crate::event::{Answer, RequestId, ToolOutput};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use types::{call::ToolCall, id::CallId};

/// Questions in one run, at most; beyond it none is accepted and their calls stay blocked.
const MAX_REQUESTS: usize = 100_000;

/// A question without an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum OpenRequest {
    /// A call waits for its verdict.
    Call(ToolCall),
    /// A call waits whose input can't be read; [`super::Codec::settle`] denies it.
    UnreadableCall,
    /// The agent asks again about a call; [`super::Codec::settle`] answers from its verdict.
    Permission {
        /// The call.
        call: CallId,
        /// Its tool.
        tool: String,
        /// Its input.
        input: Value,
    },
    /// A result waits to be passed on; [`super::Codec::settle`] does it without a word.
    Result {
        /// Under which callback it came.
        kind: ResultKind,
        /// The result; none when it can't be read.
        output: Option<ToolOutput>,
    },
    /// Unknown; [`super::Codec::settle`] answers with an error.
    Unknown,
}

/// The question was answered before, taken back, or never asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent does not wait for an answer to {request}")]
pub struct NotOpen {
    /// The question.
    pub request: RequestId,
}

/// Why a question is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Repeated,
    TooMany,
}

/// All questions of a run.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// In the order of arrival; none marks a closed one.
    asked: BTreeMap<u64, (RequestId, OpenRequest)>,
    numbers: HashMap<RequestId, u64>,
    /// Digests of the calls that have an allow.
    allowed: HashMap<CallId, String>,
}

impl Requests {
    /// Takes a question in.
    pub(super) fn open(&mut self, request: &RequestId, what: OpenRequest) -> Result<(), Refused> {
        if self.numbers.contains_key(request) {
            return Err(Refused::Repeated);
        }
        if self.numbers.len() >= MAX_REQUESTS {
            return Err(Refused::TooMany);
        }
        let number = self.numbers.len() as u64;
        self.numbers.insert(request.clone(), number);
        self.asked.insert(number, (request.clone(), what));
        Ok(())
    }

    /// Closes a question; gives it if it was open.
    pub(super) fn close(&mut self, request: &RequestId) -> Option<OpenRequest> {
        let number = self.numbers.get(request)?;
        self.asked.remove(number).map(|(_, what)| what)
    }

    /// All open ones, oldest first.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (&RequestId, &OpenRequest)> {
        self.asked.values().map(|(request, what)| (request, what))
    }

    /// True when nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Answers a readable call; everything else is settled, whatever the answer says.
    pub(super) fn answer(&mut self, request: &RequestId, answer: &Answer) -> Result<Vec<u8>, NotOpen> {
        match self.close(request).ok_or_else(|| NotOpen { request: request.clone() })? {
            OpenRequest::Call(call) => {
                let (answer, input) = fitted(&call, answer);
                let is_allowed = answer == Answer::Allow;
                let asked = ToolCall { input: input.clone().unwrap_or_else(|| call.input.clone()), ..call };
                self.note(&asked, is_allowed);
                Ok(answer::verdict(request, &answer, input.as_ref()))
            }
            other @ (OpenRequest::UnreadableCall
            | OpenRequest::Permission { .. }
            | OpenRequest::Result { .. }
            | OpenRequest::Unknown) => Ok(self.settled(request, &other)),
        }
    }

    /// Passes a result on with a warning; everything else is settled.
    pub(super) fn pass_on(&mut self, request: &RequestId, warning: Option<&str>) -> Result<Vec<u8>, NotOpen> {
        match self.close(request).ok_or_else(|| NotOpen { request: request.clone() })? {
            OpenRequest::Result { kind, .. } => Ok(answer::pass_on(request, kind, warning)),
            other @ (OpenRequest::Call(_)
            | OpenRequest::UnreadableCall
            | OpenRequest::Permission { .. }
            | OpenRequest::Unknown) => Ok(self.settled(request, &other)),
        }
    }

    /// Answers without a verdict: what follows from earlier ones, else no.
    pub(super) fn settle(&mut self, request: &RequestId) -> Result<Vec<u8>, NotOpen> {
        let what = self.close(request).ok_or_else(|| NotOpen { request: request.clone() })?;
        Ok(self.settled(request, &what))
    }

    /// Remembers the verdict on a call for the permission request that may follow.
    pub(super) fn note(&mut self, call: &ToolCall, is_allowed: bool) {
        if is_allowed {
            self.allowed.insert(call.id.clone(), bound(&call.id, &call.tool, &call.input));
        } else {
            self.allowed.remove(&call.id);
        }
    }

    fn settled(&self, request: &RequestId, what: &OpenRequest) -> Vec<u8> {
        match what {
            OpenRequest::Call(_) | OpenRequest::UnreadableCall => {
                answer::verdict(request, &Answer::Deny { text: answer::NO_VERDICT.to_owned() }, None)
            }
            OpenRequest::Permission { call, tool, input } => {
                let is_allowed = self.allowed.get(call) == Some(&bound(call, tool, input));
                answer::permission(request, is_allowed.then_some(input))
            }
            OpenRequest::Result { kind, .. } => answer::pass_on(request, *kind, None),
            OpenRequest::Unknown => answer::unknown(request),
        }
    }
}

/// What the agent is told about a call so that the answer holds for it, with an input in place of its own where that takes one.
fn fitted(call: &ToolCall, answer: &Answer) -> (Answer, Option<Value>) {
    match answer {
        // A subagent's deferred call is dropped, and the run would end in success.
        Answer::Defer if call.subagent.is_some() => (Answer::Deny { text: answer::NO_VERDICT.to_owned() }, None),
        Answer::AllowIn { directory } if *directory == call.cwd => (Answer::Allow, None),
        Answer::AllowIn { directory } => {
            match (call.tool.as_str(), call.input.get("command").and_then(Value::as_str)) {
                ("Bash", Some(command)) => {
                    let mut input = call.input.clone();
                    input["command"] = Value::from(format!("cd -- {} || exit 1\n{command}", quoted(directory)));
                    (Answer::Allow, Some(input))
                }
                // Their paths are absolute, or they have none.
                ("Read" | "Write" | "Edit" | "NotebookEdit" | "WebFetch" | "WebSearch", _) => (Answer::Allow, None),
                _ => {
                    let text = format!(
                        "The call was approved in {directory}, and the session has begun anew in {}. Make it again.",
                        call.cwd
                    );
                    (Answer::Deny { text: types::text::printable(&text, 400) }, None)
                }
            }
        }
        Answer::Allow | Answer::Deny { .. } | Answer::Defer => (answer.clone(), None),
    }
}

/// One word of the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What an allow is bound to. Permission requests don't say the directory.
fn bound(id: &CallId, tool: &str, input: &Value) -> String {
    let cwd = String::new();
    ToolCall { id: id.clone(), tool: tool.to_owned(), input: input.clone(), cwd, subagent: None }.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(tool: &str, input: Value, subagent: Option<&str>) -> ToolCall {
        let (id, cwd) = (CallId("c".into()), "/workspace".into());
        ToolCall { id, tool: tool.into(), input, cwd, subagent: subagent.map(str::to_owned) }
    }

    fn allow_in(directory: &str) -> Answer {
        Answer::AllowIn { directory: directory.into() }
    }

    #[test]
    fn an_approved_command_runs_where_it_was_asked_about() {
        let bash = call("Bash", json!({"command": "make", "timeout": 5}), None);
        assert_eq!(fitted(&bash, &allow_in("/workspace")), (Answer::Allow, None));
        let (answer, input) = fitted(&bash, &allow_in("/workspace/it's $(x)"));
        assert_eq!(answer, Answer::Allow);
        let expected = "cd -- '/workspace/it'\\''s $(x)' || exit 1\nmake";
        assert_eq!(input, Some(json!({"command": expected, "timeout": 5})));
        let read = call("Read", json!({"file_path": "/workspace/a"}), None);
        assert_eq!(fitted(&read, &allow_in("/workspace/sub")), (Answer::Allow, None));
        let other = call("mcp__x__y", json!({}), None);
        assert!(matches!(fitted(&other, &allow_in("/workspace/sub")), (Answer::Deny { .. }, None)));
    }

    #[test]
    fn a_subagents_call_is_never_deferred() {
        let input = json!({"command": "make"});
        assert_eq!(fitted(&call("Bash", input.clone(), None), &Answer::Defer), (Answer::Defer, None));
        assert!(matches!(fitted(&call("Bash", input, Some("s")), &Answer::Defer), (Answer::Deny { .. }, None)));
    }
}
