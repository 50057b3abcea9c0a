//! One stream from inside to its end: admission, the idle deadline, and the choice by the stream's header.

use crate::{
    audit::{Audit, RouteBytes, RunBytes},
    authority::Authority,
    config::{Config, ConfigError, Keys, ModelConfig, RouteCredential},
    decide,
    git::Pushed,
    http::{client::Reader, h1::refuse, keyed::Keyed},
    idle::Watched,
    limits::Limits,
    model::{AskError, Gateway, Question, Reply, native_roots, tls_config},
    named,
    observer::Observer,
    proxy,
    refusal::Refusal,
    scan::Scanner,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, split},
    sync::Semaphore,
};
use tokio_rustls::TlsConnector;
use types::{host::Endpoint, id::SecretName, route::Route, wire::Open};

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
    /// Who speaks for decrypted endpoints.
    pub(crate) authority: Option<Authority>,
    /// Finds what stands inside in place of credentials.
    pub(crate) placeholders: Arc<Scanner>,
    /// What the run created on its remotes.
    pub(crate) pushed: Arc<Pushed>,
    credentials: BTreeMap<SecretName, Keyed>,
    git: BTreeMap<Endpoint, Keyed>,
    meters: HashMap<Endpoint, Arc<RouteBytes>>,
    roots: RootCertStore,
    connector: OnceLock<Option<TlsConnector>>,
    requests: AtomicU64,
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

    /// Counts a connection or request.
    ///
    /// # Errors
    /// [`Refusal::Requests`] over the cap.
    pub(crate) fn count_request(&self) -> Result<(), Refusal> {
        let max = self.limits.requests;
        if self.requests.fetch_add(1, Ordering::Relaxed) < max { Ok(()) } else { Err(Refusal::Requests { max }) }
    }

    /// The credential that is added to a request on the route, for git or for anything else.
    pub(crate) fn keyed_for(&self, route: &Route, is_git: bool) -> Option<&Keyed> {
        if is_git {
            return self.git.get(&route.endpoint);
        }
        route.rules.credential.as_ref().and_then(|name| self.credentials.get(name))
    }

    /// What counts the bytes up of a route with a cap of its own.
    pub(crate) fn meter_of(&self, route: &Route) -> Option<Arc<RouteBytes>> {
        self.meters.get(&route.endpoint).map(Arc::clone)
    }

    /// Checks endpoints by the host's certificate authorities, which are read when they are needed first.
    ///
    /// # Errors
    /// [`Refusal::NoRoots`]
    pub(crate) fn connector(&self) -> Result<&TlsConnector, Refusal> {
        let made = || {
            let mut roots = native_roots().unwrap_or_else(|_| RootCertStore::empty());
            roots.extend(self.roots.roots.iter().cloned());
            let config = (!roots.is_empty()).then(|| tls_config(roots)).and_then(Result::ok)?;
            Some(TlsConnector::from(Arc::new(config)))
        };
        self.connector.get_or_init(made).as_ref().ok_or(Refusal::NoRoots)
    }
}

fn keyed(credential: &RouteCredential) -> Result<Keyed, ConfigError> {
    Keyed::new(&credential.header, &credential.value, &credential.secret)
}

/// The operator's certificate authorities.
fn own_roots(texts: &[String]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for text in texts {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            roots.add(certificate.map_err(|_| ConfigError::Roots)?).map_err(|_| ConfigError::Roots)?;
        }
        if roots.len() == before {
            return Err(ConfigError::Roots);
        }
    }
    Ok(roots)
}

/// Refuses routes that could not be carried with these keys.
fn check_keys(routes: &[Route], keys: &Keys) -> Result<(), ConfigError> {
    for route in routes {
        let endpoint = || route.endpoint.clone();
        if let Some(name) = route.rules.credential.as_ref().filter(|name| !keys.credentials.contains_key(name)) {
            return Err(ConfigError::UnknownSecret { endpoint: endpoint(), name: name.clone() });
        }
        if route.is_intercepted() && keys.authority.is_none() {
            return Err(ConfigError::NoAuthority { endpoint: endpoint() });
        }
    }
    own_roots(&keys.roots)?;
    keys.credentials.values().chain(keys.git.values()).try_for_each(|credential| keyed(credential).map(drop))
}

impl Egress {
    /// Checks the configuration and reads the host's certificate authorities where the model endpoint needs them. Does not
    /// connect to anything.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        decide::check(&config.routes)?;
        check_keys(&config.routes, &config.keys)?;
        let Keys { authority, credentials, git, placeholders, roots } = config.keys;
        let credentials = credentials.into_iter().map(|(name, value)| Ok((name, keyed(&value)?)));
        let git = git.into_iter().map(|(endpoint, value)| Ok((endpoint, keyed(&value)?)));
        let meters = config
            .routes
            .iter()
            .filter_map(|route| Some((route.endpoint.clone(), Arc::new(RouteBytes::new(route.rules.upload_max?)))));
        let meters = meters.collect();
        let limits = config.limits;
        let bytes = Arc::new(RunBytes::new(limits.bytes_up, limits.bytes_down));
        let model = config
            .model
            .map(|model| Gateway::new(model, &limits, Arc::clone(&config.sink), Arc::clone(&bytes)))
            .transpose()?;
        let streams = Semaphore::new(limits.streams);
        let run = Run {
            routes: config.routes,
            limits,
            authority: authority.as_ref().map(Authority::new).transpose()?,
            placeholders: Arc::new(Scanner::new(&placeholders)),
            pushed: Arc::default(),
            credentials: credentials.collect::<Result<_, ConfigError>>()?,
            git: git.collect::<Result<_, ConfigError>>()?,
            meters,
            roots: own_roots(&roots)?,
            connector: OnceLock::new(),
            requests: AtomicU64::new(0),
            sink: config.sink,
            bytes,
            model,
            streams,
        };
        Ok(Self { run: Arc::new(run) })
    }

    /// Whether [`Egress::new`] would take this, without reading anything of the host: what cannot be used is refused before a
    /// run is made, and before it is written down.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn check(routes: &[Route], keys: &Keys, model: &ModelConfig) -> Result<(), ConfigError> {
        decide::check(routes)?;
        check_keys(routes, keys)?;
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
                (
                    open @ (Open::Control
                    | Open::Stdin { .. }
                    | Open::Stdout { .. }
                    | Open::Stderr { .. }
                    | Open::Pressure),
                    _,
                ) => turn_away(run, &open, Refusal::WrongStream, stream).await,
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
        Open::Proxy => refuse(run.audit(proxy::HTTP, "?"), refusal, Reader::new(reader), writer).await,
        Open::Model => refuse(run.audit("model", "/"), refusal, Reader::new(reader), writer).await,
        Open::Named { host, port } => run.audit("named", &format!("{host}:{port}")).refuse(&refusal),
        Open::Control | Open::Stdin { .. } | Open::Stdout { .. } | Open::Stderr { .. } | Open::Pressure => {
            run.audit("named", "a stream that is not for the egress").refuse(&refusal);
        }
    }
}
