//! The spellings in which a secret is looked for. Pure.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use types::secret::Secret;

/// A secret of fewer bytes is not looked for.
const SHORTEST: usize = 4;
/// A spelling of fewer bytes is not looked for, nor is a line of a secret that has several: it would be found by chance.
const SHORTEST_FORM: usize = 8;
/// A line of a secret that has several, such as a private key, is a secret of its own from so many bytes on.
const SHORTEST_LINE: usize = 16;

/// How a secret is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// As it is.
    Plain,
    /// Escaped as in a JSON string, or as in a JSON text within one.
    Json,
    /// With percent signs: what a URL needs, as in a form, or every byte.
    Url,
    /// Hexadecimal digits in any case.
    Hex,
    /// Inside base64, of either alphabet and at any place.
    Base64,
}

/// Bytes to look for.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    /// The bytes; in lower case where case does not matter.
    pub(super) bytes: Vec<u8>,
    /// The secret that they stand for.
    pub(super) secret: usize,
    /// How it is spelled.
    pub(super) form: Form,
}

impl Needle {
    /// True when case does not matter.
    pub(super) fn is_folded(&self) -> bool {
        match self.form {
            Form::Url | Form::Hex => true,
            Form::Plain | Form::Json | Form::Base64 => false,
        }
    }

    /// True when `bytes` are its beginning and not all of it.
    pub(super) fn begins_with(&self, bytes: &[u8]) -> bool {
        let Some(head) = self.bytes.get(..bytes.len()).filter(|head| head.len() < self.bytes.len()) else {
            return false;
        };
        if self.is_folded() { head.eq_ignore_ascii_case(bytes) } else { head == bytes }
    }
}

/// Everything to look for on account of one secret.
pub(super) fn needles(index: usize, secret: &Secret) -> Vec<Needle> {
    let text = secret.expose();
    let lines = text.lines().filter(|line| line.len() >= SHORTEST_LINE && line.len() < text.len());
    let mut needles: Vec<Needle> = Vec::new();
    for part in std::iter::once(text).chain(lines).filter(|part| part.len() >= SHORTEST) {
        for (form, bytes) in spellings(part) {
            let is_known = needles.iter().any(|needle| needle.bytes == bytes);
            if !is_known && (form == Form::Plain || bytes.len() >= SHORTEST_FORM) {
                needles.push(Needle { bytes, secret: index, form });
            }
        }
    }
    needles
}

fn spellings(text: &str) -> Vec<(Form, Vec<u8>)> {
    let bytes = text.as_bytes();
    let (once, ascii) = (json(text), ascii_json(text));
    let mut all = vec![(Form::Plain, bytes.to_vec())];
    all.extend([json(&once), json(&ascii), once, ascii].map(|spelled| (Form::Json, spelled.into_bytes())));
    // As RFC 3986 has it, as scripts in browsers do it, as in a form (also with its spaces spelled out), and all of it.
    let listed = |more: &'static [u8]| percent(bytes, |byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
    let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let spaced = form.replace('+', "%20");
    let urls = [listed(b"-._~"), listed(b"-._~!'()*"), form, spaced, percent(bytes, |_| false)];
    all.extend(urls.map(|spelled| (Form::Url, spelled.to_ascii_lowercase().into_bytes())));
    all.push((Form::Hex, hex::encode(bytes).into_bytes()));
    for shift in 0..3 {
        let shifted = [&[0; 2][..shift], bytes].concat();
        // Only the characters that depend on nothing but the secret: those that begin and end within its bits.
        let within = (8 * shift).div_ceil(6)..8 * shifted.len() / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            all.push((Form::Base64, engine.encode(&shifted).as_bytes()[within.clone()].to_vec()));
        }
    }
    all
}

/// The text as it stands in a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same by writers that write ASCII only.
fn ascii_json(text: &str) -> String {
    let mut out = String::new();
    for c in json(text).chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

fn percent(bytes: &[u8], is_plain: impl Fn(u8) -> bool) -> String {
    let spell = |&byte: &u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    bytes.iter().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> Vec<(Form, String)> {
        let text_of = |needle: Needle| (needle.form, String::from_utf8(needle.bytes).expect("text"));
        needles(0, &Secret::new(text)).into_iter().map(text_of).collect()
    }

    #[test]
    fn every_spelling_is_there_and_none_twice() {
        let all = spelled("p\u{e4}ss w\"rd?");
        for (form, text) in [
            (Form::Plain, "p\u{e4}ss w\"rd?"),
            (Form::Json, "p\u{e4}ss w\\\"rd?"),
            (Form::Json, "p\\u00e4ss w\\\"rd?"),
            (Form::Json, "p\u{e4}ss w\\\\\\\"rd?"),
            (Form::Url, "p%c3%a4ss%20w%22rd%3f"),
            (Form::Url, "p%c3%a4ss+w%22rd%3f"),
            (Form::Hex, "70c3a473732077227264 3f".replace(' ', "").as_str()),
            // printf 'päss w"rd?' | base64, and behind one and two bytes.
            (Form::Base64, "cMOkc3MgdyJyZD"),
            (Form::Base64, "DDpHNzIHcicmQ/"),
            (Form::Base64, "DDpHNzIHcicmQ_"),
            (Form::Base64, "ww6RzcyB3InJkP"),
        ] {
            assert!(all.contains(&(form, text.to_owned())), "{form:?} {text} in {all:#?}");
        }
        let plain = spelled("sk-ant-0123456789");
        assert_eq!(plain.iter().filter(|(form, _)| *form == Form::Json).count(), 0, "escaping changes nothing");
    }

    #[test]
    fn short_ones_are_not_found_everywhere() {
        assert_eq!(spelled("abc"), []);
        assert_eq!(
            spelled("abcd"),
            [
                (Form::Plain, "abcd".to_owned()),
                (Form::Url, "%61%62%63%64".to_owned()),
                (Form::Hex, "61626364".to_owned())
            ]
        );
    }

    #[test]
    fn the_lines_of_a_key_are_secrets_too() {
        let all = spelled("-----BEGIN-----\nMIIEvQIBADANBgkqhkiG9w0\nshort\n");
        assert!(all.contains(&(Form::Plain, "MIIEvQIBADANBgkqhkiG9w0".to_owned())), "{all:?}");
        assert!(!all.iter().any(|(_, text)| text == "short" || text == "-----BEGIN-----"), "{all:?}");
    }
}
