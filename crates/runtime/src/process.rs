//! A process started in a container: its streams, and running one to its end.

use crate::{
    error::{Cause, Error, Operation, Result},
    frames::{Aside, Frames, Output, Stdout},
    spec::ExecId,
};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::Instant,
};

/// Most stderr that is kept of a process whose stdout is a protocol, in bytes.
pub const MAX_STDERR: usize = 64 * 1024;

type Reader = Box<dyn AsyncRead + Send + Sync + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// The first [`MAX_STDERR`] bytes of a process's stderr, filled while its stdout is read.
#[derive(Clone, Debug, Default)]
pub struct Stderr(Arc<Mutex<Vec<u8>>>);

impl Stderr {
    /// What has come so far, escaped for people.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        types::text::printable_block(&String::from_utf8_lossy(&bytes))
    }
}

impl Aside for Stderr {
    fn stderr(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_STDERR - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// A process that was started in a container. Dropping it closes its stdin and hangs up on its output; the process itself
/// lives on until it notices or its container ends.
pub struct Exec {
    id: ExecId,
    frames: Frames<Reader>,
    stdin: Writer,
}

impl Exec {
    pub(crate) fn new(id: ExecId, reader: Reader, early: &[u8], stdin: Writer) -> Self {
        Self { id, frames: Frames::new(reader, early), stdin }
    }

    /// The engine's id, for `exec_state`.
    #[must_use]
    pub fn id(&self) -> &ExecId {
        &self.id
    }

    /// Its stdin and stdout as one duplex stream, as the bridge needs it; stderr is captured aside.
    #[must_use]
    pub fn into_io(self) -> (ExecIo, Stderr) {
        let stderr = Stderr::default();
        (ExecIo { stdout: Stdout::new(self.frames, stderr.clone()), stdin: self.stdin }, stderr)
    }

    /// Its stdin, stdout and captured stderr apart. `shutdown()` on stdin half-closes: the process reads end of file.
    #[must_use]
    pub fn into_parts(self) -> (ExecStdin, ExecStdout, Stderr) {
        let stderr = Stderr::default();
        (ExecStdin(self.stdin), ExecStdout(Stdout::new(self.frames, stderr.clone())), stderr)
    }

    /// Its stdin and the pieces of both outputs in the order in which the engine sent them.
    pub(crate) fn into_frames(self) -> (Writer, Frames<Reader>) {
        (self.stdin, self.frames)
    }
}

/// A process's stdin and stdout as one stream. The read side ends at the process's end of output; an end inside a frame is
/// an error. `shutdown()` half-closes its stdin.
pub struct ExecIo {
    stdout: Stdout<Reader, Stderr>,
    stdin: Writer,
}

/// A process's stdin.
pub struct ExecStdin(Writer);

/// A process's stdout. Its stderr is captured while this is read.
pub struct ExecStdout(Stdout<Reader, Stderr>);

impl AsyncRead for ExecIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, out)
    }
}

impl AsyncRead for ExecStdout {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

macro_rules! writes_to {
    ($name:ident, $field:tt) => {
        impl AsyncWrite for $name {
            fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.$field).poll_write(cx, bytes)
            }
            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.$field).poll_flush(cx)
            }
            fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.$field).poll_shutdown(cx)
            }
            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                parts: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.$field).poll_write_vectored(cx, parts)
            }
            fn is_write_vectored(&self) -> bool {
                self.$field.is_write_vectored()
            }
        }
    };
}
writes_to!(ExecIo, stdin);
writes_to!(ExecStdin, 0);

/// How far a command may go.
#[derive(Clone, Copy, Debug)]
pub struct OutputLimits {
    /// Most bytes of output that are written on; the rest is read, counted and dropped.
    pub max_bytes: u64,
    /// When to stop waiting for it.
    pub deadline: Instant,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status; 128 + n after signal n.
    Exited(i64),
    /// It did not, before the deadline. It may still run: an engine cannot kill it, end its container.
    TimedOut,
    /// The container went away under it; inspect the container for the cause.
    Lost,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// Bytes of output that were written on.
    pub written: u64,
    /// Bytes of output beyond the cap.
    pub dropped: u64,
}

impl Finished {
    /// True for exit status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.ended == Ended::Exited(0)
    }
}

/// What was read of a command's output, and whether its end was.
pub(crate) struct Collected {
    pub(crate) written: u64,
    pub(crate) dropped: u64,
    /// False when the deadline came first.
    pub(crate) complete: bool,
}

/// Copies both outputs to `sink` in the order of arrival.
pub(crate) async fn collect<W: AsyncWrite + Unpin + Send>(
    exec: Exec,
    sink: &mut W,
    limits: OutputLimits,
    subject: &str,
) -> Result<Collected> {
    let failed = |source: Cause| Error::Refused {
        operation: Operation::Exec,
        subject: subject.to_owned(),
        status: None,
        source,
    };
    // Our end of stdin stays open until the end: hanging up early makes some engines drop the output.
    let (_stdin, mut frames) = exec.into_frames();
    let mut got = Collected { written: 0, dropped: 0, complete: false };
    loop {
        let Ok(piece) = tokio::time::timeout_at(limits.deadline, frames.next()).await else { break };
        let Some((Output::Stdout | Output::Stderr, bytes)) = piece.map_err(|error| failed(error.into()))? else {
            got.complete = true;
            break;
        };
        let room = usize::try_from(limits.max_bytes - got.written).unwrap_or(usize::MAX).min(bytes.len());
        sink.write_all(&bytes[..room]).await.map_err(|error| failed(error.into()))?;
        got.written += room as u64;
        got.dropped += (bytes.len() - room) as u64;
    }
    sink.flush().await.map_err(|error| failed(error.into()))?;
    Ok(got)
}

/// Longest wait for the engine to note the end of a process whose output has ended.
pub(crate) const EXIT_GRACE: Duration = Duration::from_secs(10);
