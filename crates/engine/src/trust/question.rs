//! Questions about a request that nobody has made: `api.example.com`, `api.example.com:8443/v1/x`, `http://mirror.example/`.

use types::{
    host::Endpoint,
    route::{Route, Scheme},
    text::printable,
};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is spoken, where the question says so.
    scheme: Option<Scheme>,
    /// Name and perhaps port, as given.
    authority: String,
    /// Method and target.
    pub(super) request: Option<(String, String)>,
    /// It asks for a WebSocket.
    pub(super) is_websocket: bool,
}

/// A question that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` cannot be asked about: {reason}")]
pub struct InvalidQuestion {
    text: String,
    reason: &'static str,
}

const SCHEMES: [(&str, Scheme, bool); 4] = [
    ("https://", Scheme::Https, false),
    ("http://", Scheme::Http, false),
    ("wss://", Scheme::Https, true),
    ("ws://", Scheme::Http, true),
];

impl Asked {
    /// Reads a host or a URL. Without a path and a method only the connection is asked about; the method is GET where none is given.
    ///
    /// # Errors
    /// [`InvalidQuestion`]
    pub fn parse(text: &str, method: Option<&str>, is_websocket: bool) -> Result<Self, InvalidQuestion> {
        let trimmed = text.trim();
        let known = SCHEMES
            .into_iter()
            .find(|(prefix, ..)| trimmed.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
        let (scheme, rest, is_websocket) = match known {
            Some((prefix, scheme, asks)) => (Some(scheme), &trimmed[prefix.len()..], asks || is_websocket),
            None => (None, trimmed, is_websocket),
        };
        let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let bad = |reason| {
            // What stands before an `@` may be a password.
            let shown = trimmed.rsplit('@').next().unwrap_or_default();
            Err(InvalidQuestion { text: printable(shown, 80), reason })
        };
        if authority.contains('@') {
            return bad("leave user and password out");
        }
        if authority.is_empty() || rest.contains("://") && authority.ends_with(':') {
            return bad("write a host, or an http or https URL");
        }
        // A fragment is never sent.
        let target = behind.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let has_request = !behind.is_empty() || method.is_some() || is_websocket;
        let request = has_request.then(|| (method.unwrap_or("GET").to_owned(), target));
        Ok(Self { scheme, authority: authority.to_owned(), request, is_websocket })
    }

    /// What is spoken, and name with port: where the question does not say, as the routes do.
    pub(super) fn place(&self, routes: &[Route]) -> (Scheme, String) {
        let with_port = |scheme: Scheme| match self.authority.contains(':') {
            true => self.authority.clone(),
            false => format!("{}:{}", self.authority, scheme.port()),
        };
        let known = || {
            let endpoint = Endpoint::parse(&with_port(Scheme::Https)).ok()?;
            let route = routes.iter().find(|route| route.endpoint == endpoint);
            route.map(|route| route.scheme).or((endpoint.port == Scheme::Http.port()).then_some(Scheme::Http))
        };
        let scheme = self.scheme.or_else(known).unwrap_or_default();
        (scheme, with_port(scheme))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::route::RouteKind;

    #[test]
    fn hosts_and_urls_are_questions() {
        let plain = Endpoint::parse("plain.example:8080").expect("endpoint");
        let routes = [Route::new(plain, RouteKind::Http, Scheme::Http)];
        for (text, scheme, place, request) in [
            ("a.example", Scheme::Https, "a.example:443", None),
            ("a.example:80", Scheme::Http, "a.example:80", None),
            ("plain.example:8080", Scheme::Http, "plain.example:8080", None),
            ("HTTPS://a.example/x?y#z", Scheme::Https, "a.example:443", Some("/x?y")),
            ("http://a.example", Scheme::Http, "a.example:80", None),
            ("a.example/x", Scheme::Https, "a.example:443", Some("/x")),
            ("a.example?x", Scheme::Https, "a.example:443", Some("/?x")),
            ("wss://a.example", Scheme::Https, "a.example:443", Some("/")),
            ("[::1]:443", Scheme::Https, "[::1]:443", None),
        ] {
            let asked = Asked::parse(text, None, false).expect(text);
            assert_eq!(asked.place(&routes), (scheme, place.to_owned()), "{text}");
            assert_eq!(asked.request, request.map(|target| ("GET".to_owned(), target.to_owned())), "{text}");
        }
        let put = Asked::parse("a.example", Some("PUT"), false).expect("question");
        assert_eq!(put.request, Some(("PUT".to_owned(), "/".to_owned())));
    }

    #[test]
    fn what_is_no_question_says_so_without_a_password() {
        for bad in ["", "/x", "https://", "ftp://a.example/x", "https://me:s3cret@a.example/"] {
            let error = Asked::parse(bad, None, false).expect_err(bad).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
