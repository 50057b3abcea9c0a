//! One agent connection to the gateway: read, admit, send on, watch the answer.

use super::{
    admit::{self, Purpose},
    answer::{self, Answer, Outgoing, collect, full, pass_events},
    charge::{BYTES_PER_TOKEN, Charge},
    headers,
    meter::Meter,
    redact::Redactor,
    refused::Refused,
    replay::Script,
    request::Messages,
    results::Results,
    upstream::Upstream,
    watch::Watch,
};
use crate::{
    audit::{Audit, RunBytes},
    config::{Backend, ConfigError, Credential, ModelConfig},
    limits::{COPY_BYTES, HEADERS, Limits, MODEL_ANSWER_BYTES, MODEL_BODIES, MODEL_ERROR_BYTES},
    observer::Observer,
};
use bytes::Bytes;
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::RootCertStore;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};

/// The model gateway of one run.
pub(crate) struct Gateway {
    pub(super) backend: AnyBackend,
    /// Where the host's own questions go, if not to the backend.
    pub(super) own: Option<Box<Upstream>>,
    pub(super) redactor: Redactor,
    models: Vec<String>,
    allow_server_side: bool,
    pub(super) meter: Arc<Meter>,
    results: Results,
    pub(super) sink: Arc<dyn Observer>,
    pub(super) bytes: Arc<RunBytes>,
    bodies: Semaphore,
    limits: Limits,
}

/// Who answers.
pub(super) enum AnyBackend {
    Upstream(Box<Upstream>),
    Replay(Box<Script>),
}

impl Gateway {
    /// Checks the configuration.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub(crate) fn new(
        config: ModelConfig,
        limits: &Limits,
        sink: Arc<dyn Observer>,
        bytes: Arc<RunBytes>,
    ) -> Result<Self, ConfigError> {
        check_budget(&config)?;
        let (backend, redactor) = match config.backend {
            Backend::Upstream(upstream) => {
                let upstream = Upstream::new(&upstream, limits)?;
                let redactor = upstream.redactor.clone();
                (AnyBackend::Upstream(Box::new(upstream)), redactor)
            }
            Backend::Replay(replay) => {
                (AnyBackend::Replay(Box::new(Script::new(replay))), Redactor::new(&Credential::None))
            }
        };
        let own = config.own.map(|own| Upstream::new(&own, limits).map(Box::new)).transpose()?;
        Ok(Self {
            backend,
            own,
            redactor,
            models: config.models,
            allow_server_side: config.allow_server_side,
            meter: Arc::new(Meter::new(Arc::clone(&sink), config.budget_usd, config.max_requests)),
            results: Results::default(),
            sink,
            bytes,
            bodies: Semaphore::new(MODEL_BODIES),
            limits: limits.clone(),
        })
    }

    /// Checks a configuration as [`Gateway::new`] does, but for the host's certificate authorities.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub(crate) fn check(config: &ModelConfig) -> Result<(), ConfigError> {
        check_budget(config)?;
        let backend = match &config.backend {
            Backend::Upstream(upstream) => Some(upstream),
            Backend::Replay(_) => None,
        };
        backend.into_iter().chain(&config.own).try_for_each(|upstream| {
            Upstream::with_roots(upstream, &Limits::default(), RootCertStore::empty()).map(drop)
        })
    }

    /// Serves one connection of the agent.
    pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(&self, stream: S) {
        let service = service_fn(|request| async move { Ok::<_, Infallible>(self.answer(request).await) });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            // Also the time that a kept connection may wait for its next request.
            .header_read_timeout(self.limits.keep_alive)
            .max_headers(HEADERS)
            .max_buf_size(COPY_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        match served {
            Ok(()) => {}
            // The server answered 400 by itself.
            Err(error) if error.is_parse() => {
                let audit = Audit::begin(&self.sink, &self.bytes, "model", "?");
                audit.refuse_with("bad_request", &format!("the request is malformed: {error}"));
            }
            Err(error) => tracing::debug!(%error, "connection to the model gateway ended"),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Outgoing> {
        let asked = format!("{} {}", request.method(), request.uri());
        let mut audit = Audit::begin(&self.sink, &self.bytes, "model", &asked);
        match self.carry(request, &mut audit).await {
            Ok(carried) => carried.finish(audit),
            Err(refused) => {
                let (status, headers, body) = refused.parts();
                audit.status(status.as_u16());
                audit.refuse_with(refused.rule(), &refused.reason());
                respond(status, headers, full(body))
            }
        }
    }

    async fn carry(&self, request: Request<Incoming>, audit: &mut Audit) -> Result<Carried, Refused> {
        let (purpose, beta) = admit::purpose(request.method(), request.uri())?;
        if purpose == Purpose::Health {
            audit.allow("model");
            return Ok(Carried::Whole(StatusCode::OK, HeaderMap::new(), Bytes::new()));
        }
        // Held until the answer begins; by then the body has gone up.
        let _slot = self.bodies.acquire().await;
        let (parts, body) = request.into_parts();
        let body = admit::body(&parts.headers, body, self.limits.model_body).await?;
        let mut messages = Messages::parse(&body)?;
        // Evidence first: a result counts also when the request that carries it is refused.
        self.results.report(std::mem::take(&mut messages.results), self.sink.as_ref())?;
        admit::content(&messages, &self.models, self.allow_server_side)?;
        self.meter.admit(purpose == Purpose::Messages).map_err(Refused::Limit)?;

        audit.allow("model");
        audit.traffic().count_up(body.len() as u64);
        match purpose {
            Purpose::Health | Purpose::CountTokens => {
                let answer = match &self.backend {
                    AnyBackend::Upstream(upstream) => upstream.send(&path(purpose, beta), &parts.headers, body).await?,
                    AnyBackend::Replay(_) => Script::count(body.len() as u64 / BYTES_PER_TOKEN),
                };
                self.counted(answer).await
            }
            Purpose::Messages => {
                let charge = Charge::open(&self.meter, &self.sink, &messages.model, body.len());
                let answer = match &self.backend {
                    AnyBackend::Upstream(upstream) => {
                        match upstream.send(&path(purpose, beta), &parts.headers, body).await {
                            Ok(answer) => answer,
                            Err(refused) => {
                                charge.forgive();
                                return Err(refused);
                            }
                        }
                    }
                    AnyBackend::Replay(script) => script.answer(&messages, body.len()).await,
                };
                self.messages(answer, charge).await
            }
        }
    }

    async fn messages(&self, answer: Answer, charge: Charge) -> Result<Carried, Refused> {
        if answer.status != StatusCode::OK {
            charge.forgive();
            return self.failed(answer).await;
        }
        plain_encoding(&answer)?;
        let watch = Watch::new(Arc::clone(&self.sink), charge);
        match essence(&answer.headers) {
            "text/event-stream" => Ok(Carried::Events(answer, watch, self.redactor.clone())),
            "application/json" => {
                let headers = headers::answer(&answer.headers, &self.redactor);
                let body = whole(answer).await?;
                watch.whole(&body).map_err(|error| Refused::Answer(error.to_string()))?;
                Ok(Carried::Whole(StatusCode::OK, headers, self.redactor.clean(body)))
            }
            _ => Err(Refused::Answer("it is neither JSON nor an event stream".to_owned())),
        }
    }

    async fn counted(&self, answer: Answer) -> Result<Carried, Refused> {
        if answer.status != StatusCode::OK {
            return self.failed(answer).await;
        }
        plain_encoding(&answer)?;
        let headers = headers::answer(&answer.headers, &self.redactor);
        let body = whole(answer).await?;
        super::json::parse(&body).map_err(|error| Refused::Answer(error.to_string()))?;
        Ok(Carried::Whole(StatusCode::OK, headers, self.redactor.clean(body)))
    }

    /// An error of the endpoint goes to the agent, cut and cleaned; anything else that is no answer does not.
    async fn failed(&self, answer: Answer) -> Result<Carried, Refused> {
        let status = answer.status;
        if !status.is_client_error() && !status.is_server_error() {
            return Err(Refused::Answer(format!("status {}", status.as_u16())));
        }
        match status.as_u16() {
            code @ (401 | 403) => self.sink.auth_refused(code),
            code @ (429 | 529) => self.sink.rate_limited(code, retry_after(&answer.headers)),
            _ => {}
        }
        plain_encoding(&answer)?;
        let headers = headers::answer(&answer.headers, &self.redactor);
        // An error without a readable body is still that error.
        let (body, cut) = collect(answer.body, MODEL_ERROR_BYTES).await.unwrap_or_default();
        let body = if cut { self.redactor.clean_cut(body) } else { self.redactor.clean(body) };
        Ok(Carried::Whole(status, headers, body))
    }
}

fn check_budget(config: &ModelConfig) -> Result<(), ConfigError> {
    match config.budget_usd {
        Some(budget) if !budget.is_finite() || budget <= 0.0 => Err(ConfigError::Budget),
        Some(_) | None => Ok(()),
    }
}

/// What goes to the agent.
enum Carried {
    Whole(StatusCode, HeaderMap, Bytes),
    Events(Answer, Watch, Redactor),
}

impl Carried {
    fn finish(self, mut audit: Audit) -> Response<Outgoing> {
        match self {
            Self::Whole(status, headers, body) => {
                audit.status(status.as_u16());
                audit.traffic().count_down(body.len() as u64);
                audit.end("answered");
                respond(status, headers, full(body))
            }
            Self::Events(answer, watch, redactor) => {
                audit.status(answer.status.as_u16());
                let headers = headers::answer(&answer.headers, &redactor);
                respond(answer.status, headers, pass_events(answer.body, watch, redactor, audit))
            }
        }
    }
}

fn respond(status: StatusCode, headers: HeaderMap, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn path(purpose: Purpose, beta: bool) -> String {
    format!("{}{}", purpose.path(), if beta { "?beta=true" } else { "" })
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
