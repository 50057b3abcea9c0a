//! What a run may reach: the operator's trusted endpoints and the remotes that the repository had when the run began. Pure.

use crate::error::EngineError;
use repo::Remote;
use serde::Serialize;
use types::{
    host::Endpoint,
    path::InvalidPath,
    profile::Profile,
    route::{Repository, Route, RouteKind, Scheme},
};

/// Who a route comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// `trust.endpoints`.
    Endpoints,
    /// A remote of the repository, by its name.
    Remote(String),
    /// `model.upstream`.
    Model,
}

/// A route, and who it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The route.
    #[serde(flatten)]
    pub route: Route,
    /// One or more.
    pub origins: Vec<Origin>,
}

/// The routes of a run.
pub(crate) fn routes(profile: &Profile, remotes: &[Remote]) -> Result<Vec<Route>, EngineError> {
    Ok(listed(profile, remotes)?.into_iter().map(|listed| listed.route).collect())
}

/// The routes of a run with their origins. Where the operator trusts a remote's endpoint as a tunnel, git goes through the tunnel like
/// everything else; where requests are looked at, git's stand beside what his rules carry.
pub(crate) fn listed(profile: &Profile, remotes: &[Remote]) -> Result<Vec<Listed>, EngineError> {
    let mut all: Vec<Listed> = Vec::new();
    for entry in &profile.trust.endpoints {
        all.push(Listed { route: entry.route()?, origins: vec![Origin::Endpoints] });
    }
    if !profile.git.fetch {
        return Ok(all);
    }
    for remote in remotes {
        // A remote whose URL has no form that can be decided on has no route.
        let Some((endpoint, Ok(repository))) = repository_of(profile, remote) else { continue };
        let origin = Origin::Remote(remote.name.clone());
        match all.iter_mut().find(|listed| listed.route.endpoint == endpoint) {
            None => {
                let mut route = Route::new(endpoint, RouteKind::Git, Scheme::Https);
                route.rules.repositories.push(repository);
                all.push(Listed { route, origins: vec![origin] });
            }
            Some(Listed { route, origins }) => match (route.kind, route.scheme) {
                (RouteKind::Git, _) | (RouteKind::Http, Scheme::Https) => {
                    if !route.rules.repositories.contains(&repository) {
                        route.rules.repositories.push(repository);
                    }
                    origins.push(origin);
                }
                (RouteKind::Tls | RouteKind::Model, _) | (RouteKind::Http, Scheme::Http) => {}
            },
        }
    }
    Ok(all)
}

/// The endpoint of a remote, and the repository behind it.
pub(crate) fn repository_of(profile: &Profile, remote: &Remote) -> Option<(Endpoint, Result<Repository, InvalidPath>)> {
    let url = url::Url::parse(&remote.url).ok()?;
    let endpoint = Endpoint::parse(&format!("{}:{}", url.host_str()?, url.port_or_known_default()?)).ok()?;
    Some((endpoint, Repository::at(url.path(), &profile.git.push)))
}

/// The endpoints behind which there are repositories.
pub(crate) fn forges(routes: &[Route]) -> impl Iterator<Item = &Endpoint> {
    routes.iter().filter(|route| !route.rules.repositories.is_empty()).map(|route| &route.endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        profile::{Layer, Resolved},
        source::Source,
    };

    fn profile(set: &[&str]) -> Profile {
        let default = include_str!("../../../profiles/default.toml");
        let mut layers = vec![Layer::parse(Source::Default, default).expect("default")];
        layers.extend(set.iter().map(|text| Layer::assignment(Source::Flag("set".into()), text).expect(text)));
        Resolved::new(&layers).expect("profile").profile
    }

    fn remote(name: &str, url: &str) -> Remote {
        Remote { name: name.to_owned(), url: url.to_owned() }
    }

    fn shown(set: &[&str], remotes: &[Remote]) -> Vec<String> {
        let show = |route: Route| {
            let below: Vec<_> = route.rules.repositories.iter().map(|repository| repository.path.clone()).collect();
            format!("{} {} {}", route.endpoint, route.kind.as_str(), below.join(","))
        };
        routes(&profile(set), remotes).expect("routes").into_iter().map(show).collect()
    }

    #[test]
    fn remotes_become_git_routes_for_those_repositories() {
        let remotes = [
            remote("origin", "https://forge.example/acme/app.git"),
            remote("upstream", "https://forge.example/upstream/app"),
            remote("other", "https://git.example:8443/x/y"),
        ];
        assert_eq!(
            shown(&[], &remotes),
            ["forge.example:443 git /acme/app,/upstream/app", "git.example:8443 git /x/y"]
        );
        assert!(shown(&["git.fetch=false"], &remotes).is_empty());
        assert!(shown(&[], &[]).is_empty());
    }

    #[test]
    fn the_operator_s_own_route_to_a_forge_stays_what_it_is() {
        let remotes = [remote("origin", "https://forge.example/acme/app.git")];
        assert_eq!(shown(&["trust.endpoints=['forge.example']"], &remotes), ["forge.example:443 tls "]);
        assert_eq!(
            shown(&["trust.endpoints=[{endpoint='forge.example', paths=['/api/**']}]"], &remotes),
            ["forge.example:443 http /acme/app"]
        );
    }

    #[test]
    fn a_push_is_to_the_operator_s_branches() {
        let remotes = [remote("origin", "https://forge.example/acme/app.git")];
        let push = |set: &[&str]| routes(&profile(set), &remotes).expect("routes")[0].rules.repositories[0].push.len();
        assert_eq!((push(&[]), push(&["git.push=['sandbox/*']"])), (0, 1));
    }
}
