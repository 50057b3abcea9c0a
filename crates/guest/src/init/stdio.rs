//! The agent's stdin, stdout and stderr, kept over host sessions.
//!
//! What must stay true: every byte of stdin that reached the pipe is counted exactly once, a broken session never
//! closes the agent's stdin, and every byte of output stays on its tape until a host has stored it.

use channel::{Stream, Tape};
use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::unix::pipe,
    sync::Notify,
};
use types::wire::{GuestStatus, OutputStatus};

/// Bytes of output kept while no host stores them; a full tape stops the agent's writes.
const TAPE: usize = 8 * 1024 * 1024;
/// Bytes per read and write.
const BUFFER: usize = 64 * 1024;

/// PID 1's ends of the agent's three pipes.
pub(super) struct Stdio {
    is_launched: AtomicBool,
    pub(super) stdin: Input,
    pub(super) stdout: Recording,
    pub(super) stderr: Recording,
}

impl Stdio {
    pub(super) fn new() -> Self {
        Self {
            is_launched: AtomicBool::new(false),
            stdin: Input::default(),
            stdout: Recording::new(),
            stderr: Recording::new(),
        }
    }

    pub(super) fn set_launched(&self) {
        self.is_launched.store(true, Ordering::Release);
    }

    /// The status, but for `configured`, which others know.
    pub(super) fn status(&self) -> GuestStatus {
        GuestStatus {
            configured: false,
            launched: self.is_launched.load(Ordering::Acquire),
            stdin_accepted: self.stdin.accepted.load(Ordering::Acquire),
            stdin_closed: self.stdin.is_closed.load(Ordering::Acquire),
            stdout: self.stdout.status(),
            stderr: self.stderr.status(),
        }
    }
}

/// The writing end of the agent's stdin. Locked by the one stream that feeds it.
#[derive(Default)]
pub(super) struct Input {
    pipe: tokio::sync::Mutex<Option<pipe::Sender>>,
    accepted: AtomicU64,
    is_closed: AtomicBool,
}

impl Input {
    pub(super) async fn connect(&self, pipe: pipe::Sender) {
        *self.pipe.lock().await = Some(pipe);
    }

    /// Writes a stream's bytes into the agent's stdin and closes it at their end. A stream that is refused (no agent,
    /// wrong offset, another one feeds already) or whose agent has closed its stdin is dropped, which the host sees as
    /// a reset.
    pub(super) async fn feed(&self, mut stream: Stream, offset: u64) {
        let Ok(mut slot) = self.pipe.try_lock() else { return };
        let Some(pipe) = slot.as_ref() else { return };
        if offset != self.accepted.load(Ordering::Acquire) {
            return;
        }
        let mut buffer = vec![0; BUFFER];
        loop {
            let fed = match stream.read(&mut buffer).await {
                Ok(0) => Ok(false),
                Ok(count) => self.write(pipe, &buffer[..count]).await.map(|()| true),
                // The session broke: the stdin stays open for the next one.
                Err(_) => return,
            };
            if !matches!(fed, Ok(true)) {
                self.is_closed.store(true, Ordering::Release);
                *slot = None;
                if fed.is_ok() {
                    // Confirms that the end has arrived.
                    let _unheard = stream.shutdown().await;
                }
                return;
            }
        }
    }

    /// Between a write and its count there is no await, so that being cancelled never miscounts.
    async fn write(&self, pipe: &pipe::Sender, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            pipe.writable().await?;
            match pipe.try_write(bytes) {
                Ok(count) => {
                    self.accepted.fetch_add(count as u64, Ordering::AcqRel);
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// One of the agent's outputs: a tape that one task fills and one stream at a time plays.
pub(super) struct Recording {
    state: Mutex<State>,
    /// There are new bytes, or the end.
    grown: Notify,
    /// Bytes were released.
    room: Notify,
    player: tokio::sync::Mutex<()>,
}

struct State {
    tape: Tape,
    has_ended: bool,
}

impl Recording {
    fn new() -> Self {
        Self {
            state: Mutex::new(State { tape: Tape::new(TAPE), has_ended: false }),
            grown: Notify::new(),
            room: Notify::new(),
            player: tokio::sync::Mutex::default(),
        }
    }

    /// The state is never left half-changed, so that a poisoned lock is as good as a sound one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> OutputStatus {
        let state = self.state();
        OutputStatus { kept_from: state.tape.kept_from(), read: state.tape.end(), ended: state.has_ended }
    }

    /// Fills the tape until every writer has closed the pipe.
    pub(super) async fn record(&self, pipe: pipe::Receiver) {
        let mut buffer = vec![0; BUFFER];
        loop {
            let room = self.state().tape.room().min(BUFFER);
            if room == 0 {
                self.room.notified().await;
                continue;
            }
            if pipe.readable().await.is_err() {
                break;
            }
            match pipe.try_read(&mut buffer[..room]) {
                Ok(0) => break,
                Ok(count) => {
                    // Only this task pushes, so that the room it saw is still there.
                    let _all = self.state().tape.push(&buffer[..count]);
                    self.grown.notify_one();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        self.state().has_ended = true;
        self.grown.notify_one();
    }

    /// Plays the tape from `offset` and releases what the host acknowledges. An offset that is not on the tape and a
    /// second player are dropped, which the host sees as a reset.
    pub(super) async fn play(&self, stream: Stream, offset: u64) {
        let Ok(_player) = self.player.try_lock() else { return };
        if self.state().tape.at(offset).is_err() || self.release(offset).is_err() {
            return;
        }
        let (read, write) = tokio::io::split(stream);
        let _broken = tokio::try_join!(self.send(write, offset), self.take_acks(read));
    }

    async fn send(&self, mut stream: WriteHalf<Stream>, mut offset: u64) -> io::Result<()> {
        loop {
            let (bytes, has_ended) = {
                let state = self.state();
                let bytes = state.tape.at(offset).map_err(io::Error::other)?;
                (bytes[..bytes.len().min(BUFFER)].to_vec(), state.has_ended)
            };
            if !bytes.is_empty() {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                offset += bytes.len() as u64;
            } else if has_ended {
                return stream.shutdown().await;
            } else {
                self.grown.notified().await;
            }
        }
    }

    async fn take_acks(&self, mut stream: ReadHalf<Stream>) -> io::Result<()> {
        loop {
            match stream.read_u64().await {
                Ok(stored) => self.release(stored)?,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn release(&self, stored: u64) -> io::Result<()> {
        self.state().tape.release(stored).map_err(io::Error::other)?;
        self.room.notify_one();
        Ok(())
    }
}
