//! The program's side of a connection, read through one buffer, so that pipelined and first bytes are never lost.

use super::{
    body::{Decoder, Step},
    head::{self, Head, HeadError},
};
use crate::{
    hello::{self, HelloError},
    limits::{COPY_BYTES, HEAD_BYTES, LINGER, LINGER_BYTES},
    refusal::Refusal,
};
use bytes::{Bytes, BytesMut};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use types::host::HostName;

/// The reading half with what was read ahead.
pub(crate) struct Reader<R> {
    io: R,
    buf: BytesMut,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Nothing read yet.
    pub(crate) fn new(io: R) -> Self {
        Self { io, buf: BytesMut::new() }
    }

    /// Reads once, at most `max` bytes; false at the end.
    async fn fill(&mut self, max: usize) -> io::Result<bool> {
        self.buf.reserve(max);
        Ok((&mut self.io).take(max as u64).read_buf(&mut self.buf).await? > 0)
    }

    /// The next request head; `None` when the connection ended or stayed silent for `wait` before its first byte.
    ///
    /// # Errors
    /// [`HeadError`]
    pub(crate) async fn head(&mut self, wait: Duration, deadline: Duration) -> Result<Option<Head>, HeadError> {
        if self.buf.is_empty() && !matches!(timeout(wait, self.fill(HEAD_BYTES)).await, Ok(Ok(true))) {
            return Ok(None);
        }
        let rest = async {
            loop {
                if let Some(length) = head::length(&self.buf)? {
                    let bytes = self.buf.split_to(length);
                    return head::parse(&bytes).map(Some);
                }
                if !self.fill(HEAD_BYTES).await.unwrap_or(false) {
                    return Err(HeadError::Gone);
                }
            }
        };
        timeout(deadline, rest).await.unwrap_or(Err(HeadError::Deadline))
    }

    /// The next piece of a body; `None` at its end.
    ///
    /// # Errors
    /// [`HeadError`]: malformed chunks, or a connection that ends too early.
    pub(crate) async fn piece(&mut self, decoder: &mut Decoder) -> Result<Option<Bytes>, HeadError> {
        loop {
            match decoder.step(&mut self.buf)? {
                Step::Data(piece) => return Ok(Some(piece)),
                Step::End => return Ok(None),
                Step::More => {
                    if !self.fill(COPY_BYTES).await.unwrap_or(false) {
                        return Err(HeadError::Gone);
                    }
                }
            }
        }
    }

    /// Reads until a whole ClientHello for `asked` is there. Its bytes stay in the buffer.
    ///
    /// # Errors
    /// [`Refusal`]: not TLS, another name, or not in time.
    pub(crate) async fn hello(&mut self, asked: &HostName, deadline: Duration) -> Result<(), Refusal> {
        let whole = async {
            while !hello::names(&self.buf, asked)? {
                if !self.fill(HEAD_BYTES).await.unwrap_or(false) {
                    return Err(if self.buf.is_empty() { Refusal::Gone } else { HelloError::NotTls.into() });
                }
            }
            Ok(())
        };
        timeout(deadline, whole).await.unwrap_or(Err(Refusal::Deadline { what: "the TLS hello" }))
    }

    /// The reading half and the bytes that were read ahead.
    pub(crate) fn into_parts(self) -> (R, Bytes) {
        (self.io, self.buf.freeze())
    }

    /// Ends our side and reads a little of what still comes, so that the program sees the answer before the end.
    pub(crate) async fn linger<W: AsyncWrite + Unpin>(mut self, mut writer: W) {
        let farewell = async {
            let _ = writer.shutdown().await;
            let mut left = LINGER_BYTES;
            while left > 0 {
                self.buf.clear();
                if !self.fill(4096).await.unwrap_or(false) {
                    break;
                }
                left = left.saturating_sub(self.buf.len());
            }
        };
        let _ = timeout(LINGER, farewell).await;
    }
}
