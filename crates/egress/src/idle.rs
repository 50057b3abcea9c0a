//! One idle deadline for a whole stream: every byte on the agent's side counts as a sign of life.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep},
};

/// When the stream last moved.
#[derive(Debug)]
pub(crate) struct Activity {
    started: Instant,
    last_millis: AtomicU64,
}

impl Activity {
    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn touch(&self) {
        self.last_millis.store(self.millis(), Ordering::Relaxed);
    }

    /// Returns when nothing has moved for `limit`.
    pub(crate) async fn idle_for(&self, limit: Duration) {
        loop {
            let quiet = Duration::from_millis(self.millis().saturating_sub(self.last_millis.load(Ordering::Relaxed)));
            if quiet >= limit {
                return;
            }
            // At least a millisecond, the clock's resolution here, so that the loop cannot spin.
            sleep((limit - quiet).max(Duration::from_millis(1))).await;
        }
    }
}

/// A stream that notes its activity.
pub(crate) struct Watched<S> {
    inner: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    /// Wraps a stream; the clock starts now.
    pub(crate) fn new(inner: S) -> (Self, Arc<Activity>) {
        let activity = Arc::new(Activity { started: Instant::now(), last_millis: AtomicU64::new(0) });
        (Self { inner, activity: Arc::clone(&activity) }, activity)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.activity.touch();
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.activity.touch();
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.activity.touch();
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn silence_ends_and_bytes_keep_alive() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let (mut watched, activity) = Watched::new(ours);
        let limit = Duration::from_millis(60);
        let started = Instant::now();
        let talk = async {
            for _ in 0..5 {
                sleep(Duration::from_millis(20)).await;
                theirs.write_all(b"x").await.expect("write");
                watched.read_u8().await.expect("read");
            }
        };
        tokio::join!(talk, activity.idle_for(limit));
        assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
    }
}
