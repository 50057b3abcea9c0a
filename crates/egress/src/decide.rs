//! The decision, pure: a name and a port in, a route or a refusal out. Deny is the absence of a route.

use crate::config::ConfigError;
use types::{
    host::Endpoint,
    route::{Route, RouteKind},
};

/// No route leads to the endpoint, or none of this kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}", self.text())]
pub struct NoRoute {
    /// What was asked for.
    pub asked: Endpoint,
    /// The kind of the route that exists for it, if it is only the kind that differs.
    pub other: Option<RouteKind>,
}

impl NoRoute {
    fn text(&self) -> String {
        match self.other {
            None => format!("{} is not a trusted endpoint", self.asked),
            Some(RouteKind::Tls) => format!("{} is trusted for TLS only", self.asked),
            Some(RouteKind::Http) => format!("{} is trusted for plain HTTP only", self.asked),
            Some(RouteKind::Model) => format!("{} is reached through the model gateway only", self.asked),
        }
    }
}

/// A route that a decision let through; it is made only here, and a [`crate::permit::Permit`] needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided<'r> {
    route: &'r Route,
}

impl<'r> Decided<'r> {
    /// The route.
    #[must_use]
    pub fn route(self) -> &'r Route {
        self.route
    }
}

/// The route of this kind for exactly this name and port.
///
/// # Errors
/// [`NoRoute`]; always when `routes` is empty.
pub fn decide<'r>(asked: &Endpoint, kind: RouteKind, routes: &'r [Route]) -> Result<Decided<'r>, NoRoute> {
    pick(asked, routes, |found| found == kind)
}

/// The route for a connection to a trusted name's loopback address, where the port alone says the kind.
///
/// # Errors
/// [`NoRoute`]; always when `routes` is empty.
pub fn decide_named<'r>(asked: &Endpoint, routes: &'r [Route]) -> Result<Decided<'r>, NoRoute> {
    pick(asked, routes, |found| found == RouteKind::Tls || found == RouteKind::Http)
}

fn pick<'r>(asked: &Endpoint, routes: &'r [Route], fits: impl Fn(RouteKind) -> bool) -> Result<Decided<'r>, NoRoute> {
    let mut same = routes.iter().filter(|route| route.endpoint == *asked);
    let other = same.clone().next().map(|route| route.kind);
    let found = same.find(|route| fits(route.kind));
    found.map(|route| Decided { route }).ok_or_else(|| NoRoute { asked: asked.clone(), other })
}

/// Refuses a list in which one endpoint has two meanings, so that the order of entries never decides.
pub(crate) fn check(routes: &[Route]) -> Result<(), ConfigError> {
    for (n, route) in routes.iter().enumerate() {
        let clash = routes[..n].iter().any(|earlier| earlier.endpoint == route.endpoint && earlier != route);
        if clash {
            return Err(ConfigError::ConflictingRoutes { endpoint: route.endpoint.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).expect(text)
    }

    fn routes() -> Vec<Route> {
        let route = |text, kind| Route { endpoint: endpoint(text), kind, address: None };
        vec![
            route("github.com", RouteKind::Tls),
            route("mirror.example:80", RouteKind::Http),
            route("model.example", RouteKind::Model),
        ]
    }

    #[test]
    fn labels_and_port_match_exactly() {
        let routes = routes();
        for good in ["github.com", "GitHub.com.", "github.com:443"] {
            assert!(decide(&endpoint(good), RouteKind::Tls, &routes).is_ok(), "{good}");
        }
        for bad in [
            "evilgithub.com",
            "github.com.evil.example",
            "api.github.com",
            "com",
            "github.co",
            "github.com:80",
            "github.com:9999",
            "mirror.example:80",
            "model.example",
        ] {
            assert!(decide(&endpoint(bad), RouteKind::Tls, &routes).is_err(), "{bad}");
        }
        assert!(decide(&endpoint("mirror.example:80"), RouteKind::Http, &routes).is_ok());
    }

    #[test]
    fn named_connections_never_reach_a_model_route() {
        let routes = routes();
        assert!(decide_named(&endpoint("github.com"), &routes).is_ok());
        assert!(decide_named(&endpoint("mirror.example:80"), &routes).is_ok());
        let refused = decide_named(&endpoint("model.example"), &routes).expect_err("model");
        assert_eq!(refused.other, Some(RouteKind::Model));
    }

    #[test]
    fn one_endpoint_has_one_meaning() {
        let mut twice = routes();
        twice.push(twice[0].clone());
        assert!(check(&twice).is_ok());
        twice[0].kind = RouteKind::Http;
        assert!(check(&twice).is_err());
    }

    proptest! {
        #[test]
        fn only_listed_pairs_pass(host in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}", port in 1u16.., listed in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}") {
            let asked = Endpoint::parse(&format!("{host}:{port}"));
            let known = Endpoint::parse(&format!("{listed}:443"));
            prop_assume!(asked.is_ok() && known.is_ok());
            if let (Ok(asked), Ok(known)) = (asked, known) {
                prop_assert!(decide(&asked, RouteKind::Tls, &[]).is_err());
                let routes = [Route { endpoint: known.clone(), kind: RouteKind::Tls, address: None }];
                prop_assert_eq!(decide(&asked, RouteKind::Tls, &routes).is_ok(), asked == known);
            }
        }
    }
}
