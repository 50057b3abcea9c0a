//! What a route's rules say to a request: pure, on the one form of its path that is then sent.

use crate::git::{self, Exchange, GitRefusal};
use hyper::{HeaderMap, Method};
use types::{
    path::{InvalidPath, NormalPath},
    route::{Route, RouteKind, Rules},
    text::printable,
};

/// Why a route's rules refuse a request.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A method that the rules do not list.
    #[error("the method {method} is not among the route's methods")]
    Method {
        /// The method.
        method: String,
    },
    /// A path that has no form that can be decided on.
    #[error("the path cannot be decided on")]
    Form(#[from] InvalidPath),
    /// A path that no pattern covers.
    #[error("the path `{path}` is not among the route's paths")]
    Path {
        /// The path, escaped and cut.
        path: String,
    },
    /// A query where none may be.
    #[error("the route carries no query")]
    Query,
    /// Another repository than the recorded ones, on an endpoint that is there for git alone.
    #[error("the repository behind `{path}` is not one of the remotes that were recorded when the run began")]
    Repository {
        /// The path, escaped and cut.
        path: String,
    },
    /// What git may not do.
    #[error(transparent)]
    Git(#[from] GitRefusal),
}

/// A request that the rules let through, as it is sent.
#[derive(Debug)]
pub(crate) struct Ruled {
    /// Path and query.
    pub(crate) target: String,
    /// What git does, if it is git.
    pub(crate) git: Option<Exchange>,
}

/// Holds a request against the rules of its route. `target` is a path with an optional query.
///
/// # Errors
/// [`RuleError`]
pub(crate) fn hold(route: &Route, method: &Method, target: &str, headers: &HeaderMap) -> Result<Ruled, RuleError> {
    let Rules { methods, paths, no_query, repositories, .. } = &route.rules;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let is_free = route.kind != RouteKind::Git && paths.is_none() && repositories.is_empty();
    let normal = if is_free { None } else { Some(NormalPath::parse(path)?) };
    if let Some(normal) = &normal {
        for repository in repositories {
            let Some(below) = repository.below(normal) else { continue };
            // Pages and downloads below a repository are the operator's own rules' affair, where there are some.
            if route.kind == RouteKind::Git || git::is_service(below) {
                let git = git::admit(repository, below, method, query, headers)?;
                return Ok(Ruled { target: joined(normal.as_str(), query), git: Some(git) });
            }
        }
        if route.kind == RouteKind::Git {
            return Err(RuleError::Repository { path: printable(path, 120) });
        }
        if paths.as_ref().is_some_and(|paths| !paths.iter().any(|pattern| pattern.covers(normal))) {
            return Err(RuleError::Path { path: printable(path, 120) });
        }
    }
    if methods.as_ref().is_some_and(|methods| !methods.iter().any(|known| known.as_str() == method.as_str())) {
        return Err(RuleError::Method { method: printable(method.as_str(), 40) });
    }
    if *no_query && query.is_some() {
        return Err(RuleError::Query);
    }
    Ok(Ruled { target: joined(normal.as_ref().map_or(path, NormalPath::as_str), query), git: None })
}

fn joined(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        host::Endpoint,
        path::PathPattern,
        route::{Repository, Scheme},
    };

    fn route(rules: Rules) -> Route {
        let endpoint = Endpoint::parse("api.example").expect("endpoint");
        Route { rules, ..Route::new(endpoint, RouteKind::Http, Scheme::Https) }
    }

    fn ask(route: &Route, line: &str) -> Result<String, RuleError> {
        let (method, target) = line.split_once(' ').expect("method and target");
        hold(route, &method.parse().expect("method"), target, &HeaderMap::new()).map(|ruled| ruled.target)
    }

    fn paths(patterns: &[&str]) -> Option<Vec<PathPattern>> {
        Some(patterns.iter().map(|text| PathPattern::parse(text).expect(text)).collect())
    }

    #[test]
    fn the_form_that_was_decided_on_is_sent() {
        let route = route(Rules { paths: paths(&["/v1/*/items/**", "/@scope%2F*"]), ..Rules::default() });
        for (line, sent) in
            [("GET /v1/%61cme/items/1?q=/../x", "/v1/acme/items/1?q=/../x"), ("GET /@scope%2fname", "/@scope%2Fname")]
        {
            assert_eq!(ask(&route, line).expect(line), sent);
        }
        for line in [
            "GET /v1/../secret/items/1",
            "GET /v1/x/items/%2e%2e/%2e%2e/secret",
            "GET /v1/x/items/..%2f..%2fsecret",
            "GET /v1//items/1",
            "GET /V1/x/items/1",
            "GET /secret?/v1/x/items/1",
            "GET /secret;/v1/x/items/1",
        ] {
            assert!(ask(&route, line).is_err(), "{line}");
        }
    }

    #[test]
    fn lists_narrow_and_an_empty_list_is_nothing() {
        let get = route(Rules {
            methods: Some(vec![types::route::Method::parse("GET").expect("method")]),
            no_query: true,
            ..Rules::default()
        });
        assert_eq!(ask(&get, "GET /any//where").expect("free path"), "/any//where");
        assert!(matches!(ask(&get, "POST /"), Err(RuleError::Method { .. })));
        assert!(matches!(ask(&get, "GET /?a"), Err(RuleError::Query)));
        assert!(matches!(ask(&get, "GET /?"), Err(RuleError::Query)));
        let none = route(Rules { paths: paths(&[]), ..Rules::default() });
        assert!(matches!(ask(&none, "GET /"), Err(RuleError::Path { .. })));
    }

    #[test]
    fn a_git_route_is_its_repositories() {
        let mut git = route(Rules {
            repositories: vec![Repository::at("/acme/app.git", &[]).expect("path")],
            ..Rules::default()
        });
        let fetch = "GET /acme/app/info/refs?service=git-upload-pack";
        for beside in ["/other", "/acme/app/releases/x.tgz"] {
            assert_eq!(ask(&git, &format!("GET {beside}")).expect("beside"), beside);
        }
        for service in
            ["GET /acme/app/info/refs", "POST /acme/app/git-receive-pack", "POST /acme/app.git/git-upload-archive"]
        {
            assert!(matches!(ask(&git, service), Err(RuleError::Git(_))), "{service}");
        }
        git.kind = RouteKind::Git;
        assert_eq!(ask(&git, fetch).expect("fetch"), "/acme/app/info/refs?service=git-upload-pack");
        for line in [
            "GET /evil/app/info/refs?service=git-upload-pack",
            "GET /other",
            "GET /acme/app/releases/x.tgz",
            "GET /acme/app/../../evil/info/refs",
        ] {
            assert!(ask(&git, line).is_err(), "{line}");
        }
    }
}
