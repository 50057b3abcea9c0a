//! Which header fields pass the gateway, by allow-list in both directions: a credential under a name that nobody thought of
//! does not pass either.

use super::{credential::Field, redact::Redactor, refused::Refused};
use hyper::{
    HeaderMap,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use types::profile::ServerSide;

const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The beta that requests with an OAuth token need.
const OAUTH_BETA: &str = "oauth-2025-04-20";
/// Beginnings of the betas by which the endpoint would fetch or run something itself, or answer with another model.
const ACTING_BETAS: [&str; 8] = [
    "code-execution-",
    "files-api-",
    "mcp-client-",
    "server-side-fallback-",
    "skills-",
    "web-fetch-",
    "web-search-",
    "fast-mode-",
];
/// Longest value of a field from inside, in bytes.
const MAX_VALUE: usize = 1024;

/// The fields that go up: the client's allowed ones and ours.
///
/// # Errors
/// [`Refused::Body`] for a list of betas that is not one.
pub(crate) fn request(
    client: &HeaderMap,
    credential: Option<&Field>,
    server_side: ServerSide,
) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for name in [ACCEPT, VERSION, USER_AGENT] {
        if let Some(value) = client.get(&name).filter(|value| value.len() <= MAX_VALUE) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Compressed answers could not be read on the way.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let betas = betas(client, credential.is_some_and(|field| field.is_oauth), server_side)?;
    if !betas.is_empty() {
        let value = HeaderValue::from_str(&betas.join(",")).map_err(|_| bad_betas())?;
        headers.insert(BETA, value);
    }
    if let Some(field) = credential {
        headers.insert(field.name.clone(), field.value.clone());
    }
    Ok(headers)
}

fn betas(client: &HeaderMap, is_oauth: bool, server_side: ServerSide) -> Result<Vec<String>, Refused> {
    let mut betas = Vec::new();
    for value in client.get_all(BETA) {
        let text = value.to_str().map_err(|_| bad_betas())?;
        for beta in text.split(',').map(str::trim).filter(|beta| !beta.is_empty()) {
            if !beta.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
                return Err(bad_betas());
            }
            // The client does not choose how we authenticate, nor what the endpoint does beside answering.
            let is_ours = beta.starts_with("oauth-");
            let acts = ACTING_BETAS.iter().any(|prefix| beta.starts_with(prefix)) && server_side != ServerSide::Allow;
            if !is_ours && !acts {
                betas.push(beta.to_owned());
            }
        }
    }
    if betas.iter().map(String::len).sum::<usize>() > MAX_VALUE {
        return Err(bad_betas());
    }
    if is_oauth {
        betas.push(OAUTH_BETA.to_owned());
    }
    Ok(betas)
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
    use crate::scan::Secrets;
    use types::secret::Secret;

    fn client() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("accept", "text/event-stream"),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "tools-2024, oauth-2025-04-20,mcp-client-2025-04-04"),
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
        let field = |name: &str, value: &str, is_oauth| Field {
            name: name.parse().expect(name),
            value: value.parse().expect(value),
            is_oauth,
        };
        let sent = request(&client(), Some(&field("x-api-key", "sk-ours", false)), ServerSide::Deny).expect("sent");
        assert!(!format!("{sent:?}").contains("attacker"));
        assert_eq!(sent["x-api-key"], "sk-ours");
        assert_eq!(sent["anthropic-beta"], "tools-2024");
        assert_eq!(sent["anthropic-version"], "2023-06-01");
        let sent =
            request(&client(), Some(&field("authorization", "Bearer tok", true)), ServerSide::Deny).expect("sent");
        assert_eq!(sent["authorization"], "Bearer tok");
        assert_eq!(sent["anthropic-beta"], "tools-2024,oauth-2025-04-20");
        assert!(!sent.contains_key("x-api-key"));
        let sent = request(&client(), None, ServerSide::Allow).expect("sent");
        assert_eq!(sent["anthropic-beta"], "tools-2024,mcp-client-2025-04-04");
    }

    #[test]
    fn answers_lose_what_is_not_listed_and_the_credential() {
        let secrets = Secrets::default();
        secrets.add(&Secret::new("sk-ours"));
        let redactor = Redactor::new(secrets);
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
