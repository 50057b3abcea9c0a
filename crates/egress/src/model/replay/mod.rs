//! A scripted conversation in place of the model. What it answers takes the same way to the agent as a real answer, through
//! the same checks; only the model's side is scripted, every tool really runs.

mod classify;
mod render;
mod select;

use super::{answer::Answer, request::Messages};
use bytes::Bytes;
use futures::stream;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use render::Reply;
pub(crate) use select::is_said;
use select::{Choice, Place};
use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use types::replay::{ApiError, Replay};

/// Plays a conversation.
pub(crate) struct Script {
    replay: Replay,
    /// Turns with an error that were answered. An error is answered once, so that the agent's retry meets the next turn.
    spent: Mutex<HashSet<Place>>,
    /// How often each entry for the classifier has answered.
    given: Mutex<HashMap<usize, u32>>,
}

impl Script {
    /// At the beginning.
    pub(crate) fn new(replay: Replay) -> Self {
        Self { replay, spent: Mutex::default(), given: Mutex::default() }
    }

    /// The answer to a messages request of so many bytes.
    pub(crate) async fn answer(&self, request: &Messages, request_bytes: usize) -> Answer {
        let choice = select::choose(&self.replay, request, |turn| {
            self.spent.lock().unwrap_or_else(PoisonError::into_inner).contains(&turn)
        });
        let reply = match choice {
            Choice::Aside => Reply::text("aside", "ok"),
            Choice::Ended => Reply::text("end", "(the script has ended)"),
            Choice::Turn(place, turn) => {
                tokio::time::sleep(Duration::from_millis(turn.delay_ms)).await;
                if let Some(error) = &turn.error {
                    self.spent.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
                    return failure(error);
                }
                Reply::turn(place, turn)
            }
        };
        if request.stream {
            let events = render::events(&reply, &request.model, request_bytes);
            let pieces = stream::iter(events.into_iter().map(|event| Ok::<_, io::Error>(event.render())));
            Answer { status: StatusCode::OK, headers: typed("text/event-stream"), body: Box::pin(pieces) }
        } else {
            whole(StatusCode::OK, render::message(&reply, &request.model, request_bytes).to_string())
        }
    }

    /// The answer to a request for a count of tokens.
    pub(crate) fn count(tokens: u64) -> Answer {
        whole(StatusCode::OK, serde_json::json!({ "input_tokens": tokens }).to_string())
    }
}

fn failure(error: &ApiError) -> Answer {
    // A status that is no error would be taken for an answer.
    let status = StatusCode::from_u16(error.status).ok().filter(|status| status.as_u16() >= 400);
    let body = serde_json::json!({"type": "error", "error": {"type": error.kind, "message": error.message}});
    whole(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body.to_string())
}

fn whole(status: StatusCode, body: String) -> Answer {
    let body = stream::iter([Ok::<_, io::Error>(Bytes::from(body))]);
    Answer { status, headers: typed("application/json"), body: Box::pin(body) }
}

fn typed(kind: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers
}
