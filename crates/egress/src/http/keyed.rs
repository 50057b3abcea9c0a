//! Routes with a credential of the operator's: what the program sent in its place is taken away, the real one is added, and it never
//! comes back.
//!
//! What must stay true: the credential goes to its route's endpoint and nowhere else; no credential that came from inside
//! goes there beside it, under whatever name; what could be one and is not known refuses the request.

use crate::{config::ConfigError, scan::Scanner};
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, COOKIE, HeaderName, HeaderValue, RANGE},
};
use std::sync::Arc;
use types::{secret::Secret, text::printable};

/// Header fields that carry credentials, beside `authorization`, `cookie` and those that begin with `proxy-`.
const CARRIERS: [&str; 14] = [
    "api-key",
    "apikey",
    "private-token",
    "job-token",
    "deploy-token",
    "x-amz-security-token",
    "x-api-key",
    "x-api-token",
    "x-access-token",
    "x-auth-key",
    "x-auth-token",
    "x-goog-api-key",
    "x-gitlab-token",
    "x-vault-token",
];
/// Words in the name of a field that may be a credential.
const WORDS: [&str; 10] =
    ["auth", "token", "secret", "api-key", "apikey", "credential", "passw", "session", "cookie", "signature"];
/// Names of query parameters that are credentials.
const PARAMETERS: [&str; 10] =
    ["auth", "authorization", "jwt", "key", "pwd", "session", "sessionid", "sid", "sig", "token"];
/// Words in the name of a query parameter that is one. A bare `token` is none of them: pages are turned with such.
const PARAMETER_WORDS: [&str; 12] = [
    "access_token",
    "accesstoken",
    "api-key",
    "api_key",
    "apikey",
    "auth_token",
    "credential",
    "passw",
    "private_token",
    "secret",
    "security-token",
    "signature",
];

/// Why a request on a route with a credential is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ForeignCredential {
    /// A field that may be a credential.
    #[error("the header field `{name}` may be a credential, and the route has its own")]
    Field {
        /// Its name.
        name: String,
    },
    /// A parameter that may be a credential.
    #[error("the query parameter `{name}` may be a credential, and the route has its own")]
    Parameter {
        /// Its name, escaped and cut.
        name: String,
    },
}

/// Refuses a query that may hold a credential.
///
/// # Errors
/// [`ForeignCredential::Parameter`]
pub(crate) fn check_query(query: Option<&str>) -> Result<(), ForeignCredential> {
    for parameter in query.unwrap_or_default().split(['&', ';']) {
        let name = parameter.split('=').next().unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        // An escaped name can be anything.
        let holds_word = PARAMETER_WORDS.iter().any(|word| lower.contains(word));
        if PARAMETERS.contains(&lower.as_str()) || lower.contains('%') || holds_word {
            return Err(ForeignCredential::Parameter { name: printable(name, 60) });
        }
    }
    Ok(())
}

/// A credential, ready to send.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    name: HeaderName,
    value: HeaderValue,
    scanner: Arc<Scanner>,
}

impl Keyed {
    /// A header's name and its whole value, and the secret that is in it.
    ///
    /// # Errors
    /// [`ConfigError::RouteCredential`] when it cannot stand in a header.
    pub(crate) fn new(header: &str, value: &Secret, secret: &Secret) -> Result<Self, ConfigError> {
        let bad = || ConfigError::RouteCredential { header: printable(header, 60) };
        let name = HeaderName::from_bytes(header.as_bytes()).map_err(|_| bad())?;
        let framing = ["host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade"];
        if secret.expose().is_empty() || framing.contains(&name.as_str()) {
            return Err(bad());
        }
        let mut value_sent = HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
        value_sent.set_sensitive(true);
        Ok(Self { name, value: value_sent, scanner: Arc::new(Scanner::new([value, secret])) })
    }

    /// Replaces what came from inside.
    ///
    /// # Errors
    /// [`ForeignCredential`]
    pub(crate) fn put_on(&self, headers: &mut HeaderMap, query: Option<&str>) -> Result<(), ForeignCredential> {
        check_query(query)?;
        let names: Vec<HeaderName> = headers.keys().cloned().collect();
        for name in names {
            let text = name.as_str();
            if name == AUTHORIZATION || name == COOKIE || name == self.name || CARRIERS.contains(&text) {
                headers.remove(&name);
            } else if WORDS.iter().any(|word| text.contains(word)) {
                return Err(ForeignCredential::Field { name: text.to_owned() });
            }
        }
        headers.insert(self.name.clone(), self.value.clone());
        // What is compressed or cut into ranges cannot be looked through on its way back.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.remove(RANGE);
        Ok(())
    }

    /// Looks for the credential in what comes back.
    pub(crate) fn scanner(&self) -> Arc<Scanner> {
        Arc::clone(&self.scanner)
    }

    /// True when an answer's body can be looked through.
    pub(crate) fn can_read(status: StatusCode, headers: &HeaderMap) -> bool {
        let identity =
            headers.get(CONTENT_ENCODING).is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
        identity && status != StatusCode::PARTIAL_CONTENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed() -> Keyed {
        Keyed::new("Authorization", &Secret::new("Bearer real-credential"), &Secret::new("real-credential"))
            .expect("good")
    }

    fn send(fields: &[(&'static str, &'static str)], query: Option<&str>) -> Result<HeaderMap, ForeignCredential> {
        let mut headers: HeaderMap = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        keyed().put_on(&mut headers, query).map(|()| headers)
    }

    #[test]
    fn the_program_s_credentials_go_and_ours_stands_alone() {
        let sent = send(
            &[
                ("authorization", "Bearer evil"),
                ("cookie", "a=b"),
                ("x-api-key", "evil"),
                ("private-token", "evil"),
                ("accept", "application/json"),
                ("accept-encoding", "gzip"),
                ("range", "bytes=0-1"),
            ],
            Some("page=2&per_page=5"),
        )
        .expect("sent");
        let shown: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(sent.get_all(AUTHORIZATION).iter().count(), 1);
        assert!(
            shown.contains(&("authorization", b"Bearer real-credential"))
                && shown.contains(&("accept-encoding", b"identity"))
        );
        assert!(!shown.iter().any(|(_, value)| value.windows(4).any(|w| w == b"evil")), "{shown:?}");
        assert_eq!(sent.len(), 3);
    }

    #[test]
    fn what_may_be_a_credential_refuses() {
        for name in ["x-my-token", "x-secret", "x-amz-auth", "my-api-key", "set-session"] {
            assert!(matches!(send(&[(name, "x")], None), Err(ForeignCredential::Field { .. })), "{name}");
        }
        for query in ["key=x", "a=b&access_token=x", "API_KEY=x", "a;sig=x", "%6bey=x", "jwt"] {
            assert!(matches!(send(&[], Some(query)), Err(ForeignCredential::Parameter { .. })), "{query}");
        }
        assert!(send(&[], Some("q=key&sort=stars&page_token=x")).is_ok());
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_no_credential() {
        for (header, value, secret) in
            [("a b", "x", "x"), ("host", "x", "x"), ("authorization", "a\nb", "a"), ("authorization", "Bearer ", "")]
        {
            assert!(Keyed::new(header, &Secret::new(value), &Secret::new(secret)).is_err(), "{header}");
        }
    }
}
