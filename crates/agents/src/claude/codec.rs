//! The control protocol, sans-I/O: the agent's output in, events out, and the host's lines back.

use super::{
    answer::{self, ResultKind},
    line::{
        ApiRetry, BackgroundTasks, Block, ControlCancel, ControlRequest, ControlResponse, Conversation, Kind,
        PermissionDenied, PostToolUse, PreToolUse, RequestBody, ResultWire, SystemInit, ToolProgress, text_of,
    },
    output,
    progress::{Background, Progress, call_id},
    replay,
    requests::{NotOpen, OpenRequest, Refused, Requests},
    split::{Line, MAX_LINE, Splitter},
};
use crate::{
    completion::{Completion, completion},
    event::{AgentEvent, Answer, Garbage, RequestId, ResultLine, ToolOutput},
};
use serde::Deserialize;
use std::time::Duration;
use types::call::ToolCall;

/// Result lines that are kept, at most; a run has one per turn.
const MAX_RESULTS: usize = 10_000;

/// The state of one agent process's conversation with the host.
///
/// A host that attaches again makes a new one, feeds it the stored output from the start, then the stored input through
/// [`Codec::replayed_input`], and answers what [`Codec::unanswered`] lists.
#[derive(Debug)]
pub struct Codec {
    deadline: Duration,
    splitter: Splitter,
    requests: Requests,
    is_initialized: bool,
    progress: Progress,
    results: Vec<ResultLine>,
    /// Lines that say that something goes on.
    signs: u64,
    /// Status of a model request that failed last, until one succeeds.
    retry: Option<Option<u16>>,
}

impl Codec {
    /// A codec for a process that was just started. `deadline` is the time a person has for an approval; the callback waits longer.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            splitter: Splitter::new(MAX_LINE),
            requests: Requests::default(),
            is_initialized: false,
            progress: Progress::default(),
            results: Vec::new(),
            signs: 0,
            retry: None,
        }
    }

    /// The first bytes for the agent: the host registers as its gate, then gives the task.
    #[must_use]
    pub fn opening(&self, prompt: &str) -> Vec<u8> {
        answer::opening(prompt, self.deadline)
    }

    /// The first bytes for an agent that goes on with a saved session: the host registers as its gate. The agent asks about its
    /// deferred call by itself.
    #[must_use]
    pub fn reopening(&self) -> Vec<u8> {
        answer::reopening(self.deadline)
    }

    /// True once the agent has accepted the host as its gate.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.is_initialized
    }

    /// True when the agent's last word is that its session is saved over a deferred call.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        self.is_between_turns() && self.results.last().is_some_and(ResultLine::is_deferred)
    }

    /// Takes bytes of the agent's output, cut anywhere, and tells what they say.
    #[must_use]
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<AgentEvent> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, left) = self.splitter.next(rest);
            rest = left;
            match line {
                Some(Line::Whole(line)) if line.iter().all(u8::is_ascii_whitespace) => {}
                Some(Line::Whole(line)) => match self.line(&line, &mut events) {
                    Some(()) => {}
                    None => events.push(garbage(Garbage::Unparsable, &line)),
                },
                Some(Line::TooLong(head)) => events.push(garbage(Garbage::TooLong, &head)),
                None => {}
            }
        }
        events
    }

    /// The bytes that answer a call. A question that is no readable call gets the answer of [`Self::settle`] instead.
    ///
    /// # Errors
    /// [`NotOpen`] when the agent does not wait for it; nothing is to be written then.
    pub fn verdict(&mut self, request: &RequestId, answer: &Answer) -> Result<Vec<u8>, NotOpen> {
        self.requests.answer(request, answer)
    }

    /// The bytes that let a result go to the model, with a warning beside it where there is one. Other questions get the answer of
    /// [`Self::settle`] instead.
    ///
    /// # Errors
    /// [`NotOpen`] when the agent does not wait for it; nothing is to be written then.
    pub fn pass_on(&mut self, request: &RequestId, warning: Option<&str>) -> Result<Vec<u8>, NotOpen> {
        self.requests.pass_on(request, warning)
    }

    /// The bytes that answer any question without a verdict: permission requests from the verdict on the same id, tool and
    /// input, unknown questions with an error, results without a word, and every call with a denial.
    ///
    /// # Errors
    /// [`NotOpen`] when the agent does not wait for it; nothing is to be written then.
    pub fn settle(&mut self, request: &RequestId) -> Result<Vec<u8>, NotOpen> {
        self.requests.settle(request)
    }

    /// Takes the bytes that an earlier host wrote to the agent, whole lines from the start, after all of the stored output was
    /// fed. Bytes after the last line break are ignored: their question counts as unanswered.
    pub fn replayed_input(&mut self, bytes: &[u8]) {
        replay::answers(bytes, &mut self.requests);
    }

    /// The questions that wait for an answer, oldest first.
    #[must_use]
    pub fn unanswered(&self) -> Vec<(RequestId, OpenRequest)> {
        self.requests.unanswered().map(|(request, what)| (request.clone(), what.clone())).collect()
    }

    /// The silence after which the agent has finished and its standard input is to be closed; none while a turn is open, a
    /// question waits or something runs in the background.
    #[must_use]
    pub fn quiet_after(&self) -> Option<Duration> {
        if self.requests.is_empty() { self.progress.quiet_after() } else { None }
    }

    /// What runs beside the turns. The agent does not exit while something does, even with its standard input closed: a server that
    /// it left running has to be ended by the host.
    #[must_use]
    pub fn background(&self) -> Vec<Background> {
        self.progress.background()
    }

    /// True when a result was reported, no turn is open and no question waits, whatever runs in the background.
    #[must_use]
    pub fn is_between_turns(&self) -> bool {
        self.requests.is_empty() && self.progress.is_between_turns()
    }

    /// How many lines so far were a sign that something goes on. The heartbeat of a running tool is none: it comes for as long as the
    /// tool hangs.
    #[must_use]
    pub fn signs_of_life(&self) -> u64 {
        self.signs
    }

    /// Every result line so far.
    #[must_use]
    pub fn results(&self) -> &[ResultLine] {
        &self.results
    }

    /// What the run amounts to. `exit` is none when the host ended the process itself after the agent had finished. Without a
    /// result, a model request that was failing to the end tells the cause.
    #[must_use]
    pub fn completion(&self, exit: Option<i64>) -> Completion {
        match self.retry {
            Some(status) if self.results.is_empty() => match status {
                Some(code @ (401 | 403)) => {
                    Completion::Authentication { reason: format!("the model endpoint answered {code} until the end") }
                }
                status => {
                    Completion::ModelUnavailable { status, reason: "model requests failed until the end".to_owned() }
                }
            },
            Some(_) | None => completion(&self.results, exit),
        }
    }

    /// Handles one line; none when it is garbage.
    fn line(&mut self, line: &[u8], events: &mut Vec<AgentEvent>) -> Option<()> {
        let line = std::str::from_utf8(line).ok()?;
        let Kind { kind, subtype } = read(line)?;
        let is_heartbeat = kind == "tool_progress" && read::<ToolProgress>(line).is_some_and(|line| line.heartbeat);
        self.signs += u64::from(!is_heartbeat);
        match kind.as_str() {
            "control_request" => self.asked(line, events),
            "control_cancel_request" => {
                let request = RequestId::new(&read::<ControlCancel>(line)?.request_id)?;
                if self.requests.close(&request).is_some() {
                    events.push(AgentEvent::RequestCancelled { request });
                }
                Some(())
            }
            "control_response" => {
                let response = read::<ControlResponse<'_>>(line)?.response;
                if response.request_id == answer::INITIALIZE {
                    events.push(if response.subtype == "success" {
                        self.is_initialized = true;
                        AgentEvent::Initialized
                    } else {
                        AgentEvent::InitializeFailed { reason: response.error.unwrap_or(response.subtype) }
                    });
                }
                Some(())
            }
            "system" => self.system(line, subtype.as_deref().unwrap_or_default(), events),
            "assistant" | "user" => self.conversation(line, events),
            "result" => {
                let result = result_line(&read(line)?);
                self.progress.turn_ended();
                if self.results.len() < MAX_RESULTS {
                    self.results.push(result.clone());
                }
                events.push(AgentEvent::Result(result));
                Some(())
            }
            // Heartbeats and kinds that only matter to people at a terminal.
            _ => Some(()),
        }
    }

    fn asked(&mut self, line: &str, events: &mut Vec<AgentEvent>) -> Option<()> {
        let ControlRequest { request_id, request: body } = read(line)?;
        let request = RequestId::new(&request_id)?;
        let what = read::<RequestBody<'_>>(body.get());
        let (open, event) = question(&request, what);
        match self.requests.open(&request, open) {
            Ok(()) => {
                self.progress.turn_began();
                events.push(event);
            }
            Err(Refused::Repeated) => events.push(garbage(Garbage::RepeatedRequest, line.as_bytes())),
            Err(Refused::TooMany) => events.push(garbage(Garbage::TooManyRequests, line.as_bytes())),
        }
        Some(())
    }

    fn system(&mut self, line: &str, subtype: &str, events: &mut Vec<AgentEvent>) -> Option<()> {
        match subtype {
            "init" => {
                let SystemInit { model, permission_mode, version } = read(line)?;
                self.progress.turn_began();
                events.push(AgentEvent::TurnStarted { version, model, permission_mode });
            }
            "api_retry" => {
                let ApiRetry { attempt, max_retries: max, retry_delay_ms, error_status: status } = read(line)?;
                self.progress.turn_began();
                self.retry = Some(status);
                let delay = Duration::try_from_secs_f64(retry_delay_ms / 1000.0).ok()?;
                events.push(AgentEvent::ModelRetry { status, attempt, max, delay });
            }
            "background_tasks_changed" => self.progress.background_is(&read::<BackgroundTasks<'_>>(line)?, events),
            "permission_denied" => {
                let PermissionDenied { tool_name: tool, tool_use_id } = read(line)?;
                events.push(AgentEvent::RefusedByAgent { call: call_id(Some(tool_use_id))?, tool });
            }
            _ => {}
        }
        Some(())
    }

    fn conversation(&mut self, line: &str, events: &mut Vec<AgentEvent>) -> Option<()> {
        let Conversation { message, parent_tool_use_id } = read(line)?;
        let parent = call_id(parent_tool_use_id);
        self.progress.turn_began();
        // A message whose content is plain text is one that the host or the agent itself sent.
        let blocks: Vec<Block<'_>> = message.content.and_then(|raw| read(raw.get())).unwrap_or_default();
        for block in blocks {
            match block.kind.as_str() {
                "text" => {
                    self.retry = None;
                    let parent = parent.clone();
                    events.push(AgentEvent::Text { text: text_of(block.text), parent });
                }
                "tool_use" => {
                    self.retry = None;
                    let (call, tool) = (call_id(block.id)?, block.name?);
                    events.push(AgentEvent::ToolStarted { call, tool, parent: parent.clone() });
                }
                "tool_result" => {
                    let is_error = block.is_error.unwrap_or(false);
                    events.push(AgentEvent::ToolEnded { call: call_id(block.tool_use_id)?, is_error });
                }
                _ => {}
            }
        }
        Some(())
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn garbage(why: Garbage, line: &[u8]) -> AgentEvent {
    let head = String::from_utf8_lossy(&line[..line.len().min(200)]);
    AgentEvent::Garbage { why, head: types::text::printable(&head, 120) }
}

/// What the agent asks, as state and as event. Whatever can't be read becomes something that is only ever denied.
fn question(request: &RequestId, body: Option<RequestBody<'_>>) -> (OpenRequest, AgentEvent) {
    let request = request.clone();
    let Some(body) = body else {
        return (OpenRequest::Unknown, AgentEvent::ControlRequestUnknown { request, subtype: String::new() });
    };
    match body.subtype.as_str() {
        "hook_callback" if let Some(kind) = result_kind(&body) => {
            let output = returned(&body, kind);
            (OpenRequest::Result { kind, output: output.clone() }, AgentEvent::ResultArrived { request, output })
        }
        "hook_callback" => match called(&body) {
            Ok(call) => (OpenRequest::Call(call.clone()), AgentEvent::CallRequested { request, call }),
            Err(reason) => (OpenRequest::UnreadableCall, AgentEvent::CallUnreadable { request, reason }),
        },
        "can_use_tool" => {
            let input = body.input.and_then(|raw| read(raw.get()));
            match (call_id(body.tool_use_id), body.tool_name, input) {
                (Some(call), Some(tool), Some(input)) => (
                    OpenRequest::Permission { call: call.clone(), tool: tool.clone(), input },
                    AgentEvent::PermissionRequested { request, call, tool },
                ),
                _ => (OpenRequest::Unknown, AgentEvent::ControlRequestUnknown { request, subtype: body.subtype }),
            }
        }
        _ => (OpenRequest::Unknown, AgentEvent::ControlRequestUnknown { request, subtype: body.subtype }),
    }
}

fn called(body: &RequestBody<'_>) -> Result<ToolCall, &'static str> {
    if body.callback_id.as_deref() != Some(answer::CALLBACK) {
        return Err("it asks under another callback");
    }
    let input: PreToolUse = body.input.and_then(|raw| read(raw.get())).ok_or("its input can't be read")?;
    if input.hook_event_name != "PreToolUse" {
        return Err("it is another hook event");
    }
    let id = call_id(Some(input.tool_use_id)).ok_or("its id can't be read")?;
    Ok(ToolCall { id, tool: input.tool_name, input: input.tool_input, cwd: input.cwd, subagent: input.agent_id })
}

fn result_kind(body: &RequestBody<'_>) -> Option<ResultKind> {
    ResultKind::of_callback(body.callback_id.as_deref()?)
}

fn returned(body: &RequestBody<'_>, kind: ResultKind) -> Option<ToolOutput> {
    let input: PostToolUse<'_> = read(body.input?.get())?;
    let id = call_id(Some(input.tool_use_id.clone())).filter(|_| input.hook_event_name == kind.event())?;
    let text = output::text(&input);
    let asked = input.tool_input.and_then(|raw| read(raw.get())).unwrap_or_default();
    let call = ToolCall { id, tool: input.tool_name, input: asked, cwd: input.cwd, subagent: input.agent_id };
    Some(ToolOutput { call, text })
}

fn result_line(wire: &ResultWire<'_>) -> ResultLine {
    let errors: Vec<String> = wire.errors.and_then(|raw| read(raw.get())).unwrap_or_default();
    let text = wire.result.map_or_else(|| errors.join("; "), |raw| text_of(Some(raw)));
    ResultLine {
        subtype: wire.subtype.clone(),
        is_error: wire.is_error,
        num_turns: wire.num_turns,
        total_cost_usd: wire.total_cost_usd,
        terminal_reason: wire.terminal_reason.clone(),
        stop_reason: wire.stop_reason.clone(),
        api_error_status: wire.api_error_status,
        api_error: wire.api_error.clone(),
        text,
    }
}
