//! Encodings that hide a text and give it back without a key.

use flate2::read::{GzDecoder, ZlibDecoder};
use std::io::Read;

/// Longest text that comes out of a packed one, in bytes.
const MAX_INFLATED: u64 = 16 * 1024;
/// Longest text that is decoded, in bytes.
const MAX_TEXT: usize = 64 * 1024;
/// Shortest string that says nothing to a reader, in bytes.
const OPAQUE: usize = 40;

/// Base64 in either alphabet, with or without its padding.
pub(crate) fn base64(text: &str) -> Option<String> {
    bits(text, 6, |byte| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        })
    })
}

/// Base32.
pub(crate) fn base32(text: &str) -> Option<String> {
    bits(text, 5, |byte| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        })
    })
}

/// Hex digits; everything else is passed over, as `xxd -r -p` does.
pub(crate) fn hex(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).take(MAX_TEXT).collect();
    let bytes = hex::decode(digits.get(..digits.len() / 2 * 2)?).ok()?;
    Some(as_text(bytes))
}

/// What gzip or zlib packed; `text` holds one byte in each character.
pub(crate) fn inflate(text: &str) -> Option<String> {
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<_>>()?;
    let mut out = Vec::new();
    let is_gzip = bytes.starts_with(&[0x1f, 0x8b]);
    let read = if is_gzip {
        GzDecoder::new(bytes.as_slice()).take(MAX_INFLATED).read_to_end(&mut out)
    } else {
        ZlibDecoder::new(bytes.as_slice()).take(MAX_INFLATED).read_to_end(&mut out)
    };
    // What came out before the end was wrong would run all the same.
    (read.is_ok() || !out.is_empty()).then(|| as_text(out)).filter(|text| !text.is_empty())
}

/// Bytes as a text; what is no UTF-8 keeps one character for each byte.
fn as_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

/// Letters turned by thirteen.
pub(crate) fn rot13(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'a'..='m' | 'A'..='M' => char::from(c as u8 + 13),
            'n'..='z' | 'N'..='Z' => char::from(c as u8 - 13),
            other => other,
        })
        .collect()
}

/// What base64 holds, if that is a text.
pub(crate) fn base64_text(text: &str) -> Option<String> {
    base64(text).filter(|decoded| is_text(decoded))
}

/// What base64 holds when that is packed.
pub(crate) fn packed_text(text: &str) -> Option<String> {
    base64(text).and_then(|bytes| inflate(&bytes)).filter(|decoded| is_text(decoded))
}

/// What base32 holds, if that is a text.
pub(crate) fn base32_text(text: &str) -> Option<String> {
    base32(text).filter(|decoded| is_text(decoded))
}

/// What hex digits hold, if the text is nothing else and that is a text.
pub(crate) fn hex_text(text: &str) -> Option<String> {
    let is_hex = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| hex(text)).flatten().filter(|decoded| is_text(decoded))
}

/// True for a long run that encodes something which is no text.
pub(crate) fn is_opaque(text: &str) -> bool {
    text.len() >= OPAQUE
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_text(decoded: &str) -> bool {
    decoded.len() >= 3 && decoded.chars().all(|c| (!c.is_control() || c.is_whitespace()) && c.is_ascii())
}

fn bits(text: &str, width: u32, value: impl Fn(u8) -> Option<u8>) -> Option<String> {
    let mut bits = 0u32;
    let mut count = 0;
    let mut out = Vec::with_capacity(text.len().min(MAX_TEXT));
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').take(MAX_TEXT) {
        bits = bits << width | u32::from(value(byte)?);
        count += width;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(as_text(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_comes_back() {
        assert_eq!(base64("cm0gLXJmIC8=").as_deref(), Some("rm -rf /"));
        assert_eq!(base32("OJWSALLSMYQC6===").as_deref(), Some("rm -rf /"));
        assert_eq!(hex("726d20 2d7266").as_deref(), Some("rm -rf"));
        assert_eq!(rot13("ez -es /"), "rm -rf /");
        assert_eq!(base64("a b c $"), None);
        assert_eq!(packed_text("H4sIAAAAAAACAyvKVdAtSlOo4wIAFYVG8wkAAAA=").as_deref(), Some("rm -rf ~\n"));
        assert_eq!(inflate("rm -rf /"), None);
    }

    #[test]
    fn words_are_no_texts_in_disguise() {
        for word in ["username", "deadbeef", "passwords", "abcdefgh"] {
            assert_eq!((base64_text(word), hex_text(word)), (None, None), "{word}");
        }
    }
}
