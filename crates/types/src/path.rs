//! Paths of requests in the one form that rules are decided on, and the patterns of the rules.
//!
//! What two servers could read differently has no such form: it is refused, not repaired. What was decided on is what is sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest path, in bytes.
pub const MAX_PATH: usize = 4096;
/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 512;
/// Most stars in one pattern, and most of them that stand for many segments; bounds the work of a match.
const MAX_STARS: usize = 8;
/// See [`MAX_STARS`].
const MAX_DOUBLE_STARS: usize = 2;
/// How often a text is decoded to see what a careless server would see.
const DECODINGS: usize = 3;

/// The path of a request: it begins with `/`, unreserved characters are written plainly, escapes in upper case (RFC 3986, 6.2.2), and no
/// reading of it holds a dot segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NormalPath(String);

/// Why a path has no form that can be decided on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidPath {
    /// Empty, not absolute, or longer than [`MAX_PATH`].
    #[error("the path is empty, not absolute, or longer than {MAX_PATH} bytes")]
    Length,
    /// A byte that has to be escaped, or a backslash.
    #[error("the path holds a character that has to be escaped")]
    Character,
    /// `%` without two hexadecimal digits, or text that is no UTF-8 when decoded.
    #[error("the path holds an escape that cannot be decoded")]
    Escape,
    /// Control characters and backslashes in escapes, or escapes of escapes of escapes.
    #[error("the path hides a control character, a backslash or an escape in an escape")]
    Hidden,
    /// `.` or `..`, written plainly, escaped, or with a parameter.
    #[error("the path holds a dot segment")]
    Dots,
    /// `//`.
    #[error("the path holds an empty segment")]
    Empty,
}

impl NormalPath {
    /// Normalises a path without its query.
    ///
    /// # Errors
    /// [`InvalidPath`]; the caller must refuse.
    pub fn parse(raw: &str) -> Result<Self, InvalidPath> {
        let Some(rest) = raw.strip_prefix('/').filter(|_| raw.len() <= MAX_PATH) else {
            return Err(InvalidPath::Length);
        };
        let mut normal = String::with_capacity(raw.len());
        let count = rest.split('/').count();
        for (n, segment) in rest.split('/').enumerate() {
            if segment.is_empty() && n + 1 < count {
                return Err(InvalidPath::Empty);
            }
            normal.push('/');
            push_segment(segment, &mut normal)?;
            check_readings(segment)?;
        }
        Ok(Self(normal))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NormalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn push_segment(segment: &str, out: &mut String) -> Result<(), InvalidPath> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let escaped = hex_pair(bytes.next(), bytes.next()).ok_or(InvalidPath::Escape)?;
                if escaped.is_ascii_alphanumeric() || matches!(escaped, b'-' | b'.' | b'_' | b'~') {
                    out.push(char::from(escaped));
                } else {
                    out.push_str(&format!("%{escaped:02X}"));
                }
            }
            b'\\' | b'#' | b'?' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                return Err(InvalidPath::Character);
            }
            byte if byte.is_ascii_graphic() => out.push(char::from(byte)),
            _ => return Err(InvalidPath::Character),
        }
    }
    Ok(())
}

/// Looks at a segment as servers do that decode once, twice or three times, take an escaped slash or a backslash for a separator, or drop
/// what follows a semicolon.
fn check_readings(segment: &str) -> Result<(), InvalidPath> {
    let mut text = segment.to_owned();
    for round in 0..=DECODINGS {
        if round > 0 && text.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\') {
            return Err(InvalidPath::Hidden);
        }
        let mut parts = text.split('/').map(|part| part.split(';').next().unwrap_or_default());
        if parts.any(|part| part == "." || part == "..") {
            return Err(InvalidPath::Dots);
        }
        let decoded = decode(&text)?;
        if decoded == text {
            return Ok(());
        }
        text = decoded;
    }
    Err(InvalidPath::Hidden)
}

/// Decodes once; a `%` that begins no escape stands for itself.
fn decode(text: &str) -> Result<String, InvalidPath> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = (byte == b'%').then(|| hex_pair(bytes.get(at + 1).copied(), bytes.get(at + 2).copied())).flatten();
        out.push(pair.unwrap_or(byte));
        at += if pair.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).map_err(|_| InvalidPath::Escape)
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// A rule's pattern: `*` stands for any characters within a segment, `**` as a whole segment for one or more segments. Case counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PathPattern(String);

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a path pattern: {reason}")]
pub struct InvalidPattern {
    text: String,
    reason: &'static str,
}

impl PathPattern {
    /// Reads `/v1/*/items/**`.
    ///
    /// # Errors
    /// [`InvalidPattern`]
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let bad = |reason| InvalidPattern { text: crate::text::printable(text, 80), reason };
        if text.len() > MAX_PATTERN || text.matches('*').count() > MAX_STARS {
            return Err(bad("it is longer than 512 bytes or has more than 8 stars"));
        }
        let normal = NormalPath::parse(text).map_err(|_| {
            bad("write an absolute path in plain form, such as /v1/**, without query, dot segments and empty segments")
        })?;
        if normal.0.split('/').filter(|segment| *segment == "**").count() > MAX_DOUBLE_STARS {
            return Err(bad("it has more than two `**`"));
        }
        if normal.0.split('/').any(|segment| segment.contains("**") && segment != "**") {
            return Err(bad("`**` stands for whole segments: /v1/**"));
        }
        Ok(Self(normal.0))
    }

    /// True when the pattern covers the path.
    #[must_use]
    pub fn covers(&self, path: &NormalPath) -> bool {
        let pattern: Vec<&str> = self.0.split('/').collect();
        let path: Vec<&str> = path.0.split('/').collect();
        segments_match(&pattern, &path)
    }
}

fn segments_match(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"**", rest)) => (1..=path.len()).any(|taken| segments_match(rest, &path[taken..])),
        Some((first, rest)) => path
            .split_first()
            .is_some_and(|(segment, after)| stars_match(first, segment) && segments_match(rest, after)),
    }
}

/// Matches one segment: the parts between the stars must stand in order, the first at the beginning and the last at the end.
pub(crate) fn stars_match(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PathPattern {
    type Error = InvalidPattern;
    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        Self::parse(&text)
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal(raw: &str) -> Result<String, InvalidPath> {
        NormalPath::parse(raw).map(|path| path.0)
    }

    #[test]
    fn one_spelling_each() {
        for (raw, want) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/%61%2D%7e/b", "/a-~/b"),
            ("/a%2fb%20c", "/a%2Fb%20c"),
            ("/@scope%2fname", "/@scope%2Fname"),
            ("/a;v=1/x..y/...", "/a;v=1/x..y/..."),
            ("/gr%c3%b6sse", "/gr%C3%B6sse"),
        ] {
            assert_eq!(normal(raw).as_deref(), Ok(want), "{raw}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_has_none() {
        for raw in [
            "",
            "a",
            "/a/../b",
            "/a/./b",
            "/..",
            "/%2e%2e/b",
            "/.%2E/b",
            "/%252e%252e/b",
            "/a/..;/b",
            "/a/..%3bx/b",
            "/a%2f..%2fb",
            "/a%252f..%252fb",
            "/a//b",
            "//a",
            "/a\\b",
            "/a%5cb",
            "/a%255cb",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%c0%ae%c0%ae/b",
            "/a%ff",
            "/a b",
            "/a?b",
            "/a#b",
            "/gr\u{f6}sse",
            "/a%25252525",
        ] {
            assert!(normal(raw).is_err(), "{raw:?}: {:?}", normal(raw));
        }
        assert_eq!(NormalPath::parse(&format!("/{}", "a".repeat(MAX_PATH))), Err(InvalidPath::Length));
    }

    #[test]
    fn patterns_cover_segments() {
        let covers = |pattern: &str, path: &str| {
            PathPattern::parse(pattern).expect(pattern).covers(&NormalPath::parse(path).expect(path))
        };
        for (pattern, path) in [
            ("/", "/"),
            ("/v1/**", "/v1/a"),
            ("/v1/**", "/v1/a/b"),
            ("/v1/**", "/v1/"),
            ("/repos/*/app", "/repos/acme/app"),
            ("/*.tgz", "/x-1.2.tgz"),
            ("/a*b*c", "/a-b-b-c"),
            ("/**/x", "/a/b/x"),
            ("/%61", "/a"),
        ] {
            assert!(covers(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/", "/a"),
            ("/v1/**", "/v1"),
            ("/v1/**", "/v10/a"),
            ("/repos/*/app", "/repos/acme/x/app"),
            ("/repos/acme/app", "/repos/Acme/app"),
            ("/repos/acme/app", "/repos/acme/app/"),
            ("/*.tgz", "/x.tgz/y"),
            ("/ab*ba", "/aba"),
            ("/**/x", "/x"),
        ] {
            assert!(!covers(pattern, path), "{pattern} {path}");
        }
        for bad in ["", "v1", "/a**", "/a/../b", "/a?b", "/a//b", "/********x*/", "/**/**/**"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_path_is_its_own_normal_form(raw in "/[a-z./%;025ceEfF]{0,24}|/\\PC{0,20}") {
            if let Ok(path) = NormalPath::parse(&raw) {
                prop_assert_eq!(normal(&path.0), Ok(path.0.clone()));
                prop_assert!(path.0.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }

        #[test]
        fn a_path_is_covered_by_itself_and_by_all(raw in "(/[a-z0-9._-]{1,6}){1,5}") {
            if let Ok(path) = NormalPath::parse(&raw) {
                prop_assert!(PathPattern::parse(&raw).expect("plain").covers(&path));
                prop_assert!(PathPattern::parse("/**").expect("all").covers(&path));
            }
        }
    }
}
