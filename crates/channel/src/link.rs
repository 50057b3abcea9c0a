//! The pipe under a session, watched: it notes that the pipe is gone before the multiplexer learns of it.
//!
//! The multiplexer reports a lost connection to a stream as a plain end of file. A stream that has already ended its own
//! side cannot tell that from the peer's end, so it asks this flag, which is always set first.

use futures::io::{AsyncRead, AsyncWrite};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead as TokioRead, AsyncWrite as TokioWrite, BufStream, ReadBuf};

/// Read buffer of the pipe, in bytes.
const READ_BUFFER: usize = 64 * 1024;
/// Write buffer of the pipe, in bytes: a data frame of the multiplexer and its header fit in.
const WRITE_BUFFER: usize = 40 * 1024;

/// Says whether the pipe of a session is gone. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate(Arc<AtomicBool>);

impl Fate {
    pub(crate) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set_broken(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn note<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(result, Poll::Ready(Err(_))) {
            self.set_broken();
        }
        result
    }
}

/// A buffered pipe in the traits that the multiplexer wants.
pub(crate) struct Link<T: TokioRead + TokioWrite> {
    io: BufStream<T>,
    fate: Fate,
}

impl<T: TokioRead + TokioWrite + Unpin> Link<T> {
    pub(crate) fn new(io: T, fate: Fate) -> Self {
        Self { io: BufStream::with_capacity(READ_BUFFER, WRITE_BUFFER, io), fate }
    }
}

impl<T: TokioRead + TokioWrite + Unpin> AsyncRead for Link<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let wanted = !buffer.is_empty();
        let mut buffer = ReadBuf::new(buffer);
        let result = Pin::new(&mut self.io).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len());
        if wanted && matches!(result, Poll::Ready(Ok(0))) {
            self.fate.set_broken();
        }
        self.fate.note(result)
    }
}

impl<T: TokioRead + TokioWrite + Unpin> AsyncWrite for Link<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buffer);
        self.fate.note(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.fate.note(result)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_shutdown(cx);
        self.fate.note(result)
    }
}
