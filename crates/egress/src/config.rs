//! What the engine passes in, and why it can be refused.

use crate::{
    authority::{AuthorityError, KeptAuthority},
    limits::Limits,
    model::{Spent, TokenStore},
    observer::Observer,
    scan::Secrets,
};
use std::{collections::BTreeMap, sync::Arc};
use types::{
    budget::{Cap, TokenCaps},
    host::Endpoint,
    id::SecretName,
    profile::{ModelPrice, ServerSide},
    replay::Replay,
    route::Route,
    secret::Secret,
};
use url::Url;

/// Everything that one run's egress needs.
pub struct Config {
    /// What may be reached. Empty means nothing.
    pub routes: Vec<Route>,
    /// Credentials and the run's own certificate authority.
    pub keys: Keys,
    /// The model gateway; without it, model streams are refused.
    pub model: Option<ModelConfig>,
    /// Caps and deadlines.
    pub limits: Limits,
    /// Who hears what happened.
    pub sink: Arc<dyn Observer>,
    /// What must not come back. The credentials of the model endpoints are added to it.
    pub secrets: Secrets,
}

/// What only the host holds.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Whom programs inside trust for decrypted endpoints; needed when there is one.
    pub authority: Option<KeptAuthority>,
    /// Credentials by the name that routes use.
    pub credentials: BTreeMap<SecretName, RouteCredential>,
    /// Credentials for the repositories behind an endpoint.
    pub git: BTreeMap<Endpoint, RouteCredential>,
    /// What stands inside in place of credentials; worthless, and a finding wherever it turns up on a decrypted route.
    pub placeholders: Vec<Secret>,
    /// Certificate authorities, PEM, that endpoints of decrypted routes are checked by, beside those of the host.
    pub roots: Vec<String>,
}

/// A credential that is added to the requests of a route.
#[derive(Clone, Debug)]
pub struct RouteCredential {
    /// The header field.
    pub header: String,
    /// Its whole value.
    pub value: Secret,
    /// The secret within the value, which must not come back.
    pub secret: Secret,
}

/// The model gateway's policy.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// Who answers.
    pub backend: Backend,
    /// Who answers the host's own questions ([`crate::Egress::ask`]); none for the backend.
    pub own: Option<UpstreamConfig>,
    /// Models that may be asked for. An entry also stands for its dated ids (`<entry>-YYYYMMDD`). Empty means none.
    pub models: Vec<String>,
    /// What the run may take.
    pub budget: Budget,
    /// What it took before, under other processes.
    pub spent: Spent,
    /// Prices beside and before the built-in ones.
    pub prices: Vec<ModelPrice>,
    /// What becomes of requests that make the endpoint fetch or run something itself.
    pub server_side: ServerSide,
    /// Keeps what is answered as a conversation that can be played, going on from this one.
    pub record: Option<Replay>,
}

impl ModelConfig {
    /// A gateway for these models, without limits.
    #[must_use]
    pub fn new(backend: Backend, models: Vec<String>) -> Self {
        Self {
            backend,
            own: None,
            models,
            budget: Budget::default(),
            spent: Spent::default(),
            prices: Vec::new(),
            server_side: ServerSide::Deny,
            record: None,
        }
    }
}

/// What one run may take. A request that begins below every limit is completed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// US dollars.
    pub usd: Option<f64>,
    /// Tokens by class.
    pub tokens: TokenCaps,
    /// Answers of the model to the agent.
    pub turns: Cap,
    /// Requests, the host's own included.
    pub requests: Cap,
}

/// Who answers the agent's model requests.
#[derive(Clone, Debug)]
pub enum Backend {
    /// A Messages API endpoint.
    Upstream(UpstreamConfig),
    /// A scripted conversation.
    Replay(Replay),
}

/// A Messages API endpoint named by the operator; it may be an internal one.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// `https://host[:port][/prefix]`; `http://` only for internal addresses, so that a credential never crosses the
    /// internet in the clear.
    pub url: Url,
    /// What the gateway adds.
    pub credential: Credential,
}

/// The operator's credential for the model endpoint. It shows as `***`.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Sent as `x-api-key`.
    ApiKey(Secret),
    /// Sent as `authorization: Bearer`, with the beta that it needs.
    OAuth(Secret),
    /// An OAuth token that is refreshed here.
    Refreshed(RefreshConfig),
    /// Sent as `authorization: Bearer`, as it is.
    Bearer(Secret),
    /// None, for a local model.
    None,
}

/// An OAuth token that expires.
#[derive(Clone, Debug)]
pub struct RefreshConfig {
    /// Where the tokens are kept.
    pub store: Arc<dyn TokenStore>,
    /// The vendor's token endpoint: `https://…`, or `http://` for internal addresses.
    pub endpoint: Url,
    /// As whom we ask it.
    pub client_id: String,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Two routes for one endpoint that say different things.
    #[error("two routes for {endpoint} differ in kind or address")]
    ConflictingRoutes {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// A route's credential cannot stand in a header.
    #[error("the credential for the header `{header}` is empty or cannot be sent in it")]
    RouteCredential {
        /// The header field.
        header: String,
    },
    /// A route names a secret that is not there.
    #[error("the route to {endpoint} names the secret `{name}`, which is not in [secrets]")]
    UnknownSecret {
        /// The endpoint.
        endpoint: Endpoint,
        /// The name.
        name: SecretName,
    },
    /// A decrypted route without an authority for it.
    #[error("the route to {endpoint} is decrypted, and the run has no certificate authority")]
    NoAuthority {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A text that holds no certificate.
    #[error("a certificate authority of the operator cannot be read")]
    Roots,
    /// The endpoint's URL cannot be used.
    #[error("model endpoint `{url}` cannot be used: {reason}")]
    Upstream {
        /// The URL without credentials.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The credential is empty or holds a byte that a header cannot carry.
    #[error("the model credential is empty or cannot be sent in a header")]
    Credential,
    /// The token endpoint cannot be used.
    #[error("token endpoint `{url}` cannot be used: use https, host, port and path, and name a client id")]
    TokenEndpoint {
        /// The URL without credentials.
        url: String,
    },
    /// The budget is not a positive number.
    #[error("the model budget must be a positive number of dollars")]
    Budget,
    /// A price that is no amount of money.
    #[error("the price of the model `{model}` is not a number of dollars from 0 on")]
    Price {
        /// The model.
        model: String,
    },
    /// No certificate authority of the host could be read.
    #[error("no trusted certificate authority was found on this host ({errors} errors)")]
    NoRoots {
        /// How many certificate files failed.
        errors: usize,
    },
    /// The TLS library refused its own defaults.
    #[error("the TLS client could not be set up")]
    Tls(#[source] rustls::Error),
}
