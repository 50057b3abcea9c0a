//! What may leave a run: routes made from the operator's settings. Deny is the absence of a route.

use crate::host::{Endpoint, InvalidEndpoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// How a route is carried and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// A TLS tunnel whose SNI must equal the asked name. Not decrypted.
    Tls,
    /// Plain HTTP, each request decided on its own.
    Http,
    /// The model gateway: credentials are added outside.
    Model,
}

/// One trusted endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Route {
    /// Name and port that the agent asks for.
    pub endpoint: Endpoint,
    /// How it is carried.
    pub kind: RouteKind,
    /// The address the operator pinned; it may be an internal one, because the operator named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

/// A trusted endpoint as the operator writes it: `"api.example.com"`, `"api.example.com:8443"`, `"http://mirror.example"`
/// or a table that also pins the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TrustEntry {
    /// Name with an optional scheme and port.
    Text(String),
    /// Name and the address to connect to instead of resolving it.
    Pinned(PinnedEntry),
}

/// A trusted endpoint with the address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PinnedEntry {
    /// As in [`TrustEntry::Text`].
    pub endpoint: String,
    /// Address and port to connect to.
    pub address: SocketAddr,
}

impl TrustEntry {
    /// The route the entry stands for.
    ///
    /// # Errors
    /// When the name, scheme or port is not one that can be decided on.
    pub fn route(&self) -> Result<Route, InvalidEndpoint> {
        let (text, address) = match self {
            Self::Text(text) => (text.as_str(), None),
            Self::Pinned(entry) => (entry.endpoint.as_str(), Some(entry.address)),
        };
        let (kind, rest) = match text.strip_prefix("http://") {
            Some(rest) => (RouteKind::Http, rest.strip_suffix('/').unwrap_or(rest)),
            None => (RouteKind::Tls, text),
        };
        let endpoint = match kind {
            RouteKind::Http if !rest.contains(':') => Endpoint::parse(&format!("{rest}:80"))?,
            RouteKind::Http | RouteKind::Tls | RouteKind::Model => Endpoint::parse(rest)?,
        };
        if is_own(endpoint.host.as_str()) {
            return Err(InvalidEndpoint::Own { host: endpoint.host });
        }
        Ok(Route { endpoint, kind, address })
    }
}

/// True for names that programs inside take for the container: the reserved ones (RFC 6761) and its host name.
fn is_own(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host == "sandbox"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_routes() {
        let route = |text: &str| TrustEntry::Text(text.into()).route();
        let plain = route("http://mirror.example/").expect("plain");
        assert_eq!((plain.kind, plain.endpoint.to_string()), (RouteKind::Http, "mirror.example:80".into()));
        let tls = route("Doc.Example:8443").expect("tls");
        assert_eq!((tls.kind, tls.endpoint.to_string()), (RouteKind::Tls, "doc.example:8443".into()));
        for bad in ["*", "*.example", "https://x.example/path", "10.0.0.1", "", "localhost:8443", "http://a.LocalHost"]
        {
            assert!(route(bad).is_err(), "{bad}");
        }
    }
}
