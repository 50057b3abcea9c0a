//! Weak spots of what is in force: what a route cannot keep in, in plain words. Nothing here knows hosts by name; what is said follows
//! from the kind of a route and from what lies behind it.

use super::{
    allowing::passes,
    effective::Effective,
    proposal::{Obstacle, Want},
};
use crate::routes::repository_of;
use serde::Serialize;
use std::{fmt, net::SocketAddr};
use types::{
    host::{Endpoint, is_internal},
    id::SecretName,
    path::NormalPath,
    profile::Profile,
    route::{Method, Route, RouteKind, Scheme},
};

/// The port of DNS over TLS (RFC 7858).
const DNS_OVER_TLS: u16 = 853;
/// Methods that carry nothing up but their path and query (RFC 9110, 9.2.1).
pub(super) const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// A weak spot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "weakness", rename_all = "kebab-case")]
pub enum Weakness {
    /// Requests in a tunnel are not looked at.
    Tunnels {
        /// Where the tunnels lead.
        endpoints: Vec<Endpoint>,
    },
    /// A remote lies behind a tunnel.
    TunnelToForge {
        /// Where it leads.
        endpoint: Endpoint,
        /// The remote's name.
        remote: String,
    },
    /// The model's endpoint lies behind a route of the operator.
    BesideTheGateway {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// A tunnel for name lookups.
    NameLookups {
        /// Where it leads.
        endpoint: Endpoint,
    },
    /// Not encrypted.
    PlainText {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The operator named an internal address.
    InternalAddress {
        /// The endpoint.
        endpoint: Endpoint,
        /// The address.
        address: SocketAddr,
    },
    /// Requests are looked at, and all methods pass.
    AnyMethod {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// A remote's endpoint, where requests to other repositories pass.
    GitBeside {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// A credential that opens every path.
    AnyPathWithCredential {
        /// The endpoint.
        endpoint: Endpoint,
        /// The secret.
        credential: SecretName,
    },
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnels { endpoints } => {
                let listed = endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "{listed}: what passes a tunnel is not looked at. Whoever has an account or a page behind the name can be sent data, \
                     and where one name serves many owners that is anyone; --methods GET,HEAD and --path have each request decided"
                )
            }
            Self::TunnelToForge { endpoint, remote } => write!(
                f,
                "{endpoint}: the remote `{remote}` lies behind this tunnel, which cannot tell repositories apart: anything there can be \
                 fetched, and pushed with any account. Without the entry the remote has a route of its own, for its repository alone"
            ),
            Self::BesideTheGateway { endpoint } => write!(
                f,
                "{endpoint}: the model's own endpoint. Requests pass beside the gateway, with anyone's key, and so do uploads to anyone's \
                 account; the gateway needs no entry"
            ),
            Self::NameLookups { endpoint } => {
                write!(
                    f,
                    "{endpoint}: port {DNS_OVER_TLS} looks up names over TLS, and a looked up name can carry data to whoever owns it"
                )
            }
            Self::PlainText { endpoint } => {
                write!(f, "{endpoint}: plain HTTP can be read and changed on its way; what is fetched may be anyone's")
            }
            Self::InternalAddress { endpoint, address } => {
                write!(
                    f,
                    "{endpoint}: leads to the internal address {address}, so that only the entry's rules stand before that service"
                )
            }
            Self::AnyMethod { endpoint } => {
                write!(
                    f,
                    "{endpoint}: every method passes, and with it uploads; --methods GET,HEAD is enough for reading"
                )
            }
            Self::GitBeside { endpoint } => write!(
                f,
                "{endpoint}: the entry's own rules let git push to any repository there, with any account; leave POST out, or name paths \
                 that are none of a repository"
            ),
            Self::AnyPathWithCredential { endpoint, credential } => write!(
                f,
                "{endpoint}: the secret `{credential}` is added on every path, so that a run may do there whatever the secret may; --path narrows it"
            ),
        }
    }
}

impl Weakness {
    /// The weakness as far as it is one of routes to these endpoints.
    #[must_use]
    pub fn only(self, wanted: &[Endpoint]) -> Option<Self> {
        let is_wanted = match &self {
            Self::Tunnels { endpoints } => {
                let endpoints: Vec<_> =
                    endpoints.iter().filter(|endpoint| wanted.contains(endpoint)).cloned().collect();
                return (!endpoints.is_empty()).then_some(Self::Tunnels { endpoints });
            }
            Self::TunnelToForge { endpoint, .. }
            | Self::BesideTheGateway { endpoint }
            | Self::NameLookups { endpoint }
            | Self::PlainText { endpoint }
            | Self::InternalAddress { endpoint, .. }
            | Self::AnyMethod { endpoint }
            | Self::GitBeside { endpoint }
            | Self::AnyPathWithCredential { endpoint, .. } => wanted.contains(endpoint),
        };
        is_wanted.then_some(self)
    }
}

/// The weak spots of what is in force.
#[must_use]
pub fn weak_spots(profile: &Profile, effective: &Effective) -> Vec<Weakness> {
    let mut all = Vec::new();
    let routes = effective.routes();
    let is_tunnel = |route: &&Route| route.kind == RouteKind::Tls;
    let endpoints: Vec<_> = routes.iter().filter(is_tunnel).map(|route| route.endpoint.clone()).collect();
    for remote in effective.remotes.iter().filter(|_| profile.git.fetch) {
        if let Some((endpoint, _)) = repository_of(profile, remote)
            && endpoints.contains(&endpoint)
        {
            all.push(Weakness::TunnelToForge { endpoint, remote: remote.name.clone() });
        }
    }
    let model = routes.iter().find(|route| route.kind == RouteKind::Model).map(|route| &route.endpoint);
    for route in &routes {
        let (endpoint, rules) = (|| route.endpoint.clone(), &route.rules);
        if route.kind == RouteKind::Model {
            continue;
        }
        if model == Some(&route.endpoint) {
            all.push(Weakness::BesideTheGateway { endpoint: endpoint() });
        }
        if route.kind == RouteKind::Tls && route.endpoint.port == DNS_OVER_TLS {
            all.push(Weakness::NameLookups { endpoint: endpoint() });
        }
        if route.scheme == Scheme::Http {
            all.push(Weakness::PlainText { endpoint: endpoint() });
        }
        if let Some(address) = route.address.filter(|address| is_internal(address.ip())) {
            all.push(Weakness::InternalAddress { endpoint: endpoint(), address });
        }
        let is_shut = rules.paths.as_ref().is_some_and(Vec::is_empty);
        if route.kind == RouteKind::Http && rules.methods.is_none() && !is_shut {
            all.push(Weakness::AnyMethod { endpoint: endpoint() });
        }
        if !rules.repositories.is_empty() && passes(&route.endpoint, route.scheme, &foreign_push(), &routes) {
            all.push(Weakness::GitBeside { endpoint: endpoint() });
        }
        if let Some(credential) = rules.credential.clone().filter(|_| rules.paths.is_none()) {
            all.push(Weakness::AnyPathWithCredential { endpoint: endpoint(), credential });
        }
    }
    if !endpoints.is_empty() {
        all.push(Weakness::Tunnels { endpoints });
    }
    all
}

/// What git would send to push to a repository that is none of the recorded ones.
fn foreign_push() -> Want {
    let request = Method::parse("POST").ok().zip(NormalPath::parse("/someone/else/git-receive-pack").ok());
    Want { request, obstacle: Obstacle::Path }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::testing::{profile, remote};

    fn found(entry: &str) -> Vec<String> {
        let profile = profile(&format!("[trust]\nendpoints = [{entry}]\n[secrets.api]\nsource = 'env:X'\n"));
        let remotes = vec![remote("origin", "https://forge.example/acme/app.git")];
        let effective = Effective::of(&profile, remotes, Vec::new()).expect("effective");
        let name = |weakness: &Weakness| {
            serde_json::to_value(weakness).expect("json")["weakness"].as_str().expect("name").to_owned()
        };
        weak_spots(&profile, &effective).iter().map(name).collect()
    }

    #[test]
    fn each_weak_spot_is_found_and_nothing_else() {
        for (entry, wanted) in [
            ("", &[][..]),
            ("{endpoint='a.example', methods=['GET'], query=false}", &[]),
            ("{endpoint='a.example', paths=[]}", &[]),
            ("'a.example'", &["tunnels"]),
            ("'forge.example'", &["tunnel-to-forge", "tunnels"]),
            ("{endpoint='forge.example', methods=['GET']}", &[]),
            ("{endpoint='forge.example', methods=['GET', 'POST']}", &["git-beside"]),
            ("{endpoint='forge.example', methods=['GET', 'POST'], paths=['/api/**']}", &[]),
            ("'api.anthropic.com'", &["beside-the-gateway", "tunnels"]),
            ("'dns.example:853'", &["name-lookups", "tunnels"]),
            ("{endpoint='http://a.example', methods=['GET']}", &["plain-text"]),
            ("'http://a.example'", &["plain-text", "any-method"]),
            ("{endpoint='a.example', methods=['GET'], address='10.0.0.5:443'}", &["internal-address"]),
            ("{endpoint='a.example', methods=['GET'], address='8.8.8.8:443'}", &[]),
            ("{endpoint='a.example', query=false}", &["any-method"]),
            ("{endpoint='a.example', methods=['GET'], credential='api'}", &["any-path-with-credential"]),
            ("{endpoint='a.example', methods=['GET'], paths=['/v1/**'], credential='api'}", &[]),
        ] {
            assert_eq!(found(entry), wanted, "{entry}");
        }
    }
}
