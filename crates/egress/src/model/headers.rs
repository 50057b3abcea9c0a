//! Which header fields pass the gateway, by allow-list in both directions: a credential under a name that nobody thought of
//! does not pass either.

use super::{redact::Redactor, refused::Refused};
use crate::config::{ConfigError, Credential};
use hyper::{
    HeaderMap,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};

const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The beta that requests with an OAuth token need.
const OAUTH_BETA: &str = "oauth-2025-04-20";
/// Longest value of a field from inside, in bytes.
const MAX_VALUE: usize = 1024;

/// Our fields for every request: the credential, ready to send and marked as sensitive.
pub(crate) struct Ours {
    credential: Option<(HeaderName, HeaderValue)>,
    oauth: bool,
}

impl Ours {
    /// Prepares the credential.
    ///
    /// # Errors
    /// [`ConfigError::Credential`] when it is empty or cannot stand in a header.
    pub(crate) fn new(credential: &Credential) -> Result<Self, ConfigError> {
        let (name, text, oauth) = match credential {
            Credential::None => return Ok(Self { credential: None, oauth: false }),
            Credential::ApiKey(secret) => (API_KEY, secret.expose().to_owned(), false),
            Credential::OAuth(secret) => (AUTHORIZATION, format!("Bearer {}", secret.expose()), true),
            Credential::Bearer(secret) => (AUTHORIZATION, format!("Bearer {}", secret.expose()), false),
        };
        if text.is_empty() || text == "Bearer " {
            return Err(ConfigError::Credential);
        }
        let mut value = HeaderValue::from_str(&text).map_err(|_| ConfigError::Credential)?;
        value.set_sensitive(true);
        Ok(Self { credential: Some((name, value)), oauth })
    }

    /// The fields that go up: the client's allowed ones and ours.
    ///
    /// # Errors
    /// [`Refused::Body`] for a list of betas that is not one.
    pub(crate) fn request(&self, client: &HeaderMap) -> Result<HeaderMap, Refused> {
        let mut headers = HeaderMap::new();
        for name in [ACCEPT, VERSION, USER_AGENT] {
            if let Some(value) = client.get(&name).filter(|value| value.len() <= MAX_VALUE) {
                headers.insert(name, value.clone());
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Compressed answers could not be read on the way.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let betas = self.betas(client)?;
        if !betas.is_empty() {
            let value = HeaderValue::from_str(&betas.join(",")).map_err(|_| bad_betas())?;
            headers.insert(BETA, value);
        }
        if let Some((name, value)) = &self.credential {
            headers.insert(name.clone(), value.clone());
        }
        Ok(headers)
    }

    fn betas(&self, client: &HeaderMap) -> Result<Vec<String>, Refused> {
        let mut betas = Vec::new();
        for value in client.get_all(BETA) {
            let text = value.to_str().map_err(|_| bad_betas())?;
            for beta in text.split(',').map(str::trim).filter(|beta| !beta.is_empty()) {
                if !beta.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
                    return Err(bad_betas());
                }
                // The client does not choose how we authenticate.
                if !beta.starts_with("oauth-") {
                    betas.push(beta.to_owned());
                }
            }
        }
        if betas.iter().map(String::len).sum::<usize>() > MAX_VALUE {
            return Err(bad_betas());
        }
        if self.oauth {
            betas.push(OAUTH_BETA.to_owned());
        }
        Ok(betas)
    }
}

fn bad_betas() -> Refused {
    Refused::Body("anthropic-beta is not a list of names".to_owned())
}

/// The fields of the endpoint's answer that go down, cleaned of the credential.
pub(crate) fn answer(upstream: &HeaderMap, redactor: &Redactor) -> HeaderMap {
    upstream
        .iter()
        .filter(|(name, _)| {
            **name == CONTENT_TYPE
                || **name == RETRY_AFTER
                || matches!(name.as_str(), "request-id" | "x-should-retry" | "retry-after-ms" | "cache-control")
                || name.as_str().starts_with("anthropic-ratelimit-")
        })
        .map(|(name, value)| (name.clone(), redactor.clean_header(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::secret::Secret;

    fn client() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("accept", "text/event-stream"),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "tools-2024, oauth-2025-04-20"),
            ("user-agent", "agent/1"),
            ("authorization", "Bearer attacker"),
            ("x-api-key", "attacker"),
            ("cookie", "k=attacker"),
            ("proxy-authorization", "attacker"),
            ("x-goog-api-key", "attacker"),
            ("x-anything", "attacker"),
            ("host", "attacker"),
        ] {
            headers.append(name, value.parse().expect(value));
        }
        headers
    }

    #[test]
    fn only_ours_identifies() {
        let sent =
            Ours::new(&Credential::ApiKey(Secret::new("sk-ours"))).expect("ours").request(&client()).expect("sent");
        assert!(!format!("{sent:?}").contains("attacker"));
        assert_eq!(sent["x-api-key"], "sk-ours");
        assert_eq!(sent["anthropic-beta"], "tools-2024");
        assert_eq!(sent["anthropic-version"], "2023-06-01");
        assert!(!format!("{sent:?}").contains("sk-ours"), "marked as sensitive");

        let sent = Ours::new(&Credential::OAuth(Secret::new("tok"))).expect("ours").request(&client()).expect("sent");
        assert_eq!(sent["authorization"], "Bearer tok");
        assert_eq!(sent["anthropic-beta"], "tools-2024,oauth-2025-04-20");
        assert!(!sent.contains_key("x-api-key"));
    }

    #[test]
    fn credentials_that_cannot_be_sent_are_refused_early() {
        for bad in ["", "  ", "a\nb"] {
            assert!(Ours::new(&Credential::ApiKey(Secret::new(bad))).is_err(), "{bad:?}");
            assert!(Ours::new(&Credential::OAuth(Secret::new(bad))).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn answers_lose_what_is_not_listed_and_the_credential() {
        let redactor = Redactor::new(&Credential::ApiKey(Secret::new("sk-ours")));
        let mut upstream = HeaderMap::new();
        for (name, value) in [
            ("request-id", "req_1"),
            ("anthropic-ratelimit-x", "sk-ours"),
            ("location", "http://x"),
            ("set-cookie", "a=b"),
        ] {
            upstream.insert(name, value.parse().expect(value));
        }
        let sent = answer(&upstream, &redactor);
        assert_eq!(sent.len(), 2);
        assert_eq!(sent["request-id"], "req_1");
        assert!(!redactor.finds_in(sent["anthropic-ratelimit-x"].as_bytes()));
    }
}
