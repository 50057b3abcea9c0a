//! Keeps what the model answered as a conversation that can be played again: whole blocks in their order, each conversation apart,
//! and what the classifier was answered. Requests beside a conversation (titles and the like), errors and thoughts are not kept.

use super::{question::Question, replay::is_said, request::Asked};
use crate::limits::MODEL_ANSWER_BYTES;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use types::{
    event::WireToolUse,
    replay::{Block, ClassifierAnswer, ClassifierTurn, Conversation, Replay, ToolUse, Turn},
};

/// Words of fewer bytes do not tell one conversation from another.
const SHORTEST_OPENING: usize = 8;

/// The record of one gateway.
pub(crate) struct Tape {
    state: Mutex<State>,
}

struct State {
    replay: Replay,
    threads: Vec<Thread>,
    changes: u64,
}

/// A conversation under way.
struct Thread {
    first_text: String,
    /// None for the main one.
    conversation: Option<usize>,
    /// Which turn each call is of.
    calls: HashMap<String, usize>,
}

/// An answer that is being heard. Dropped half way, it was none.
pub(crate) struct Take {
    tape: Arc<Tape>,
    asked: Asked,
    blocks: Vec<Block>,
    calls: Vec<String>,
    bytes: usize,
}

impl Tape {
    /// Goes on from what was kept before.
    pub(crate) fn new(replay: Replay) -> Self {
        Self { state: Mutex::new(State { replay, threads: Vec::new(), changes: 0 }) }
    }

    /// Begins to listen to the answer to a request; none where it is not part of a conversation.
    pub(crate) fn listen(self: &Arc<Self>, asked: &Asked) -> Option<Take> {
        let take =
            Take { tape: Arc::clone(self), asked: asked.clone(), blocks: Vec::new(), calls: Vec::new(), bytes: 0 };
        asked.has_tools.then_some(take)
    }

    /// What was kept, if it changed since it was that old.
    pub(crate) fn kept(&self, since: u64) -> Option<(u64, Replay)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.changes > since).then(|| (state.changes, state.replay.clone()))
    }

    /// Keeps what the classifier was answered about a call.
    pub(crate) fn classified(&self, question: &Question, body: &[u8]) {
        let Some(answer) = opinion(body) else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |turn: &ClassifierTurn| turn.contains == question.about && turn.step == Some(question.step);
        if !state.replay.classifier.iter().any(is_known) {
            let (contains, step) = (question.about.clone(), Some(question.step));
            state.replay.classifier.push(ClassifierTurn { contains, step, model: None, times: None, answer });
            state.changes += 1;
        }
    }

    fn keep(&self, take: &mut Take, stop_reason: Option<&str>) {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        let thread = state.thread(&take.asked.first_text);
        let Thread { conversation, calls, .. } = &mut state.threads[thread];
        let turns = match *conversation {
            None => &mut state.replay.turns,
            Some(number) => &mut state.replay.conversations[number].turns,
        };
        let played = take.asked.call_ids.iter().filter_map(|id| calls.get(id)).max().copied();
        let at = match played {
            // The calls are of another process: this goes on where its record ends.
            None if !take.asked.call_ids.is_empty() => turns.len(),
            None | Some(_) => {
                let first = played.map_or(0, |turn| turn + 1);
                let is_next = |turn: &Turn| !is_said(turn, &take.asked.said);
                turns.iter().skip(first).position(is_next).map_or(turns.len(), |more| first + more)
            }
        };
        calls.extend(take.calls.drain(..).map(|id| (id, at)));
        let turn = turn(std::mem::take(&mut take.blocks), stop_reason);
        match turns.get_mut(at) {
            Some(old) => *old = turn,
            None => turns.push(turn),
        }
        state.changes += 1;
    }
}

impl State {
    /// The position of the conversation that begins with this text.
    fn thread(&mut self, first_text: &str) -> usize {
        if let Some(at) = self.threads.iter().position(|thread| thread.first_text == first_text) {
            return at;
        }
        let conversation = if self.threads.is_empty() { None } else { Some(self.conversation(first_text)) };
        self.threads.push(Thread { first_text: first_text.to_owned(), conversation, calls: HashMap::new() });
        self.threads.len() - 1
    }

    /// A conversation with an opening by which it is known when it is played.
    fn conversation(&mut self, first_text: &str) -> usize {
        let opening = self.opening(first_text);
        let known = self.replay.conversations.iter().position(|one| one.opening == opening);
        known.unwrap_or_else(|| {
            self.replay.conversations.push(Conversation { opening, turns: Vec::new() });
            self.replay.conversations.len() - 1
        })
    }

    /// The words with which the model sent a subagent off, if they are in the text: all the rest of it can be another one tomorrow. Else
    /// its last line.
    fn opening(&self, first_text: &str) -> String {
        let beside = self.replay.conversations.iter().flat_map(|one| &one.turns);
        let calls = self.replay.turns.iter().chain(beside).flat_map(Turn::calls);
        let mut words = Vec::new();
        calls.for_each(|call| texts(&call.input, &mut words));
        let longest = words
            .into_iter()
            .filter(|text| text.len() >= SHORTEST_OPENING && first_text.contains(*text))
            .max_by_key(|text| text.len());
        let line = || first_text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(first_text);
        longest.unwrap_or_else(line).to_owned()
    }
}

impl Take {
    /// A block of text.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes += text.len();
        if !text.is_empty() {
            self.blocks.push(Block::Text(text.to_owned()));
        }
    }

    /// A tool call.
    pub(crate) fn call(&mut self, call: &WireToolUse) {
        self.bytes += call.input.to_string().len();
        self.calls.push(call.id.0.clone());
        self.blocks.push(Block::Tool(ToolUse { name: call.tool.clone(), input: call.input.clone() }));
    }

    /// The answer is complete.
    pub(crate) fn finish(mut self, stop_reason: Option<&str>) {
        if self.bytes <= MODEL_ANSWER_BYTES && !self.blocks.is_empty() {
            Arc::clone(&self.tape).keep(&mut self, stop_reason);
        }
    }
}

/// A turn in the short form, where that says the same: one text, then calls.
fn turn(mut blocks: Vec<Block>, stop_reason: Option<&str>) -> Turn {
    let has_calls = blocks.iter().any(|block| matches!(block, Block::Tool(_)));
    let natural = if has_calls { "tool_use" } else { "end_turn" };
    let stop_reason = stop_reason.filter(|reason| *reason != natural).map(str::to_owned);
    let texts = blocks.iter().skip(1).any(|block| matches!(block, Block::Text(_)));
    if texts {
        return Turn { blocks, stop_reason, ..Turn::default() };
    }
    let text = match blocks.first() {
        Some(Block::Text(text)) => text.clone(),
        Some(Block::Tool(_)) | None => String::new(),
    };
    let tools = blocks.drain(..).filter_map(|block| match block {
        Block::Tool(call) => Some(call),
        Block::Text(_) => None,
    });
    Turn { text, tools: tools.collect(), stop_reason, ..Turn::default() }
}

/// What a classifier's answer says, in either dialect.
fn opinion(body: &[u8]) -> Option<ClassifierAnswer> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let blocks = body.get("content").and_then(Value::as_array);
    let tool = blocks.and_then(|blocks| blocks.iter().find_map(|block| block.get("input")));
    if let Some(facts) = tool {
        return Some(ClassifierAnswer::Facts(facts.clone()));
    }
    let arguments = body.pointer("/choices/0/message/tool_calls/0/function/arguments").and_then(Value::as_str);
    if let Some(facts) = arguments.and_then(|text| serde_json::from_str(text).ok()) {
        return Some(ClassifierAnswer::Facts(facts));
    }
    let text = blocks.and_then(|blocks| blocks.iter().find_map(|block| block.get("text")));
    let text = text.or_else(|| body.pointer("/choices/0/message/content")).and_then(Value::as_str)?;
    Some(if text.trim() == "allow" { ClassifierAnswer::Allow } else { ClassifierAnswer::Text(text.to_owned()) })
}

/// Every text in a value.
fn texts<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
