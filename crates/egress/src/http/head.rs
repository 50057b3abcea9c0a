//! Request heads, strictly: CRLF only, no folded lines, one meaning for the length of the body.

use super::body::Framing;
use crate::limits::{HEAD_BYTES, HEADERS};
use hyper::{
    HeaderMap, Method, Version,
    header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING},
};

/// Why there is no request head.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeadError {
    /// Not a request that has one meaning.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    /// Over the cap.
    #[error("the request head is over {HEAD_BYTES} bytes or {HEADERS} fields")]
    TooLarge,
    /// It did not end in time.
    #[error("the request head did not arrive in time")]
    Deadline,
    /// The connection ended in the middle.
    #[error("the connection ended inside the request head")]
    Gone,
}

/// A request head with one meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// The method; names are case-sensitive.
    pub(crate) method: Method,
    /// The target as sent: visible ASCII.
    pub(crate) target: String,
    /// 1.0 or 1.1.
    pub(crate) version: Version,
    /// The fields.
    pub(crate) headers: HeaderMap,
    /// How the body ends.
    pub(crate) framing: Framing,
    /// Length of the head as sent.
    pub(crate) bytes: usize,
}

impl Head {
    /// The one `Host` field, if there is one.
    pub(crate) fn host(&self) -> Option<&str> {
        self.headers.get(HOST).and_then(|value| value.to_str().ok())
    }
}

/// Length of the head at the start of `bytes`, with its blank line; `None` asks for more bytes.
///
/// # Errors
/// [`HeadError::Malformed`] for a bare CR or LF or a NUL, [`HeadError::TooLarge`] over the cap.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, HeadError> {
    let window = &bytes[..bytes.len().min(HEAD_BYTES)];
    let mut line_start = 0;
    let mut at = 0;
    while let Some(byte) = window.get(at) {
        match byte {
            0 => return Err(HeadError::Malformed("a NUL byte")),
            b'\n' => return Err(HeadError::Malformed("a bare line feed")),
            b'\r' => match window.get(at + 1) {
                None => break,
                Some(b'\n') if at == 0 => return Err(HeadError::Malformed("an empty line instead of a request")),
                Some(b'\n') if at == line_start => return Ok(Some(at + 2)),
                Some(b'\n') => {
                    at += 2;
                    line_start = at;
                }
                Some(_) => return Err(HeadError::Malformed("a bare carriage return")),
            },
            _ => at += 1,
        }
    }
    if bytes.len() >= HEAD_BYTES { Err(HeadError::TooLarge) } else { Ok(None) }
}

/// Reads a whole head, as cut off by [`length`].
///
/// # Errors
/// [`HeadError`]
pub(crate) fn parse(head: &[u8]) -> Result<Head, HeadError> {
    let text = head.strip_suffix(b"\r\n\r\n").ok_or(HeadError::Malformed("no blank line"))?;
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let (method, target, version) = request_line(lines.next().unwrap_or_default())?;
    let mut headers = HeaderMap::new();
    for (n, line) in lines.enumerate() {
        if n == HEADERS {
            return Err(HeadError::TooLarge);
        }
        let (name, value) = field(line)?;
        headers.append(name, value);
    }
    if headers.get_all(HOST).iter().count() > 1 {
        return Err(HeadError::Malformed("more than one host field"));
    }
    let framing = framing(&headers, version)?;
    Ok(Head { method, target, version, headers, framing, bytes: head.len() })
}

fn request_line(line: &[u8]) -> Result<(Method, String, Version), HeadError> {
    let bad = HeadError::Malformed("the request line");
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(bad);
    };
    let version = match version {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        _ => return Err(HeadError::Malformed("not HTTP/1.0 or HTTP/1.1")),
    };
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(HeadError::Malformed("the request target"));
    }
    let method = Method::from_bytes(method).map_err(|_| bad)?;
    let target = String::from_utf8(target.to_vec()).map_err(|_| HeadError::Malformed("the request target"))?;
    Ok((method, target, version))
}

fn field(line: &[u8]) -> Result<(HeaderName, HeaderValue), HeadError> {
    if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        return Err(HeadError::Malformed("a folded field"));
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(HeadError::Malformed("a field without a colon"))?;
    let (name, value) = line.split_at(colon);
    let name = HeaderName::from_bytes(name).map_err(|_| HeadError::Malformed("a field name"))?;
    let value = trim_blanks(value.get(1..).unwrap_or_default());
    let value = HeaderValue::from_bytes(value).map_err(|_| HeadError::Malformed("a field value"))?;
    Ok((name, value))
}

/// Without blanks and tabs around it (RFC 9110, 5.6.3); other white space stays, and is refused.
fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn framing(headers: &HeaderMap, version: Version) -> Result<Framing, HeadError> {
    let only = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Ok(Some(value.as_bytes())),
            (Some(_), Some(_)) => Err(HeadError::Malformed("a length that is given twice")),
        }
    };
    match (only(CONTENT_LENGTH)?, only(TRANSFER_ENCODING)?) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(_), Some(_)) => Err(HeadError::Malformed("both content-length and transfer-encoding")),
        (Some(digits), None) => {
            let plain = !digits.is_empty() && digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).filter(|_| plain);
            length.map(Framing::Length).ok_or(HeadError::Malformed("content-length"))
        }
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") && version == Version::HTTP_11 => {
            Ok(Framing::Chunked)
        }
        (None, Some(_)) => Err(HeadError::Malformed("transfer-encoding")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Head, HeadError> {
        let length = length(text.as_bytes())?.ok_or(HeadError::Gone)?;
        assert_eq!(length, text.len());
        parse(text.as_bytes())
    }

    #[test]
    fn plain_requests_are_read() {
        let head =
            read("POST http://a.example/x HTTP/1.1\r\nHost: a.example\r\nContent-Length:  12 \r\n\r\n").expect("head");
        assert_eq!(
            (head.method, head.target.as_str(), head.framing),
            (Method::POST, "http://a.example/x", Framing::Length(12))
        );
        assert_eq!(head.headers.get(HOST).map(HeaderValue::as_bytes), Some(&b"a.example"[..]));
        let chunked = read("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n").expect("head");
        assert_eq!(chunked.framing, Framing::Chunked);
    }

    #[test]
    fn whatever_two_parsers_could_read_differently_is_refused() {
        for bad in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
            "GET /\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\n A: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\u{c}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: \u{b}a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(matches!(read(bad), Err(HeadError::Malformed(_))), "{bad:?}: {:?}", read(bad));
        }
    }

    #[test]
    fn caps_hold() {
        let long = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(HEAD_BYTES));
        assert_eq!(length(long.as_bytes()), Err(HeadError::TooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        assert_eq!(read(&many), Err(HeadError::TooLarge));
        let enough = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS));
        assert!(read(&enough).is_ok());
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' ')], 0..200)) {
            if let Ok(Some(length)) = length(&bytes) {
                let _ = parse(&bytes[..length]);
            }
        }

        #[test]
        fn the_end_is_found_wherever_the_bytes_are_cut(cut in 0usize..60) {
            let text = b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\nrest";
            let found = length(&text[..cut.min(text.len())]);
            prop_assert_eq!(found, Ok((cut >= 51).then_some(51)));
        }
    }
}
