//! The model gateway of one run: what it is made of, and one agent connection to it.

use super::{
    answer::{Outgoing, full},
    carry::respond,
    credential::Hearing,
    meter::Meter,
    price::Prices,
    rate::Rate,
    record::Tape,
    redact::Redactor,
    replay::Script,
    results::Results,
    upstream::{self, Upstream},
};
use crate::{
    audit::{Audit, RunBytes},
    config::{Backend, ConfigError, ModelConfig, UpstreamConfig},
    limits::{COPY_BYTES, HEADERS, Limits, MODEL_BODIES},
    observer::Observer,
};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};
use types::{profile::ServerSide, replay::Replay};

/// The model gateway of one run.
pub(crate) struct Gateway {
    pub(super) backend: AnyBackend,
    /// Where the host's own questions go, if not to the backend.
    pub(super) own: Option<Box<Upstream>>,
    pub(super) redactor: Redactor,
    pub(super) models: Vec<String>,
    pub(super) server_side: ServerSide,
    pub(super) prices: Arc<Prices>,
    pub(super) meter: Arc<Meter>,
    pub(super) rate: Arc<Rate>,
    pub(super) results: Results,
    /// Keeps the conversation, where it is to be kept.
    pub(super) tape: Option<Arc<Tape>>,
    pub(super) sink: Arc<dyn Observer>,
    pub(super) bytes: Arc<RunBytes>,
    pub(super) bodies: Semaphore,
    pub(super) limits: Limits,
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
    pub(crate) fn new(config: ModelConfig, limits: &Limits, hearing: Hearing) -> Result<Self, ConfigError> {
        let prices = Arc::new(check_budget(&config)?);
        let upstream =
            |endpoint: &UpstreamConfig| Upstream::new(endpoint, config.server_side, limits, &hearing).map(Box::new);
        let backend = match &config.backend {
            Backend::Upstream(endpoint) => AnyBackend::Upstream(upstream(endpoint)?),
            Backend::Replay(replay) => AnyBackend::Replay(Box::new(Script::new(replay.clone()))),
        };
        let own = config.own.as_ref().map(upstream).transpose()?;
        let Hearing { sink, bytes, secrets } = hearing;
        Ok(Self {
            backend,
            own,
            redactor: Redactor::new(secrets),
            models: config.models,
            server_side: config.server_side,
            prices,
            meter: Arc::new(Meter::new(Arc::clone(&sink), config.budget, config.spent)),
            rate: Arc::new(Rate::new(Arc::clone(&sink))),
            results: Results::default(),
            tape: config.record.map(|before| Arc::new(Tape::new(before))),
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
        backend.into_iter().chain(&config.own).try_for_each(upstream::check)
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

    /// The conversation so far, where one is kept, if it changed since it was that old.
    pub(crate) fn kept(&self, since: u64) -> Option<(u64, Replay)> {
        self.tape.as_ref()?.kept(since)
    }
}

fn check_budget(config: &ModelConfig) -> Result<Prices, ConfigError> {
    match config.budget.usd {
        Some(budget) if !budget.is_finite() || budget <= 0.0 => Err(ConfigError::Budget),
        Some(_) | None => Prices::new(&config.prices),
    }
}
