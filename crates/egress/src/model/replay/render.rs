//! A scripted turn in the shapes of the Messages API, as events and whole.

use super::select::Place;
use crate::model::{charge::BYTES_PER_TOKEN, sse::Event};
use serde_json::{Value, json};
use types::replay::{Block, ToolUse, Turn};

/// Characters of input in one `input_json_delta`.
const PIECE: usize = 64;

/// What is answered.
pub(crate) struct Reply {
    id: String,
    blocks: Vec<Part>,
    stop_reason: String,
}

/// A block of it.
enum Part {
    Text(String),
    Call { id: String, tool: String, input: Value },
}

impl Reply {
    /// A short answer that ends the agent's turn.
    pub(crate) fn text(id: &str, text: &str) -> Self {
        let blocks = vec![Part::Text(text.to_owned())];
        Self { id: format!("msg_replay_{id}"), blocks, stop_reason: "end_turn".to_owned() }
    }

    /// A turn of the script.
    pub(crate) fn turn(place: Place, turn: &Turn) -> Self {
        let mut calls = 0;
        let mut part = |block: Block| match block {
            Block::Text(text) => Part::Text(text),
            Block::Tool(ToolUse { name, input }) => {
                calls += 1;
                Part::Call { id: place.call_id(calls - 1), tool: name, input }
            }
        };
        let mut blocks: Vec<_> = turn.blocks().map(&mut part).collect();
        let natural = if calls == 0 { "end_turn" } else { "tool_use" };
        // An answer has at least one block.
        if blocks.is_empty() {
            blocks.push(Part::Text(String::new()));
        }
        let stop_reason = turn.stop_reason.clone().unwrap_or_else(|| natural.to_owned());
        Self { id: place.message_id(), blocks, stop_reason }
    }

    fn output_tokens(&self) -> u64 {
        let length = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Call { tool, input, .. } => tool.len() + input.to_string().len(),
        };
        self.blocks.iter().map(length).sum::<usize>() as u64 / BYTES_PER_TOKEN + 1
    }
}

pub(super) fn usage(request_bytes: usize, output: u64) -> Value {
    json!({
        "input_tokens": request_bytes as u64 / BYTES_PER_TOKEN,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
    })
}

/// The answer as one message.
pub(crate) fn message(reply: &Reply, model: &str, request_bytes: usize) -> Value {
    let block = |part: &Part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Call { id, tool, input } => json!({"type": "tool_use", "id": id, "name": tool, "input": input}),
    };
    json!({
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": reply.blocks.iter().map(block).collect::<Vec<_>>(),
        "stop_reason": reply.stop_reason,
        "stop_sequence": null,
        "usage": usage(request_bytes, reply.output_tokens()),
    })
}

/// The answer as events.
pub(crate) fn events(reply: &Reply, model: &str, request_bytes: usize) -> Vec<Event> {
    let mut values = vec![
        json!({"type": "message_start", "message": {
            "id": reply.id, "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": usage(request_bytes, 1),
        }}),
        json!({"type": "ping"}),
    ];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        values.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        values.extend(
            deltas.into_iter().map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        );
        values.push(json!({"type": "content_block_stop", "index": index}));
        index += 1;
    };
    for part in &reply.blocks {
        match part {
            Part::Text(text) => {
                block(json!({"type": "text", "text": ""}), vec![json!({"type": "text_delta", "text": text})]);
            }
            Part::Call { id, tool, input } => {
                let chars: Vec<char> = input.to_string().chars().collect();
                let pieces = chars
                    .chunks(PIECE)
                    .map(|piece| json!({"type": "input_json_delta", "partial_json": piece.iter().collect::<String>()}));
                block(json!({"type": "tool_use", "id": id, "name": tool, "input": {}}), pieces.collect());
            }
        }
    }
    values.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": reply.stop_reason, "stop_sequence": null},
        "usage": {"output_tokens": reply.output_tokens()},
    }));
    values.push(json!({"type": "message_stop"}));
    values.into_iter().map(event).collect()
}

fn event(value: Value) -> Event {
    let name = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    Event { name, data: value.to_string() }
}
