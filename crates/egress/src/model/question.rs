//! The host's own questions to a model: the gate's classifier. They take the credential, the budget and the checks of the gateway,
//! but not its door: nothing from inside reaches this, so that the agent cannot ask in the gate's name.

use super::{
    answer::{Answer, collect},
    carry::{is_error, plain_encoding, retry_after},
    charge::{Billed, Charge, Whose},
    gateway::{AnyBackend, Gateway},
    redact::Redactor,
    refused::Refused,
    upstream::Upstream,
};
use crate::{audit::Audit, limits::MODEL_ANSWER_BYTES};
use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT, HeaderName, HeaderValue, USER_AGENT},
};
use serde_json::{Value, json};
use std::time::Duration;
use types::{event::Usage, profile::Dialect, replay::Step};

/// The version of the Messages API that is spoken.
const API_VERSION: &str = "2023-06-01";

/// A question of the host.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the endpoint speaks.
    pub dialect: Dialect,
    /// The model that is asked, for the bill.
    pub model: String,
    /// The request's body.
    pub body: Vec<u8>,
    /// Which of the two questions it is, for a scripted answer.
    pub step: Step,
    /// The input of the call that it is about, for a scripted answer.
    pub about: String,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The `retry-after` of the endpoint.
    pub retry_after: Option<Duration>,
    /// The body, at most as large as any answer of the gateway.
    pub body: Bytes,
    /// Tokens and cost; zero for an error.
    pub usage: Usage,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no model to ask.
    #[error("there is no model to ask")]
    NoModel,
    /// The run may not spend more.
    #[error("{0}")]
    Limit(String),
    /// No answer, or one that cannot be read.
    #[error("{0}")]
    NoAnswer(String),
}

impl Gateway {
    /// Asks, and waits for the whole answer; the deadline is the caller's. A question that is dropped half way is paid for by an
    /// estimate.
    ///
    /// # Errors
    /// [`AskError`]
    pub(crate) async fn ask(&self, question: Question) -> Result<Reply, AskError> {
        let target = match question.dialect {
            Dialect::Messages => "/v1/messages",
            Dialect::Openai => "/v1/chat/completions",
        };
        let mut audit = Audit::begin(&self.sink, &self.bytes, "gate", &format!("POST {target}"));
        match self.reply(question, target, &mut audit).await {
            Ok(reply) => {
                audit.status(reply.status);
                audit.traffic().count_down(reply.body.len() as u64);
                audit.end("answered");
                Ok(reply)
            }
            Err(refused) => {
                let error = match &refused {
                    Refused::Limit(_) | Refused::Busy => AskError::Limit(refused.reason()),
                    Refused::Path => AskError::NoModel,
                    Refused::ContentType
                    | Refused::Body(_)
                    | Refused::TooLarge(_)
                    | Refused::Deadline
                    | Refused::Model { .. }
                    | Refused::ServerSide { .. }
                    | Refused::Credential(_)
                    | Refused::Token(_)
                    | Refused::Unreachable(_)
                    | Refused::Answer(_) => AskError::NoAnswer(refused.reason()),
                };
                audit.refuse_with(refused.rule(), &refused.reason());
                Err(error)
            }
        }
    }

    async fn reply(&self, question: Question, target: &str, audit: &mut Audit) -> Result<Reply, Refused> {
        let whose = if self.own.is_some() { Whose::GateElsewhere } else { Whose::Gate };
        let billed =
            Billed { model: &question.model, bytes: question.body.len(), max_tokens: longest(&question.body), whose };
        let mut charge = Charge::open(&self.meter, &self.sink, &self.prices, billed).await?;
        audit.allow("gate");
        audit.traffic().count_up(question.body.len() as u64);
        let body = Bytes::from(question.body.clone());
        let answer = match (&self.backend, &self.own) {
            (AnyBackend::Replay(script), _) if script.has_classifier() => {
                *charge.sent() = true;
                script.classify(&question).await
            }
            (_, Some(own)) => send(own, target, body, &mut charge).await?,
            (AnyBackend::Upstream(upstream), None) => send(upstream, target, body, &mut charge).await?,
            (AnyBackend::Replay(_), None) => return Err(Refused::Path),
        };
        let (status, retry_after) = (answer.status, retry_after(&answer.headers));
        if status != StatusCode::OK {
            if is_error(status) {
                charge.forgive();
            }
            let body = read(answer, &self.redactor).await.unwrap_or_default();
            return Ok(Reply { status: status.as_u16(), retry_after, body, usage: Usage::default() });
        }
        let body = read(answer, &self.redactor).await?;
        if let Some(tape) = &self.tape {
            tape.classified(&question, &body);
        }
        charge.streamed(body.len());
        // An answer that says nothing of its cost is paid for by the estimate that a dropped bill makes.
        let usage = if observe(&mut charge, question.dialect, &body) { charge.settle() } else { Usage::default() };
        Ok(Reply { status: status.as_u16(), retry_after, body, usage })
    }
}

/// The longest answer that a request asks for, in tokens.
fn longest(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(body).ok()?.get("max_tokens")?.as_u64()
}

async fn send(upstream: &Upstream, target: &str, body: Bytes, charge: &mut Charge) -> Result<Answer, Refused> {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static(API_VERSION));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static("sandbox-gate"));
    upstream.send(target, &headers, body, charge.sent()).await
}

async fn read(answer: Answer, redactor: &Redactor) -> Result<Bytes, Refused> {
    plain_encoding(&answer)?;
    match collect(answer.body, MODEL_ANSWER_BYTES).await {
        Ok((body, false)) => Ok(redactor.clean(body)),
        Ok((_, true)) => Err(Refused::Answer("it is too large".to_owned())),
        Err(error) => Err(Refused::Answer(error.to_string())),
    }
}

/// Notes who answered and what it took; false when the answer does not say.
fn observe(charge: &mut Charge, dialect: Dialect, body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    if let Some(model) = value.get("model").and_then(Value::as_str) {
        charge.answered_by(model);
    }
    let Some(usage) = value.get("usage") else { return false };
    match dialect {
        Dialect::Messages => charge.observe(usage),
        Dialect::Openai => {
            let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
            let cached = count("/prompt_tokens_details/cached_tokens");
            charge.observe(&json!({
                "input_tokens": count("/prompt_tokens").saturating_sub(cached),
                "cache_read_input_tokens": cached,
                "output_tokens": count("/completion_tokens"),
            }));
        }
    }
    true
}
