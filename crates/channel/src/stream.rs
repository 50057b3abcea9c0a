//! One stream of a session.
//!
//! What must stay true: reading 0 bytes means that the other side ended its bytes on purpose. A reset or a lost
//! session is an error of kind [`io::ErrorKind::ConnectionReset`], so that a cut body never looks whole. One case is
//! out of reach of the multiplexer: when *we* have shut our side down first and the peer then drops the stream while
//! the session lives, its drop reads as an end.

use crate::link::Fate;
use futures::io::{AsyncRead, AsyncWrite};
use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead as TokioRead, AsyncWrite as TokioWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
};

/// A bidirectional byte stream with flow control. `shutdown()` ends our bytes and leaves the other direction open;
/// dropping without it resets the stream.
pub struct Stream {
    inner: yamux::Stream,
    fate: Fate,
    /// We have ended our bytes.
    is_shut: bool,
    /// The peer's end was read; later losses change nothing.
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    pub(crate) fn new(inner: yamux::Stream, fate: Fate, permit: OwnedSemaphorePermit) -> Self {
        Self { inner, fate, is_shut: false, has_ended: false, _permit: permit }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.has_ended {
            return Ok(());
        }
        if self.inner.is_closed() && (!self.is_shut || self.fate.is_broken()) {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the stream was reset"));
        }
        self.has_ended = true;
        Ok(())
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("id", &self.inner.id()).field("is_shut", &self.is_shut).finish_non_exhaustive()
    }
}

impl TokioRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let count = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer.initialize_unfilled()));
        match count {
            Ok(0) => Poll::Ready(self.end()),
            Ok(count) => {
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
            // The multiplexer is gone: its own error says "write zero", which misleads a reader.
            Err(_) => Poll::Ready(
                self.end().and_then(|()| Err(io::Error::new(io::ErrorKind::ConnectionReset, "the channel is closed"))),
            ),
        }
    }
}

impl TokioWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_shut {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "the stream was shut down")));
        }
        Pin::new(&mut self.inner).poll_write(cx, buffer).map_err(broken)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_shut {
            return Poll::Ready(Ok(()));
        }
        if self.inner.is_closed() {
            return Poll::Ready(Err(broken(io::ErrorKind::BrokenPipe.into())));
        }
        ready!(Pin::new(&mut self.inner).poll_close(cx)).map_err(broken)?;
        self.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

fn broken(_: io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the other side dropped the stream or the channel is closed")
}
