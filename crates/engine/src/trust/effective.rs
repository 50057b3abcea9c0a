//! The routes that a run of a repository would have now, and who each comes from.

use crate::{
    error::EngineError,
    request::chosen,
    routes::{Listed, Origin, listed},
};
use repo::{Remote, RepoError, UserRepo};
use std::path::Path;
use types::{
    host::Endpoint,
    profile::Profile,
    route::{Route, RouteKind, Scheme},
};

/// What is in force.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The routes, the model's endpoint last.
    pub routes: Vec<Listed>,
    /// The repository's remotes, where there is one.
    pub remotes: Vec<Remote>,
    /// A line for each remote that has no route.
    pub notes: Vec<String>,
}

impl Effective {
    /// What a run of the repository that `directory` lies in would have; outside of a repository there are no remotes. A task can name
    /// the remotes that it wants, as `remotes`.
    ///
    /// # Errors
    /// [`EngineError`] when the settings are wrong or the repository cannot be read.
    pub async fn read(profile: &Profile, directory: &Path, remotes: Option<&[String]>) -> Result<Self, EngineError> {
        let (found, notes) = match UserRepo::discover(directory).await {
            Ok(user) => user.remotes().await?,
            Err(RepoError::NotFound { .. }) if remotes.is_none() => (Vec::new(), Vec::new()),
            Err(error) => return Err(error.into()),
        };
        Self::of(profile, chosen(found, remotes)?, notes)
    }

    /// Refuses settings that no run could have: an endpoint with two meanings, or a credential that is not in `[secrets]`. Nothing of the
    /// host is looked at.
    ///
    /// # Errors
    /// [`EngineError::Trust`], [`EngineError::Egress`]
    pub fn check(profile: &Profile) -> Result<(), EngineError> {
        for Listed { route, .. } in Self::of(profile, Vec::new(), Vec::new())?.routes {
            if let Some(name) = route.rules.credential.filter(|name| !profile.secrets.contains_key(name)) {
                return Err(egress::ConfigError::UnknownSecret { endpoint: route.endpoint, name }.into());
            }
        }
        Ok(())
    }

    /// What a run with these remotes would have.
    ///
    /// # Errors
    /// [`EngineError`] when the settings are wrong.
    pub(super) fn of(profile: &Profile, remotes: Vec<Remote>, notes: Vec<String>) -> Result<Self, EngineError> {
        let mut routes = listed(profile, &remotes)?;
        egress::decide::check(&routes.iter().map(|listed| listed.route.clone()).collect::<Vec<_>>())?;
        if let Some(endpoint) = model_endpoint(profile) {
            let scheme = if profile.model.upstream.starts_with("http://") { Scheme::Http } else { Scheme::Https };
            let route = Route::new(endpoint, RouteKind::Model, scheme);
            routes.push(Listed { route, origins: vec![Origin::Model] });
        }
        Ok(Self { routes, remotes, notes })
    }

    /// The routes alone.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        self.routes.iter().map(|listed| listed.route.clone()).collect()
    }

    /// The listed route to an endpoint, as it is decided.
    #[must_use]
    pub fn to(&self, endpoint: &Endpoint) -> Option<&Listed> {
        self.routes.iter().find(|listed| listed.route.endpoint == *endpoint)
    }
}

/// Name and port of the model's endpoint, where it has a name.
fn model_endpoint(profile: &Profile) -> Option<Endpoint> {
    let url = url::Url::parse(&profile.model.upstream).ok()?;
    Endpoint::parse(&format!("{}:{}", url.host_str()?, url.port_or_known_default()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::testing::{profile, remote};

    #[test]
    fn routes_come_with_their_origins() {
        let profile =
            profile("[trust]\nendpoints = ['http://mirror.example', {endpoint='forge.example', methods=['GET']}]\n");
        let remotes =
            vec![remote("origin", "https://forge.example/acme/app.git"), remote("up", "https://up.example/a/b")];
        let effective = Effective::of(&profile, remotes, Vec::new()).expect("effective");
        let shown: Vec<_> = effective
            .routes
            .iter()
            .map(|listed| format!("{} {} {:?}", listed.route.endpoint, listed.route.kind.as_str(), listed.origins))
            .collect();
        assert_eq!(
            shown,
            [
                "mirror.example:80 http [Endpoints]",
                "forge.example:443 http [Endpoints, Remote(\"origin\")]",
                "up.example:443 git [Remote(\"up\")]",
                "api.anthropic.com:443 model [Model]"
            ]
        );
    }

    #[test]
    fn one_endpoint_with_two_meanings_is_refused() {
        let profile = profile("[trust]\nendpoints = ['a.example', {endpoint='a.example', methods=['GET']}]\n");
        assert!(matches!(Effective::check(&profile), Err(EngineError::Egress(_))));
    }

    #[test]
    fn a_credential_has_to_be_among_the_secrets() {
        let text = "[trust]\nendpoints = [{endpoint='a.example', credential='api'}]\n";
        assert!(matches!(Effective::check(&profile(text)), Err(EngineError::Egress(_))));
        assert!(Effective::check(&profile(&format!("{text}[secrets.api]\nsource = 'env:X'\n"))).is_ok());
    }

    #[tokio::test]
    async fn outside_of_a_repository_there_are_no_remotes() {
        let dir = tempfile::tempdir().expect("directory");
        let effective = Effective::read(&profile(""), dir.path(), None).await.expect("effective");
        assert!(effective.remotes.is_empty());
        let wanted = ["origin".to_owned()];
        assert!(Effective::read(&profile(""), dir.path(), Some(&wanted)).await.is_err(), "a task that wants one");
    }
}
