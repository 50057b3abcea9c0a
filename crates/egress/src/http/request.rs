//! What a plain request asks for: the endpoint and the path, from the target and `Host`, which must agree.

use super::head::{Head, HeadError};
use crate::refusal::Refusal;
use hyper::{
    HeaderMap, Method, Version,
    header::{CONNECTION, HeaderName, UPGRADE},
};
use types::host::{Endpoint, InvalidEndpoint};

/// An endpoint from an authority: `host` or `host:port`, nothing else.
///
/// # Errors
/// [`Refusal::BadName`]
pub(crate) fn authority(text: &str, default_port: u16) -> Result<Endpoint, Refusal> {
    let full = if text.contains(':') { text.to_owned() } else { format!("{text}:{default_port}") };
    Endpoint::parse(&full).map_err(|error: InvalidEndpoint| Refusal::BadName(error))
}

/// The endpoint of a CONNECT request. The port must be given; `Host`, where it is sent, must agree.
///
/// # Errors
/// [`Refusal`]
pub(crate) fn connect_target(head: &Head) -> Result<Endpoint, Refusal> {
    if !head.framing.is_empty() {
        return Err(HeadError::Malformed("CONNECT with a body").into());
    }
    if !head.target.contains(':') {
        return Err(HeadError::Malformed("CONNECT without a port").into());
    }
    let asked = authority(&head.target, 0)?;
    match head.headers.contains_key("host") {
        true => same_host(head, &asked, asked.port).map(|()| asked),
        false => Ok(asked),
    }
}

/// Endpoint and path of an absolute-form `http://` target.
///
/// # Errors
/// [`Refusal`]
pub(crate) fn absolute_target(head: &Head) -> Result<(Endpoint, String), Refusal> {
    let scheme = head.target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let (Some(_), Some(rest)) = (scheme, head.target.get(7..)) else {
        return Err(HeadError::Malformed("the target is not an absolute http:// address").into());
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let asked = authority(host, 80)?;
    same_host(head, &asked, 80)?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((asked, checked_path(path)?))
}

/// The path of an origin-form target on a connection to `asked`.
///
/// # Errors
/// [`Refusal`]
pub(crate) fn origin_target(head: &Head, asked: &Endpoint, default_port: u16) -> Result<String, Refusal> {
    if !head.target.starts_with('/') {
        return Err(HeadError::Malformed("the target is not a path").into());
    }
    same_host(head, asked, default_port)?;
    checked_path(head.target.clone())
}

/// Refuses methods and fields that would turn the request into something else. A WebSocket is left to the route.
///
/// # Errors
/// [`Refusal::Method`], [`Refusal::Upgrade`], [`Refusal::Head`]
pub(crate) fn plain(head: &Head) -> Result<(), Refusal> {
    carried(&head.method)?;
    let settings = HeaderName::from_static("http2-settings");
    let wants_more = options(&head.headers, b"upgrade") || head.headers.contains_key(UPGRADE);
    if head.headers.contains_key(settings) || (wants_more && !wants_websocket(head)) {
        return Err(Refusal::Upgrade);
    }
    match head.headers.get("expect") {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(HeadError::Malformed("an expectation other than 100-continue").into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses the methods that no route carries.
///
/// # Errors
/// [`Refusal::Method`]
pub(crate) fn carried(method: &Method) -> Result<(), Refusal> {
    if method == Method::CONNECT || method == Method::TRACE { Err(Refusal::Method) } else { Ok(()) }
}

/// True for the opening of a WebSocket (RFC 6455, 4.1) and nothing else beside it.
pub(crate) fn wants_websocket(head: &Head) -> bool {
    let only = |name: &str, good: &dyn Fn(&[u8]) -> bool| {
        let mut values = head.headers.get_all(name).iter();
        matches!((values.next(), values.next()), (Some(value), None) if good(value.as_bytes()))
    };
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && head.framing.is_empty()
        && options(&head.headers, b"upgrade")
        && only("upgrade", &|value| value.eq_ignore_ascii_case(b"websocket"))
        && only("sec-websocket-version", &|value| value == b"13")
        && only("sec-websocket-key", &|value| value.len() == 24)
}

/// True when `Connection` names the option.
fn options(headers: &HeaderMap, option: &[u8]) -> bool {
    let mut all = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    all.any(|named| named.trim_ascii().eq_ignore_ascii_case(option))
}

fn checked_path(path: String) -> Result<String, Refusal> {
    if path.contains('#') {
        return Err(HeadError::Malformed("a fragment in the target").into());
    }
    Ok(path)
}

fn same_host(head: &Head, asked: &Endpoint, default_port: u16) -> Result<(), Refusal> {
    let named = head.host().and_then(|text| authority(text, default_port).ok());
    if named.as_ref() == Some(asked) { Ok(()) } else { Err(Refusal::HostMismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::parse;

    fn head(line: &str, fields: &str) -> Head {
        parse(format!("{line} HTTP/1.1\r\n{fields}\r\n").as_bytes()).expect(line)
    }

    #[test]
    fn connect_targets() {
        let read =
            |target: &str| connect_target(&head(&format!("CONNECT {target}"), "")).map(|asked| asked.to_string());
        assert_eq!(read("GitHub.com.:443").expect("good"), "github.com:443");
        for bad in [
            "github.com",
            "github.com:0",
            "github.com:65537",
            "github.com:+443",
            "github.com:",
            "127.0.0.1:443",
            "0x7f.1:443",
            "2130706433:443",
            "0177.0.0.1:443",
            "127.1:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:443",
            "user@github.com:443",
            "github.com%00.evil.example:443",
            "github.com:443@evil.example:443",
            "github.com:443/path",
            "*:443",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let with = |host: &str| connect_target(&head("CONNECT a.example:443", &format!("Host: {host}\r\n")));
        assert!(with("a.example:443").is_ok() && with("A.Example").is_ok());
        assert!(matches!(with("b.example:443"), Err(Refusal::HostMismatch)));
        assert!(matches!(with("a.example:80"), Err(Refusal::HostMismatch)));
        assert!(connect_target(&head("CONNECT a.example:443", "Content-Length: 3\r\n")).is_err());
    }

    #[test]
    fn absolute_targets() {
        let read =
            |target: &str, host: &str| absolute_target(&head(&format!("GET {target}"), &format!("Host: {host}\r\n")));
        let (asked, path) = read("HTTP://A.example?q=1", "a.example:80").expect("good");
        assert_eq!((asked.to_string().as_str(), path.as_str()), ("a.example:80", "/?q=1"));
        assert!(matches!(read("http://a.example/", "b.example"), Err(Refusal::HostMismatch)));
        assert!(matches!(read("http://a.example:8080/", "a.example"), Err(Refusal::HostMismatch)));
        assert!(matches!(absolute_target(&head("GET http://a.example/", "")), Err(Refusal::HostMismatch)));
        for bad in [
            "/",
            "https://a.example/",
            "http://",
            "http://u@a.example/",
            "http://a.example\\@b/",
            "http://a.example/#f",
            "ftp://a/",
        ] {
            assert!(read(bad, "a.example").is_err(), "{bad}");
        }
    }

    #[test]
    fn what_would_change_the_protocol_is_refused() {
        assert!(plain(&head("GET /", "Connection: keep-alive\r\nExpect: 100-continue\r\n")).is_ok());
        for fields in ["Upgrade: h2c\r\n", "Connection: keep-alive, Upgrade\r\n", "HTTP2-Settings: x\r\n"] {
            assert!(matches!(plain(&head("GET /", fields)), Err(Refusal::Upgrade)), "{fields}");
        }
        let websocket = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let opening = head("GET /", websocket);
        assert!(plain(&opening).is_ok() && wants_websocket(&opening), "left to the route");
        assert!(!wants_websocket(&head("GET /", "")));
        for (line, fields) in [
            ("POST /", websocket.to_owned()),
            ("GET /", format!("{websocket}Upgrade: h2c\r\n")),
            ("GET /", websocket.replace("websocket", "websocket, h2c")),
            ("GET /", websocket.replace("13", "12")),
            ("GET /", format!("{websocket}Content-Length: 3\r\n")),
            ("GET /", format!("{websocket}HTTP2-Settings: x\r\n")),
        ] {
            assert!(matches!(plain(&head(line, &fields)), Err(Refusal::Upgrade)), "{line} {fields}");
        }
        assert!(matches!(plain(&head("TRACE /", "")), Err(Refusal::Method)));
        assert!(plain(&head("GET /", "Expect: a miracle\r\n")).is_err());
    }
}
