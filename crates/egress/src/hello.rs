//! The first bytes of a tunnel: they must be a TLS ClientHello that names the asked host and hides nothing.
//!
//! Only the name is read. Whatever cannot be read whole and plainly is refused, never passed on: no SNI, an encrypted
//! hello, another protocol, SSLv2, a hello over the cap.

use crate::limits::HELLO_BYTES;
use types::host::HostName;

/// Why the first bytes of a tunnel are not a hello that may pass.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HelloError {
    /// Another protocol, or SSLv2.
    #[error("the first bytes are not TLS")]
    NotTls,
    /// TLS, but not a well-formed ClientHello.
    #[error("the TLS hello is malformed: {0}")]
    Malformed(&'static str),
    /// Over the cap.
    #[error("the TLS hello is longer than {HELLO_BYTES} bytes")]
    TooLarge,
    /// No server name.
    #[error("the TLS hello names no server")]
    NoName,
    /// An encrypted inner hello could name another server.
    #[error("the TLS hello carries an encrypted hello")]
    Encrypted,
    /// A server name other than the asked one.
    #[error("the TLS hello names `{found}`, not the asked host")]
    Mismatch {
        /// The name in the hello, canonical.
        found: HostName,
    },
}

const MALFORMED_LENGTH: HelloError = HelloError::Malformed("a length does not fit");
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const EXT_SERVER_NAME: u16 = 0;
/// `encrypted_client_hello` (RFC 9849) and the draft before it.
const EXT_ECH: [u16; 2] = [0xfe0d, 0xffce];

/// Reads the server name from the first bytes of a connection; `None` asks for more bytes.
///
/// # Errors
/// [`HelloError`], as early as the bytes show it.
pub(crate) fn server_name(bytes: &[u8]) -> Result<Option<HostName>, HelloError> {
    let Some(message) = handshake(bytes)? else { return Ok(None) };
    let mut hello = Cursor(&message);
    hello.take(2)?; // legacy version
    hello.take(32)?; // random
    let session = hello.vec8()?;
    let suites = hello.vec16()?;
    let compression = hello.vec8()?;
    if session.0.len() > 32 || suites.0.is_empty() || !suites.0.len().is_multiple_of(2) || compression.0.is_empty() {
        return Err(HelloError::Malformed("a field before the extensions"));
    }
    if hello.0.is_empty() {
        return Err(HelloError::NoName);
    }
    let mut extensions = hello.vec16()?;
    if !hello.0.is_empty() {
        return Err(MALFORMED_LENGTH);
    }
    let mut seen = Vec::new();
    let mut name = None;
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let body = extensions.vec16()?;
        if seen.contains(&kind) {
            return Err(HelloError::Malformed("an extension comes twice"));
        }
        seen.push(kind);
        if EXT_ECH.contains(&kind) {
            return Err(HelloError::Encrypted);
        }
        if kind == EXT_SERVER_NAME {
            name = Some(host_name(body)?);
        }
    }
    name.map(Some).ok_or(HelloError::NoName)
}

/// Checks that the hello names `asked`; `false` asks for more bytes.
///
/// # Errors
/// [`HelloError`], [`HelloError::Mismatch`] for another name.
pub(crate) fn names(bytes: &[u8], asked: &HostName) -> Result<bool, HelloError> {
    match server_name(bytes)? {
        None => Ok(false),
        Some(found) if found == *asked => Ok(true),
        Some(found) => Err(HelloError::Mismatch { found }),
    }
}

/// Joins the handshake message out of its records.
fn handshake(bytes: &[u8]) -> Result<Option<Vec<u8>>, HelloError> {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        match rest {
            [kind, ..] if *kind != HANDSHAKE => return Err(HelloError::NotTls),
            [_, major, ..] if *major != 3 => return Err(HelloError::NotTls),
            _ => {}
        }
        let used = bytes.len() - rest.len();
        let &[_, _, _, high, low, ref body @ ..] = rest else {
            return more_or_too_large(used + 5);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 || length > 1 << 14 {
            return Err(HelloError::Malformed("a record is empty or over its limit"));
        }
        if used + 5 + length > HELLO_BYTES {
            return Err(HelloError::TooLarge);
        }
        let (fragment, after) = body.split_at_checked(length).unwrap_or((body, &[]));
        message.extend_from_slice(fragment);
        if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Err(HelloError::Malformed("the first message is no ClientHello"));
        }
        if let [_, a, b, c, content @ ..] = message.as_slice() {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if length > HELLO_BYTES {
                return Err(HelloError::TooLarge);
            }
            if content.len() > length {
                return Err(HelloError::Malformed("more follows in the same record"));
            }
            if content.len() == length && fragment.len() == usize::from(u16::from_be_bytes([high, low])) {
                return Ok(Some(message.split_off(4)));
            }
        }
        if fragment.len() < length {
            return Ok(None);
        }
        rest = after;
    }
}

fn more_or_too_large(needed: usize) -> Result<Option<Vec<u8>>, HelloError> {
    if needed > HELLO_BYTES { Err(HelloError::TooLarge) } else { Ok(None) }
}

/// The one name of a server_name extension.
fn host_name(mut body: Cursor<'_>) -> Result<HostName, HelloError> {
    let mut list = body.vec16()?;
    let kind = list.take(1)?;
    let name = list.vec16()?;
    if kind != [0] || !list.0.is_empty() || !body.0.is_empty() {
        return Err(HelloError::Malformed("the server name is not one host name"));
    }
    std::str::from_utf8(name.0)
        .ok()
        .and_then(|text| HostName::parse(text).ok())
        .ok_or(HelloError::Malformed("the server name is not a host name"))
}

/// Bytes not yet read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], HelloError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(MALFORMED_LENGTH)?;
        self.0 = tail;
        Ok(head)
    }

    fn u16(&mut self) -> Result<u16, HelloError> {
        let bytes = self.take(2)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u16::from(*byte)))
    }

    fn vec8(&mut self) -> Result<Self, HelloError> {
        let length = self.take(1)?.iter().fold(0, |_, byte| usize::from(*byte));
        self.take(length).map(Self)
    }

    fn vec16(&mut self) -> Result<Self, HelloError> {
        let length = usize::from(self.u16()?);
        self.take(length).map(Self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &u16::try_from(body.len()).expect("short").to_be_bytes(), body].concat()
    }

    fn sni(name: &[u8]) -> Vec<u8> {
        let length = u16::try_from(name.len()).expect("short");
        extension(0, &[&(length + 3).to_be_bytes()[..], &[0], &length.to_be_bytes(), name].concat())
    }

    fn message(extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend(u16::try_from(extensions.len()).expect("short").to_be_bytes());
        body.extend(extensions);
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        [&[CLIENT_HELLO][..], &length[1..], &body].concat()
    }

    /// `message` cut into records at the given sizes, the rest in a last one.
    fn records(message: &[u8], sizes: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = message;
        for size in sizes.iter().copied().chain([usize::MAX]) {
            let (head, tail) = rest.split_at(size.min(rest.len()).min(1 << 14));
            if !head.is_empty() {
                out.extend([HANDSHAKE, 3, 1]);
                out.extend(u16::try_from(head.len()).expect("short").to_be_bytes());
                out.extend(head);
            }
            rest = tail;
        }
        out
    }

    /// A hello for `name` in one record.
    pub(crate) fn hello(name: &str) -> Vec<u8> {
        records(&message(&[extension(43, &[2, 3, 4]), sni(name.as_bytes())].concat()), &[])
    }

    fn asked() -> HostName {
        HostName::parse("trusted.example").expect("name")
    }

    #[test]
    fn the_asked_name_passes_in_any_case() {
        assert_eq!(names(&hello("trusted.example"), &asked()), Ok(true));
        assert_eq!(names(&hello("Trusted.EXAMPLE"), &asked()), Ok(true));
    }

    #[test]
    fn real_hellos_are_read() {
        let roots = rustls::RootCertStore::empty();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "trusted.example".try_into().expect("name");
        let mut client = rustls::ClientConnection::new(config.into(), name).expect("client");
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("hello");
        assert_eq!(names(&bytes, &asked()), Ok(true));
    }

    #[test]
    fn what_hides_or_differs_is_refused() {
        let with = |extensions: &[u8]| names(&records(&message(extensions), &[]), &asked());
        let good = sni(b"trusted.example");
        assert_eq!(with(&good), Ok(true));
        assert_eq!(with(&extension(43, &[2, 3, 4])), Err(HelloError::NoName));
        assert_eq!(with(&[]), Err(HelloError::NoName));
        assert_eq!(with(&[good.clone(), extension(0xfe0d, &[0])].concat()), Err(HelloError::Encrypted));
        assert!(matches!(with(&sni(b"evil.example")), Err(HelloError::Mismatch { .. })));
        for bad in [&b"trusted.example\0.evil"[..], b"", b"127.0.0.1", b"trusted.example/"] {
            assert!(matches!(with(&sni(bad)), Err(HelloError::Malformed(_))), "{bad:?}");
        }
        assert!(matches!(with(&[good.clone(), good].concat()), Err(HelloError::Malformed(_))));
        let two = [&[0, 0, 0, 36, 0, 34][..], &[0, 0, 15], b"trusted.example", &[0, 0, 13], b"trusted.evil1"].concat();
        assert!(matches!(with(&two), Err(HelloError::Malformed(_))));
    }

    #[test]
    fn other_protocols_are_refused_by_their_first_bytes() {
        for bytes in [&b"S"[..], b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n", &[0x80, 0x2e, 1, 0, 2], &[22, 2], &[0]] {
            assert_eq!(server_name(bytes), Err(HelloError::NotTls), "{bytes:?}");
        }
        // A server's hello, and a hello that claims to be over the cap.
        assert!(matches!(server_name(&[22, 3, 1, 0, 4, 2, 0, 0, 0]), Err(HelloError::Malformed(_))));
        assert_eq!(server_name(&[22, 3, 1, 0, 4, 1, 1, 0, 0]), Err(HelloError::TooLarge));
    }

    #[test]
    fn many_tiny_records_end_at_the_cap() {
        let mut bytes = Vec::new();
        while bytes.len() <= HELLO_BYTES {
            let byte: &[u8] = match bytes.len() / 6 {
                0 => &[1],
                2 => &[0x3f],
                _ => &[0],
            };
            bytes.extend([22, 3, 1, 0, 1]);
            bytes.extend(byte);
        }
        assert_eq!(server_name(&bytes), Err(HelloError::TooLarge));
    }

    proptest! {
        #[test]
        fn fragments_make_no_difference(sizes in proptest::collection::vec(1usize..40, 0..8)) {
            let whole = message(&sni(b"trusted.example"));
            let bytes = records(&whole, &sizes);
            prop_assert_eq!(names(&bytes, &asked()), Ok(true));
            for cut in 0..bytes.len() {
                prop_assert_eq!(names(&bytes[..cut], &asked()), Ok(false), "cut at {}", cut);
            }
        }

        #[test]
        fn hostile_bytes_never_panic_nor_pass(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), tls in any::<bool>()) {
            if tls && bytes.len() > 6 {
                bytes[..6].copy_from_slice(&[22, 3, 1, 0, 200, 1]);
            }
            prop_assert!(!matches!(names(&bytes, &asked()), Ok(true)));
        }
    }
}
