//! Takes the operator's secrets out of what this process writes down or says: journals, transcripts, logs, results, the store's texts,
//! events and notices for people, kept conversations, errors, diagnostics and panics pass here. It finds what [`egress::scan`] finds.
//!
//! What must stay true: a secret is learned before it is used; JSON stays JSON; bytes that are addressed by offset keep their length;
//! what the agent made (patch, bundle, tree) is not touched, because it is the work itself.

mod masked;
mod panic;

pub(crate) use masked::MaskedFile;
pub use masked::MaskedLines;
pub use panic::guard_panics;

use egress::scan::{MASK, Masker, Secrets};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{borrow::Cow, sync::LazyLock};
use types::secret::Secret;

/// Every secret that this process has met. One set for the process, because panics and diagnostics belong to no run.
static KNOWN: LazyLock<Secrets> = LazyLock::new(Secrets::default);

/// The set, for the egress, which adds to it and looks for the same.
pub(crate) fn known() -> Secrets {
    KNOWN.clone()
}

/// Learns a secret, before it is used for the first time.
pub(crate) fn learn(secret: &Secret) {
    KNOWN.add(secret);
}

/// The text with a mark in place of every secret.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    KNOWN.scanner().replace(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// True when a secret is in the text.
pub(crate) fn is_in(text: &str) -> bool {
    KNOWN.scanner().finds_in(text.as_bytes())
}

/// The bytes with every secret masked, as long as they were.
pub(crate) fn bytes(mut bytes: Vec<u8>) -> Vec<u8> {
    mask(&mut bytes);
    bytes
}

/// Masks every secret in place; gives where the first one begins.
pub(crate) fn mask(bytes: &mut [u8]) -> Option<usize> {
    let ranges = KNOWN.scanner().ranges(bytes);
    ranges.iter().for_each(|range| bytes[range.clone()].fill(MASK));
    ranges.first().map(|range| range.start)
}

/// How many bytes before others can belong to a secret that ends in those.
pub(crate) fn reach() -> usize {
    KNOWN.scanner().reach()
}

/// A masker for bytes that come in pieces.
pub(crate) fn masker() -> Masker {
    Masker::new(KNOWN.scanner())
}

/// The JSON text of a value with a mark in place of every secret in its strings.
///
/// # Errors
/// When the value has no JSON form.
pub(crate) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(value)?;
    match is_in(&text) {
        false => Ok(text),
        true => Ok(strings(serde_json::from_str(&text)?).to_string()),
    }
}

/// The same value without its secrets.
///
/// # Errors
/// When it has no JSON form, or none without the secret.
pub(crate) fn record<T: Serialize + DeserializeOwned>(value: T) -> Result<T, serde_json::Error> {
    let text = serde_json::to_string(&value)?;
    match is_in(&text) {
        false => Ok(value),
        true => serde_json::from_value(strings(serde_json::from_str(&text)?)),
    }
}

/// The value with a mark in place of every secret in its strings, in keys too.
fn strings(value: Value) -> Value {
    match value {
        Value::String(words) => Value::String(text(&words).into_owned()),
        Value::Array(items) => items.into_iter().map(strings).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (text(&key).into_owned(), strings(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        event::{Event, WireToolUse},
        id::CallId,
    };

    #[test]
    fn records_keep_their_form() {
        learn(&Secret::new("sk-redact-\"1\"-0123456789"));
        let event = Event::Notice { text: "the key sk-redact-\"1\"-0123456789 is used".into() };
        let shown = json(&event).expect("json");
        assert_eq!(shown, r#"{"event":"notice","text":"the key [redacted by sandbox] is used"}"#);
        assert_eq!(record(event).ok(), Some(Event::Notice { text: "the key [redacted by sandbox] is used".into() }));
        let plain = Event::Notice { text: "nothing".into() };
        assert_eq!(record(plain.clone()).ok(), Some(plain));
        // In an input, as a key and inside base64: printf 'sk-redact-"1"-0123456789' | base64
        let input = serde_json::json!({"sk-redact-\"1\"-0123456789": ["c2stcmVkYWN0LSIxIi0wMTIzNDU2Nzg5", 7]});
        let call = WireToolUse { id: CallId("t".into()), tool: "Bash".into(), input };
        let call = record(call).expect("record");
        assert_eq!(call.input, serde_json::json!({"[redacted by sandbox]": ["[redacted by sandbox]", 7]}));
        assert_eq!(text("x sk-redact-\"1\"-0123456789"), "x [redacted by sandbox]");
        assert_eq!(bytes(b"sk-redact-\"1\"-0123456789!".to_vec()), b"************************!");
    }
}
