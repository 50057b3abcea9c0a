//! What PID 1 and the shim say to each other on the agent socket: the channel's frames, with the pipes attached to the
//! launch order. PID 1 sends one order at a time and the shim answers each, but for a launch that works: then the
//! socket closes with the exec.

use channel::frame::{self, FrameError, PREFIX};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::unix::net::UnixStream,
};
use types::probe::{ProbePlan, ProbeReport};

/// Longest order or answer, in bytes.
pub(crate) const MAX_MESSAGE: usize = types::wire::MAX_FRAME;
/// Descriptors with a launch: the agent's stdin, stdout and stderr.
pub(crate) const PIPES: usize = 3;

/// PID 1 to shim.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub(crate) enum Order {
    /// Run the canary.
    Probe {
        /// What to try.
        plan: ProbePlan,
    },
    /// Take the pipes and execute the agent.
    Launch,
}

/// Shim to PID 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The canary ran.
    Probed {
        /// What came of it.
        report: ProbeReport,
    },
    /// The order could not be carried out.
    Failed {
        /// Why, one line.
        reason: String,
    },
}

/// Why a message could not be exchanged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the socket failed")]
    Io(#[source] io::Error),
    #[error("the other end is gone")]
    Gone,
    #[error("the message is malformed")]
    Frame(#[source] FrameError),
    #[error("the launch did not come with three pipes")]
    Pipes,
}

/// Sends an answer.
pub(super) fn send(mut socket: &UnixStream, answer: &Answer) -> Result<(), WireError> {
    let bytes = frame::encode(answer, MAX_MESSAGE).map_err(WireError::Frame)?;
    socket.write_all(&bytes).map_err(WireError::Io)
}

/// Receives an order and the descriptors that came with it.
pub(crate) fn receive(socket: &UnixStream) -> Result<(Order, Vec<OwnedFd>), WireError> {
    let mut pipes = Vec::new();
    let mut prefix = [0; PREFIX];
    fill(socket, &mut prefix, &mut pipes)?;
    let mut body = vec![0; frame::length(prefix, MAX_MESSAGE).map_err(WireError::Frame)?];
    fill(socket, &mut body, &mut pipes)?;
    Ok((frame::decode(&body).map_err(WireError::Frame)?, pipes))
}

/// Sends bytes with the pipes attached to the first of them, and says how many were taken.
pub(crate) fn send_pipes(socket: impl AsFd, bytes: &[u8], pipes: [BorrowedFd<'_>; PIPES]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PIPES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&pipes)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    Ok(rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

fn fill(socket: &UnixStream, mut buffer: &mut [u8], pipes: &mut Vec<OwnedFd>) -> Result<(), WireError> {
    while !buffer.is_empty() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PIPES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let slices = &mut [IoSliceMut::new(buffer)];
        let received = match rustix::net::recvmsg(socket, slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            received => received.map_err(|error| WireError::Io(error.into()))?,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                pipes.extend(descriptors);
            }
        }
        if received.bytes == 0 {
            return Err(WireError::Gone);
        }
        buffer = buffer.split_at_mut(received.bytes).1;
    }
    Ok(())
}
