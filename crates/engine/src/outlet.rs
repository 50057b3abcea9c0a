//! The way out of one run: its routes, the model's backend, and the credentials that only the egress holds.

use crate::{
    classifier,
    credential::{self, ModelCredential},
    error::EngineError,
    keys,
    paths::AttemptPaths,
    plan::AttemptPlan,
    redact,
    routes::routes,
    surroundings::Surroundings,
    watch::Watch,
};
use egress::{Backend, Budget, Config, Credential, Egress, Keys, Limits, ModelConfig, RefreshConfig, UpstreamConfig};
use std::{fs, path::Path, sync::Arc};
use types::{
    profile::{ClassifierProfile, Dialect, ModelProfile, Profile},
    replay::Replay,
    route::Route,
    secret::redact_url,
};

/// The way out of a run, the same for its containers.
pub(crate) struct WayOut {
    /// What may be reached.
    pub(crate) routes: Vec<Route>,
    /// What the containers are told.
    pub(crate) surroundings: Surroundings,
    keys: Keys,
}

impl WayOut {
    /// Finds the run's credentials, and makes or takes up its certificate authority.
    pub(crate) fn new(plan: &AttemptPlan, files: &AttemptPaths) -> Result<Self, EngineError> {
        let routes = routes(&plan.profile, &plan.remotes)?;
        let mut keys = keys::keys(&plan.profile, &routes, &plan.placeholders, &plan.placeholder)?;
        keys.authority = keys::authority(files, &routes)?;
        let authority = keys.authority.as_ref().map(|kept| kept.certificate.clone());
        let surroundings = Surroundings::new(&plan.profile, &routes, &plan.placeholders, authority);
        Ok(Self { routes, surroundings, keys })
    }

    /// The egress of a container. Without a backend there is no model route: `verify` needs none. What the model answers is kept
    /// where `record` says so, going on from what is there.
    pub(crate) fn egress(
        &self,
        profile: &Profile,
        backend: Option<Backend>,
        record: Option<&Path>,
        watch: Arc<Watch>,
    ) -> Result<Egress, EngineError> {
        let model = backend.map(|backend| {
            let mut model = model(profile, backend)?;
            // What earlier processes of the run spent is spent.
            model.spent = watch.totals().spent();
            model.record = match record {
                Some(path) if path.exists() => Some(conversation(path)?),
                Some(_) => Some(Replay::blank()),
                None => None,
            };
            Ok::<_, EngineError>(model)
        });
        let limits = Limits {
            requests: profile.trust.requests_max,
            bytes_up: profile.trust.upload_max.bytes(),
            bytes_down: profile.trust.download_max.bytes(),
            ..Limits::default()
        };
        let (routes, keys) = (self.routes.clone(), self.keys.clone());
        let (model, secrets) = (model.transpose()?, redact::known());
        Ok(Egress::new(Config { routes, keys, model, limits, sink: watch, secrets })?)
    }
}

/// Who answers the agent's model requests: the scripted conversation, or the operator's endpoint with its credential.
pub(crate) fn backend(profile: &Profile, replay: Option<&Path>) -> Result<Backend, EngineError> {
    if let Some(path) = replay {
        return Ok(Backend::Replay(conversation(path)?));
    }
    let url = url::Url::parse(&profile.model.upstream)
        .map_err(|_| EngineError::Upstream { url: redact_url(&profile.model.upstream) })?;
    let found = credential::find(&profile.model.credentials, |name| std::env::var(name).ok())?;
    Ok(Backend::Upstream(UpstreamConfig { url, credential: sent(found, &profile.model)? }))
}

/// A scripted conversation.
fn conversation(path: &Path) -> Result<Replay, EngineError> {
    let text = fs::read_to_string(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })?;
    Replay::parse(&text).map_err(|source| EngineError::Replay { path: path.to_owned(), source })
}

fn sent(found: ModelCredential, profile: &ModelProfile) -> Result<Credential, EngineError> {
    Ok(match found {
        ModelCredential::ApiKey(secret) => Credential::ApiKey(secret),
        ModelCredential::OAuth(secret) => Credential::OAuth(secret),
        ModelCredential::Bearer(secret) => Credential::Bearer(secret),
        ModelCredential::Refreshed(store) => {
            let endpoint = url::Url::parse(&profile.token_endpoint)
                .map_err(|_| EngineError::TokenEndpoint { url: redact_url(&profile.token_endpoint) })?;
            Credential::Refreshed(RefreshConfig { store, endpoint, client_id: profile.token_client_id.clone() })
        }
    })
}

/// Refuses what [`WayOut`] would refuse but for the remotes, before anything of the run is made or written down.
pub(crate) fn check(profile: &Profile, backend: &Backend) -> Result<(), EngineError> {
    let routes = routes(profile, &[])?;
    let mut keys = keys::keys(profile, &routes, &keys::placeholders(&routes), "")?;
    if let Some(route) = routes.iter().find(|route| route.is_intercepted()) {
        keys.authority = Some(egress::KeptAuthority::make([&route.endpoint.host])?);
    }
    Ok(Egress::check(&routes, &keys, &model(profile, backend.clone())?)?)
}

/// The model gateway of a profile.
pub(crate) fn model(profile: &Profile, backend: Backend) -> Result<ModelConfig, EngineError> {
    let limits = &profile.limits;
    let own = if classifier::is_wanted(profile) { own(&profile.gate.classifier, &profile.model)? } else { None };
    Ok(ModelConfig {
        own,
        budget: Budget {
            usd: Some(limits.max_budget_usd),
            tokens: limits.max_tokens,
            turns: types::budget::Cap::at(limits.max_turns.into()),
            requests: limits.max_requests,
        },
        prices: profile.model.prices.clone(),
        server_side: profile.model.server_side,
        ..ModelConfig::new(backend, profile.model.models.clone())
    })
}

/// The classifier's own endpoint, if it has one. The agent's credential never goes there.
fn own(profile: &ClassifierProfile, model: &ModelProfile) -> Result<Option<UpstreamConfig>, EngineError> {
    if profile.url.is_empty() {
        return Ok(None);
    }
    let unusable = || EngineError::ClassifierUrl { url: redact_url(&profile.url) };
    // Base URLs of chat completions are often written with the version.
    let text = profile.url.trim_end_matches('/').trim_end_matches("/v1");
    let url = url::Url::parse(text).map_err(|_| unusable())?;
    let credential = if profile.credential.is_empty() {
        Credential::None
    } else {
        let found = credential::find(std::slice::from_ref(&profile.credential), |name| std::env::var(name).ok())?;
        match (profile.kind, sent(found, model)?) {
            // There, a key is a bearer token.
            (Dialect::Openai, Credential::ApiKey(secret) | Credential::OAuth(secret) | Credential::Bearer(secret)) => {
                Credential::Bearer(secret)
            }
            (Dialect::Openai, credential @ (Credential::Refreshed(_) | Credential::None)) => credential,
            (Dialect::Messages, credential) => credential,
        }
    };
    Ok(Some(UpstreamConfig { url, credential }))
}

/// True when there is someone to ask for the gate: an endpoint, or a script that speaks for one.
pub(crate) fn answers_the_gate(profile: &Profile, backend: Option<&Backend>) -> bool {
    match backend {
        Some(Backend::Upstream(_)) => true,
        Some(Backend::Replay(replay)) => !replay.classifier.is_empty() || !profile.gate.classifier.url.is_empty(),
        None => false,
    }
}
