//! Request bodies: a length or chunks, decoded strictly and framed anew for the endpoint.

use super::head::HeadError;
use crate::limits::{CHUNK_SIZE_DIGITS, COPY_BYTES};
use bytes::{Buf as _, Bytes, BytesMut};

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With a chunk of size 0.
    Chunked,
}

impl Framing {
    /// True when there is no body at all.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::Length(0)
    }

    /// The length, where it was announced.
    pub(crate) fn length(self) -> Option<u64> {
        match self {
            Self::Length(length) => Some(length),
            Self::Chunked => None,
        }
    }
}

/// What the bytes at hand hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A piece of the body.
    Data(Bytes),
    /// More bytes are needed.
    More,
    /// The body is over; what is left in the buffer is not part of it.
    End,
}

/// Decodes one body.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Remaining(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    LastLine,
    Over,
}

impl Decoder {
    /// Begins with a body.
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(length) => State::Remaining(length),
            Framing::Chunked => State::ChunkSize,
        };
        Self { state }
    }

    /// Takes the next piece off the buffer.
    ///
    /// # Errors
    /// [`HeadError::Malformed`]: chunk extensions, trailers and any other spelling than `HEX CRLF data CRLF`.
    pub(crate) fn step(&mut self, buf: &mut BytesMut) -> Result<Step, HeadError> {
        loop {
            match self.state {
                State::Remaining(0) | State::Over => {
                    self.state = State::Over;
                    return Ok(Step::End);
                }
                State::Remaining(left) => {
                    let Some((piece, left)) = cut(buf, left) else { return Ok(Step::More) };
                    self.state = State::Remaining(left);
                    return Ok(Step::Data(piece));
                }
                State::ChunkSize => {
                    let Some(size) = chunk_size(buf)? else { return Ok(Step::More) };
                    self.state = if size == 0 { State::LastLine } else { State::ChunkData(size) };
                }
                State::ChunkData(0) => self.state = State::ChunkEnd,
                State::ChunkData(left) => {
                    let Some((piece, left)) = cut(buf, left) else { return Ok(Step::More) };
                    self.state = State::ChunkData(left);
                    return Ok(Step::Data(piece));
                }
                State::ChunkEnd => {
                    if !line_break(buf)? {
                        return Ok(Step::More);
                    }
                    self.state = State::ChunkSize;
                }
                State::LastLine => {
                    if !line_break(buf)? {
                        return Ok(Step::More);
                    }
                    self.state = State::Over;
                }
            }
        }
    }
}

fn cut(buf: &mut BytesMut, left: u64) -> Option<(Bytes, u64)> {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len()).min(COPY_BYTES);
    (count > 0).then(|| (buf.split_to(count).freeze(), left - count as u64))
}

fn chunk_size(buf: &mut BytesMut) -> Result<Option<u64>, HeadError> {
    let bad = HeadError::Malformed("a chunk's size");
    let digits = buf.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits > CHUNK_SIZE_DIGITS {
        return Err(bad);
    }
    match (digits, buf.get(digits), buf.get(digits + 1)) {
        (_, None, _) | (1.., Some(b'\r'), None) => Ok(None),
        (1.., Some(b'\r'), Some(b'\n')) => {
            let size = std::str::from_utf8(&buf[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
            buf.advance(digits + 2);
            size.map(Some).ok_or(bad)
        }
        _ => Err(bad),
    }
}

fn line_break(buf: &mut BytesMut) -> Result<bool, HeadError> {
    match (buf.first(), buf.get(1)) {
        (None, _) | (Some(b'\r'), None) => Ok(false),
        (Some(b'\r'), Some(b'\n')) => {
            buf.advance(2);
            Ok(true)
        }
        _ => Err(HeadError::Malformed("a chunk's end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds the bytes in pieces of the given sizes; the decoded body and what is left over.
    fn decode(framing: Framing, bytes: &[u8], sizes: &[usize]) -> Result<(Vec<u8>, Vec<u8>, bool), HeadError> {
        let mut decoder = Decoder::new(framing);
        let mut buf = BytesMut::new();
        let mut body = Vec::new();
        let mut rest = bytes;
        let mut sizes = sizes.iter().copied().cycle();
        loop {
            match decoder.step(&mut buf)? {
                Step::Data(piece) => body.extend(piece),
                Step::End => return Ok((body, [&buf[..], rest].concat(), true)),
                Step::More if rest.is_empty() => return Ok((body, buf.to_vec(), false)),
                Step::More => {
                    let (head, tail) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
                    buf.extend_from_slice(head);
                    rest = tail;
                }
            }
        }
    }

    #[test]
    fn odd_chunks_are_refused() {
        for bad in [
            "5;ext=1\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\n0\n\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "000000005\r\nhello\r\n0\r\n\r\n",
            "0\r\nTrailer: x\r\n\r\n",
            "\r\n",
        ] {
            assert!(decode(Framing::Chunked, bad.as_bytes(), &[1]).is_err(), "{bad:?}");
        }
        let good = decode(Framing::Chunked, b"5\r\nhello\r\n0\r\n\r\nGET", &[1]);
        assert_eq!(good, Ok((b"hello".to_vec(), b"GET".to_vec(), true)));
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_body(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..6), sizes in proptest::collection::vec(1usize..9, 1..5)) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\nnext");
            prop_assert_eq!(decode(Framing::Chunked, &wire, &sizes), Ok((chunks.concat(), b"next".to_vec(), true)));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'3')], 0..80)) {
            let _ = decode(Framing::Chunked, &bytes, &[3]);
            let (body, rest, _) = decode(Framing::Length(20), &bytes, &[3]).expect("a length cannot be malformed");
            prop_assert_eq!([body, rest].concat(), bytes);
        }
    }
}
