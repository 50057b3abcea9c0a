//! What the answers of package managers come to: a host, what is asked of it, and the entry with which packages can be fetched. Pure.

use super::{
    super::{
        allowing::{model, passes},
        proposal::{Obstacle, Proposal, Want, reading, tunnel},
        refused::{Class, Refused, class, is_git},
        weak::READING,
    },
    hosts,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use types::{
    event::EgressRecord,
    host::Endpoint,
    route::{Route, RouteKind, Rules, Scheme},
};

/// Most requests of one host that are kept.
const MAX_REQUESTS: usize = 8;

/// A host that a package manager uses.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DiscoveredHost {
    /// Name and port.
    pub endpoint: Endpoint,
    /// What is spoken there.
    pub scheme: Scheme,
    /// True when it was asked; else it stands in the configuration alone.
    pub is_asked: bool,
    /// True when the settings let it be asked by now.
    pub is_trusted: bool,
    /// Method and path of the first requests, as far as they were seen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub requests: BTreeSet<String>,
    /// The entry with which packages can be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never: Option<String>,
}

/// What was heard of a host.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// It was asked, and does not only stand in the configuration.
    pub(super) is_asked: bool,
    /// Method and path.
    pub(super) requests: BTreeSet<String>,
    /// A program did not trust our certificate for it.
    pub(super) is_distrusted: bool,
}

/// Hosts by what is spoken there and their names.
pub(super) type Hosts = BTreeMap<(Scheme, Endpoint), Heard>;

/// Adds what the records say.
pub(super) fn hear(hosts: &mut Hosts, records: &[EgressRecord]) {
    for record in records {
        let is_plain = record.via == "proxy-http";
        let scheme = if is_plain { Scheme::Http } else { Scheme::Https };
        let Some(endpoint) = hosts::endpoint(&record.asked, scheme) else { continue };
        let is_room = hosts.len() < hosts::MAX_HOSTS;
        let key = (scheme, endpoint);
        if !is_room && !hosts.contains_key(&key) {
            continue;
        }
        let heard = hosts.entry(key).or_default();
        heard.is_asked = true;
        heard.is_distrusted |= record.rule == "client_tls";
        if let Some(request) = record.request.as_ref().filter(|_| heard.requests.len() < MAX_REQUESTS) {
            heard.requests.insert(request.clone());
        }
    }
}

/// Routes that take connections to these hosts so that their requests are seen, and let none of them out. Internal names get no entry in
/// any case, and some of them are the container's own.
pub(super) fn looking_routes<'h>(hosts: impl IntoIterator<Item = &'h (Scheme, Endpoint)>) -> Vec<Route> {
    let secure: BTreeSet<_> = hosts
        .into_iter()
        .filter(|(scheme, endpoint)| *scheme == Scheme::Https && !endpoint.host.is_internal())
        .map(|(_, endpoint)| endpoint)
        .collect();
    let rules = Rules { methods: Some(Vec::new()), paths: Some(Vec::new()), ..Rules::default() };
    let route = |endpoint: &Endpoint| Route {
        rules: rules.clone(),
        ..Route::new(endpoint.clone(), RouteKind::Http, Scheme::Https)
    };
    secure.into_iter().map(route).collect()
}

/// What there is to say of a host under the routes that are in force.
pub(super) fn host(scheme: Scheme, endpoint: Endpoint, heard: Heard, routes: &[Route]) -> DiscoveredHost {
    let want = Want { request: None, obstacle: Obstacle::Route };
    let refused = Refused { rule: "no_route".to_owned(), reason: String::new(), request: None, scheme, count: 1 };
    let is_trusted = passes(&endpoint, scheme, &want, routes);
    let (proposal, never) = match class(&endpoint, &refused, model(routes)) {
        _ if is_trusted => (None, None),
        Class::Never(why) => (None, Some(why)),
        Class::Entry(_) if heard.requests.iter().any(|request| is_git(request)) => (None, Some(GIT.to_owned())),
        Class::Entry(_) if heard.is_distrusted => (Some(tunnel(&endpoint, scheme)), None),
        Class::Entry(_) => (Some(with_methods(reading(&endpoint, scheme), &heard)), None),
    };
    let Heard { is_asked, requests, .. } = heard;
    DiscoveredHost { endpoint, scheme, is_asked, is_trusted, requests, proposal, never }
}

const GIT: &str = "it is asked by git's protocol, which an entry cannot hold to one repository: use a version or a setting that fetches \
    by plain HTTP, or make the repository a remote of yours";

/// Says so when reading is not enough.
fn with_methods(mut proposal: Proposal, heard: &Heard) -> Proposal {
    // What was unseen is seen now.
    proposal.cautions.clear();
    let writing: Vec<_> = heard
        .requests
        .iter()
        .filter(|request| !READING.contains(&request.split(' ').next().unwrap_or_default()))
        .map(String::as_str)
        .collect();
    if !writing.is_empty() {
        proposal.cautions.push(format!("it also asks for {}, which this does not let out", writing.join(", ")));
    }
    proposal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::{effective::Effective, testing::profile};

    fn record(via: &str, asked: &str, rule: &str, request: Option<&str>) -> EgressRecord {
        let json = serde_json::json!({"at": "1970-01-01T00:00:00Z", "asked": asked, "via": via, "allowed": false, "rule": rule,
            "request": request, "reason": "", "bytes-up": 0, "bytes-down": 0, "micros": 0});
        serde_json::from_value(json).expect("record")
    }

    fn shown(records: &[EgressRecord]) -> Vec<String> {
        let profile = profile("[trust]\nendpoints = ['known.test']\n");
        let routes = Effective::of(&profile, Vec::new(), Vec::new()).expect("effective").routes();
        let mut hosts = Hosts::new();
        hear(&mut hosts, records);
        let hosts = hosts.into_iter().map(|((scheme, endpoint), heard)| host(scheme, endpoint, heard, &routes));
        let show = |host: DiscoveredHost| match (host.proposal, host.never) {
            (Some(proposal), None) => {
                format!("{}{}", proposal.entry, if proposal.cautions.is_empty() { "" } else { " !" })
            }
            (None, Some(_)) => format!("{}: never", host.endpoint),
            (None, None) => format!("{}: trusted {}", host.endpoint, host.is_trusted),
            (Some(_), Some(_)) => "both".to_owned(),
        };
        hosts.map(show).collect()
    }

    #[test]
    fn what_is_asked_becomes_an_entry_for_reading() {
        let records = [
            record("proxy-connect", "npm.test:443", "no_route", None),
            record("proxy-connect", "npm.test:443", "path_not_allowed", Some("GET /probe")),
            record("proxy-http", "deb.test:80", "no_route", Some("GET /dists/x")),
            record("proxy-connect", "probe.invalid:443", "no_route", None),
            record("proxy-connect", "10.0.0.1:443", "bad_name", None),
            record("proxy-connect", "nexus:8443", "no_route", None),
            record("proxy-connect", "known.test:443", "no_route", None),
        ];
        assert_eq!(
            shown(&records),
            [
                "known.test:443: trusted true",
                "nexus:8443: never",
                r#"{ endpoint = "npm.test", methods = ["GET", "HEAD"], query = false }"#,
                r#"{ endpoint = "http://deb.test", methods = ["GET", "HEAD"], query = false }"#,
            ]
        );
    }

    #[test]
    fn where_reading_is_not_enough_it_is_said() {
        for (rule, request, wanted) in [
            ("path_not_allowed", Some("GET /index.git/info/refs"), "a.test:443: never"),
            (
                "path_not_allowed",
                Some("POST /query"),
                r#"{ endpoint = "a.test", methods = ["GET", "HEAD"], query = false } !"#,
            ),
            ("client_tls", None, r#""a.test" !"#),
        ] {
            assert_eq!(shown(&[record("proxy-connect", "a.test:443", rule, request)]), [wanted], "{rule}");
        }
    }

    #[test]
    fn looking_lets_nothing_out() {
        let hosts = [(Scheme::Https, "a.test:443"), (Scheme::Http, "b.test:80"), (Scheme::Https, "localhost:443")]
            .map(|(scheme, text)| (scheme, Endpoint::parse(text).expect(text)));
        let routes = looking_routes(&hosts);
        assert_eq!(routes.len(), 1);
        assert!(routes[0].is_intercepted());
        for line in ["GET /", "POST /x", "HEAD /"] {
            let (method, path) = line.split_once(' ').expect("request");
            let request = types::route::Method::parse(method).ok().zip(types::path::NormalPath::parse(path).ok());
            let want = Want { request, obstacle: Obstacle::Path };
            assert!(!passes(&routes[0].endpoint, Scheme::Https, &want, &routes), "{line}");
        }
    }
}
