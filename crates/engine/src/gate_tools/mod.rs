//! The gate as a tool for people: try it on a corpus, on one command, on a past run; no container is needed for any of it.

mod asked;
mod error;
mod explain;
mod import;
mod replay;
pub(crate) mod sarif;
mod test;

pub use error::GateToolError;
pub use explain::{Question, explain_call};
pub use import::{ImportError, Imported, import_claude};
pub use replay::{Difference, Replayed};
pub use test::{Tested, test_gate};
