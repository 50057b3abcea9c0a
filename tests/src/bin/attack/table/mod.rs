//! Every case, by chapter of the threat list.

mod allowed;
mod boxed;
mod controls;
mod credentials;
mod gate;
mod looked;
mod names;
mod proxied;
mod routes;
mod tunnelled;

pub(crate) use controls::controls;

use crate::{case::Case, step::canary};
use types::canary::CANARY;

/// All cases, in the order of the list.
pub(crate) fn cases() -> Vec<Case> {
    let parts = [
        routes::cases(),
        proxied::cases(),
        tunnelled::cases(),
        looked::cases(),
        names::cases(),
        allowed::cases(),
        credentials::cases(),
        boxed::cases(),
        gate::cases(),
    ];
    let mut all: Vec<_> = parts.into_iter().flatten().map(with_canary).collect();
    all.sort_by_key(|case| case.id);
    all
}

/// Adds what the canary of every run tries for the same id.
fn with_canary(case: Case) -> Case {
    let id = case.id;
    let own = CANARY.iter().filter(|probe| probe.threat.split(' ').any(|threat| threat == id));
    // The agent gives its programs variables that are named like credentials, and has sockets of its own.
    let steps = own.filter(|probe| !["env.secrets", "fs.sockets"].contains(&probe.id)).map(|probe| canary(probe.id));
    case.steps(steps)
}

/// What the operator trusts in the run that makes most of the attempts: among it names that lead where no name may lead, and routes
/// with rules.
pub(crate) const TRUST: &str = r#"
[trust]
endpoints = [
    "ok.test",
    "front.test",
    "quiet.test",
    "http://plain.test",
    "http://plain.test:8080",
    "http://six.test",
    "http://rebind.test",
    "http://metadata.google.internal",
    "http://to-metadata.test",
    "http://to-loopback.test:7100",
    "http://to-six-loopback.test:7100",
    "http://to-private.test",
    "http://to-shared.test",
    "http://to-local-six.test",
    "http://to-bridge.test:7200",
    "http://to-host.test",
    { endpoint = "look.test", methods = ["GET"], paths = ["/open/**"] },
    { endpoint = "ws.test", websocket = true },
    { endpoint = "registry.test", methods = ["GET", "HEAD"], paths = ["/simple/*/", "/install.sh"], query = false },
    { endpoint = "http://drip.test", upload-max = "8KiB" },
    { endpoint = "keyed.test", credential = "api" },
]

[secrets.api]
source = "env:API_SECRET"
env = "API_HANDLE"
"#;

/// The operator's credential for `keyed.test`.
pub(crate) const API_SECRET: &str = "Zq7-apisecret-4c1e90";

/// Ports that are listened on inside: the resolver, the proxy, the gateway, and those of the endpoints.
pub(crate) const LISTENERS: &str = "53,80,443,3128,3129,7100,7200,8080";
