//! The model gateway: the agent talks to it as to the Messages API, with a placeholder for a key.
//!
//! What must stay true: no credential of the client goes up and ours goes nowhere else; only the message paths exist; only
//! listed models are asked for; the observer has every tool call before the agent has the end of its block; bytes that
//! were not understood are not passed on.

mod admit;
mod answer;
mod carry;
mod charge;
mod credential;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gateway;
mod headers;
mod json;
mod meter;
mod oauth;
mod price;
mod question;
mod rate;
mod record;
mod redact;
mod refused;
mod replay;
mod request;
mod results;
mod server_side;
mod sse;
mod upstream;
mod watch;

pub(crate) use credential::Hearing;
pub(crate) use gateway::Gateway;
pub use meter::Spent;
pub use oauth::{TokenStore, Tokens};
pub use question::{AskError, Question, Reply};
pub(crate) use upstream::{native_roots, tls_config};
