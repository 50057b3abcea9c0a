//! Trusted endpoints as the operator writes them, and the routes that they stand for.

use crate::{
    host::{Endpoint, InvalidEndpoint},
    id::SecretName,
    path::PathPattern,
    route::{Method, Route, RouteKind, Rules, Scheme},
    size::ByteSize,
};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, net::SocketAddr};

/// A trusted endpoint: `"api.example.com"`, `"api.example.com:8443"`, `"http://mirror.example"`, or a table with more to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum TrustEntry {
    /// Name with an optional scheme and port.
    Text(String),
    /// Name, and how it is reached or what requests must be like.
    Detailed(Box<DetailedEntry>),
}

/// The long form of a trusted endpoint. Naming methods, paths, a query rule, WebSockets or a credential has each request decided on its
/// own, for which `https` is decrypted on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DetailedEntry {
    /// As in [`TrustEntry::Text`].
    pub endpoint: String,
    /// Address and port to connect to instead of resolving the name; it may be an internal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Methods that are carried; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<Method>>,
    /// Paths that are carried: `/v1/**`; all when absent, none when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<PathPattern>>,
    /// Whether a request may have a query; yes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<bool>,
    /// Whether WebSockets are carried; on a route whose requests are decided, no when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub websocket: Option<bool>,
    /// What may go up over the route in the whole run: `16MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_max: Option<ByteSize>,
    /// The secret of `[secrets]` that is added to each request outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretName>,
}

/// Derived, an untagged enum would say only that nothing matched.
impl<'de> Deserialize<'de> for TrustEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = TrustEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an endpoint, or a table with one")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TrustEntry, E> {
                Ok(TrustEntry::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TrustEntry, A::Error> {
                DetailedEntry::deserialize(MapAccessDeserializer::new(map))
                    .map(|entry| TrustEntry::Detailed(Box::new(entry)))
            }
        }

        deserializer.deserialize_any(EntryVisitor)
    }
}

impl TrustEntry {
    /// The endpoint's text, as written.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Detailed(entry) => &entry.endpoint,
        }
    }

    /// Takes the credential away unless it is one of these; requests are looked at all the same.
    pub(crate) fn without_others(&mut self, secrets: &[SecretName]) {
        if let Self::Detailed(entry) = self
            && entry.credential.as_ref().is_some_and(|name| !secrets.contains(name))
        {
            entry.credential = None;
            entry.query.get_or_insert(true);
        }
    }

    /// The route the entry stands for.
    ///
    /// # Errors
    /// When the name, scheme or port is not one that can be decided on.
    pub fn route(&self) -> Result<Route, InvalidEndpoint> {
        let (scheme, rest) = match self.endpoint().strip_prefix("http://") {
            Some(rest) => (Scheme::Http, rest.strip_suffix('/').unwrap_or(rest)),
            None => (Scheme::Https, self.endpoint()),
        };
        let endpoint = match scheme {
            Scheme::Http if !rest.contains(':') => Endpoint::parse(&format!("{rest}:80"))?,
            Scheme::Http | Scheme::Https => Endpoint::parse(rest)?,
        };
        if is_own(endpoint.host.as_str()) {
            return Err(InvalidEndpoint::Own { host: endpoint.host });
        }
        let tunnel = match scheme {
            Scheme::Https => RouteKind::Tls,
            Scheme::Http => RouteKind::Http,
        };
        let route = Route::new(endpoint, tunnel, scheme);
        Ok(match self {
            Self::Text(_) => route,
            Self::Detailed(entry) => Route {
                kind: if entry.is_decided() { RouteKind::Http } else { tunnel },
                address: entry.address,
                rules: entry.rules(),
                ..route
            },
        })
    }
}

impl DetailedEntry {
    /// The entry that says no more than the endpoint.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            address: None,
            methods: None,
            paths: None,
            query: None,
            websocket: None,
            upload_max: None,
            credential: None,
        }
    }

    /// True when each request has to be looked at.
    fn is_decided(&self) -> bool {
        self.methods.is_some()
            || self.paths.is_some()
            || self.query.is_some()
            || self.websocket.is_some()
            || self.credential.is_some()
    }

    fn rules(&self) -> Rules {
        Rules {
            methods: self.methods.clone(),
            paths: self.paths.clone(),
            no_query: self.query == Some(false),
            websocket: self.websocket == Some(true),
            upload_max: self.upload_max.map(ByteSize::bytes),
            credential: self.credential.clone(),
            repositories: Vec::new(),
        }
    }
}

/// True for names that programs inside take for the container: the reserved ones (RFC 6761) and its host name.
fn is_own(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host == "sandbox"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<TrustEntry, toml::de::Error> {
        #[derive(Deserialize)]
        struct One {
            entry: TrustEntry,
        }
        toml::from_str::<One>(&format!("entry = {text}")).map(|one| one.entry)
    }

    #[test]
    fn names_become_tunnels_and_plain_routes() {
        let route = |text: &str| TrustEntry::Text(text.into()).route();
        let plain = route("http://mirror.example/").expect("plain");
        assert_eq!(
            (plain.kind, plain.scheme, plain.endpoint.to_string()),
            (RouteKind::Http, Scheme::Http, "mirror.example:80".into())
        );
        assert!(!plain.is_intercepted());
        let tls = route("Doc.Example:8443").expect("tls");
        assert_eq!((tls.kind, tls.endpoint.to_string()), (RouteKind::Tls, "doc.example:8443".into()));
        for bad in ["*", "*.example", "https://x.example/path", "10.0.0.1", "", "localhost:8443", "http://a.LocalHost"]
        {
            assert!(route(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_looks_at_requests_is_decrypted() {
        let route = |text: &str| table(text).expect(text).route().expect(text);
        for tunnel in ["{endpoint='a.example'}", "{endpoint='a.example', address='10.0.0.1:443', upload-max='1MiB'}"] {
            assert_eq!(route(tunnel).kind, RouteKind::Tls, "{tunnel}");
        }
        for decided in [
            "{endpoint='a.example', methods=['GET']}",
            "{endpoint='a.example', paths=[]}",
            "{endpoint='a.example', query=true}",
            "{endpoint='a.example', websocket=false}",
            "{endpoint='a.example', credential='api'}",
        ] {
            assert!(route(decided).is_intercepted(), "{decided}");
        }
        let rules = route("{endpoint='a.example', paths=[], query=false, upload-max='2KiB'}").rules;
        assert_eq!((rules.paths, rules.no_query, rules.upload_max), (Some(Vec::new()), true, Some(2048)));
        for bad in ["{endpoint='a.example', method=['GET']}", "{endpoint='a.example', methods=['get']}", "{paths=[]}"] {
            assert!(table(bad).is_err(), "{bad}");
        }
    }
}
