//! The entry that would let out what was refused: a new one, or a change of the one that is there. It is narrow, and can let out more:
//! an entry has each of its methods on each of its paths, and many paths become patterns.

use super::{
    entry::{detailed, entry_line, shortest},
    narrow::{MAX_PATTERNS, narrow},
    weak::READING,
};
use serde::Serialize;
use std::collections::BTreeSet;
use types::{
    host::Endpoint,
    path::NormalPath,
    route::{Method, Scheme},
    trust::{DetailedEntry, TrustEntry},
};

/// What has to be let out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    /// Method and path; none where a connection was refused before its requests were seen.
    pub(super) request: Option<(Method, NormalPath)>,
    /// What stood in the way.
    pub(super) obstacle: Obstacle,
}

/// What stood in the way of a request, as far as an entry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// No route, or none but git's.
    Route,
    /// The path is not among the route's.
    Path,
    /// The method is not among the route's.
    Method,
    /// The route carries no query.
    Query,
    /// The route carries no WebSocket.
    Upgrade,
}

/// An entry that an operator could make.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proposal {
    /// The entry, as it stands in `trust.endpoints`.
    pub entry: String,
    /// The entry that it takes the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The command that makes it so.
    pub command: String,
    /// What should be known before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<String>,
    #[serde(skip)]
    pub(super) parsed: TrustEntry,
}

/// Proposes an entry. `base` is the one that there is for the endpoint.
pub(super) fn propose(endpoint: &Endpoint, scheme: Scheme, base: Option<&TrustEntry>, wants: &[Want]) -> Proposal {
    let mut cautions = Vec::new();
    let entry = match base {
        Some(base) => widened(detailed(base), wants, &mut cautions),
        None => new(endpoint, scheme, wants, &mut cautions),
    };
    let writing: BTreeSet<_> =
        wanted_methods(wants).into_iter().filter(|method| !READING.contains(&method.as_str())).collect();
    if !writing.is_empty() {
        let methods = writing.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let text =
            format!("{methods} carries data up: whatever is inside can be sent there, on every path of the entry");
        cautions.push(text);
    }
    let parsed = shortest(entry);
    Proposal {
        entry: entry_line(&parsed),
        replaces: base.map(entry_line),
        command: command(&parsed, base.is_some()),
        cautions,
        parsed,
    }
}

/// The narrowest entry with which package managers and other programs that only fetch can work.
#[must_use]
pub(super) fn reading(endpoint: &Endpoint, scheme: Scheme) -> Proposal {
    propose(endpoint, scheme, None, &[Want { request: None, obstacle: Obstacle::Route }])
}

/// The entry for programs whose requests cannot be looked at.
pub(super) fn tunnel(endpoint: &Endpoint, scheme: Scheme) -> Proposal {
    let parsed = TrustEntry::Text(text(endpoint, scheme));
    let caution = "it does not trust the run's certificate authority, so that its requests cannot be looked at: this is a tunnel, which \
        carries anything to whoever is behind the name";
    Proposal {
        entry: entry_line(&parsed),
        replaces: None,
        command: command(&parsed, false),
        cautions: vec![caution.to_owned()],
        parsed,
    }
}

fn new(endpoint: &Endpoint, scheme: Scheme, wants: &[Want], cautions: &mut Vec<String>) -> DetailedEntry {
    let mut entry = DetailedEntry::new(text(endpoint, scheme));
    let requests: Vec<_> = wants.iter().filter_map(|want| want.request.as_ref()).collect();
    if requests.is_empty() {
        entry.methods = Some(["GET", "HEAD"].into_iter().filter_map(|method| Method::parse(method).ok()).collect());
        let unseen = "the requests inside were not seen: this lets out reading without queries; what is refused then shows method and path";
        cautions.push(unseen.to_owned());
    } else {
        let methods = wanted_methods(wants);
        entry.methods = Some(methods.iter().filter_map(|method| Method::parse(method).ok()).collect());
        entry.paths = Some(patterns(&requests, &[], cautions));
    }
    let has = |obstacle| wants.iter().any(|want| want.obstacle == obstacle);
    entry.query = (!has(Obstacle::Query)).then_some(false);
    entry.websocket = has(Obstacle::Upgrade).then_some(true);
    entry
}

fn widened(mut entry: DetailedEntry, wants: &[Want], cautions: &mut Vec<String>) -> DetailedEntry {
    let requests: Vec<_> = wants.iter().filter_map(|want| want.request.as_ref()).collect();
    if let Some(methods) = &mut entry.methods {
        for (method, _) in &requests {
            if !methods.contains(method) {
                methods.push(method.clone());
            }
        }
    }
    if let Some(paths) = entry.paths.take() {
        let added = patterns(&requests, &paths, cautions);
        entry.paths = Some(paths.into_iter().chain(added).collect());
    }
    if wants.iter().any(|want| want.obstacle == Obstacle::Query) {
        entry.query = None;
        cautions.push("a query can carry data as well as a path".to_owned());
    }
    if wants.iter().any(|want| want.obstacle == Obstacle::Upgrade) {
        entry.websocket = Some(true);
        cautions.push("if it was a WebSocket: its bytes are counted, and not looked at".to_owned());
    }
    if entry.methods.is_none() && entry.paths.is_none() && entry.websocket.is_none() && entry.credential.is_none() {
        // Else the entry would become a tunnel.
        entry.query.get_or_insert(true);
    }
    entry
}

/// Patterns for the paths that are not covered yet.
fn patterns(
    requests: &[&(Method, NormalPath)],
    known: &[types::path::PathPattern],
    cautions: &mut Vec<String>,
) -> Vec<types::path::PathPattern> {
    let missing: BTreeSet<_> = requests
        .iter()
        .map(|(_, path)| path)
        .filter(|path| !known.iter().any(|pattern| pattern.covers(path)))
        .cloned()
        .collect();
    let patterns = narrow(&missing);
    if missing.len() > MAX_PATTERNS {
        cautions.push(format!("{} paths were asked for; the patterns cover more than these", missing.len()));
    }
    patterns
}

fn wanted_methods(wants: &[Want]) -> BTreeSet<String> {
    wants.iter().filter_map(|want| Some(want.request.as_ref()?.0.as_str().to_owned())).collect()
}

/// The endpoint as an entry names it.
pub(super) fn text(endpoint: &Endpoint, scheme: Scheme) -> String {
    let name = if endpoint.port == scheme.port() { endpoint.host.to_string() } else { endpoint.to_string() };
    match scheme {
        Scheme::Https => name,
        Scheme::Http => format!("http://{name}"),
    }
}

/// The command that puts the entry into the profile.
fn command(parsed: &TrustEntry, replaces: bool) -> String {
    let entry = detailed(parsed);
    let mut words = ["sandbox", "trust", "add"].map(str::to_owned).to_vec();
    let is_empty = |length: Option<usize>| length == Some(0);
    let has_options = entry.websocket != Some(false)
        && !is_empty(entry.methods.as_ref().map(Vec::len))
        && !is_empty(entry.paths.as_ref().map(Vec::len));
    if has_options {
        words.extend(options(entry));
    } else {
        words.push(entry_line(parsed));
    }
    if replaces {
        words.push("--replace".to_owned());
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The endpoint and the options of `sandbox trust add`.
fn options(entry: DetailedEntry) -> Vec<String> {
    let DetailedEntry { endpoint, address, methods, paths, query, websocket, upload_max, credential } = entry;
    let mut words = vec![endpoint];
    let mut option = |name: &str, value: Option<String>| {
        words.push(name.to_owned());
        words.extend(value);
    };
    if let Some(methods) = methods {
        option("--methods", Some(methods.iter().map(Method::as_str).collect::<Vec<_>>().join(",")));
    }
    for path in paths.iter().flatten() {
        option("--path", Some(path.to_string()));
    }
    match query {
        Some(false) => option("--no-query", None),
        Some(true) => option("--query", None),
        None => {}
    }
    if websocket == Some(true) {
        option("--websocket", None);
    }
    if let Some(size) = upload_max {
        option("--upload-max", Some(size.to_string()));
    }
    if let Some(address) = address {
        option("--address", Some(address.to_string()));
    }
    if let Some(credential) = credential {
        option("--credential", Some(credential.to_string()));
    }
    words
}

/// A word as a shell needs it.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:,%+@".contains(&b));
    match shlex::try_quote(word) {
        Ok(quoted) if !is_plain => quoted.into_owned(),
        Ok(_) | Err(_) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::entry::from_toml, *};

    fn want(line: &str, obstacle: Obstacle) -> Want {
        let request = line
            .split_once(' ')
            .map(|(method, path)| (Method::parse(method).expect(method), NormalPath::parse(path).expect(path)));
        Want { request, obstacle }
    }

    fn proposed(base: Option<&str>, wants: &[(&str, Obstacle)]) -> Proposal {
        let base = base.map(|text| from_toml(text).expect(text));
        let wants: Vec<_> = wants.iter().map(|(line, obstacle)| want(line, *obstacle)).collect();
        propose(&Endpoint::parse("a.example").expect("endpoint"), Scheme::Https, base.as_ref(), &wants)
    }

    #[test]
    fn a_new_entry_is_what_was_asked_for() {
        let unseen = proposed(None, &[("", Obstacle::Route)]);
        assert_eq!(unseen.entry, r#"{ endpoint = "a.example", methods = ["GET", "HEAD"], query = false }"#);
        assert_eq!(unseen.command, "sandbox trust add a.example --methods GET,HEAD --no-query");
        let seen = proposed(None, &[("GET /x", Obstacle::Path), ("POST /it's", Obstacle::Path)]);
        assert_eq!(
            seen.entry,
            r#"{ endpoint = "a.example", methods = ["GET", "POST"], paths = ["/it's", "/x"], query = false }"#
        );
        assert_eq!(
            seen.command,
            r#"sandbox trust add a.example --methods GET,POST --path "/it's" --path /x --no-query"#
        );
        assert_eq!(seen.cautions.len(), 1, "{:?}", seen.cautions);
    }

    #[test]
    fn an_entry_that_is_there_is_changed_and_keeps_the_rest() {
        for (base, wants, entry) in [
            (
                r#"{ endpoint = "a.example", methods = ["GET"], paths = ["/v1/**"], upload-max = "1KiB" }"#,
                &[("GET /v1/a", Obstacle::Method), ("GET /v2", Obstacle::Path)][..],
                r#"{ endpoint = "a.example", methods = ["GET"], paths = ["/v1/**", "/v2"], upload-max = "1KiB" }"#,
            ),
            (
                r#"{ endpoint = "a.example", methods = ["GET"] }"#,
                &[("PUT /x", Obstacle::Method)],
                r#"{ endpoint = "a.example", methods = ["GET", "PUT"] }"#,
            ),
            (
                r#"{ endpoint = "a.example", methods = ["GET"], query = false }"#,
                &[("GET /x", Obstacle::Query)],
                r#"{ endpoint = "a.example", methods = ["GET"] }"#,
            ),
            (
                r#"{ endpoint = "a.example", query = false }"#,
                &[("GET /x", Obstacle::Query)],
                r#"{ endpoint = "a.example", query = true }"#,
            ),
            (
                r#"{ endpoint = "a.example", methods = ["GET"], credential = "api" }"#,
                &[("GET /x", Obstacle::Upgrade)],
                r#"{ endpoint = "a.example", methods = ["GET"], websocket = true, credential = "api" }"#,
            ),
        ] {
            let proposal = proposed(Some(base), wants);
            assert_eq!(proposal.entry, entry);
            assert_eq!(proposal.replaces.as_deref(), Some(base));
            assert!(proposal.command.ends_with(" --replace"), "{}", proposal.command);
        }
        let shut = proposed(
            Some(r#"{ endpoint = "a.example", methods = ["GET"], websocket = false }"#),
            &[("PUT /", Obstacle::Method)],
        );
        let line =
            r#"sandbox trust add '{ endpoint = "a.example", methods = ["GET", "PUT"], websocket = false }' --replace"#;
        assert_eq!(shut.command, line, "what has no option is written out");
    }
}
