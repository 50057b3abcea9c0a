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
use url::Url;

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
    let url = Url::parse(&profile.model.upstream)
        .map_err(|_| EngineError::Upstream { url: redact_url(&profile.model.upstream) })?;
    let found = credential::find(&profile.model.credentials, |name| std::env::var(name).ok())?;
    let credential = sent(found, || refreshed_at(&profile.model))?;
    Ok(Backend::Upstream(UpstreamConfig { url, credential }))
}

/// A scripted conversation.
fn conversation(path: &Path) -> Result<Replay, EngineError> {
    let text = fs::read_to_string(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })?;
    Replay::parse(&text).map_err(|source| EngineError::Replay { path: path.to_owned(), source })
}

/// A token endpoint, and as whom it is asked.
type RefreshedAt = (Url, String);

fn sent(
    found: ModelCredential,
    refreshed_at: impl FnOnce() -> Result<RefreshedAt, EngineError>,
) -> Result<Credential, EngineError> {
    Ok(match found {
        ModelCredential::ApiKey(secret) => Credential::ApiKey(secret),
        ModelCredential::OAuth(secret) => Credential::OAuth(secret),
        ModelCredential::Bearer(secret) => Credential::Bearer(secret),
        ModelCredential::Refreshed(store) => {
            let (endpoint, client_id) = refreshed_at()?;
            Credential::Refreshed(RefreshConfig { store, endpoint, client_id })
        }
    })
}

/// Where the agent's tokens are refreshed.
fn refreshed_at(profile: &ModelProfile) -> Result<RefreshedAt, EngineError> {
    let endpoint = token_endpoint("model.token-endpoint", &profile.token_endpoint)?;
    Ok((endpoint, profile.token_client_id.clone()))
}

/// Where the classifier's are, whose own endpoint is at `url`. A refresh token goes to no provider but its own.
fn own_refreshed_at(profile: &ClassifierProfile, url: &Url, model: &ModelProfile) -> Result<RefreshedAt, EngineError> {
    let is_the_agent_s = Url::parse(&model.upstream).is_ok_and(|upstream| upstream.origin() == url.origin());
    match (profile.token_endpoint.as_str(), profile.token_client_id.as_str()) {
        ("", "") if is_the_agent_s => refreshed_at(model),
        ("", _) | (_, "") => Err(EngineError::ClassifierTokens),
        (endpoint, id) => Ok((token_endpoint("gate.classifier.token-endpoint", endpoint)?, id.to_owned())),
    }
}

fn token_endpoint(key: &'static str, text: &str) -> Result<Url, EngineError> {
    Url::parse(text).map_err(|_| EngineError::TokenEndpoint { key, url: redact_url(text) })
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
    let url = Url::parse(text).map_err(|_| unusable())?;
    let credential = if profile.credential.is_empty() {
        Credential::None
    } else {
        let found = credential::find(std::slice::from_ref(&profile.credential), |name| std::env::var(name).ok())?;
        match (profile.kind, sent(found, || own_refreshed_at(profile, &url, model))?) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::testing::profile;

    /// Where the classifier's credential is refreshed under these settings.
    fn refreshed_at(credential: &str, classifier: &str, model: &str) -> Result<Option<RefreshedAt>, EngineError> {
        let text = format!("[gate.classifier]\ncredential = '{credential}'\n{classifier}\n[model]\n{model}\n");
        let profile = profile(&text);
        let own = own(&profile.gate.classifier, &profile.model)?.expect("an endpoint of its own");
        Ok(match own.credential {
            Credential::Refreshed(config) => Some((config.endpoint, config.client_id)),
            Credential::ApiKey(_) | Credential::OAuth(_) | Credential::Bearer(_) | Credential::None => None,
        })
    }

    #[test]
    fn a_refresh_token_goes_to_its_own_provider_only() {
        let file = tempfile::NamedTempFile::new().expect("file");
        fs::write(file.path(), r#"{"accessToken":"access-of-other","refreshToken":"refresh-of-other"}"#)
            .expect("write");
        let oauth = format!("oauth file:{}", file.path().display());
        let at = |classifier: &str, model: &str| {
            refreshed_at(&oauth, classifier, model).map(|at| at.map(|(url, id)| (url.to_string(), id)))
        };
        let other = "url = 'https://other.example/v1'";
        let model = "token-endpoint = 'https://auth.example/token'\ntoken-client-id = 'agent'";
        let own = "token-endpoint = 'https://auth.other.example/t'";
        for without in ["", own, "token-client-id = 'own'"] {
            let found = at(&format!("{other}\n{without}"), model);
            assert!(matches!(found, Err(EngineError::ClassifierTokens)), "{without}: {found:?}");
        }
        let both = format!("{own}\ntoken-client-id = 'own'");
        let own = Some(("https://auth.other.example/t".to_owned(), "own".to_owned()));
        assert_eq!(at(&format!("{other}\n{both}"), model).expect("its own"), own);
        let same = "url = 'https://api.anthropic.com'";
        let agent_s = Some(("https://auth.example/token".to_owned(), "agent".to_owned()));
        assert_eq!(at(same, model).expect("the agent's"), agent_s);
        assert_eq!(at(&format!("{same}\n{both}"), model).expect("its own"), own);
        let bad = at(&format!("{other}\ntoken-endpoint = 'x'\ntoken-client-id = 'own'"), model);
        assert!(matches!(bad, Err(EngineError::TokenEndpoint { key: "gate.classifier.token-endpoint", .. })));
        let bearer = format!("bearer file:{}", file.path().display());
        assert_eq!(refreshed_at(&bearer, other, model).expect("nothing to refresh"), None);
    }
}
