//! The vocabulary that every other crate shares: ids, tasks, profiles, policy, verdicts, events and wire frames.
//!
//! Nothing here does I/O. Parsing is from strings, decisions are pure, and every value that could be a secret
//! redacts itself when shown.

pub mod budget;
pub mod call;
pub mod canary;
pub mod catalogue;
pub mod event;
pub mod exit;
pub mod harvest;
pub mod host;
pub mod id;
mod layers;
pub mod path;
pub mod probe;
pub mod profile;
pub mod replay;
pub mod result;
pub mod route;
pub mod secret;
pub mod size;
pub mod source;
pub mod span;
pub mod task;
pub mod text;
pub mod trust;
pub mod verdict;
pub mod wire;
