//! The operator's credential never comes back: an endpoint that reflects headers or quotes the key in an error would hand
//! it to the agent.

use crate::config::Credential;
use bytes::Bytes;
use hyper::header::HeaderValue;

/// What stands in place of the credential.
const MARK: &[u8] = b"[redacted by sandbox]";

/// The bytes that must not come back.
#[derive(Clone)]
pub(crate) struct Redactor {
    needle: Option<Vec<u8>>,
}

impl Redactor {
    /// Looks for this credential.
    pub(crate) fn new(credential: &Credential) -> Self {
        let needle = match credential {
            Credential::ApiKey(secret) | Credential::OAuth(secret) | Credential::Bearer(secret) => {
                Some(secret.expose().as_bytes().to_vec())
            }
            Credential::None => None,
        };
        Self { needle: needle.filter(|needle| !needle.is_empty()) }
    }

    /// True when the credential is in the bytes.
    pub(crate) fn finds_in(&self, bytes: &[u8]) -> bool {
        self.position(bytes).is_some()
    }

    /// The bytes with every occurrence replaced.
    pub(crate) fn clean(&self, bytes: Bytes) -> Bytes {
        let Some(needle) = self.needle.as_deref().filter(|_| self.finds_in(&bytes)) else { return bytes };
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = &bytes[..];
        while let Some(at) = self.position(rest) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(MARK);
            rest = &rest[at + needle.len()..];
        }
        out.extend_from_slice(rest);
        out.into()
    }

    /// The same for bytes that were cut off: what could be the beginning of an occurrence goes too.
    pub(crate) fn clean_cut(&self, bytes: Bytes) -> Bytes {
        let mut cleaned = self.clean(bytes);
        cleaned.truncate(cleaned.len().saturating_sub(self.needle.as_deref().map_or(0, <[u8]>::len)));
        cleaned
    }

    /// The header value, or a mark in its place.
    pub(crate) fn clean_header(&self, value: &HeaderValue) -> HeaderValue {
        if self.finds_in(value.as_bytes()) { HeaderValue::from_static("[redacted by sandbox]") } else { value.clone() }
    }

    fn position(&self, bytes: &[u8]) -> Option<usize> {
        let needle = self.needle.as_deref()?;
        let first = needle.first()?;
        let mut from = 0;
        while let Some(at) = bytes.get(from..)?.iter().position(|byte| byte == first) {
            if bytes[from + at..].starts_with(needle) {
                return Some(from + at);
            }
            from += at + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::secret::Secret;

    #[test]
    fn every_occurrence_goes() {
        let redactor = Redactor::new(&Credential::ApiKey(Secret::new("sk-1")));
        let cleaned = redactor.clean(Bytes::from_static(b"sk-sk-1 and sk-1"));
        assert_eq!(&cleaned[..], b"sk-[redacted by sandbox] and [redacted by sandbox]");
        assert_eq!(&redactor.clean(Bytes::from_static(b"sk-2"))[..], b"sk-2");
        assert_eq!(&redactor.clean_cut(Bytes::from_static(b"abcdef sk-"))[..], b"abcdef");
        assert!(!Redactor::new(&Credential::None).finds_in(b"anything"));
    }
}
