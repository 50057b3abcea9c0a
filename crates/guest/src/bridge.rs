//! `guest bridge`: joins the stdio of an exec to PID 1's socket.
//!
//! Plain blocking loops of 64 KiB: `splice` deadlocks between the socket and the stdout pipe. It ends on the end of
//! either direction, because a bridge that outlives its host would keep PID 1 in a session with nobody.

use rustix::fd::OwnedFd;
use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Bytes per read.
const BUFFER: usize = 64 * 1024;
/// Time for PID 1 to make its socket.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Why the bridge could not be built or broke.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BridgeError {
    /// PID 1 does not listen.
    #[error("cannot connect to {}", path.display())]
    Connect {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// One of the loops failed.
    #[error("cannot copy {direction}")]
    Copy {
        direction: &'static str,
        #[source]
        source: io::Error,
    },
}

/// Copies until either direction ends.
pub(crate) fn run(run_dir: &Path) -> Result<(), BridgeError> {
    let path = run_dir.join("bridge.sock");
    let socket = connect(&path, CONNECT_DEADLINE).map_err(|source| BridgeError::Connect { path, source })?;
    crate::peer::introduce(&socket)
        .map_err(|source| BridgeError::Copy { direction: "the greeting to the socket", source })?;
    let inward = |source| BridgeError::Copy { direction: "stdin to the socket", source };
    let outward = |source| BridgeError::Copy { direction: "the socket to stdout", source };
    let stdin = raw(io::stdin().as_fd().try_clone_to_owned()).map_err(inward)?;
    let stdout = raw(io::stdout().as_fd().try_clone_to_owned()).map_err(outward)?;
    let reader = socket.try_clone().map_err(outward)?;
    let (done, ended) = mpsc::channel();
    let other = done.clone();
    // The loop that has not ended is in a blocking read and goes with the process.
    thread::spawn(move || done.send(copy(stdin, socket).map_err(inward)));
    thread::spawn(move || other.send(copy(reader, stdout).map_err(outward)));
    ended.recv().unwrap_or(Ok(()))
}

/// Connects to a socket that may be about to be made.
pub(crate) fn connect(path: &Path, deadline: Duration) -> io::Result<UnixStream> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(500);
    loop {
        match UnixStream::connect(path) {
            Ok(socket) => return Ok(socket),
            Err(error) if start.elapsed() >= deadline || !is_early(&error) => return Err(error),
            Err(_) => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// The socket is not there yet, or not listening yet.
fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn raw(fd: io::Result<OwnedFd>) -> io::Result<File> {
    fd.map(File::from)
}

fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
