//! What would come of a request that nobody has made: for people who ask beforehand. The answer comes from the code that decides on
//! real ones; only resolving, dialling and what a body holds are left out.

use crate::{
    decide::{Carriage, decide},
    http::{
        carry::{Asking, settle},
        head::{self, Head, HeadError},
        keyed::check_query,
        request,
    },
    refusal::Refusal,
};
use types::{
    host::Endpoint,
    route::{Route, Scheme},
};

/// Fields that open a WebSocket (RFC 6455, 4.1).
const WEBSOCKET: &str = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Something that a program could ask for.
#[derive(Clone, Copy, Debug)]
pub struct Hypothesis<'a> {
    /// What is spoken.
    pub scheme: Scheme,
    /// Name and port, as a program would write them.
    pub authority: &'a str,
    /// The request; none asks about the connection alone.
    pub request: Option<HypotheticalRequest<'a>>,
}

/// A request within the connection.
#[derive(Clone, Copy, Debug)]
pub struct HypotheticalRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// It asks for a WebSocket.
    pub is_websocket: bool,
}

/// What would come of it.
#[derive(Debug)]
pub enum Fate<'r> {
    /// A tunnel: any request, unseen.
    Tunnel(&'r Route),
    /// The connection is taken, and each request in it is decided.
    Decided(&'r Route),
    /// The request is sent in this form of path and query.
    Sent {
        /// Its route.
        route: &'r Route,
        /// Path and query.
        target: String,
        /// True for git's protocol.
        is_git: bool,
    },
    /// It is refused.
    Refused(Refusal),
}

/// Decides on a hypothesis.
#[must_use]
pub fn explain<'r>(asked: &Hypothesis<'_>, routes: &'r [Route]) -> Fate<'r> {
    fate(asked, routes).unwrap_or_else(Fate::Refused)
}

fn fate<'r>(asked: &Hypothesis<'_>, routes: &'r [Route]) -> Result<Fate<'r>, Refusal> {
    match asked.scheme {
        Scheme::Https => {
            let endpoint = request::connect_target(&read("CONNECT", asked.authority, asked.authority, "")?)?;
            let route = decide(&endpoint, Carriage::Connect, routes)?.route();
            match asked.request {
                _ if !route.is_intercepted() => Ok(Fate::Tunnel(route)),
                None => Ok(Fate::Decided(route)),
                Some(inside) => {
                    let head = read(inside.method, inside.target, asked.authority, fields(&inside))?;
                    request::plain(&head)?;
                    let target = request::origin_target(&head, &endpoint, Scheme::Https.port())?;
                    sent(&endpoint, asked.scheme, &head, &target, routes)
                }
            }
        }
        Scheme::Http => {
            let inside =
                asked.request.unwrap_or(HypotheticalRequest { method: "GET", target: "/", is_websocket: false });
            let absolute = format!("http://{}{}", asked.authority, inside.target);
            let head = read(inside.method, &absolute, asked.authority, fields(&inside))?;
            request::plain(&head)?;
            let (endpoint, target) = request::absolute_target(&head)?;
            match asked.request {
                Some(_) => sent(&endpoint, asked.scheme, &head, &target, routes),
                None => Ok(Fate::Decided(decide(&endpoint, Carriage::Plain, routes)?.route())),
            }
        }
    }
}

fn sent<'r>(
    endpoint: &Endpoint,
    scheme: Scheme,
    head: &Head,
    target: &str,
    routes: &'r [Route],
) -> Result<Fate<'r>, Refusal> {
    let asking = Asking {
        endpoint,
        scheme,
        method: &head.method,
        target,
        headers: &head.headers,
        length: head.framing.length(),
        head_bytes: head.bytes,
        is_websocket: request::wants_websocket(head),
    };
    let (decided, ruled) = settle(routes, &asking)?;
    let route = decided.route();
    if ruled.git.is_none() && route.rules.credential.is_some() {
        check_query(ruled.target.split_once('?').map(|(_, query)| query))?;
    }
    Ok(Fate::Sent { route, target: ruled.target, is_git: ruled.git.is_some() })
}

/// What else stands in the head of such a request.
fn fields(asked: &HypotheticalRequest<'_>) -> &'static str {
    let path = asked.target.split('?').next().unwrap_or_default();
    match () {
        () if asked.is_websocket => WEBSOCKET,
        // As git sends them.
        () if path.ends_with("/git-upload-pack") => "content-type: application/x-git-upload-pack-request\r\n",
        () if path.ends_with("/git-receive-pack") => "content-type: application/x-git-receive-pack-request\r\n",
        () => "",
    }
}

/// A head as it would be read from a program.
fn read(method: &str, target: &str, host: &str, fields: &str) -> Result<Head, Refusal> {
    if [method, target, host].iter().any(|text| !text.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(HeadError::Malformed("a character that has to be escaped").into());
    }
    let text = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n");
    match head::length(text.as_bytes())? {
        Some(length) if length == text.len() => Ok(head::parse(text.as_bytes())?),
        Some(_) | None => Err(HeadError::Malformed("the request").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        id::SecretName,
        path::PathPattern,
        route::{Repository, RouteKind, Rules},
    };

    fn routes() -> Vec<Route> {
        let route = |text: &str, kind, scheme, rules| {
            let endpoint = Endpoint::parse(text).expect(text);
            Route { rules, ..Route::new(endpoint, kind, scheme) }
        };
        let api = Rules {
            methods: Some(vec![types::route::Method::parse("GET").expect("method")]),
            paths: Some(vec![PathPattern::parse("/v1/**").expect("pattern")]),
            credential: Some(SecretName::new("api").expect("name")),
            ..Rules::default()
        };
        let chat = Rules { websocket: true, ..Rules::default() };
        let forge = Rules { repositories: vec![Repository::at("/acme/app", &[]).expect("path")], ..Rules::default() };
        vec![
            route("tunnel.example", RouteKind::Tls, Scheme::Https, Rules::default()),
            route("api.example:8443", RouteKind::Http, Scheme::Https, api),
            route("chat.example", RouteKind::Http, Scheme::Https, chat),
            route("plain.example:80", RouteKind::Http, Scheme::Http, Rules::default()),
            route("forge.example", RouteKind::Git, Scheme::Https, forge),
            route("model.example", RouteKind::Model, Scheme::Https, Rules::default()),
        ]
    }

    /// `https://host[:port] [METHOD path] [ws]`, and what comes of it in a word.
    fn ask(text: &str) -> String {
        let (url, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (scheme, authority) = url.split_once("://").expect("scheme");
        let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
        let authority =
            if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{}", scheme.port()) };
        let words: Vec<_> = rest.split(' ').collect();
        let request = words.get(1).map(|target| HypotheticalRequest {
            method: words[0],
            target,
            is_websocket: words.get(2) == Some(&"ws"),
        });
        let routes = routes();
        match explain(&Hypothesis { scheme, authority: &authority, request }, &routes) {
            Fate::Tunnel(_) => "tunnel".to_owned(),
            Fate::Decided(_) => "decided".to_owned(),
            Fate::Sent { target, is_git, .. } => format!("{target}{}", if is_git { " git" } else { "" }),
            Fate::Refused(refusal) => refusal.rule().to_owned(),
        }
    }

    #[test]
    fn what_is_asked_beforehand_is_answered_as_it_would_be() {
        for (asked, fate) in [
            ("https://tunnel.example", "tunnel"),
            ("https://tunnel.example POST /any", "tunnel"),
            ("http://tunnel.example GET /", "no_route"),
            ("https://api.example:8443", "decided"),
            ("https://api.example", "no_route"),
            ("https://api.example:8443 GET /v1/%61/b?page=2", "/v1/a/b?page=2"),
            ("https://api.example:8443 GET /v1/../x", "bad_path"),
            ("https://api.example:8443 GET /v2", "path_not_allowed"),
            ("https://api.example:8443 PUT /v1/a", "method_not_allowed"),
            ("https://api.example:8443 TRACE /v1/a", "method_not_allowed"),
            ("https://api.example:8443 GET /v1/a?api_key=x", "foreign_credential"),
            ("https://api.example:8443 GET /v1/a ws", "upgrade_refused"),
            ("https://chat.example GET /socket ws", "/socket"),
            ("https://chat.example GET v1", "bad_request"),
            ("http://plain.example", "decided"),
            ("http://plain.example GET /a//b", "/a//b"),
            (
                "https://forge.example GET /acme/app.git/info/refs?service=git-upload-pack",
                "/acme/app.git/info/refs?service=git-upload-pack git",
            ),
            ("https://forge.example POST /acme/app/git-upload-pack", "/acme/app/git-upload-pack git"),
            ("https://forge.example POST /acme/app/git-receive-pack", "push_not_allowed"),
            ("https://forge.example GET /evil/app/info/refs?service=git-upload-pack", "repository_not_allowed"),
            ("https://model.example POST /v1/messages", "no_route"),
            ("https://127.0.0.1:443", "bad_name"),
            ("https://a@tunnel.example:443", "bad_name"),
        ] {
            assert_eq!(ask(asked), fate, "{asked}");
        }
        for split in ["GET\r\nx:", "G ET"] {
            let request = Some(HypotheticalRequest { method: split, target: "/", is_websocket: false });
            let hypothesis = Hypothesis { scheme: Scheme::Http, authority: "plain.example", request };
            assert!(matches!(explain(&hypothesis, &routes()), Fate::Refused(Refusal::Head(_))), "{split:?}");
        }
    }
}
