//! The one request that turns its connection into a raw stream: starting an exec.
//!
//! It has a connection of its own and is written by hand, because the stream's halves, its half-close and its early
//! bytes must stay ours; the client library hides them behind a decoder that takes foreign frames for output.

use crate::endpoint::{Endpoint, RawRead, RawWrite};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest head of an answer.
const MAX_HEAD: usize = 16 * 1024;
/// Longest error body that is read.
const MAX_BODY: usize = 4 * 1024;

/// A connection that has become a raw stream.
pub(super) struct Raw {
    pub(super) read: RawRead,
    pub(super) write: RawWrite,
    /// Bytes of the stream that came with the head.
    pub(super) early: Vec<u8>,
}

/// Why it did not.
pub(super) enum Refusal {
    /// The connection failed, or the answer is no HTTP.
    Connection(io::Error),
    /// The engine answered with this status and these words.
    Status(u16, String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// Posts `body` to `path` and takes the connection over.
pub(super) async fn upgrade(
    endpoint: &Endpoint,
    path: &str,
    body: &str,
    within: Duration,
) -> std::result::Result<Raw, Refusal> {
    let (mut read, mut write) = endpoint.dial(within).await?;
    let exchange = async {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        write.write_all(request.as_bytes()).await?;
        write.flush().await?;
        let (head, rest) = read_head(&mut read).await?;
        match status(&head).ok_or_else(malformed)? {
            101 | 200 => Ok(rest),
            code => Err(Refusal::Status(code, message(&mut read, rest).await)),
        }
    };
    let early = tokio::time::timeout(within, exchange).await.map_err(|late| Refusal::Connection(late.into()))??;
    Ok(Raw { read, write, early })
}

/// The head of an answer, and the bytes that came with it.
pub(super) async fn read_head(read: &mut RawRead) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some(end) = head_end(&bytes) {
            let rest = bytes.split_off(end);
            return Ok((bytes, rest));
        }
        if bytes.len() >= MAX_HEAD {
            return Err(malformed());
        }
        if read.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

pub(super) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the engine's answer is no HTTP")
}

/// The offset behind the blank line, once it is there.
fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// The status of a complete head.
pub(super) fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|&b| b == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| *version == "HTTP/1.1" || *version == "HTTP/1.0")?;
    words.next().filter(|code| code.len() == 3)?.parse().ok()
}

/// The engine's words in the body of a refusal; it may be cut, it is for people.
async fn message(read: &mut RawRead, mut body: Vec<u8>) -> String {
    // The connection is kept open after the body, so a short silence ends it too.
    let more = async { while body.len() < MAX_BODY && matches!(read.read_buf(&mut body).await, Ok(1..)) {} };
    // Running out of time is the usual end here: what came is the message.
    let _ended_or_silent = tokio::time::timeout(Duration::from_millis(50), more).await;
    body.truncate(MAX_BODY);
    let text = String::from_utf8_lossy(&body).into_owned();
    let json = text.find('{').zip(text.rfind('}')).and_then(|(from, to)| text.get(from..=to));
    json.and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok())
        .and_then(|value| value.get("message")?.as_str().map(str::to_owned))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::net::UnixListener;

    /// Answers one request on a socket with `answer` and hangs up.
    async fn against(answer: &'static [u8]) -> std::result::Result<Raw, Refusal> {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).expect("bind");
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("accept");
            let mut request = [0; 512];
            let count = stream.read(&mut request).await.expect("request");
            assert!(request[..count].starts_with(b"POST /x HTTP/1.1\r\n") && request[..count].ends_with(b"\r\n\r\n{}"));
            stream.write_all(answer).await.expect("answer");
        };
        let endpoint = Endpoint::Unix(path);
        tokio::join!(upgrade(&endpoint, "/x", "{}", Duration::from_secs(5)), server).0
    }

    #[tokio::test]
    async fn early_bytes_belong_to_the_stream() {
        let raw = against(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n\x01\0\0\0\0\0\0\x01x").await;
        assert_eq!(raw.ok().map(|raw| raw.early).as_deref(), Some(&b"\x01\0\0\0\0\0\0\x01x"[..]));
    }

    #[tokio::test]
    async fn refusals_keep_the_engines_words() {
        let refused =
            against(b"HTTP/1.1 409 Conflict\r\nContent-Length: 27\r\n\r\n{\"message\":\"not running\"}\n").await;
        assert!(matches!(refused, Err(Refusal::Status(409, words)) if words == "not running"));
        for bad in [&b"SSH-2.0-x\r\n\r\n"[..], b"HTTP/1.1 20\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nA: b"] {
            assert!(matches!(against(bad).await, Err(Refusal::Connection(_))), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_head_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(end) = head_end(&bytes) {
                prop_assert!(end <= bytes.len());
            }
            prop_assert!(status(&bytes).is_none_or(|code| code < 1000));
        }
    }
}
