//! The host's CA certificates, which are public, and nothing else of the files they stand in.

use std::{fs::File, io::Read};

/// Where systems keep their trust store, after the variable that overrides them all.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Largest bundle that is read.
const MAX_BUNDLE: u64 = 8 * 1024 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of the first bundle that has some; empty when none has.
pub(super) fn of_host() -> String {
    let named = std::env::var("SSL_CERT_FILE").ok();
    named
        .iter()
        .map(String::as_str)
        .chain(BUNDLES)
        .filter_map(|path| {
            let mut bytes = Vec::new();
            File::open(path).and_then(|file| file.take(MAX_BUNDLE).read_to_end(&mut bytes)).ok()?;
            Some(only_certificates(&String::from_utf8_lossy(&bytes)))
        })
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// The certificate blocks of a PEM file; keys, comments and anything else are left out.
fn only_certificates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let body = &rest[begin + BEGIN.len()..];
        let Some(end) = body.find(END) else { break };
        let base64 = &body[..end];
        if base64.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\n' | b'\r')) {
            out.push_str(BEGIN);
            out.push_str(base64);
            out.push_str(END);
            out.push('\n');
            rest = &body[end + END.len()..];
        } else {
            // Perhaps a block that was never ended: look for the next one behind its first line.
            rest = body;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_and_comments_stay_outside() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        let good = format!("{BEGIN}\nAAAA\n{END}\n");
        let text = format!("# alice@host\n{good}{key}{BEGIN}\nnever ended\n{key}{good}trailing");
        assert_eq!(only_certificates(&text), good.repeat(2));
        assert_eq!(only_certificates(key), "");
    }

    proptest! {
        #[test]
        fn what_comes_out_is_only_blocks(parts in proptest::collection::vec(prop_oneof![
            Just(BEGIN.to_owned()), Just(END.to_owned()), "[A-Za-z+/=\n -]{0,20}", ".{0,10}"], 0..20)) {
            let out = only_certificates(&parts.concat());
            prop_assert_eq!(out.matches(BEGIN).count(), out.matches(END).count());
            prop_assert_eq!(only_certificates(&out), out);
        }
    }
}
