//! What the guest listens on. Pure: from routes to addresses.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use types::{
    host::HostName,
    probe::{Kernel, ProbePlan},
    route::{Route, RouteKind},
    wire::{Listeners, NamedListener},
};

/// Port of the HTTP proxy inside.
const PROXY_PORT: u16 = 3128;
/// Port of the model gateway inside.
const MODEL_PORT: u16 = 3129;
/// Second octet of the addresses that stand for trusted names.
const NAMES_OCTET: u8 = 77;
/// The canary's name, which no route can have: the top-level domain is reserved (RFC 6761).
const DENIED_NAME: &str = "denied.sandbox-canary.invalid";

/// The agent's home inside.
pub(crate) const HOME: &str = "/home/agent";
/// The work tree inside.
pub(crate) const WORKSPACE: &str = "/workspace";

/// True for the canary's own attempt. Exactly that: a name that only begins like it is the agent's.
pub(crate) fn is_canary(asked: &str) -> bool {
    asked.strip_prefix(DENIED_NAME) == Some(":443")
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The names of the container itself, which nobody listens for; its files that name hosts may be empty.
const OWN_NAMES: [&str; 2] = ["localhost", "sandbox"];

/// Listeners for these routes: each trusted name gets an address of its own, at most 65,000 names.
pub(crate) fn listeners(routes: &[Route]) -> Listeners {
    let mut ports: BTreeMap<HostName, Vec<u16>> = BTreeMap::new();
    for route in routes.iter().filter(|route| route.kind != RouteKind::Model) {
        ports.entry(route.endpoint.host.clone()).or_default().push(route.endpoint.port);
    }
    let names = (256u16..65_256)
        .zip(ports)
        .map(|(n, (host, ports))| {
            let [high, low] = n.to_be_bytes();
            NamedListener { host, address: Ipv4Addr::new(127, NAMES_OCTET, high, low), ports }
        })
        .chain(OWN_NAMES.into_iter().filter_map(own_name))
        .collect();
    Listeners { proxy: loopback(PROXY_PORT), model: loopback(MODEL_PORT), dns: loopback(53), names }
}

fn own_name(name: &str) -> Option<NamedListener> {
    let host = HostName::parse(name).ok()?;
    Some(NamedListener { host, address: Ipv4Addr::LOCALHOST, ports: Vec::new() })
}

/// What the canary tries. The addresses that must be out of reach are well-known ones: public resolvers, the metadata
/// service, and the default bridges of the engines.
pub(crate) fn probe_plan(listeners: &Listeners, kernel: Kernel) -> ProbePlan {
    let v4 = |a, b, c, d, port| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port);
    ProbePlan {
        proxy: listeners.proxy,
        model: listeners.model,
        denied_name: DENIED_NAME.to_owned(),
        unreachable: vec![
            v4(1, 1, 1, 1, 443),
            v4(169, 254, 169, 254, 80),
            v4(172, 17, 0, 1, 2375),
            v4(10, 88, 0, 1, 22),
        ],
        trusted_name: listeners.names.iter().find(|named| !named.ports.is_empty()).map(|named| named.host.to_string()),
        writable: vec![WORKSPACE.to_owned(), HOME.to_owned(), "/tmp".to_owned()],
        variables: BTreeMap::new(),
        kernel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{host::Endpoint, route::Scheme};

    #[test]
    fn every_trusted_name_has_one_loopback_address_and_all_its_ports() {
        let route = |text: &str| Route::new(Endpoint::parse(text).expect(text), RouteKind::Tls, Scheme::Https);
        let made = listeners(&[route("b.example"), route("a.example:8443"), route("a.example")]);
        let shown: Vec<_> =
            made.names.iter().map(|named| (named.host.as_str(), named.address, named.ports.clone())).collect();
        assert_eq!(
            shown,
            [
                ("a.example", Ipv4Addr::new(127, 77, 1, 0), vec![8443, 443]),
                ("b.example", Ipv4Addr::new(127, 77, 1, 1), vec![443]),
                ("localhost", Ipv4Addr::LOCALHOST, vec![]),
                ("sandbox", Ipv4Addr::LOCALHOST, vec![])
            ]
        );
        assert_eq!(probe_plan(&made, Kernel::Linux).trusted_name.as_deref(), Some("a.example"));
        assert_eq!(probe_plan(&listeners(&[]), Kernel::Linux).trusted_name, None);
    }
}
