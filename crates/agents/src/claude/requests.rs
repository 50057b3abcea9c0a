//! The agent's questions: which are open, and what the host may answer. Each is answered at most once, and a second question
//! under a used id is dropped, so that nobody inside can have an answer given twice.

use super::answer;
use crate::event::{Answer, RequestId};
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
                self.note(&call, *answer == Answer::Allow);
                // A subagent's deferred call is dropped, and the run would end in success.
                if *answer == Answer::Defer && call.subagent.is_some() {
                    return Ok(answer::verdict(request, &Answer::Deny { text: answer::NO_VERDICT.to_owned() }));
                }
                Ok(answer::verdict(request, answer))
            }
            other @ (OpenRequest::UnreadableCall | OpenRequest::Permission { .. } | OpenRequest::Unknown) => {
                Ok(self.settled(request, &other))
            }
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
                answer::verdict(request, &Answer::Deny { text: answer::NO_VERDICT.to_owned() })
            }
            OpenRequest::Permission { call, tool, input } => {
                let is_allowed = self.allowed.get(call) == Some(&bound(call, tool, input));
                answer::permission(request, is_allowed.then_some(input))
            }
            OpenRequest::Unknown => answer::unknown(request),
        }
    }
}

/// What an allow is bound to. Permission requests don't say the directory.
fn bound(id: &CallId, tool: &str, input: &Value) -> String {
    let cwd = String::new();
    ToolCall { id: id.clone(), tool: tool.to_owned(), input: input.clone(), cwd, subagent: None }.digest()
}
