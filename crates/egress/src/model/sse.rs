//! Server-sent events, incrementally. Events come out whole or not at all and are written anew, so that the agent's reader
//! sees the same events as ours whatever the spelling on the wire was.

use crate::limits::SSE_EVENT_BYTES;
use bytes::{Buf as _, Bytes, BytesMut};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The `event` field; empty when there is none.
    pub(crate) name: String,
    /// The `data` fields, joined by line feeds.
    pub(crate) data: String,
}

/// Why the bytes are not events with one meaning.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadStream {
    /// Over the cap.
    #[error("an event is longer than {SSE_EVENT_BYTES} bytes")]
    TooLarge,
    /// A spelling that readers could disagree on.
    #[error("malformed event stream: {0}")]
    Malformed(&'static str),
}

impl Event {
    /// The event as it goes to the agent.
    pub(crate) fn render(&self) -> Bytes {
        let mut out = String::with_capacity(self.name.len() + self.data.len() + 24);
        if !self.name.is_empty() {
            out.extend(["event: ", &self.name, "\n"]);
        }
        for line in self.data.split('\n') {
            out.extend(["data: ", line, "\n"]);
        }
        out.push('\n');
        out.into()
    }
}

/// Takes bytes in any cutting and gives events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buf: BytesMut,
    /// Bytes of `buf` that are known to hold no line feed.
    scanned: usize,
    name: Option<String>,
    data: Option<String>,
    size: usize,
}

impl Parser {
    /// Adds bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// The next whole event, if its end has arrived.
    ///
    /// # Errors
    /// [`BadStream`]; the stream must end then.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, BadStream> {
        loop {
            let Some(at) = self.buf.iter().skip(self.scanned).position(|byte| *byte == b'\n') else {
                self.scanned = self.buf.len();
                return if self.size + self.buf.len() > SSE_EVENT_BYTES { Err(BadStream::TooLarge) } else { Ok(None) };
            };
            let line = self.buf.split_to(self.scanned + at);
            self.buf.advance(1);
            self.scanned = 0;
            self.size += line.len();
            if self.size > SSE_EVENT_BYTES {
                return Err(BadStream::TooLarge);
            }
            if let Some(event) = self.line(line.strip_suffix(b"\r").unwrap_or(&line))? {
                return Ok(Some(event));
            }
        }
    }

    /// True when nothing of an unfinished event is held.
    pub(crate) fn is_between_events(&self) -> bool {
        self.buf.is_empty() && self.name.is_none() && self.data.is_none()
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Event>, BadStream> {
        if line.is_empty() {
            self.size = 0;
            let name = self.name.take().unwrap_or_default();
            return match self.data.take() {
                Some(data) => Ok(Some(Event { name, data })),
                // Without data nothing is dispatched.
                None => Ok(None),
            };
        }
        let text = std::str::from_utf8(line).map_err(|_| BadStream::Malformed("not UTF-8"))?;
        if text.contains('\r') || text.contains('\0') {
            return Err(BadStream::Malformed("a bare carriage return or NUL"));
        }
        let (field, value) = text.split_once(':').ok_or(BadStream::Malformed("a line without a colon"))?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => {}
            "event" if self.name.is_none() => self.name = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => data.extend(["\n", value]),
                none => *none = Some(value.to_owned()),
            },
            _ => return Err(BadStream::Malformed("an unknown or repeated field")),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Event>, BadStream> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser.feed(piece);
            while let Some(event) = parser.next()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.into(), data: data.into() }
    }

    #[test]
    fn spellings_of_the_standard() {
        let text = ": hi\r\n\r\nevent: a\r\ndata: {\"x\":1}\r\n\r\ndata:one\ndata: two\n\nevent: lost\n\n";
        assert_eq!(read(&[text.as_bytes()]), Ok(vec![event("a", "{\"x\":1}"), event("", "one\ntwo")]));
        for bad in ["data\n\n", "id: 1\n", "\u{feff}data: x\n", "event: a\nevent: b\n", "data: a\rdata: b\n"] {
            assert!(matches!(read(&[bad.as_bytes()]), Err(BadStream::Malformed(_))), "{bad:?}");
        }
        assert_eq!(read(&[b"data: \xff\n"]), Err(BadStream::Malformed("not UTF-8")));
    }

    #[test]
    fn an_endless_event_ends_at_the_cap() {
        let line = vec![b'x'; 1 << 20];
        let pieces = std::iter::once(&b"data: "[..]).chain(std::iter::repeat_n(&line[..], 5)).collect::<Vec<_>>();
        assert_eq!(read(&pieces), Err(BadStream::TooLarge));
        let lines = [b"data: ", &line[..], b"\n"].concat();
        assert_eq!(read(&[&lines[..]; 5]), Err(BadStream::TooLarge));
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_events(
            events in proptest::collection::vec(("[a-z_]{0,8}", "[ -~\u{e9}\n]{0,30}"), 0..6),
            cuts in proptest::collection::vec(1usize..12, 1..8),
        ) {
            let events: Vec<_> = events.iter().map(|(name, data)| event(name, data)).collect();
            let wire: Vec<u8> = events.iter().flat_map(Event::render).collect();
            let mut pieces = Vec::new();
            let mut rest = &wire[..];
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*size).min(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            prop_assert_eq!(read(&pieces), Ok(events));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b':')], 0..100)) {
            let whole = read(&[&bytes]);
            let single: Vec<_> = bytes.chunks(1).collect();
            prop_assert_eq!(whole.is_ok(), read(&single).is_ok());
        }
    }
}
