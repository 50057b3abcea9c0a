//! The way out of one run, made from the operator's profile: routes, the model's backend, and the credential that only the
//! egress holds.

use crate::{
    credential::{self, ModelCredential},
    error::EngineError,
    watch::Watch,
};
use egress::{Backend, Config, Credential, Egress, Limits, ModelConfig, UpstreamConfig};
use std::{fs, path::Path, sync::Arc};
use types::{profile::Profile, replay::Replay, route::Route, secret::redact_url};

/// The routes of the trusted endpoints.
pub(crate) fn routes(profile: &Profile) -> Result<Vec<Route>, EngineError> {
    profile.trust.endpoints.iter().map(|entry| entry.route().map_err(EngineError::from)).collect()
}

/// Who answers the agent's model requests: the scripted conversation, or the operator's endpoint with its credential.
pub(crate) fn backend(profile: &Profile, replay: Option<&Path>) -> Result<Backend, EngineError> {
    if let Some(path) = replay {
        let text = fs::read_to_string(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })?;
        let conversation =
            Replay::parse(&text).map_err(|source| EngineError::Replay { path: path.to_owned(), source })?;
        return Ok(Backend::Replay(conversation));
    }
    let url = url::Url::parse(&profile.model.upstream)
        .map_err(|_| EngineError::Upstream { url: redact_url(&profile.model.upstream) })?;
    let credential = match credential::find(&profile.model.credentials, |name| std::env::var(name).ok())? {
        ModelCredential::ApiKey(secret) => Credential::ApiKey(secret),
        ModelCredential::OAuth(secret) => Credential::OAuth(secret),
    };
    Ok(Backend::Upstream(UpstreamConfig { url, credential }))
}

/// The egress of a container. Without a backend there is no model route: `verify` needs none.
pub(crate) fn egress(profile: &Profile, backend: Option<Backend>, watch: Arc<Watch>) -> Result<Egress, EngineError> {
    let model = backend.map(|backend| {
        let mut model = model(profile, backend);
        // What earlier processes of the run spent is spent; an empty budget is none that the egress accepts.
        let left = profile.limits.max_budget_usd - watch.totals().cost_usd;
        model.budget_usd = Some(left.max(f64::MIN_POSITIVE));
        model
    });
    Ok(Egress::new(Config { routes: routes(profile)?, model, limits: Limits::default(), sink: watch })?)
}

/// Refuses what [`egress`] would refuse, before anything of the run is made or written down.
pub(crate) fn check(profile: &Profile, backend: &Backend) -> Result<(), EngineError> {
    Ok(Egress::check(&routes(profile)?, &model(profile, backend.clone()))?)
}

fn model(profile: &Profile, backend: Backend) -> ModelConfig {
    ModelConfig {
        backend,
        models: profile.model.models.clone(),
        budget_usd: Some(profile.limits.max_budget_usd),
        max_requests: None,
        allow_server_side: false,
    }
}
