//! What can go wrong on a channel, as the callers of either end see it.

use crate::frame::FrameError;
use std::{io, time::Duration};

/// A failed operation on the channel. None of them is repaired in place: after [`ChannelError::Closed`],
/// [`ChannelError::Broken`] and [`ChannelError::Deadline`] the session is to be made anew.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The session has ended, or an earlier failure left the control stream out of step.
    #[error("the channel is closed")]
    Closed,
    /// The pipe or the multiplexer failed.
    #[error("the channel broke")]
    Broken {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The other side did not act in time.
    #[error("no progress on `{what}` within {} ms", after.as_millis())]
    Deadline {
        /// The operation.
        what: &'static str,
        /// How long it was given.
        after: Duration,
    },
    /// A header or a control frame could not be exchanged.
    #[error("cannot exchange the frames of `{what}`")]
    Frame {
        /// The operation.
        what: &'static str,
        /// What is wrong with the frame.
        #[source]
        source: FrameError,
    },
    /// The guest refused the request and changed nothing.
    #[error("the guest refused `{request}`: {reason}")]
    Refused {
        /// The request.
        request: &'static str,
        /// The guest's words, made printable.
        reason: String,
    },
    /// The guest's reply does not belong to the request.
    #[error("the guest gave a reply that does not belong to `{request}`")]
    Unexpected {
        /// The request.
        request: &'static str,
    },
    /// The two ends come from different builds.
    #[error("the guest speaks version {guest} of the channel and this host version {host}")]
    Version {
        /// The guest's.
        guest: u32,
        /// Ours.
        host: u32,
    },
}
