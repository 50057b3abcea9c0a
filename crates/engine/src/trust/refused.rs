//! What was refused on a run's way out, read from its records: by endpoint, with what an entry could do about it.

use super::proposal::{Obstacle, Want};
use crate::listeners::is_canary;
use std::collections::BTreeMap;
use types::{
    event::EgressRecord,
    host::Endpoint,
    path::NormalPath,
    route::{Method, Route, Scheme},
};

/// What records of the model gateway say of how they came.
const MODEL: &str = "model";
/// Ends of paths by which git's protocol is known, in both of its services (gitprotocol-http).
const GIT: [&str; 4] = ["/info/refs", "/git-upload-pack", "/git-receive-pack", "/git-upload-archive"];

/// Where something wanted to go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A name and a port.
    Endpoint(Endpoint),
    /// The model gateway.
    Gateway,
    /// Something that no decision is made on, as it stands in the record.
    Other(String),
}

/// One kind of refusal at a place.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// The rule's id.
    pub(super) rule: String,
    /// What was said of the first one.
    pub(super) reason: String,
    /// Method and path, where they were seen.
    pub(super) request: Option<String>,
    /// What is spoken there.
    pub(super) scheme: Scheme,
    /// How many.
    pub(super) count: u64,
}

/// What stands in the way and whether an entry can help.
#[derive(Clone, Debug)]
pub(super) enum Class {
    /// An entry can.
    Entry(Want),
    /// None can or should, for this reason.
    Never(String),
}

/// Counts the refusals of `records` by place, rule and request; the canary's own attempts are left out.
pub(super) fn group(records: &[EgressRecord], routes: &[Route]) -> BTreeMap<Place, Vec<Refused>> {
    let mut all: BTreeMap<Place, Kinds<'_>> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.allowed && !is_canary(&record.asked)) {
        let (place, plain) = place(record);
        let scheme = match &place {
            _ if plain => Scheme::Http,
            Place::Endpoint(endpoint) => {
                let own = routes.iter().find(|route| record.via == "named" && route.endpoint == *endpoint);
                own.map_or(Scheme::Https, |route| route.scheme)
            }
            Place::Gateway | Place::Other(_) => Scheme::Https,
        };
        all.entry(place).or_default().count(record, scheme);
    }
    all.into_iter().map(|(place, kinds)| (place, kinds.kinds)).collect()
}

/// The kinds at one place in the order in which they came, and where each of them is.
#[derive(Default)]
struct Kinds<'a> {
    kinds: Vec<Refused>,
    known: BTreeMap<(&'a str, Option<&'a str>, Scheme), usize>,
}

impl<'a> Kinds<'a> {
    fn count(&mut self, record: &'a EgressRecord, scheme: Scheme) {
        let next = self.kinds.len();
        let at = *self.known.entry((&record.rule, record.request.as_deref(), scheme)).or_insert(next);
        if at == next {
            self.kinds.push(Refused {
                rule: record.rule.clone(),
                reason: record.reason.clone(),
                request: record.request.clone(),
                scheme,
                count: 0,
            });
        }
        self.kinds[at].count += 1;
    }
}

/// Where a record wanted to go, and whether by plain HTTP.
fn place(record: &EgressRecord) -> (Place, bool) {
    if record.via == MODEL {
        return (Place::Gateway, false);
    }
    let plain = record.asked.strip_prefix("http://");
    let authority = plain.map_or(record.asked.as_str(), |rest| rest.split('/').next().unwrap_or_default());
    let full = match plain {
        Some(_) if !authority.contains(':') => format!("{authority}:80"),
        Some(_) | None => authority.to_owned(),
    };
    let place = Endpoint::parse(&full).map_or_else(|_| Place::Other(record.asked.clone()), Place::Endpoint);
    (place, record.via == "proxy-http")
}

/// True for the paths that git's protocol asks for.
pub(super) fn is_git(path: &str) -> bool {
    GIT.iter().any(|end| path.ends_with(end))
}

/// What there is to say of what is no endpoint.
pub(super) const NO_NAME: &str = "decisions are made on plain names; an address or another spelling has none. If a service there is meant \
    to be reached, give it a name: sandbox trust add NAME --address IP:PORT";

/// What can be done about a refusal at an endpoint; `model` is the model's.
pub(super) fn class(endpoint: &Endpoint, refused: &Refused, model: Option<&Endpoint>) -> Class {
    let never = |text: &str| Class::Never(text.to_owned());
    if model == Some(endpoint) && refused.rule == "no_route" {
        return never(
            "the model is reached through its gateway only; beside it, requests could go out with anyone's key",
        );
    }
    if endpoint.host.is_internal() {
        return Class::Never(format!(
            "the name stands for something of this machine, its network or its cloud; if it is meant to be reached, name its address: \
             sandbox trust add NAME --address IP:{}",
            endpoint.port
        ));
    }
    let obstacle = match refused.rule.as_str() {
        "no_route" => Obstacle::Route,
        "path_not_allowed" | "repository_not_allowed" => Obstacle::Path,
        "method_not_allowed" => Obstacle::Method,
        "query_not_allowed" => Obstacle::Query,
        "upgrade_refused" => Obstacle::Upgrade,
        "internal_address" => {
            return never(
                "the name leads to an internal address from here; if that service is meant to be reached, say so in its entry: --address IP:PORT",
            );
        }
        "push_not_allowed" => {
            return never("nothing is pushed from a run but new branches that git.push names; publish from this host");
        }
        "git_not_allowed" if refused.request.as_deref().is_some_and(|request| !is_git(request)) => Obstacle::Path,
        "git_not_allowed" => {
            return never("git's protocol is carried for fetching from the recorded remotes, and in no other way");
        }
        "foreign_credential" => {
            return never("the route has a credential of its own; another one beside it could be anyone's");
        }
        "placeholder_misuse" => {
            return never("a placeholder was sent where it stands for nothing; no entry makes that right");
        }
        "bad_path" => return never("the path can be read in more than one way, so that no pattern can stand for it"),
        "not_tls" | "sni_mismatch" | "host_mismatch" | "bad_request" | "too_large" => {
            return Class::Never(format!("what was sent is not what the route is for: {}", refused.reason));
        }
        "client_tls" => {
            return never(
                "the program does not trust the run's certificate authority, which is in $SSL_CERT_FILE inside; an entry without rules is a tunnel, which needs no trust",
            );
        }
        "byte_cap" => {
            return never(
                "a cap on bytes was reached: upload-max of the entry, trust.upload-max or trust.download-max",
            );
        }
        "request_cap" => return never("the run's connections and requests were used up: trust.requests-max"),
        _ => return Class::Never(format!("no entry changes this: {}", refused.reason)),
    };
    let Some(text) = &refused.request else { return Class::Entry(Want { request: None, obstacle }) };
    let (method, path) = text.split_once(' ').unwrap_or((text, ""));
    if is_git(path) || path.ends_with(".git") {
        return never(
            "git asked for a repository that is none of the remotes; add it as a remote (git remote add), and runs can fetch from it",
        );
    }
    match (Method::parse(method), NormalPath::parse(path)) {
        (Ok(method), Ok(path)) if super::narrow::is_exact(&path) => {
            Class::Entry(Want { request: Some((method, path)), obstacle })
        }
        (Ok(_), Ok(_)) => {
            never("the path is too long for a pattern, or holds a star, for which a pattern would stand for more")
        }
        (Err(error), _) => Class::Never(error.to_string()),
        (_, Err(_)) => never("the path is too long to stand in the record, or can be read in more than one way"),
    }
}
