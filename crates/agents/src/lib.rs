//! How the agents are driven: the launch line, the files placed read-only and the protocol of each agent.
//!
//! Everything here is sans-I/O: bytes in, normalised events out, and bytes back. The engine owns the pipe and the clock. What
//! must stay true: no bytes from inside make a codec panic or grow without bound, and nothing that a codec answers lets a call
//! run unless the engine gave an allow for exactly that call.

mod adapter;
pub mod claude;
mod completion;
mod event;
mod launch;

pub use adapter::{AnyAgent, MountedFile};
pub use completion::{Completion, completion};
pub use event::{AgentEvent, Answer, Garbage, RequestId, ResultLine, ToolOutput};
pub use launch::{Launch, LaunchConfig};
