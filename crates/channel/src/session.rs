//! A session: one pipe, many streams.
//!
//! What must stay true: the stream table never fills, because a full table ends the whole connection in the
//! multiplexer. Outbound streams wait for a permit, inbound streams above their cap are dropped at once, and the table
//! has room for both several times over.

use crate::{
    error::ChannelError,
    frame::{self, FrameError},
    link::{Fate, Link},
    stream::Stream,
};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};
use types::wire::{MAX_HEADER, Open};
use yamux::{Config, Connection, ConnectionError, Mode};

/// Most streams that this side may have open at once.
pub const MAX_OUTBOUND: usize = 768;
/// Most streams of the other side that live here at once; further ones are dropped.
pub const MAX_INBOUND: usize = 1024;
/// Size of the stream table. Streams that were dropped but not yet reported count, hence the slack.
const TABLE: usize = 4096;
/// Window that every stream has from the start, in bytes: fixed by the multiplexer.
const BASE_WINDOW: usize = yamux::DEFAULT_CREDIT as usize;
/// Bytes by which all windows of a session may grow together. A stalled upload otherwise holds about 10 MiB.
const WINDOW_GROWTH: usize = 16 * 1024 * 1024;
/// Largest data frame that is sent, in bytes: twice the default, for fewer writes to the pipe.
const FRAME: usize = 32 * 1024;
/// Time for an open, in all: permit, table, header.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// Time the other side has to send the header of a stream that it opened.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// Opens that may wait for the driver.
const OPEN_QUEUE: usize = 64;

/// Which end of the pipe this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The trusted end.
    Host,
    /// PID 1 in the container.
    Guest,
}

/// Opens streams. Cheap to clone; works for as long as the [`Driver`] runs.
#[derive(Clone)]
pub struct Session {
    opens: mpsc::Sender<oneshot::Sender<yamux::Stream>>,
    permits: Arc<Semaphore>,
    fate: Fate,
}

/// Streams that the other side opened.
pub struct Incoming {
    accepted: mpsc::UnboundedReceiver<(Open, Stream)>,
}

/// Moves the bytes. The caller runs it in a task of its own; dropping it ends the session and resets every stream.
///
/// Resolves when the pipe has ended: `Ok` for a clean end, else the cause.
#[must_use = "a session does nothing unless its driver runs"]
pub struct Driver {
    connection: Box<dyn Multiplexer>,
    opens: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
    /// An open that waits for the other side to acknowledge earlier ones.
    waiting: Option<oneshot::Sender<yamux::Stream>>,
    headers: FuturesUnordered<BoxFuture<'static, Option<(Open, Stream)>>>,
    /// Unbounded as a type; [`MAX_INBOUND`] permits bound what can be in it.
    accepted: mpsc::UnboundedSender<(Open, Stream)>,
    permits: Arc<Semaphore>,
    fate: Fate,
}

/// Begins a session on `io`. Both ends call it, with different sides.
pub fn session<T>(io: T, side: Side) -> (Session, Incoming, Driver)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut config = Config::default();
    config.set_max_connection_receive_window(None);
    config.set_max_num_streams(TABLE);
    config.set_max_connection_receive_window(Some(TABLE * BASE_WINDOW + WINDOW_GROWTH));
    config.set_split_send_size(FRAME);
    let mode = match side {
        Side::Host => Mode::Client,
        Side::Guest => Mode::Server,
    };
    let fate = Fate::default();
    let connection = Box::new(Connection::new(Link::new(io, fate.clone()), config, mode));
    let (open_sender, opens) = mpsc::channel(OPEN_QUEUE);
    let (accepted, accepted_receiver) = mpsc::unbounded_channel();
    let driver = Driver {
        connection,
        opens,
        waiting: None,
        headers: FuturesUnordered::new(),
        accepted,
        permits: Arc::new(Semaphore::new(MAX_INBOUND)),
        fate: fate.clone(),
    };
    let session = Session { opens: open_sender, permits: Arc::new(Semaphore::new(MAX_OUTBOUND)), fate };
    (session, Incoming { accepted: accepted_receiver }, driver)
}

impl Session {
    /// Opens a stream and writes its header at once.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the session has ended, [`ChannelError::Deadline`] after ten seconds without a
    /// free stream or without the other side reading.
    pub async fn open(&self, open: &Open) -> Result<Stream, ChannelError> {
        timeout(OPEN_DEADLINE, self.open_now(open))
            .await
            .map_err(|_| ChannelError::Deadline { what: "open", after: OPEN_DEADLINE })?
    }

    async fn open_now(&self, open: &Open) -> Result<Stream, ChannelError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| ChannelError::Closed)?;
        let (reply, opened) = oneshot::channel();
        self.opens.send(reply).await.map_err(|_| ChannelError::Closed)?;
        let inner = opened.await.map_err(|_| ChannelError::Closed)?;
        let mut stream = Stream::new(inner, self.fate.clone(), permit);
        frame::write_frame(&mut stream, open, MAX_HEADER).await.map_err(|source| match source {
            FrameError::Io { .. } => ChannelError::Closed,
            FrameError::TooLong { .. } | FrameError::Cut | FrameError::Missing | FrameError::Json { .. } => {
                ChannelError::Frame { what: "open", source }
            }
        })?;
        Ok(stream)
    }

    /// True when the pipe is known to be gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.fate.is_broken() || self.opens.is_closed()
    }

    /// Resolves when the driver has ended or was dropped.
    pub async fn closed(&self) {
        self.opens.closed().await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl Incoming {
    /// The next stream whose header was read, or `None` when the session has ended. Streams with a bad or late header
    /// are dropped and never appear; they hold up no other.
    pub async fn accept(&mut self) -> Option<(Open, Stream)> {
        self.accepted.recv().await
    }
}

impl Driver {
    fn accept(&mut self, inner: yamux::Stream) {
        // Over the cap the stream is dropped here, which resets it.
        let Ok(permit) = self.permits.clone().try_acquire_owned() else { return };
        let mut stream = Stream::new(inner, self.fate.clone(), permit);
        self.headers.push(Box::pin(async move {
            let header = timeout(HEADER_DEADLINE, frame::read_frame(&mut stream, MAX_HEADER)).await;
            header.ok()?.ok()?.map(|open| (open, stream))
        }));
    }
}

impl Future for Driver {
    type Output = Result<(), ChannelError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            if this.waiting.is_none()
                && let Poll::Ready(Some(reply)) = this.opens.poll_recv(cx)
            {
                this.waiting = Some(reply);
            }
            if let Some(reply) = this.waiting.take() {
                match this.connection.poll_outbound(cx) {
                    Poll::Ready(Ok(stream)) => {
                        // The opener may have given up; its stream is then dropped and never seen by the peer.
                        let _given_up = reply.send(stream);
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(ended(error)),
                    Poll::Pending => this.waiting = Some(reply),
                }
            }
            match this.connection.poll_inbound(cx) {
                Poll::Ready(Some(Ok(stream))) => {
                    this.accept(stream);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(ended(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {}
            }
            match this.headers.poll_next_unpin(cx) {
                Poll::Ready(Some(header)) => {
                    if let Some(stream) = header {
                        // Nobody accepts any more: the stream is dropped, which resets it.
                        let _nobody = this.accepted.send(stream);
                    }
                }
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.fate.set_broken();
    }
}

fn ended(error: ConnectionError) -> Result<(), ChannelError> {
    if matches!(error, ConnectionError::Closed) {
        return Ok(());
    }
    Err(ChannelError::Broken { source: io::Error::other(error) })
}

/// The multiplexer without the type of its pipe.
trait Multiplexer: Send {
    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<Result<yamux::Stream, ConnectionError>>;
    fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<yamux::Stream, ConnectionError>>>;
}

impl<T: futures::io::AsyncRead + futures::io::AsyncWrite + Unpin + Send> Multiplexer for Connection<T> {
    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<Result<yamux::Stream, ConnectionError>> {
        self.poll_new_outbound(cx)
    }

    fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<yamux::Stream, ConnectionError>>> {
        self.poll_next_inbound(cx)
    }
}
