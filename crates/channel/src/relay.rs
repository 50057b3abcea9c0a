//! Copying between two streams, both ways, with half-close.
//!
//! Plain read and write loops: `splice` deadlocks between a socket and a pipe. The counts survive an error, so that a
//! cut connection is still metered.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

/// Copy buffer per direction, in bytes: one data frame of the multiplexer.
const BUFFER: usize = 32 * 1024;

/// What a relay moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Bytes from the first stream to the second.
    pub forth: u64,
    /// Bytes from the second stream to the first.
    pub back: u64,
}

/// Copies both ways until both directions have ended, passing each end on as a half-close. The first error stops both
/// directions at once. There is no idle deadline here: the end that decides (the host) closes what it gives up on.
///
/// The second value is the error, if there was one; the caller must then drop both streams without shutting them down.
pub async fn relay<A, B>(a: A, b: B) -> (Moved, io::Result<()>)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (forth, back) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut a_read, mut a_write) = split(a);
    let (mut b_read, mut b_write) = split(b);
    let result = tokio::try_join!(copy(&mut a_read, &mut b_write, &forth), copy(&mut b_read, &mut a_write, &back));
    let moved = Moved { forth: forth.into_inner(), back: back.into_inner() };
    (moved, result.map(|_| ()))
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    count: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
        to.flush().await?;
        count.fetch_add(n as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    #[tokio::test]
    async fn each_direction_ends_on_its_own_and_is_counted() {
        let (client, a) = duplex(64);
        let (b, server) = duplex(64);
        let talk = async {
            let (mut client, mut server) = (client, server);
            client.write_all(b"question").await.unwrap();
            client.shutdown().await.unwrap();
            let mut asked = String::new();
            server.read_to_string(&mut asked).await.unwrap();
            assert_eq!(asked, "question");
            server.write_all(b"a longer answer").await.unwrap();
            drop(server);
            let mut answered = String::new();
            client.read_to_string(&mut answered).await.unwrap();
            assert_eq!(answered, "a longer answer");
        };
        let ((moved, result), ()) = tokio::join!(relay(a, b), talk);
        result.unwrap();
        assert_eq!(moved, Moved { forth: 8, back: 15 });
    }

    #[tokio::test]
    async fn counts_survive_an_error() {
        let (mut client, a) = duplex(64);
        let b = reset_after(3);
        client.write_all(b"abcdef").await.unwrap();
        let (moved, result) = relay(a, b).await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(moved.back, 3);
    }

    /// Gives `count` bytes and is then reset; takes nothing.
    fn reset_after(count: usize) -> impl AsyncRead + AsyncWrite {
        struct Broken(usize);
        impl AsyncRead for Broken {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                buffer: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                if self.0 == 0 {
                    return std::task::Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                buffer.put_slice(&b"xyzxyz"[..self.0]);
                self.0 = 0;
                std::task::Poll::Ready(Ok(()))
            }
        }
        impl AsyncWrite for Broken {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                _: &[u8],
            ) -> std::task::Poll<io::Result<usize>> {
                std::task::Poll::Pending
            }
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }
            fn poll_shutdown(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }
        }
        Broken(count)
    }
}
