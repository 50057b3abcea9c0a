//! What is in force, as people read it: a line a route, and the caps of a run.

use engine::{Effective, Listed, Origin};
use std::fmt::Write;
use types::{
    path::PathPattern,
    profile::Resolved,
    route::{Method, Route, RouteKind},
    size::ByteSize,
    text::printable,
};

/// Widest text in the column of what is carried that moves the next column.
const MAX_CARRIES: usize = 56;
/// Paths of a route that are shown; the JSON has all.
const MAX_PATHS: usize = 4;

/// A cap of a whole run.
pub(crate) struct Cap {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) from: String,
}

/// The table.
pub(crate) fn render(effective: &Effective, resolved: &Resolved) -> String {
    let rows: Vec<[String; 4]> = effective.routes.iter().map(|listed| row(listed, resolved)).collect();
    let width = |column: usize, heading: &str| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.chain([heading.len()]).max().unwrap_or(0)
    };
    let (name, kind, carried) = (width(0, "ENDPOINT"), width(1, "KIND"), width(2, "CARRIES").min(MAX_CARRIES));
    let mut out = format!("{:<name$}  {:<kind$}  {:<carried$}  FROM\n", "ENDPOINT", "KIND", "CARRIES");
    for [endpoint, what, carries, from] in &rows {
        let _ = writeln!(out, "{endpoint:<name$}  {what:<kind$}  {carries:<carried$}  {from}");
    }
    if rows.iter().all(|[_, kind, ..]| kind == RouteKind::Model.as_str()) {
        out.push_str("nothing else: no endpoint is trusted, and there is no remote\n");
    }
    out.push('\n');
    for Cap { key, value, from } in caps(resolved) {
        let _ = writeln!(out, "{key:<19} {value:<10}  {from}");
    }
    out
}

fn row(listed: &Listed, resolved: &Resolved) -> [String; 4] {
    let route = &listed.route;
    let from: Vec<_> = listed.origins.iter().map(|origin| self::origin(origin, resolved)).collect();
    [route.endpoint.to_string(), route.kind.as_str().to_owned(), carries(route, resolved), from.join(", ")]
}

/// Who a route comes from.
pub(crate) fn origin(origin: &Origin, resolved: &Resolved) -> String {
    match origin {
        Origin::Endpoints => source("trust.endpoints", resolved),
        Origin::Remote(name) => format!("remote {}", printable(name, 60)),
        Origin::Model => source("model.upstream", resolved),
    }
}

/// The key with the layer that set it.
pub(crate) fn source(key: &str, resolved: &Resolved) -> String {
    resolved.sources.get(key).map_or_else(|| key.to_owned(), |source| format!("{key} in {source}"))
}

/// The caps of a whole run.
pub(crate) fn caps(resolved: &Resolved) -> Vec<Cap> {
    let trust = &resolved.profile.trust;
    let cap = |key, value| Cap { key, value, from: source(key, resolved).replacen(&format!("{key} in "), "", 1) };
    vec![
        cap("trust.upload-max", trust.upload_max.to_string()),
        cap("trust.download-max", trust.download_max.to_string()),
        cap("trust.requests-max", trust.requests_max.to_string()),
    ]
}

/// What a route carries, in words.
pub(crate) fn carries(route: &Route, resolved: &Resolved) -> String {
    let profile = &resolved.profile;
    let mut parts = Vec::new();
    match route.kind {
        RouteKind::Tls => parts.push("a tunnel, not looked at".to_owned()),
        RouteKind::Model => {
            parts.push(format!("message requests for {}", printable(&profile.model.models.join(", "), 160)));
            parts.push(format!("${:.2} a run", profile.limits.max_budget_usd));
            parts.push(format!(
                "adds {}",
                profile.model.credentials.iter().map(|text| printable(text, 60)).collect::<Vec<_>>().join(" or ")
            ));
        }
        RouteKind::Http => parts.extend(requests(route)),
        RouteKind::Git => {}
    }
    for repository in &route.rules.repositories {
        let push: Vec<_> = repository.push.iter().map(ToString::to_string).collect();
        let push = if push.is_empty() { String::new() } else { format!(", push {}", push.join(" ")) };
        parts.push(format!("git fetch{push} {}", printable(&repository.path, 120)));
    }
    if !route.rules.repositories.is_empty() && !profile.git.credentials.is_empty() {
        parts.push(format!(
            "adds {}",
            profile.git.credentials.iter().map(|text| printable(text, 60)).collect::<Vec<_>>().join(" or ")
        ));
    }
    if let Some(max) = route.rules.upload_max {
        parts.push(format!("at most {} up", ByteSize::from(max)));
    }
    if let Some(address) = route.address {
        parts.push(format!("at {address}"));
    }
    parts.join(" · ")
}

fn requests(route: &Route) -> Vec<String> {
    let rules = &route.rules;
    let methods = rules.methods.as_ref().map(|all| match all.as_slice() {
        [] => "no method".to_owned(),
        [..] => all.iter().map(Method::as_str).collect::<Vec<_>>().join(" "),
    });
    let mut parts = vec![methods.unwrap_or_else(|| "any method".to_owned())];
    match rules.paths.as_deref() {
        None => {}
        Some([]) => parts.push("no path".to_owned()),
        Some(paths) => {
            let mut shown: Vec<_> = paths.iter().take(MAX_PATHS).map(PathPattern::to_string).collect();
            if paths.len() > MAX_PATHS {
                shown.push(format!("and {} more", paths.len() - MAX_PATHS));
            }
            parts.push(shown.join(" "));
        }
    }
    if rules.no_query {
        parts.push("no query".to_owned());
    }
    if rules.websocket {
        parts.push("WebSockets".to_owned());
    }
    if let Some(credential) = &rules.credential {
        parts.push(format!("adds the secret {credential}"));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        host::Endpoint,
        profile::Layer,
        route::{BranchPattern, Repository, Rules, Scheme},
        source::Source,
    };

    fn resolved(text: &str) -> Resolved {
        let layers = [
            crate::config::default_layer().expect("default"),
            Layer::parse(Source::File("/home/me/profile.toml".into()), text).expect(text),
        ];
        Resolved::new(&layers).expect("settings")
    }

    #[test]
    fn a_route_is_a_line_and_says_what_it_carries_and_who_wants_it() {
        let resolved = resolved("[trust]\nendpoints = []\nupload-max = \"1MiB\"\n");
        let entry = |text: &str| {
            let entry = engine::read_entry(text).expect(text);
            Listed { route: entry.route().expect(text), origins: vec![Origin::Endpoints] }
        };
        let forge = Route {
            rules: Rules {
                repositories: vec![
                    Repository::at("/acme/app", &[BranchPattern::parse("sandbox/*").expect("pattern")]).expect("path"),
                ],
                ..Rules::default()
            },
            ..Route::new(Endpoint::parse("forge.example").expect("endpoint"), RouteKind::Git, Scheme::Https)
        };
        let model =
            Route::new(Endpoint::parse("api.anthropic.com").expect("endpoint"), RouteKind::Model, Scheme::Https);
        let effective = Effective {
            routes: vec![
                entry("tunnel.example:8443"),
                entry(
                    "{ endpoint = 'api.example', methods = ['GET'], paths = ['/v1/**'], query = false, websocket = true, \
                     upload-max = '1KiB', credential = 'api', address = '10.0.0.5:443' }",
                ),
                entry("{ endpoint = 'http://shut.example', methods = [], paths = [] }"),
                Listed { route: forge, origins: vec![Origin::Remote("origin".into()), Origin::Remote("up".into())] },
                Listed { route: model, origins: vec![Origin::Model] },
            ],
            remotes: Vec::new(),
            notes: Vec::new(),
        };
        assert_eq!(
            render(&effective, &resolved),
            "ENDPOINT               KIND   CARRIES                                                   FROM\n\
             tunnel.example:8443    tls    a tunnel, not looked at                                   trust.endpoints in /home/me/profile.toml\n\
             api.example:443        http   GET · /v1/** · no query · WebSockets · adds the secret api · at most 1KiB up · at 10.0.0.5:443  trust.endpoints in /home/me/profile.toml\n\
             shut.example:80        http   no method · no path                                       trust.endpoints in /home/me/profile.toml\n\
             forge.example:443      git    git fetch, push sandbox/* /acme/app                       remote origin, remote up\n\
             api.anthropic.com:443  model  message requests for claude-sonnet-4-6, claude-opus-4-6 · $5.00 a run · adds api-key env:ANTHROPIC_API_KEY or oauth env:CLAUDE_CODE_OAUTH_TOKEN  model.upstream in built-in default\n\
             \n\
             trust.upload-max    1MiB        /home/me/profile.toml\n\
             trust.download-max  16GiB       built-in default\n\
             trust.requests-max  100000      built-in default\n"
        );
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        let resolved = resolved("");
        let model =
            Route::new(Endpoint::parse("api.anthropic.com").expect("endpoint"), RouteKind::Model, Scheme::Https);
        let routes = vec![Listed { route: model, origins: vec![Origin::Model] }];
        let text = render(&Effective { routes, remotes: Vec::new(), notes: Vec::new() }, &resolved);
        assert!(text.contains("nothing else: no endpoint is trusted, and there is no remote\n"), "{text}");
    }
}
