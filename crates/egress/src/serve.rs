//! One stream from inside to its end: admission, the idle deadline, and the choice by the stream's header.

use crate::{
    audit::{Audit, RunBytes},
    config::{Config, ConfigError, ModelConfig},
    decide,
    http::client::Reader,
    idle::Watched,
    limits::Limits,
    model::{AskError, Gateway, Question, Reply},
    named,
    observer::Observer,
    proxy,
    refusal::Refusal,
};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite, split},
    sync::Semaphore,
};
use types::{route::Route, wire::Open};

/// The way out of one run. Clones share routes, caps, budget and connections.
#[derive(Clone)]
pub struct Egress {
    run: Arc<Run>,
}

/// What all streams of a run share.
pub(crate) struct Run {
    /// What may be reached.
    pub(crate) routes: Vec<Route>,
    /// Caps and deadlines.
    pub(crate) limits: Limits,
    sink: Arc<dyn Observer>,
    bytes: Arc<RunBytes>,
    model: Option<Gateway>,
    streams: Semaphore,
}

impl Run {
    /// Begins a record.
    pub(crate) fn audit(&self, via: &'static str, asked: &str) -> Audit {
        Audit::begin(&self.sink, &self.bytes, via, asked)
    }
}

impl Egress {
    /// Checks the configuration and reads the host's certificate authorities where the model endpoint needs them. Does not
    /// connect to anything.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        decide::check(&config.routes)?;
        let limits = config.limits;
        let bytes = Arc::new(RunBytes::new(limits.bytes_up, limits.bytes_down));
        let model = config
            .model
            .map(|model| Gateway::new(model, &limits, Arc::clone(&config.sink), Arc::clone(&bytes)))
            .transpose()?;
        let streams = Semaphore::new(limits.streams);
        Ok(Self { run: Arc::new(Run { routes: config.routes, limits, sink: config.sink, bytes, model, streams }) })
    }

    /// Whether [`Egress::new`] would take this, without reading anything of the host: what cannot be used is refused before a
    /// run is made, and before it is written down.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn check(routes: &[Route], model: &ModelConfig) -> Result<(), ConfigError> {
        decide::check(routes)?;
        Gateway::check(model)
    }

    /// Asks a model a question of the host itself, on the run's budget. The deadline is the caller's: dropping this gives up.
    ///
    /// # Errors
    /// [`AskError`]; an error of the endpoint is a [`Reply`] with its status.
    pub async fn ask(&self, question: Question) -> Result<Reply, AskError> {
        match &self.run.model {
            Some(model) => model.ask(question).await,
            None => Err(AskError::NoModel),
        }
    }

    /// Handles one stream to its end. Dropping the future ends the stream; its record is still written.
    ///
    /// Streams that the guest does not open (control and the agent's stdio) are refused.
    pub async fn serve<S>(&self, open: Open, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let run = &self.run;
        let Ok(_slot) = run.streams.try_acquire() else {
            return turn_away(run, &open, Refusal::TooManyStreams, stream).await;
        };
        let (stream, activity) = Watched::new(stream);
        let handled = async {
            match (open, &run.model) {
                (Open::Proxy, _) => proxy::serve(run, stream).await,
                (Open::Named { host, port }, _) => named::serve(run, host, port, stream).await,
                (Open::Model, Some(gateway)) => gateway.serve(stream).await,
                (open @ Open::Model, None) => turn_away(run, &open, Refusal::NoModel, stream).await,
                (open @ (Open::Control | Open::Stdin { .. } | Open::Stdout { .. } | Open::Stderr { .. }), _) => {
                    turn_away(run, &open, Refusal::WrongStream, stream).await
                }
            }
        };
        tokio::select! {
            () = handled => {}
            () = activity.idle_for(run.limits.idle) => {}
        }
    }
}

/// Refuses a whole stream; a program that speaks HTTP gets an answer.
async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(run: &Run, open: &Open, refusal: Refusal, stream: S) {
    let (reader, writer) = split(stream);
    match open {
        Open::Proxy => proxy::refuse(run.audit("proxy-http", "?"), refusal, Reader::new(reader), writer).await,
        Open::Model => proxy::refuse(run.audit("model", "/"), refusal, Reader::new(reader), writer).await,
        Open::Named { host, port } => run.audit("named", &format!("{host}:{port}")).refuse(&refusal),
        Open::Control | Open::Stdin { .. } | Open::Stdout { .. } | Open::Stderr { .. } => {
            run.audit("named", "a stream that is not for the egress").refuse(&refusal);
        }
    }
}
