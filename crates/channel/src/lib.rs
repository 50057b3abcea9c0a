//! The one pipe between the host and a container, for both ends.
//!
//! A byte pipe (the stdio of an exec, a Unix socket) carries one [`session`] of multiplexed streams. Each [`Stream`]
//! begins with a [`types::wire::Open`] header that is written at once, because the multiplexer opens lazily and a
//! stream on which the other side speaks first would otherwise never appear.
//!
//! What must stay true: no peer can make this side buffer without bound (streams, headers, frames and windows are
//! capped), no wait for the peer is without a deadline, and a stream that was cut is an error and never an end of file.
//!
//! A session is never repaired. After any break both ends make a new one, and what must survive the break (the agent's
//! stdin and output) is addressed by offset: see [`Tape`] and [`OutputReader`].

mod control;
mod error;
pub mod frame;
mod link;
mod output;
mod pressure;
pub mod relay;
mod session;
mod stream;
mod tape;

pub use control::Control;
pub use error::ChannelError;
pub use output::OutputReader;
pub use pressure::PressureReader;
pub use session::{Driver, Incoming, MAX_INBOUND, MAX_OUTBOUND, Session, Side, session};
pub use stream::Stream;
pub use tape::{Tape, TapeError};
