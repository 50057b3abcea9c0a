//! Takes the operator's secrets out of what goes to the agent: an endpoint that reflects headers or quotes the key in an error would
//! hand it over. What [`crate::scan`] cannot see passes here too.

use crate::scan::{MARK, Secrets};
use bytes::Bytes;
use hyper::header::HeaderValue;

/// Cleans what goes to the agent of the secrets that are known when it goes.
#[derive(Clone, Debug)]
pub(crate) struct Redactor {
    secrets: Secrets,
}

impl Redactor {
    /// Looks for these secrets, also for those that are added later.
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self { secrets }
    }

    /// True when a secret is in the bytes.
    pub(crate) fn finds_in(&self, bytes: &[u8]) -> bool {
        self.secrets.scanner().finds_in(bytes)
    }

    /// The text with every secret replaced; none when there is no secret in it.
    pub(crate) fn replace(&self, text: &str) -> Option<String> {
        self.secrets.scanner().replace(text)
    }

    /// The bytes with every secret replaced.
    pub(crate) fn clean(&self, bytes: Bytes) -> Bytes {
        self.secrets.scanner().clean(bytes)
    }

    /// The same for bytes that were cut off: what could be the beginning of a secret goes too.
    pub(crate) fn clean_cut(&self, mut bytes: Bytes) -> Bytes {
        let scanner = self.secrets.scanner();
        let cut = bytes.len() - scanner.pending(&bytes);
        let ranges = scanner.ranges(&bytes);
        // A secret that reaches over the cut is whole and is replaced as such.
        let across = ranges.into_iter().find(|range| range.start < cut && cut < range.end);
        bytes.truncate(across.map_or(cut, |range| range.end));
        scanner.clean(bytes)
    }

    /// The header value, or a mark in its place.
    pub(crate) fn clean_header(&self, value: &HeaderValue) -> HeaderValue {
        if self.finds_in(value.as_bytes()) { HeaderValue::from_static(MARK) } else { value.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::secret::Secret;

    #[test]
    fn a_secret_goes_whole_or_as_far_as_it_came() {
        let secrets = Secrets::default();
        let redactor = Redactor::new(secrets.clone());
        assert!(!redactor.finds_in(b"sk-1"));
        secrets.add(&Secret::new("sk-1"));
        let cleaned = redactor.clean(Bytes::from_static(b"sk-sk-1 and sk-1"));
        assert_eq!(&cleaned[..], b"sk-[redacted by sandbox] and [redacted by sandbox]");
        assert_eq!(&redactor.clean(Bytes::from_static(b"sk-2"))[..], b"sk-2");
        assert_eq!(&redactor.clean_cut(Bytes::from_static(b"abcdef sk-"))[..], b"abcdef ");
        assert_eq!(&redactor.clean_cut(Bytes::from_static(b"abcdef sk-1"))[..], b"abcdef [redacted by sandbox]");
        secrets.add(&Secret::new("abcab"));
        assert_eq!(&redactor.clean_cut(Bytes::from_static(b"xx abcab"))[..], b"xx [redacted by sandbox]");
        assert_eq!(redactor.clean_header(&HeaderValue::from_static("key=sk-1")), MARK);
    }
}
