//! A scripted turn in the shapes of the Messages API, as events and whole.

use super::select::Place;
use crate::model::{charge::BYTES_PER_TOKEN, sse::Event};
use serde_json::{Value, json};
use types::replay::Turn;

/// Characters of input in one `input_json_delta`.
const PIECE: usize = 64;

/// What is answered.
pub(crate) struct Reply {
    id: String,
    text: String,
    calls: Vec<(String, String, Value)>,
}

impl Reply {
    /// A short answer that ends the agent's turn.
    pub(crate) fn text(id: &str, text: &str) -> Self {
        Self { id: format!("msg_replay_{id}"), text: text.to_owned(), calls: Vec::new() }
    }

    /// A turn of the script.
    pub(crate) fn turn(place: Place, turn: &Turn) -> Self {
        let calls = turn.tools.iter().enumerate();
        Self {
            id: place.message_id(),
            text: turn.text.clone(),
            calls: calls.map(|(n, tool)| (place.call_id(n), tool.name.clone(), tool.input.clone())).collect(),
        }
    }

    fn stop_reason(&self) -> &'static str {
        if self.calls.is_empty() { "end_turn" } else { "tool_use" }
    }

    /// The text, if a block is made for it: an answer has at least one block.
    fn text_block(&self) -> Option<&str> {
        (!self.text.is_empty() || self.calls.is_empty()).then_some(self.text.as_str())
    }

    fn output_tokens(&self) -> u64 {
        let calls = self.calls.iter().map(|(_, tool, input)| tool.len() + input.to_string().len());
        (self.text.len() + calls.sum::<usize>()) as u64 / BYTES_PER_TOKEN + 1
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
    let text = reply.text_block().map(|text| json!({"type": "text", "text": text}));
    let calls =
        reply.calls.iter().map(|(id, tool, input)| json!({"type": "tool_use", "id": id, "name": tool, "input": input}));
    json!({
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": text.into_iter().chain(calls).collect::<Vec<_>>(),
        "stop_reason": reply.stop_reason(),
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
    if let Some(text) = reply.text_block() {
        block(json!({"type": "text", "text": ""}), vec![json!({"type": "text_delta", "text": text})]);
    }
    for (id, tool, input) in &reply.calls {
        let chars: Vec<char> = input.to_string().chars().collect();
        let pieces = chars
            .chunks(PIECE)
            .map(|piece| json!({"type": "input_json_delta", "partial_json": piece.iter().collect::<String>()}));
        block(json!({"type": "tool_use", "id": id, "name": tool, "input": {}}), pieces.collect());
    }
    values.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": reply.stop_reason(), "stop_sequence": null},
        "usage": {"output_tokens": reply.output_tokens()},
    }));
    values.push(json!({"type": "message_stop"}));
    values.into_iter().map(event).collect()
}

fn event(value: Value) -> Event {
    let name = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    Event { name, data: value.to_string() }
}
