//! Code inside code: strings that a program decodes and runs.

use super::{Language, mentions};
use crate::shell::decode;

/// Most strings that are decoded.
const MAX_STRINGS: usize = 16;
/// Shortest string that is worth decoding, in bytes.
const MIN_STRING: usize = 8;

/// Names that turn text into other text.
#[rustfmt::skip]
const DECODERS: [&str; 27] = [
    "b64decode", "b32decode", "b16decode", "b85decode", "a85decode", "urlsafe_b64decode", "standard_b64decode",
    "decodebytes", "decodestring", "fromhex", "unhexlify", "a2b_hex", "a2b_base64", "atob", "Buffer.from",
    "base64_decode", "hex2bin", "str_rot13", "gzinflate", "gzuncompress", "decode64", "unpack", "pack",
    "decode_base64", "codecs.decode", "decompress", "fromCharCode",
];
/// Names that run text as code of the language.
pub(super) fn runs_text(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => &["exec", "eval", "compile", "marshal.loads", "pickle.loads"],
        Language::JavaScript => &["eval", "Function", "runInThisContext", "runInNewContext", "_compile"],
        Language::Ruby => &["eval", "instance_eval", "class_eval", "module_eval"],
        Language::Perl => &["eval"],
        Language::Php => &["eval", "assert", "create_function"],
    }
}

/// What the decoded strings say, and whether something is decoded that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    pub texts: Vec<String>,
    pub is_hidden: bool,
}

/// The texts that the code gets by decoding its own strings and numbers.
pub(super) fn payloads(bare: &str, text: &str, strings: &[String]) -> Payloads {
    if !DECODERS.iter().any(|name| mentions(bare, name)) && !text.contains("chr") && !text.contains("bytes([") {
        return Payloads::default();
    }
    let mut texts: Vec<String> = Vec::new();
    let mut is_hidden = false;
    let long = strings.iter().filter(|string| string.len() >= MIN_STRING && !string.contains(' '));
    for string in long.take(MAX_STRINGS) {
        let decoded = [
            decode::hex_text(string),
            decode::base64_text(string),
            decode::packed_text(string),
            decode::base32_text(string),
        ];
        match decoded.into_iter().flatten().next() {
            Some(text) => texts.push(text),
            None => is_hidden |= decode::is_opaque(string),
        }
    }
    if bare.contains("rot13") || bare.contains("rot_13") || strings.iter().any(|text| text.contains("rot")) {
        texts.extend(strings.iter().take(MAX_STRINGS).map(|string| decode::rot13(string)));
    }
    texts.extend(numbers(text));
    Payloads { texts, is_hidden }
}

/// Lists of numbers that are letters: `bytes([114, 109])`, `fromCharCode(114,109)`, `map(chr, [114, 109])`.
fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for mark in ["bytes([", "bytearray([", "fromCharCode(", "chr,[", "chr, [", "chr,(", "'C*',", "\"C*\","] {
        for (at, _) in text.match_indices(mark).take(MAX_STRINGS) {
            let list: String = text[at + mark.len()..]
                .chars()
                .take(4096)
                .take_while(|c| c.is_ascii_digit() || c.is_whitespace() || *c == ',')
                .collect();
            let letters: Option<String> = list
                .split(',')
                .map(str::trim)
                .filter(|n| !n.is_empty())
                .map(|n| n.parse::<u8>().ok().map(char::from))
                .collect();
            found.extend(letters.filter(|letters| letters.len() >= 2));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_strings_are_read() {
        for (text, want) in [
            ("exec(b64decode('aW1wb3J0IG9z'))", "import os"),
            ("exec(bytes.fromhex('696d706f7274206f73'))", "import os"),
            ("eval(bytes([105,109,112]))", "imp"),
            ("exec(codecs.decode('vzcbeg_bf', 'rot13'))", "import_os"),
        ] {
            let strings = super::super::literal::strings(text, Language::Python);
            assert!(payloads(text, text, &strings).texts.iter().any(|found| found == want), "{text}");
        }
        assert!(
            payloads("print('aW1wb3J0IG9z')", "print('aW1wb3J0IG9z')", &["aW1wb3J0IG9z".to_owned()]).texts.is_empty()
        );
    }
}
