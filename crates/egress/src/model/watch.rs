//! Reads the model's answer on its way to the agent: reports each tool call before the event that ends its block may go on,
//! and keeps the bill. What does not fit the grammar of the stream is an error, because a tool call could hide in it.

use super::{charge::Charge, json, rate::Rate, record::Take, sse::Event};
use crate::{
    limits::{MODEL_ANSWER_BYTES, MODEL_BLOCKS, TOOL_INPUT_BYTES},
    observer::Observer,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use types::{event::WireToolUse, id::CallId};

/// Why an answer is not passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotUnderstood {
    /// Data that is not JSON with one meaning.
    #[error("an event is not plain JSON")]
    Json(#[source] serde_json::Error),
    /// An event out of place or without what it needs.
    #[error("the answer breaks the grammar of messages: {0}")]
    Grammar(&'static str),
    /// A tool's input over the cap.
    #[error("a tool call's input is longer than {TOOL_INPUT_BYTES} bytes")]
    TooLarge,
}

use NotUnderstood::Grammar;

/// The state of one answer.
pub(crate) struct Watch {
    sink: Arc<dyn Observer>,
    rate: Arc<Rate>,
    /// `None` once the bill is settled.
    charge: Option<Charge>,
    /// Keeps the answer, where it is to be kept.
    take: Option<Take>,
    /// Blocks begun and not yet ended.
    open: BTreeMap<u64, Block>,
    /// Blocks begun so far.
    blocks: usize,
    stop_reason: Option<String>,
    stage: Stage,
}

/// A block that is being streamed.
enum Block {
    Call(Call),
    /// Empty where the answer is not kept.
    Text(String),
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Within,
    Over,
}

/// A tool call that is being streamed.
struct Call {
    id: String,
    tool: String,
    /// Input from the block's start, used when no piece follows.
    initial: Value,
    pieces: String,
}

impl Watch {
    /// Watches the answer that `charge` is for.
    pub(crate) fn new(sink: Arc<dyn Observer>, rate: Arc<Rate>, charge: Charge, take: Option<Take>) -> Self {
        Self {
            sink,
            rate,
            charge: Some(charge),
            take,
            open: BTreeMap::new(),
            blocks: 0,
            stop_reason: None,
            stage: Stage::Before,
        }
    }

    /// Looks at one event of a stream; it may go on when this returns.
    ///
    /// # Errors
    /// [`NotUnderstood`]: neither this event nor anything after it may go on.
    pub(crate) fn event(&mut self, event: &Event) -> Result<(), NotUnderstood> {
        let value = json::parse(event.data.as_bytes()).map_err(NotUnderstood::Json)?;
        let kind = text(&value, "type").ok_or(Grammar("an event without a type"))?;
        if !event.name.is_empty() && event.name != kind {
            return Err(Grammar("an event whose name and type differ"));
        }
        if let Some(charge) = &mut self.charge {
            charge.streamed(event.data.len());
        }
        match (kind, self.stage) {
            // An error ends a stream at any point; what has gone before was understood.
            ("error", Stage::Before | Stage::Within) => {
                if let (Stage::Before, Some(charge)) = (self.stage, &mut self.charge) {
                    charge.broken_off();
                }
                self.stage = Stage::Over;
                match value.pointer("/error/type").and_then(Value::as_str) {
                    Some("rate_limit_error") => self.rate.limited(429, None),
                    Some("overloaded_error") => self.rate.limited(529, None),
                    Some(_) | None => {}
                }
                Ok(())
            }
            ("ping", _) => Ok(()),
            (_, Stage::Over) => Err(Grammar("an event after the end")),
            ("message_start", Stage::Before) => self.message_start(&value),
            (_, Stage::Before) | ("message_start", Stage::Within) => {
                Err(Grammar("an event before or beside the start"))
            }
            ("content_block_start", Stage::Within) => self.block_start(&value),
            ("content_block_delta", Stage::Within) => self.block_delta(&value),
            ("content_block_stop", Stage::Within) => self.block_stop(&value),
            ("message_delta", Stage::Within) => {
                self.usage(value.get("usage"));
                self.stopped(value.get("delta"));
                Ok(())
            }
            ("message_stop", Stage::Within) => self.message_stop(),
            // Agents ignore events that they do not know.
            (_, Stage::Within) => Ok(()),
        }
    }

    /// Looks at a whole answer that is not streamed; it may go on when this returns.
    ///
    /// # Errors
    /// [`NotUnderstood`]
    pub(crate) fn whole(mut self, body: &[u8]) -> Result<(), NotUnderstood> {
        let message = json::parse(body).map_err(NotUnderstood::Json)?;
        let content = message.get("content").and_then(Value::as_array).ok_or(Grammar("a message without content"))?;
        if let Some(charge) = &mut self.charge {
            charge.streamed(body.len());
            charge.answered_by(text(&message, "model").unwrap_or_default());
        }
        self.usage(message.get("usage"));
        self.stopped(Some(&message));
        // All of them, before any of them counts.
        let blocks = content.iter().map(Block::begin).collect::<Result<Vec<_>, _>>()?;
        blocks.into_iter().for_each(|block| self.end(block));
        self.settle();
        Ok(())
    }

    /// True when the stream may end here.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    fn message_start(&mut self, value: &Value) -> Result<(), NotUnderstood> {
        let message = value.get("message").ok_or(Grammar("a start without a message"))?;
        let empty = match message.get("content") {
            None | Some(Value::Null) => true,
            Some(content) => content.as_array().is_some_and(Vec::is_empty),
        };
        if !empty {
            return Err(Grammar("a start with content"));
        }
        if let Some(charge) = &mut self.charge {
            charge.answered_by(text(message, "model").unwrap_or_default());
        }
        self.usage(message.get("usage"));
        self.stage = Stage::Within;
        Ok(())
    }

    fn block_start(&mut self, value: &Value) -> Result<(), NotUnderstood> {
        let index = index(value)?;
        let block = value.get("content_block").ok_or(Grammar("a block start without a block"))?;
        self.blocks += 1;
        if self.blocks > MODEL_BLOCKS || self.open.insert(index, Block::begin(block)?).is_some() {
            return Err(Grammar("too many blocks, or one that is open already"));
        }
        Ok(())
    }

    fn block_delta(&mut self, value: &Value) -> Result<(), NotUnderstood> {
        let block = self.open.get_mut(&index(value)?).ok_or(Grammar("a delta for no open block"))?;
        let delta = value.get("delta").ok_or(Grammar("a delta event without a delta"))?;
        match (block, text(delta, "type")) {
            (Block::Call(call), Some("input_json_delta")) => {
                let piece = text(delta, "partial_json").ok_or(Grammar("a piece of input without text"))?;
                if call.pieces.len() + piece.len() > TOOL_INPUT_BYTES {
                    return Err(NotUnderstood::TooLarge);
                }
                call.pieces.push_str(piece);
                Ok(())
            }
            (Block::Call(_), _) => Err(Grammar("a delta that is no input in a tool call")),
            (Block::Text(words), Some("text_delta")) => {
                if self.take.is_some() && words.len() < MODEL_ANSWER_BYTES {
                    words.push_str(text(delta, "text").unwrap_or_default());
                }
                Ok(())
            }
            (Block::Text(_) | Block::Other, Some(_)) => Ok(()),
            (Block::Text(_) | Block::Other, None) => Err(Grammar("a delta without a type")),
        }
    }

    fn block_stop(&mut self, value: &Value) -> Result<(), NotUnderstood> {
        let block = self.open.remove(&index(value)?).ok_or(Grammar("the end of no open block"))?;
        self.end(block);
        Ok(())
    }

    fn end(&mut self, block: Block) {
        match block {
            Block::Call(call) => {
                let call = call.finish();
                if let Some(take) = &mut self.take {
                    take.call(&call);
                }
                self.sink.tool_use(call);
            }
            Block::Text(words) => {
                if let Some(take) = &mut self.take {
                    take.text(&words);
                }
            }
            Block::Other => {}
        }
    }

    fn stopped(&mut self, delta: Option<&Value>) {
        if let Some(reason) = delta.and_then(|delta| text(delta, "stop_reason")) {
            self.stop_reason = Some(reason.chars().take(60).collect());
        }
    }

    fn message_stop(&mut self) -> Result<(), NotUnderstood> {
        if !self.open.is_empty() {
            return Err(Grammar("the end of a message with an open block"));
        }
        self.stage = Stage::Over;
        self.settle();
        Ok(())
    }

    fn usage(&mut self, usage: Option<&Value>) {
        if let (Some(charge), Some(usage)) = (&mut self.charge, usage) {
            charge.observe(usage);
        }
    }

    fn settle(&mut self) {
        if let Some(take) = self.take.take() {
            take.finish(self.stop_reason.as_deref());
        }
        if let Some(charge) = self.charge.take() {
            charge.settle();
        }
    }
}

impl Block {
    fn begin(block: &Value) -> Result<Self, NotUnderstood> {
        match text(block, "type").ok_or(Grammar("a block without a type"))? {
            "tool_use" => Call::begin(block).map(Self::Call),
            "text" => Ok(Self::Text(text(block, "text").unwrap_or_default().to_owned())),
            _ => Ok(Self::Other),
        }
    }
}

impl Call {
    /// The tool call that a block begins; the agent runs it.
    fn begin(block: &Value) -> Result<Self, NotUnderstood> {
        let field = |key| text(block, key).filter(|text| !text.is_empty()).map(str::to_owned);
        let id = field("id").ok_or(Grammar("a tool call without an id"))?;
        let tool = field("name").ok_or(Grammar("a tool call without a name"))?;
        let initial = block.get("input").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        Ok(Self { id, tool, initial, pieces: String::new() })
    }

    fn finish(self) -> WireToolUse {
        let input = if self.pieces.trim().is_empty() {
            self.initial
        } else {
            // Cut off by the model's token limit, for one. As a string it equals no input that an agent can run.
            json::parse(self.pieces.as_bytes()).unwrap_or(Value::String(self.pieces))
        };
        WireToolUse { id: CallId(self.id), tool: self.tool, input }
    }
}

fn index(value: &Value) -> Result<u64, NotUnderstood> {
    value.get("index").and_then(Value::as_u64).ok_or(Grammar("an event without an index"))
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}
