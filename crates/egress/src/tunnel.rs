//! A checked tunnel: bytes both ways with half-close and counts. The idle deadline is the stream's.

use crate::{
    audit::{Audit, ByteCap, Traffic},
    limits::COPY_BYTES,
    scan::Masker,
};
use bytes::Bytes;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};

/// Why a tunnel ended before both sides had ended it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TunnelError {
    /// A cap of the run.
    #[error(transparent)]
    Cap(#[from] ByteCap),
    /// A side broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
}

/// Carries bytes until both sides have ended; `first` was read from inside already and goes up first. With a masker, secrets that come
/// down are masked.
///
/// # Errors
/// [`TunnelError`]; both directions stop then.
pub(crate) async fn carry<R, W, U>(
    first: Bytes,
    reader: R,
    writer: W,
    upstream: U,
    masker: Option<Masker>,
    traffic: &Traffic,
) -> Result<(), TunnelError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite,
{
    let (from_world, to_world) = split(upstream);
    let up = copy(first, reader, to_world, None, |count| traffic.charge_up(count));
    let down = copy(Bytes::new(), from_world, writer, masker, |count| traffic.charge_down(count));
    tokio::try_join!(up, down).map(|_| ())
}

/// Ends the record of a tunnel.
pub(crate) fn ended(result: Result<(), TunnelError>, audit: Audit) {
    match result {
        Ok(()) => audit.end("tunnel ended"),
        Err(TunnelError::Cap(cap)) => audit.refuse(&cap.into()),
        Err(TunnelError::Broken(error)) => audit.end(&format!("tunnel broke: {error}")),
    }
}

async fn copy<R, W>(
    first: Bytes,
    mut reader: R,
    mut writer: W,
    mut masker: Option<Masker>,
    charge: impl Fn(usize) -> Result<(), ByteCap>,
) -> Result<(), TunnelError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    if !first.is_empty() {
        charge(first.len())?;
        writer.write_all(&first).await.map_err(TunnelError::Broken)?;
    }
    let mut buf = vec![0; COPY_BYTES];
    loop {
        writer.flush().await.map_err(TunnelError::Broken)?;
        let count = reader.read(&mut buf).await.map_err(TunnelError::Broken)?;
        let Some(bytes) = buf.get(..count).filter(|bytes| !bytes.is_empty()) else {
            if let Some(masker) = masker {
                writer.write_all(&masker.finish()).await.map_err(TunnelError::Broken)?;
            }
            return writer.shutdown().await.map_err(TunnelError::Broken);
        };
        charge(count)?;
        match &mut masker {
            None => writer.write_all(bytes).await,
            Some(masker) => writer.write_all(&masker.push(bytes)).await,
        }
        .map_err(TunnelError::Broken)?;
    }
}
