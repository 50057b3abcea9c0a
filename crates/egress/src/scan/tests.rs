use super::*;
use proptest::prelude::*;
use std::sync::Arc;

fn scanner(secrets: &[&str]) -> Arc<Scanner> {
    let secrets: Vec<_> = secrets.iter().map(|text| Secret::new(*text)).collect();
    Arc::new(Scanner::new(&secrets))
}

/// Every way to write `secret` that a scanner has to see, between other bytes.
fn written(secret: &str) -> Vec<(Form, String)> {
    use base64::{Engine as _, engine::general_purpose as engines};
    let bytes = |before: &str| [before.as_bytes(), secret.as_bytes(), b"!tail"].concat();
    let quoted = serde_json::to_string(secret).expect("json");
    let twice = serde_json::to_string(&quoted).expect("json");
    let mut all = vec![
        (Form::Plain, format!("x{secret}y")),
        (Form::Json, quoted),
        (Form::Json, twice),
        (Form::Url, url::form_urlencoded::byte_serialize(secret.as_bytes()).collect()),
        (Form::Url, secret.bytes().map(|byte| format!("%{byte:02X}")).collect()),
        (Form::Hex, hex::encode(bytes(""))),
        (Form::Hex, hex::encode_upper(bytes("ab"))),
    ];
    for before in ["", "a", "ab", "abc", "{\"k\":\""] {
        all.push((Form::Base64, engines::STANDARD.encode(bytes(before))));
        all.push((Form::Base64, engines::URL_SAFE_NO_PAD.encode(bytes(before))));
    }
    all
}

#[test]
fn every_spelling_is_found_and_the_same_of_another_secret_is_not() {
    let secret = "sk-ant-api03-\"q\"/+ \u{e9}-0123456789abcdef";
    let other = "sk-ant-api03-\"r\"/+ \u{e9}-0123456789abcdeg";
    let scanner = scanner(&["something else entirely", secret]);
    for (form, text) in written(secret) {
        let found = scanner.find(text.as_bytes()).unwrap_or_else(|| panic!("{form:?} {text}"));
        assert_eq!(found.secret, 1, "{form:?} {text}");
        // What has nothing to escape is found as it is.
        assert!(found.form == form || found.form == Form::Plain, "{found:?} {form:?} {text}");
    }
    for (form, text) in written(other) {
        assert_eq!(scanner.find(text.as_bytes()), None, "{form:?} {text}");
    }
    assert!(!Scanner::default().finds_in(b"anything") && Scanner::default().pending(b"anything") == 0);
}

#[test]
fn marks_and_masks() {
    let scanner = scanner(&["sk-1", "overlap-one", "one-over-two"]);
    assert_eq!(
        scanner.replace("sk-sk-1 and sk-1").as_deref(),
        Some("sk-[redacted by sandbox] and [redacted by sandbox]")
    );
    assert_eq!(scanner.replace("sk-2"), None);
    assert_eq!(scanner.clean(Bytes::from_static(b"a sk-1")), "a [redacted by sandbox]");
    let mut bytes = b"an overlap-one-over-two, sk-1sk-1.".to_vec();
    assert!(scanner.mask(&mut bytes));
    assert_eq!(bytes, b"an ********************, ********.");
    assert!(!scanner.mask(&mut bytes));
    assert_eq!(scanner.ranges(b"sk-1 sk-1"), [0..4, 5..9]);
}

#[test]
fn only_the_beginning_of_a_secret_is_waited_for() {
    let scanner = scanner(&["sk-ant-1234", "abcd"]);
    for (text, pending) in
        [("nothing", 0), ("x sk-a", 4), ("x sk-ant-1234", 0), ("abc", 3), ("abcdabc", 3), ("736B2", 5), ("%73%6", 5)]
    {
        assert_eq!(scanner.pending(text.as_bytes()), pending, "{text}");
    }
    let mut masker = Masker::new(Arc::clone(&scanner));
    let pieces = ["data: sk-", "ant-", "9 sk-ant-12", "34\n", "ab"].map(|piece| masker.push(piece.as_bytes()));
    let text = pieces.map(|piece| String::from_utf8(piece.to_vec()).expect("text"));
    assert_eq!(text, ["data: ", "", "sk-ant-9 ", "***********\n", ""]);
    assert_eq!(masker.finish(), "ab");
}

#[test]
fn a_sniffer_tells_of_each_occurrence_once() {
    let mut sniffer = Sniffer::new(scanner(&["sk-ant-1234"]));
    let found: Vec<_> = ["xx sk-ant", "-12", "34 and", " more ", "sk-ant-1234"]
        .iter()
        .map(|piece| sniffer.feed(piece.as_bytes()).is_some())
        .collect();
    assert_eq!(found, [false, false, true, false, true]);
}

fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut out = Vec::new();
    let mut rest = bytes;
    for size in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (head, tail) = rest.split_at((*size).min(rest.len()));
        out.push(head);
        rest = tail;
    }
    out
}

proptest! {
    /// However it is cut, a stream is masked as it would be in one piece, and nothing is lost.
    #[test]
    fn any_cutting_is_masked_alike(
        parts in proptest::collection::vec(prop_oneof!["[a-c]{0,6}", Just("abcab".to_owned()), Just("cabcc-abc".to_owned()), Just("YWJjYWI".to_owned())], 0..12),
        cuts in proptest::collection::vec(1usize..9, 1..6),
    ) {
        let scanner = scanner(&["abcab", "cabcc-abc", "bb-secret"]);
        let bytes = parts.concat().into_bytes();
        let mut whole = bytes.clone();
        let has_one = scanner.mask(&mut whole);
        let mut masker = Masker::new(Arc::clone(&scanner));
        let mut sniffer = Sniffer::new(Arc::clone(&scanner));
        let (mut out, mut is_found) = (Vec::new(), false);
        for piece in pieces(&bytes, &cuts) {
            out.extend_from_slice(&masker.push(piece));
            is_found |= sniffer.feed(piece).is_some();
        }
        out.extend_from_slice(&masker.finish());
        prop_assert_eq!(out.len(), bytes.len());
        prop_assert_eq!(&out, &whole);
        prop_assert_eq!(is_found, has_one);
        prop_assert!(!scanner.finds_in(&out));
    }

    /// A random secret in any spelling, between random bytes, in any cutting: never a byte of it comes out.
    #[test]
    fn no_spelling_passes_in_any_cutting(
        secret in "[ -~\u{e9}]{12,40}",
        noise in "[a-zA-Z0-9+/=%\"\\\\]{0,30}",
        which in 0usize..17,
        cuts in proptest::collection::vec(1usize..20, 1..6),
    ) {
        let secret = Secret::new(secret);
        prop_assume!(secret.expose().len() >= 12);
        let scanner = Arc::new(Scanner::new([&secret]));
        let all = written(secret.expose());
        let (_, text) = &all[which % all.len()];
        let bytes = [noise.as_bytes(), b" ", text.as_bytes(), b" ", noise.as_bytes()].concat();
        let mut masker = Masker::new(Arc::clone(&scanner));
        let mut sniffer = Sniffer::new(Arc::clone(&scanner));
        let (mut out, mut is_found) = (Vec::new(), false);
        for piece in pieces(&bytes, &cuts) {
            out.extend_from_slice(&masker.push(piece));
            is_found |= sniffer.feed(piece).is_some();
        }
        out.extend_from_slice(&masker.finish());
        prop_assert!(is_found);
        prop_assert!(!scanner.finds_in(&out) && out.len() == bytes.len());
    }
}
