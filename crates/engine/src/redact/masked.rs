//! Writers that mask what passes through them.

use super::{bytes, masker};
use bytes::{Buf as _, Bytes};
use egress::scan::Masker;
use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    fs::File,
    io::{AsyncWrite, AsyncWriteExt},
};

/// Diagnostics: whole lines, each masked by itself.
pub struct MaskedLines<W: Write> {
    inner: W,
}

impl<W: Write> MaskedLines<W> {
    /// Writes to `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner }
    }
}

impl<W: Write> Write for MaskedLines<W> {
    /// Takes all of it: whoever writes diagnostics writes a line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.inner.write_all(&bytes(line.to_vec()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A log that grows piece by piece.
pub(crate) struct MaskedFile {
    file: File,
    masker: Masker,
    /// What may go into the file.
    out: Bytes,
}

impl MaskedFile {
    /// Writes to `file`.
    pub(crate) fn new(file: File) -> Self {
        Self { file, masker: masker(), out: Bytes::new() }
    }

    /// Writes what is held back, and the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn finish(mut self, end: &str) -> io::Result<()> {
        self.flush().await?;
        let rest = self.masker.finish();
        self.file.write_all(&rest).await?;
        self.file.write_all(end.as_bytes()).await?;
        self.file.flush().await
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.file).poll_write(cx, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for MaskedFile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(cx))?;
        self.out = self.masker.push(piece);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.file).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::learn;
    use types::secret::Secret;

    #[test]
    fn lines_are_masked() {
        learn(&Secret::new("sk-lines-0123456789"));
        let mut out = Vec::new();
        MaskedLines::new(&mut out).write_all(b"DEBUG key=sk-lines-0123456789 x\n").expect("write");
        assert_eq!(out, b"DEBUG key=******************* x\n");
    }

    #[tokio::test]
    async fn a_log_is_masked_whatever_its_pieces() {
        learn(&Secret::new("sk-masked-0123456789"));
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("1.log");
        let mut log = MaskedFile::new(File::create(&path).await.expect("create"));
        for piece in ["one sk-mas", "ked-01234", "56789 two sk-ma"] {
            log.write_all(piece.as_bytes()).await.expect("write");
            log.flush().await.expect("flush");
        }
        log.finish("[end]").await.expect("finish");
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(text, "one ******************** two sk-ma[end]");
    }
}
