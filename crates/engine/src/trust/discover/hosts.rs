//! Hosts in what package managers print of their configuration. The text comes out of a container: it is capped, and only what reads as a
//! name and a port counts.

use super::managers::NOWHERE;
use std::collections::BTreeSet;
use types::{host::Endpoint, route::Scheme};

/// Most text that is looked through, in bytes.
pub(super) const MAX_TEXT: usize = 64 * 1024;
/// Most hosts of one manager.
pub(super) const MAX_HOSTS: usize = 32;

/// The endpoints of all `http://` and `https://` URLs in the text.
pub(super) fn in_text(text: &str) -> BTreeSet<(Scheme, Endpoint)> {
    let text = text.get(..MAX_TEXT).unwrap_or(text);
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("://") {
        let (before, after) = (&text[..at], &text[at + 3..]);
        let scheme = match before {
            _ if before.ends_with("https") => Scheme::Https,
            _ if before.ends_with("http") => Scheme::Http,
            _ => continue,
        };
        let end = after.find(|c: char| c.is_whitespace() || "/?#'\"`,;<>()[]{}|\\".contains(c)).unwrap_or(after.len());
        // What stands before an `@` is a credential of the registry's.
        let authority = after[..end].rsplit('@').next().unwrap_or_default();
        if let Some(endpoint) = endpoint(authority, scheme) {
            found.insert((scheme, endpoint));
        }
        if found.len() == MAX_HOSTS {
            break;
        }
    }
    found
}

/// A name with its port, unless it is one that was asked for in vain on purpose.
pub(super) fn endpoint(authority: &str, scheme: Scheme) -> Option<Endpoint> {
    let full = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{}", scheme.port()) };
    let endpoint = Endpoint::parse(&full).ok()?;
    let is_nowhere = endpoint.host.as_str().rsplit('.').next() == Some(NOWHERE);
    (!is_nowhere).then_some(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<String> {
        in_text(text).into_iter().map(|(scheme, endpoint)| format!("{scheme:?} {endpoint}")).collect()
    }

    #[test]
    fn urls_give_names_and_ports_and_no_credentials() {
        let text = "global.index-url='https://me:s3cret@pip.test:8443/simple'\nhttps://go.test,direct\n\
            @acme:registry = \"https://npm.test/\"\n; see http://docs.test/x\nfile:///srv/wheels\nhttps://probe.invalid/x\n\
            https://10.0.0.1/ https://*.test/ https://";
        assert_eq!(
            found(text),
            ["Https go.test:443", "Https npm.test:443", "Https pip.test:8443", "Http docs.test:80"]
        );
    }

    proptest! {
        #[test]
        fn hostile_text_gives_names_or_nothing(text in "(\\PC|https?://|[a-z.:@/\n]){0,200}") {
            prop_assert!(in_text(&text).len() <= MAX_HOSTS);
        }
    }
}
