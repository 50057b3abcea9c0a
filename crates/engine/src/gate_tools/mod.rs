//! The gate as a tool for people: try it on a corpus, on one command, on a past run; no container is needed for any of it.

mod error;
mod test;

pub use error::GateToolError;
pub use test::test_gate;
