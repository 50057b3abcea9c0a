//! One request of the agent: read, admit, send on, watch the answer.

use super::{
    admit::{self, Purpose},
    answer::{self, Answer, Outgoing, collect, full, pass_events},
    charge::{BYTES_PER_TOKEN, Billed, Charge, Whose},
    gateway::{AnyBackend, Gateway},
    headers,
    record::Take,
    redact::Redactor,
    refused::Refused,
    replay::Script,
    request::Messages,
    watch::Watch,
};
use crate::{
    audit::Audit,
    limits::{BUDGET_WAIT, MODEL_ANSWER_BYTES, MODEL_ERROR_BYTES},
};
use bytes::Bytes;
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use types::{profile::ServerSide, text::printable};

/// What goes to the agent.
pub(super) struct Carried {
    content: Content,
    /// How it came about, for the record.
    note: String,
}

enum Content {
    Whole(StatusCode, HeaderMap, Bytes),
    Events(Answer, Box<Watch>, Redactor),
}

impl Gateway {
    pub(super) async fn carry(&self, request: Request<Incoming>, audit: &mut Audit) -> Result<Carried, Refused> {
        let (purpose, beta) = admit::purpose(request.method(), request.uri())?;
        if purpose == Purpose::Health {
            audit.allow("model");
            return Ok(Carried::of(Content::Whole(StatusCode::OK, HeaderMap::new(), Bytes::new())));
        }
        // Held until the answer begins; by then the body has gone up.
        let _slot = slot(&self.bodies, BUDGET_WAIT).await?;
        let (parts, body) = request.into_parts();
        let body = admit::body(&parts.headers, body, self.limits.model_body).await?;
        let mut messages = Messages::parse(&body)?;
        // Evidence first: a result counts also when the request that carries it is refused.
        self.results.report(std::mem::take(&mut messages.results), self.sink.as_ref())?;
        let body = admit::content(&messages, body, &self.models, self.server_side)?;
        let content = match purpose {
            Purpose::Health | Purpose::CountTokens => {
                self.meter.admit_free()?;
                self.went_up(audit, &body);
                let answer = match &self.backend {
                    AnyBackend::Upstream(upstream) => {
                        upstream.send(&path(purpose, beta), &parts.headers, body, &mut false).await?
                    }
                    AnyBackend::Replay(_) => Script::count(body.len() as u64 / BYTES_PER_TOKEN),
                };
                self.counted(answer).await?
            }
            Purpose::Messages => {
                let billed = Billed {
                    model: &messages.model,
                    bytes: body.len(),
                    max_tokens: messages.max_tokens,
                    whose: Whose::Agent,
                };
                let mut charge = Charge::open(&self.meter, &self.sink, &self.prices, billed).await?;
                self.went_up(audit, &body);
                let answer = match &self.backend {
                    AnyBackend::Upstream(upstream) => {
                        upstream.send(&path(purpose, beta), &parts.headers, body, charge.sent()).await?
                    }
                    AnyBackend::Replay(script) => {
                        *charge.sent() = true;
                        script.answer(&messages, body.len()).await
                    }
                };
                let take = self.tape.as_ref().and_then(|tape| tape.listen(&messages.asked));
                self.messages(answer, charge, take).await?
            }
        };
        let stripped = &messages.server_side.what;
        let note = match self.server_side {
            ServerSide::Strip if !stripped.is_empty() => {
                printable(&format!("answered; taken out of the request: {}", stripped.join(", ")), 200)
            }
            ServerSide::Strip | ServerSide::Deny | ServerSide::Allow => "answered".to_owned(),
        };
        Ok(Carried { content, note })
    }

    fn went_up(&self, audit: &mut Audit, body: &Bytes) {
        audit.allow("model");
        audit.traffic().count_up(body.len() as u64);
    }

    async fn messages(&self, answer: Answer, charge: Charge, take: Option<Take>) -> Result<Content, Refused> {
        if is_error(answer.status) {
            charge.forgive();
            return self.failed(answer).await;
        }
        if answer.status != StatusCode::OK {
            return Err(no_answer(answer.status));
        }
        self.rate.answered();
        plain_encoding(&answer)?;
        let watch = Watch::new(Arc::clone(&self.sink), Arc::clone(&self.rate), charge, take);
        match essence(&answer.headers) {
            "text/event-stream" => Ok(Content::Events(answer, Box::new(watch), self.redactor.clone())),
            "application/json" => {
                let headers = headers::answer(&answer.headers, &self.redactor);
                // What is looked at is what goes on.
                let body = self.redactor.clean(whole(answer).await?);
                watch.whole(&body).map_err(|error| Refused::Answer(error.to_string()))?;
                Ok(Content::Whole(StatusCode::OK, headers, body))
            }
            _ => Err(Refused::Answer("it is neither JSON nor an event stream".to_owned())),
        }
    }

    async fn counted(&self, answer: Answer) -> Result<Content, Refused> {
        if answer.status != StatusCode::OK {
            return self.failed(answer).await;
        }
        plain_encoding(&answer)?;
        let headers = headers::answer(&answer.headers, &self.redactor);
        let body = whole(answer).await?;
        super::json::parse(&body).map_err(|error| Refused::Answer(error.to_string()))?;
        Ok(Content::Whole(StatusCode::OK, headers, self.redactor.clean(body)))
    }

    /// An error of the endpoint goes to the agent, cut and cleaned; anything else that is no answer does not.
    async fn failed(&self, answer: Answer) -> Result<Content, Refused> {
        let status = answer.status;
        if !is_error(status) {
            return Err(no_answer(status));
        }
        match status.as_u16() {
            code @ (401 | 403) => self.sink.auth_refused(code),
            code @ (429 | 529) => self.rate.limited(code, retry_after(&answer.headers)),
            _ => {}
        }
        plain_encoding(&answer)?;
        let headers = headers::answer(&answer.headers, &self.redactor);
        // An error without a readable body is still that error.
        let (body, cut) = collect(answer.body, MODEL_ERROR_BYTES).await.unwrap_or_default();
        let body = if cut { self.redactor.clean_cut(body) } else { self.redactor.clean(body) };
        Ok(Content::Whole(status, headers, body))
    }
}

impl Carried {
    fn of(content: Content) -> Self {
        Self { content, note: "answered".to_owned() }
    }

    pub(super) fn finish(self, mut audit: Audit) -> Response<Outgoing> {
        match self.content {
            Content::Whole(status, headers, body) => {
                audit.status(status.as_u16());
                audit.traffic().count_down(body.len() as u64);
                audit.end(&self.note);
                respond(status, headers, full(body))
            }
            Content::Events(answer, watch, redactor) => {
                audit.status(answer.status.as_u16());
                let headers = headers::answer(&answer.headers, &redactor);
                respond(answer.status, headers, pass_events(answer.body, *watch, redactor, audit, self.note))
            }
        }
    }
}

/// A response to the agent.
pub(super) fn respond(status: StatusCode, headers: HeaderMap, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A place for a body in memory.
async fn slot(bodies: &Semaphore, wait: Duration) -> Result<SemaphorePermit<'_>, Refused> {
    timeout(wait, bodies.acquire()).await.map_err(|_| Refused::Busy)?.map_err(|_| Refused::Busy)
}

fn path(purpose: Purpose, beta: bool) -> String {
    format!("{}{}", purpose.path(), if beta { "?beta=true" } else { "" })
}

/// The endpoint says that it did not do what was asked; nothing is due.
pub(super) fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn no_answer(status: StatusCode) -> Refused {
    Refused::Answer(format!("status {}", status.as_u16()))
}

fn essence(headers: &HeaderMap) -> &str {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

/// We asked for no compression; what is compressed all the same cannot be read.
pub(super) fn plain_encoding(answer: &Answer) -> Result<(), Refused> {
    match answer.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(()),
        Some(_) => Err(Refused::Answer("it is compressed".to_owned())),
    }
}

async fn whole(answer: Answer) -> Result<Bytes, Refused> {
    match answer::collect(answer.body, MODEL_ANSWER_BYTES).await {
        Ok((body, false)) => Ok(body),
        Ok((_, true)) => Err(Refused::Answer("it is too large".to_owned())),
        Err(error) => Err(Refused::Answer(error.to_string())),
    }
}

pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_waited_for_and_not_for_ever() {
        let bodies = Semaphore::new(1);
        let held = slot(&bodies, Duration::from_secs(60)).await.expect("a place");
        assert!(matches!(slot(&bodies, Duration::from_millis(10)).await, Err(Refused::Busy)));
        let later = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            drop(held);
        };
        let (next, ()) = tokio::join!(slot(&bodies, Duration::from_secs(60)), later);
        assert!(next.is_ok());
    }
}
