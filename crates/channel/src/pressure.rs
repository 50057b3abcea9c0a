//! The host's end of the guest's reports about the container's limits.

use crate::{error::ChannelError, frame, session::Session, stream::Stream};
use std::time::Duration;
use tokio::time::timeout;
use types::wire::{MAX_FRAME, Open, Pressure};

/// Time for the next report; the guest sends one a second.
const DEADLINE: Duration = Duration::from_secs(30);

/// Reads the guest's reports.
#[derive(Debug)]
pub struct PressureReader(Stream);

impl PressureReader {
    /// Asks for reports.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open(session: &Session) -> Result<Self, ChannelError> {
        Ok(Self(session.open(&Open::Pressure).await?))
    }

    /// Waits for the next report.
    ///
    /// # Errors
    /// [`ChannelError::Deadline`] when none comes; [`ChannelError::Frame`] when the session broke or the guest talks nonsense.
    pub async fn next(&mut self) -> Result<Pressure, ChannelError> {
        const WHAT: &str = "pressure";
        let read = timeout(DEADLINE, frame::read_frame(&mut self.0, MAX_FRAME)).await;
        let frame = read.map_err(|_| ChannelError::Deadline { what: WHAT, after: DEADLINE })?;
        let frame = frame.map_err(|source| ChannelError::Frame { what: WHAT, source })?;
        frame.ok_or(ChannelError::Frame { what: WHAT, source: frame::FrameError::Missing })
    }
}
