//! A checked tunnel: bytes both ways with half-close and counts. The idle deadline is the stream's.

use crate::{
    audit::{ByteCap, Traffic},
    limits::COPY_BYTES,
};
use bytes::Bytes;
use std::io;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

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

/// Carries bytes until both sides have ended; `first` was read from inside already and goes up first.
///
/// # Errors
/// [`TunnelError`]; both directions stop then.
pub(crate) async fn carry<R, W>(
    first: Bytes,
    reader: R,
    writer: W,
    mut upstream: TcpStream,
    traffic: &Traffic,
) -> Result<(), TunnelError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (from_world, to_world) = upstream.split();
    let up = copy(first, reader, to_world, |count| traffic.charge_up(count));
    let down = copy(Bytes::new(), from_world, writer, |count| traffic.charge_down(count));
    tokio::try_join!(up, down).map(|_| ())
}

async fn copy<R, W>(
    first: Bytes,
    mut reader: R,
    mut writer: W,
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
            return writer.shutdown().await.map_err(TunnelError::Broken);
        };
        charge(count)?;
        writer.write_all(bytes).await.map_err(TunnelError::Broken)?;
    }
}
