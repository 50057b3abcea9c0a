//! The host's end of an output stream: bytes by offset, acknowledged when they are stored.
//!
//! On an output stream the guest sends raw bytes and the host sends acknowledgements: 8-byte big-endian offsets up to
//! which it has stored the output. The guest keeps every byte until it is acknowledged, up to its cap, and then stops
//! reading the agent; so a host must acknowledge at least every few megabytes.

use crate::{error::ChannelError, session::Session, stream::Stream};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use types::wire::{Open, Output};

/// Time for an acknowledgement to be taken.
const ACK_DEADLINE: Duration = Duration::from_secs(10);

/// Reads the agent's stdout or stderr and acknowledges what was stored.
#[derive(Debug)]
pub struct OutputReader {
    stream: Stream,
    offset: u64,
}

impl OutputReader {
    /// Attaches at `offset`: the number of bytes that the host has stored. It must lie between `kept_from` and `read`
    /// of the guest's status, else the guest resets the stream and the first read fails.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open(session: &Session, output: Output, offset: u64) -> Result<Self, ChannelError> {
        let open = match output {
            Output::Stdout => Open::Stdout { offset },
            Output::Stderr => Open::Stderr { offset },
        };
        Ok(Self { stream: session.open(&open).await?, offset })
    }

    /// Reads into `buffer`; 0 means that every writer of the agent's output has closed it and all of it was read.
    /// Waits for as long as the agent is silent. Dropping the future loses no bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionReset`] when the session broke: attach again at the last stored offset.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer).await?;
        self.offset += count as u64;
        Ok(count)
    }

    /// Offset one past the last byte that was read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Tells the guest that the bytes before `stored` are safe, so that it may forget them.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for an offset that was not read yet, [`io::ErrorKind::TimedOut`] when the guest
    /// does not take it, else the error of the stream.
    pub async fn ack(&mut self, stored: u64) -> io::Result<()> {
        if stored > self.offset {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot acknowledge bytes that were not read"));
        }
        let send = async {
            self.stream.write_all(&stored.to_be_bytes()).await?;
            self.stream.flush().await
        };
        timeout(ACK_DEADLINE, send).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
