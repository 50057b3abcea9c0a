//! Taking the engine's multiplexed output stream apart.
//!
//! A frame is one byte of kind, three zero bytes, a big-endian `u32` length and that many bytes. Only stdout and stderr
//! are accepted: with another kind the stream is out of step or carries the engine's own error, and nothing after it
//! can be trusted. The end of the stream inside a frame is an error too, so that a cut output never looks whole.
//! Memory stays at one fixed buffer whatever lengths the frames claim.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes read from the engine at a time: two of Docker's frames.
const BUFFER: usize = 64 * 1024;
/// Longest error text of the engine that is kept.
const MAX_ENGINE_ERROR: usize = 1024;

/// Which of the process's outputs bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// A piece of an output, as a part of the buffer.
type Piece = (Output, std::ops::Range<usize>);

enum State {
    /// The next byte belongs to a header, of which this many bytes are known.
    Header([u8; 8], usize),
    /// This many bytes of a payload are still to come.
    Payload(Output, u32),
    /// The engine's own error text, with the bytes still to come.
    EngineError(Vec<u8>, u32),
    /// An error was reported; the stream is dead.
    Broken,
}

/// Splits a stream of frames.
pub struct Frames<R> {
    inner: R,
    buffer: Box<[u8]>,
    /// The part of `buffer` that is not yet consumed.
    filled: std::ops::Range<usize>,
    state: State,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Reads frames from `inner`; `early` are bytes that were read from it already.
    pub fn new(inner: R, early: &[u8]) -> Self {
        let mut buffer = vec![0; BUFFER.max(early.len())].into_boxed_slice();
        buffer[..early.len()].copy_from_slice(early);
        Self { inner, buffer, filled: 0..early.len(), state: State::Header([0; 8], 0) }
    }

    /// The next piece of output, without copying it; `None` at a clean end. Pieces are parts of frames.
    ///
    /// # Errors
    /// `InvalidData` for anything but stdout and stderr frames, with the engine's words if it sent some; `UnexpectedEof`
    /// for an end inside a frame; else what the connection reports. After an error there is nothing more to read.
    pub async fn next(&mut self) -> io::Result<Option<(Output, &[u8])>> {
        let piece = std::future::poll_fn(|cx| self.poll_piece(cx, usize::MAX)).await?;
        Ok(piece.map(|(output, range)| (output, &self.buffer[range])))
    }

    /// Finds the next piece of at most `max` bytes and consumes it from the buffer.
    fn poll_piece(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Piece>>> {
        loop {
            match self.step(max) {
                Ok(Some(piece)) => return Poll::Ready(Ok(Some(piece))),
                Ok(None) => {}
                Err(error) => {
                    self.state = State::Broken;
                    return Poll::Ready(Err(error));
                }
            }
            // The buffer is used up here.
            let mut read = ReadBuf::new(&mut self.buffer);
            let outcome = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read));
            let count = read.filled().len();
            self.filled = 0..count;
            if let Err(error) = outcome {
                self.state = State::Broken;
                return Poll::Ready(Err(error));
            }
            if count == 0 {
                return Poll::Ready(self.end());
            }
        }
    }

    /// Advances over the buffered bytes until a piece is found (`Some`) or they are used up (`None`).
    fn step(&mut self, max: usize) -> io::Result<Option<Piece>> {
        while !self.filled.is_empty() {
            let at = self.filled.start;
            match &mut self.state {
                State::Header(header, known) => {
                    let take = (8 - *known).min(self.filled.len());
                    header[*known..*known + take].copy_from_slice(&self.buffer[at..at + take]);
                    *known += take;
                    self.filled.start += take;
                    if *known == 8 {
                        self.state = after_header(*header)?;
                    }
                }
                State::Payload(output, left) => {
                    let take = self.filled.len().min(*left as usize).min(max);
                    let output = *output;
                    *left -= take as u32;
                    if *left == 0 {
                        self.state = State::Header([0; 8], 0);
                    }
                    self.filled.start += take;
                    return Ok(Some((output, at..at + take)));
                }
                State::EngineError(text, left) => {
                    let take = self.filled.len().min(*left as usize);
                    let keep = take.min(MAX_ENGINE_ERROR.saturating_sub(text.len()));
                    text.extend_from_slice(&self.buffer[at..at + keep]);
                    *left -= take as u32;
                    self.filled.start += take;
                    if *left == 0 || text.len() == MAX_ENGINE_ERROR {
                        return Err(engine_error(text));
                    }
                }
                State::Broken => return Err(broken()),
            }
        }
        Ok(None)
    }

    /// What the end of the connection means now.
    fn end(&mut self) -> io::Result<Option<Piece>> {
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Header(_, 0) => {
                self.state = State::Header([0; 8], 0);
                Ok(None)
            }
            State::EngineError(text, _) => Err(engine_error(&text)),
            State::Header(..) | State::Payload(..) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the engine's stream ended inside a frame"))
            }
            State::Broken => Err(broken()),
        }
    }
}

fn after_header(header: [u8; 8]) -> io::Result<State> {
    let [kind, zeros @ .., a, b, c, d] = header;
    let length = u32::from_be_bytes([a, b, c, d]);
    let output = match kind {
        1 => Output::Stdout,
        2 => Output::Stderr,
        3 if zeros == [0; 3] => return Ok(State::EngineError(Vec::new(), length)),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("the engine sent a frame of kind {kind}"))),
    };
    if zeros != [0; 3] {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the engine's stream is out of step"));
    }
    // An empty frame has no payload to wait for.
    Ok(if length == 0 { State::Header([0; 8], 0) } else { State::Payload(output, length) })
}

fn engine_error(text: &[u8]) -> io::Error {
    let text = types::text::printable(String::from_utf8_lossy(text).trim(), MAX_ENGINE_ERROR);
    io::Error::new(io::ErrorKind::InvalidData, format!("the engine reports: {text}"))
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the engine's stream failed before")
}

/// A consumer of the frames that are not stdout.
pub(crate) trait Aside {
    /// Takes a piece of stderr.
    fn stderr(&self, bytes: &[u8]);
}

/// The stdout of a stream of frames as plain bytes; stderr goes aside.
pub(crate) struct Stdout<R, A> {
    frames: Frames<R>,
    aside: A,
}

impl<R: AsyncRead + Unpin, A: Aside> Stdout<R, A> {
    pub(crate) fn new(frames: Frames<R>, aside: A) -> Self {
        Self { frames, aside }
    }
}

impl<R: AsyncRead + Unpin, A: Aside + Unpin> AsyncRead for Stdout<R, A> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = out.remaining();
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match ready!(this.frames.poll_piece(cx, room))? {
                None => return Poll::Ready(Ok(())),
                Some((Output::Stdout, range)) => {
                    out.put_slice(&this.frames.buffer[range]);
                    return Poll::Ready(Ok(()));
                }
                Some((Output::Stderr, range)) => this.aside.stderr(&this.frames.buffer[range]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// A connection that delivers bytes in the given pieces.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if let Some(mut piece) = self.0.pop_front() {
                let rest = piece.split_off(piece.len().min(out.remaining()));
                out.put_slice(&piece);
                if !rest.is_empty() {
                    self.0.push_front(rest);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    fn chopped(bytes: &[u8], size: usize) -> Pieces {
        Pieces(bytes.chunks(size).map(<[u8]>::to_vec).collect())
    }

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 0, 0, 0];
        out.extend((payload.len() as u32).to_be_bytes());
        out.extend(payload);
        out
    }

    /// Everything until the end or an error, stdout and stderr apart.
    fn drain(bytes: &[u8], size: usize) -> (Vec<u8>, Vec<u8>, io::Result<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut frames = Frames::new(chopped(bytes, size), &[]);
            let (mut out, mut err) = (Vec::new(), Vec::new());
            loop {
                match frames.next().await {
                    Ok(Some((Output::Stdout, piece))) => out.extend_from_slice(piece),
                    Ok(Some((Output::Stderr, piece))) => err.extend_from_slice(piece),
                    Ok(None) => return (out, err, Ok(())),
                    Err(error) => {
                        assert!(frames.next().await.is_err(), "an error is final");
                        return (out, err, Err(error));
                    }
                }
            }
        })
    }

    proptest! {
        #[test]
        fn frames_come_apart_wherever_the_connection_cuts_them(
            parts in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..12),
            size in 1usize..600,
        ) {
            let (mut wire, mut out, mut err) = (Vec::new(), Vec::new(), Vec::new());
            for (is_out, payload) in &parts {
                wire.extend(frame(if *is_out { 1 } else { 2 }, payload));
                if *is_out { out.extend(payload) } else { err.extend(payload) }
            }
            let (got_out, got_err, end) = drain(&wire, size);
            prop_assert!(end.is_ok());
            prop_assert_eq!((got_out, got_err), (out, err));
            // Cut anywhere but at a frame's end, the stream must not look whole.
            if wire.len() > 1 && parts.last().is_some_and(|(_, payload)| !payload.is_empty()) {
                prop_assert!(drain(&wire[..wire.len() - 1], size).2.is_err());
            }
        }

        #[test]
        fn hostile_bytes_never_panic_nor_yield_more_than_was_sent(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000), size in 1usize..700,
        ) {
            let (out, err, end) = drain(&bytes, size);
            prop_assert!(out.len() + err.len() <= bytes.len());
            if bytes.first().is_some_and(|kind| !matches!(kind, 1 | 2)) && bytes.len() >= 8 {
                prop_assert!(end.is_err() && out.is_empty() && err.is_empty());
            }
        }
    }

    #[test]
    fn foreign_frames_are_fatal_and_ours_are_not() {
        assert!(drain(&frame(1, b"x"), 100).2.is_ok());
        for kind in [0u8, 3, 4, 255] {
            let mut wire = frame(1, b"before");
            wire.extend(frame(kind, b"container is not running"));
            wire.extend(frame(1, b"after"));
            let (out, _, end) = drain(&wire, 7);
            assert_eq!(out, b"before", "kind {kind}");
            let text = end.expect_err("fatal").to_string();
            assert_eq!(kind == 3, text.contains("container is not running"), "{text}");
        }
        let mut shifted = frame(1, b"x");
        shifted[2] = 1;
        assert!(drain(&shifted, 100).2.is_err());
    }

    #[test]
    fn a_claimed_length_costs_no_memory() {
        let mut wire = vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        wire.extend(b"only this");
        let (out, _, end) = drain(&wire, 100);
        assert_eq!(out, b"only this");
        assert_eq!(end.expect_err("cut").kind(), io::ErrorKind::UnexpectedEof);
    }
}
