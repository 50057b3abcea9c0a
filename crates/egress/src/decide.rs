//! The decision, pure: a name and a port in, a route or a refusal out. Deny is the absence of a route.

use crate::config::ConfigError;
use types::{
    host::Endpoint,
    route::{Route, RouteKind, Scheme},
};

/// How a program asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// CONNECT: a tunnel, or requests that are decrypted.
    Connect,
    /// A request inside a decrypted connection.
    Requests,
    /// A plain request.
    Plain,
    /// A connection to a trusted name's loopback address, where the port alone says the kind.
    Named,
}

impl Carriage {
    fn fits(self, route: &Route) -> bool {
        match (route.kind, route.scheme) {
            (RouteKind::Model, _) => false,
            (RouteKind::Tls, _) => matches!(self, Self::Connect | Self::Named),
            (RouteKind::Http | RouteKind::Git, Scheme::Https) => {
                matches!(self, Self::Connect | Self::Requests | Self::Named)
            }
            (RouteKind::Http | RouteKind::Git, Scheme::Http) => matches!(self, Self::Plain | Self::Named),
        }
    }
}

/// No route leads to the endpoint, or none of this kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}", self.text())]
pub struct NoRoute {
    /// What was asked for.
    pub asked: Endpoint,
    /// Kind and scheme of the route that exists for it, if it is only these that differ.
    pub other: Option<(RouteKind, Scheme)>,
}

impl NoRoute {
    fn text(&self) -> String {
        match self.other {
            None => format!("{} is not a trusted endpoint", self.asked),
            Some((RouteKind::Model, _)) => format!("{} is reached through the model gateway only", self.asked),
            Some((_, Scheme::Https)) => format!("{} is trusted for TLS only", self.asked),
            Some((_, Scheme::Http)) => format!("{} is trusted for plain HTTP only", self.asked),
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

/// The route for exactly this name and port, if what it carries can be asked for like this.
///
/// # Errors
/// [`NoRoute`]; always when `routes` is empty.
pub fn decide<'r>(asked: &Endpoint, carriage: Carriage, routes: &'r [Route]) -> Result<Decided<'r>, NoRoute> {
    let mut same = routes.iter().filter(|route| route.endpoint == *asked);
    let other = same.clone().next().map(|route| (route.kind, route.scheme));
    let found = same.find(|route| carriage.fits(route));
    found.map(|route| Decided { route }).ok_or_else(|| NoRoute { asked: asked.clone(), other })
}

/// Refuses a list in which one endpoint has two meanings, so that the order of entries never decides.
///
/// # Errors
/// [`ConfigError::ConflictingRoutes`]
pub fn check(routes: &[Route]) -> Result<(), ConfigError> {
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
        let route = |text, kind, scheme| Route::new(endpoint(text), kind, scheme);
        vec![
            route("github.com", RouteKind::Tls, Scheme::Https),
            route("mirror.example:80", RouteKind::Http, Scheme::Http),
            route("api.example", RouteKind::Http, Scheme::Https),
            route("model.example", RouteKind::Model, Scheme::Https),
        ]
    }

    #[test]
    fn labels_and_port_match_exactly() {
        let routes = routes();
        for good in ["github.com", "GitHub.com.", "github.com:443"] {
            assert!(decide(&endpoint(good), Carriage::Connect, &routes).is_ok(), "{good}");
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
            assert!(decide(&endpoint(bad), Carriage::Connect, &routes).is_err(), "{bad}");
        }
        assert!(decide(&endpoint("mirror.example:80"), Carriage::Plain, &routes).is_ok());
    }

    #[test]
    fn what_is_asked_for_must_be_what_is_carried() {
        let routes = routes();
        let fits = |text: &str, carriage| decide(&endpoint(text), carriage, &routes).is_ok();
        use Carriage::{Connect, Named, Plain, Requests};
        for (text, carried) in [
            ("github.com", &[Connect, Named][..]),
            ("mirror.example:80", &[Plain, Named]),
            ("api.example", &[Connect, Requests, Named]),
            ("model.example", &[]),
            ("other.example", &[]),
        ] {
            for carriage in [Connect, Named, Plain, Requests] {
                assert_eq!(fits(text, carriage), carried.contains(&carriage), "{text} {carriage:?}");
            }
        }
        let refused = decide(&endpoint("model.example"), Named, &routes).expect_err("model");
        assert_eq!(refused.other, Some((RouteKind::Model, Scheme::Https)));
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
                prop_assert!(decide(&asked, Carriage::Connect, &[]).is_err());
                let routes = [Route::new(known.clone(), RouteKind::Tls, Scheme::Https)];
                prop_assert_eq!(decide(&asked, Carriage::Connect, &routes).is_ok(), asked == known);
            }
        }
    }
}
