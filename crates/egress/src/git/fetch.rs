//! The body of a fetch: taken whole, looked at, and only then sent. It can name nothing but objects and refs of the recorded
//! repository; what could be hidden in such names is bounded by the cap.

use super::{
    GitRefusal, is_id,
    pkt::{Pkt, PktError, first},
    shown,
};
use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use std::io::Read;

/// Longest body of a fetch, in bytes, also when it is decompressed: about twenty thousand names of objects.
pub(crate) const MAX_FETCH: usize = 1024 * 1024;

/// Commands of version 2 that read.
const COMMANDS: [&[u8]; 2] = [b"command=ls-refs", b"command=fetch"];
/// First words of lines that a fetch has, in version 0, 1 and 2 (gitprotocol-pack, gitprotocol-v2).
const WORDS: [&[u8]; 22] = [
    b"want",
    b"have",
    b"done",
    b"shallow",
    b"deepen",
    b"deepen-since",
    b"deepen-not",
    b"deepen-relative",
    b"filter",
    b"thin-pack",
    b"no-progress",
    b"include-tag",
    b"ofs-delta",
    b"sideband-all",
    b"wait-for-done",
    b"want-ref",
    b"packfile-uris",
    b"peel",
    b"symrefs",
    b"unborn",
    b"ref-prefix",
    b"agent",
];
/// Capabilities of version 2 that stand before the first delimiter.
const CAPABILITIES: [&[u8]; 3] = [b"agent=", b"object-format=", b"session-id="];

/// Collects a fetch.
#[derive(Debug)]
pub(crate) struct FetchBody {
    is_gzip: bool,
    bytes: BytesMut,
}

impl FetchBody {
    /// Nothing yet.
    pub(crate) fn new(is_gzip: bool) -> Self {
        Self { is_gzip, bytes: BytesMut::new() }
    }

    /// Takes a piece; nothing goes on before the end.
    ///
    /// # Errors
    /// [`PktError::TooLong`]
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<(), GitRefusal> {
        if self.bytes.len() + piece.len() > MAX_FETCH {
            return Err(PktError::TooLong { max: MAX_FETCH }.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// The whole body, decompressed, when it is a fetch.
    ///
    /// # Errors
    /// [`GitRefusal`]
    pub(crate) fn finish(self) -> Result<Bytes, GitRefusal> {
        let bytes = if self.is_gzip { decompress(&self.bytes)? } else { self.bytes.freeze() };
        check(&bytes)?;
        Ok(bytes)
    }
}

fn decompress(bytes: &[u8]) -> Result<Bytes, GitRefusal> {
    let mut out = Vec::new();
    let mut reader = GzDecoder::new(bytes).take(MAX_FETCH as u64 + 1);
    reader.read_to_end(&mut out).map_err(|_| PktError::Content("it cannot be decompressed"))?;
    if out.len() > MAX_FETCH {
        return Err(PktError::TooLong { max: MAX_FETCH }.into());
    }
    Ok(out.into())
}

fn check(bytes: &[u8]) -> Result<(), GitRefusal> {
    let mut rest = bytes;
    let mut in_capabilities = false;
    let mut is_first = true;
    while !rest.is_empty() {
        let Some((pkt, after)) = first(rest)? else { return Err(PktError::Cut.into()) };
        rest = after;
        match pkt {
            Pkt::Line(line) if is_first && line.starts_with(b"command=") => {
                if !COMMANDS.contains(&line) {
                    return Err(GitRefusal::Command { command: shown(&line[8..]) });
                }
                in_capabilities = true;
            }
            Pkt::Line(line) if in_capabilities => {
                if !CAPABILITIES.iter().any(|known| line.starts_with(known)) {
                    return Err(GitRefusal::Command { command: shown(line) });
                }
            }
            Pkt::Line(line) => {
                let mut words = line.split(|byte| *byte == b' ' || *byte == b'=');
                let word = words.next().unwrap_or_default();
                if !WORDS.contains(&word) {
                    return Err(GitRefusal::Command { command: shown(word) });
                }
                if matches!(word, b"want" | b"have" | b"shallow") && !words.next().is_some_and(is_id) {
                    return Err(PktError::Content("an object is not named by its id").into());
                }
            }
            Pkt::Delimiter | Pkt::Flush => in_capabilities = false,
        }
        is_first = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn line(text: &str) -> String {
        format!("{:04x}{text}\n", text.len() + 5)
    }

    fn take(is_gzip: bool, bytes: &[u8]) -> Result<Bytes, GitRefusal> {
        let mut body = FetchBody::new(is_gzip);
        bytes.chunks(7).try_for_each(|piece| body.feed(piece))?;
        body.finish()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn fetches_of_every_version_pass() {
        let id = "1".repeat(40);
        let old = format!(
            "{}{}0000{}{}",
            line(&format!("want {id} side-band-64k agent=git/2")),
            line(&format!("want {id}")),
            line(&format!("have {id}")),
            line("done")
        );
        let list = format!(
            "{}{}{}0001{}{}{}0000",
            line("command=ls-refs"),
            line("agent=git/2.47"),
            line("object-format=sha1"),
            line("peel"),
            line("symrefs"),
            line("ref-prefix refs/heads/")
        );
        let fetch = format!(
            "{}{}0001{}{}{}0000",
            line("command=fetch"),
            line("agent=git/2"),
            line("thin-pack"),
            line(&format!("want {id}")),
            line("done")
        );
        for good in [&old, &list, &fetch] {
            assert_eq!(take(false, good.as_bytes()).expect(good), good.as_bytes());
            assert_eq!(take(true, &gzip(good.as_bytes())).expect(good), good.as_bytes());
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            format!("{}0000", line("command=object-info")),
            format!("{}0000", line("command=bundle-uri")),
            format!("{}{}0001{}0000", line("command=fetch"), line("server-option=secret"), line("done")),
            format!("{}0000", line("push-option x")),
            format!("{}0000", line("secret data of any kind")),
            format!("{}0000", line("have secret")),
            format!("{}{}0000", line("done"), line("command=fetch")),
            "0009wan".to_owned(),
            "GET / HTTP/1.1".to_owned(),
        ] {
            assert!(take(false, bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(take(true, b"not gzip").is_err());
        assert!(take(false, &[b'0'; MAX_FETCH + 4]).is_err());
        let bomb = gzip(&vec![b'0'; 64 * MAX_FETCH]);
        assert!(bomb.len() < MAX_FETCH && take(true, &bomb).is_err());
    }
}
