//! An answer on its way to the agent, from the endpoint or from a script: the same checks for both.

use super::{
    redact::Redactor,
    sse::{Event, Parser},
    watch::Watch,
};
use crate::audit::Audit;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{HeaderMap, StatusCode, body::Frame};
use std::{io, pin::Pin};

/// Bytes that still come.
pub(crate) type Incoming = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
/// A body towards the agent.
pub(crate) type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// What the backend answers.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// Its fields.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Incoming,
}

/// A body that is known whole.
pub(crate) fn full(bytes: Bytes) -> Outgoing {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Reads a body whole, at most `max` bytes; true when there was more.
///
/// # Errors
/// When it broke off.
pub(crate) async fn collect(mut body: Incoming, max: usize) -> io::Result<(Bytes, bool)> {
    let mut out = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        let room = max - out.len();
        out.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if piece.len() > room {
            return Ok((out.freeze(), true));
        }
    }
    Ok((out.freeze(), false))
}

/// An event stream on its way.
struct Passing {
    body: Incoming,
    parser: Parser,
    watch: Watch,
    redactor: Redactor,
    audit: Option<Audit>,
    note: String,
    is_cleaned: bool,
    /// Set when the stream must end with an error after what was understood has gone.
    failed: Option<String>,
}

/// Passes an event stream on, event by event, each looked at before it goes. It ends regularly only after the end of the
/// message; otherwise the connection is cut, so that a cut answer does not look whole.
/// `note` says in the record how it came about.
pub(crate) fn pass_events(body: Incoming, watch: Watch, redactor: Redactor, audit: Audit, note: String) -> Outgoing {
    let passing = Passing {
        body,
        parser: Parser::default(),
        watch,
        redactor,
        audit: Some(audit),
        note,
        is_cleaned: false,
        failed: None,
    };
    let frames = stream::unfold(passing, |mut passing| async move {
        let step = passing.step().await?;
        Some((step.map(Frame::data), passing))
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Passing {
    async fn step(&mut self) -> Option<io::Result<Bytes>> {
        self.audit.as_ref()?;
        loop {
            if let Some(reason) = self.failed.take() {
                return self.fail(&reason).await;
            }
            match self.body.next().await {
                Some(Ok(piece)) => {
                    self.parser.feed(&piece);
                    let out = self.understood();
                    if !out.is_empty() {
                        if let Some(audit) = &self.audit {
                            audit.traffic().count_down(out.len() as u64);
                        }
                        return Some(Ok(out));
                    }
                }
                Some(Err(error)) => return self.fail(&error.to_string()).await,
                None if self.watch.is_over() && self.parser.is_between_events() => {
                    if let Some(audit) = self.audit.take() {
                        audit.end(&self.note);
                    }
                    return None;
                }
                None => return self.fail("it ended before the end of the message").await,
            }
        }
    }

    /// The events at hand that may go on.
    fn understood(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        loop {
            match self.parser.next() {
                Ok(None) => return out.freeze(),
                Ok(Some(event)) => {
                    // What is looked at is what goes on.
                    let event = self.without_secrets(event);
                    match self.watch.event(&event) {
                        Ok(()) => {
                            out.extend_from_slice(&event.render());
                            continue;
                        }
                        Err(error) => self.failed = Some(error.to_string()),
                    }
                }
                Err(error) => self.failed = Some(error.to_string()),
            }
            return out.freeze();
        }
    }

    fn without_secrets(&mut self, event: Event) -> Event {
        let (name, data) = (self.redactor.replace(&event.name), self.redactor.replace(&event.data));
        if !self.is_cleaned && (name.is_some() || data.is_some()) {
            self.is_cleaned = true;
            self.note.push_str("; a secret of the operator was taken out of the answer");
        }
        Event { name: name.unwrap_or(event.name), data: data.unwrap_or(event.data) }
    }

    async fn fail(&mut self, reason: &str) -> Option<io::Result<Bytes>> {
        // Lets the server send what was understood before it hears of the failure.
        tokio::task::yield_now().await;
        if let Some(audit) = self.audit.take() {
            audit.refuse_with("bad_answer", &format!("the model's answer was cut off: {reason}"));
        }
        Some(Err(io::Error::other("the model's answer was cut off")))
    }
}
